"""The sparse activation functions of the SAN paper (section III-A), in NumPy, in 1-D and 2-D.

Each takes a similarity map and gives an activation map of the same shape, zero where nothing is
kept. One tie rule holds for all: of equals the one with the lower index (row by row in 2-D).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import ConfigError

Map = NDArray[Any]
"""(n,) or (n_rows, n_columns), of any real type."""


def identity(similarity: Map) -> Map:
    """Keep everything."""
    return _checked(similarity).copy()


def relu(similarity: Map) -> Map:
    """Keep what is above 0."""
    return np.maximum(_checked(similarity), 0)


def topk_absolutes(similarity: Map, n_kept: int) -> Map:
    """Keep the ``n_kept`` entries of largest absolute value; all when there are fewer."""
    flat = _checked(similarity).ravel()
    if n_kept < 0:
        raise ConfigError(f"top-k absolutes: {n_kept} entries, expected 0 or more")
    strongest = np.argsort(-_magnitude(flat), kind="stable")[:n_kept]
    kept = np.zeros(flat.shape, bool)
    kept[strongest] = True
    return np.where(kept, flat, 0).reshape(similarity.shape)


def extrema_pool_indices(similarity: Map, pool_size: int) -> Map:
    """Keep the entry of largest absolute value in each whole cell of a grid.

    What is left over at the end of an axis is no cell and keeps nothing, as the ratios of the
    paper's table 2 show: floor(178 / m) activations a map.
    """
    magnitude = _magnitude(_checked(similarity))
    if pool_size < 1:
        raise ConfigError(f"extrema-pool: cells of {pool_size}, expected at least 1")
    n_cells = [size // pool_size for size in similarity.shape]
    kept = np.zeros(similarity.shape, bool)
    inside = tuple(slice(0, n * pool_size) for n in n_cells)
    # Split each axis into (cell, place in it), and bring the places together at the end.
    split = [size for n in n_cells for size in (n, pool_size)]
    order = [*range(0, len(split), 2), *range(1, len(split), 2)]
    cells = magnitude[inside].reshape(split).transpose(order)
    places = pool_size**similarity.ndim
    strongest = cells.reshape(*n_cells, places).argmax(axis=-1) if all(n_cells) else None
    if strongest is not None:
        cell = np.indices(n_cells)
        place = np.unravel_index(strongest, (pool_size,) * similarity.ndim)
        kept[tuple(c * pool_size + p for c, p in zip(cell, place, strict=True))] = True
    return np.where(kept, similarity, 0)


def extrema(similarity: Map, distance: int) -> Map:
    """Keep the strongest peaks and valleys, none within ``distance`` of a stronger one.

    A peak is positive, rises from the sample before it and does not rise to the one after it; a
    valley is its mirror image; so of a plateau the first sample counts. Before the first sample
    and after the last one there are zeros. In 2-D an extremum is one along both axes, and
    silences a box of ``distance`` on each side.
    """
    _check_distance(distance)
    _checked(similarity)
    kept = silence(_magnitude(similarity), is_extremum(similarity), distance)
    return np.where(kept, similarity, 0)


def n_kept_by_topk(shape: tuple[int, ...], kernel_size: int) -> int:
    """Give the k that the paper takes for top-k absolutes: floor(n / m) ** dim."""
    return int(np.prod([size // kernel_size for size in shape]))


def minimum_extrema_distance(kernel_size: int, border_tolerance: int) -> int:
    """Give the paper's minimum extrema distance: max(1, m - b)."""
    return max(1, kernel_size - border_tolerance)


def joint_strength(similarities: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Give the strength of each kernel over all leads, sqrt(sum over leads of s^2).

    Parameters
    ----------
    similarities : (n_kernels, n_leads, n_samples) float

    Returns
    -------
    (n_kernels, n_samples) float
    """
    return np.asarray(np.sqrt(np.square(similarities).sum(axis=1)))


def compete(
    strength: NDArray[np.floating[Any]], distance: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Let the peaks of all kernels compete: one minimum extrema distance across their maps.

    A kept peak silences every weaker one within ``distance``, of whichever kernel. Of equals
    the one with the lower index stays, and at the same index that of the lower kernel.

    Parameters
    ----------
    strength : (n_kernels, n_samples) float, not below 0

    Returns
    -------
    position : (n_activations,) int64
        In ascending order.
    kernel : (n_activations,) int64
    """
    _check_distance(distance)
    if strength.ndim != 2 or not len(strength):
        raise ConfigError(f"strength: {strength.shape}, expected (n_kernels, n_samples)")
    peaks = np.where(is_peak(strength, axis=1), strength, -1)
    kernel = peaks.argmax(axis=0)
    strongest = peaks.max(axis=0)
    position = np.flatnonzero(silence(strongest, strongest > 0, distance)).astype(np.int64)
    return position, kernel[position].astype(np.int64)


def is_extremum(similarity: Map) -> NDArray[np.bool_]:
    """Tell where a map has a positive peak or a negative valley, along all of its axes."""
    wide = _wide(similarity)
    peaks = [is_peak(wide, axis) for axis in range(wide.ndim)]
    valleys = [is_peak(-wide, axis) for axis in range(wide.ndim)]
    return np.asarray(np.logical_and.reduce(peaks) | np.logical_and.reduce(valleys))


def is_peak(values: Map, axis: int) -> NDArray[np.bool_]:
    """Tell where values are above 0, rise before, and do not rise after; with zeros around."""
    zeros = np.zeros_like(np.take(values, [0], axis=axis)) if values.shape[axis] else values
    step = np.diff(values, axis=axis, prepend=zeros, append=zeros)
    n = values.shape[axis]
    rise = np.take(step, range(n), axis=axis) > 0
    fall = np.take(step, range(1, n + 1), axis=axis) <= 0
    return np.asarray((values > 0) & rise & fall)


def silence(strength: Map, candidate: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    """Keep candidates, the strongest first, each silencing all others within ``distance``.

    The greedy order, in parallel: a candidate stays when it is stronger than all before it and
    not weaker than all after it, within the distance; those near it go; and so on until none is
    left. Breaking ties among the maxima of windows alone would not be the same.

    Parameters
    ----------
    strength : (n,) or (n_rows, n_columns), not below 0 at candidates
    candidate : of the same shape, bool

    Returns
    -------
    of the same shape, bool
    """
    alive = np.where(candidate, strength, -1)
    kept = np.zeros(candidate.shape, bool)
    while (alive >= 0).any():
        before, after = _rivals(alive, distance)
        new = (alive >= 0) & (alive > before) & (alive >= after)
        kept |= new
        near = new
        for axis in range(alive.ndim):
            near = _largest_around(near, distance, axis, False)
        alive[near] = -1
    return kept


def _rivals(alive: Map, distance: int) -> tuple[Map, Map]:
    """Give the strongest within the distance before each place, and after it, row by row."""
    last = alive.ndim - 1
    before = _largest_before(alive, distance, last, -1)
    after = _largest_after(alive, distance, last, -1)
    if alive.ndim == 2:
        row = _largest_around(alive, distance, 1, -1)
        before = np.maximum(before, _largest_before(row, distance, 0, -1))
        after = np.maximum(after, _largest_after(row, distance, 0, -1))
    return before, after


def _largest_before(values: Map, width: int, axis: int, nothing: float) -> Map:
    """Give the largest of the ``width`` values before each, along an axis; in linear time.

    The window of each value spans two blocks of ``width``: it is the end of one, whose largest
    comes from a running maximum backwards, and the beginning of the next.
    """
    n = values.shape[axis]
    width = min(width, n)
    if width == 0:
        return np.full_like(values, nothing)
    moved = np.moveaxis(values, axis, -1)
    n_blocks = -(-n // width) + 1
    padded = np.full((*moved.shape[:-1], n_blocks * width), nothing, values.dtype)
    padded[..., width : width + n] = moved
    blocks = padded.reshape(*moved.shape[:-1], n_blocks, width)
    forwards = np.maximum.accumulate(blocks, axis=-1).reshape(padded.shape)
    backwards = np.maximum.accumulate(blocks[..., ::-1], axis=-1)[..., ::-1].reshape(padded.shape)
    largest = np.maximum(backwards[..., :n], forwards[..., width - 1 : width - 1 + n])
    return np.moveaxis(largest, -1, axis)


def _largest_after(values: Map, width: int, axis: int, nothing: float) -> Map:
    return np.flip(_largest_before(np.flip(values, axis), width, axis, nothing), axis)


def _largest_around(values: Map, width: int, axis: int, nothing: float) -> Map:
    before = _largest_before(values, width, axis, nothing)
    return np.maximum(np.maximum(before, values), _largest_after(values, width, axis, nothing))


def _magnitude(similarity: Map) -> Map:
    return np.abs(_wide(similarity))


def _wide(similarity: Map) -> Map:
    """Give integers as int64: the smallest of a narrow type has no opposite in it."""
    kind = similarity.dtype.kind
    return similarity.astype(np.int64) if kind in "iub" else similarity


def _checked(similarity: Map) -> Map:
    if similarity.ndim not in (1, 2) or similarity.dtype.kind not in "iuf":
        raise ConfigError(
            f"similarity: {similarity.shape} {similarity.dtype}, expected numbers in 1-D or 2-D"
        )
    return similarity


def _check_distance(distance: int) -> None:
    if distance < 0:
        raise ConfigError(f"minimum extrema distance: {distance}, expected 0 or more")
