"""Kernels fitted to one record: classes of beats found by competition, one after the other.

Each lead has a kernel of its own for each class: the mean of the class's beats. A class is added
where the beats that are explained worst gain the most, and kept when it pays for its kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sancodec.san.analysis import (
    BITS_PER_ACTIVATION,
    Found,
    compete,
    overlaps,
    select,
    similarities,
    spectra_of,
)
from sancodec.san.kernels import UNIT, KernelBank
from sancodec.san.whitening import Whitener

BEFORE_SECONDS = 96 / 360
AFTER_SECONDS = 160 / 360
MAX_KERNELS = 4
MIN_TAPS = 8
"""A window of fewer samples is no shape any more."""
FITTED_STEPS_BITS = 1
"""A fitted kernel has 2**FITTED_STEPS_BITS steps for one ADC unit, or fewer to fit int16."""
FITTED_NOMINAL_BITS = 3
"""A beat that equals its kernel has an amplitude of 2**FITTED_NOMINAL_BITS."""

_UNIT_BITS = UNIT.bit_length() - 1

_WINDOW_BEFORE, _WINDOW_AFTER = 0.2, 0.36
_ITERATIONS = 3
_CANDIDATES = 24
_CANDIDATE_DISTANCE_SECONDS = 0.28
_LAG_SECONDS = 0.06
_BITS_PER_TAP = 3.0
# Of the bits that a matched filter promises, what a predictor that adapts anyway still gains.
_DISCOUNT = 0.5
_MIN_BEATS = 4


@dataclass(frozen=True, kw_only=True)
class FittedBank:
    """Kernels of one record; a lead's amplitudes are in ``2 ** exponent`` ADC units."""

    bank: KernelBank
    exponent: int


class Window:
    """Spans cut around positions: ``before`` samples ahead of them, ``size`` in all."""

    def __init__(self, before: int, size: int) -> None:
        self.before = before
        self.size = size

    def cut(self, leads: NDArray[np.float64], position: NDArray[np.int64]) -> NDArray[np.float64]:
        """Cut (n_leads, n_positions, size) spans at quarter-sample positions (cubic)."""
        spans = self._cut_whole(leads, (position >> 2) - 1, self.size + 3)
        t = ((position & 3) / 4.0)[None, :, None]
        p0, p1, p2, p3 = spans[..., :-3], spans[..., 1:-2], spans[..., 2:-1], spans[..., 3:]
        curve = 2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)
        return p1 + 0.5 * t * (p2 - p0 + t * curve)

    def cut_at(self, leads: NDArray[np.float64], sample: NDArray[np.int64]) -> NDArray[np.float64]:
        """Cut (n_leads, n_positions, size) spans at whole samples."""
        return self._cut_whole(leads, sample, self.size)

    def _cut_whole(
        self, leads: NDArray[np.float64], sample: NDArray[np.int64], size: int
    ) -> NDArray[np.float64]:
        margin = 2 * size
        padded = np.pad(leads, ((0, 0), (margin, margin)))
        views = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)
        spans: NDArray[np.float64] = views[:, sample - self.before + margin]
        return spans


def fit_bank(
    samples: NDArray[np.int32], fs: float, whitener: Whitener, *, minutes_coded: float
) -> FittedBank | None:
    """Fit kernels to (n_leads, n_samples) samples; None where none would pay.

    Parameters
    ----------
    fs : float
        Sampling frequency, in Hz; of a signal that does not have the pace of an ECG, the
        frequency at which an ECG would have as many samples in a beat.
    minutes_coded : float
        Minutes of signal that the kernels will serve; their cost is spread over them.
    """
    window = Window(int(_WINDOW_BEFORE * fs), max(int((_WINDOW_BEFORE + _WINDOW_AFTER) * fs), 4))
    n_leads, n_samples = samples.shape
    if window.size < MIN_TAPS or n_samples < 4 * window.size:
        return None
    white = whitener.apply(samples)
    share = minutes_coded * 60.0 * fs / n_samples
    cost = n_leads * (BEFORE_SECONDS + AFTER_SECONDS) * fs * _BITS_PER_TAP / share
    search = _Search(samples, white, fs, window)
    found: Found | None = None
    for n_kernels in range(1, MAX_KERNELS + 1):
        wider = search.with_another_kernel()
        if wider is None:
            break
        gain = _gain(wider) - (_gain(found) if found else 0.0)
        if gain * _DISCOUNT < cost or len(wider.position) < _MIN_BEATS * n_kernels:
            break
        found = wider
    return None if found is None else _bank(samples, found, fs)


def _gain(found: Found) -> float:
    """Give the bits that activations save, less what they cost."""
    bits = found.strength**2 / (2.0 * np.log(2.0)) - BITS_PER_ACTIVATION
    return float(bits.sum())


class _Search:
    """The kernels so far, and the places where the next one may be found."""

    def __init__(
        self, samples: NDArray[np.int32], white: NDArray[np.float64], fs: float, window: Window
    ) -> None:
        self._white = white
        self._spectra = spectra_of(white, window.size)
        self._fs = fs
        self._window = window
        self._kernels = np.zeros((0, len(white), window.size))
        self._candidates = _loud_places(samples, white, fs)
        self._explained = np.zeros(len(self._candidates))

    def with_another_kernel(self) -> Found | None:
        """Add the candidate that explains most, let all compete and settle."""
        if len(self._candidates) == 0:
            return None
        seed = self._best_candidate()
        if seed is None:
            return None
        kernels = np.concatenate([self._kernels, seed[None]])
        for _ in range(_ITERATIONS):
            maps = similarities(self._spectra, kernels, self._window.before, signed=True)
            found = select(maps, overlaps(kernels), self._fs, BITS_PER_ACTIVATION)
            kernels = self._means(found, kernels)
        self._kernels = kernels
        self._look_elsewhere(found)
        return found

    def _means(self, found: Found, kernels: NDArray[np.float64]) -> NDArray[np.float64]:
        spans = self._window.cut(self._white, found.position)
        means = kernels.copy()
        for k in range(len(kernels)):
            chosen = found.kernel == k
            if chosen.sum() > 1:
                means[k] = spans[:, chosen].mean(axis=1)
        return means

    def _look_elsewhere(self, found: Found) -> None:
        """Set the candidates to the beats found and to loud places that no beat claims."""
        places = found.position >> 2
        index = np.searchsorted(places, self._candidates)
        distance = np.full(len(self._candidates), np.iinfo(np.int64).max)
        for neighbour in (index - 1, index):
            valid = (neighbour >= 0) & (neighbour < len(places))
            near = places[np.clip(neighbour, 0, max(len(places) - 1, 0))] if len(places) else 0
            apart = np.abs(self._candidates - near)
            distance = np.where(valid, np.minimum(distance, apart), distance)
        far = distance > int(0.2 * self._fs)
        self._candidates = np.concatenate([places, self._candidates[far]])
        self._explained = np.concatenate([found.strength, np.zeros(int(far.sum()))])

    def _best_candidate(self) -> NDArray[np.float64] | None:
        """Give the span that, as a kernel, would explain most beyond what is explained."""
        lag = max(int(_LAG_SECONDS * self._fs), 1)
        lags = np.arange(-lag, lag + 1, max(lag // 5, 1))
        spans = self._window.cut_at(self._white, self._candidates)
        energy = (spans**2).sum(axis=(0, 2))
        unexplained = np.maximum(energy - self._explained**2, 0.0)
        order = np.argsort(-unexplained, kind="stable")
        step = max(len(order) // _CANDIDATES, 1)
        chosen = order[::step][:_CANDIDATES]
        seeds = spans[:, chosen].transpose(1, 0, 2).reshape(len(chosen), -1)
        unit = seeds / (np.sqrt((seeds**2).sum(axis=1, keepdims=True)) + 1e-9)
        best = np.zeros((len(self._candidates), len(chosen)))
        for offset in lags:
            moved = self._window.cut_at(self._white, self._candidates + offset)
            flat = moved.transpose(1, 0, 2).reshape(len(self._candidates), -1)
            best = np.maximum(best, np.einsum("ct,kt->ck", flat, unit))
        gain = np.maximum(best**2 - (self._explained**2)[:, None], 0.0)
        # A candidate explains itself wholly, which says nothing of the others.
        gain[chosen, np.arange(len(chosen))] = 0.0
        totals = gain.sum(axis=0)
        if not totals.max() > 0.0:
            return None
        winner: NDArray[np.float64] = spans[:, chosen[totals.argmax()]]
        return winner


def _loud_places(
    samples: NDArray[np.int32], white: NDArray[np.float64], fs: float
) -> NDArray[np.int64]:
    """Give sample positions where something happens, quick (QRS) or slow (ectopic beats)."""
    slopes = np.diff(samples.astype(np.float64), axis=1, prepend=samples[:, :1])
    slow = np.stack([_smooth(slope, 0.04 * fs) ** 2 for slope in slopes])
    slow = (slow / (slow.mean(axis=1, keepdims=True) + 1e-9)).sum(axis=0)
    quick = _smooth((white**2).sum(axis=0), 0.12 * fs)
    slow = _smooth(slow, 0.16 * fs)
    envelope = np.sqrt(quick / (quick.mean() + 1e-9)) + np.sqrt(slow / (slow.mean() + 1e-9))
    distance = max(int(_CANDIDATE_DISTANCE_SECONDS * fs), 1)
    median = float(np.median(envelope))
    loud, _ = compete(envelope[None], distance, median)
    if len(loud) == 0:
        return loud
    threshold = 0.6 * float(np.median(envelope[loud]))
    places: NDArray[np.int64] = loud[envelope[loud] > threshold]
    return places


def _smooth(signal: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    taps = np.hanning(max(int(width), 1) + 2)[1:-1]
    return np.convolve(signal, taps / taps.sum(), "same")


def _bank(samples: NDArray[np.int32], found: Found, fs: float) -> FittedBank:
    """Average the beats of each class, as integers of half an ADC unit where they fit."""
    before = int(BEFORE_SECONDS * fs)
    window = Window(before, before + int(AFTER_SECONDS * fs))
    # First differences: a baseline that wanders does not smear the mean.
    slopes = np.diff(samples.astype(np.float64), axis=1, prepend=samples[:, :1])
    spans = window.cut(slopes, found.position)
    n_kernels = int(found.kernel.max()) + 1
    means = np.zeros((n_kernels, len(samples), window.size))
    for k in range(n_kernels):
        chosen = found.kernel == k
        if chosen.any():
            means[k] = spans[:, chosen].mean(axis=1)
    kernels = _level(np.cumsum(means, axis=2))
    steps = FITTED_STEPS_BITS
    while np.abs(kernels).max() * 2.0**steps > 32_000.0:
        steps -= 1
    return FittedBank(
        bank=KernelBank(
            kernels=np.rint(kernels * 2.0**steps).astype(np.int16), centre=window.before, fs=fs
        ),
        exponent=_UNIT_BITS - steps - FITTED_NOMINAL_BITS,
    )


def _level(kernels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take a straight line off each kernel, so that it begins and ends at 0."""
    ramp = np.linspace(0.0, 1.0, kernels.shape[2])
    first, last = kernels[..., :1], kernels[..., -1:]
    return kernels - (first + (last - first) * ramp)
