"""How large residuals are expected to be, of the predictive residual and those that use it."""

from __future__ import annotations

import numpy as np

from .squares import Matrix, add_rows

A0 = (0.35, 0.05, 0.09, 0.15, 0.25, 0.03, 0.02, 0.1)
RATES = (0.2, 0.05, 0.01, 0.001)


class Scale:
    """Eight features and what is added to them, their weights, and the scale that they give."""

    def __init__(self, n_more: int, share: float) -> None:
        self.a0 = [*A0, *[0.0] * n_more]
        self.a = list(self.a0)
        self.m = [4.0] * 4 + [0.0] * 3 + [1.0] + [0.0] * n_more
        self.share = share
        self.Q = np.zeros((len(self.a) + 1, len(self.a) + 1))
        self.rows: list[list[float]] = []
        self.weights: list[float] = []

    def at(self, loud: float, near: float, around: float, *more: float) -> float:
        """Give s, from what is known ahead of a sample."""
        self.m[4:7] = loud, near, around
        self.m[8:] = more
        a, m = self.a, self.m
        calm = ((a[4] * m[4] + a[5] * m[5]) + a[6] * m[6]) + a[7]
        s = (calm + (a[2] * m[2] + a[3] * m[3])) + (a[0] * m[0] + a[1] * m[1])
        if len(more) == 1:
            s = s + a[8] * m[8]
        elif more:
            s = s + (a[8] * m[8] + a[9] * m[9])
        return min(max(s, 0.05), 2.0**36)

    def see(self, s: float, k: float) -> None:
        """Keep the row of a sample with magnitude k."""
        self.rows.append([*self.m, k])
        self.weights.append(1 / (s * s + self.share * (k * k)))
        for i, rate in enumerate(RATES):
            self.m[i] += (k - self.m[i]) * rate

    def learn(self) -> None:
        """Learn the weights after a block."""
        n_samples = len(self.rows)
        add_rows(self.Q, self.rows, self.weights, 1 - (1 - 0.98) * (n_samples / 32))
        self.rows, self.weights = [], []
        self._fit()

    def begin(self, Q: Matrix, moving: float) -> None:
        """Begin with what other records taught."""
        self.Q, self.m[:4] = Q.copy(), [moving] * 4
        self._fit()

    def _fit(self) -> None:
        n = len(self.a)
        Q, a = self.Q.tolist(), self.a
        for _ in range(2):
            for i in range(n):
                rest = Q[i][n] + 10 * self.a0[i]
                for j in range(n):
                    if j != i:
                        rest -= Q[min(i, j)][max(i, j)] * a[j]
                a[i] = max(rest / (Q[i][i] + 10), 0.0)
