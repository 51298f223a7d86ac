"""Mode 1, predictive: a prediction that is learned sample after sample ("Predictive residual")."""

from __future__ import annotations

import numpy as np

from .density import read_value
from .leads import Task, read_leads
from .parameters import Group
from .san import Lead
from .scale import Scale
from .series import (
    MARGIN,
    Source,
    columns_at,
    dot,
    padded,
    sane,
)
from .squares import add_rows, power, solve

FORGETTING = 0.9995


def read_predictive(
    payload: bytes, group: Group, leads: list[Lead], n_samples: int
) -> list[list[int]]:
    return read_leads(payload, group, leads, n_samples, _LeadReader)


class _LeadReader:
    def __init__(self, task: Task) -> None:
        self.words, self.n_samples = task.words, task.n_samples
        self.beats = task.beats()
        self.series = task.series()
        self.loudness = task.loudness()
        self.sources = self._sources(task)
        self.e = padded(task.n_samples)
        self.n = len(columns_at(self.sources, 0))
        self.c = [0.0] * self.n
        self.w = [0.0] * 16
        self.g = 0.0
        self.P = np.zeros((self.n + 1, self.n + 1))
        self.scale = Scale(0, 0.01)

    def _sources(self, task: Task) -> list[Source]:
        coded, few = task.coded, task.few
        sources = [Source(self.series.d, -16, -1)]
        sources += [Source(lead.d, -5 if few else -2, 2) for lead in coded[-12:]]
        if task.has_beats:
            sources += [Source(self.series.y, -8, 2), Source(self.beats.h, -2, 2)]
            sources += [Source(lead.y, -2, 2) for lead in coded if few]
        return sources

    def read(self) -> list[int]:
        x = [read_value(self.words, 0.0, 1024.0)]
        b, solved = 1, 1
        while b < self.n_samples:
            start = self._prepare(b)
            stop = min(b + 32, self.n_samples, self.n_samples if start is None else start - 4)
            rows, weights = [], []
            for t in range(b, stop):
                self._read_sample(t, x)
                rows.append([*columns_at(self.sources, t), self.series.d[MARGIN + t]])
            weights = self.scale.weights
            self._add(rows, weights)
            self.scale.learn()
            if stop - solved >= 96 or (stop - solved >= 32 and b < 4096):
                self.c = solve(self.P, [10.0] * self.n)
                solved = stop
            b = stop
        return x

    def _prepare(self, b: int) -> int | None:
        """Prepare beats ahead of a block; give the start of the next one."""
        series = self.series
        while self.beats.next_start is not None and self.beats.next_start <= b + 4:
            self.beats.prepare(b, series.d, series.y, series.k)
        return self.beats.next_start

    def _read_sample(self, t: int, x: list[int]) -> None:
        z = columns_at(self.sources, t)
        known = dot(self.c[16:], z[16:], self.n - 16)
        step = sane((known + dot(self.c, z, 15)) + self.c[15] * z[15])
        i = t + MARGIN
        e = self.e
        q = sane(dot(self.w, e[i - 16 : i], 15) + self.w[15] * e[i - 1])
        for j in range(16):
            self.w[j] += self.g * e[i - 17 + j]
        p = (x[t - 1] + step) + q
        s = self.scale.at(self.beats.loud[i], self.loudness.near(t), self.loudness.around(t))
        x.append(read_value(self.words, p, s))
        d = float(x[t] - x[t - 1])
        k = abs(x[t] - p)
        self.series.d[i], self.series.k[i] = d, k
        e[i] = d - step
        v = e[i - 16 : i]
        self.g = (0.01 / ((dot(v, v, 16) + 1) + s * s)) * (e[i] - q)
        self.scale.see(s, k)

    def _add(self, rows: list[list[float]], weights: list[float]) -> None:
        n = len(rows)
        faded = [weight * power(FORGETTING, n - 1 - j) for j, weight in enumerate(weights)]
        add_rows(self.P, rows, faded, power(FORGETTING, n))
