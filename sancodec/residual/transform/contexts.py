"""What surrounds a coefficient, as small numbers that choose contexts.

Around it are those before it in its band, those at its place in the next slower band and in the
leads coded before, and those at the same phase of past beats.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.residual.transform.model import Model
from sancodec.residual.transform.wavelet import MAX_LEVELS

N_RANKS = 20
"""Ranks of magnitudes that are told apart: larger ones are coded like the last."""

NEAR, SLOW, PARENT, OTHER, PHASE, LOUD, AGE = range(7)
N_SURROUNDINGS = 7

_N_LEVELS = 16
_N_COARSE = 6
_N_LOUD = 44
_N_AGES = 64
_N_BANDS = MAX_LEVELS + 1
_N_SIGN_ROWS = 64
_RANKED = _N_BANDS * N_RANKS

# Magnitudes at which the next of _N_LEVELS levels begins, looked up in steps of a sixteenth.
_BOUNDS = (0.03, 0.12, 0.25, 0.5, 0.8, 1.2, 1.8, 2.7, 4.0, 6.0, 9.0, 13.5, 20.0, 30.0, 50.0)
_CELLS_PER_UNIT = 16
_LEVELS = np.searchsorted(_BOUNDS, np.arange(1024) / _CELLS_PER_UNIT, side="right")

# Where the contexts of each expert begin, the last of them those of signs and of low bits.
_SIZES = (
    *(_RANKED * _N_LEVELS * _N_COARSE,) * 4,
    _RANKED * _N_AGES,
    N_RANKS * _N_LEVELS * 256,
    _RANKED * _N_LOUD,
)
_STARTS = np.concatenate([[0], np.cumsum(_SIZES)]).astype(np.int64)
_SIGNS = int(_STARTS[-1])
_SIGN_SIZE = _N_BANDS * _N_SIGN_ROWS
_LOW_BITS = _SIGNS + 7 * _SIGN_SIZE
N_CONTEXTS = _LOW_BITS + 7 * N_RANKS

_LOUD_WEIGHTS = _RANKED
_PHASE_WEIGHTS = _LOUD_WEIGHTS + N_RANKS * _N_LOUD
_SIGN_WEIGHTS = _PHASE_WEIGHTS + N_RANKS * _N_LEVELS
_LOW_WEIGHTS = _SIGN_WEIGHTS + _N_BANDS + 8
N_WEIGHTS = _LOW_WEIGHTS + 1

_MANTISSA_BITS, _EXPONENT_BIAS = 52, 1023


class Phases(NamedTuple):
    """Running means at each phase of the beats of each class, (n_kernels, n_phases) each."""

    magnitude: NDArray[np.float64]
    value: NDArray[np.float64]
    seen: NDArray[np.float64]


@compiled
def _level(magnitude: float) -> int:
    cell = int(min(magnitude * _CELLS_PER_UNIT, 1023.0))
    if cell == 0 and magnitude > 0.03:
        return 1
    return int(_LEVELS[cell])


@compiled
def _loud_class(magnitude: float) -> int:
    """Give the class of an expected magnitude, four to an octave."""
    bits = int(np.float64(1.0 + 16.0 * magnitude).view(np.int64))
    return min((bits >> (_MANTISSA_BITS - 2)) - 4 * _EXPONENT_BIAS, _N_LOUD - 1)


@compiled
def _own_past(row: NDArray[np.int32], begin: int, i: int) -> float:
    near = 0.0
    if i > 0:
        near += 0.6 * abs(row[begin + i - 1])
    if i > 1:
        near += 0.3 * abs(row[begin + i - 2])
    if i > 2:
        near += 0.1 * abs(row[begin + i - 3])
    return near


@compiled
def _parents(row: NDArray[np.int32], parent: int, n_parents: int, i: int) -> float:
    """Weigh the three coefficients of the next slower band that are nearest."""
    k = i >> 1
    nearer, farther = (k + 1, k - 1) if i & 1 else (k - 1, k + 1)
    loud = 0.0
    if k < n_parents:
        loud += 0.55 * abs(row[parent + k])
    if 0 <= nearer < n_parents:
        loud += 0.3 * abs(row[parent + nearer])
    if 0 <= farther < n_parents:
        loud += 0.15 * abs(row[parent + farther])
    return loud


@compiled
def _other_leads(others: NDArray[np.float64], lead: int, at: int, begin: int, stop: int) -> float:
    loud = 0.5 * others[at]
    if at > begin:
        loud += 0.25 * others[at - 1]
    if at + 1 < stop:
        loud += 0.25 * others[at + 1]
    return float(loud / lead)


@compiled
def _past_beats(phases: Phases, kernel: int, phase: int) -> float:
    means = phases.magnitude[kernel]
    before, after = max(phase - 1, 0), min(phase + 1, means.size - 1)
    return float((0.5 * means[phase] + 0.25 * means[before]) + 0.25 * means[after])


@compiled
def set_surroundings(  # noqa: PLR0917
    around: NDArray[np.int64], near: float, slow: float, parent: float, other: float, past: float
) -> None:
    """Rank what surrounds a coefficient; ``around[AGE]`` stays as it is."""
    around[NEAR] = _level(2.0 * near)
    around[SLOW] = min(_level(4.0 * slow) >> 1, _N_COARSE - 1)
    around[PARENT] = _level(2.0 * parent)
    around[OTHER] = _level(2.0 * other)
    around[PHASE] = _level(4.0 * past)
    total = (((near + 0.7 * slow) + 0.7 * parent) + 0.6 * other) + 1.4 * past
    around[LOUD] = _loud_class(total)


@compiled
def choose_rank(model: Model, around: NDArray[np.int64], band: int, rank: int) -> None:
    """Choose the contexts of the decision whether a magnitude has more than ``rank``."""
    rank = min(rank, N_RANKS - 1)
    row = band * N_RANKS + rank
    near, parent, other, phase = around[NEAR], around[PARENT], around[OTHER], around[PHASE]
    coarse = min(near >> 1, _N_COARSE - 1)
    context, chosen = model.context, model.chosen
    context[0] = _STARTS[0] + (row * _N_LEVELS + near) * _N_COARSE + around[SLOW]
    context[1] = _STARTS[1] + (row * _N_LEVELS + parent) * _N_COARSE + coarse
    context[2] = _STARTS[2] + (row * _N_LEVELS + other) * _N_COARSE + coarse
    context[3] = _STARTS[3] + (row * _N_LEVELS + phase) * _N_COARSE + coarse
    context[4] = _STARTS[4] + row * _N_AGES + around[AGE]
    mixed = (min(parent >> 1, 7) * 8 + min(other >> 1, 7)) * 4 + min(near >> 1, 3)
    context[5] = _STARTS[5] + (rank * _N_LEVELS + phase) * 256 + mixed
    context[6] = _STARTS[6] + row * _N_LOUD + around[LOUD]
    chosen[0] = row
    chosen[1] = _LOUD_WEIGHTS + rank * _N_LOUD + around[LOUD]
    chosen[2] = _PHASE_WEIGHTS + rank * _N_LEVELS + phase


@compiled
def choose_sign(  # noqa: PLR0917
    model: Model, band: int, other: int, before: int, before_that: int, past: int
) -> None:
    """Choose the contexts of a sign: three signs around it, 0 to 2, and seven classes of past."""
    context, chosen = model.context, model.chosen
    row = band * _N_SIGN_ROWS
    for k in range(context.size):
        context[k] = _SIGNS + k * _SIGN_SIZE + row
    context[0] += other * 9 + before * 3 + before_that
    context[1] += other
    context[2] += past
    context[3] += before * 3 + before_that
    context[4] += past * 3 + other
    context[5] += before * 3 + before_that - row
    context[6] += other - row
    chosen[0] = _SIGN_WEIGHTS + band
    chosen[1] = _SIGN_WEIGHTS + _N_BANDS
    chosen[2] = _SIGN_WEIGHTS + _N_BANDS + 1 + past


@compiled
def choose_low_bit(model: Model, rank: int) -> None:
    """Choose the contexts of the first bit below the rank of a magnitude."""
    for k in range(model.context.size):
        model.context[k] = _LOW_BITS + k * N_RANKS + min(rank, N_RANKS - 1)
    for s in range(model.chosen.size):
        model.chosen[s] = _LOW_WEIGHTS


@compiled
def past_sign_class(phases: Phases, kernel: int, phase: int) -> int:
    """Give how surely past beats were of one sign here: 0 to 6, 3 for not at all."""
    mean = phases.value[kernel, phase]
    size = abs(mean)
    sure = 3 if size > 0.8 else 2 if size > 0.4 else 1 if size > 0.15 else 0
    return 3 - sure if mean < 0.0 else 3 + sure
