"""How loud the next residual will be: a non-negative regression on magnitudes seen so far."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled

N_FEATURES = 8
PHASE, NEAR, AROUND, CONSTANT = 4, 5, 6, 7
"""Features after the four moving averages: mean magnitude at the same phase of past beats, of
leads already coded at this sample and around it, and 1."""

_SPEEDS = (0.2, 0.05, 0.01, 0.001)
_START = 4.0
_FLOOR = 0.05
_CEILING = float(1 << 36)
# No residual is larger; a regression that runs away would leave the density no room.
_PRIOR_WEIGHTS = (0.35, 0.05, 0.09, 0.15, 0.25, 0.03, 0.02, 0.1)
_PRIOR_COUNT = 10.0
_FORGETTING = 0.98
_SWEEPS = 2


class ScaleState(NamedTuple):
    """What the regression remembers; all arrays float64."""

    features: NDArray[np.float64]
    weights: NDArray[np.float64]
    products: NDArray[np.float64]
    targets: NDArray[np.float64]


def new_scale_state() -> ScaleState:
    """Give the state at the start of a lead."""
    features = np.full(N_FEATURES, _START)
    features[PHASE:] = 0.0
    features[CONSTANT] = 1.0
    return ScaleState(
        features=features,
        weights=np.array(_PRIOR_WEIGHTS),
        products=np.zeros((N_FEATURES, N_FEATURES)),
        targets=np.zeros(N_FEATURES),
    )


@compiled
def predict_scale(state: ScaleState) -> float:
    """Give the predicted mean magnitude, in ADC units, from the features as they are set."""
    scale = 0.0
    for i in range(N_FEATURES):
        scale += state.weights[i] * state.features[i]
    if not scale < _CEILING:
        return _CEILING
    return max(scale, _FLOOR)


@compiled
def observe_magnitude(state: ScaleState, magnitude: float, scale: float) -> None:
    """Learn that ``magnitude`` came where ``scale`` was predicted."""
    weight = 1.0 / (scale * scale)
    features = state.features
    for i in range(N_FEATURES):
        weighted = features[i] * weight
        for j in range(N_FEATURES):
            state.products[i, j] += weighted * features[j]
        state.targets[i] += weighted * magnitude
    for i in range(4):
        features[i] += (magnitude - features[i]) * _SPEEDS[i]


@compiled
def update_weights(state: ScaleState, decay: float) -> None:
    """Refit the weights by coordinate descent, none below 0, and forget a little."""
    for _ in range(_SWEEPS):
        for i in range(N_FEATURES):
            rest = state.targets[i] + _PRIOR_COUNT * _PRIOR_WEIGHTS[i]
            for j in range(N_FEATURES):
                if j != i:
                    rest -= state.products[i, j] * state.weights[j]
            state.weights[i] = max(rest / (state.products[i, i] + _PRIOR_COUNT), 0.0)
    for i in range(N_FEATURES):
        for j in range(N_FEATURES):
            state.products[i, j] *= decay
        state.targets[i] *= decay
