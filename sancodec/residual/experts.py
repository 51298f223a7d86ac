"""Several predictors of a lead, from quick to slow, each with its own idea of how loud it misses.

First the wide least squares of the default level; behind them a chain of long adaptive filters,
each after what those before it leave; then least squares that forget faster and see less far; last
a least-squares combination of them all. Regressors of the quick ones that are far from the sample
at hand are scaled down, which under the same ridge says that their coefficients are expected to be
smaller.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.residual.context import PAD, WideContext
from sancodec.residual.predictor import dot, pad_rows
from sancodec.residual.regression import accumulate, padded_width, solve
from sancodec.residual.taps import Taps
from sancodec.residual.widepredictor import (
    BLOCK,
    WidePredictor,
    correct,
    expect_block,
    learn_sample,
    new_predictor,
    take_difference,
)
from sancodec.residual.widepredictor import learn_block as learn_wide_block

# Of each quick least squares: own past, samples back of other series, forgetting.
_MEMORIES = ((16, 8, 0.9995), (16, 4, 0.998), (8, 2, 0.99))
# Of each filter of the chain: taps, step.
_CHAIN = ((2, 0.1), (256, 0.005), (16, 0.003))
N_MEMORIES = len(_MEMORIES)
N_CHAINED = len(_CHAIN)
N_COMBINED = 1 + N_CHAINED + N_MEMORIES
N_EXPERTS = N_COMBINED + 1
LAST = N_EXPERTS - 1
"""The expert that combines the others."""
FIRST_SHARES = (0.3, 0.1, 0.1, 0.1, 0.03, 0.03, 0.03, 0.31)
"""How far each expert is trusted at first."""

_COMBINATION = N_MEMORIES
_FIRST_MEMORY = 1 + N_CHAINED
_MAX_TAPS = max(n_taps for n_taps, _ in _CHAIN)
_RIDGE = 100.0
_FADING = 0.1
_SOLVE_EVERY = 32
_COMBINE_FORGETTING, _COMBINE_RIDGE, _COMBINE_EVERY = 0.9995, 1.0, 8
_LIMIT = float(1 << 34)
_SIZE, _WIDTH, _N_OWN = 0, 1, 2


class Memories(NamedTuple):
    """The quick least-squares problems, the combination last; first axis: which.

    ``rows`` (N_MEMORIES + 1, BLOCK, width) are regressors and, behind them, the target; ``gains``
    scale them; ``products`` and ``work`` are matrices as in ``regression``, flat, of each problem's
    own size; ``decays`` (.., BLOCK + 1) are powers of forgetting factors; ``first`` and ``n_taps``
    (.., n_sources) say what each sees of the sources, the lead's own last; ``sizes`` (.., 3) are
    the number of regressors, the columns of the matrices, and how many regressors are the lead's
    own past.
    """

    rows: NDArray[np.float64]
    weights: NDArray[np.float64]
    products: NDArray[np.float64]
    work: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    gains: NDArray[np.float64]
    decays: NDArray[np.float64]
    first: NDArray[np.int64]
    n_taps: NDArray[np.int64]
    sizes: NDArray[np.int64]


class Chain(NamedTuple):
    """The filters: ``past`` (N_CHAINED, n_samples + _MAX_TAPS) has sample t at t + _MAX_TAPS."""

    taps: NDArray[np.float64]
    past: NDArray[np.float64]
    n_taps: NDArray[np.int64]
    step: NDArray[np.float64]


class Experts(NamedTuple):
    """All predictors of a lead, and what they say of the sample at hand.

    ``predictions`` (N_EXPERTS,) are of the first difference, in ADC units; ``since`` (2,) counts
    samples since the memories were solved, and those not yet in the combination.
    """

    wide: WidePredictor
    memories: Memories
    chain: Chain
    predictions: NDArray[np.float64]
    since: NDArray[np.int64]


def _powers(forgetting: float) -> NDArray[np.float64]:
    powers = np.ones(BLOCK + 1)
    for k in range(1, BLOCK + 1):
        powers[k] = powers[k - 1] * forgetting
    return powers


def _gains(first: NDArray[np.int64], n_taps: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give the gain of each regressor."""
    distances = [np.abs(np.arange(f, f + n)) for f, n in zip(first, n_taps, strict=True)]
    return 1.0 / (1.0 + _FADING * np.concatenate(distances))


def _new_memories(taps: Taps) -> Memories:
    # Of the combination, no taps but regressors of its own.
    first = np.zeros((N_MEMORIES + 1, taps.first.size), np.int64)
    n_taps = np.zeros_like(first)
    for e, (own, back, _) in enumerate(_MEMORIES):
        first[e] = np.maximum(taps.first, -back)
        first[e, -1] = max(int(taps.first[-1]), -own)
        n_taps[e] = (taps.first + taps.n_taps) - first[e]
        n_taps[e, -1] = -first[e, -1]
    gains = [_gains(first[e], n_taps[e]) for e in range(N_MEMORIES)] + [np.ones(N_COMBINED)]
    width = max(padded_width(gain.size) for gain in gains)
    n = len(gains)
    forgetting = [memory[2] for memory in _MEMORIES] + [_COMBINE_FORGETTING]
    return Memories(
        rows=np.zeros((n, BLOCK, width)),
        weights=np.zeros((n, BLOCK)),
        products=np.zeros((n, width * width)),
        work=np.zeros(width * width),
        coefficients=np.zeros((n, width)),
        gains=np.stack([np.pad(gain, (0, width - gain.size)) for gain in gains]),
        decays=np.stack([_powers(factor) for factor in forgetting]),
        first=first,
        n_taps=n_taps,
        sizes=np.array(
            [
                (gain.size, padded_width(gain.size), own)
                for gain, own in zip(gains, n_taps[:, -1], strict=True)
            ]
        ),
    )


def new_experts(context: WideContext, n_samples: int) -> Experts:
    """Give the experts at the start of a lead."""
    chain = Chain(
        taps=np.zeros((N_CHAINED, _MAX_TAPS)),
        past=np.zeros((N_CHAINED, n_samples + _MAX_TAPS)),
        n_taps=np.array([n_taps for n_taps, _ in _CHAIN]),
        step=np.array([step for _, step in _CHAIN]),
    )
    return Experts(
        wide=new_predictor(context.taps),
        memories=_new_memories(context.taps),
        chain=chain,
        predictions=np.zeros(N_EXPERTS),
        since=np.zeros(2, np.int64),
    )


@compiled
def _fill(memories: Memories, e: int, k: int, taps: Taps, at: int) -> None:
    """Write the regressors of a sample that do not depend on the lead's own samples."""
    row, gains, column = memories.rows[e, k], memories.gains[e], 0
    for i in range(taps.first.size - 1):
        first = at + memories.first[e, i]
        for j in range(memories.n_taps[e, i]):
            row[column] = gains[column] * taps.sources[i, first + j]
            column += 1


@compiled
def prepare_experts(experts: Experts, taps: Taps, begin: int, n_rows: int) -> None:
    """Set what is known of a block before its samples."""
    expect_block(experts.wide, taps, begin, n_rows)
    for e in range(N_MEMORIES):
        for k in range(n_rows):
            _fill(experts.memories, e, k, taps, begin + k + PAD)


@compiled
def _sane(prediction: float) -> float:
    return prediction if abs(prediction) < _LIMIT else 0.0


@compiled
def predict(experts: Experts, k: int, t: int, difference: NDArray[np.float64]) -> None:
    """Set the predictions of sample ``t``, the block's ``k``-th."""
    memories, chain, predictions = experts.memories, experts.chain, experts.predictions
    chained = take_difference(experts.wide, k)
    predictions[0] = chained
    for i in range(N_CHAINED):
        n_taps = chain.n_taps[i]
        chained += _sane(dot(chain.taps[i], 0, chain.past[i], t + _MAX_TAPS - n_taps, n_taps))
        predictions[1 + i] = chained
    for e in range(N_MEMORIES):
        row, gains, n = memories.rows[e, k], memories.gains[e], memories.sizes[e, _SIZE]
        own = memories.sizes[e, _N_OWN]
        for i in range(own):
            row[n - own + i] = gains[n - own + i] * difference[t + PAD - own + i]
        predictions[_FIRST_MEMORY + e] = _sane(dot(memories.coefficients[e], 0, row, 0, n))
    row = memories.rows[_COMBINATION, experts.since[1]]
    for e in range(N_COMBINED):
        row[e] = predictions[e] - chained
    n = memories.sizes[_COMBINATION, _SIZE]
    combined = dot(memories.coefficients[_COMBINATION], 0, row, 0, n)
    predictions[LAST] = chained + _sane(combined)


@compiled
def _adapt_chain(experts: Experts, t: int, difference: float, scale: float) -> None:
    """Move each filter towards what it missed (normalised least mean squares)."""
    chain = experts.chain
    before = experts.predictions[0]
    for i in range(N_CHAINED):
        taps, past, n_taps = chain.taps[i], chain.past[i], chain.n_taps[i]
        first = t + _MAX_TAPS - n_taps
        after = experts.predictions[1 + i]
        power = dot(past, first, past, first, n_taps) / n_taps
        loud = (power + 1.0) * np.sqrt(float(n_taps)) + scale * scale
        gain = (chain.step[i] * (difference - after)) / loud
        for j in range(n_taps):
            taps[j] += gain * past[first + j]
        past[t + _MAX_TAPS] = difference - before
        before = after


@compiled
def _learn_rows(memories: Memories, e: int, n_rows: int, ridge: float, ripe: bool) -> None:
    """Add rows to a least-squares problem, older ones weighing less; solve it if it is time."""
    weights, decays, n = memories.weights[e], memories.decays[e], memories.sizes[e, _SIZE]
    for k in range(n_rows):
        weights[k] *= decays[n_rows - 1 - k]
    shape = (n + 1, memories.sizes[e, _WIDTH])
    area = shape[0] * shape[1]
    products = memories.products[e, :area].reshape(shape)
    accumulate(products, memories.rows[e], weights, pad_rows(weights, n_rows), decays[n_rows])
    if ripe:
        work = memories.work[:area].reshape(shape)
        solve(products, work, memories.coefficients[e, :n], ridge)


@compiled
def observe(  # noqa: PLR0917
    experts: Experts,
    k: int,
    t: int,
    n_rows: int,
    difference: float,
    scales: NDArray[np.float64],
) -> None:
    """Learn that sample ``t``, the ``k``-th of ``n_rows`` in its block, had this first difference.

    ``scales`` (N_EXPERTS,) are the mean magnitudes that were foretold.
    """
    memories, wide = experts.memories, experts.wide
    error, scale = difference - experts.predictions[0], scales[LAST]
    learn_sample(wide, k, n_rows, difference, error, correct(wide), scale)
    _adapt_chain(experts, t, difference, scales[0])
    weight = 1.0 / (scale * scale)
    for e in range(N_MEMORIES):
        memories.rows[e, k, memories.sizes[e, _SIZE]] = difference
        memories.weights[e, k] = weight
    waiting = experts.since[1]
    target = difference - experts.predictions[_FIRST_MEMORY - 1]
    memories.rows[_COMBINATION, waiting, N_COMBINED] = target
    memories.weights[_COMBINATION, waiting] = weight
    experts.since[1] = waiting + 1
    ripe = waiting + 1 == _COMBINE_EVERY
    if ripe:
        # The last problem, not by its literal number: numba would compile all of it once more.
        last = memories.rows.shape[0] - 1
        _learn_rows(memories, last, waiting + 1, _COMBINE_RIDGE, ripe)
        experts.since[1] = 0


@compiled
def learn_block(experts: Experts, taps: Taps, begin: int, n_rows: int, weight: float) -> None:
    """Let the least squares learn from a block, ``weight`` that of its samples in the wide ones."""
    learn_wide_block(experts.wide, taps, begin, n_rows, weight)
    experts.since[0] += n_rows
    ripe = experts.since[0] >= _SOLVE_EVERY
    for e in range(N_MEMORIES):
        _learn_rows(experts.memories, e, n_rows, _RIDGE, ripe)
    if ripe:
        experts.since[0] = 0
