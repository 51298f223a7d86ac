"""Lossless residual layer of signals that dwell on few values: each change told bit by bit.

A signal that holds its value for long, or jumps between the few levels of a coarse converter, is
not well told by a density around a prediction. Here the first difference is told by decisions:
whether there is any, its sign, its magnitude. What came before in each of several contexts says
how likely each decision is, and what they say is mixed by weights that adapt. One function walks
through the samples in both directions, so encoder and decoder cannot drift apart. All arithmetic
that the decoder repeats is binary64 with + - * / in the order written here, or a table of integers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.entropy.logistic import logarithm, logistic_tables
from sancodec.entropy.mixer import (
    DecisionCoder,
    Mixer,
    code_mixed,
    decisions_of,
    new_mixer,
    payload_of,
    room_for,
)
from sancodec.entropy.rans import at_end
from sancodec.errors import CorruptError
from sancodec.residual.coder import HIGHEST, LOWEST

_N_CONTEXTS = 8
_TABLE_BITS = 16
_RATE, _FIRST_RATE, _RATE_FADES = 0.006, 0.02, 0.02
_COUNT_LIMIT = 127.0
_ZERO, _SIGN, _EXPONENT, _MANTISSA = 0, 1, 2, 40
_N_NODES = 80
_MAX_BITS = 33
MAX_DECISIONS = 2 + 2 * _MAX_BITS + 2
_N_RUNS, _N_SIZES = 16, 16
WORTH_A_TRIAL = 1.15
"""Where the entropy of differences is below so many times what a prediction leaves, it is tried."""


class DiscreteLead(NamedTuple):
    """All that the walk through one lead reads and changes.

    ``chances`` and ``counts`` (_N_CONTEXTS, 2 ** _TABLE_BITS) float64 are how likely a decision of
    1 is, and how often it was seen; ``slots`` (_N_CONTEXTS,) are those of the sample at hand.
    """

    samples: NDArray[np.int64]
    other: NDArray[np.int64]
    chances: NDArray[np.float64]
    counts: NDArray[np.float64]
    slots: NDArray[np.int64]
    mixer: Mixer
    tables: NDArray[np.float64]
    coder: DecisionCoder


@compiled
def _clip(value: int, limit: int) -> int:
    return min(max(value, -limit), limit)


@compiled
def _size(value: int) -> int:
    """Give the number of bits of a magnitude."""
    n = 0
    left = abs(value)
    while left > 0 and n < _N_SIZES - 1:
        left >>= 1
        n += 1
    return n


@compiled
def _hash(kind: int, a: int, b: int) -> int:
    """Give the slot of a context; values of any size are folded into the table."""
    mask = (1 << 31) - 1
    folded = ((a & mask) * 40503 + (b & mask) * 60493 + kind * 30011) & mask
    folded = (folded ^ (folded >> 15)) * 46337 & mask
    return int((folded ^ (folded >> 13)) & ((1 << _TABLE_BITS) - 1))


@compiled
def _set_contexts(lead: DiscreteLead, t: int, run: int, last: int) -> None:
    """Choose the slots for sample ``t``: what the signal did, and what the other lead does."""
    samples, slots, other = lead.samples, lead.slots, lead.other
    level = samples[t - 1]
    d1 = level - samples[t - 2] if t > 1 else 0
    d2 = samples[t - 2] - samples[t - 3] if t > 2 else 0
    d3 = samples[t - 3] - samples[t - 4] if t > 3 else 0
    near = other[t] - other[t - 1]
    ahead = other[t + 1] - other[t] if t + 1 < other.size else 0
    length = _size(run)
    slots[0] = _hash(0, 0, 0)
    slots[1] = _hash(1, _clip(d1, 64), 0)
    slots[2] = _hash(2, _clip(d1, 16), _clip(d2, 16))
    slots[3] = _hash(3, min(run, 24), _clip(last, 8))
    slots[4] = _hash(4, level, 0)
    slots[5] = _hash(5, _clip(near, 32), _clip(d1, 4))
    slots[6] = _hash(6, level, 64 * _clip(d1, 16) + length)
    slots[7] = _hash(7, _size(d1) * 256 + _size(d2) * 16 + _size(d3), _clip(ahead, 4))
    mixer = lead.mixer
    mixer.chosen[1] = _N_NODES + length
    mixer.chosen[2] = _N_NODES + _N_RUNS + _size(d1)


@compiled
def _decide(decoding: bool, decision: int, node: int, rate: float, lead: DiscreteLead) -> int:
    """Code or decode one decision, and let all its contexts learn from it."""
    mask, mixer, tables = (1 << _TABLE_BITS) - 1, lead.mixer, lead.tables
    for i in range(_N_CONTEXTS):
        chance = lead.chances[i, (lead.slots[i] + node * 331) & mask]
        mixer.inputs[i] = logarithm(tables, chance) - logarithm(tables, 1.0 - chance)
    mixer.chosen[0], mixer.chosen[3] = node, node
    came = code_mixed(decoding, decision, mixer, rate, tables, lead.coder)
    for i in range(_N_CONTEXTS):
        at = (lead.slots[i] + node * 331) & mask
        count = lead.counts[i, at]
        chance = lead.chances[i, at] + (float(came) - lead.chances[i, at]) / (count + 1.6)
        lead.chances[i, at] = min(max(chance, 1.0 / 4096.0), 4095.0 / 4096.0)
        lead.counts[i, at] = min(count + 1.0, _COUNT_LIMIT)
    return came


@compiled
def _code_difference(decoding: bool, difference: int, rate: float, lead: DiscreteLead) -> int:
    """Code or decode a first difference; give it, or one out of range where there is none."""
    if not _decide(decoding, 1 if difference != 0 else 0, _ZERO, rate, lead):
        return 0
    negative = _decide(decoding, 1 if difference < 0 else 0, _SIGN, rate, lead)
    magnitude = abs(difference)
    n_bits = 1
    while n_bits <= _MAX_BITS:
        longer = 1 if magnitude >> n_bits else 0
        if not _decide(decoding, longer, _EXPONENT + n_bits, rate, lead):
            break
        n_bits += 1
    found = 1
    for k in range(n_bits - 2, -1, -1):
        bit = (magnitude >> k) & 1
        # Of the lower bits nothing is known but how many there are.
        node = _MANTISSA + (min(n_bits, 6) - 1) * 6 + min(n_bits - 2 - k, 5)
        bit = _decide(decoding, bit, node, rate, lead)
        found = 2 * found + bit
    return -found if negative else found


@compiled
def _code_lead(decoding: bool, lead: DiscreteLead) -> None:
    samples, run, last, t = lead.samples, 0, 0, 0
    while t < samples.size:
        rate = _RATE + _FIRST_RATE / (1.0 + _RATE_FADES * t)
        before = samples[t - 1] if t > 0 else 0
        if t > 0:
            _set_contexts(lead, t, run, last)
        difference = _code_difference(decoding, samples[t] - before, rate, lead)
        if not LOWEST <= before + difference <= HIGHEST or lead.coder.cursor[2]:
            # What follows would be made of garbage.
            lead.coder.cursor[2] = 1
            return
        samples[t] = before + difference
        run = run + 1 if difference == 0 else 0
        last = difference if difference != 0 else last
        t += 1


def _new_lead(
    samples: NDArray[np.int64], other: NDArray[np.int64], coder: DecisionCoder
) -> DiscreteLead:
    shape = (_N_CONTEXTS, 1 << _TABLE_BITS)
    shares = (0.2,) * _N_CONTEXTS
    return DiscreteLead(
        samples=samples,
        other=other,
        chances=np.full(shape, 0.5),
        counts=np.zeros(shape),
        slots=np.zeros(_N_CONTEXTS, np.int64),
        mixer=new_mixer(shares, _N_NODES + _N_RUNS + _N_SIZES, _N_NODES),
        tables=logistic_tables(),
        coder=coder,
    )


def difference_bits(samples: NDArray[np.int32]) -> float:
    """Give the entropy of the first differences, in bits: by how often each occurs in its lead."""
    total = 0.0
    for signal in samples.astype(np.int64):
        counts = np.unique(np.diff(signal), return_counts=True)[1]
        total += float(-(counts * np.log2(counts / counts.sum())).sum())
    return total


def encode_discrete(samples: NDArray[np.int32]) -> bytes:
    """Code (n_leads, n_samples) samples, in ADC units, so that they come back exactly."""
    coder = room_for(MAX_DECISIONS * samples.shape[1])
    decisions = []
    other = np.zeros(samples.shape[1], np.int64)
    for signal in samples.astype(np.int64):
        coder.n_decisions[0] = 0
        _code_lead(False, _new_lead(signal, other, coder))
        decisions.append(coder.decisions[: coder.n_decisions[0]].copy())
        other = signal
    return payload_of(decisions)


def decode_discrete(payload: bytes, n_leads: int, n_samples: int) -> NDArray[np.int32]:
    """Give back the (n_leads, n_samples) int32 samples of ``encode_discrete``.

    Raises
    ------
    CorruptError
        The payload does not end where its samples do, or a sample leaves the range of int32.
    """
    coder = decisions_of(payload, "residual")
    decoded = np.zeros((n_leads, n_samples), np.int32)
    other = np.zeros(n_samples, np.int64)
    for lead in range(n_leads):
        samples = np.zeros(n_samples, np.int64)
        _code_lead(True, _new_lead(samples, other, coder))
        if coder.cursor[2]:
            raise CorruptError(f"residual: lead {lead} does not decode to its samples")
        decoded[lead] = samples
        other = samples
    if not at_end(coder.words, coder.cursor):
        raise CorruptError("residual: words are left after the last sample")
    return decoded
