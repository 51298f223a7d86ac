"""Binary decisions whose probability is mixed from the predictions of several experts.

Each expert's prediction is a log-odds. Three sets of weights, each chosen by its own context, give
three weighted sums; the sums are weighted once more, and squashed (Mahoney 2005, logistic mixing).
Every weight then moves along the gradient of what the decision cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.entropy.logistic import MAX_STRETCH, squash
from sancodec.entropy.rans import LOWER_BOUND, advance, words_of

N_SETS = 3
PROBABILITY_BITS = 16

_ONE = 1 << PROBABILITY_BITS
_HALF = _ONE >> 1
_FINAL_RATE = 0.002
_BIAS = 0.3


class Mixer(NamedTuple):
    """Weights, and room for the decision at hand.

    ``weights`` (n_contexts, n_experts + 1) and ``final`` (n_final, N_SETS) adapt; ``inputs``
    (n_experts + 1,) are the experts' log-odds and, last, a constant; ``chosen`` (N_SETS + 1,) are
    the rows of ``weights`` and that of ``final`` to use.
    """

    weights: NDArray[np.float64]
    final: NDArray[np.float64]
    inputs: NDArray[np.float64]
    chosen: NDArray[np.int64]


class DecisionCoder(NamedTuple):
    """Decisions to append to (encoding) or words to take from (decoding).

    A decision is its probability of being 1, of 2**16, then the decision as the lowest bit;
    ``n_decisions`` is (1,).
    """

    decisions: NDArray[np.uint32]
    n_decisions: NDArray[np.int64]
    words: NDArray[np.uint32]
    cursor: NDArray[np.int64]


def room_for(n_decisions: int) -> DecisionCoder:
    """Give a coder that can take so many decisions."""
    return _coder(np.zeros(0, np.uint32), np.zeros(3, np.int64), n_decisions)


def decisions_of(payload: bytes, field: str) -> DecisionCoder:
    """Give a coder of the decisions of ``payload_of``.

    Raises
    ------
    CorruptError
        The payload is no whole number of words, or its first state is invalid.
    """
    return _coder(*words_of(payload, field), 0)


def payload_of(decisions: Sequence[NDArray[np.uint32]]) -> bytes:
    """Give the bytes of decisions, one part after the other."""
    return encode_decisions(np.concatenate(decisions)).astype("<u4").tobytes()


def _coder(words: NDArray[np.uint32], cursor: NDArray[np.int64], n_decisions: int) -> DecisionCoder:
    return DecisionCoder(
        decisions=np.empty(n_decisions, np.uint32),
        n_decisions=np.zeros(1, np.int64),
        words=words,
        cursor=cursor,
    )


def new_mixer(shares: Sequence[float], n_contexts: int, n_final: int) -> Mixer:
    """Give a mixer that starts with these ``shares`` of its experts."""
    n_experts = len(shares)
    weights = np.zeros((n_contexts, n_experts + 1))
    weights[:, :n_experts] = shares
    inputs = np.zeros(n_experts + 1)
    inputs[n_experts] = _BIAS
    return Mixer(
        weights=weights,
        final=np.full((n_final, N_SETS), 1.0 / N_SETS),
        inputs=inputs,
        chosen=np.zeros(N_SETS + 1, np.int64),
    )


@compiled
def code_decision(decoding: bool, decision: int, one: int, coder: DecisionCoder) -> int:
    """Code or decode a decision that is 1 with ``one`` of 2**16; give it."""
    if decoding:
        state, words = coder.cursor, coder.words
        if (state[0] & (_ONE - 1)) < one:
            advance(words, state, 0, one, PROBABILITY_BITS)
            return 1
        advance(words, state, one, _ONE - one, PROBABILITY_BITS)
        return 0
    n_decisions = coder.n_decisions
    coder.decisions[n_decisions[0]] = (one << 1) | decision
    n_decisions[0] += 1
    return decision


@compiled
def code_even(decoding: bool, decision: int, coder: DecisionCoder) -> int:
    """Code or decode a decision of which nothing is known; give it."""
    return code_decision(decoding, decision, _HALF, coder)


@compiled
def _within(x: float) -> float:
    return min(max(x, -MAX_STRETCH), MAX_STRETCH)


@compiled
def code_mixed(  # noqa: PLR0917
    decoding: bool,
    decision: int,
    mixer: Mixer,
    rate: float,
    tables: NDArray[np.float64],
    coder: DecisionCoder,
) -> int:
    """Code or decode a decision by the mixer's inputs and choice of weights, and learn from it.

    ``decision`` does not matter when decoding; ``rate`` is how fast weights move. Gives the
    decision.
    """
    weights, inputs = mixer.weights, mixer.inputs
    a, b, c = mixer.chosen[0], mixer.chosen[1], mixer.chosen[2]
    sum_a, sum_b, sum_c = 0.0, 0.0, 0.0
    for i in range(inputs.size):
        sum_a += weights[a, i] * inputs[i]
        sum_b += weights[b, i] * inputs[i]
        sum_c += weights[c, i] * inputs[i]
    sum_a, sum_b, sum_c = _within(sum_a), _within(sum_b), _within(sum_c)
    final = mixer.final[mixer.chosen[N_SETS]]
    mixed = _within((final[0] * sum_a + final[1] * sum_b) + final[2] * sum_c)
    probability = squash(tables, mixed)
    one = min(max(int(probability * _ONE), 1), _ONE - 1)
    decision = code_decision(decoding, decision, one, coder)
    came = float(decision)
    miss = (came - probability) * _FINAL_RATE
    final[0] += miss * sum_a
    final[1] += miss * sum_b
    final[2] += miss * sum_c
    miss_a = (came - squash(tables, sum_a)) * rate
    miss_b = (came - squash(tables, sum_b)) * rate
    miss_c = (came - squash(tables, sum_c)) * rate
    for i in range(inputs.size):
        weights[a, i] += miss_a * inputs[i]
        weights[b, i] += miss_b * inputs[i]
        weights[c, i] += miss_c * inputs[i]
    return decision


@compiled
def encode_decisions(decisions: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Give the (n_words,) uint32 words of which a decoder takes ``decisions`` in order."""
    words = np.empty(decisions.size + 2, np.uint32)
    at = words.size
    state = LOWER_BOUND
    for i in range(decisions.size - 1, -1, -1):
        one = int(np.int64(decisions[i] >> 1))
        start, freq = (0, one) if decisions[i] & 1 else (one, _ONE - one)
        if state >> (63 - PROBABILITY_BITS) >= freq:
            at -= 1
            words[at] = state & 0xFFFFFFFF
            state >>= 32
        quotient = state // freq
        state = (quotient << PROBABILITY_BITS) + (state - quotient * freq) + start
    at -= 1
    words[at] = state & 0xFFFFFFFF
    at -= 1
    words[at] = state >> 32
    return words[at:]
