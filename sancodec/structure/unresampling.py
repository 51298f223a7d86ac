"""Whole numbers that a spline turns back into a resampled record.

Only an encoder does this, in floating point; what it finds is checked in integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import CorruptError
from sancodec.structure.grids import Grid, Grids
from sancodec.structure.resampling import (
    LINEAR,
    MAX_GRID,
    REPEATED,
    Resampling,
    largest_number,
)
from sancodec.structure.rounding import FLOOR, HALF_AWAY, HALF_EVEN, TRUNC
from sancodec.structure.rules import Derivation
from sancodec.structure.splines import (
    before_resampling,
    before_rounding,
    spline_matrix,
    unit_of,
)
from sancodec.structure.stages import Stage, outwards
from sancodec.structure.straight import solve_lines

_PART, _SHORT = 1500, 600
_MAX_SHARE_OFF = 0.03
_MAX_SHARE_TO_REPAIR = 0.1
_MAX_REPAIRS = 2.0
"""Moves tried for each sample that is missed at first."""
_REACH = 16
_NEAR = 3


def with_rounding(
    stage: Resampling, inner: Sequence[Stage], leads: NDArray[np.int64]
) -> tuple[Stage, ...] | None:
    """Give the resampling and what is inside, with the rounding that fits a part of the leads best.

    None where no rounding fits.
    """
    part = leads[:, :_PART]
    if not _kept(inner, len(leads))[0]:
        # Constant where the times meet, but not between: no spline through them tells more.
        return None
    best, lowest = None, _MAX_SHARE_OFF * part.size
    for stages in _roundings(stage, inner):
        # One lead first: all of them take long.
        alone, signal = _busiest(stages, leads[:, :_SHORT])
        if _off(alone, signal) > _MAX_SHARE_OFF * signal.size:
            continue
        off = _off(stages, part)
        if off < lowest:
            best, lowest = stages, off
        if off == 0:
            break
    return best


def _off(stages: Sequence[Stage], leads: NDArray[np.int64]) -> int:
    """Count the samples that do not come back."""
    try:
        back = outwards(stages, undo_resampling(stages, leads), leads.shape[1])
    except CorruptError:
        return leads.size
    return int(np.count_nonzero(back != leads))


def _busiest(
    stages: Sequence[Stage], leads: NDArray[np.int64]
) -> tuple[tuple[Stage, ...], NDArray[np.int64]]:
    """Give the lead that stays and changes most often, as (1, n_samples), and its own stages."""
    stage = stages[0]
    assert isinstance(stage, Resampling)
    kept, chains = _kept(stages[1:], len(leads))
    busiest = int(np.count_nonzero(np.diff(leads[kept]), axis=1).argmax())
    grids = [Grids(grids=(grid,)) for grid in chains[busiest]]
    return (replace(stage, n_leads=1), *grids), leads[kept[busiest]][None]


def _roundings(stage: Resampling, inner: Sequence[Stage]) -> Iterator[tuple[Stage, ...]]:
    modes = (HALF_AWAY, TRUNC, FLOOR, HALF_EVEN)
    for mode in modes:
        yield (replace(stage, values=Grid(multiplier=1, mode=mode)), *inner)
    if inner and isinstance(inner[0], Grids):
        # Perhaps the values went through the spline before they were rounded.
        distinct = {grid for grid in inner[0].grids if grid is not None and grid.divisor > 1}
        distinct = {grid for grid in distinct if largest_number(grid) <= MAX_GRID}
        for grid in distinct if len(distinct) == 1 else ():
            for mode in modes:
                yield (replace(stage, values=replace(grid, mode=mode)), *inner[1:])


def undo_resampling(stages: Sequence[Stage], leads: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the leads inside of all stages, of which a resampling comes first.

    Parameters
    ----------
    stages : sequence of Stage
        A resampling, then derivations and grids.
    leads : (n_leads, n_samples) int64

    Returns
    -------
    (n_inside, n_samples inside) int64
    """
    stage = stages[0]
    assert isinstance(stage, Resampling)
    kept, chains = _kept(stages[1:], len(leads))
    wanted = leads[kept]
    meets = stage.meets(leads.shape[1])
    exact = stage.values.index_of(wanted[:, meets])
    inside = np.zeros((len(kept), stage.n_samples_inside(leads.shape[1])), np.int64)
    real = np.zeros(inside.shape)
    if stage.degree == REPEATED:
        real[:, :1] = _index(stage.values, wanted[:, :1].astype(np.float64))
    elif stage.down > 1 or stage.first:
        middle = before_rounding(stage, wanted, stage.values.mode)
        real = _index(stage.values, before_resampling(stage, middle))
    for i, chain in enumerate(chains):
        inside[i] = _nearest(chain, real[i])
        inside[i, (stage.first + meets * stage.down) // stage.up] = _index_of(chain, exact[i])
        if stage.degree == LINEAR and not chain:
            solve_lines(stage, wanted[i], inside[i])
        if not chain and stage.down > 1:
            _repair(stage, wanted[i], inside[i])
    return inside


def _kept(inner: Sequence[Stage], n_leads: int) -> tuple[list[int], list[list[Grid]]]:
    """Give the leads that stay, and for each its grids from the outside inwards."""
    kept, chains = list(range(n_leads)), [list[Grid]() for _ in range(n_leads)]
    for stage in inner:
        if isinstance(stage, Derivation):
            chains = [chains[i] for i in stage.kept]
            kept = [kept[i] for i in stage.kept]
        elif isinstance(stage, Grids):
            for chain, grid in zip(chains, stage.grids, strict=True):
                if grid is not None:
                    chain.append(grid)
    return kept, chains


def _index(values: Grid, real: NDArray[np.float64]) -> NDArray[np.float64]:
    return ((real - values.shift) * values.divisor - values.offset) / values.multiplier


def _index_of(chain: Sequence[Grid], values: NDArray[np.int64]) -> NDArray[np.int64]:
    for grid in chain:
        values = grid.index_of(values)
    return values


def _values_of(chain: Sequence[Grid], index: NDArray[np.int64]) -> NDArray[np.int64]:
    for grid in reversed(chain):
        index = grid.values(index)
    return index


def _nearest(chain: Sequence[Grid], real: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the indices whose values come nearest to real ones."""
    index = _index_of(chain, np.rint(real).astype(np.int64))
    if not chain:
        return index
    candidates = np.stack([index - 1, index, index + 1])
    away = np.abs(_values_of(chain, candidates) - real)
    return np.asarray(np.take_along_axis(candidates, away.argmin(axis=0)[None], axis=0)[0])


def _repair(stage: Resampling, wanted: NDArray[np.int64], inside: NDArray[np.int64]) -> None:
    """Move whole numbers by one, in place, where a spline through them misses what is wanted.

    Rounding what least squares give is wrong now and then; the spline then leaves the interval
    of its sample somewhere near, and a neighbour one higher or lower brings it back.
    """
    values = stage.values
    centre = _index(values, before_rounding(stage, wanted[None], values.mode)[0])
    half = np.full(wanted.size, 0.5 * values.divisor / values.multiplier)
    if values.mode == TRUNC:
        # Both sides of zero went to it.
        half[wanted == values.shift] *= 2.0
    spline, unit = stage.spline(inside[None], wanted.size)
    error = centre - spline[0] / unit
    pending = np.nonzero(np.abs(error) > half)[0].tolist()
    if len(pending) > _MAX_SHARE_TO_REPAIR * wanted.size:
        return
    for _ in range(int(_MAX_REPAIRS * len(pending))):
        if not pending:
            break
        at = pending.pop()
        if abs(error[at]) <= half[at]:
            continue
        moved = _best_move(stage, error, inside, half, at)
        if moved is None:
            continue
        touched = slice(*moved)
        missed = np.nonzero(np.abs(error[touched]) > half[touched])[0]
        pending += (moved[0] + missed).tolist()


def _best_move(
    stage: Resampling,
    error: NDArray[np.float64],
    inside: NDArray[np.int64],
    half: NDArray[np.float64],
    at: int,
) -> tuple[int, int] | None:
    """Make the move near a sample that brings most back; give the samples that it touches."""
    middle = (stage.first + at * stage.down) // stage.up
    periods = _REACH // stage.down + 1
    begin = max((middle // stage.down - periods) * stage.up, 0)
    # Where a period begins outside, one begins inside.
    end = min(begin + (2 * periods + 1) * stage.up, error.size)
    matrix = spline_matrix(unit_of(stage), (2 * periods + 1) * stage.up)
    offset = begin // stage.up * stage.down
    first = max(middle - _NEAR, 0) - offset
    last = min(middle + _NEAR + 2, inside.size) - offset
    local = error[begin:end]
    columns = matrix[: end - begin, first:last]
    allowed = half[begin:end, None]
    before = _missing(local[:, None], allowed)[0]
    costs = np.stack([_missing(local[:, None] - sign * columns, allowed) for sign in (1, -1)])
    sign, column = np.unravel_index(int(costs.argmin()), costs.shape)
    if costs[sign, column] >= before - 1e-9:
        return None
    step = 1 if sign == 0 else -1
    inside[offset + first + column] += step
    local -= step * columns[:, column]
    return begin, end


def _missing(error: NDArray[np.float64], allowed: NDArray[np.float64]) -> NDArray[np.float64]:
    beyond = np.maximum(np.abs(error) - allowed, 0.0)
    return np.asarray((beyond * beyond).sum(axis=0))
