"""What is done with one record or file of an archive, wherever a scheduler has it done."""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Protocol

from sancodec.batch.manifest import Entry, InputFile
from sancodec.batch.trees import FileState, Tree, digest_of
from sancodec.errors import OutputError, RecordError, SancodecError

_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a job.

    Attributes
    ----------
    entry : Entry
        For the manifest.
    n_bytes : int
        Bytes that were read for it, or would have been.
    error : str
        Why it failed; empty where it did not.
    is_full : bool
        Whether it failed because nothing more can be written to the target.
    skipped : bool
        Whether all was there already.
    """

    entry: Entry
    n_bytes: int
    error: str = ""
    is_full: bool = False
    skipped: bool = False


@dataclass(frozen=True, kw_only=True)
class Job(ABC):
    """Something to do, in any process that sees source and target.

    Attributes
    ----------
    source, target : str
        Paths or URLs of the archives.
    n_bytes : int
        Bytes that will be read.
    """

    source: str
    target: str
    n_bytes: int

    @property
    @abstractmethod
    def entry(self) -> Entry:
        """The entry of it, before anything is done."""

    @abstractmethod
    def do(self) -> Outcome:
        """Do it; failures that are foreseen are raised."""

    def run(self) -> Outcome:
        """Do it, and give what came of it, also where it failed."""
        try:
            return self.do()
        except (SancodecError, OSError, MemoryError) as error:
            return replace(self.failed(_say(error)), is_full=_is_full(error))

    def failed(self, error: str) -> Outcome:
        """Give the outcome of a failure."""
        return Outcome(entry=self.entry.failed(error), n_bytes=self.n_bytes, error=error)


class Scheduler(Protocol):
    """Has jobs done, by whatever number of workers."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Give what came of each job, in any order; jobs are taken as workers become free.

        A job whose worker dies is done once more, and has failed when that one dies as well.
        """

    def close(self) -> None:
        """End all workers."""


class Inputs:
    """The files that a job reads, and whether they still are what they were.

    Use as a context, which gives the folder where they are on this machine.

    Parameters
    ----------
    tree : Tree
    names : sequence of str

    Attributes
    ----------
    files : tuple of InputFile
        As they were before anything was read; within the context.

    Raises
    ------
    RecordError
        On entry: one of them is not there.
    """

    files: tuple[InputFile, ...]

    def __init__(self, tree: Tree, names: Sequence[str]) -> None:
        self._tree = tree
        self._names = names
        self._stack = ExitStack()

    def __enter__(self) -> Path:
        # What changes while it is fetched has another state afterwards.
        states = [self._state(name) for name in self._names]
        folder = self._stack.enter_context(self._tree.local(self._names))
        self._paths = {name: folder / PurePosixPath(name).name for name in self._names}
        self.files = tuple(map(self._seen, self._names, states))
        return folder

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def check(self) -> None:
        """Compare with what is there now.

        Raises
        ------
        RecordError
            A file changed.
        """
        for before in self.files:
            if before != self._seen(before.name, self._state(before.name)):
                raise RecordError(
                    f"{before.name}: changed while it was read; nothing of it was kept, run again "
                    "when it is complete"
                )

    def _state(self, name: str) -> FileState:
        state = self._tree.state(name)
        if state is None:
            raise RecordError(f"{name}: not found, or no file")
        return state

    def _seen(self, name: str, state: FileState) -> InputFile:
        return InputFile(name, state.n_bytes, state.stamp, digest_of(self._paths[name]))


def refuse_other(tree: Tree, name: str, sha256: str, *, overwrite: bool) -> None:
    """Refuse to overwrite a file that has another content.

    Raises
    ------
    OutputError
        It has, and ``overwrite`` is not set.
    """
    if overwrite:
        return
    found = tree.state(name)
    if found is not None and tree.digest(name) != sha256:
        raise OutputError(
            f"{name}: exists already in {tree.root}, with another content, and is in no manifest; "
            "use --force to overwrite it"
        )


def has_content(tree: Tree, name: str, file: InputFile) -> bool:
    """Tell whether a file of a tree has the content of one that was read."""
    found = tree.state(name)
    return found is not None and found.n_bytes == file.n_bytes and tree.digest(name) == file.sha256


def is_same(file: InputFile, state: FileState | None, digest: Callable[[], str]) -> bool:
    """Tell whether a file is the one that was read: by its stamp, or else by its digest."""
    if state is None or state.n_bytes != file.n_bytes:
        return False
    return state.stamp == file.stamp or digest() == file.sha256


def _say(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return f"not enough memory ({error})" if str(error) else "not enough memory"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _is_full(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__ or error.__context__
    return False
