"""What the encoder of the fast level chooses for a lead: rounded predictors, weights of the scale.

Only the encoder runs this; what it chose is sent. The predictor is the least-squares one, in which
samples weigh less where the signal is hard to predict; those weights come from the residual of a
first solution on a part of the samples. Sums are made in one written order all the same, so that
the same samples give the same bytes everywhere.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.adaptive import MAX_NUMBER
from sancodec.entropy.compiled import compiled
from sancodec.residual.blockwalk import (
    MAX_COEFFICIENT,
    MAX_EXPONENT,
    N_FEATURES,
    PAD,
    SPEEDS,
    WEIGHT_BITS,
    LeadContext,
)
from sancodec.residual.regression import LANES, padded_width, solve
from sancodec.residual.taps import Taps, add_tap

_PIECE = 256
_UNROLL = 4
_AROUND = 8
_MAGNITUDE_FLOOR = 0.5
_SCALE_FLOOR = 0.02
_RIDGE = 1e-6
_FIRST_ROWS, _FINAL_ROWS = 3_000, 10_000
"""A solution takes every n-th piece of the block so that about these many samples are left."""
_SWEEPS = 20
# A coefficient is rounded until it costs the block about this many nats of prediction.
_ROUNDING_LOSS = 1.0
_POWER_FLOOR = 1e-9


class Target(NamedTuple):
    """What to predict in ``begin`` to ``stop``, and what is left of it; (n_samples,) float64.

    ``miss`` starts as any guess at the residual and ends as the residual; ``weights`` are those
    of the last solution.
    """

    difference: NDArray[np.float64]
    miss: NDArray[np.float64]
    weights: NDArray[np.float64]
    begin: int
    stop: int


@compiled
def _update_miss(taps: Taps, coefficients: NDArray[np.float64], target: Target) -> None:
    """Set ``target.miss`` to the difference less its prediction."""
    miss = target.miss
    for begin in range(target.begin, target.stop, _PIECE):
        stop = min(begin + _PIECE, target.stop)
        for t in range(begin, stop):
            miss[t] = 0.0
        column = 0
        for i in range(taps.n_taps.size):
            part = coefficients[column : column + taps.n_taps[i]]
            add_tap(miss, taps.sources[i], PAD + taps.first[i], part, begin, stop)
            column += taps.n_taps[i]
        for t in range(begin, stop):
            miss[t] = target.difference[t] - miss[t]


@compiled
def _weigh(target: Target) -> None:
    """Set the weights to the inverse square of the mean magnitude around each sample."""
    miss, begin, stop = target.miss, target.begin, target.stop
    total = 0.0
    for t in range(begin, min(begin + _AROUND, stop)):
        total += abs(miss[t])
    for t in range(begin, stop):
        if t + _AROUND < stop:
            total += abs(miss[t + _AROUND])
        if t - _AROUND - 1 >= begin:
            total -= abs(miss[t - _AROUND - 1])
        n = min(t + _AROUND, stop - 1) - max(t - _AROUND, begin) + 1
        # Rounding may leave less than nothing of a sum that grew and shrank.
        mean = max(total, 0.0) / n + _MAGNITUDE_FLOOR
        target.weights[t] = 1.0 / (mean * mean)


@compiled
def _fill_rows(taps: Taps, target: Target, begin: int, stop: int, rows: NDArray[np.float64]) -> int:
    """Write regressors and target of samples, by the roots of their weights; give the rows used."""
    n_regressors = taps.n_taps.sum()
    for k in range(stop - begin):
        row = rows[k]
        root = math.sqrt(target.weights[begin + k])
        column = 0
        for i in range(taps.n_taps.size):
            at = begin + k + PAD + taps.first[i]
            for j in range(taps.n_taps[i]):
                row[column + j] = taps.sources[i, at + j] * root
            column += taps.n_taps[i]
        row[n_regressors] = target.difference[begin + k] * root
    padded = (stop - begin + _UNROLL - 1) // _UNROLL * _UNROLL
    for k in range(stop - begin, padded):
        rows[k, :] = 0.0
    return padded


@compiled
def _accumulate(products: NDArray[np.float64], rows: NDArray[np.float64], n_rows: int) -> None:
    """Add the outer products of rows to two rows of products at a time, from the diagonal on."""
    for i in range(0, products.shape[0] - 1, 2):
        begin = i - i % LANES
        at = i - begin
        upper, lower = products[i, begin:], products[i + 1, begin:]
        for k in range(0, n_rows, _UNROLL):
            r0, r1 = rows[k, begin:], rows[k + 1, begin:]
            r2, r3 = rows[k + 2, begin:], rows[k + 3, begin:]
            a0, a1, a2, a3 = r0[at], r1[at], r2[at], r3[at]
            b0, b1, b2, b3 = r0[at + 1], r1[at + 1], r2[at + 1], r3[at + 1]
            for j in range(upper.size):
                x0, x1, x2, x3 = r0[j], r1[j], r2[j], r3[j]
                upper[j] = (((upper[j] + a0 * x0) + a1 * x1) + a2 * x2) + a3 * x3
                lower[j] = (((lower[j] + b0 * x0) + b1 * x1) + b2 * x2) + b3 * x3


@compiled
def _solve_part(
    taps: Taps,
    target: Target,
    n_rows: int,
    work: NDArray[np.float64],
    coefficients: NDArray[np.float64],
) -> None:
    """Weigh, and solve for the predictor of about ``n_rows`` samples spread over the block."""
    _weigh(target)
    every = max((target.stop - target.begin) // n_rows, 1)
    products, rows = np.zeros_like(work), np.zeros((_PIECE, work.shape[1]))
    for begin in range(target.begin, target.stop, _PIECE * every):
        stop = min(begin + _PIECE, target.stop)
        _accumulate(products, rows, _fill_rows(taps, target, begin, stop, rows))
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
    n = int(count.sum())
    pivots = np.diag(work)[:n]
    exponents, integers = np.zeros(len(count), np.int64), np.zeros(n, np.int64)
    values = np.zeros(n)
    finest = math.log2(12.0 * _ROUNDING_LOSS * max(power, _POWER_FLOOR) / max(n_rows, 1))
    for i in range(len(count) - 1, -1, -1):
        stop = int(count[: i + 1].sum())
        begin = stop - int(count[i])
        usable = [math.log2(pivot) for pivot in pivots[begin:stop] if pivot > 0.0]
        if usable:
            bits = 0.5 * (sum(usable) / len(usable) - finest)
            exponents[i] = min(max(round(bits), 0), MAX_EXPONENT)
        unit = float(1 << int(exponents[i]))
        for j in range(stop - 1, begin - 1, -1):
            if pivots[j] > 0.0:
                rest = float((work[j, j + 1 : n] * values[j + 1 :]).sum())
                wanted = (float(work[j, n]) - rest) / float(pivots[j]) * unit
                integers[j] = round(min(max(wanted, -MAX_COEFFICIENT), MAX_COEFFICIENT))
                values[j] = integers[j] / unit
    return exponents, integers


def fit_predictor(taps: Taps, target: Target) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Fit the predictor of a block; ``target.miss`` becomes its residual before rounding.

    Returns
    -------
    exponents : (n_sources,) int64
        A coefficient is ``integers / 2**exponents`` of its source.
    integers : (n_regressors,) int64
    """
    n = int(taps.n_taps.sum())
    # One row more, so that rows can be taken in twos.
    work, coefficients = np.zeros((n + 2, padded_width(n))), np.zeros(n)
    for n_rows in (_FIRST_ROWS, _FINAL_ROWS):
        _solve_part(taps, target, n_rows, work, coefficients)
        _update_miss(taps, coefficients, target)
    span = slice(target.begin, target.stop)
    power = float((target.weights[span] * target.miss[span] ** 2).sum())
    return _round(work, taps.n_taps, power, target.stop - target.begin)


@compiled
def _scale_equations(
    magnitude: NDArray[np.float64],
    context: LeadContext,
    start: float,
    weights: NDArray[np.float64],
    products: NDArray[np.float64],
) -> None:
    """Sum the weighted products of the scale's features and, in the last row, the magnitude."""
    values = np.empty(N_FEATURES + 1)
    m0 = m1 = m2 = start
    for t in range(1, magnitude.size):
        seen = magnitude[t]
        values[0], values[1], values[2], values[3] = m0, m1, m2, context.loud[t]
        values[4], values[5], values[6], values[7] = context.near[t], context.around[t], 1.0, seen
        scale = _SCALE_FLOOR
        for i in range(N_FEATURES):
            scale += weights[i] * values[i]
        weight = 1.0 / (scale * scale)
        for i in range(N_FEATURES + 1):
            weighted = values[i] * weight
            for j in range(N_FEATURES):
                products[i, j] += weighted * values[j]
        m0 += (seen - m0) * SPEEDS[0]
        m1 += (seen - m1) * SPEEDS[1]
        m2 += (seen - m2) * SPEEDS[2]


@compiled
def _descend(products: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
    """Set the weights that fit best, none below 0, by coordinate descent."""
    for _ in range(_SWEEPS):
        for i in range(N_FEATURES):
            rest = products[N_FEATURES, i]
            for j in range(N_FEATURES):
                if j != i:
                    rest -= products[i, j] * weights[j]
            weights[i] = max(rest / products[i, i], 0.0) if products[i, i] > 0.0 else 0.0


def fit_scale(
    magnitude: NDArray[np.float64], context: LeadContext, start: float
) -> NDArray[np.int64]:
    """Give the (N_FEATURES,) weights of the scale of one lead, in units of 2**-WEIGHT_BITS.

    Parameters
    ----------
    magnitude : (n_samples,) float64
        Of the residual.
    start : float
        What the moving averages begin with.
    """
    weights = np.array([0.3, 0.2, 0.2, 0.2, 0.05, 0.05, 0.0])
    products = np.zeros((N_FEATURES + 1, N_FEATURES))
    _scale_equations(magnitude, context, start, weights, products)
    _descend(products, weights)
    units = np.round(weights * (1 << WEIGHT_BITS))
    return np.minimum(units, MAX_NUMBER).astype(np.int64)
