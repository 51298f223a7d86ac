"""A sample told by decisions about its distance ("Value" of the mixing residual)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from .logistic import Mixer, above, ln
from .symbols import Words
from .wire import check

LEAST = 2.0**-40
WEIGHTS = (0.3, 0.1, 0.1, 0.1, 0.03, 0.03, 0.03, 0.31, 0.0)


@dataclass
class Expert:
    """A prediction, its scale, and the bounds of what is left of its density."""

    P: float
    s: float
    inverse: float = 0.0
    o: float = 0.0
    begin: float = 1.0
    end: float = 0.0
    cut: float = 0.0

    def input_at(self, D: int) -> float:
        self.cut = above((D + self.o) * self.inverse)
        return ln((self.cut - self.end) + LEAST) - ln((self.begin - self.cut) + LEAST)


class ValueReader:
    """Reads the samples of one lead."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.mixer = Mixer(WEIGHTS)
        self.experts: Sequence[Expert] = ()
        self.level = self.phase = 0
        self.rate = 0.0

    def read(self, t: int, before: int, experts: Sequence[Expert], phase: int) -> int:
        """Read x[t] behind the sample before."""
        self.experts, self.phase = experts, phase
        self.rate = 0.03 + 0.02 / (1 + 0.02 * t)
        s = experts[-1].s
        self.level = _level(s)
        C = floor(min(max(before + experts[-1].P, -(2.0**31)), 2.0**31 - 1))
        for expert in experts:
            expert.inverse = 1 / expert.s
            expert.o = ((C - before) + 0.5) - expert.P
        if self._decide(0, 0, 0):
            x = C + 1 + self._distance(s)
        else:
            for expert in experts:
                expert.o, expert.end = -expert.o, 0.0
                expert.begin = above(expert.o * expert.inverse)
            x = C - self._distance(s)
        check(-(2**31) <= x < 2**31, "a sample beyond 32 bits")
        return x

    def _distance(self, s: float) -> int:
        b = 0
        while b < 32 and 2 ** (b + 1) <= 0.9 * s:
            b += 1
        low, steps, width = 0, 0, 1 << b
        while low + width < 2**33:
            node = (13 if b else 1) + min(steps, 11)
            if not self._decide(low + width, node, 1 + min(steps, 2)):
                break
            low, steps = low + width, steps + 1
            width *= 2 if steps >= 8 else 1
        level = 0
        while width > 1:
            width //= 2
            if level < 4:
                node = 25 + 4 * level + min(steps, 3)
                decision = self._decide(low + width, node, 4 + min(level, 2))
            else:
                decision = self.words.split(2**15)
            low += width * decision
            level += 1
        return low

    def _decide(self, D: int, node: int, kind: int) -> int:
        inputs = [expert.input_at(D) for expert in self.experts]
        keys = ("A", node), ("B", self.level, kind), ("G", self.phase, kind)
        decision = self.mixer.decide(self.words, keys, [*inputs, 0.3], self.rate)
        for expert in self.experts:
            if decision:
                expert.begin = expert.cut
            else:
                expert.end = expert.cut
        return decision


def _level(s: float) -> int:
    """Give the class of a scale."""
    level, bound = 0, 0.3
    while level < 23 and s > bound:
        bound, level = bound * 1.3, level + 1
    return level
