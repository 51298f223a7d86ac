"""What a lossy file loses, found pass by pass: the largest loss that keeps what was promised.

Steps of the quantiser move until every lead has the same error, and that is as close to the
target as they can bring it. On the way the leads are coded turned into one another and not, with
their SAN layers and without, and what takes fewer bytes for the same error stays.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.lossy import Coded, LossyEncoder
from sancodec.lossy_steps import StepSolver
from sancodec.planning import EncodingPlan

Size = Callable[[Coded], int]
"""Gives the bytes of the file that a coding becomes."""
COARSER = 3
"""Amplitudes of kernels need not be as fine as coefficients, by so many powers of two."""

_MAX_PASSES, _MAX_QUICK_PASSES, _FEW_SAMPLES = 9, 14, 1 << 18
# Passes from the one that came nearest, where they are quick.
_MAX_POLISHES = 10
# What else there is to choose is settled where errors are so near, in this pass at the latest.
_CHOOSE_NEAR, _CHOOSE_AT = 0.06, 3
_CLOSE, _LEAST_CLOSE = 0.9965, 0.993
_AIM, _LATE_AIMS = 0.9985, (0.992, 0.985, 0.97)
# What passes so far from the target say of leads that hide behind others is of no use.
_HIDDEN = 1.0
# A size within this of the target is close enough.
_CLOSE_SIZE, _AIM_SIZE = 0.992, 0.997
# Of a step, in the error of the lead: where most coefficients become 0 and few are coded.
_FIRST_STEP = 3.0
# Between these PRDN the SAN layer takes ever more of what is coded, and the step may grow.
_FROM, _UP_TO, _GROWTH = 2.0, 10.0, 0.17
_FIRST_PRDN = 5.0
_TOLD_APART = 0.003
# How bytes fall with the error, as an exponent.
_USUAL_FALL, _MIN_FALL, _MAX_FALL = 1.5, 0.5, 2.5
# How steps go with deviations where leads need not be alike, as exponents; passes to judge each.
_POWERS = (1.0, 0.6, 0.2)
_N_SHAPING, _SHAPING_EXPONENT = 2, 1.5
_SHRINK, _FIRST_RETREAT = 0.8, 0.1
_POLISH = 0.002
# A coding that is so much worse than another, as a logarithm, will not become better.
_HOPE = 0.06
_MOST_GROWTH = math.log(64.0)
_MAX_SHRINKS = 60
# Above so many bits for each sample the lossless modes may be as small.
_LOSSLESS_FROM = 1.5
_LEAST_ERROR = 1e-3


class _Choice(NamedTuple):
    """A coding, and its cost beside those with the same steps."""

    coded: Coded
    cost: float


def _cost_of(choice: _Choice) -> float:
    return choice.cost


class StepSearch(ABC):
    """Steps that are moved until all leads have the same error, which is the right one.

    Parameters
    ----------
    encoder : LossyEncoder
    plan : EncodingPlan
    percent : float
        PRDN to begin with.
    size : callable
        Gives the bytes of a coding.
    """

    def __init__(
        self, encoder: LossyEncoder, plan: EncodingPlan, percent: float, size: Size
    ) -> None:
        self._encoder = encoder
        self._plan = plan
        self._rival: Coded | None = None
        self._size = size
        growth = 1.0 + _GROWTH * (min(max(percent, _FROM), _UP_TO) - _FROM)
        self._steps = np.log(encoder.deviations() * (_FIRST_STEP * growth * percent / 100.0))
        # A lead that is exact, or all zeros, says nothing of what a larger step would do.
        self._largest = self._steps + _MOST_GROWTH
        self._turning = np.exp(self._steps) if self._steps.size > 1 else None
        self._best: Coded | None = None
        self._best_steps = self._steps
        self._seen: list[tuple[float, float]] = []
        self._nearest = math.inf, self._steps, 0.0
        few = encoder.n_samples <= _FEW_SAMPLES
        self._n_passes = _MAX_QUICK_PASSES if few else _MAX_PASSES

    @abstractmethod
    def _errors(self, coded: Coded) -> NDArray[np.float64]:
        """Give the logarithm of each channel's error over what it may be."""

    @abstractmethod
    def _cost(self, coded: Coded) -> float:
        """Give the logarithm of what is to be least, as if the promise were just kept."""

    @abstractmethod
    def _keeps(self, coded: Coded) -> bool:
        """Tell whether a coding keeps the promise."""

    @abstractmethod
    def _close(self, coded: Coded) -> bool:
        """Tell whether a coding that keeps the promise is as close to it as is worth a pass."""

    @abstractmethod
    def _better(self, coded: Coded, best: Coded) -> bool:
        """Tell which of two codings that keep the promise is the better one."""

    def best(self) -> Coded:
        """Search, and give the best coding that keeps the promise."""
        self._approach_and_retreat()
        return self._or_lossless()

    def better_than(self, rival: Coded) -> Coded:
        """Search as long as there is hope, and give the better coding."""
        self._rival = rival
        self._approach_and_retreat()
        best = self._best
        return rival if best is None or not self._better(best, rival) else best

    def _approach_and_retreat(self) -> None:
        self._approach()
        for number in range(_MAX_SHRINKS):
            if self._best is not None or self._hopeless():
                break
            self._steps += self._retreat() * min(_FIRST_RETREAT * 2**number, 1.0)
            self._try()

    def _hopeless(self) -> bool:
        return self._rival is not None and self._nearest[0] > self._cost(self._rival) + _HOPE

    def _retreat(self) -> float:
        """Give by what steps move while none have kept the promise yet."""
        return math.log(_SHRINK)

    def _approach(self) -> None:
        solver = StepSolver(self._steps.size)
        chosen = False
        for number in range(self._n_passes):
            coded = self._try()
            errors = self._encoder.worst_of(self._errors(coded))
            if not chosen and (number >= _CHOOSE_AT or np.abs(errors).max() < _CHOOSE_NEAR):
                chosen, coded = True, self._choose(coded)
                errors = self._encoder.worst_of(self._errors(coded))
                solver.forget()
            if self._keeps(coded) and self._close(coded):
                return
            if chosen and self._hopeless():
                return
            late = number - (self._n_passes - len(_LATE_AIMS))
            aim = _AIM if late < 0 or self._best is not None else _LATE_AIMS[late]
            moved = solver.next(self._steps, errors - math.log(aim))
            self._steps = np.minimum(moved, self._largest)

    def _choose(self, first: Coded) -> Coded:
        """Choose how amplitudes are fitted, and whether leads are turned and have SAN layers.

        What takes fewest bytes for the same error stays: with the plan of ``first``, or another.
        """
        steps = np.exp(self._steps)
        thorough = self._plan.chunks.level != "fast"
        plans = []
        if self._plan.searches:
            fits = (True, False) if thorough else (True,)
            plans = [self._plan.for_steps(steps, level=e, coarser=COARSER) for e in fits]
            plans.append(self._plan.without_layers())
        best, stepped = _Choice(first, self._even_cost(first)), None
        for plan in plans:
            choice = self._tried(plan, self._turning)
            best = min(best, choice, key=_cost_of)
            if plan.searches:
                stepped = min(stepped or choice, choice, key=_cost_of)
        # Whatever amplitudes alone are best: principal ones go with those that suit the steps.
        if thorough and stepped is not None:
            for plan in self._encoder.detailed(stepped.coded.plan):
                best = min(best, self._tried(plan, self._turning), key=_cost_of)
        self._plan = best.coded.plan
        if self._turning is not None:
            straight = self._tried(self._plan, None)
            if straight.cost < best.cost:
                best, self._turning = straight, None
        self._best, self._nearest = None, (math.inf, self._steps, 0.0)
        return self._note(best.coded)

    def _tried(self, plan: EncodingPlan, turning: NDArray[np.float64] | None) -> _Choice:
        """Give what another plan comes to with the steps at hand."""
        coded = self._encoder.run(plan, self._encoder.loss(np.exp(self._steps), turning))
        return _Choice(coded, self._even_cost(coded))

    def _even_cost(self, coded: Coded) -> float:
        """Give the logarithm of the bytes, as if errors were the same as those of another."""
        return math.log(self._size(coded)) + self.fall * _mean_error(coded)

    @property
    def fall(self) -> float:
        """How bytes fall with errors, in logarithms, from the last two passes."""
        if len(self._seen) < 2:
            return _USUAL_FALL
        (size, error), (other_size, other_error) = self._seen[-2:]
        if abs(other_error - error) < _TOLD_APART:
            return _USUAL_FALL
        found = (other_size - size) / (error - other_error)
        return min(max(found, _MIN_FALL), _MAX_FALL)

    def _try(self) -> Coded:
        steps = np.exp(self._steps)
        # Turned for other steps, leads that follow from others would not vanish.
        self._turning = None if self._turning is None else steps
        loss = self._encoder.loss(steps, self._turning)
        return self._note(self._encoder.run(self._plan, loss))

    def _note(self, coded: Coded) -> Coded:
        """Remember what a coding with the steps at hand says, and the coding if it is the best."""
        self._seen.append((math.log(self._size(coded)), _mean_error(coded)))
        cost = self._cost(coded)
        if cost < self._nearest[0]:
            self._nearest = cost, self._steps, float(self._errors(coded).max())
        if self._keeps(coded) and (self._best is None or self._better(coded, self._best)):
            self._best, self._best_steps = coded, self._steps
        return coded

    def _or_lossless(self) -> Coded:
        """Give the best coding, or one without loss where that keeps the promise as well."""
        best = self._best
        n_samples = self._encoder.n_samples
        if best is not None and 8 * self._size(best) < _LOSSLESS_FROM * n_samples:
            return best
        exact = self._encoder.run(self._plan, None)
        if best is None or (self._keeps(exact) and self._size(exact) <= self._size(best)):
            return exact
        return best


class PrdnSearch(StepSearch):
    """Every lead just below a PRDN, in the fewest bytes."""

    def __init__(
        self, encoder: LossyEncoder, plan: EncodingPlan, percent: float, size: Size
    ) -> None:
        super().__init__(encoder, plan, percent, size)
        self._percent = percent

    def _approach(self) -> None:
        """Approach, then try from what came nearest: of many leads one is always too far off."""
        super()._approach()
        if self._encoder.n_samples > _FEW_SAMPLES:
            return
        for number in range(_MAX_POLISHES):
            if self._hopeless() or (self._best is not None and self._close(self._best)):
                break
            _, steps, over = self._nearest
            self._steps = steps - over - _POLISH * number
            self._try()

    def _cost(self, coded: Coded) -> float:
        return math.log(self._size(coded)) + self.fall * max(float(self._errors(coded).max()), 0.0)

    def _errors(self, coded: Coded) -> NDArray[np.float64]:
        return _log_prdn(coded, self._percent) - math.log(self._percent)

    def _keeps(self, coded: Coded) -> bool:
        return all(tally.within(self._percent) for tally in coded.tallies.channels)

    def _close(self, coded: Coded) -> bool:
        errors = self._errors(coded)
        return bool(errors.mean() >= math.log(_CLOSE) and errors.min() >= math.log(_LEAST_CLOSE))

    def _better(self, coded: Coded, best: Coded) -> bool:
        return self._size(coded) < self._size(best)


class MeanSearch(PrdnSearch):
    """The mean PRDN of the leads just below a target, in the fewest bytes."""

    def _approach(self) -> None:
        """Choose how steps go with the leads' deviations, then move all alike."""
        middle, shape = self._steps.mean(), self._steps - self._steps.mean()
        tried = []
        for power in _POWERS if self._steps.size > 1 else _POWERS[:1]:
            self._steps = middle + power * shape
            for _ in range(_N_SHAPING):
                coded = self._try()
                tried.append((self._cost(coded), self._steps))
                self._steps = self._steps - self._errors(coded).max() * _SHAPING_EXPONENT
        self._steps = min(tried, key=lambda own: own[0])[1]
        super()._approach()

    def _errors(self, coded: Coded) -> NDArray[np.float64]:
        over = math.log(max(coded.tallies.mean_prdn, _LEAST_ERROR) / self._percent)
        return np.full(len(coded.tallies.channels), over)

    def _keeps(self, coded: Coded) -> bool:
        return coded.tallies.mean_prdn <= self._percent


class SizeSearch(StepSearch):
    """The least PRDN, the same for every lead, in at most so many bytes."""

    def __init__(self, encoder: LossyEncoder, plan: EncodingPlan, n_bytes: int, size: Size) -> None:
        super().__init__(encoder, plan, _FIRST_PRDN, size)
        self._n_bytes = n_bytes

    def _approach(self) -> None:
        """Approach, then move all steps alike from the best ones: bytes come in words."""
        super()._approach()
        few, share = self._encoder.n_samples <= _FEW_SAMPLES, 1.0
        for _ in range(_MAX_POLISHES):
            best = self._best
            if not few or best is None or self._close(best) or self._hopeless():
                break
            self._steps = self._best_steps + share * math.log(self._size(best) / self._n_bytes)
            self._try()
            share *= 1.0 if self._best is not best else 0.6

    def _errors(self, coded: Coded) -> NDArray[np.float64]:
        """Give errors over that with which the size would be about right."""
        over = math.log(self._size(coded) / (self._n_bytes * _AIM_SIZE))
        mean = _mean_error(coded)
        return _log_prdn(coded, math.exp(mean)) - (mean + over / self.fall)

    def _cost(self, coded: Coded) -> float:
        over = math.log(self._size(coded) / self._n_bytes)
        return float(_log_prdn(coded, 1.0).max()) + max(over, 0.0) / self.fall

    def _keeps(self, coded: Coded) -> bool:
        return self._size(coded) <= self._n_bytes

    def _close(self, coded: Coded) -> bool:
        return self._size(coded) >= _CLOSE_SIZE * self._n_bytes

    def _better(self, coded: Coded, best: Coded) -> bool:
        # The worst lead decides: one that is nearly exact may not pay for another.
        return bool(_log_prdn(coded, 1.0).max() < _log_prdn(best, 1.0).max())

    def _retreat(self) -> float:
        return -math.log(_SHRINK)


def _log_prdn(coded: Coded, usual: float) -> NDArray[np.float64]:
    """Give the logarithm of each channel's PRDN; of flat ones, which are exact, that of usual."""
    found = [
        max(min(tally.prdn, 1e5), _LEAST_ERROR * usual) if tally.deviation else usual
        for tally in coded.tallies.channels
    ]
    return np.array([math.log(prdn) for prdn in found])


def _mean_error(coded: Coded) -> float:
    """Give the mean logarithm of the PRDN: a lead that is exact hides no other."""
    found = np.array([min(t.prdn, 1e5) for t in coded.tallies.channels if t.deviation])
    if not found.any():
        return math.log(_LEAST_ERROR)
    least = math.sqrt(np.square(found).mean()) * math.exp(-_HIDDEN)
    return max(float(np.log(np.maximum(found, least)).mean()), math.log(_LEAST_ERROR))
