"""Integer tables that ship with the package, and what is derived from them exactly."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

STEPS_PER_UNIT = 64
UNITS = 20
CDF_BITS = 24
GUESS_BITS = 12
"""An inverse look-up of 2**GUESS_BITS cells gives the decoder its first guess."""


@cache
def density_table() -> NDArray[np.int32]:
    """Give the cumulative density of residuals in units of their mean magnitude.

    Returns
    -------
    (2 * UNITS * STEPS_PER_UNIT + 1,) int32
        From 0 at -UNITS to 2**CDF_BITS at +UNITS, never decreasing.
    """
    table: NDArray[np.int32] = np.load(Path(__file__).with_name("density.npy")).astype(np.int32)
    return table


@cache
def guess_table() -> NDArray[np.float32]:
    """Give, for the upper GUESS_BITS bits of a cumulative value, about where it lies.

    Returns
    -------
    (2**GUESS_BITS,) float32
        In units of the mean magnitude. Only speeds up the search of the decoder: a wrong guess
        costs time and never changes what is decoded.
    """
    cells = (np.arange(1 << GUESS_BITS) * 2 + 1) << (CDF_BITS - GUESS_BITS - 1)
    index = np.searchsorted(density_table(), cells)
    return (index / STEPS_PER_UNIT - UNITS).astype(np.float32)
