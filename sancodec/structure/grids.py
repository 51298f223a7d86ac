"""Values on a grid: each sample is round(g k + c), and the integers k are what is coded.

Unit conversions leave such grids: an ADC step of 4.88 uV written in uV leaves four fifths of all
integers unused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.structure.rounding import FLOOR, HALF_AWAY, HALF_EVEN, MODES, divide

MAX_MULTIPLIER = 1 << 44
MAX_DIVISOR = 1 << 30
"""No int32 value times the divisor leaves 62 bits."""
_MAX_NUMERATOR = (1 << 62) - 1
_MAX_INDEX = 1 << 31
MAX_OFFSET = 1 << 60
MAX_SHIFT = 1 << 32


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The values (multiplier k + offset) / divisor, rounded in one way, plus shift, for whole k.

    The shift is that of a lead whose mean was taken off after it was rounded towards zero.
    """

    multiplier: int
    offset: int = 0
    divisor: int = 1
    mode: int = FLOOR
    shift: int = 0

    @property
    def step(self) -> float:
        """Distance of neighbours before they are rounded."""
        return self.multiplier / self.divisor

    @property
    def limit(self) -> int:
        """Largest magnitude of an index whose numerator is below 2**62."""
        return min((_MAX_NUMERATOR - abs(self.offset)) // self.multiplier, _MAX_INDEX)

    def values(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the value at each index, none of which exceeds ``limit``."""
        numerator = self.multiplier * index + self.offset
        return divide(numerator, self.divisor, self.mode) + self.shift

    def index_of(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the index of each value; where a value is not on the grid, that of a near one."""
        index = self._guess(values)
        missed = np.nonzero(self.values(index) != values)
        if missed[0].size:
            wanted, nearest = values[missed], index[missed]
            distance = np.abs(self.values(nearest) - wanted)
            for candidate in (index[missed] - 1, index[missed] + 1):
                away = np.abs(self.values(candidate) - wanted)
                nearest = np.where(away < distance, candidate, nearest)
                distance = np.minimum(distance, away)
            index[missed] = nearest
        return index

    def _guess(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the index of each value that is on the grid, but for some halves."""
        values = values - self.shift
        a, b, d = 2 * self.multiplier, 2 * self.offset, 2 * self.divisor
        half = self.divisor if self.mode in {HALF_AWAY, HALF_EVEN} else 0
        lowest = -((b + half - d * values) // a)
        if self.mode in {FLOOR, HALF_EVEN}:
            return lowest
        highest = (d * values + half - b) // a
        index = np.where(values < 0, highest, lowest)
        return np.where(values == 0, (self.multiplier - b) // a, index)


@dataclass(frozen=True, kw_only=True)
class Grids:
    """One grid, or None, for each lead."""

    grids: tuple[Grid | None, ...]

    @property
    def n_outside(self) -> int:
        """Number of leads outside."""
        return len(self.grids)

    @property
    def n_inside(self) -> int:
        """Number of leads inside."""
        return len(self.grids)

    @property
    def limit(self) -> NDArray[np.int64]:
        """Largest magnitude that samples inside may have, as (n_leads, 1) int64."""
        each = [_MAX_INDEX if grid is None else grid.limit for grid in self.grids]
        return np.array(each, np.int64)[:, None]

    def n_samples_inside(self, n_samples: int) -> int:
        """Give the samples of a lead inside: as many as outside."""
        return n_samples

    def gains(self) -> NDArray[np.float64]:
        """Give by how much each lead outside moves with each inside, (n_outside, n_inside)."""
        return np.diag([1.0 if grid is None else grid.step for grid in self.grids])

    def enter(self, leads: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the indices of (n_leads, n_samples) values."""
        inside = leads.copy()
        for i, grid in enumerate(self.grids):
            if grid is not None:
                inside[i] = grid.index_of(leads[i])
        return inside

    def leave(self, leads: NDArray[np.int64], n_samples: int) -> NDArray[np.int64]:
        """Give the values of (n_leads, n_samples) indices."""
        outside = leads.copy()
        for i, grid in enumerate(self.grids):
            if grid is not None:
                outside[i] = grid.values(leads[i])
        return outside


def put_grids(writer: ByteWriter, stage: Grids) -> None:
    """Write the distinct grids, and for each lead the number of its own."""
    distinct = list(dict.fromkeys(grid for grid in stage.grids if grid is not None))
    writer.varint(len(distinct))
    for each in distinct:
        put_ratio(writer, each)
    for grid in stage.grids:
        writer.varint(0 if grid is None else distinct.index(grid) + 1)


def take_grids(reader: ByteReader, n_leads: int) -> Grids:
    """Read what ``put_grids`` wrote for ``n_leads``; CorruptError where it is out of range."""
    distinct: list[Grid | None] = [None]
    for _ in range(reader.varint("number of grids", n_leads)):
        distinct.append(take_ratio(reader))
    numbers = [reader.varint("grid of a lead", len(distinct) - 1) for _ in range(n_leads)]
    return Grids(grids=tuple(distinct[number] for number in numbers))


def put_ratio(writer: ByteWriter, grid: Grid, *, whole: bool = True) -> None:
    """Write one grid; ``whole`` says that its index is, so that a divisor of 1 rounds nothing."""
    rounds = grid.divisor > 1 or not whole
    offset = grid.offset if rounds else grid.offset + grid.shift
    writer.varint(grid.multiplier).zigzag(offset).varint(grid.divisor)
    if rounds:
        writer.u8(grid.mode).zigzag(grid.shift)


def take_ratio(reader: ByteReader, *, whole: bool = True) -> Grid:
    """Read what ``put_ratio`` wrote; CorruptError where a number is out of range."""
    multiplier = reader.varint("multiplier", MAX_MULTIPLIER)
    offset = reader.zigzag("offset")
    divisor = reader.varint("divisor", MAX_DIVISOR)
    mode, shift = FLOOR, 0
    if divisor > 1 or not whole:
        mode, shift = reader.u8("rounding"), reader.zigzag("shift")
    known = mode in MODES and multiplier > 0 and divisor > 0
    if not known or abs(offset) > MAX_OFFSET or abs(shift) > MAX_SHIFT:
        raise reader.corrupt("grid", f"({multiplier} k + {offset}) / {divisor}, rounding {mode}")
    return Grid(multiplier=multiplier, offset=offset, divisor=divisor, mode=mode, shift=shift)
