"""Beats of an ECG from the activations of its .san file alone: nothing is decoded for them.

Activations stand where they save bits. Most are beats; some are T waves, noise that resembles a
kernel, or a beat that two kernels share or that two chunks both reach into. What tells them apart
is how steep each one is where its kernel is steepest, and how close it is to a steeper one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sancodec.activation_table import ActivationTable, Kernel
from sancodec.errors import ConfigError
from sancodec.record_file import RecordFile
from sancodec.signal_types import UNKNOWN, identify

# The four below were chosen on one half of the MIT-BIH records: see benchmarks/beats.md.
_LEAST = 0.15
"""Of the median steepness of its neighbours, what a beat has at least."""
_REFRACTORY_SECONDS = 0.25
"""Of two beats so close one is none."""
_T_WAVE_SECONDS, _T_WAVE = 0.45, 0.4
"""So soon after or before a beat, what is less than this part as steep is none."""
_N_NEIGHBOURS = 8

# A QRS complex, smoothed over, is one place.
_QRS_SECONDS = 0.1
_PEAK_SECONDS = 0.05
"""How far from where it is steepest the largest deflection of a QRS complex may be."""
_NEAR = 3


@dataclass(frozen=True, kw_only=True)
class Beats:
    """Beats of a record, in order of time.

    Attributes
    ----------
    frame : (n_beats,) int64
        The largest deflection of each QRS complex as its kernel has it, in frames of the record.
    activation : (n_beats,) int64
        The activation that each is, by its number in ``record.activations``.
    kernel : (n_beats,) int64
        Its class.
    """

    frame: NDArray[np.int64]
    activation: NDArray[np.int64]
    kernel: NDArray[np.int64]


def beats_of(file: RecordFile) -> Beats:
    """Give the beats that a file knows without decoding its samples.

    Raises
    ------
    ConfigError
        The file has no SAN layer of an ECG.
    CorruptError
        A chunk is damaged.
    """
    wanted = _ecg_kernels(file)
    table, kernels = file.activations, file.kernels
    place = table.position.copy()
    strength = np.zeros(len(table))
    for number in wanted:
        own = table.kernel == number
        if own.any():
            offset, strength[own] = _steepness(kernels[number], table.amplitude[own])
            place[own] += offset * table.fs
    chosen = _choose(place / table.fs, strength)
    order = chosen[np.argsort(place[chosen], kind="stable")]
    frame = np.clip(np.rint(place[order]), 0, max(file.n_frames - 1, 0)).astype(np.int64)
    return Beats(frame=frame, activation=order, kernel=table.kernel[order])


def table_of(beats: Beats, table: ActivationTable) -> ActivationTable:
    """Give the activations that are beats, each where its QRS complex is largest."""
    return ActivationTable(
        fs=table.fs,
        channels=table.channels,
        position=beats.frame.astype(np.float64),
        kernel=beats.kernel,
        amplitude=table.amplitude[beats.activation],
    )


def _ecg_kernels(file: RecordFile) -> list[int]:
    """Give the numbers of the kernels of ECG leads; where nothing says what leads are, of all."""
    if not file.kernels:
        raise ConfigError(
            f"{file.name}: has no SAN layer, and knows of no beats: it did not pay, or was not "
            "wanted; find those of the decoded samples, as wfdb's xqrs does"
        )
    kinds = [
        identify(channel, file.fs * channel.samples_per_frame).kind for channel in file.channels
    ]
    for accepted in ("ecg", UNKNOWN):
        found = [
            number
            for number, kernel in enumerate(file.kernels)
            if any(kinds[channel] == accepted for channel in kernel.channels)
        ]
        if found:
            return found
    raise ConfigError(f"{file.name}: no channel with a SAN layer is an ECG by its name and units")


def _steepness(kernel: Kernel, amplitude: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Give where the QRS complex of a kernel is, in seconds, and how steep activations are there.

    It is where the kernel is steepest, its largest deflection near by its place.

    Parameters
    ----------
    amplitude : (n, n_channels) float64
        Of its activations.
    """
    own = amplitude[:, kernel.channels]
    size = np.sqrt(np.square(own).mean(axis=0))
    # Activations of no amplitude mark beats for the predictor, where they are all of a kernel's.
    size = size if size.any() else np.ones_like(size)
    slope = np.diff(kernel.shape, axis=1, prepend=kernel.shape[:, :1])
    taps = np.hanning(max(round(_QRS_SECONDS * kernel.fs), 1) + 2)[1:-1]
    energy = np.stack([_smooth(lead, taps) for lead in np.square(slope)])
    weight = np.square(size)[:, None]
    at = int((weight * energy).sum(axis=0).argmax())
    steep = np.sqrt((np.square(own) * energy[:, at]).sum(axis=1))
    reach = round(_PEAK_SECONDS * kernel.fs)
    first = max(at - reach, 0)
    around = np.square(kernel.shape[:, first : at + reach + 1])
    peak = first + int((weight * around).sum(axis=0).argmax())
    return (peak - kernel.centre) / kernel.fs, steep * kernel.fs


def _smooth(signal: NDArray[np.float64], taps: NDArray[np.float64]) -> NDArray[np.float64]:
    before = (len(taps) - 1) // 2
    return np.convolve(signal, taps)[before : before + signal.size]


def _choose(seconds: NDArray[np.float64], strength: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the numbers of the activations that are beats; their order is that of time."""
    order = np.argsort(seconds, kind="stable")
    order = order[strength[order] > 0.0]
    order = order[strength[order] >= _LEAST * _local_median(strength[order])]
    at, size = seconds[order], strength[order]
    alive = np.ones(len(order), bool)
    for i in np.argsort(-size, kind="stable"):
        if alive[i]:
            for j in range(max(i - _NEAR, 0), min(i + _NEAR + 1, len(order))):
                apart = abs(at[j] - at[i])
                weak = apart < _T_WAVE_SECONDS and size[j] < _T_WAVE * size[i]
                if j != i and (apart < _REFRACTORY_SECONDS or weak):
                    alive[j] = False
    return np.asarray(order[alive], np.int64)


def _local_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the median of each value and its neighbours, of fewer at the ends."""
    padded = np.pad(values, _N_NEIGHBOURS, constant_values=np.nan)
    if not values.size:
        return values
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _N_NEIGHBOURS + 1)
    return np.asarray(np.nanmedian(windows, axis=1))
