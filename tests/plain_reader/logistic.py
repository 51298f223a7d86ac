"""Decisions that several chances are mixed for ("Tables" and "Mixer" of the mixing residual)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from functools import cache
from math import floor, frexp

from .series import read_table
from .symbols import Words

LN_2 = 6243314768165359 / 2**53


@cache
def _tables() -> tuple[list[float], list[float], list[float]]:
    """Give U, V and W."""
    table = read_table("logistic.npy")
    U = [number / 2**52 for number in table[:3073]]
    V = [number / 2**50 for number in table[3073:4098]]
    W = [number / 2**50 for number in table[4098:]]
    return U, V, W


def _at(T: Sequence[float], p: float) -> float:
    i = int(p)
    return T[i] + (T[i + 1] - T[i]) * (p - i)


def above(z: float) -> float:
    """Give the share of residuals above z mean magnitudes."""
    p = 64 * z + 1536
    if p <= 0:
        return 1.0
    return 0.0 if p >= 3072 else _at(_tables()[0], p)


def ln(x: float) -> float:
    V = _tables()[1]
    half, exponent = frexp(x)
    f = 2 * half - 1
    i = floor(1024 * f)
    return (exponent - 1) * LN_2 + (V[i] + (V[i + 1] - V[i]) * (1024 * f - i))


def squash(x: float) -> float:
    return _at(_tables()[2], 64 * x + 768)


def clip(f: float) -> float:
    return min(max(f, -11.5), 11.5)


def weigh(weights: list[float], inputs: Sequence[float]) -> float:
    total = 0.0
    for weight, value in zip(weights, inputs, strict=True):
        total += weight * value
    return clip(total)


class Mixer:
    """Weights of the inputs of a decision: of its node, of two surroundings, and of these three."""

    def __init__(self, weights: Sequence[float]) -> None:
        self.vectors: dict[Hashable, list[float]] = defaultdict(lambda: list(weights))
        self.F: dict[Hashable, list[float]] = defaultdict(lambda: [1 / 3] * 3)

    def decide(
        self,
        words: Words,
        keys: tuple[Hashable, Hashable, Hashable],
        inputs: Sequence[float],
        rate: float,
    ) -> int:
        """Read a decision and learn from it; the keys are those of A (and F), B and G.

        Vectors of the same key are one, which then learns once as each of them.
        """
        vectors = [self.vectors[key] for key in keys]
        F = self.F[keys[0]]
        fs = [weigh(weights, inputs) for weights in vectors]
        p = squash(clip((F[0] * fs[0] + F[1] * fs[1]) + F[2] * fs[2]))
        v = words.split(min(max(int(2**16 * p), 1), 2**16 - 1))
        for i, f in enumerate(fs):
            F[i] += ((v - p) * 0.002) * f
        for weights, f in zip(vectors, fs, strict=True):
            gain = (v - squash(f)) * rate
            for i, value in enumerate(inputs):
                weights[i] += gain * value
        return v
