"""Probabilities in the logistic domain, where predictions add up, from integer tables.

Between two entries of a table values are interpolated linearly. The tables are whole numbers of
2**-bits, which binary64 holds exactly.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled

SURVIVAL_STEPS, SURVIVAL_UNITS, SURVIVAL_BITS = 64, 24, 52
LOG_CELLS, LOG_BITS = 1024, 50
SQUASH_STEPS, SQUASH_UNITS, SQUASH_BITS = 64, 12, 50
MAX_STRETCH = 11.5
"""Bound on what ``squash`` takes: beyond, 16 bits do not tell a probability from certainty."""

_SURVIVAL_REACH = SURVIVAL_STEPS * SURVIVAL_UNITS
_SQUASH_REACH = SQUASH_STEPS * SQUASH_UNITS
_LN_2 = 6243314768165359 / (1 << 53)
_MANTISSA_BITS, _EXPONENT_BIAS = 52, 1023
_CELL_BITS = LOG_CELLS.bit_length() - 1
_WITHIN_CELL = 1 << (_MANTISSA_BITS - _CELL_BITS)


_LOGARITHM = 2 * _SURVIVAL_REACH + 1
_SQUASH = _LOGARITHM + LOG_CELLS + 1


@cache
def logistic_tables() -> NDArray[np.float64]:
    """Give the tables that ship with the package, one after another.

    Returns
    -------
    (n,) float64
        Share of residuals above so many mean magnitudes; ln(1 + x); 1 / (1 + exp(-x)).
    """
    integers = np.load(Path(__file__).with_name("logistic.npy")).astype(np.int64)
    survival, logarithms, squashed = np.split(integers, [_LOGARITHM, _SQUASH])
    return np.concatenate(
        [
            survival / (1 << SURVIVAL_BITS),
            logarithms / (1 << LOG_BITS),
            squashed / (1 << SQUASH_BITS),
        ]
    )


@compiled
def survive(tables: NDArray[np.float64], z: float) -> float:
    """Give the share of residuals above ``z`` mean magnitudes."""
    position = z * SURVIVAL_STEPS + _SURVIVAL_REACH
    if position <= 0.0:
        return 1.0
    if position >= 2 * _SURVIVAL_REACH:
        return 0.0
    i = int(position)
    low = tables[i]
    return float(low + (tables[i + 1] - low) * (position - i))


@compiled
def logarithm(tables: NDArray[np.float64], x: float) -> float:
    """Give the natural logarithm of a normal ``x`` above 0."""
    bits = np.float64(x).view(np.int64)
    mantissa = bits & ((1 << _MANTISSA_BITS) - 1)
    cell = mantissa // _WITHIN_CELL
    fraction = float(mantissa - cell * _WITHIN_CELL) / _WITHIN_CELL
    low = tables[_LOGARITHM + cell]
    within = low + (tables[_LOGARITHM + cell + 1] - low) * fraction
    return float(float((bits >> _MANTISSA_BITS) - _EXPONENT_BIAS) * _LN_2 + within)


@compiled
def squash(tables: NDArray[np.float64], x: float) -> float:
    """Give 1 / (1 + exp(-x)) for abs(x) <= MAX_STRETCH."""
    position = x * SQUASH_STEPS + _SQUASH_REACH
    i = int(position)
    low = tables[_SQUASH + i]
    return float(low + (tables[_SQUASH + i + 1] - low) * (position - i))
