"""The fifteen PhysioNet data sets of table I: one signal of each, cut into twelve windows."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import ConfigError, RecordError
from sancodec.experiments.dataset import Dataset, Part
from sancodec.formats.wfdb import WfdbRecord

N_SAMPLES = 12_000
WINDOW = 1_000
N_TRAINING, N_VALIDATION, N_TEST = 6, 2, 4

# What WFDB writes where there is no sample, by storage format; format 8 has no such value.
_INVALID = {
    **dict.fromkeys((16, 61, 160, 516), -(1 << 15)),
    **dict.fromkeys((24, 524), -(1 << 23)),
    **dict.fromkeys((80, 508), -(1 << 7)),
    **dict.fromkeys((310, 311), -(1 << 9)),
    32: -(1 << 31),
    212: -(1 << 11),
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the signal of one row of table I comes from.

    Attributes
    ----------
    name : str
        The row, and the path of the database on PhysioNet.
    record : str or None
        The first record of the database; None: whichever its RECORDS file names first.
    signal : str or None
        Name of the record's first signal, where it is known.
    csv_file : str or None
        The same signal as a CSV file of the database, taken where there is no WFDB record.
    """

    name: str
    record: str | None
    signal: str | None = None
    csv_file: str | None = None


SOURCES = (
    Source(name="apnea-ecg", record="a01", signal="ECG"),
    Source(name="bidmc", record="bidmc01", signal="RESP", csv_file="bidmc_01_Signals.csv"),
    Source(name="bpssrat", record=None),
    Source(name="cebsdb", record="b001", signal="I"),
    Source(name="ctu-uhb-ctgdb", record="1001", signal="FHR"),
    Source(name="drivedb", record="drive01", signal="ECG"),
    Source(name="emgdb", record="emg_healthy", signal="EMG"),
    Source(name="mitdb", record="100", signal="MLII"),
    Source(name="noneeg", record="Subject1_AccTempEDA"),
    Source(name="prcp", record="12726"),
    Source(name="shhpsgdb", record="0000"),
    Source(name="slpdb", record="slp01a", signal="ECG"),
    Source(name="sufhsdb", record=None),
    Source(name="voiced", record="voice001", signal="voice"),
    Source(name="wrist", record="s1_high_resistance_bike", signal="chest_ecg"),
)
BY_NAME = {source.name: source for source in SOURCES}


@dataclass(frozen=True, kw_only=True)
class WindowChoice:
    """Which samples are taken, and how they are normalised.

    Attributes
    ----------
    record : str or None
        Another record than the first.
    start : int
        First sample; 0 in the paper.
    deviation : str
        ``"sample"`` divides by the root of the sum of squares over n - 1, ``"population"`` over n.
    """

    record: str | None = None
    start: int = 0
    deviation: str = "sample"

    def __post_init__(self) -> None:
        if self.start < 0:
            raise ConfigError(f"start: sample {self.start}, expected 0 or more")
        if self.deviation not in ("sample", "population"):
            raise ConfigError(f"deviation: {self.deviation!r}, expected sample or population")


def read_physionet(folder: Path, source: Source, choice: WindowChoice) -> Dataset:
    """Give the windows of one row of table I, each with mean 0 and standard deviation 1.

    Parameters
    ----------
    folder : Path
        Holds ``physionet/<database>/`` or ``<database>/``.

    Raises
    ------
    RecordError
        The record is not there, is too short, has NaN, or a window of it is constant.
    """
    record, signal = _read_signal(_database(folder, source), source, choice)
    windows = cut_windows(f"{source.name}, {record}", signal, choice)
    stops = np.cumsum((N_TRAINING, N_VALIDATION, N_TEST))
    training, validation, test = (
        Part(signals=part) for part in np.split(windows, stops[:-1].tolist())
    )
    notes = [f"record {record}"]
    if choice.record is not None and choice.record != source.record:
        notes.append("not the record that the paper used")
    if choice.start:
        notes.append(f"from sample {choice.start:,}")
    return Dataset(
        name=source.name, training=training, validation=validation, test=test, notes=tuple(notes)
    )


def cut_windows(
    name: str, signal: NDArray[np.float64], choice: WindowChoice
) -> NDArray[np.float32]:
    """Cut twelve windows of 1,000 samples and normalise each.

    Parameters
    ----------
    name : str
        Named in messages.
    signal : (n_samples,) float64
        The record from its beginning; NaN where there is no sample.

    Returns
    -------
    (12, 1000) float32

    Raises
    ------
    RecordError
        The signal is too short, has NaN, or a window is constant.
    """
    chosen = signal[choice.start : choice.start + N_SAMPLES]
    if chosen.size < N_SAMPLES:
        raise RecordError(
            f"{name}: too short, {chosen.size:,} samples from sample {choice.start:,} on, "
            f"expected {N_SAMPLES:,}"
        )
    n_missing = int(np.count_nonzero(~np.isfinite(chosen)))
    if n_missing:
        raise RecordError(f"{name}: NaN in {n_missing:,} of its first {N_SAMPLES:,} samples")
    windows = chosen.reshape(-1, WINDOW)
    windows = windows - windows.mean(axis=1, keepdims=True)
    deviation = windows.std(axis=1, keepdims=True, ddof=int(choice.deviation == "sample"))
    if not (deviation > 0).all():
        number = int(np.argmin(deviation > 0))
        raise RecordError(f"{name}: window {number + 1} of {len(windows)} is constant")
    normalised: NDArray[np.float32] = (windows / deviation).astype(np.float32)
    return normalised


def _database(folder: Path, source: Source) -> Path:
    for place in (folder / "physionet" / source.name, folder / source.name):
        if place.is_dir():
            return place
    raise RecordError(
        f"{source.name}: not there; the data folder has neither physionet/{source.name} nor "
        f"{source.name}"
    )


def _read_signal(
    database: Path, source: Source, choice: WindowChoice
) -> tuple[str, NDArray[np.float64]]:
    """Give the name of the record and its first signal, as far as it is needed."""
    record = choice.record or source.record or _first_record(database)
    n_samples = choice.start + N_SAMPLES
    if (database / f"{record}.hea").is_file():
        return record, _read_wfdb(database / f"{record}.hea", n_samples)
    table = None if source.csv_file is None else database / source.csv_file
    if table is not None and record == source.record and table.is_file():
        return table.stem, _read_csv(table, source.signal or "", n_samples)
    raise RecordError(
        f"{source.name}: record {record} is not there, no {record}.hea among its files"
    )


def _first_record(database: Path) -> str:
    listed = database / "RECORDS"
    if listed.is_file():
        names = listed.read_text(encoding="utf-8", errors="replace").split()
        if names and (database / f"{names[0]}.hea").is_file():
            return names[0]
    headers = sorted(database.rglob("*.hea"))
    if not headers:
        raise RecordError(f"{database.name}: not there; its folder has no record (*.hea)")
    return headers[0].relative_to(database).with_suffix("").as_posix()


def _read_wfdb(header: Path, n_samples: int) -> NDArray[np.float64]:
    """Give the first signal, one value for each frame, as wfdb's rdrecord does by default.

    The gain does not matter, since windows are normalised, so these are ADC units.
    """
    record = WfdbRecord.open(header)
    n_frames = min(record.n_frames, n_samples)
    samples = record.read(0, n_frames).signals[0].astype(np.float64)
    invalid = _INVALID.get(record.files[1].format)
    if invalid is not None:
        samples[samples == invalid] = math.nan
    frames = samples.reshape(n_frames, record.channels[0].samples_per_frame)
    means: NDArray[np.float64] = frames.mean(axis=1)
    return means


def _read_csv(table: Path, column: str, n_samples: int) -> NDArray[np.float64]:
    values: list[float] = []
    with table.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, skipinitialspace=True)
        titles = [title.strip() for title in next(rows, [])]
        if column not in titles:
            raise RecordError(f"{table}: no column {column!r} in its first line")
        place = titles.index(column)
        for row in rows:
            if len(values) == n_samples:
                break
            values.append(_number(row, place, f"{table}, line {rows.line_num}"))
    return np.asarray(values, np.float64)


def _number(row: list[str], place: int, where: str) -> float:
    field = row[place].strip() if place < len(row) else ""
    try:
        return float(field) if field else math.nan
    except ValueError as error:
        raise RecordError(f"{where}: {field[:40]!r} is no number") from error
