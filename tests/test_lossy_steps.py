"""Steps reach the errors that were asked for, in few passes, however leads depend on each other."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sancodec.lossy_steps import StepSolver


def passes_until(exponents: NDArray[np.float64], errors: NDArray[np.float64]) -> int:
    """Give the passes until all errors are within 0.2 % of the target."""
    solver = StepSolver(len(errors))
    steps = np.zeros(len(errors))
    for n in range(40):
        found = errors + (exponents * np.expm1(0.3 * steps) / 0.3).sum(axis=1)
        if np.abs(found).max() < 0.002:
            return n
        steps = solver.next(steps, found)
    return 40


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4])
def test_two_leads_that_share_their_errors_are_there_after_few_passes(share: float) -> None:
    exponents = np.array([[0.5, share], [share / 2, 0.8]])
    assert passes_until(exponents, np.array([-0.7, 0.3])) <= 9


def test_many_leads_are_there_as_well() -> None:
    generator = np.random.default_rng(5)
    exponents = np.eye(12) * 0.6 + generator.uniform(0.0, 0.03, (12, 12))
    assert passes_until(exponents, generator.normal(0, 0.4, 12)) <= 15


def test_a_pass_that_says_nothing_leaves_what_is_known() -> None:
    solver = StepSolver(2)
    steps = solver.next(np.zeros(2), np.array([0.1, 0.1]))
    # Steps have not moved, errors have: noise.
    np.testing.assert_allclose(solver.next(np.zeros(2), np.array([0.1, 0.1])), steps)
