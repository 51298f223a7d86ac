"""Series that predictions are made from, and the arithmetic that they share.

NumPy is used where a formula is to be taken for many places at once: each of its element-wise
operations rounds once, as those of Python do. No sum is left to it, nor to Python's `sum`, which
may add in another order or more exactly.
"""

from __future__ import annotations

import struct
from ast import literal_eval
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TABLES = Path(__file__).parents[2] / "sancodec" / "entropy"
SANE = float(2**34)
# A padded series has this many zeros ahead of sample 0 and behind the last one.
MARGIN = 64


@cache
def read_table(name: str) -> tuple[int, ...]:
    """Give the numbers of a table that stands in NumPy's format of one array."""
    content = (TABLES / name).read_bytes()
    stop = 10 + struct.unpack("<H", content[8:10])[0]
    kind = literal_eval(content[10:stop].decode())["descr"]
    code = {"<i4": "<i", "<i8": "<q"}[kind]
    return tuple(number for (number,) in struct.iter_unpack(code, content[stop:]))


def sane(guess: float) -> float:
    return guess if abs(guess) < SANE else 0.0


def dot(a: Sequence[float], b: Sequence[float], n: int) -> float:
    """Sum a[i] b[i] in four sums, and these in pairs."""
    if n >= 64 and n % 4 == 0:
        products = np.multiply(a[:n], b[:n]).reshape(-1, 4)
        s0, s1, s2, s3 = _last_sums(products).tolist()
        return (s0 + s1) + (s2 + s3)
    s0 = s1 = s2 = s3 = 0.0
    whole = n - n % 4
    for i in range(0, whole, 4):
        s0 += a[i] * b[i]
        s1 += a[i + 1] * b[i + 1]
        s2 += a[i + 2] * b[i + 2]
        s3 += a[i + 3] * b[i + 3]
    for i in range(whole, n):
        s0 += a[i] * b[i]
    return (s0 + s1) + (s2 + s3)


def _last_sums(addends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add what stands along the first axis, one after the other: `accumulate` cannot otherwise."""
    return np.add.accumulate(addends, axis=0)[-1]


def add_up(a: Sequence[float], b: Sequence[float]) -> float:
    """Sum a[i] b[i], one after the other, beginning with 0.0."""
    return 0.0 + float(_last_sums(np.multiply(a, b))) if len(a) else 0.0


def padded(n_samples: int) -> list[float]:
    return [0.0] * (n_samples + 2 * MARGIN)


def differences_of_r(r: list[int]) -> list[float]:
    """Give y, padded."""
    y = padded(len(r))
    for t in range(1, len(r)):
        y[MARGIN + t] = (r[t] - r[t - 1]) * (1 / 16)
    return y


@dataclass
class Coded:
    """What later leads see of a lead that was coded: padded series."""

    d: list[float]
    y: list[float]
    k: list[float]


@dataclass
class Source:
    """Columns of a sum: a padded series from sample t + first to t + last."""

    series: list[float]
    first: int
    last: int

    def at(self, t: int) -> list[float]:
        return self.series[MARGIN + t + self.first : MARGIN + t + self.last + 1]


@dataclass
class Loudness:
    """M: the mean of the magnitudes k of all leads coded before, padded."""

    n_samples: int
    coded: list[Coded]
    M: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.M = padded(self.n_samples)
        for t in range(MARGIN + 1, MARGIN + self.n_samples if self.coded else 0):
            total = 0.0
            for lead in self.coded:
                total += lead.k[t]
            self.M[t] = total / len(self.coded)

    def near(self, t: int) -> float:
        M, t = self.M, t + MARGIN
        return (0.25 * M[t - 1] + 0.5 * M[t]) + 0.25 * M[t + 1]

    def around(self, t: int) -> float:
        return 0.5 * self.M[t + MARGIN - 2] + 0.5 * self.M[t + MARGIN + 2]


def columns_at(sources: list[Source], t: int) -> list[float]:
    return [value for source in sources for value in source.at(t)]
