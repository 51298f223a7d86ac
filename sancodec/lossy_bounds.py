"""The fewest bytes with no sample off by more than a bound: in steps, or transformed, by trial."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sancodec.lossy import Coded, LossyEncoder
from sancodec.lossy_search import COARSER, Size
from sancodec.planning import EncodingPlan

# Up to this bound steps alone are smaller on all that was measured.
_STEPS_ONLY = 1
# Steps of the transform over the bound: where the search begins, and by what it moves.
_FIRST, _MOVE = 1.6, 1.25
_MAX_MOVES = 6
# Of its part in the bounds of the channels, what a base lead may be off by: splines overshoot.
_SHARES = (1.0, 0.8, 0.6)


class BoundSearch:
    """The best coding with a bound for each channel.

    Parameters
    ----------
    encoder : LossyEncoder
    plan : EncodingPlan
    bounds : tuple of int
        In ADC units; 0 for a channel that comes back exactly.
    size : callable
        Gives the bytes of a coding.
    """

    def __init__(
        self, encoder: LossyEncoder, plan: EncodingPlan, bounds: tuple[int, ...], size: Size
    ) -> None:
        self._encoder = encoder
        self._plan = plan
        self._bounds = bounds
        self._size = size

    def best(self) -> Coded:
        """Search, and give the smallest coding."""
        nothing = np.zeros(len(self._bounds))
        plans = [self._plan]
        plans += [self._plan.without_layers()] if self._plan.searches else []
        stepped = self._encoder.loss(nothing, None, self._bounds)
        tried = [self._encoder.run(plan, stepped) for plan in plans]
        if max(self._bounds) > _STEPS_ONLY:
            tried.append(self._transformed())
        return min(tried, key=self._size)

    def better_than(self, rival: Coded) -> Coded:
        """Search, finer where others follow from a lead, and give the smaller coding."""
        for share in _SHARES:
            bounds = self._encoder.base_bounds(self._bounds, share)
            if not any(bounds):
                break
            own = BoundSearch(self._encoder, self._plan, bounds, self._size).best()
            if self._size(own) >= self._size(rival):
                break
            if own.tallies.within(self._bounds):
                return own
        return rival

    def _transformed(self) -> Coded:
        """Give the smallest coding by coefficients with corrections."""
        factor = _FIRST
        turning = self._steps(1.0)
        plan = self._plan.for_steps(self._steps(factor), level=True, coarser=COARSER)
        best = self._run(plan, factor, turning)
        for move in (_MOVE, 1.0 / _MOVE):
            for _ in range(_MAX_MOVES):
                coded = self._run(plan, factor * move, turning)
                if self._size(coded) >= self._size(best):
                    break
                best, factor = coded, factor * move
        plans = []
        if plan.searches:
            plans = [self._plan.for_steps(self._steps(factor), level=False, coarser=COARSER)]
            plans += [*self._encoder.detailed(plan), plan.without_layers()]
        best = min([best, *(self._run(own, factor, turning) for own in plans)], key=self._size)
        others = [self._run(best.plan, factor, None)] if turning.size > 1 else []
        return min([best, *others], key=self._size)

    def _steps(self, factor: float) -> NDArray[np.float64]:
        # A channel with a bound of 0 has coefficients all the same, and corrections of 1.
        return np.maximum(np.array(self._bounds, np.float64), 0.5) * factor

    def _run(self, plan: EncodingPlan, factor: float, turning: NDArray[np.float64] | None) -> Coded:
        loss = self._encoder.loss(self._steps(factor), turning, self._bounds)
        return self._encoder.run(plan, loss)
