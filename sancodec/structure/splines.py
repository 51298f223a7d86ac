"""Finding out that a signal was resampled by a spline, and what it was before.

Only from a lower frequency to a higher one: there samples are bound by fewer unknowns. Of a
frequency that was lowered nothing can be undone, as any samples come from some at a higher one.

Only an encoder does this, in floating point; what it finds is checked in integers.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray

from sancodec.structure.grids import Grid
from sancodec.structure.resampling import CUBIC, LINEAR, MAX_RATIO, REPEATED, Resampling
from sancodec.structure.rounding import FLOOR, HALF_AWAY, TRUNC

RATES = (100, 125, 128, 200, 240, 250, 256, 257, 300, 360, 400, 480, 500, 512, 1000)
"""Sampling frequencies, in Hz, that recordings are brought from to a higher one."""

_SMALL, _CLOSEST = 5, 1.1
"""Of the other ratios, all up to this number; and none nearer to 1 than that."""
_ROUNDING = 1.0 / 12.0
"""Variance of what rounding to whole numbers adds."""
_AGREES, _DIFFERS, _MOST = 2.0 * _ROUNDING, 1.5, 4
"""Power that annihilating weights may leave; how many times as much they leave at other phases;
and how many fifths of the phases may leave less than that."""
_FITS = 1.6
"""Power that least squares may leave, in parts of what rounding leaves to them."""
_PART, _EDGE = 600, 8
# Phases of one ratio, and in all, whose splines are tried; and those that are given.
_MAX_PHASES, _MAX_TRIALS, _MAX_CANDIDATES = 5, 64, 4
_MARGIN, _CORE = 16, 24
"""Samples inside of a part that is solved at once: those on either side that are not kept."""
_MIN_WINDOWS, _MAX_WINDOWS = 12, 96
_MIN_CHANGES = 24


@lru_cache(maxsize=16)
def candidates(fs: float) -> tuple[tuple[int, int], ...]:
    """Give the ratios up:down to try at a sampling frequency in Hz, the simplest first."""
    ratios = {(up, down) for up in range(2, _SMALL + 1) for down in range(1, up)}
    if fs == int(fs):
        ratios |= {(int(fs), rate) for rate in RATES if rate < fs}
    reduced = {(up // gcd(up, down), down // gcd(up, down)) for up, down in ratios}
    return tuple(sorted((u, d) for u, d in reduced if u <= MAX_RATIO and u / d >= _CLOSEST))


@lru_cache(maxsize=256)
def annihilator(up: int, down: int, degree: int) -> NDArray[np.float64]:
    """Give weights of unit length whose sum over a resampled signal is 0, from a meeting on.

    A window of n samples holds about n down / up + degree unknowns: a longer one is bound.
    """
    n = 2
    while n <= (n - 1) * down // up + 1 + degree:
        n += 1
    times = np.arange(float(n)) * (down / up)
    # A spline is not zero at its own knot and less than (degree + 1) / 2 around it.
    knots = np.arange(-(degree // 2), (n - 1) * down // up + (degree + 3) // 2)
    left, _, _ = np.linalg.svd(_b_spline(times[:, None] - knots[None], degree))
    return np.ascontiguousarray(left[:, -1])


def _b_spline(x: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    distance = np.abs(x)
    if degree == LINEAR:
        return np.maximum(1.0 - distance, 0.0)
    near = 2.0 / 3.0 - distance**2 + distance**3 / 2.0
    return np.where(distance < 1.0, near, np.maximum(2.0 - distance, 0.0) ** 3 / 6.0)


def detect(signal: NDArray[np.int64], fs: float, start: int) -> list[Resampling]:
    """Tell how a part of a lead, whose first sample is number ``start``, may have been resampled.

    Parameters
    ----------
    signal : (n_samples,) int64
    fs : float
        In Hz.
    start : int

    Returns
    -------
    list of Resampling
        Of one lead, with values of whole numbers, the likeliest first; to be checked.
    """
    held = _held(signal, start)
    if held is not None:
        return [held]
    found: list[tuple[float, float, Resampling]] = []
    centred = (signal - signal[:1]).astype(np.float64)
    signs = np.where(signal < 0, -1, 1)
    for degree in (CUBIC, LINEAR):
        for up, down in candidates(fs):
            weights = annihilator(up, down, degree)
            power = _left_by_phase(centred, signs, weights, up)
            for at in _likely_phases(power):
                # Samples t with (first + t down) a multiple of up meet those inside.
                first = -(start + at) * down % up
                stage = Resampling(n_leads=1, up=up, down=down, first=first, degree=degree)
                found.append((down / up, float(power[at]), stage))
    # What comes by a high ratio is smooth, and seems to come by many lower ones.
    found.sort(key=lambda candidate: candidate[:2])
    fit = [
        (part, _left_by_spline(stage, signal, start), stage)
        for part, _, stage in found[:_MAX_TRIALS]
    ]
    fit.sort(key=lambda candidate: candidate[:2])
    return [stage for _, left, stage in fit if left < _FITS][:_MAX_CANDIDATES]


def _likely_phases(power: NDArray[np.float64]) -> list[int]:
    """Give the phases at which a resampling may meet its samples, from what weights leave there."""
    up = power.size
    if up <= _SMALL and 0.0 < power.max() < _AGREES:
        # So smooth that the weights tell no phase from another; least squares do.
        return list(range(up))
    elsewhere = float(np.sort(power)[_MOST * up // 5])
    limit = min(_AGREES, elsewhere / _DIFFERS)
    return [int(at) for at in np.argsort(power)[:_MAX_PHASES] if power[at] < limit]


def _left_by_phase(
    signal: NDArray[np.float64],
    signs: NDArray[np.int64],
    weights: NDArray[np.float64],
    up: int,
) -> NDArray[np.float64]:
    """Give the mean power of what the weights leave, for windows from each of ``up`` phases on.

    Less the mean of those of one sign, which is what rounding down or towards zero leaves.
    """
    n_rows = min((signal.size - weights.size + 1) // up, _MAX_WINDOWS)
    if n_rows < _MIN_WINDOWS:
        return np.zeros(up)
    n_windows, n_taps = n_rows * up, weights.size
    left = np.correlate(signal[: n_windows + n_taps - 1], weights).reshape(n_rows, up)
    power = np.zeros(up)
    for sign in (-1, 1):
        mine = (signs[:n_windows] == sign).reshape(n_rows, up)
        n = np.maximum(mine.sum(axis=0), 1)
        power += (left**2 * mine).sum(axis=0) - (left * mine).sum(axis=0) ** 2 / n
    return power / n_rows


def _left_by_spline(stage: Resampling, signal: NDArray[np.int64], start: int) -> float:
    """Give the power that the best spline leaves, in parts of what rounding would leave."""
    # Windows from samples on that have the number of a multiple of up.
    size = _period(stage)[2] * stage.up
    begin = -start % stage.up
    n_windows = min((signal.size - begin) // size, max(_PART // size, 1))
    if n_windows < 1:
        return np.inf
    part = signal[begin : begin + n_windows * size]
    roundings = (HALF_AWAY, TRUNC, FLOOR)
    rows = np.stack([before_rounding(stage, part[None], mode)[0] for mode in roundings])
    windows = rows.reshape(len(roundings), n_windows, size)
    inside = windows @ _least_squares(unit_of(stage), size).T
    left = windows - inside @ spline_matrix(unit_of(stage), size).T
    # At its ends a window is no natural spline.
    edge = ceil(_EDGE * stage.up / stage.down)
    power = (left[:, :, edge:-edge] ** 2).mean(axis=(1, 2)).min()
    return float(power / (_ROUNDING * (1.0 - stage.down / stage.up)))


def before_rounding(stage: Resampling, leads: NDArray[np.int64], mode: int) -> NDArray[np.float64]:
    """Give (n_leads, n_samples) the middle of what each sample may have been before rounding.

    Where the times meet, that is the sample itself.
    """
    middle = leads.astype(np.float64)
    # Straight lines between whole numbers run through few parts of a whole.
    half = 0.5 - 0.5 / stage.up if stage.degree == LINEAR else 0.5
    if mode == FLOOR:
        middle += half
    elif mode == TRUNC:
        middle += half * np.sign(leads - stage.values.shift)
    meets = stage.meets(leads.shape[1])
    middle[:, meets] = leads[:, meets]
    return middle


def _held(signal: NDArray[np.int64], start: int) -> Resampling | None:
    """Tell whether every sample is repeated a fixed number of times."""
    changes = np.nonzero(np.diff(signal))[0] + 1 + start
    if changes.size < _MIN_CHANGES:
        return None
    up = int(np.gcd.reduce(np.diff(changes)))
    if not 2 <= up <= MAX_RATIO:
        return None
    first = int(-changes[0] % up)
    return Resampling(n_leads=1, up=up, down=1, first=first, degree=REPEATED)


def before_resampling(stage: Resampling, leads: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give what the leads were before, by least squares: (n_leads, n_samples inside), not whole.

    The leads are (n_leads, n_samples) values of the spline, but for an error that is as often
    positive as negative. Long leads are solved for in parts that overlap.
    """
    n_outside = leads.shape[1]
    n_inside = stage.n_samples_inside(n_outside)
    inside = np.empty((len(leads), n_inside))
    margin, core, period = _period(stage)
    begin = 0
    # All in periods: ``up`` samples outside, ``down`` inside.
    while True:
        last = (begin + period) * stage.up + stage.up >= n_outside
        stop = n_outside if last else (begin + period) * stage.up
        solution = _least_squares(unit_of(stage), stop - begin * stage.up)
        part = leads[:, begin * stage.up : stop] @ solution.T
        skip = (margin if begin else 0) * stage.down
        inside[:, begin * stage.down + skip : begin * stage.down + part.shape[1]] = part[:, skip:]
        if last:
            return inside
        begin += core


def _period(stage: Resampling) -> tuple[int, int, int]:
    """Give the periods of a part that are solved for and not kept before it; kept; and in all.

    Parts are short: a linear algebra library would start its threads for longer ones.
    """
    margin, core = ceil(_MARGIN / stage.down), ceil(_CORE / stage.down)
    return margin, core, margin + core + margin


def unit_of(stage: Resampling) -> Resampling:
    """Give the resampling of one lead of whole numbers: what tables of splines are kept under."""
    return replace(stage, n_leads=1, values=Grid(multiplier=1))


@lru_cache(maxsize=8)
def spline_matrix(stage: Resampling, n_outside: int) -> NDArray[np.float64]:
    """Give (n_outside, n_inside): what each sample inside adds to those outside."""
    times = (stage.first + np.arange(n_outside) * stage.down) / stage.up
    n_inside = stage.n_samples_inside(n_outside)
    each = np.eye(n_inside)
    if stage.degree == REPEATED:
        return each[np.floor(times).astype(np.int64)]
    if stage.degree == LINEAR or n_inside < 4:
        knots, coefficients = np.arange(n_inside + 1), each
    else:
        between = 4.0 * each + np.eye(n_inside, k=1) + np.eye(n_inside, k=-1)
        # A natural spline: at its ends, the coefficient is the sample.
        between[[0, -1]] = 6.0 * each[[0, -1]]
        knots = np.arange(-1, n_inside + 2)
        coefficients = np.asarray(np.linalg.solve(between / 6.0, each), np.float64)
    first, n_after = -int(knots[0]), int(knots[-1]) - n_inside + 1
    before = [2.0 * coefficients[0] - coefficients[i] for i in range(first, 0, -1)]
    last = n_inside - 1
    after = [
        2.0 * coefficients[last] - coefficients[max(last - i, 0)] for i in range(1, n_after + 1)
    ]
    splines = _b_spline(times[:, None] - knots[None], LINEAR if n_inside < 4 else stage.degree)
    return np.asarray(splines @ np.stack([*before, *coefficients, *after]))


@lru_cache(maxsize=8)
def _least_squares(stage: Resampling, n_outside: int) -> NDArray[np.float64]:
    matrix = spline_matrix(stage, n_outside)
    products = matrix.T @ matrix
    products[np.diag_indices_from(products)] += 1e-9
    return np.asarray(np.linalg.solve(products, matrix.T), np.float64)
