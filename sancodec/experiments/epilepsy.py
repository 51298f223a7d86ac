"""The UCI "Epileptic Seizure Recognition" table: 11,500 EEG segments of 178 samples, in classes.

The table was cut from the 500 Bonn recordings, 23 segments from each. UCI's file has its rows
shuffled, and its identifiers name the recording (``X21.V1.791``: segment 21 of recording V1.791);
a table rebuilt from the recordings has them in order (``Z001.01``). The paper splits UCI's rows
in their order, so that segments of one recording fall into training and test alike.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import ConfigError, RecordError
from sancodec.experiments.dataset import Dataset, Part

NAME = "uci-epilepsy"
N_ROWS, N_SAMPLES = 11_500, 178
FRACTIONS = (0.76, 0.12, 0.12)
"""Training, validation, test: 8,740, 1,380 and 1,380 rows, or 380, 60 and 60 recordings."""

_SPLIT_SEED = 2001
_UCI_ID = re.compile(r"X\d+\.(V\d+(?:\.\d+)?)", re.ASCII)
_REBUILT_ID = re.compile(r"([A-Z]\d{3})\.\d{2}", re.ASCII)
_FILES = ("data.csv", "data.csv.gz")
# Class y of the table to class of the paper: epilepsy 1; tumour 2 and 3; eyes 4 and 5.
_MERGED = np.array([-1, 0, 1, 1, 2, 2], np.int64)

_BY_RECORDING = (
    "split by recording: 380, 60 and 60 of the 500 recordings, balanced over the five classes; the "
    "paper splits rows in UCI's shuffled order, where test segments have neighbours of the same "
    "recording in training, so accuracies here are of unseen recordings and not the paper's"
)
_IN_ORDER = "split in the order of UCI's rows, as in the paper"


@dataclass(frozen=True, kw_only=True)
class EpilepsyChoice:
    """How the table becomes a data set.

    Attributes
    ----------
    scaling : str
        ``"unit"``: [0, 1] by the least and the greatest value of the table (the paper's text);
        ``"symmetric"``: [-1, 1] by the same (the released code).
    split : str
        ``"auto"``: ``"order"`` where the rows are in UCI's order, else ``"recording"``.
    """

    scaling: str = "unit"
    split: str = "auto"

    def __post_init__(self) -> None:
        if self.scaling not in ("unit", "symmetric"):
            raise ConfigError(f"scaling: {self.scaling!r}, expected unit or symmetric")
        if self.split not in ("auto", "order", "recording"):
            raise ConfigError(f"split: {self.split!r}, expected auto, order or recording")


@dataclass(frozen=True, kw_only=True)
class Table:
    """The table as it stands in the file.

    Attributes
    ----------
    names : tuple of str
        Identifier of each row.
    values : (n_rows, 178) int64
        In ADC units of the recordings.
    classes : (n_rows,) int64
        Column y, 1 to 5.
    """

    names: tuple[str, ...]
    values: NDArray[np.int64]
    classes: NDArray[np.int64]

    @property
    def in_uci_order(self) -> bool:
        """Whether the identifiers are UCI's."""
        return all(_UCI_ID.fullmatch(name) for name in self.names)

    def recordings(self) -> list[str]:
        """Give the recording of each row; RecordError where an identifier does not tell it."""
        return [_recording(name) for name in self.names]

    def content_digest(self) -> str:
        """Give the SHA-256 of the rows in sorted order: the same whatever their order and names."""
        rows = np.column_stack([self.values, self.classes])
        ordered = rows[np.lexsort(rows.T[::-1])]
        return hashlib.sha256(np.ascontiguousarray(ordered, "<i4").data).hexdigest()


def read_epilepsy(folder: Path, choice: EpilepsyChoice) -> Dataset:
    """Read, scale and split the table.

    Parameters
    ----------
    folder : Path
        Holds ``uci-epilepsy/data.csv`` or ``uci-epilepsy/data.csv.gz``.

    Raises
    ------
    RecordError
        The table is not there or not whole, or its rows cannot be split as wanted.
    """
    return make_dataset(read_table(find_table(folder)), choice)


def find_table(folder: Path) -> Path:
    """Give the file of the table; RecordError when there is none."""
    for name in _FILES:
        if (folder / NAME / name).is_file():
            return folder / NAME / name
    raise RecordError(f"{NAME}: not there; expected {folder / NAME / _FILES[0]}, or the same .gz")


def read_table(path: Path) -> Table:
    """Read the table from a CSV file, packed by gzip or not.

    Raises
    ------
    RecordError
        The file is damaged, or a row is not an identifier, 178 integers and a class of 1 to 5.
    """
    names: list[str] = []
    rows: list[list[int]] = []
    with _opened(path) as file:
        lines = csv.reader(file)
        _check_titles(next(lines, []), path)
        for line in lines:
            if line:
                names.append(line[0])
                rows.append(_integers(line, f"{path}, line {lines.line_num}"))
    if len(rows) != N_ROWS:
        raise RecordError(f"{path}: {len(rows):,} rows, expected {N_ROWS:,}")
    table = np.asarray(rows, np.int64)
    return Table(names=tuple(names), values=table[:, :-1], classes=table[:, -1])


def make_dataset(table: Table, choice: EpilepsyChoice) -> Dataset:
    """Scale and split a table, and merge its five classes into three.

    Raises
    ------
    RecordError
        The rows are to be split in UCI's order and are not in it, or are to be split by recording
        and do not tell theirs.
    """
    in_order = choice.split == "order" or (choice.split == "auto" and table.in_uci_order)
    if in_order and not table.in_uci_order:
        raise RecordError(
            f"{NAME}: rows {table.names[0]}, ... are not in UCI's order; split by recording"
        )
    split = _split_in_order(table) if in_order else _split_by_recording(table)
    signals = _scaled(table.values, choice.scaling)
    training, validation, test = (
        Part(signals=signals[rows], labels=_MERGED[table.classes[rows]]) for rows in split
    )
    return Dataset(
        name=NAME,
        training=training,
        validation=validation,
        test=test,
        notes=(_IN_ORDER if in_order else _BY_RECORDING,),
    )


def _scaled(values: NDArray[np.int64], scaling: str) -> NDArray[np.float32]:
    low, high = int(values.min()), int(values.max())
    if low == high:
        raise RecordError(f"{NAME}: every value is {low}; there is no range to scale by")
    unit = (values - low) / (high - low)
    return (unit if scaling == "unit" else 2 * unit - 1).astype(np.float32)


def _split_in_order(table: Table) -> list[NDArray[np.int64]]:
    n_training = round(len(table.names) * FRACTIONS[0])
    n_validation = round(len(table.names) * FRACTIONS[1])
    return np.split(np.arange(len(table.names)), [n_training, n_training + n_validation])


def _split_by_recording(table: Table) -> list[NDArray[np.int64]]:
    """Give the rows of each part; every class gives the same share of its recordings to each."""
    recordings = np.asarray(table.recordings())
    generator = np.random.default_rng(_SPLIT_SEED)
    parts: list[list[str]] = [[], [], []]
    for kind in np.unique(table.classes):
        own = np.unique(recordings[table.classes == kind])
        own = own[generator.permutation(own.size)]
        n_training, n_validation = (round(own.size * share) for share in FRACTIONS[:2])
        parts[0] += own[:n_training].tolist()
        parts[1] += own[n_training : n_training + n_validation].tolist()
        parts[2] += own[n_training + n_validation :].tolist()
    return [np.flatnonzero(np.isin(recordings, part)) for part in parts]


def _recording(name: str) -> str:
    found = _UCI_ID.fullmatch(name) or _REBUILT_ID.fullmatch(name)
    if found is None:
        raise RecordError(
            f"{NAME}: row {name[:40]!r} does not name its recording; expected X21.V1.791 or Z001.01"
        )
    return found[1]


def _check_titles(titles: list[str], path: Path) -> None:
    wanted = [*(f"X{i + 1}" for i in range(N_SAMPLES)), "y"]
    if [title.strip() for title in titles[1:]] != wanted:
        raise RecordError(f"{path}: expected the columns X1 to X{N_SAMPLES} and y after the first")


def _integers(line: list[str], where: str) -> list[int]:
    if len(line) != N_SAMPLES + 2:
        raise RecordError(f"{where}: {len(line)} fields, expected {N_SAMPLES + 2}")
    try:
        numbers = [int(field) for field in line[1:]]
    except ValueError as error:
        raise RecordError(f"{where}: {error}; every value must be an integer") from error
    if not 1 <= numbers[-1] <= 5:
        raise RecordError(f"{where}: class {numbers[-1]}, expected 1 to 5")
    if max(map(abs, numbers)) >= 1 << 15:
        raise RecordError(f"{where}: a value beyond 16 bits")
    return numbers


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    open_text = gzip.open if path.suffix == ".gz" else open
    try:
        # Lines as they are: csv tells them apart itself.
        with open_text(path, "rt", encoding="utf-8", newline="") as text:
            yield cast(TextIO, text)
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError, csv.Error) as error:
        raise RecordError(f"{path}: damaged ({error})") from error
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from error
