from __future__ import annotations

import numpy as np
import pytest

from sancodec.structure.grids import Grid
from sancodec.structure.resampling import LINEAR, Resampling
from sancodec.structure.rounding import MODES
from sancodec.structure.straight import solve_lines


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("up", "down", "first"), [(4, 3, 0), (5, 4, 2), (32, 25, 7), (3, 2, 1)])
def test_lines_are_solved_from_estimates_that_are_off(
    up: int, down: int, first: int, mode: int
) -> None:
    generator = np.random.default_rng(up + mode)
    stage = Resampling(
        n_leads=1,
        up=up,
        down=down,
        first=first,
        degree=LINEAR,
        values=Grid(multiplier=1, mode=mode),
    )
    n_samples = 900
    inside = np.cumsum(generator.integers(-40, 41, stage.n_samples_inside(n_samples)))
    wanted = stage.leave(inside[None], n_samples)[0]
    meets = stage.meets(n_samples)
    known = (first + meets * down) // up
    estimates = inside + generator.integers(-2, 3, inside.size)
    estimates[known] = inside[known]
    solve_lines(stage, wanted, estimates)
    found = stage.leave(estimates[None], n_samples)[0]
    np.testing.assert_array_equal(found[meets[0] : meets[-1] + 1], wanted[meets[0] : meets[-1] + 1])


def test_samples_that_no_lines_give_leave_the_meetings_alone() -> None:
    stage = Resampling(n_leads=1, up=4, down=3, degree=LINEAR)
    wanted = np.random.default_rng(1).integers(-1000, 1000, 41)
    estimates = np.zeros(stage.n_samples_inside(41), np.int64)
    estimates[::3] = wanted[::4]
    solve_lines(stage, wanted, estimates)
    np.testing.assert_array_equal(estimates[::3], wanted[::4])


@pytest.mark.parametrize("n_samples", [1, 3, 4, 5])
def test_a_lead_without_a_whole_period_is_left_alone(n_samples: int) -> None:
    stage = Resampling(n_leads=1, up=4, down=3, degree=LINEAR)
    estimates = np.arange(stage.n_samples_inside(n_samples))
    solve_lines(stage, np.zeros(n_samples, np.int64), estimates)
    expected = np.arange(estimates.size)
    np.testing.assert_array_equal(estimates[[0, -1]], expected[[0, -1]])
