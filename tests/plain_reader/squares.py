"""Least squares that grow: products of rows, and their solution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def add_rows(P: Matrix, rows: list[list[float]], weights: Sequence[float], D: float) -> None:
    """Let P forget by D, and add the products of rows, each with its weight."""
    P *= D
    for row, weight in zip(rows, weights, strict=True):
        z = np.array(row)
        P += (z * weight)[:, None] * z


def power(base: float, exponent: int) -> float:
    """Multiply 1 with the base, one time after the other."""
    product = 1.0
    for _ in range(exponent):
        product = product * base
    return product


def solve(P: Matrix, added: Sequence[float]) -> list[float]:
    """Solve for the last column of P, with numbers added to the diagonal of the others."""
    n = len(added)
    rows = P.copy()
    for j in range(n):
        rows[j, j] += added[j]
    kept = [False] * n
    for j in range(n):
        kept[j] = bool(rows[j, j] > 1e-9 * P[j, j])
        if kept[j]:
            factors = rows[j, j + 1 : n] * (1 / rows[j, j])
            # What stands below the diagonal is not used.
            rows[j + 1 : n, j + 1 :] -= factors[:, None] * rows[j, j + 1 :]
    c = [0.0] * n
    for i in range(n - 1, -1, -1):
        if kept[i]:
            row = rows[i].tolist()
            rest = row[n]
            for j in range(i + 1, n):
                rest -= row[j] * c[j]
            c[i] = rest / row[i]
    return c
