"""Files of one kind that a record can be written as, whatever it came from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from sancodec.errors import ConfigError
from sancodec.formats.arrays import write_npy
from sancodec.formats.csv_files import write_csv
from sancodec.formats.edf_writing import write_edf
from sancodec.formats.originals import IN_BLOCKS, Originals
from sancodec.formats.output import pending
from sancodec.recording import Channel, Recording

EXPORTS = ("npy", "csv", "edf")
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


def export(
    fmt: str, directory: Path | BinaryIO, name: str, *content: Any, force: bool
) -> list[Path]:
    """Write a file of that name into a folder, or into a stream, once all of it is there.

    Parameters
    ----------
    *content
        As of ``write_export``.
    """
    target = directory / f"{name}.{fmt}" if isinstance(directory, Path) else directory
    with pending(target, force) as stream:
        write_export(fmt, stream, name, *content)
    return [target] if isinstance(target, Path) else []


def write_export(
    fmt: str,
    stream: BinaryIO,
    name: str,
    fs: float,
    channels: tuple[Channel, ...],
    n_frames: int,
    spans: Iterable[Recording],
) -> None:
    """Write samples in one of EXPORTS, span by span.

    Raises
    ------
    RecordError
        They do not fit the format.
    """
    if fmt == "csv":
        write_csv(stream, channels, spans, name)
    elif fmt == "edf":
        write_edf(stream, name, fs, channels, n_frames, spans)
    else:
        write_npy(stream, channels, n_frames, spans, name)
