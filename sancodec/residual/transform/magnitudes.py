"""A quantised coefficient as decisions: the rank of its magnitude in unary, its sign, low bits.

Ranks 0 to 4 are magnitudes; from there on two ranks share an octave, and the place within a rank
goes out in bits, of which the first is modelled. An encoder asks what each magnitude would cost
and takes the one whose error and bits together are least.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.entropy.mixer import DecisionCoder, code_even
from sancodec.residual.transform.contexts import choose_low_bit, choose_rank
from sancodec.residual.transform.model import Model, decide, foretell

MAX_MAGNITUDE = (1 << 30) - 1
MAX_DECISIONS = 96
"""Most decisions that one coefficient takes: 60 ranks, a sign, and 29 low bits are fewer."""

_N_PLAIN = 5
_TOP_RANK = 60
# Magnitudes above are rounded: what a unit more or less costs is little there.
_MAX_CHOSEN = 8


@compiled
def rank_of(magnitude: int) -> tuple[int, int, int]:
    """Give the rank of a magnitude, the least one of the rank, and the bits of the place in it."""
    if magnitude < _N_PLAIN:
        return magnitude, magnitude, 0
    octave = 0
    while (magnitude - 1) >> (octave + 1):
        octave += 1
    half = ((magnitude - 1) >> (octave - 1)) & 1
    least = (1 << octave) + (half << (octave - 1)) + 1
    return _N_PLAIN + 2 * (octave - 2) + half, least, octave - 1


@compiled
def _least_of(rank: int) -> tuple[int, int]:
    """Give the least magnitude of a rank and the bits of the place in it."""
    if rank < _N_PLAIN:
        return rank, 0
    octave, half = 2 + ((rank - _N_PLAIN) >> 1), (rank - _N_PLAIN) & 1
    return (1 << octave) + (half << (octave - 1)) + 1, octave - 1


@compiled
def code_magnitude(  # noqa: PLR0917
    decoding: bool,
    magnitude: int,
    around: NDArray[np.int64],
    band: int,
    model: Model,
    coder: DecisionCoder,
) -> int:
    """Code or decode a magnitude of which it is known that it is not 0; give it."""
    goal = rank_of(magnitude)[0]
    rank = 1
    while rank < _TOP_RANK:
        choose_rank(model, around, band, rank)
        if not decide(decoding, 1 if goal > rank else 0, model, coder):
            break
        rank += 1
    least, n_bits = _least_of(rank)
    place = magnitude - least
    found = 0
    for i in range(n_bits - 1, -1, -1):
        bit = (place >> i) & 1
        if i == n_bits - 1:
            choose_low_bit(model, rank)
            bit = decide(decoding, bit, model, coder)
        else:
            bit = code_even(decoding, bit, coder)
        found = (found << 1) | bit
    return min(least + found, MAX_MAGNITUDE)


@compiled
def _bits_of(probability: float) -> float:
    return -math.log2(max(probability, 1e-6))


@compiled
def choose_magnitude(
    wanted: float, slope: float, around: NDArray[np.int64], band: int, model: Model
) -> int:
    """Give the magnitude to code for ``wanted``, in steps; steers the encoder only.

    Parameters
    ----------
    slope : float
        Squared error, in squared steps, that one bit may save.
    """
    rounded = max(int(wanted + 0.5), 1)
    if rounded > _MAX_CHOSEN:
        return int(min(rounded, MAX_MAGNITUDE))
    choose_rank(model, around, band, 0)
    nonzero = foretell(model)
    best, chosen = wanted * wanted + slope * _bits_of(1.0 - nonzero), 0
    bits = _bits_of(nonzero) + 1.0
    here, n_bits = 0.0, 0
    for magnitude in range(1, rounded + 1):
        rank, least, n_bits = rank_of(magnitude)
        if magnitude == least:
            choose_rank(model, around, band, rank)
            here = foretell(model)
        if magnitude >= rounded - 1:
            error = wanted - magnitude
            total = error * error + slope * ((bits + _bits_of(1.0 - here)) + n_bits)
            if total < best:
                best, chosen = total, magnitude
        if magnitude == least + (1 << n_bits) - 1:
            bits += _bits_of(here)
    return chosen
