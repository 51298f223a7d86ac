"""Quotients of integers, rounded in the ways in which archives round."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FLOOR = 0
TRUNC = 1
HALF_AWAY = 2
"""To the nearest; halves away from zero."""
HALF_EVEN = 3
"""To the nearest; halves to the even neighbour."""
MODES = (FLOOR, TRUNC, HALF_AWAY, HALF_EVEN)

NAMES = {FLOOR: "floor", TRUNC: "trunc", HALF_AWAY: "round", HALF_EVEN: "round half to even"}


def divide(numerator: NDArray[np.int64], divisor: int, mode: int) -> NDArray[np.int64]:
    """Give ``numerator / divisor``, rounded; exact while both are below 2**62.

    Parameters
    ----------
    numerator : int64 array
    divisor : int
        At least 1.
    mode : int
        One of MODES.
    """
    if mode == FLOOR:
        return np.asarray(numerator // divisor, np.int64)
    if mode == HALF_EVEN:
        low = numerator // divisor
        twice = 2 * (numerator - low * divisor)
        up = (twice > divisor) | ((twice == divisor) & (low & 1 == 1))
        return np.asarray(low + up, np.int64)
    magnitude = np.abs(numerator)
    if mode == HALF_AWAY:
        magnitude = magnitude + divisor // 2
    quotient = magnitude // divisor
    return np.asarray(np.where(numerator < 0, -quotient, quotient), np.int64)
