"""Which entries of similarity maps are kept, compiled for the CPU.

The twin in plain torch is in :mod:`sancodec.training.activations`; both keep exactly the same.
A map of one dimension is one of two with a single row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled

Magnitudes = NDArray[np.floating]
"""(n_maps, n_rows, n_columns), absolute values of similarities."""


@compiled
def strongest(magnitude: Magnitudes, n_kept: NDArray[np.int64], kept: NDArray[np.bool_]) -> None:
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
    magnitude: Magnitudes,
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
    similarity: Magnitudes, distance: NDArray[np.int64], kept: NDArray[np.bool_]
) -> None:
    """Mark in ``kept`` the extrema of each map that none within (n_maps,) ``distance`` silences."""
    n_maps, n_rows, n_columns = similarity.shape
    place = np.empty(n_rows * n_columns, np.int64)
    strength = np.empty(n_rows * n_columns, similarity.dtype)
    silenced = np.empty((n_rows, n_columns), np.bool_)
    for i in range(n_maps):
        n = _find_extrema(similarity[i], place, strength)
        silenced[:] = False
        reach = distance[i]
        for j in np.argsort(strength[:n], kind="mergesort"):
            row, column = divmod(place[j], n_columns)
            if not silenced[row, column]:
                kept[i, row, column] = True
                first, last = max(column - reach, 0), min(column + reach + 1, n_columns)
                for r in range(max(row - reach, 0), min(row + reach + 1, n_rows)):
                    silenced[r, first:last] = True


@compiled
def _find_extrema(
    values: NDArray[np.floating], place: NDArray[np.int64], strength: NDArray[np.floating]
) -> int:
    """Write the extrema of (n_rows, n_columns) values: flat indices, and less their strengths."""
    n_rows, n_columns = values.shape
    n = 0
    for r in range(n_rows):
        for c in range(n_columns):
            value = values[r, c]
            if value == 0:
                continue
            sign = 1 if value > 0 else -1
            size = sign * value
            left = sign * values[r, c - 1] if c > 0 else 0
            right = sign * values[r, c + 1] if c + 1 < n_columns else 0
            if left >= size or right > size:
                continue
            above = sign * values[r - 1, c] if r > 0 else 0
            below = sign * values[r + 1, c] if r + 1 < n_rows else 0
            if above < size and below <= size:
                place[n] = r * n_columns + c
                strength[n] = -size
                n += 1
    return n
