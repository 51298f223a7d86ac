"""Whole numbers between which straight lines give a record, found exactly, period by period.

Between two samples that stand at the times of those inside, which are known, lines tell of few
numbers: all that are near an estimate are compared, by dynamic programming.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sancodec.structure.resampling import Resampling
from sancodec.structure.rounding import divide

_REACH = 3
"""How far a number may be from its estimate."""
_MISSED = 1 << 20
"""What a missed sample costs, in steps away from estimates."""
_NEVER = 1 << 40


def solve_lines(stage: Resampling, wanted: NDArray[np.int64], inside: NDArray[np.int64]) -> None:
    """Move the numbers inside, in place, so that the fewest of the samples wanted are missed.

    Parameters
    ----------
    stage : Resampling
        Of degree 1. What stands before its first meeting and behind its last one is left alone.
    wanted : (n_samples,) int64
    inside : (n_samples inside,) int64
        Estimates; exact where the times meet.
    """
    begins = stage.meets(wanted.size)[:-1]
    if not begins.size or stage.down == 1:
        return
    first = (stage.first + begins * stage.down) // stage.up
    places = first[:, None] + np.arange(stage.down + 1)
    estimates = inside[places]
    away = np.arange(-_REACH, _REACH + 1)
    away_costs = np.abs(away)
    # The least cost of reaching each number, and from which one before it.
    costs = np.where(away == 0, 0, _NEVER)[None].repeat(begins.size, axis=0)
    came_from: list[NDArray[np.int64]] = []
    for step in range(stage.down):
        left = estimates[:, step, None, None] + away[:, None]
        right = estimates[:, step + 1, None, None] + away[None, :]
        steps = _MISSED * _count_missed(stage, step, (left, right), wanted, begins) + away_costs
        total = costs[:, :, None] + steps
        came_from.append(total.argmin(axis=1))
        costs = total.min(axis=1)
    chosen = np.full(begins.size, _REACH)
    for step in range(stage.down, 0, -1):
        inside[places[:, step]] = estimates[:, step] + away[chosen]
        chosen = came_from[step - 1][np.arange(begins.size), chosen]


def _count_missed(
    stage: Resampling,
    step: int,
    ends: tuple[NDArray[np.int64], NDArray[np.int64]],
    wanted: NDArray[np.int64],
    begins: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Count the samples on one line of each period that are missed, for all pairs of its ends."""
    left, right = ends
    missed = np.zeros(np.broadcast_shapes(left.shape, right.shape), np.int64)
    values = stage.values
    for at in range(stage.up):
        start, phase = divmod(at * stage.down, stage.up)
        if start == step and phase:
            line = (stage.up - phase) * left + phase * right
            numerator = values.multiplier * line + values.offset * stage.up
            found = divide(numerator, values.divisor * stage.up, values.mode) + values.shift
            missed += found != wanted[begins + at, None, None]
    return missed
