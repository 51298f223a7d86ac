"""Make the tables of ``logistic.py``: run once, never at coding time.

``python -m sancodec.entropy.make_logistic`` writes ``logistic.npy`` beside this file. Decoders only
ever read that file, so the functions of the mathematical library need not agree between machines.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.logistic import (
    LOG_BITS,
    LOG_CELLS,
    SQUASH_BITS,
    SQUASH_STEPS,
    SQUASH_UNITS,
    SURVIVAL_BITS,
    SURVIVAL_STEPS,
    SURVIVAL_UNITS,
)
from sancodec.entropy.make_tables import LOGISTIC_PART, NORMAL_PARTS


def _survival(z: float) -> float:
    """Give the share of residuals above ``z`` mean magnitudes, exact far into the tail."""
    normal = sum(w * 0.5 * math.erfc(z / (s * math.sqrt(2))) for w, s in NORMAL_PARTS)
    weight, scale = LOGISTIC_PART
    return normal + weight / (1 + math.exp(z / scale))


def logistic_integers() -> NDArray[np.int64]:
    """Give the three tables one after another, as ``logistic.logistic_tables`` divides them."""
    half = SURVIVAL_UNITS * SURVIVAL_STEPS
    survival = [_survival(i / SURVIVAL_STEPS) for i in range(-half, half + 1)]
    logarithm = [math.log(1 + i / LOG_CELLS) for i in range(LOG_CELLS + 1)]
    half = SQUASH_UNITS * SQUASH_STEPS
    squash = [1 / (1 + math.exp(-i / SQUASH_STEPS)) for i in range(-half, half + 1)]
    tables = ((survival, SURVIVAL_BITS), (logarithm, LOG_BITS), (squash, SQUASH_BITS))
    return np.concatenate([np.rint(np.ldexp(table, bits)) for table, bits in tables]).astype("<i8")


if __name__ == "__main__":
    np.save(Path(__file__).with_name("logistic.npy"), logistic_integers())
