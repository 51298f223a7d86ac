"""Files of one kind that a record can be written as, whatever it came from."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from sancodec.errors import ConfigError
from sancodec.formats.arrays import write_npy
from sancodec.formats.csv_files import write_csv
from sancodec.formats.edf_writing import write_edf
from sancodec.formats.originals import IN_BLOCKS, Originals
from sancodec.formats.output import find_name_problem, pending
from sancodec.recording import RecordSpans

_WRITERS: dict[str, Callable[[BinaryIO, RecordSpans], None]] = {
    "npy": write_npy,
    "csv": write_csv,
    "edf": write_edf,
}
EXPORTS = tuple(_WRITERS)
ORIGINAL, WFDB = "original", "wfdb"
FORMATS = (ORIGINAL, WFDB, *EXPORTS)


def are_of(originals: Originals, fmt: str) -> bool:
    """Tell whether the original files of a record are what a format asks for."""
    in_blocks = any(file.format == IN_BLOCKS for file in originals.files)
    return fmt == ORIGINAL or (fmt == WFDB and not in_blocks) or (fmt == "edf" and in_blocks)


def folder_of(target: Path | BinaryIO) -> Path:
    """Give the folder that files go to.

    Raises
    ------
    ConfigError
        It is a stream, which takes one file.
    """
    if not isinstance(target, Path):
        raise ConfigError(f"a stream takes one file: choose a format of {', '.join(EXPORTS)}")
    return target


def export(fmt: str, directory: Path | BinaryIO, record: RecordSpans, *, force: bool) -> list[Path]:
    """Write a file of the record's name into a folder, or into a stream, once all of it is there.

    Raises
    ------
    RecordError
        The samples do not fit the format.
    OutputError
        The file exists already and ``force`` is not set, or it cannot be written.
    """
    # A name in a file is no path.
    bad = find_name_problem(f"{record.name}.{fmt}")
    name = re.sub(r"\W", "_", record.name) if bad else record.name
    target = directory / f"{name}.{fmt}" if isinstance(directory, Path) else directory
    with pending(target, force) as stream:
        _WRITERS[fmt](stream, record)
    return [target] if isinstance(target, Path) else []
