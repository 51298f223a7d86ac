"""Columns of numbers in text files, on their own or in a zip archive.

A file has one row of numbers a sample, between commas, semicolons, tabs or blanks. A first row
that holds no number names the columns.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import RecordError

SUFFIXES = (".csv", ".tsv", ".txt")
_MAX_BYTES = 1 << 28
_SEPARATORS = (";", "\t", ",")


@dataclass(frozen=True, kw_only=True)
class TextColumns:
    """The columns of a text file.

    Attributes
    ----------
    name : str
        Name of the file without its suffix, after that of its archive: ``Z/Z001``.
    names : tuple of str
        Names of the columns; empty where the file has none.
    columns : (n_columns, n_rows) float64
    """

    name: str
    names: tuple[str, ...]
    columns: NDArray[np.float64]


def is_text(path: Path) -> bool:
    """Tell whether a path names a text file, or one within a zip archive, by its suffix."""
    return path.suffix.lower() in SUFFIXES


def members_of(archive: Path) -> list[Path]:
    """Give the text files of a zip archive, in order, as paths that begin with the archive's.

    Raises
    ------
    RecordError
        The archive cannot be read, or has none.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            names = sorted(name for name in opened.namelist() if is_text(Path(name)))
    except (OSError, zipfile.BadZipFile) as error:
        raise RecordError(f"{archive}: cannot be read as a zip archive ({error})") from error
    if not names:
        raise RecordError(f"{archive}: no text file ({', '.join(SUFFIXES)}) in this archive")
    return [archive / name for name in names]


def read_text(path: Path) -> TextColumns:
    """Give the columns of a text file, or of one in an archive: ``Z.zip/Z001.txt``.

    Raises
    ------
    RecordError
        The file cannot be read, is larger than 256 MiB, or has rows that are no numbers.
    """
    archive = next((parent for parent in path.parents if parent.suffix.lower() == ".zip"), None)
    content = _read_member(archive, path) if archive else _read_file(path)
    name = f"{archive.stem}/{path.stem}" if archive else path.stem
    # Units in a header may hold signs of any old encoding; numbers are the same in all of them.
    lines = [line for line in content.decode("latin-1").splitlines() if line.strip()]
    if not lines:
        raise RecordError(f"{path}: empty")
    separator = next((s for s in _SEPARATORS if s in lines[0]), None)
    # The byte order mark of UTF-8, as these three letters.
    fields = [field.strip(" \"'") for field in lines[0].removeprefix("ï»¿").split(separator)]
    has_names = not any(_is_number(field) for field in fields)
    try:
        rows = np.loadtxt(
            lines[1:] if has_names else lines, np.float64, delimiter=separator, ndmin=2
        )
    except ValueError as error:
        raise RecordError(f"{path}: not a table of numbers ({error})") from error
    if has_names and len(fields) != rows.shape[1]:
        raise RecordError(f"{path}: {len(fields)} names for {rows.shape[1]} columns")
    return TextColumns(name=name, names=tuple(fields) if has_names else (), columns=rows.T)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from error
    return _bounded(content, path)


def _read_member(archive: Path, path: Path) -> bytes:
    try:
        with (
            zipfile.ZipFile(archive) as opened,
            opened.open(path.relative_to(archive).as_posix()) as file,
        ):
            content = file.read(_MAX_BYTES + 1)
    except KeyError as error:
        raise RecordError(f"{path}: not in this archive") from error
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        # RuntimeError: the member is encrypted.
        raise RecordError(f"{path}: cannot be read from its archive ({error})") from error
    return _bounded(content, path)


def _bounded(content: bytes, path: Path) -> bytes:
    if len(content) > _MAX_BYTES:
        raise RecordError(f"{path}: larger than {_MAX_BYTES >> 20} MiB; split it")
    return content
