"""Mode 4, wide: least squares of many columns, learned from the samples ("Wide residual")."""

from __future__ import annotations

import numpy as np

from .beats import Beats
from .density import read_value
from .leads import Task, read_leads
from .parameters import Group
from .primers import LeadStart
from .san import Lead
from .scale import Scale
from .series import (
    MARGIN,
    Coded,
    Source,
    add_up,
    columns_at,
    padded,
    sane,
)
from .squares import Matrix, power, solve

FORGETTING = 0.9998


def read_wide(payload: bytes, group: Group, leads: list[Lead], n_samples: int) -> list[list[int]]:
    return read_leads(payload, group, leads, n_samples, _LeadReader)


def wide_sources(task: Task, own: Coded, beats: Beats) -> list[Source]:
    coded, few = task.coded, task.few
    sources = [Source(lead.d, -13 if few else -2, 2) for lead in coded[-12:]]
    if task.has_beats:
        sources += [Source(own.y, -29 if few else -5, 2), Source(beats.h, -5, 2)]
        sources += [Source(lead.y, -5, 2) for lead in coded if few]
    return [*sources, Source(own.d, -47 if few else -15, -1)]


class WideSquares:
    """The least squares of the wide residual."""

    def __init__(self, sources: list[Source], d: list[float], start: list[float]) -> None:
        self.sources, self.d = sources, d
        offsets = [f for source in sources for f in range(source.first, source.last + 1)]
        self.n, self.offsets = len(offsets), offsets
        n = self.n
        self.firsts = [0]
        for source in sources[:-1]:
            self.firsts.append(self.firsts[-1] + source.last - source.first + 1)
        self.added = [3 * ((1 + 1.5 * abs(f)) * (1 + 1.5 * abs(f))) for f in offsets]
        self.c = [0.0] * n
        self.P = np.zeros((n + 1, n + 1))
        if start and len(start) == n:
            self.c = list(start)
            for i, f in enumerate(self.added):
                self.P[i, i] = 30 * f
                self.P[i, n] = self.P[i, i] * self.c[i]
            self.added = [0.03 * f for f in self.added]
        self.bounds = [1]
        self.weights: list[float] = []

    def begin(self, primed: list[LeadStart]) -> LeadStart | None:
        """Begin with what other records taught of a lead with so many regressors, and give it."""
        start = next((start for start in primed if start.n == self.n), None)
        if start is not None:
            self.P = start.P.copy()
            f = [3 * ((1 + 1.5 * abs(f)) * (1 + 1.5 * abs(f))) for f in self.offsets]
            self.added = [0.3 * own for own in f]
            self.c = solve(self.P, self.added)
        return start

    def step(self, t: int) -> float:
        return sane(add_up(self.c, columns_at(self.sources, t)))

    def add_block(self, stop: int, total: float) -> None:
        """Take a block into the span, and solve what is long enough."""
        begin = self.bounds[-1]
        self.bounds.append(stop)
        self.weights.append((stop - begin) / total)
        if stop - self.bounds[0] >= min(max(8, begin // 16), 384):
            self._add_products()
            self.c = solve(self.P, self.added)
            self.bounds, self.weights = [stop], []

    def _add_products(self) -> None:
        b, end = self.bounds, self.bounds[-1]
        v = [w * power(FORGETTING, end - b[g + 1]) for g, w in enumerate(self.weights)]
        z = np.array(
            [[*columns_at(self.sources, t), self.d[t + MARGIN]] for t in range(b[0], end + 1)]
        )
        of_first = {i: self._sum_of_first(z, v, i) for i in self.firsts}
        u = [low - high for low, high in zip([0.0, *v], [*v, 0.0], strict=True)]
        S = np.zeros_like(self.P)
        for i in range(self.n + 1):
            if i in of_first:
                S[i, i:] = of_first[i][i:]
                continue
            moved = S[i - 1, i - 1 : self.n].copy()
            for change, bound in zip(u, b, strict=True):
                row = z[bound - b[0]]
                moved += (change * row[i - 1]) * row[i - 1 : self.n]
            S[i, i:] = moved
            for j in self.firsts:
                if j > i:
                    S[i, j] = of_first[j][i]
        self.P = self.P * power(FORGETTING, end - b[0]) + S

    def _sum_of_first(self, z: Matrix, v: list[float], i: int) -> Matrix:
        """Sum (v(t) z_i(t)) z_j(t) over the span, for all columns j."""
        total = np.zeros(self.n + 1)
        for g, weight in enumerate(v):
            for t in range(self.bounds[g], self.bounds[g + 1]):
                row = z[t - self.bounds[0]]
                total += (weight * row[i]) * row
        return total


class _LeadReader:
    def __init__(self, task: Task) -> None:
        self.words, self.n_samples = task.words, task.n_samples
        self.beats = task.beats()
        self.series = task.series()
        self.loudness = task.loudness()
        sources = wide_sources(task, self.series, self.beats)
        self.squares = WideSquares(sources, self.series.d, task.start)
        self.scale = Scale(2, 0.02)
        start = self.squares.begin(task.primed)
        if start is not None:
            self.scale.begin(start.Q, start.moving)
        self.e = padded(task.n_samples)
        self.w = [0.0, 0.0]

    def read(self) -> list[int]:
        x = [read_value(self.words, 0.0, 1024.0)]
        b = 1
        while b < self.n_samples:
            stop = block_stop(self.beats, self.series, b, self.n_samples)
            total = 0.0
            for t in range(b, stop):
                total += self._read_sample(t, x)
            self.scale.learn()
            self.squares.add_block(stop, total)
            b = stop
        return x

    def _read_sample(self, t: int, x: list[int]) -> float:
        """Read a sample, and give its share of what the block's weight is made of."""
        step = self.squares.step(t)
        i, e = t + MARGIN, self.e
        q = sane(self.w[0] * e[i - 2] + self.w[1] * e[i - 1])
        p = (x[t - 1] + step) + q
        near, around = self.loudness.near(t), self.loudness.around(t)
        s = self.scale.at(self.beats.loud[i], near, around, abs(step), abs(q))
        x.append(read_value(self.words, p, s))
        d = float(x[t] - x[t - 1])
        k = abs(x[t] - p)
        self.series.d[i], self.series.k[i] = d, k
        e[i] = d - step
        energy = e[i - 2] * e[i - 2] + e[i - 1] * e[i - 1]
        g = (0.05 / (energy + (1 + s * s))) * (e[i] - q)
        self.w[0] += g * e[i - 2]
        self.w[1] += g * e[i - 1]
        self.scale.see(s, k)
        return (s * s + 0.1 * (k * k)) + 0.05


def block_stop(beats: Beats, series: Coded, b: int, n_samples: int) -> int:
    """Prepare beats ahead of the block that begins at sample b, and give its end."""
    while beats.next_start is not None and beats.next_start <= b + 4:
        beats.prepare(b, series.d, series.y, series.k)
    stop = min(b + (8 if b < 256 else 32), n_samples)
    return stop if beats.next_start is None else min(stop, beats.next_start - 4)
