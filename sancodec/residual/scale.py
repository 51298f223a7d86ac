"""How loud the next residual will be: a non-negative regression on magnitudes seen so far."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled, inlined
from sancodec.formats.primers import LeadStart
from sancodec.residual.regression import padded_width

N_FEATURES = 8
N_MOVING = 4
PHASE, NEAR, AROUND, CONSTANT = 4, 5, 6, 7
"""Features after the moving averages: mean magnitude at the same phase of past beats, of leads
already coded at this sample and around it, and 1."""
STEP, CORRECTION = 8, 9
"""Two more in the wide residual: magnitudes of what each stage of the predictor expects."""

SPEEDS = (0.2, 0.05, 0.01, 0.001)
CEILING = float(1 << 36)
"""No residual is larger; a regression that runs away would leave the density no room."""
FLOOR = 0.05
SCALE_SHOCK = 0.02
"""How much of a squared magnitude adds to the squared scale where a sample is weighed."""

_START = 4.0
PRIOR_WEIGHTS = (0.35, 0.05, 0.09, 0.15, 0.25, 0.03, 0.02, 0.1)
_PRIOR_COUNT = 10.0
_SWEEPS = 2
_PRIMER_UNIT = 1.0 / 16.0


class ScaleState(NamedTuple):
    """What the regression remembers; all arrays float64.

    ``rows`` (n_rows, padded width) are the features of a block's samples and, behind them, the
    magnitudes that came; ``calm`` (n_rows,) is the part of each scale that is known at the start
    of the block; ``products`` is as in ``regression.accumulate``; the weights begin as ``prior``.
    """

    moving: NDArray[np.float64]
    weights: NDArray[np.float64]
    rows: NDArray[np.float64]
    calm: NDArray[np.float64]
    products: NDArray[np.float64]
    prior: NDArray[np.float64]


def new_scale_state(n_rows: int, prior: tuple[float, ...] = PRIOR_WEIGHTS) -> ScaleState:
    """Give the state at the start of a lead, for blocks of at most ``n_rows``."""
    width = padded_width(len(prior))
    return ScaleState(
        moving=np.full(N_MOVING, _START),
        weights=np.array(prior),
        rows=np.zeros((n_rows, width)),
        calm=np.zeros(n_rows),
        products=np.zeros((len(prior) + 1, width)),
        prior=np.array(prior),
    )


def begin_primed(state: ScaleState, primed: LeadStart) -> None:
    """Let a state of the wide residual begin with what other records taught."""
    n_rows = state.products.shape[0]
    state.products[:, :n_rows] = primed.loud * _PRIMER_UNIT
    state.moving[:] = primed.moving * _PRIMER_UNIT
    update_weights(state)


@compiled
def prepare_scales(  # noqa: PLR0917
    state: ScaleState,
    loud: NDArray[np.float64],
    near: NDArray[np.float64],
    around: NDArray[np.float64],
    begin: int,
    n_rows: int,
) -> None:
    """Set what is known of the scales of ``n_rows`` samples from ``begin`` on."""
    weights = state.weights
    for k in range(n_rows):
        row = state.rows[k]
        row[PHASE] = loud[begin + k]
        row[NEAR] = near[begin + k]
        row[AROUND] = around[begin + k]
        row[CONSTANT] = 1.0
        known = (weights[PHASE] * row[PHASE] + weights[NEAR] * row[NEAR]) + weights[AROUND] * row[
            AROUND
        ]
        state.calm[k] = known + weights[CONSTANT]


@inlined
def predict_scale(state: ScaleState, k: int) -> float:
    """Give the predicted mean magnitude of the block's sample ``k``, in ADC units."""
    return _bounded(_quiet_scale(state, k))


@inlined
def predict_wide_scale(state: ScaleState, k: int, step: float, correction: float) -> float:
    """Give the scale with two more features, which are known last."""
    weights, row = state.weights, state.rows[k]
    row[STEP], row[CORRECTION] = abs(step), abs(correction)
    stirred = weights[STEP] * row[STEP] + weights[CORRECTION] * row[CORRECTION]
    return _bounded(_quiet_scale(state, k) + stirred)


@inlined
def _quiet_scale(state: ScaleState, k: int) -> float:
    moving, weights, rows = state.moving, state.weights, state.rows
    for i in range(N_MOVING):
        rows[k, i] = moving[i]
    quick = weights[0] * moving[0] + weights[1] * moving[1]
    slow = weights[2] * moving[2] + weights[3] * moving[3]
    return float((state.calm[k] + slow) + quick)


@inlined
def _bounded(scale: float) -> float:
    if not scale < CEILING:
        return CEILING
    return max(scale, FLOOR)


@inlined
def observe_magnitude(state: ScaleState, k: int, magnitude: float) -> None:
    """Note the magnitude of the block's sample ``k``."""
    state.rows[k, state.weights.size] = magnitude
    moving = state.moving
    moving[0] += (magnitude - moving[0]) * SPEEDS[0]
    moving[1] += (magnitude - moving[1]) * SPEEDS[1]
    moving[2] += (magnitude - moving[2]) * SPEEDS[2]
    moving[3] += (magnitude - moving[3]) * SPEEDS[3]


@compiled
def update_weights(state: ScaleState) -> None:
    """Refit the weights by coordinate descent, none below 0."""
    products, weights, n = state.products, state.weights, state.weights.size
    for _ in range(_SWEEPS):
        for i in range(n):
            rest = products[i, n] + _PRIOR_COUNT * state.prior[i]
            for j in range(i):
                rest -= products[j, i] * weights[j]
            for j in range(i + 1, n):
                rest -= products[i, j] * weights[j]
            weights[i] = max(rest / (products[i, i] + _PRIOR_COUNT), 0.0)
