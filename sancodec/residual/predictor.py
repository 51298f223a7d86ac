"""The predictor of a lead: least squares that adapts, and a cascade behind it.

The weights of the cascade follow one sample late: a decoder then need not wait for them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled, inlined
from sancodec.residual.lead import N_OWN
from sancodec.residual.regression import UNROLL, accumulate, padded_width, solve

BLOCK = 32

_FORGETTING = 0.9995
_SCALE_FORGETTING = 0.98
_RIDGE = 10.0
_STEP = 0.01
_SOLVE_EVERY = 96
_WARM_UP = 4096
_LIMIT = float(1 << 34)


class Predictor(NamedTuple):
    """What the predictor of one lead remembers; all arrays float64.

    ``rows`` (BLOCK, padded width) are a block's regressors and, behind them, its targets;
    ``known`` (BLOCK,) is the part of each prediction that is known at the start of the block;
    ``since_solved`` (1,) counts samples.
    """

    rows: NDArray[np.float64]
    weights: NDArray[np.float64]
    known: NDArray[np.float64]
    products: NDArray[np.float64]
    work: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    cascade: NDArray[np.float64]
    since_solved: NDArray[np.int64]


def new_predictor(n_regressors: int) -> Predictor:
    """Give the predictor at the start of a lead: it expects no change."""
    width = padded_width(n_regressors)
    return Predictor(
        rows=np.zeros((BLOCK, width)),
        weights=np.zeros(BLOCK),
        known=np.zeros(BLOCK),
        products=np.zeros((n_regressors + 1, width)),
        work=np.zeros((n_regressors + 1, width)),
        coefficients=np.zeros(n_regressors),
        cascade=np.zeros(N_OWN),
        since_solved=np.zeros(1, np.int64),
    )


def decay_powers() -> NDArray[np.float64]:
    """Give (2, BLOCK + 1): how much n samples forget, of the predictor and of the scale."""
    decays = np.ones((2, BLOCK + 1))
    for k in range(1, BLOCK + 1):
        decays[0, k] = decays[0, k - 1] * _FORGETTING
    # The scale forgets by its factor once for every full block.
    decays[1] = 1.0 - (1.0 - _SCALE_FORGETTING) * (np.arange(BLOCK + 1) / BLOCK)
    return decays


@inlined
def dot(a: NDArray[np.float64], at_a: int, b: NDArray[np.float64], at_b: int, n: int) -> float:
    """Give the sum of ``a[at_a + i] * b[at_b + i]``, i below n, in four interleaved sums.

    Offsets instead of slices: making a slice costs as much as the sum.
    """
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    whole = n - n % 4
    for i in range(0, whole, 4):
        s0 += a[at_a + i] * b[at_b + i]
        s1 += a[at_a + i + 1] * b[at_b + i + 1]
        s2 += a[at_a + i + 2] * b[at_b + i + 2]
        s3 += a[at_a + i + 3] * b[at_b + i + 3]
    for i in range(whole, n):
        s0 += a[at_a + i] * b[at_b + i]
    return (s0 + s1) + (s2 + s3)


@compiled
def prepare_block(predictor: Predictor, n_rows: int) -> None:
    """Sum up what the regressors that ``fill_known`` wrote say of each sample."""
    coefficients = predictor.coefficients
    n_known = coefficients.size - N_OWN
    for k in range(n_rows):
        predictor.known[k] = dot(coefficients, N_OWN, predictor.rows[k], N_OWN, n_known)


@inlined
def predict_step(predictor: Predictor, k: int, difference: NDArray[np.float64], at: int) -> float:
    """Give the expected first difference of the block's sample ``k`` by least squares.

    The lead's last N_OWN first differences stand at ``difference[at]`` and behind; the newest is
    added last.
    """
    rows, coefficients = predictor.rows, predictor.coefficients
    for i in range(N_OWN):
        rows[k, i] = difference[at + i]
    older = predictor.known[k] + dot(coefficients, 0, difference, at, N_OWN - 1)
    step = older + coefficients[N_OWN - 1] * difference[at + N_OWN - 1]
    return step if abs(step) < _LIMIT else 0.0


@inlined
def predict_error(predictor: Predictor, error: NDArray[np.float64], at: int) -> float:
    """Give what the least squares are expected to miss, from the N_OWN errors from ``at`` on."""
    cascade = predictor.cascade
    older = dot(cascade, 0, error, at, N_OWN - 1)
    correction = older + cascade[N_OWN - 1] * error[at + N_OWN - 1]
    return correction if abs(correction) < _LIMIT else 0.0


@inlined
def adapt_cascade(predictor: Predictor, error: NDArray[np.float64], at: int, gain: float) -> None:
    """Move the cascade's weights along the N_OWN errors from ``at`` on, by ``gain``."""
    cascade = predictor.cascade
    for i in range(N_OWN):
        cascade[i] += gain * error[at + i]


@inlined
def cascade_step(error: NDArray[np.float64], at: int, scale: float) -> float:
    """Give the gain for each unit missed (normalised least mean squares)."""
    power = dot(error, at, error, at, N_OWN)
    return _STEP / ((power + 1.0) + scale * scale)


@compiled
def pad_rows(weights: NDArray[np.float64], n_rows: int) -> int:
    """Set the weights behind a block to 0 up to a multiple of UNROLL, and give that."""
    padded = (n_rows + UNROLL - 1) // UNROLL * UNROLL
    for k in range(n_rows, padded):
        weights[k] = 0.0
    return padded


@compiled
def learn_block(predictor: Predictor, begin: int, n_rows: int, decays: NDArray[np.float64]) -> None:
    """Add the block's rows to the least squares, older ones weighing less; solve now and then."""
    weights = predictor.weights
    for k in range(n_rows):
        weights[k] *= decays[n_rows - 1 - k]
    padded = pad_rows(weights, n_rows)
    accumulate(predictor.products, predictor.rows, weights, padded, decays[n_rows])
    predictor.since_solved[0] += n_rows
    since = predictor.since_solved[0]
    if since >= _SOLVE_EVERY or (begin < _WARM_UP and since >= BLOCK):
        solve(predictor.products, predictor.work, predictor.coefficients, _RIDGE)
        predictor.since_solved[0] = 0
