"""Several predictors of a lead, from quick to slow, each with its own idea of how loud it misses.

Least squares that forget at different speeds and see differently far; behind the slowest a chain
of long adaptive filters, each after what those before it leave; last a least-squares combination
of them all. Regressors far from the sample at hand are scaled down, which under the same ridge
says that their coefficients are expected to be smaller.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.residual.lead import EXPECTED_BACK, LOOK_AHEAD, PAD, LeadContext
from sancodec.residual.predictor import BLOCK, dot, pad_rows
from sancodec.residual.regression import accumulate, padded_width, solve

# Of each least squares: own past, samples back of leads coded before and of the SAN
# reconstruction, forgetting.
_MEMORIES = ((32, 16, 16, 0.9999), (16, 8, 8, 0.9995), (16, 4, 4, 0.998), (8, 2, 2, 0.99))
# Of each filter of the chain: taps, step.
_CHAIN = ((32, 0.002), (256, 0.005), (16, 0.003))
N_MEMORIES = len(_MEMORIES)
N_CHAINED = len(_CHAIN)
N_COMBINED = N_MEMORIES + N_CHAINED
N_EXPERTS = N_COMBINED + 1
LAST = N_EXPERTS - 1
"""The expert that combines the others."""

_COMBINATION = N_MEMORIES
_MAX_TAPS = max(n_taps for n_taps, _ in _CHAIN)
_RIDGE = 100.0
_FADING = 0.1
_SOLVE_EVERY = 32
_COMBINE_FORGETTING, _COMBINE_RIDGE, _COMBINE_EVERY = 0.9995, 1.0, 8
_LIMIT = float(1 << 34)
_OWN, _BACK, _SAN_BACK, _SIZE, _WIDTH = 0, 1, 2, 3, 4


class Memories(NamedTuple):
    """The least-squares problems, the combination last; first axis: which.

    ``rows`` (N_MEMORIES + 1, BLOCK, width) are regressors and, behind them, the target; ``gains``
    scale them; ``products`` and ``work`` are matrices as in ``regression``, flat, of each problem's
    own size; ``decays`` (.., BLOCK + 1) are powers of forgetting factors; ``sizes`` (.., 5) are
    samples back (own, of other leads, of the SAN reconstruction), the number of regressors, and
    the columns of the matrices.
    """

    rows: NDArray[np.float64]
    weights: NDArray[np.float64]
    products: NDArray[np.float64]
    work: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    gains: NDArray[np.float64]
    decays: NDArray[np.float64]
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

    memories: Memories
    chain: Chain
    predictions: NDArray[np.float64]
    since: NDArray[np.int64]


def _fading(first: int, last: int) -> NDArray[np.float64]:
    return 1.0 / (1.0 + _FADING * np.abs(np.arange(first, last + 1)))


def _gains(context: LeadContext, own: int, back: int, san_back: int) -> NDArray[np.float64]:
    """Give the gains of the regressors that ``_fill`` writes."""
    gains = [_fading(-own + 1, 0)] + [_fading(-back, LOOK_AHEAD)] * len(context.others)
    if context.beats.start.size > 0:
        gains += [_fading(-san_back, LOOK_AHEAD), np.ones(EXPECTED_BACK + LOOK_AHEAD + 1)]
        gains += [_fading(-LOOK_AHEAD, LOOK_AHEAD)] * len(context.others_san)
    return np.concatenate(gains)


def _powers(forgetting: float) -> NDArray[np.float64]:
    powers = np.ones(BLOCK + 1)
    for k in range(1, BLOCK + 1):
        powers[k] = powers[k - 1] * forgetting
    return powers


def _new_memories(context: LeadContext, few: bool) -> Memories:
    sizes, gains = [], []
    for own, back, san_back, _ in _MEMORIES:
        reach = back if few else min(back, context.n_back)
        gains.append(_gains(context, own, reach, san_back))
        sizes.append((own, reach, san_back))
    gains.append(np.ones(N_COMBINED))
    sizes.append((0, 0, 0))
    n = len(sizes)
    width = max(padded_width(gain.size) for gain in gains)
    for_each = np.zeros((n, width))
    for i, gain in enumerate(gains):
        for_each[i, : gain.size] = gain
    forgetting = [memory[3] for memory in _MEMORIES] + [_COMBINE_FORGETTING]
    return Memories(
        rows=np.zeros((n, BLOCK, width)),
        weights=np.zeros((n, BLOCK)),
        products=np.zeros((n, width * width)),
        work=np.zeros(width * width),
        coefficients=np.zeros((n, width)),
        gains=for_each,
        decays=np.stack([_powers(factor) for factor in forgetting]),
        sizes=np.array(
            [
                (*reach, gain.size, padded_width(gain.size))
                for reach, gain in zip(sizes, gains, strict=True)
            ],
            np.int64,
        ),
    )


def new_experts(context: LeadContext, n_samples: int, few: bool) -> Experts:
    """Give the experts at the start of a lead; ``few`` leads allow more regressors of each."""
    chain = Chain(
        taps=np.zeros((N_CHAINED, _MAX_TAPS)),
        past=np.zeros((N_CHAINED, n_samples + _MAX_TAPS)),
        n_taps=np.array([n_taps for n_taps, _ in _CHAIN]),
        step=np.array([step for _, step in _CHAIN]),
    )
    return Experts(
        memories=_new_memories(context, few),
        chain=chain,
        predictions=np.zeros(N_EXPERTS),
        since=np.zeros(2, np.int64),
    )


@compiled
def _copy(
    row: NDArray[np.float64], column: int, series: NDArray[np.float64], first: int, n: int
) -> int:
    for j in range(n):
        row[column + j] = series[first + j]
    return column + n


@compiled
def _fill(
    row: NDArray[np.float64], sizes: NDArray[np.int64], context: LeadContext, at: int
) -> None:
    """Write the regressors of one sample that do not depend on the lead's own samples."""
    back, san_back = sizes[_BACK], sizes[_SAN_BACK]
    column = sizes[_OWN]
    for lead in range(context.others.shape[0]):
        column = _copy(row, column, context.others[lead], at - back, back + LOOK_AHEAD + 1)
    if context.beats.start.size == 0:
        return
    column = _copy(row, column, context.san, at - san_back, san_back + LOOK_AHEAD + 1)
    n_expected = EXPECTED_BACK + LOOK_AHEAD + 1
    column = _copy(row, column, context.expected, at - EXPECTED_BACK, n_expected)
    for lead in range(context.others_san.shape[0]):
        others_san = context.others_san[lead]
        column = _copy(row, column, others_san, at - LOOK_AHEAD, 2 * LOOK_AHEAD + 1)


@compiled
def prepare_experts(memories: Memories, context: LeadContext, begin: int, n_rows: int) -> None:
    """Set what is known of a block before its samples."""
    for e in range(N_MEMORIES):
        sizes, gains = memories.sizes[e], memories.gains[e]
        for k in range(n_rows):
            row = memories.rows[e, k]
            _fill(row, sizes, context, begin + k + PAD)
            for j in range(sizes[_OWN], sizes[_SIZE]):
                row[j] *= gains[j]


@compiled
def _sane(prediction: float) -> float:
    return prediction if abs(prediction) < _LIMIT else 0.0


@compiled
def predict(experts: Experts, k: int, t: int, difference: NDArray[np.float64]) -> None:
    """Set the predictions of sample ``t``, the block's ``k``-th."""
    memories, chain, predictions = experts.memories, experts.chain, experts.predictions
    for e in range(N_MEMORIES):
        row, gains, own = memories.rows[e, k], memories.gains[e], memories.sizes[e, _OWN]
        for i in range(own):
            row[i] = gains[i] * difference[t + PAD - own + i]
        predictions[e] = _sane(dot(memories.coefficients[e], 0, row, 0, memories.sizes[e, _SIZE]))
    chained = predictions[0]
    for i in range(N_CHAINED):
        n_taps = chain.n_taps[i]
        chained += _sane(dot(chain.taps[i], 0, chain.past[i], t + _MAX_TAPS - n_taps, n_taps))
        predictions[N_MEMORIES + i] = chained
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
        after = experts.predictions[N_MEMORIES + i]
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
def observe(
    experts: Experts, k: int, t: int, difference: float, scales: NDArray[np.float64]
) -> None:
    """Learn that sample ``t``, the block's ``k``-th, had this first difference.

    ``scales`` (N_EXPERTS,) are the mean magnitudes that were foretold.
    """
    memories = experts.memories
    _adapt_chain(experts, t, difference, scales[0])
    weight = 1.0 / (scales[LAST] * scales[LAST])
    for e in range(N_MEMORIES):
        memories.rows[e, k, memories.sizes[e, _SIZE]] = difference
        memories.weights[e, k] = weight
    waiting = experts.since[1]
    target = difference - experts.predictions[LAST - 1]
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
def learn_block(experts: Experts, n_rows: int) -> None:
    """Let the memories learn from a block; solve now and then."""
    experts.since[0] += n_rows
    ripe = experts.since[0] >= _SOLVE_EVERY
    for e in range(N_MEMORIES):
        _learn_rows(experts.memories, e, n_rows, _RIDGE, ripe)
    if ripe:
        experts.since[0] = 0
