"""The options of both verbs of ``sancodec batch``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_BATCH = (
    click.option(
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="Processes, each of which works on a record; the files are the same.  "
        "[default: one a processor]",
    ),
    click.option(
        "--scheduler",
        default="local",
        show_default=True,
        metavar="local|ADDRESS",
        help="Who does the work: processes of this machine, or the workers of the Dask scheduler "
        "at this address (tcp://host:8786), which have to see SRC and DST under the same names.",
    ),
    click.option(
        "--include",
        multiple=True,
        metavar="GLOB",
        help="Only files whose name or path below SRC fits; those of a record go with its header. "
        "May be given several times.",
    ),
    click.option(
        "--exclude",
        multiple=True,
        metavar="GLOB",
        help="No files whose name or path below SRC fits; may be given several times.",
    ),
    click.option(
        "--others/--no-others",
        default=True,
        show_default=True,
        help="Carry along the files that belong to no record.",
    ),
    click.option(
        "--force",
        is_flag=True,
        help="Overwrite files in DST that have another content and were not written by a batch.",
    ),
    click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
    click.option("--json", "as_json", is_flag=True, help="Print one line of JSON."),
)


def batch_options(command: Command) -> Command:
    """Give a command the options that are about archives."""
    for option in reversed(_BATCH):
        command = option(command)
    return command
