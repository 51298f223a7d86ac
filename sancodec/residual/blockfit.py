"""What the encoder of the fast level chooses for a block: rounded predictors, weights of the scale.

Only the encoder runs this; what it chose is sent. The normal equations are those of
``regression``, in which samples weigh less where the signal is hard to predict.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sancodec.residual.regression import UNROLL, accumulate, padded_width, solve

N_FEATURES = 7
"""Three moving averages, phase, leads before at this sample and around it, and 1."""
SPEEDS = (0.25, 0.0625, 0.0078125)
WEIGHT_BITS = 6
MAX_EXPONENT = 30
MAX_COEFFICIENT = 1 << 24

_PIECE = 256
_AROUND = 8
_MAGNITUDE_FLOOR = 0.5
_RIDGE = 1e-6
_SUBSET = 4
_MIN_ROWS = 4096
_SWEEPS = 20
# A coefficient is rounded until it costs the block about this many nats of prediction.
_ROUNDING_LOSS = 1.0


class Taps(NamedTuple):
    """Regressors: ``count[i]`` neighbours of each sample in source ``i``, from ``first[i]`` on."""

    sources: NDArray[np.float64]
    """(n_sources, n_samples + 2 * pad); sample t stands at t + pad."""
    first: NDArray[np.int64]
    count: NDArray[np.int64]


@njit(cache=True)
def add_tap(  # noqa: PLR0917
    total: NDArray[np.float64],
    source: NDArray[np.float64],
    first: int,
    coefficients: NDArray[np.float64],
    begin: int,
    stop: int,
) -> None:
    """Add the weighted neighbours ``source[t + first ..]`` to ``total[begin:stop]``, in order."""
    n = coefficients.size
    out = total[begin:stop]
    m = out.size
    whole = n - n % 4
    for j in range(0, whole, 4):
        at = begin + first + j
        c0, c1, c2, c3 = (
            coefficients[j],
            coefficients[j + 1],
            coefficients[j + 2],
            coefficients[j + 3],
        )
        s0, s1 = source[at : at + m], source[at + 1 : at + 1 + m]
        s2, s3 = source[at + 2 : at + 2 + m], source[at + 3 : at + 3 + m]
        for t in range(m):
            out[t] = (((out[t] + c0 * s0[t]) + c1 * s1[t]) + c2 * s2[t]) + c3 * s3[t]
    for j in range(whole, n):
        at = begin + first + j
        c0 = coefficients[j]
        s0 = source[at : at + m]
        for t in range(m):
            out[t] = out[t] + c0 * s0[t]


@njit(cache=True)
def _miss(  # noqa: PLR0917
    taps: Taps,
    pad: int,
    coefficients: NDArray[np.float64],
    target: NDArray[np.float64],
    begin: int,
    stop: int,
    miss: NDArray[np.float64],
) -> None:
    """Set ``miss[begin:stop]`` to the target less its prediction."""
    for piece in range(begin, stop, _PIECE):
        end = min(piece + _PIECE, stop)
        for t in range(piece, end):
            miss[t] = 0.0
        column = 0
        for i in range(taps.count.size):
            n = taps.count[i]
            add_tap(
                miss,
                taps.sources[i],
                pad + taps.first[i],
                coefficients[column : column + n],
                piece,
                end,
            )
            column += n
        for t in range(piece, end):
            miss[t] = target[t] - miss[t]


@njit(cache=True)
def _weigh(miss: NDArray[np.float64], begin: int, stop: int, weights: NDArray[np.float64]) -> None:
    """Set weights to the inverse square of the mean magnitude around each sample."""
    total = 0.0
    for t in range(begin, min(begin + _AROUND, stop)):
        total += abs(miss[t])
    for t in range(begin, stop):
        if t + _AROUND < stop:
            total += abs(miss[t + _AROUND])
        if t - _AROUND - 1 >= begin:
            total -= abs(miss[t - _AROUND - 1])
        n = min(t + _AROUND, stop - 1) - max(t - _AROUND, begin) + 1
        mean = max(total / n, 0.0) + _MAGNITUDE_FLOOR
        weights[t] = 1.0 / (mean * mean)


@njit(cache=True)
def _collect(  # noqa: PLR0917
    taps: Taps,
    pad: int,
    target: NDArray[np.float64],
    weights: NDArray[np.float64],
    begin: int,
    stop: int,
    every: int,
    products: NDArray[np.float64],
    rows: NDArray[np.float64],
) -> None:
    """Add the weighted products of every ``every``-th piece to ``products``."""
    weight = np.zeros(_PIECE)
    n_regressors = products.shape[0] - 1
    for piece in range(begin, stop, _PIECE * every):
        n_rows = min(_PIECE, stop - piece)
        for k in range(n_rows):
            row = rows[k]
            column = 0
            for i in range(taps.count.size):
                at = piece + k + pad + taps.first[i]
                for j in range(taps.count[i]):
                    row[column + j] = taps.sources[i, at + j]
                column += taps.count[i]
            row[n_regressors] = target[piece + k]
            weight[k] = weights[piece + k]
        padded = (n_rows + UNROLL - 1) // UNROLL * UNROLL
        for k in range(n_rows, padded):
            weight[k] = 0.0
        accumulate(products, rows, weight, padded, 1.0)


@njit(cache=True)
def _solve(
    products: NDArray[np.float64], work: NDArray[np.float64], coefficients: NDArray[np.float64]
) -> None:
    """Solve with a ridge that is a small share of each regressor's own power."""
    for i in range(coefficients.size):
        products[i, i] *= 1.0 + _RIDGE
    solve(products, work, coefficients, 0.0)


def _round(
    work: NDArray[np.float64], count: NDArray[np.int64], power: float, n_rows: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Round from the last coefficient up, each making good what those after it did.

    Returns
    -------
    exponents : (n_sources,) int64
        A coefficient is ``integers / 2**exponents`` of its source.
    integers : (n_regressors,) int64
    """
    n = len(work) - 1
    pivots = np.diag(work)[:n].copy()
    integers = np.zeros(n, np.int64)
    exponents = np.zeros(len(count), np.int64)
    values = np.zeros(n)
    stop = n
    for i in range(len(count) - 1, -1, -1):
        begin = stop - int(count[i])
        usable = pivots[begin:stop][pivots[begin:stop] > 0.0]
        if len(usable):
            variance = 12.0 * _ROUNDING_LOSS * max(power, 1e-9) / n_rows
            bits = 0.5 * (np.log2(usable).mean() - math.log2(variance))
            exponents[i] = min(max(round(bits), 0), MAX_EXPONENT)
        unit = 2.0 ** float(exponents[i])
        for j in range(stop - 1, begin - 1, -1):
            if pivots[j] > 0.0:
                wanted = (work[j, n] - work[j, j + 1 : n] @ values[j + 1 :]) / pivots[j]
                integers[j] = round(min(max(wanted * unit, -MAX_COEFFICIENT), MAX_COEFFICIENT))
                values[j] = integers[j] / unit
        stop = begin
    return exponents, integers


def fit_predictor(
    taps: Taps,
    pad: int,
    target: NDArray[np.float64],
    first_miss: NDArray[np.float64],
    begin: int,
    stop: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Fit the predictor of samples ``begin`` to ``stop``.

    Parameters
    ----------
    target : (n_samples,) float64
        First differences of the lead.
    first_miss : (n_samples,) float64
        A first guess at the residual, for the weights; overwritten by the residual.

    Returns
    -------
    exponents : (n_sources,) int64
    integers : (n_regressors,) int64
    """
    n = int(taps.count.sum())
    width = padded_width(n)
    work, rows = np.zeros((n + 1, width)), np.zeros((_PIECE, width))
    coefficients = np.zeros(n)
    weights = np.zeros(len(target))
    n_rows = stop - begin
    for every in (min(_SUBSET, n_rows // _MIN_ROWS), min(_SUBSET, n_rows // _MIN_ROWS), 1):
        _weigh(first_miss, begin, stop, weights)
        products = np.zeros((n + 1, width))
        _collect(taps, pad, target, weights, begin, stop, max(every, 1), products, rows)
        _solve(products, work, coefficients)
        _miss(taps, pad, coefficients, target, begin, stop, first_miss)
    power = float((weights[begin:stop] * first_miss[begin:stop] ** 2).sum())
    return _round(work, taps.count, power, n_rows)


@njit(cache=True)
def _scale_equations(  # noqa: PLR0917
    magnitude: NDArray[np.float64],
    phase: NDArray[np.float64],
    near: NDArray[np.float64],
    around: NDArray[np.float64],
    start: float,
    weights: NDArray[np.float64],
    products: NDArray[np.float64],
    targets: NDArray[np.float64],
) -> None:
    features = np.empty(N_FEATURES)
    m0 = m1 = m2 = start
    for t in range(1, magnitude.size):
        features[0], features[1], features[2] = m0, m1, m2
        features[3], features[4], features[5] = phase[t], near[t], around[t]
        features[6] = 1.0
        scale = 0.02
        for i in range(N_FEATURES):
            scale += weights[i] * features[i]
        weight = 1.0 / (scale * scale)
        for i in range(N_FEATURES):
            weighted = features[i] * weight
            targets[i] += weighted * magnitude[t]
            for j in range(N_FEATURES):
                products[i, j] += weighted * features[j]
        m0 += (magnitude[t] - m0) * SPEEDS[0]
        m1 += (magnitude[t] - m1) * SPEEDS[1]
        m2 += (magnitude[t] - m2) * SPEEDS[2]


@njit(cache=True)
def _descend(
    products: NDArray[np.float64], targets: NDArray[np.float64], weights: NDArray[np.float64]
) -> None:
    """Set the weights that fit best, none below 0, by coordinate descent."""
    for _ in range(_SWEEPS):
        for i in range(N_FEATURES):
            rest = targets[i]
            for j in range(N_FEATURES):
                if j != i:
                    rest -= products[i, j] * weights[j]
            if products[i, i] > 0.0:
                weights[i] = max(rest / products[i, i], 0.0)
            else:
                weights[i] = 0.0


def fit_scale(
    magnitude: NDArray[np.float64],
    phase: NDArray[np.float64],
    near: NDArray[np.float64],
    around: NDArray[np.float64],
    start: float,
) -> NDArray[np.int64]:
    """Give the (N_FEATURES,) weights of the scale of one lead, in units of 2**-WEIGHT_BITS."""
    weights = np.array([0.25, 0.25, 0.25, 0.0, 0.0, 0.0, 0.1])
    for _ in range(2):
        products, targets = np.zeros((N_FEATURES, N_FEATURES)), np.zeros(N_FEATURES)
        _scale_equations(magnitude, phase, near, around, start, weights, products, targets)
        _descend(products, targets, weights)
    return np.round(weights * (1 << WEIGHT_BITS)).astype(np.int64)
