"""Make the integer tables that ship with the package: run once, never at coding time.

``python -m sancodec.entropy.make_tables`` writes ``density.npy`` beside this file. Decoders only
ever read that file, so the exponentials here need not agree between machines.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

STEPS_PER_UNIT = 64
UNITS = 20
CDF_BITS = 24

# Residuals in units of their predicted mean magnitude: (weight, standard deviation) of normal
# parts, then (weight, scale) of a logistic one for the tails.
NORMAL_PARTS = ((0.82, 1.22), (0.15, 1.9))
LOGISTIC_PART = (0.03, 1.08)


def _cumulative(z: float) -> float:
    normal = sum(w * 0.5 * (1 + math.erf(z / (s * math.sqrt(2)))) for w, s in NORMAL_PARTS)
    weight, scale = LOGISTIC_PART
    return normal + weight / (1 + math.exp(-z / scale))


def density_table() -> NDArray[np.int64]:
    """Give the cumulative density at -UNITS .. UNITS, as (2 * UNITS * STEPS_PER_UNIT + 1,) int64.

    Values go from 0 to 2**CDF_BITS and never decrease.
    """
    half = UNITS * STEPS_PER_UNIT
    values = [_cumulative(i / STEPS_PER_UNIT) for i in range(-half, half + 1)]
    table = np.round(np.array(values) * (1 << CDF_BITS)).astype(np.int64)
    table[0], table[-1] = 0, 1 << CDF_BITS
    return table


if __name__ == "__main__":
    np.save(Path(__file__).with_name("density.npy"), density_table().astype("<i4"))
