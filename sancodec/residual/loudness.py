"""The scales of several experts at once: one ``scale`` regression for each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.residual.context import WideContext
from sancodec.residual.predictor import pad_rows
from sancodec.residual.regression import accumulate
from sancodec.residual.scale import (
    CEILING,
    FLOOR,
    N_MOVING,
    PRIOR_WEIGHTS,
    SCALE_SHOCK,
    SPEEDS,
    STEP,
    ScaleState,
    new_scale_state,
    prepare_scales,
    update_weights,
)


class Loudness(NamedTuple):
    """The arrays of a ``ScaleState``, with the experts as first axis.

    ``scales`` (n_experts,) are those of the sample at hand, in ADC units; ``sample_weights``
    (n_experts, n_rows) those of the block's samples in the regressions.
    """

    moving: NDArray[np.float64]
    weights: NDArray[np.float64]
    rows: NDArray[np.float64]
    calm: NDArray[np.float64]
    products: NDArray[np.float64]
    prior: NDArray[np.float64]
    scales: NDArray[np.float64]
    sample_weights: NDArray[np.float64]


def new_loudness(n_experts: int, n_rows: int) -> Loudness:
    """Give the state at the start of a lead, for blocks of at most ``n_rows``."""
    states = [new_scale_state(n_rows, (*PRIOR_WEIGHTS, 0.0)) for _ in range(n_experts)]
    return Loudness(
        moving=np.stack([state.moving for state in states]),
        weights=np.stack([state.weights for state in states]),
        rows=np.stack([state.rows for state in states]),
        calm=np.stack([state.calm for state in states]),
        products=np.stack([state.products for state in states]),
        prior=np.stack([state.prior for state in states]),
        scales=np.zeros(n_experts),
        sample_weights=np.zeros((n_experts, n_rows)),
    )


@compiled
def _state(loudness: Loudness, e: int) -> ScaleState:
    return ScaleState(
        loudness.moving[e],
        loudness.weights[e],
        loudness.rows[e],
        loudness.calm[e],
        loudness.products[e],
        loudness.prior[e],
    )


@compiled
def prepare_loudness(loudness: Loudness, context: WideContext, begin: int, n_rows: int) -> None:
    """Set what is known of the scales of a block before its samples."""
    for e in range(loudness.scales.size):
        state = _state(loudness, e)
        prepare_scales(state, context.loud, context.near, context.around, begin, n_rows)


@compiled
def predict_scales(loudness: Loudness, k: int, predictions: NDArray[np.float64]) -> None:
    """Set the scales of the block's sample ``k``, each as ``scale.predict_scale`` does."""
    moving, weights, rows = loudness.moving, loudness.weights, loudness.rows
    for e in range(loudness.scales.size):
        for i in range(N_MOVING):
            rows[e, k, i] = moving[e, i]
        quick = weights[e, 0] * moving[e, 0] + weights[e, 1] * moving[e, 1]
        slow = weights[e, 2] * moving[e, 2] + weights[e, 3] * moving[e, 3]
        rows[e, k, STEP] = abs(predictions[e])
        stirred = weights[e, STEP] * rows[e, k, STEP]
        scale = ((loudness.calm[e, k] + slow) + quick) + stirred
        # A scale that is not a number is not below the ceiling either.
        loudness.scales[e] = max(scale, FLOOR) if scale < CEILING else CEILING


@compiled
def observe_magnitudes(
    loudness: Loudness, k: int, difference: float, predictions: NDArray[np.float64]
) -> float:
    """Learn by how much each expert missed the block's sample ``k``; give it of the last."""
    moving, magnitude = loudness.moving, 0.0
    for e in range(loudness.scales.size):
        scale = loudness.scales[e]
        magnitude = abs(difference - predictions[e])
        loudness.rows[e, k, loudness.weights.shape[1]] = magnitude
        for i in range(N_MOVING):
            moving[e, i] += (magnitude - moving[e, i]) * SPEEDS[i]
        loudness.sample_weights[e, k] = 1.0 / (
            scale * scale + SCALE_SHOCK * (magnitude * magnitude)
        )
    return magnitude


@compiled
def learn_loudness(loudness: Loudness, n_rows: int, decay: float) -> None:
    """Refit all regressions with a block."""
    for e in range(loudness.scales.size):
        state, weights = _state(loudness, e), loudness.sample_weights[e]
        accumulate(state.products, state.rows, weights, pad_rows(weights, n_rows), decay)
        update_weights(state)
