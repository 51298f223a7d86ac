"""Beats of an ECG as wfdb finds and compares them, to tell what a loss does to a diagnosis."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import RecordError
from sancodec.recording import Channel

WINDOW_SECONDS = 0.15
"""Beats this far apart are the same one: that of the AAMI's EC57."""

# PhysioNet's labels of beats. Waves of a flutter (!) have one, too, and are none.
_LABELS = frozenset("NLRBAaJSVrFejnE/fQ?")
# A detector that filters from 5 to 20 Hz and learns from beats needs as much as this.
_LEAST_FS, _LEAST_SECONDS = 50.0, 5.0
_MILLIVOLTS = {"nV": 1e-6, "uV": 1e-3, "µV": 1e-3, "μV": 1e-3, "mV": 1.0, "V": 1e3}


@dataclass(frozen=True)
class Agreement:
    """How beats agree with those that they are compared with; counts, so that they add up.

    Attributes
    ----------
    n_matched, n_missed, n_extra : int
        Beats in both, only in those that are compared with, and only in those compared.
    """

    n_matched: int = 0
    n_missed: int = 0
    n_extra: int = 0

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.n_matched + other.n_matched,
            self.n_missed + other.n_missed,
            self.n_extra + other.n_extra,
        )

    @property
    def sensitivity(self) -> float | None:
        """Part of the beats compared with that were found; None without any."""
        n_beats = self.n_matched + self.n_missed
        return self.n_matched / n_beats if n_beats else None

    @property
    def positive_predictivity(self) -> float | None:
        """Part of the beats found that are among those compared with; None without any."""
        n_beats = self.n_matched + self.n_extra
        return self.n_matched / n_beats if n_beats else None


def find_beats(samples: NDArray[np.int32], channel: Channel, fs: float) -> NDArray[np.int64]:
    """Give the samples of the beats that wfdb's xqrs finds in one lead.

    Parameters
    ----------
    samples : (n_samples,) int32
        In ADC units, without missing ones.
    channel : Channel
    fs : float
        Sampling frequency of the lead, in Hz.

    Returns
    -------
    (n_beats,) int64

    Raises
    ------
    RecordError
        The lead is too short, or sampled too slowly, to find beats in.
    """
    if fs < _LEAST_FS or samples.size < _LEAST_SECONDS * fs:
        raise RecordError(
            f"{channel.name.strip()}: {samples.size} samples at {fs:g} Hz, and finding beats takes "
            f"{_LEAST_SECONDS:g} s at {_LEAST_FS:g} Hz"
        )
    # Imported here: wfdb brings pandas along, and only what compares beats waits for it.
    from wfdb import processing  # noqa: PLC0415

    scale = _MILLIVOLTS.get(channel.units.strip(), 1.0) / (channel.adc_gain or 1.0)
    signal = (samples.astype(np.float64) - channel.baseline) * scale
    with warnings.catch_warnings():
        # Of a lead without waves, which it divides by.
        warnings.simplefilter("ignore", RuntimeWarning)
        found = processing.xqrs_detect(sig=signal, fs=fs, verbose=False)
    return np.asarray(found, np.int64)


def compare_beats(reference: NDArray[np.int64], found: NDArray[np.int64], fs: float) -> Agreement:
    """Compare beats by wfdb's own rule; positions are samples of ``fs`` Hz, ascending."""
    if not (reference.size and found.size):
        return Agreement(0, reference.size, found.size)
    from wfdb import processing  # noqa: PLC0415

    # wfdb takes what is nearer than the window.
    window = round(WINDOW_SECONDS * fs) + 1
    compared = processing.compare_annotations(reference, found, window)
    return Agreement(int(compared.tp), int(compared.fn), int(compared.fp))


def reference_beats(
    record: Path, n_frames: int, extension: str = "atr"
) -> NDArray[np.int64] | None:
    """Give the frames of the beats that a record's annotations mark; None where it has none.

    Parameters
    ----------
    record : Path
        The header, or its path without an ending.
    n_frames : int
        Beats from there on are left out.

    Raises
    ------
    RecordError
        The annotations are damaged.
    """
    stem = record.with_suffix("") if record.suffix == ".hea" else record
    if not stem.with_name(f"{stem.name}.{extension}").is_file():
        return None
    import wfdb  # noqa: PLC0415

    try:
        annotation = wfdb.rdann(str(stem), extension)
    except (ValueError, IndexError, KeyError) as error:
        raise RecordError(f"{stem}.{extension}: not a file of annotations ({error})") from error
    return _beats_among(annotation.sample, annotation.symbol, n_frames)


def _beats_among(
    frames: NDArray[np.int64], symbols: Sequence[str], n_frames: int
) -> NDArray[np.int64] | None:
    """Give the frames that bear the label of a beat; None where none in the whole file does."""
    marked = np.array([symbol in _LABELS for symbol in symbols], bool)
    if not marked.any():
        return None
    beats: NDArray[np.int64] = np.asarray(frames, np.int64)[marked]
    return np.asarray(beats[(beats >= 0) & (beats < n_frames)])
