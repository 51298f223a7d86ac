"""Decisions that seven contexts know ("Decision" of the transform residual)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from functools import cache
from typing import Any

from .logistic import ln, squash, weigh
from .primers import TransformStart, context_number, vector_number
from .symbols import Words

WEIGHTS = (0.25,) * 7 + (0.0,)


@cache
def _stretched() -> list[float]:
    """Give T."""
    places = [0.5 / 4096, *(j / 4096 for j in range(1, 4096)), 1 - 0.5 / 4096]
    return [ln(x) - ln(1 - x) for x in places]


class Decider:
    """What all contexts of a payload have learned, and all vectors of weights."""

    def __init__(self, words: Words, start: TransformStart | None = None) -> None:
        self.words, self.start = words, start
        self.chances: dict[Hashable, tuple[float, float]] = defaultdict(lambda: (0.5, 0))
        self.weights: dict[Hashable, list[float]] = defaultdict(lambda: list(WEIGHTS))

    def decide(self, contexts: Sequence[Hashable], vectors: Sequence[Hashable]) -> int:
        """Read a decision; each context has its own family, as has each vector."""
        keys = list(enumerate(contexts))
        if self.start is not None:
            self._begin(self.start, keys, vectors)
        inputs = [*(self._input(*self.chances[key]) for key in keys), 0.3]
        chosen = [self.weights[vector] for vector in vectors]
        fs = [weigh(weights, inputs) for weights in chosen]
        P = squash(((fs[0] + fs[1]) + fs[2]) / 3)
        d = self.words.split(min(max(int(2**16 * P), 1), 2**16 - 1))
        for weights, f in zip(chosen, fs, strict=True):
            gain = (d - squash(f)) * 0.02
            for i, value in enumerate(inputs):
                weights[i] += gain * value
        for key in keys:
            p, n = self.chances[key]
            p += (d - p) / (n + 1.6)
            self.chances[key] = min(max(p, 1 / 4096), 4095 / 4096), min(n + 1, 180)
        return d

    def _begin(self, start: TransformStart, keys: list[Any], vectors: Sequence[Any]) -> None:
        """Let what was not met yet begin with what other records taught."""
        for k, context in keys:
            number = context_number(k, context)
            if (k, context) not in self.chances and number in start.contexts:
                self.chances[k, context] = start.contexts[number]
        for vector in vectors:
            number = vector_number(vector)
            if vector not in self.weights and number in start.vectors:
                self.weights[vector] = list(start.vectors[number])

    @staticmethod
    def _input(p: float, n: float) -> float:
        T, j = _stretched(), int(4096 * p)
        return (T[j] + (T[j + 1] - T[j]) * (4096 * p - j)) * ((n + 0.3) / (n + 1.5))
