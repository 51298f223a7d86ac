"""How likely a decision is: adaptive contexts, each an expert, mixed in the logistic domain.

Each expert looks its probability up by a context of its own, and speaks the louder the more it
has seen there. Three sets of weights, each chosen by a context, give three weighted sums of what
they say; their mean is squashed (Mahoney 2005, logistic mixing). All of it is binary64 with
+ - * / in the order written, and tables of integers.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.entropy.logistic import MAX_STRETCH, logarithm, logistic_tables, squash
from sancodec.entropy.mixer import PROBABILITY_BITS, DecisionCoder, code_decision
from sancodec.formats.primers import TransformStart

N_EXPERTS = 7
N_SETS = 3

_ONE = 1 << PROBABILITY_BITS
_CELLS = 4096
_LEAST = 1.0 / _CELLS
_BIAS = 0.3
_FIRST_WEIGHT = 0.25
_WEIGHT_RATE = 0.02
_SLOWEST = 180.0
# The first decision in a context counts as 1 / _HASTE; an expert that has seen n decisions speaks
# with (n + _TRUST) / (n + _DOUBT) of its voice.
_HASTE = 1.6
_TRUST, _DOUBT = 0.3, 1.5
_CHANCE_UNIT, _SEEN_UNIT, _WEIGHT_UNIT = 65536.0, 8.0, 4096.0


class Model(NamedTuple):
    """Contexts, weights, and room for the decision at hand.

    ``probability`` and ``seen`` (n_contexts,) adapt, and so do ``weights`` (n_sets, N_EXPERTS +
    1). For the decision at hand ``context`` (N_EXPERTS,) and ``chosen`` (N_SETS,) say which;
    ``inputs`` (N_EXPERTS + 1,) are log-odds and last a constant, ``sums`` (N_SETS + 1,) the
    weighted sums and last the mixed probability.
    """

    probability: NDArray[np.float64]
    seen: NDArray[np.float64]
    weights: NDArray[np.float64]
    context: NDArray[np.int64]
    chosen: NDArray[np.int64]
    inputs: NDArray[np.float64]
    sums: NDArray[np.float64]
    stretched: NDArray[np.float64]
    tables: NDArray[np.float64]


@cache
def _stretched() -> NDArray[np.float64]:
    """Give ln(p / (1 - p)) for p in steps of 1 / _CELLS; at the ends for half a step."""
    tables = logistic_tables()
    places = np.arange(_CELLS + 1) / _CELLS
    places[0], places[_CELLS] = 0.5 / _CELLS, 1.0 - 0.5 / _CELLS
    return np.array([logarithm(tables, p) - logarithm(tables, 1.0 - p) for p in places])


def new_model(n_contexts: int, n_weights: int) -> Model:
    """Give the model at the start of a chunk: nothing seen."""
    weights = np.full((n_weights, N_EXPERTS + 1), _FIRST_WEIGHT)
    weights[:, N_EXPERTS] = 0.0
    inputs = np.zeros(N_EXPERTS + 1)
    inputs[N_EXPERTS] = _BIAS
    return Model(
        probability=np.full(n_contexts, 0.5),
        seen=np.zeros(n_contexts),
        weights=weights,
        context=np.zeros(N_EXPERTS, np.int64),
        chosen=np.zeros(N_SETS, np.int64),
        inputs=inputs,
        sums=np.zeros(N_SETS + 1),
        stretched=_stretched(),
        tables=logistic_tables(),
    )


def begin_primed(model: Model, start: TransformStart) -> None:
    """Let a model begin with what other records taught."""
    model.probability[start.contexts] = start.chances / _CHANCE_UNIT
    model.seen[start.contexts] = start.seen / _SEEN_UNIT
    model.weights[start.rows] = start.weights / _WEIGHT_UNIT


@compiled
def _within(x: float) -> float:
    return min(max(x, -MAX_STRETCH), MAX_STRETCH)


@compiled
def foretell(model: Model) -> float:
    """Give the probability that the decision at hand is 1."""
    inputs, weights = model.inputs, model.weights
    for k in range(N_EXPERTS):
        at = model.context[k]
        seen = model.seen[at]
        place = model.probability[at] * _CELLS
        cell = int(place)
        low = model.stretched[cell]
        log_odds = low + (model.stretched[cell + 1] - low) * (place - cell)
        inputs[k] = log_odds * ((seen + _TRUST) / (seen + _DOUBT))
    a, b, c = model.chosen[0], model.chosen[1], model.chosen[2]
    sum_a, sum_b, sum_c = 0.0, 0.0, 0.0
    for k in range(N_EXPERTS + 1):
        sum_a += weights[a, k] * inputs[k]
        sum_b += weights[b, k] * inputs[k]
        sum_c += weights[c, k] * inputs[k]
    sum_a, sum_b, sum_c = _within(sum_a), _within(sum_b), _within(sum_c)
    sums = model.sums
    sums[0], sums[1], sums[2] = sum_a, sum_b, sum_c
    sums[N_SETS] = squash(model.tables, ((sum_a + sum_b) + sum_c) / 3.0)
    return float(sums[N_SETS])


@compiled
def _learn(model: Model, decision: int) -> None:
    """Move what said the probability of the decision at hand towards what came."""
    came = float(decision)
    for s in range(N_SETS):
        miss = (came - squash(model.tables, model.sums[s])) * _WEIGHT_RATE
        row = model.chosen[s]
        for k in range(N_EXPERTS + 1):
            model.weights[row, k] += miss * model.inputs[k]
    for k in range(N_EXPERTS):
        at = model.context[k]
        seen = model.seen[at]
        probability = model.probability[at]
        probability += (came - probability) / (seen + _HASTE)
        model.probability[at] = min(max(probability, _LEAST), 1.0 - _LEAST)
        if seen < _SLOWEST:
            model.seen[at] = seen + 1.0


@compiled
def decide(decoding: bool, decision: int, model: Model, coder: DecisionCoder) -> int:
    """Code or decode a decision by the contexts chosen, and learn from it; give it."""
    probability = foretell(model)
    one = min(max(int(probability * _ONE), 1), _ONE - 1)
    decision = code_decision(decoding, decision, one, coder)
    _learn(model, decision)
    return decision
