"""A sample as a row of binary decisions, each foretold by every expert's density.

First whether it lies above the centre; then how many steps beyond, one decision each, steps about
as wide as the scale and from the ninth on each twice as wide as the one before; then the place in
the last step, by halving. After a few halvings densities are flat, and bits go out as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.entropy.logistic import logarithm, survive
from sancodec.entropy.mixer import DecisionCoder, Mixer, code_even, code_mixed, new_mixer

MAX_DECISIONS = 96
"""Most decisions that one sample takes: 1, 8 + 34 steps, and 34 halvings are fewer."""
N_PHASES = 24

_SPAN = 1 << 33
_EVEN_STEPS = 8
_HALVINGS = 4
_STEP_SHARE = 0.9
_MAX_STEP_BITS = 32
# A share of residuals too small to matter: no expert may be certain.
_DOUBT = 2.0**-40

_INVERSE, _OFFSET, _START, _END, _CUT = 0, 1, 2, 3, 4
_N_KINDS = 8
_STEP_NODES = 12
_FIRST_HALVING = 1 + 2 * _STEP_NODES
_N_NODES = _FIRST_HALVING + 4 * _HALVINGS
_N_CLASSES = 24
_CLASS_FLOOR, _CLASS_RATIO = 0.3, 1.3


class ValueCoder(NamedTuple):
    """All that codes samples, given the experts' predictions and scales.

    ``densities`` (5, n_experts) are those around the sample at hand, in rows: _INVERSE of each
    scale; _OFFSET of each prediction from where counting begins; shares of residuals from the
    _START of the interval on, from its _END on, and from the _CUT on.
    """

    tables: NDArray[np.float64]
    densities: NDArray[np.float64]
    mixer: Mixer
    coder: DecisionCoder


def new_value_coder(
    shares: Sequence[float], tables: NDArray[np.float64], coder: DecisionCoder
) -> ValueCoder:
    """Give the coder of a lead's samples at its start, when each expert has its share."""
    n_contexts = _N_NODES + (_N_CLASSES + N_PHASES) * _N_KINDS
    return ValueCoder(
        tables=tables,
        densities=np.zeros((5, len(shares))),
        mixer=new_mixer(shares, n_contexts, _N_NODES),
        coder=coder,
    )


@compiled
def _scale_class(scale: float) -> int:
    bound = _CLASS_FLOOR
    number = 0
    while number < _N_CLASSES - 1 and scale > bound:
        bound *= _CLASS_RATIO
        number += 1
    return number


@compiled
def _choose(mixer: Mixer, node: int, kind: int, scale_class: int, phase: int) -> None:
    """Choose weights by place in the binarisation, by loudness, and by phase of the beat."""
    chosen = mixer.chosen
    chosen[0] = node
    chosen[1] = _N_NODES + scale_class * _N_KINDS + kind
    chosen[2] = _N_NODES + (_N_CLASSES + phase) * _N_KINDS + kind
    chosen[3] = node


@compiled
def _cut(values: ValueCoder, distance: int) -> None:
    """Let every expert say how likely the sample lies ``distance`` or more from the centre."""
    tables, densities, inputs = values.tables, values.densities, values.mixer.inputs
    at = float(distance)
    for i in range(densities.shape[1]):
        cut = survive(tables, (at + densities[_OFFSET, i]) * densities[_INVERSE, i])
        densities[_CUT, i] = cut
        beyond = (cut - densities[_END, i]) + _DOUBT
        before = (densities[_START, i] - cut) + _DOUBT
        inputs[i] = logarithm(tables, beyond) - logarithm(tables, before)


@compiled
def _narrow(densities: NDArray[np.float64], beyond: int) -> None:
    """Keep the part of the interval that the decision says."""
    kept = _START if beyond else _END
    for i in range(densities.shape[1]):
        densities[kept, i] = densities[_CUT, i]


@compiled
def _mirror(densities: NDArray[np.float64], tables: NDArray[np.float64]) -> None:
    """Count downwards from the centre, to all there is."""
    for i in range(densities.shape[1]):
        densities[_OFFSET, i] = -densities[_OFFSET, i]
        densities[_END, i] = 0.0
        densities[_START, i] = survive(tables, densities[_OFFSET, i] * densities[_INVERSE, i])


@compiled
def _decide(
    decoding: bool,
    beyond: bool,
    cut: int,
    rate: float,
    values: ValueCoder,
) -> int:
    """Code or decode whether the distance is ``cut`` or more; keep that part of the interval."""
    _cut(values, cut)
    decision = 1 if beyond else 0
    decision = code_mixed(decoding, decision, values.mixer, rate, values.tables, values.coder)
    _narrow(values.densities, decision)
    return decision


@compiled
def _halve(  # noqa: PLR0917
    decoding: bool,
    distance: int,
    low: int,
    width: int,
    n_steps: int,
    scale_class: int,
    phase: int,
    rate: float,
    values: ValueCoder,
) -> int:
    """Code or decode which of ``low .. low + width - 1`` the distance is; give it."""
    level = 0
    while width > 1:
        width >>= 1
        beyond = distance >= low + width
        if level < _HALVINGS:
            node = _FIRST_HALVING + 4 * level + min(n_steps, 3)
            _choose(values.mixer, node, 4 + min(level, 2), scale_class, phase)
            low += width * _decide(decoding, beyond, low + width, rate, values)
        else:
            low += width * code_even(decoding, 1 if beyond else 0, values.coder)
        level += 1
    return low


@compiled
def _code_distance(  # noqa: PLR0917
    decoding: bool, distance: int, scale: float, phase: int, rate: float, values: ValueCoder
) -> int:
    """Code or decode how far from the centre the sample is, on the side that is known."""
    scale_class, step_bits = _scale_class(scale), 0
    while step_bits < _MAX_STEP_BITS and (2 << step_bits) <= _STEP_SHARE * scale:
        step_bits += 1
    width, low, n_steps = 1 << step_bits, 0, 0
    first_node = 1 + _STEP_NODES if step_bits else 1
    while low + width < _SPAN:
        node = first_node + min(n_steps, _STEP_NODES - 1)
        _choose(values.mixer, node, 1 + min(n_steps, 2), scale_class, phase)
        beyond = distance >= low + width
        if not _decide(decoding, beyond, low + width, rate, values):
            break
        low += width
        n_steps += 1
        if n_steps >= _EVEN_STEPS:
            width *= 2
    return _halve(decoding, distance, low, width, n_steps, scale_class, phase, rate, values)


@compiled
def set_experts(
    values: ValueCoder,
    predictions: NDArray[np.float64],
    scales: NDArray[np.float64],
    centre: float,
) -> None:
    """Say what (n_experts,) predictions and scales the next value has, and where its centre is."""
    densities = values.densities
    for i in range(scales.size):
        densities[_INVERSE, i] = 1.0 / scales[i]
        densities[_OFFSET, i] = (centre + 0.5) - predictions[i]
        densities[_START, i] = 1.0
        densities[_END, i] = 0.0


@compiled
def code_value(  # noqa: PLR0917
    decoding: bool,
    value: int,
    centre: int,
    scale: float,
    phase: int,
    rate: float,
    values: ValueCoder,
) -> int:
    """Code or decode a sample; give it.

    Parameters
    ----------
    value : int
        Within 2**32 of ``centre``; does not matter when decoding.
    scale : float
        Sets the width of the steps.
    phase : int
        Below N_PHASES.
    rate : float
        How fast the mixer learns.
    """
    # A zero, but not a literal: for that numba would compile the decision once more.
    nearest = min(0, phase)
    _choose(values.mixer, nearest, nearest, _scale_class(scale), phase)
    if _decide(decoding, value > centre, nearest, rate, values):
        beyond = value - centre - 1
        return centre + 1 + _code_distance(decoding, beyond, scale, phase, rate, values)
    _mirror(values.densities, values.tables)
    beyond = centre - value
    return centre - _code_distance(decoding, beyond, scale, phase, rate, values)
