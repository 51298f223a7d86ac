"""A record that was sampled at a lower frequency, and brought to its own by a spline.

In integers throughout: a spline through integers is the sum of B-splines whose coefficients are
the samples filtered by sqrt(3) (sqrt(3) - 2)^|j|, taken as multiples of 2**-FILTER_BITS.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.structure.grids import Grid, put_ratio, take_ratio
from sancodec.structure.rounding import HALF_AWAY, divide

REPEATED, LINEAR, CUBIC = 0, 1, 3
"""Degrees of the spline; of degree 0, every sample is the one at or before its time."""
DEGREES = (REPEATED, LINEAR, CUBIC)
MAX_RATIO = 64
MAX_MAGNITUDE = 1 << 18
"""Bound on samples of the lower frequency, times the multiplier of the values."""
MAX_GRID = 1 << 20
"""Bound on multiplier, offset and divisor of the values: no sum leaves 62 bits."""

FILTER_BITS = 40
COEFFICIENT_BITS = 20
N_FILTER = 22
"""Coefficients of the filter on one side; the next ones round to nothing that matters."""

_UNIT = Grid(multiplier=1, mode=HALF_AWAY)


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """Sample t is the spline at the time (first + t * down) / up, on a grid of its own.

    Attributes
    ----------
    n_leads : int
    up, down : int
        ``up`` samples outside for every ``down`` inside.
    first : int
        Time of the first sample, in ``up`` parts of an inner sample; below ``up``.
    degree : int
        One of DEGREES.
    values : Grid
        Its index is the spline, which need not be whole.
    """

    n_leads: int
    up: int
    down: int
    first: int = 0
    degree: int = CUBIC
    values: Grid = _UNIT

    @property
    def n_outside(self) -> int:
        """Number of leads outside."""
        return self.n_leads

    @property
    def n_inside(self) -> int:
        """Number of leads inside."""
        return self.n_leads

    def n_samples_inside(self, n_samples: int) -> int:
        """Give the samples of a lead inside: to the last one at or before the end outside."""
        return (self.first + (n_samples - 1) * self.down) // self.up + 1 if n_samples else 0

    def gains(self) -> NDArray[np.float64]:
        """Give by how much each lead outside moves with each inside, (n_leads, n_leads)."""
        return np.eye(self.n_leads) * self.values.step

    def leave(self, leads: NDArray[np.int64], n_samples: int) -> NDArray[np.int64]:
        """Give (n_leads, n_samples) from the leads inside, none of which exceeds ``limit``."""
        grid, (spline, unit) = self.values, self.spline(leads, n_samples)
        numerator = grid.multiplier * spline + grid.offset * unit
        outside = divide(numerator, grid.divisor * unit, grid.mode) + grid.shift
        # Where the times meet, nothing was interpolated: the filter's rounding stays out.
        start, phase = self._times(n_samples)
        meets = phase == 0
        outside[:, meets] = grid.values(leads[:, start[meets]])
        return outside

    @property
    def limit(self) -> int:
        """Largest magnitude that samples inside may have."""
        return MAX_MAGNITUDE // self.values.multiplier

    def meets(self, n_samples: int) -> NDArray[np.int64]:
        """Give the numbers of the samples outside that stand at the time of one inside."""
        return np.nonzero(self._times(n_samples)[1] == 0)[0]

    def spline(self, leads: NDArray[np.int64], n_samples: int) -> tuple[NDArray[np.int64], int]:
        """Give the (n_leads, n_samples) spline, and how many of its units are 1."""
        start, phase = self._times(n_samples)
        if self.degree == REPEATED:
            return leads[:, start], 1
        if self.degree == LINEAR:
            wide = odd_extension(leads, 1)[:, 1:]
            return (self.up - phase) * wide[:, start] + phase * wide[:, start + 1], self.up
        return self._cubic(leads, start, phase), 6 * self.up**3 << COEFFICIENT_BITS

    def _times(self, n_samples: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give the sample inside at or before each time, and by how many up-th parts before."""
        times = self.first + np.arange(n_samples, dtype=np.int64) * self.down
        return times // self.up, times % self.up

    def _cubic(
        self, leads: NDArray[np.int64], start: NDArray[np.int64], phase: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        coefficients = spline_coefficients(leads)
        back = self.up - phase
        weights = (
            back**3,
            3 * phase**3 - 6 * phase**2 * self.up + 4 * self.up**3,
            3 * back**3 - 6 * back**2 * self.up + 4 * self.up**3,
            phase**3,
        )
        total = np.zeros((len(leads), start.size), np.int64)
        for j, weight in enumerate(weights):
            # Coefficient -1 stands at 0.
            total += weight * coefficients[:, start + j]
        return total


@cache
def spline_filter() -> NDArray[np.int64]:
    """Give (N_FILTER,) sqrt(3) (sqrt(3) - 2)^j in units of 2**-FILTER_BITS, to the nearest."""
    taps = []
    # (2 - sqrt(3))^j is a - b sqrt(3); times sqrt(3), a sqrt(3) - 3 b.
    a, b = 1, 0
    for j in range(N_FILTER):
        twice = isqrt(3 * a * a << (2 * FILTER_BITS + 2)) - (6 * b << FILTER_BITS)
        tap = (twice + 1) >> 1
        taps.append(-tap if j % 2 else tap)
        a, b = 2 * a + 3 * b, a + 2 * b
    return np.array(taps, np.int64)


def spline_coefficients(leads: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the (n_leads, n_samples + 3) B-spline coefficients from number -1 on.

    In units of 2**-COEFFICIENT_BITS. Beyond its ends a lead goes on point-symmetric to its end,
    so that the spline is a natural one.
    """
    padded = odd_extension(leads, N_FILTER + 1)
    taps, n = spline_filter(), leads.shape[1] + 3
    total = taps[0] * padded[:, N_FILTER : N_FILTER + n]
    both = np.empty_like(total)
    for j in range(1, N_FILTER):
        before, after = N_FILTER - j, N_FILTER + j
        np.add(padded[:, before : before + n], padded[:, after : after + n], out=both)
        both *= taps[j]
        total += both
    shift = FILTER_BITS - COEFFICIENT_BITS
    return np.asarray((total + (1 << (shift - 1))) >> shift, np.int64)


def odd_extension(leads: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Give the leads with ``n`` samples more on either side, point-symmetric to the ends."""
    last = leads.shape[1] - 1
    if last < 1:
        return np.repeat(leads, 2 * n + last + 1, axis=1)
    # Where the lead is shorter than that, as far as it goes: then its end, for ever.
    reach = np.minimum(np.arange(n, 0, -1), last)
    before = 2 * leads[:, :1] - leads[:, reach]
    after = 2 * leads[:, -1:] - leads[:, last - reach[::-1]]
    return np.concatenate([before, leads, after], axis=1)


def largest_number(values: Grid) -> int:
    """Give the largest of the numbers that MAX_GRID bounds."""
    return max(values.multiplier, abs(values.offset), values.divisor)


def put_resampling(writer: ByteWriter, stage: Resampling) -> None:
    """Write the ratio, the first time, the degree and the grid of the values."""
    writer.varint(stage.up).varint(stage.down).varint(stage.first).u8(stage.degree)
    put_ratio(writer, stage.values, whole=False)


def take_resampling(reader: ByteReader, n_leads: int) -> Resampling:
    """Read what ``put_resampling`` wrote; CorruptError where it is out of range."""
    up = reader.varint("up", MAX_RATIO)
    down = reader.varint("down", MAX_RATIO)
    first = reader.varint("first", MAX_RATIO)
    degree = reader.u8("degree")
    if not 0 < down < up or first >= up or degree not in DEGREES:
        raise reader.corrupt("resampling", f"{up}:{down} from {first} on, degree {degree}")
    values = take_ratio(reader, whole=False)
    if largest_number(values) > MAX_GRID:
        raise reader.corrupt(
            "resampling", f"grid of ({values.multiplier} k + {values.offset}) / {values.divisor}"
        )
    return Resampling(n_leads=n_leads, up=up, down=down, first=first, degree=degree, values=values)
