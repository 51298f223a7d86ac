"""Finding the grid that the values of a lead lie on, from the values alone.

Only an encoder does this, in floating point; what it finds is checked in integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import log2

import numpy as np
from numpy.typing import NDArray

from sancodec.recording import Channel
from sancodec.structure.fractions import intervals, likely_fractions
from sancodec.structure.grids import MAX_DIVISOR, MAX_MULTIPLIER, MAX_OFFSET, MAX_SHIFT, Grid
from sancodec.structure.periods import likely_steps, round_parts
from sancodec.structure.rounding import FLOOR, HALF_AWAY, HALF_EVEN, TRUNC

_MAX_SHARE_OFF = 0.01
_MAX_CROSSINGS = 6
_MISFIT_BITS, _HARDLY = 24.0, 0.05
_NEAR = 1e-3
_MAX_PART = 1 << 20
_MAX_ZERO = 1 << 29
_FINER = (1, 2, 4, 16, 64)
"""An offset is looked for in these parts of the step's own."""


def find_grid(
    values: NDArray[np.int64], known: Sequence[Grid] = (), channel: Channel | None = None
) -> Grid | None:
    """Give the grid with the widest step that nearly all values lie on.

    Parameters
    ----------
    values : (n_samples,) int64
        Not all the same.
    known : sequence of Grid
        Grids of other leads, tried first.
    channel : Channel, optional
        Of the lead: the step is often a round part of its gain.

    Returns
    -------
    Grid or None
        None where no grid has a step of more than one and a tenth.
    """
    distinct, counts = np.unique(values, return_counts=True)
    if distinct.size < 2:
        return None
    common = int(np.gcd.reduce(np.diff(distinct)))
    if common > 1:
        return Grid(multiplier=common, offset=_centred(int(distinct[0]), common))
    best = _wider(_Found(), known, distinct, counts)
    parts = [] if channel is None else round_parts(channel.adc_gain, distinct)
    for step in _steps(distinct, parts):
        if log2(step) < best.bits - 2 * _HARDLY:
            break
        if channel is not None:
            scaled = _scaled(channel.baseline, step, parts)
            best = _wider(best, scaled, distinct, counts)
        best = _wider(best, _grids_of(step, distinct), distinct, counts)
    return None if best.grid is None else _widened(best.grid, distinct)


@dataclass(frozen=True)
class _Found:
    """A grid, and the bits that it saves of each sample, less those of its misfits."""

    grid: Grid | None = None
    bits: float = 0.0


def _wider(
    best: _Found, grids: Iterable[Grid], distinct: NDArray[np.int64], counts: NDArray[np.int64]
) -> _Found:
    """Give the best so far, or that of some grids that saves more on values so often there."""
    for grid in grids:
        bits = log2(grid.step)
        if bits <= best.bits:
            continue
        off = grid.values(grid.index_of(distinct)) != distinct
        share = float(counts[off].sum() / counts.sum())
        if share <= _MAX_SHARE_OFF and bits - _MISFIT_BITS * share > best.bits:
            # What is hardly wider than one without misfits is the same, told in longer numbers.
            best = _Found(grid, bits - _MISFIT_BITS * share + (0.0 if share else _HARDLY))
    return best


def _widened(grid: Grid, distinct: NDArray[np.int64]) -> Grid:
    """Give the grid, or that of every second, third, .. of its values if no other is taken."""
    index = grid.index_of(distinct)
    common = int(np.gcd.reduce(np.diff(index)))
    # 0 where all values that are off the grid or on it have the same index.
    if common < 2 or grid.multiplier * common > MAX_MULTIPLIER:
        return grid
    offset = grid.offset + grid.multiplier * _centred(int(index[0]), common)
    if abs(offset) > MAX_OFFSET:
        return grid
    return replace(grid, multiplier=grid.multiplier * common, offset=offset)


def _centred(offset: int, step: int) -> int:
    """Give the offset less a multiple of the step, so that index 0 stands next to 0."""
    return offset - (offset + step // 2) // step * step


def _steps(distinct: NDArray[np.int64], parts: Sequence[float]) -> list[float]:
    """Give the steps by which the values may repeat, the widest first."""
    found = list(likely_steps(distinct))
    reach = float(distinct[-1] - distinct[0])
    others = []
    for part in parts:
        # Whatever lies on a grid lies on the halves and tenths of it, too.
        turns = [(step / part - round(step / part)) * reach / step for step in found]
        if not any(abs(turn) < 0.5 for turn in turns):
            others.append(part)
    return sorted(found + others, reverse=True)


def _scaled(baseline: int, step: float, parts: Sequence[float]) -> Iterator[Grid]:
    """Give grids of the part of a gain next to a step, on which the baseline stands for 0.

    Their index is the physical value in its last decimal, with its own zero: grids inside, which
    were rounded about that zero, are not blurred.
    """
    nearest = min(parts, key=lambda part: abs(part - step), default=0.0)
    # Within int32, an index is so even where the baseline is far from all values.
    near = abs(nearest - step) < _NEAR * step and abs(baseline) <= step * _MAX_ZERO
    if near and abs(baseline) <= MAX_SHIFT:
        exact = Fraction(nearest).limit_denominator(_MAX_PART)
        for mode in (HALF_EVEN, HALF_AWAY):
            yield Grid(
                multiplier=exact.numerator, divisor=exact.denominator, mode=mode, shift=baseline
            )


def _grids_of(step: float, distinct: NDArray[np.int64]) -> list[Grid]:
    """Give the grids of about a step that the values may lie on, the simplest first."""
    found: list[Grid] = []
    for fraction in likely_fractions(step, distinct):
        if fraction.denominator > MAX_DIVISOR // _FINER[-1]:
            continue
        found += _with_offset(fraction, distinct, FLOOR, 0)
        for shift in (0, *_crossings(float(fraction), distinct)):
            found += _with_offset(fraction, distinct, TRUNC, shift)
    return sorted(dict.fromkeys(found), key=_complexity)


def _complexity(grid: Grid) -> int:
    return grid.divisor * (1 + (grid.offset != 0)) + (grid.shift != 0)


def _with_offset(
    fraction: Fraction, distinct: NDArray[np.int64], mode: int, shift: int
) -> Iterator[Grid]:
    """Give the grids of a step: rounded without an offset, and with the offset that fits best."""
    a, d = fraction.numerator, fraction.denominator
    for rounding in (FLOOR, HALF_AWAY, HALF_EVEN) if mode == FLOOR else (mode,):
        yield Grid(multiplier=a, divisor=d, mode=rounding, shift=shift)
    begin = _busiest_offset(a / d, *intervals(distinct - shift, mode))
    for finer in _FINER:
        offset = round(begin * d * finer)
        if offset and abs(offset) <= MAX_OFFSET:
            grid = Grid(multiplier=a * finer, offset=offset, divisor=d * finer, mode=mode)
            yield replace(grid, shift=shift)


def _busiest_offset(step: float, low: NDArray[np.float64], high: NDArray[np.float64]) -> float:
    """Give the middle of the offsets, modulo the step, that suit the most values."""
    begins, ends = low % step, high % step
    # Twice around, so that an interval across 0 is whole.
    edges = np.concatenate([begins, begins + step, ends, ends + step])
    change = np.repeat([1, -1], 2 * low.size)
    order = np.lexsort((change, edges))
    best = int(np.cumsum(change[order])[:-1].argmax())
    middle = float(edges[order[best]] + edges[order[best + 1]]) / 2.0
    return middle - step * round(middle / step)


def _crossings(step: float, distinct: NDArray[np.int64]) -> list[int]:
    """Give the values where rounding down may turn into rounding up: towards what was zero."""
    low, high = intervals(distinct, FLOOR)
    third = max(distinct.size // 3, 1)
    above = _busiest_offset(step, low[-third:], high[-third:])
    below = _busiest_offset(step, low[:third] - 1.0, high[:third] - 1.0)
    fits_above = _fits(step, above, low, high)
    fits_below = _fits(step, below, low - 1.0, high - 1.0)
    # Those that fit with the crossing at each value: from below up to it, from above behind it.
    before = np.cumsum(fits_below) - fits_below
    behind = fits_above.sum() - np.cumsum(fits_above)
    best = np.nonzero(before + behind >= (before + behind).max() - 1)[0]
    nearest = best[np.argsort(np.abs(distinct[best]))[:_MAX_CROSSINGS]]
    return [int(value) for value in distinct[nearest]]


def _fits(
    step: float, offset: float, low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Give 1 where a point of the grid lies in the interval of a value, else 0."""
    first = np.ceil((low - offset) / step - 1e-9) * step + offset
    return np.asarray(first < high, np.int64)
