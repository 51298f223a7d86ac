"""Weighted least squares with forgetting, in one written order of binary64 operations.

Row ``i`` of the upper triangle holds the weighted products of regressor ``i`` with regressors
``i ..``; the last column those with the target. Loops run along rows, so that a compiler may
vectorise them without reordering a sum.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

UNROLL = 8
"""Rows of a block that are added in one pass; blocks are padded to a multiple with weight 0."""

_PIVOT_FLOOR = 1e-9


@njit(cache=True)
def accumulate(
    products: NDArray[np.float64],
    rows: NDArray[np.float64],
    weights: NDArray[np.float64],
    n_rows: int,
    decay: float,
) -> None:
    """Decay ``products`` and add the weighted outer products of ``rows``.

    Parameters
    ----------
    products : (n + 1, n + 1) float64
        Upper triangle, changed in place.
    rows : (at least n_rows, n + 1) float64
        Regressors and, last, the target; ``n_rows`` is a multiple of UNROLL.
    weights : (at least n_rows,) float64
    """
    for i in range(products.shape[0]):
        total = products[i, i:]
        for j in range(total.size):
            total[j] *= decay
        for k in range(0, n_rows, UNROLL):
            r0, r1, r2, r3 = rows[k, i:], rows[k + 1, i:], rows[k + 2, i:], rows[k + 3, i:]
            r4, r5, r6, r7 = rows[k + 4, i:], rows[k + 5, i:], rows[k + 6, i:], rows[k + 7, i:]
            a0, a1 = r0[0] * weights[k], r1[0] * weights[k + 1]
            a2, a3 = r2[0] * weights[k + 2], r3[0] * weights[k + 3]
            a4, a5 = r4[0] * weights[k + 4], r5[0] * weights[k + 5]
            a6, a7 = r6[0] * weights[k + 6], r7[0] * weights[k + 7]
            for j in range(total.size):
                half = (((total[j] + a0 * r0[j]) + a1 * r1[j]) + a2 * r2[j]) + a3 * r3[j]
                total[j] = (((half + a4 * r4[j]) + a5 * r5[j]) + a6 * r6[j]) + a7 * r7[j]


@njit(cache=True)
def solve(
    products: NDArray[np.float64],
    work: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    ridge: float,
) -> None:
    """Set ``coefficients`` to the ridge solution of the normal equations, by LDL^T.

    Parameters
    ----------
    products : (n + 1, n + 1) float64
        As ``accumulate`` leaves them.
    work : (n + 1, n + 1) float64
        Overwritten.
    coefficients : (n,) float64
        A regressor that the others determine gets 0.
    ridge : float
        Added to the diagonal.
    """
    n = coefficients.size
    for i in range(n):
        row, source = work[i, i:], products[i, i:]
        for j in range(row.size):
            row[j] = source[j]
        row[0] += ridge
    for j in range(n):
        row = work[j, j:]
        if not row[0] > products[j, j] * _PIVOT_FLOOR:
            row[0] = 0.0
            continue
        inverse = 1.0 / row[0]
        for i in range(j + 1, n):
            factor = row[i - j] * inverse
            lower, upper = work[i, i:], work[j, i:]
            for k in range(lower.size):
                lower[k] -= factor * upper[k]
    _substitute(work, coefficients)


@njit(cache=True)
def _substitute(work: NDArray[np.float64], coefficients: NDArray[np.float64]) -> None:
    """Solve the triangle that the elimination left, from the last row up."""
    n = coefficients.size
    for i in range(n - 1, -1, -1):
        if work[i, i] == 0.0:
            coefficients[i] = 0.0
            continue
        total = work[i, n]
        for j in range(i + 1, n):
            total -= work[i, j] * coefficients[j]
        coefficients[i] = total / work[i, i]
