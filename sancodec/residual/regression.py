"""Weighted least squares with forgetting, in one written order of binary64 operations.

Row ``i`` of a matrix of products holds, from column ``i`` on, the weighted products of regressor
``i`` with regressors ``i ..``; the last of the ``n + 1`` columns those with the target. Rows are
worked on from a multiple of LANES on and are padded to one, so that whole vectors cover them;
what this leaves in columns before ``i`` and behind the last means nothing. Loops run along rows:
a compiler may vectorise them without reordering a sum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled

LANES = 8
UNROLL = 4
"""Rows of a block that are added in one pass; blocks are padded to a multiple with weight 0."""

_PIVOT_FLOOR = 1e-9
_PANEL = 8


def padded_width(n_regressors: int) -> int:
    """Give the number of columns for ``n_regressors`` and the target."""
    return (n_regressors + 1 + LANES - 1) // LANES * LANES


@compiled
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
    products : (n + 1, padded width) float64
        Changed in place.
    rows : (at least n_rows, padded width) float64
        Regressors and, behind them, the target; ``n_rows`` is a multiple of UNROLL.
    weights : (at least n_rows,) float64
    """
    for i in range(products.shape[0]):
        begin = i - i % LANES
        at = i - begin
        total = products[i, begin:]
        for j in range(total.size):
            total[j] *= decay
        for k in range(0, n_rows, UNROLL):
            r0, r1 = rows[k, begin:], rows[k + 1, begin:]
            r2, r3 = rows[k + 2, begin:], rows[k + 3, begin:]
            a0, a1 = r0[at] * weights[k], r1[at] * weights[k + 1]
            a2, a3 = r2[at] * weights[k + 2], r3[at] * weights[k + 3]
            for j in range(total.size):
                total[j] = (((total[j] + a0 * r0[j]) + a1 * r1[j]) + a2 * r2[j]) + a3 * r3[j]


@compiled
def solve(
    products: NDArray[np.float64],
    work: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    ridge: float,
) -> None:
    """Set ``coefficients`` to the ridge solution of the normal equations, by LDL^T.

    Parameters
    ----------
    products : (n + 1, padded width) float64
        As ``accumulate`` leaves them.
    work : (n + 1, padded width) float64
        Overwritten.
    coefficients : (n,) float64
        A regressor that the others determine gets 0.
    ridge : float
        Added to the diagonal.
    """
    for i in range(coefficients.size):
        _copy_row(products, work, i, ridge)
    _eliminate(products, work, coefficients)


@compiled
def solve_damped(
    products: NDArray[np.float64],
    work: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    ridges: NDArray[np.float64],
) -> None:
    """Solve as ``solve`` does, with a ridge for each regressor in (n,) ``ridges``."""
    for i in range(coefficients.size):
        _copy_row(products, work, i, ridges[i])
    _eliminate(products, work, coefficients)


@compiled
def _copy_row(
    products: NDArray[np.float64], work: NDArray[np.float64], i: int, ridge: float
) -> None:
    row, source = work[i], products[i]
    for j in range(row.size):
        row[j] = source[j]
    row[i] += ridge


@compiled
def _eliminate(
    products: NDArray[np.float64], work: NDArray[np.float64], coefficients: NDArray[np.float64]
) -> None:
    """Bring ``work`` to a triangle, a panel of rows at a time, and solve it.

    Each element sees the same operations in the same order as if the rows came one by one.
    """
    n = coefficients.size
    inverses = np.zeros(_PANEL)
    for first in range(0, n, _PANEL):
        last = min(first + _PANEL, n)
        for j in range(first, last):
            row = work[j]
            inverses[j - first] = 0.0
            if not row[j] > products[j, j] * _PIVOT_FLOOR:
                row[j] = 0.0
                continue
            inverses[j - first] = 1.0 / row[j]
            for i in range(j + 1, last):
                begin = i - i % LANES
                factor = row[i] * inverses[j - first]
                lower, upper = work[i, begin:], row[begin:]
                for k in range(lower.size):
                    lower[k] -= factor * upper[k]
        for i in range(last, n):
            _eliminate_row(work, first, i, inverses)
    _substitute(work, coefficients)


@compiled
def _eliminate_row(
    work: NDArray[np.float64], first: int, i: int, inverses: NDArray[np.float64]
) -> None:
    """Take a whole panel of rows from row ``i``, which is below it."""
    begin = i - i % LANES
    at = i - begin
    lower = work[i, begin:]
    r0, r1 = work[first, begin:], work[first + 1, begin:]
    r2, r3 = work[first + 2, begin:], work[first + 3, begin:]
    r4, r5 = work[first + 4, begin:], work[first + 5, begin:]
    r6, r7 = work[first + 6, begin:], work[first + 7, begin:]
    f0, f1 = r0[at] * inverses[0], r1[at] * inverses[1]
    f2, f3 = r2[at] * inverses[2], r3[at] * inverses[3]
    f4, f5 = r4[at] * inverses[4], r5[at] * inverses[5]
    f6, f7 = r6[at] * inverses[6], r7[at] * inverses[7]
    for k in range(lower.size):
        half = (((lower[k] - f0 * r0[k]) - f1 * r1[k]) - f2 * r2[k]) - f3 * r3[k]
        lower[k] = (((half - f4 * r4[k]) - f5 * r5[k]) - f6 * r6[k]) - f7 * r7[k]


@compiled
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
