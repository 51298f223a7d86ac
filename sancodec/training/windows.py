"""Windows to train on: records are read, resampled, freed of baseline wander and normalised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import resample_poly

from sancodec.errors import ConfigError, RecordError
from sancodec.training.sources import InputConfig, SignalSource, find_records, open_source

__all__ = [
    "InputConfig",
    "RecordWindows",
    "WindowConfig",
    "find_records",
    "normalise",
    "read_windows",
]

# Ten seconds of ECG stay below 20 standard deviations; what does not is a fault of the recording.
_LARGEST = 30.0
_MAX_SAMPLES = 1 << 20
# A window with more samples that are not valid is left out; fewer are bridged by straight lines.
_MOST_INVALID = 0.2


@dataclass(frozen=True, kw_only=True)
class WindowConfig:
    """How windows are cut, and of which signals; every time is in seconds."""

    fs: float = 360.0
    seconds: float = 10.0
    baseline_seconds: float = 1.0
    n_per_record: int = 60
    inputs: InputConfig = field(default_factory=InputConfig)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.fs) and self.fs > 0):
            raise ConfigError(f"fs: {self.fs} Hz, expected above 0")
        if not 0 < self.seconds * self.fs <= _MAX_SAMPLES:
            raise ConfigError(
                f"window: {self.seconds} s at {self.fs:g} Hz, expected 1 to {_MAX_SAMPLES} samples"
            )
        if not (np.isfinite(self.baseline_seconds) and self.baseline_seconds >= 0):
            raise ConfigError(f"baseline: {self.baseline_seconds} s, expected 0 or above")
        if self.n_per_record < 1:
            raise ConfigError(f"windows: {self.n_per_record}, expected at least 1")


@dataclass(frozen=True, kw_only=True)
class RecordWindows:
    """The windows of one record.

    Attributes
    ----------
    name : str
    windows : (n_windows, n_leads, n_samples) float32
        Each lead of each window with a standard deviation of 1.
    """

    name: str
    windows: NDArray[np.float32]


def read_windows(path: Path, config: WindowConfig) -> RecordWindows:
    """Give evenly spread windows of a record, at the sampling frequency of the model.

    Windows with a flat or faulty lead are left out.

    Raises
    ------
    RecordError
        The record cannot be read, mixes sampling frequencies, has none of the channels that are
        wanted, or has no usable window.
    ConfigError
        The record is a text file, and nothing says its sampling frequency.
    """
    record = open_source(path, config.inputs)
    windows = [window for window in _cut(record, config) if _usable(window)]
    if not windows:
        raise RecordError(
            f"{path}: no window of {config.seconds:g} s without a flat or faulty lead"
        )
    return RecordWindows(name=record.name, windows=np.stack(windows))


def normalise(
    samples: NDArray[np.float64], fs: float, baseline_seconds: float
) -> NDArray[np.float32]:
    """Give the leads without baseline wander, each divided by its standard deviation.

    The baseline is the running mean over ``baseline_seconds``, taken twice; with 0 it is the
    mean, as in the paper. A flat lead stays 0.

    Parameters
    ----------
    samples : (n_leads, n_samples) float64

    Returns
    -------
    (n_leads, n_samples) float32
    """
    width = min(round(baseline_seconds * fs), samples.shape[1])
    if width > 1:
        once = uniform_filter1d(samples, width, axis=1, mode="nearest")
        samples = samples - uniform_filter1d(once, width, axis=1, mode="nearest")
    samples = samples - samples.mean(axis=1, keepdims=True)
    deviation = samples.std(axis=1, keepdims=True)
    return (samples / np.where(deviation > 0, deviation, 1)).astype(np.float32)


def _cut(record: SignalSource, config: WindowConfig) -> Iterator[NDArray[np.float32]]:
    ratio = Fraction(config.fs / record.fs).limit_denominator(1000) if record.fs > 0 else 0
    if not ratio:
        raise RecordError(
            f"{record.name}: {record.fs:g} Hz cannot be resampled to {config.fs:g} Hz; "
            "leave it out, or give another --fs"
        )
    n_read = round(config.seconds * record.fs)
    n_windows = min(record.n_samples // max(n_read, 1), config.n_per_record)
    n_samples = round(config.seconds * config.fs)
    for start in np.linspace(0, record.n_samples - n_read, n_windows).astype(int):
        samples = record.read(int(start), int(start) + n_read)
        if not _bridge(samples):
            continue
        if ratio != 1:
            offset = samples[:, :1]
            samples = offset + resample_poly(
                samples - offset, ratio.numerator, ratio.denominator, axis=1
            )
            samples = np.pad(samples, ((0, 0), (0, 2)), mode="edge")[:, :n_samples]
        yield normalise(samples, config.fs, config.baseline_seconds)


def _bridge(samples: NDArray[np.float64]) -> bool:
    """Put straight lines where (n_leads, n_samples) samples are NaN; False where too many are."""
    invalid = np.isnan(samples)
    if invalid.mean(axis=1).max() > _MOST_INVALID:
        return False
    for lead, gaps in zip(samples, invalid, strict=True):
        if gaps.any():
            lead[gaps] = np.interp(np.nonzero(gaps)[0], np.nonzero(~gaps)[0], lead[~gaps])
    return True


def _usable(window: NDArray[np.float32]) -> bool:
    return bool((window.std(axis=1) > 0.5).all() and np.abs(window).max() < _LARGEST)
