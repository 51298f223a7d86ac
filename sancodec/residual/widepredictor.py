"""The predictor of the wide residual: least squares that adapts, and a short cascade behind it.

Sums of regressors go from the first regressor to the last, a lead's own newest difference. What
is known at the start of a block is added for all of its samples at once; each sample that becomes
known is then added to all that follow it, so that none has to wait for a long sum.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled, inlined
from sancodec.formats.primers import LeadStart
from sancodec.residual.context import PAD, START_UNIT
from sancodec.residual.regression import solve_damped
from sancodec.residual.taps import (
    Products,
    Span,
    Taps,
    add_products,
    add_tap,
    new_products,
    new_span,
)

BLOCK = 32
FIRST_BLOCK, FIRST_SAMPLES = 8, 256
"""Blocks that begin before sample FIRST_SAMPLES are short: there is much to learn at first."""
SHOCK, CALM = 0.1, 0.05
"""A block's loudness is the sum of its squared scales, with some of what came, and CALM each."""

_FORGETTING = 0.9998
_RIDGE, _RIDGE_GROWS = 3.0, 1.5
_STEP = 0.05
# How much the coefficients to begin with count, and what is left of the ridge beside them.
_START_WEIGHT, _START_RIDGE = 30.0, 0.03
# Products of a primer are in such units, and leave so much of the ridge.
_PRIMER_UNIT, _PRIMER_RIDGE = 0.25, 0.3
_SOLVE_FIRST, _SOLVE_SHARE, _SOLVE_EVERY = 8, 16, 384
_LIMIT = float(1 << 34)
_SCALE_FORGETTING = 0.98


class WidePredictor(NamedTuple):
    """What the predictor of one lead remembers.

    Attributes
    ----------
    coefficients, ridges : (n,) float64
    recent : (n_own + 1,) float64
        ``recent[j]`` is the coefficient of the lead's own difference j samples back.
    known : (BLOCK,) float64
        What is known so far of each prediction of the block.
    work : (n + 1, padded width) float64
    decays : (capacity,) float64
        ``decays[k]`` is what is left after k samples.
    cascade : (4,) float64
        Weights of the last two errors, the older first, and these errors.
    since : (1,) int64
        Samples since the last solution: those of the span.
    """

    coefficients: NDArray[np.float64]
    ridges: NDArray[np.float64]
    recent: NDArray[np.float64]
    known: NDArray[np.float64]
    products: Products
    span: Span
    work: NDArray[np.float64]
    decays: NDArray[np.float64]
    cascade: NDArray[np.float64]
    since: NDArray[np.int64]


def new_predictor(
    taps: Taps, start: NDArray[np.float64], primed: LeadStart | None = None
) -> WidePredictor:
    """Give the predictor at the start of a lead.

    It expects no change, or begins with what it was ``primed`` with, or else with ``start``.
    """
    capacity = _SOLVE_EVERY + BLOCK
    products = new_products(taps.n_taps, capacity)
    n_own = int(taps.n_taps[-1]) - 1
    ridges = [_ridges(int(f), int(n)) for f, n in zip(taps.first, taps.n_taps, strict=True)]
    decays = np.ones(capacity + 1)
    for k in range(1, capacity + 1):
        decays[k] = decays[k - 1] * _FORGETTING
    predictor = WidePredictor(
        coefficients=np.zeros(len(products.total) - 1),
        # The last tap of the last source is the target.
        ridges=np.concatenate(ridges)[:-1],
        recent=np.zeros(n_own + 1),
        known=np.zeros(BLOCK),
        products=products,
        span=new_span(capacity),
        work=np.zeros_like(products.total),
        decays=decays,
        cascade=np.zeros(4),
        since=np.zeros(1, np.int64),
    )
    if primed is not None:
        _begin_primed(predictor, primed)
    elif start.size > 0:
        _begin_with(predictor, start)
    return predictor


def _begin_with(predictor: WidePredictor, start: NDArray[np.float64]) -> None:
    total, n = predictor.products.total, start.size
    for i in range(n):
        total[i, i] = _START_WEIGHT * predictor.ridges[i]
        total[i, n] = total[i, i] * start[i]
        predictor.ridges[i] *= _START_RIDGE
    predictor.coefficients[:] = start
    predictor.recent[1:] = start[::-1][: predictor.recent.size - 1]


def _begin_primed(predictor: WidePredictor, primed: LeadStart) -> None:
    n_rows = predictor.products.total.shape[0]
    predictor.products.total[:, :n_rows] = primed.products * _PRIMER_UNIT
    predictor.ridges[:] *= _PRIMER_RIDGE
    _solve(predictor)


def _ridges(first: int, n_taps: int) -> NDArray[np.float64]:
    """Expect smaller coefficients of regressors further from the sample at hand."""
    distance = np.abs(np.arange(first, first + n_taps))
    growth = 1.0 + _RIDGE_GROWS * distance
    return _RIDGE * (growth * growth)


def start_of(predictor: WidePredictor) -> tuple[int, ...]:
    """Give the coefficients, in 1 / START_UNIT, that the predictor would have now."""
    _solve(predictor)
    limit = np.iinfo(np.int16).max
    scaled = np.clip(np.rint(predictor.coefficients * START_UNIT), -limit, limit)
    return tuple(int(c) for c in scaled)


@compiled
def scale_decay(n_rows: int) -> float:
    """Give how much of the sums behind the scale a block of ``n_rows`` leaves."""
    return 1.0 - (1.0 - _SCALE_FORGETTING) * (n_rows / BLOCK)


@compiled
def expect_block(predictor: WidePredictor, taps: Taps, begin: int, n_rows: int) -> None:
    """Sum up what is known of the predictions of ``n_rows`` samples from ``begin`` on."""
    known, coefficients = predictor.known, predictor.coefficients
    known[:] = 0.0
    last = taps.n_taps.size - 1
    column = 0
    for i in range(last):
        part = coefficients[column : column + taps.n_taps[i]]
        add_tap(known, taps.sources[i], PAD + begin + taps.first[i], part, 0, n_rows)
        column += taps.n_taps[i]
    own, n_own = taps.sources[last], taps.n_taps[last] - 1
    # Differences so far back that all samples of the block may see them.
    n_whole = max(n_own - n_rows + 1, 0)
    whole = coefficients[column : column + n_whole]
    add_tap(known, own, PAD + begin - n_own, whole, 0, n_rows)
    for back in range(n_own - n_whole, 0, -1):
        past = own[PAD + begin - back : PAD + begin]
        weight, out = predictor.recent[back], known[: min(back, n_rows)]
        for k in range(out.size):
            out[k] += weight * past[k]


@inlined
def take_difference(predictor: WidePredictor, k: int) -> float:
    """Give the expected first difference of the block's sample ``k`` by least squares."""
    step = predictor.known[k]
    return step if abs(step) < _LIMIT else 0.0


@inlined
def correct(predictor: WidePredictor) -> float:
    """Give what the least squares are expected to miss, from the last two errors."""
    cascade = predictor.cascade
    correction = cascade[0] * cascade[2] + cascade[1] * cascade[3]
    return correction if abs(correction) < _LIMIT else 0.0


@inlined
def learn_sample(  # noqa: PLR0917
    predictor: WidePredictor,
    k: int,
    n_rows: int,
    difference: float,
    error: float,
    correction: float,
    scale: float,
) -> None:
    """Add the block's sample ``k`` to what follows, and move the cascade by what it missed."""
    later, weights = predictor.known[k + 1 : n_rows], predictor.recent[1:]
    for j in range(min(later.size, weights.size)):
        later[j] += weights[j] * difference
    cascade = predictor.cascade
    power = (cascade[2] * cascade[2] + cascade[3] * cascade[3]) + (1.0 + scale * scale)
    gain = (_STEP / power) * (error - correction)
    cascade[0] += gain * cascade[2]
    cascade[1] += gain * cascade[3]
    cascade[2] = cascade[3]
    cascade[3] = error


@compiled
def learn_block(
    predictor: WidePredictor, taps: Taps, begin: int, n_rows: int, weight: float
) -> None:
    """Add a block to the least squares, older ones weighing less; solve now and then.

    ``weight`` is that of each of its samples.
    """
    span, since, stop = predictor.span, predictor.since, begin + n_rows
    g = span.n_blocks[0]
    span.bounds[g], span.bounds[g + 1] = begin, stop
    span.weights[g] = weight
    span.n_blocks[0] = g + 1
    since[0] += n_rows
    if since[0] < min(max(_SOLVE_FIRST, begin // _SOLVE_SHARE), _SOLVE_EVERY):
        return
    for g in range(span.n_blocks[0]):
        span.weights[g] *= predictor.decays[stop - span.bounds[g + 1]]
    add_products(predictor.products, taps, span, PAD, predictor.decays[since[0]])
    since[0] = 0
    _solve(predictor)


@compiled
def _solve(predictor: WidePredictor) -> None:
    coefficients, recent = predictor.coefficients, predictor.recent
    solve_damped(predictor.products.total, predictor.work, coefficients, predictor.ridges)
    for j in range(1, recent.size):
        recent[j] = coefficients[coefficients.size - j]
