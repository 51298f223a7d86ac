"""Which entries of similarity maps are kept, compiled for the CPU.

The twin in plain torch is in :mod:`sancodec.training.activations`; both keep exactly the same.
A map of one dimension is one of two with a single row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled

Maps = NDArray[np.float32]
"""(n_maps, n_rows, n_columns)."""

_LAST = 0xFFFF_FFFF


@compiled
def strongest(magnitude: Maps, n_kept: NDArray[np.int64], kept: NDArray[np.bool_]) -> None:
    """Mark in ``kept`` the (n_maps,) ``n_kept`` largest of each map, of equals the first."""
    n_maps, n_rows, n_columns = magnitude.shape
    n = n_rows * n_columns
    for i in range(n_maps):
        flat = magnitude[i].copy().reshape(n)
        marks = kept[i].reshape(n)
        k = min(n_kept[i], n)
        if k == n:
            marks[:] = True
        elif k > 0:
            least = np.partition(flat, n - k)[n - k]
            n_equal = k
            for t in range(n):
                if flat[t] > least:
                    marks[t] = True
                    n_equal -= 1
            for t in range(n):
                if n_equal > 0 and flat[t] == least:
                    marks[t] = True
                    n_equal -= 1


@compiled
def strongest_of_cells(
    magnitude: Maps,
    cell_rows: NDArray[np.int64],
    cell_columns: NDArray[np.int64],
    kept: NDArray[np.bool_],
) -> None:
    """Mark in ``kept`` the largest of each whole cell of (n_maps,) sizes, of equals the first."""
    n_maps, n_rows, n_columns = magnitude.shape
    for i in range(n_maps):
        height, width = cell_rows[i], cell_columns[i]
        for top in range(0, n_rows - height + 1, height):
            for left in range(0, n_columns - width + 1, width):
                row, column = top, left
                for r in range(top, top + height):
                    for c in range(left, left + width):
                        if magnitude[i, r, c] > magnitude[i, row, column]:
                            row, column = r, c
                kept[i, row, column] = True


@compiled
def strongest_extrema(
    similarity: Maps, distance: NDArray[np.int64], kept: NDArray[np.bool_]
) -> None:
    """Mark in ``kept`` the extrema of each map that none within (n_maps,) ``distance`` silences."""
    n_maps, n_rows, n_columns = similarity.shape
    padded = np.zeros((n_rows + 2, n_columns + 2), np.float32)
    order = np.empty(n_rows * n_columns, np.int64)
    silenced = np.empty((n_rows, n_columns), np.bool_)
    for i in range(n_maps):
        padded[1:-1, 1:-1] = similarity[i]
        n = _weakest_first(padded, order)
        silenced[:] = False
        reach = distance[i]
        for j in range(n - 1, -1, -1):
            row, column = divmod(_LAST - (order[j] & _LAST), n_columns)
            if not silenced[row, column]:
                kept[i, row, column] = True
                first, last = max(column - reach, 0), min(column + reach + 1, n_columns)
                for r in range(max(row - reach, 0), min(row + reach + 1, n_rows)):
                    silenced[r, first:last] = True


@compiled
def _weakest_first(padded: NDArray[np.float32], order: NDArray[np.int64]) -> int:
    """Write the extrema of a map in a margin of zeros; give how many there are.

    Of each its strength in the upper 32 bits of ``order``, as the bits of a float, which rise as
    it does; and what its flat index leaves of the largest one in the lower ones, so that of
    equals the first comes last.
    """
    n_rows, n_columns = padded.shape[0] - 2, padded.shape[1] - 2
    flag = np.empty(n_columns, np.uint8)
    n = 0
    for r in range(1, n_rows + 1):
        bits = np.abs(padded[r]).view(np.int32)
        # No branches: which samples are extrema is more than a processor can guess.
        for c in range(n_columns):
            value, left, right = padded[r, c + 1], padded[r, c], padded[r, c + 2]
            above, below = padded[r - 1, c + 1], padded[r + 1, c + 1]
            peak = (value > 0) & (value > left) & (value >= right)
            peak = peak & (value > above) & (value >= below)
            valley = (value < 0) & (value < left) & (value <= right)
            valley = valley & (value < above) & (value <= below)
            flag[c] = peak | valley
        for c in range(n_columns):
            order[n] = (np.int64(bits[c + 1]) << 32) | (_LAST - ((r - 1) * n_columns + c))
            n += flag[c]
    order[:n].sort()
    return n
