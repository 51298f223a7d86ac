"""What windows are cut from: chosen channels of a WFDB record, or columns of a text file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import ConfigError, RecordError
from sancodec.formats.text import TextColumns, is_text, members_of, read_text
from sancodec.formats.wfdb import WfdbRecord

# Columns that count or date the rows.
_CLOCKS = ("time", "sample", "index", "elapsed")


@dataclass(frozen=True, kw_only=True)
class InputConfig:
    """Which signals of a record are read, and what of them is believed.

    Attributes
    ----------
    channels : tuple of str
        Names of the channels or columns; those of them that a record has are read. None: all.
    text_fs : float, optional
        Sampling frequency of text files, in Hz: they do not say it themselves.
    valid_range : (float, float), optional
        Lowest and highest value that can be right, in physical units.
    """

    channels: tuple[str, ...] = ()
    text_fs: float | None = None
    valid_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if any(not name.strip() for name in self.channels):
            raise ConfigError("channels: a name is empty")
        if self.text_fs is not None and not (np.isfinite(self.text_fs) and self.text_fs > 0):
            raise ConfigError(f"CSV frequency: {self.text_fs} Hz, expected above 0")
        if self.valid_range is not None and not self.valid_range[0] < self.valid_range[1]:
            low, high = self.valid_range
            raise ConfigError(f"range: {low:g} to {high:g}, expected the lower end first")


class SignalSource(Protocol):
    """Leads of one sampling frequency, read span by span."""

    @property
    def name(self) -> str:
        """Name of the record."""

    @property
    def fs(self) -> float:
        """Sampling frequency, in Hz."""

    @property
    def n_samples(self) -> int:
        """Samples of each lead."""

    def read(self, start: int, stop: int) -> NDArray[np.float64]:
        """Give (n_leads, stop - start) samples; NaN where the signal is not valid."""


def find_records(sources: Sequence[Path]) -> list[Path]:
    """Give the records that are named.

    Each is taken as it is; a folder stands for all WFDB headers below it, and a zip archive for
    all text files in it.

    Raises
    ------
    RecordError
        A folder has no header, or an archive no text file.
    """
    found: list[Path] = []
    for source in sources:
        if source.is_dir():
            headers = sorted(source.rglob("*.hea"))
            if not headers:
                raise RecordError(f"{source}: no record (*.hea) in this folder or below it")
            found += headers
        elif source.suffix.lower() == ".zip":
            found += members_of(source)
        else:
            found.append(source)
    return found


def open_source(path: Path, config: InputConfig) -> SignalSource:
    """Open a WFDB record or a text file.

    Raises
    ------
    RecordError
        It cannot be read, has none of the channels, or mixes sampling frequencies.
    ConfigError
        A text file is named, and no sampling frequency for it.
    """
    if is_text(path):
        return _TextSource(read_text(path), config, path)
    return _WfdbSource(WfdbRecord.open(path), config)


class _WfdbSource:
    """Channels of a record that share a sampling frequency, in ADC units."""

    def __init__(self, record: WfdbRecord, config: InputConfig) -> None:
        self.name = record.name
        self._record = record
        names = [channel.name for channel in record.channels]
        self._numbers = _choose(names, config.channels, record.name)
        rates = {record.channels[i].samples_per_frame for i in self._numbers}
        if len(rates) > 1:
            raise RecordError(
                f"{record.name}: channels of several sampling frequencies; name some of one with "
                f"--channels ({', '.join(name.strip() for name in names)})"
            )
        (self._samples_per_frame,) = rates
        self.fs = record.fs * self._samples_per_frame
        self.n_samples = record.n_frames * self._samples_per_frame
        self._valid_range = config.valid_range

    def read(self, start: int, stop: int) -> NDArray[np.float64]:
        """Give the samples, NaN where they are beyond the valid range."""
        spf = self._samples_per_frame
        first = start // spf
        span = self._record.read(first, -(-stop // spf))
        inside = slice(start - first * spf, stop - first * spf)
        leads = []
        for number in self._numbers:
            channel = span.channels[number]
            lead = span.signals[number][inside].astype(np.float64)
            if self._valid_range is not None:
                physical = (lead - channel.baseline) / channel.adc_gain
                lead[_invalid(physical, self._valid_range)] = np.nan
            leads.append(lead)
        return np.stack(leads)


class _TextSource:
    """Columns of a text file, as its numbers are."""

    def __init__(self, text: TextColumns, config: InputConfig, path: Path) -> None:
        if config.text_fs is None:
            raise ConfigError(f"{path}: a text file does not say its frequency; give --csv-fs")
        self.name = text.name
        self.fs = config.text_fs
        self._columns = text.columns[_choose_columns(text, config.channels)]
        self.n_samples = self._columns.shape[1]
        self._valid_range = config.valid_range

    def read(self, start: int, stop: int) -> NDArray[np.float64]:
        """Give the samples, NaN where they are beyond the valid range."""
        leads = self._columns[:, start:stop].copy()
        if self._valid_range is not None:
            leads[_invalid(leads, self._valid_range)] = np.nan
        return leads


def _choose_columns(text: TextColumns, wanted: tuple[str, ...]) -> list[int]:
    if wanted:
        return _choose(text.names, wanted, text.name)
    n_columns = len(text.columns)
    signals = [i for i in range(n_columns) if not _is_clock(text.names[i] if text.names else "")]
    return signals or list(range(n_columns))


def _is_clock(name: str) -> bool:
    return name.lower().strip("\"' ").startswith(_CLOCKS)


def _choose(names: Sequence[str], wanted: tuple[str, ...], record: str) -> list[int]:
    """Give the numbers of the channels that are wanted, in the order of the record."""
    if not wanted:
        return list(range(len(names)))
    found = [i for i, name in enumerate(names) if name.strip() in wanted]
    if not found:
        listed = ", ".join(name.strip() for name in names) or "columns without names"
        raise RecordError(f"{record}: none of {', '.join(wanted)}; it has {listed}")
    return found


def _invalid(values: NDArray[np.float64], valid_range: tuple[float, float]) -> NDArray[np.bool_]:
    low, high = valid_range
    return (values < low) | (values > high)
