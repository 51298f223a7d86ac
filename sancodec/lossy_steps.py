"""Steps moved by what passes say: how the errors of all leads go with the steps of all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# How the logarithm of a step goes with that of its lead's error, before passes have told.
_EXPONENT = 1.6
_FARTHEST = 0.9
# A move whose errors contradict what is known by so much is taken for an accident.
_LEAST_SHARE = 0.1
_LEAST_MOVE = 1e-4


class StepSolver:
    """Broyden's method (1965) on logarithms.

    Leads that are turned into one another share their errors: a step moves those of all leads.

    Parameters
    ----------
    n_leads : int
    """

    def __init__(self, n_leads: int) -> None:
        self._inverse = np.eye(n_leads) * _EXPONENT
        self._last: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def forget(self) -> None:
        """Forget the last pass: leads are coded in another way from now on."""
        self._last = None

    def next(self, steps: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the steps to try next.

        Parameters
        ----------
        steps : (n_leads,) float64
            Logarithms of the steps of the last pass.
        errors : (n_leads,) float64
            Logarithms of its errors over what is aimed at.
        """
        if self._last is not None:
            self._learn(steps - self._last[0], errors - self._last[1])
        self._last = steps, errors
        return steps - np.clip(_times(self._inverse, errors), -_FARTHEST, _FARTHEST)

    def _learn(self, steps: NDArray[np.float64], errors: NDArray[np.float64]) -> None:
        length = float(np.square(steps).sum())
        expected = _times(self._inverse, errors)
        row = _times(self._inverse.T, steps)
        share = float((row * errors).sum())
        if length < _LEAST_MOVE**2 or share < _LEAST_SHARE * length:
            return
        self._inverse = self._inverse + (steps - expected)[:, None] * row / share


def _times(matrix: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    # Not by @: threads of a linear algebra library would split the sum, each time elsewhere.
    return np.asarray((matrix * vector).sum(axis=1))
