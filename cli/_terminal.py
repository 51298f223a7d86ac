"""Talk on the terminal: failures, progress, text that others wrote."""

from __future__ import annotations

import sys
import traceback
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click

from sancodec.errors import SancodecError
from sancodec.progress import Progress

SOME_FAILED = 4


def printable(text: str) -> str:
    """Give text on one line without control and formatting characters.

    Names and messages can come from a file that somebody else wrote: they must neither move the
    cursor nor reorder what the terminal shows.
    """
    return "".join(
        character if unicodedata.category(character)[0] != "C" else " "
        for character in " ".join(text.split())
    )


def exit_code_of(error: SancodecError | OSError) -> int:
    """Give the exit code that stands for a failure."""
    return error.exit_code if isinstance(error, SancodecError) else 1


def complain(error: SancodecError | OSError, *, verbose: bool) -> None:
    """Say on stderr, in one line, what failed; with the traceback when verbose."""
    if verbose:
        traceback.print_exception(error)
    click.echo(f"sancodec: error: {printable(_message(error))}", err=True)


def _message(error: SancodecError | OSError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def for_each(context: click.Context, sources: Sequence[str], work: Callable[[str], None]) -> None:
    """Work on every source; of several, those that fail are reported and the others go on.

    Raises
    ------
    SancodecError, OSError
        The only source failed.
    click.exceptions.Exit
        Some of several sources failed; exit code 4.
    """
    if len(sources) == 1:
        work(sources[0])
        return
    n_failed = 0
    for source in sources:
        try:
            work(source)
        except BrokenPipeError:
            raise
        except (SancodecError, OSError) as error:
            complain(error, verbose=context.find_root().params["verbose"])
            n_failed += 1
    if n_failed:
        click.echo(f"sancodec: {n_failed} of {len(sources)} files failed", err=True)
        context.exit(SOME_FAILED)


class Failures:
    """Reports records of a pack that fail, and counts them, while the others go on."""

    def __init__(self, context: click.Context) -> None:
        self._context = context
        self.n_failed = 0

    def __call__(self, name: str, error: SancodecError) -> None:
        """Say that this one failed."""
        self.n_failed += 1
        complain(error, verbose=self._context.find_root().params["verbose"])

    def finish(self, n_records: int) -> None:
        """End with exit code 4 where some of so many failed."""
        if self.n_failed:
            click.echo(f"sancodec: {self.n_failed} of {n_records} records failed", err=True)
            self._context.exit(SOME_FAILED)


@contextmanager
def progress_bar(label: str, *, in_bytes: bool = False) -> Iterator[Progress | None]:
    """Show a progress bar on stderr while the body runs; nothing when it is no terminal.

    Where progress is told in bytes, with the throughput.
    """
    if not sys.stderr.isatty():
        yield None
        return
    # Imported here: most runs have no terminal, and this costs as much as all else at the start.
    from rich import progress  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        *([progress.TransferSpeedColumn()] if in_bytes else []),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(printable(label), total=None)

        def update(n_done: int, n_frames: int, step: str = "") -> None:
            said = f"{label}, {step}" if step else label
            bar.update(task, completed=n_done, total=n_frames, description=printable(said))

        yield update
