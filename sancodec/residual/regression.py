"""Weighted least squares with forgetting, in one written order of binary64 operations.

Row ``i`` of the upper triangle holds the weighted products of regressor ``i`` with regressors
``i ..``; the last column those with the target. Loops run along rows, so that a compiler may
vectorise them without reordering a sum.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

UNROLL = 4
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
    n = products.shape[0]
    for i in range(n):
        for j in range(i, n):
            products[i, j] = products[i, j] * decay
        for k in range(0, n_rows, UNROLL):
            a0 = rows[k, i] * weights[k]
            a1 = rows[k + 1, i] * weights[k + 1]
            a2 = rows[k + 2, i] * weights[k + 2]
            a3 = rows[k + 3, i] * weights[k + 3]
            r0, r1, r2, r3 = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
            for j in range(i, n):
                products[i, j] = (
                    ((products[i, j] + a0 * r0[j]) + a1 * r1[j]) + a2 * r2[j]
                ) + a3 * r3[j]


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
        for j in range(i, n + 1):
            work[i, j] = products[i, j]
        work[i, i] = work[i, i] + ridge
    for j in range(n):
        pivot = work[j, j]
        if not pivot > products[j, j] * _PIVOT_FLOOR:
            work[j, j] = 0.0
            continue
        inverse = 1.0 / pivot
        for i in range(j + 1, n):
            factor = work[j, i] * inverse
            for k in range(i, n + 1):
                work[i, k] = work[i, k] - factor * work[j, k]
    for i in range(n - 1, -1, -1):
        if work[i, i] == 0.0:
            coefficients[i] = 0.0
            continue
        total = work[i, n]
        for j in range(i + 1, n):
            total -= work[i, j] * coefficients[j]
        coefficients[i] = total / work[i, i]
