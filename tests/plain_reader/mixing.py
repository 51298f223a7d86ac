"""Mode 3, mixing: eight predictions, mixed decision by decision ("Mixing residual")."""

from __future__ import annotations

from math import floor, sqrt

import numpy as np

from .distances import Expert, ValueReader
from .leads import Task, read_leads
from .parameters import Group
from .san import Lead
from .scale import Scale
from .series import (
    MARGIN,
    Source,
    columns_at,
    dot,
    sane,
)
from .squares import add_rows, power, solve
from .wide import WideSquares, block_stop, wide_sources

N_EXPERTS = 8
# Zeros ahead of the series of the chain, of which 256 are looked back to.
CHAIN = ((2, 0.1), (256, 0.005), (16, 0.003))
MEMORIES = ((16, 8, 0.9995), (16, 4, 0.998), (8, 2, 0.99))


def read_mixing(payload: bytes, group: Group, leads: list[Lead], n_samples: int) -> list[list[int]]:
    return read_leads(payload, group, leads, n_samples, _LeadReader)


class _Filter:
    """A filter of the chain: it predicts what is left from what was left."""

    def __init__(self, n_taps: int, step: float, n_samples: int) -> None:
        self.n_taps, self.step = n_taps, step
        self.w = np.zeros(n_taps)
        # Sample t is at n_taps + t.
        self.left = np.zeros(n_samples + n_taps)

    def predict(self, t: int) -> float:
        return sane(dot(self.w, self.left[t : t + self.n_taps], self.n_taps))

    def learn(self, t: int, error: float, left: float, s: float) -> None:
        n, v = self.n_taps, self.left[t : t + self.n_taps]
        power_of_v = (dot(v, v, n) / n + 1) * sqrt(n) + s * s
        self.w += (self.step * error) / power_of_v * v
        self.left[n + t] = left


class _Memory:
    """Least squares that forget sooner, of fewer columns."""

    def __init__(self, sources: list[Source], own: int, back: int, forgetting: float) -> None:
        back_of = [back] * (len(sources) - 1) + [own]
        self.sources = [
            Source(source.series, max(source.first, -most), source.last)
            for source, most in zip(sources, back_of, strict=True)
        ]
        offsets = [f for source in self.sources for f in range(source.first, source.last + 1)]
        self.fading = [1 / (1 + 0.1 * abs(f)) for f in offsets]
        self.n = len(offsets)
        self.c = [0.0] * self.n
        self.P = np.zeros((self.n + 1, self.n + 1))
        self.forgetting = forgetting
        self.rows: list[list[float]] = []

    def predict(self, t: int) -> float:
        z = columns_at(self.sources, t)
        self.rows.append([value * fading for value, fading in zip(z, self.fading, strict=True)])
        return sane(dot(self.c, self.rows[-1], self.n))

    def add_block(self, weights: list[float]) -> None:
        n = len(self.rows)
        faded = [w * power(self.forgetting, n - 1 - k) for k, w in enumerate(weights)]
        add_rows(self.P, self.rows, faded, power(self.forgetting, n))
        self.rows = []


class _Combination:
    """Least squares of what the predictions say beside the third."""

    def __init__(self) -> None:
        self.c = [0.0] * 7
        self.P = np.zeros((8, 8))
        self.rows: list[list[float]] = []
        self.weights: list[float] = []

    def predict(self, P: list[float]) -> float:
        self.rows.append([P[e] - P[3] for e in range(7)])
        return P[3] + sane(dot(self.c, self.rows[-1], 7))

    def learn(self, target: float, weight: float) -> None:
        self.rows[-1].append(target)
        self.weights.append(weight)
        if len(self.rows) == 8:
            faded = [w * power(0.9995, 7 - k) for k, w in enumerate(self.weights)]
            add_rows(self.P, self.rows, faded, power(0.9995, 8))
            self.c = solve(self.P, [1.0] * 7)
            self.rows, self.weights = [], []


class _LeadReader:
    def __init__(self, task: Task) -> None:
        self.n_samples = task.n_samples
        self.values = ValueReader(task.words)
        self.beats = task.beats()
        self.beat_unit = max(int(min(16 / 360 * task.clock, 65536.0)), 1)
        self.series = task.series()
        self.loudness = task.loudness()
        sources = wide_sources(task, self.series, self.beats)
        self.squares = WideSquares(sources, self.series.d, task.start)
        self.chain = [_Filter(n, step, task.n_samples) for n, step in CHAIN]
        self.memories = [_Memory(sources, *memory) for memory in MEMORIES]
        self.combination = _Combination()
        self.scales = [Scale(1, 0.02) for _ in range(N_EXPERTS)]

    def read(self) -> list[int]:
        x = [self.values.read(0, 0, [Expert(0.0, 1024.0) for _ in range(N_EXPERTS)], 0)]
        b, solved = 1, 1
        while b < self.n_samples:
            stop = block_stop(self.beats, self.series, b, self.n_samples)
            stop = min(stop, (b // 8192 + 1) * 8192)
            total, weights = 0.0, []
            for t in range(b, stop):
                s, k = self._read_sample(t, x)
                total += (s * s + 0.1 * (k * k)) + 0.05
                weights.append(1 / (s * s))
            solved = self._learn(b, stop, total, weights, solved)
            b = stop
        return x

    def _learn(self, b: int, stop: int, total: float, weights: list[float], solved: int) -> int:
        """Learn from a block; give the sample since which no memory has been solved."""
        for scale in self.scales:
            scale.learn()
        self.squares.add_block(stop, total)
        for memory in self.memories:
            for t, row in enumerate(memory.rows, b):
                row.append(self.series.d[t + MARGIN])
            memory.add_block(weights)
        if stop - solved < 32:
            return solved
        for memory in self.memories:
            memory.c = solve(memory.P, [100.0] * memory.n)
        return stop

    def _predictions(self, t: int) -> list[float]:
        P = [self.squares.step(t)]
        for one in self.chain:
            P.append(P[-1] + one.predict(t))
        P += [memory.predict(t) for memory in self.memories]
        return [*P, self.combination.predict(P)]

    def _read_sample(self, t: int, x: list[int]) -> tuple[float, float]:
        """Read a sample; give its scale and its magnitude k, both of P_7."""
        P = self._predictions(t)
        loud, near = self.beats.loud[t + MARGIN], self.loudness.near(t)
        around = self.loudness.around(t)
        s = [scale.at(loud, near, around, abs(p)) for scale, p in zip(self.scales, P, strict=True)]
        experts = [Expert(*of_expert) for of_expert in zip(P, s, strict=True)]
        x.append(self.values.read(t, x[t - 1], experts, self._phase(t)))
        d = float(x[t] - x[t - 1])
        for i, one in enumerate(self.chain):
            one.learn(t, d - P[1 + i], d - P[i], s[0])
        self.combination.learn(d - P[3], 1 / (s[7] * s[7]))
        k = [abs(d - p) for p in P]
        for e, scale in enumerate(self.scales):
            scale.see(s[e], k[e])
        self.series.d[t + MARGIN], self.series.k[t + MARGIN] = d, k[7]
        return s[7], k[7]

    def _phase(self, t: int) -> int:
        if self.beats.n_prepared == 0:
            return 0
        start = self.beats.starts[self.beats.n_prepared - 1]
        return min(max(floor((t - start) / self.beat_unit) + 1, 0), 23)
