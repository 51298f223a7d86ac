"""The sparse activation functions of the SAN paper (section III-A) in torch, in batches.

They keep exactly what those of :mod:`sancodec.san.activations` keep, of equals the lower index.
The last one or two dimensions are a map (``n_dimensions``), all before them the batch. What is
kept is chosen without gradient; the gradient flows through the values that are kept. On the CPU
a compiled twin chooses, and exactly the same.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import torch
from torch import Tensor

from sancodec.errors import ConfigError
from sancodec.training import selection
from sancodec.training.ranges import Reach
from sancodec.training.territory import is_peak

Parameter = int | Tensor
"""One value for all maps, or int64 that broadcasts to the shape of the batch."""

# Below this many samples a second thread costs more than it brings.
_SAMPLES_PER_THREAD = 1 << 16


def identity(similarity: Tensor) -> Tensor:
    """Keep everything."""
    return similarity.clone()


def relu(similarity: Tensor) -> Tensor:
    """Keep what is above 0."""
    return torch.relu(similarity)


def topk_absolutes(similarity: Tensor, n_kept: Parameter, n_dimensions: int = 1) -> Tensor:
    """Keep the ``n_kept`` entries of largest absolute value; all when there are fewer.

    Parameters
    ----------
    similarity : (..., n_samples) or (..., n_rows, n_columns) float
    n_kept : int or int64 of the batch's shape
        0 or more.

    Returns
    -------
    of the same shape and type

    Raises
    ------
    ConfigError
        The parameter is out of range, or the map has too few dimensions or is not real.
    """
    maps = _maps(similarity, n_dimensions)
    k = _parameter(n_kept, similarity, n_dimensions, "top-k absolutes: entries", 0)
    if _is_for_compiled(maps):
        kept = _compiled(selection.strongest, maps.abs(), k)
    else:
        kept = strongest(maps.abs(), k)
    return _keep(similarity, kept)


def extrema_pool_indices(similarity: Tensor, pool_size: Parameter, n_dimensions: int = 1) -> Tensor:
    """Keep the entry of largest absolute value in each whole cell of a grid.

    Parameters
    ----------
    similarity : (..., n_samples) or (..., n_rows, n_columns) float
    pool_size : int or int64 of the batch's shape
        In samples, 1 or more.

    Returns
    -------
    of the same shape and type

    Raises
    ------
    ConfigError
        The parameter is out of range, or the map has too few dimensions or is not real.
    """
    maps = _maps(similarity, n_dimensions)
    size = _parameter(pool_size, similarity, n_dimensions, "extrema-pool: cells", 1)
    height = size if n_dimensions == 2 else torch.ones_like(size)
    if _is_for_compiled(maps):
        kept = _compiled(selection.strongest_of_cells, maps.abs(), height, size)
    else:
        kept = strongest_of_cells(maps.abs(), height, size)
    return _keep(similarity, kept)


def extrema(similarity: Tensor, distance: Parameter, n_dimensions: int = 1) -> Tensor:
    """Keep the strongest peaks and valleys, none within ``distance`` of a stronger one.

    Parameters
    ----------
    similarity : (..., n_samples) or (..., n_rows, n_columns) float
    distance : int or int64 of the batch's shape
        In samples, 0 or more.

    Returns
    -------
    of the same shape and type

    Raises
    ------
    ConfigError
        The parameter is out of range, or the map has too few dimensions or is not real.
    """
    maps = _maps(similarity, n_dimensions)
    reach = _parameter(distance, similarity, n_dimensions, "minimum extrema distance:", 0)
    if _is_for_compiled(maps):
        kept = _compiled(selection.strongest_extrema, maps, reach)
    else:
        kept = strongest_extrema(maps, reach)
    return _keep(similarity, kept)


def strongest(magnitude: Tensor, n_kept: Tensor) -> Tensor:
    """Tell the (n_maps,) ``n_kept`` largest of each (n_maps, n_rows, n_columns) map."""
    flat = magnitude.flatten(1)
    order = torch.sort(flat, dim=1, descending=True, stable=True).indices
    first = torch.arange(flat.shape[1], device=flat.device) < n_kept[:, None]
    return torch.zeros_like(first).scatter(1, order, first).view(magnitude.shape)


def strongest_of_cells(magnitude: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Tell the largest of each whole cell of (n_maps,) sizes, of equals the first."""
    n_maps, n_rows, n_columns = magnitude.shape
    flat = magnitude.flatten(1)
    n = flat.shape[1]
    index = torch.arange(n, device=flat.device).expand(n_maps, n)
    row = index // max(n_columns, 1) // height[:, None]
    column = index % max(n_columns, 1) // width[:, None]
    n_across = (n_columns // width)[:, None]
    whole = (row < (n_rows // height)[:, None]) & (column < n_across)
    # What is in no whole cell goes to a cell of its own, beyond all others.
    cell = torch.where(whole, row * n_across + column, n)
    largest = flat.new_full((n_maps, n + 1), -1).scatter_reduce(1, cell, flat, "amax")
    best = whole & (flat == largest.gather(1, cell))
    none = torch.full((n_maps, n + 1), n, device=flat.device)
    first = none.scatter_reduce(1, cell, torch.where(best, index, n), "amin")
    return (best & (index == first.gather(1, cell))).view(magnitude.shape)


def strongest_extrema(similarity: Tensor, distance: Tensor) -> Tensor:
    """Tell the extrema of each map that no stronger one within the distance silences.

    The greedy order, in parallel, as in :func:`sancodec.san.activations.silence`: in each round
    those stay that are stronger than all alive before them and not weaker than all after them.

    Parameters
    ----------
    similarity : (n_maps, n_rows, n_columns) float
    distance : (n_maps,) int64

    Returns
    -------
    (n_maps, n_rows, n_columns) bool
    """
    alive = torch.where(_is_extremum(similarity), similarity.abs(), -1)
    kept = torch.zeros_like(alive, dtype=torch.bool)
    if not alive.numel():
        return kept
    n_rows, n_columns = alive.shape[1:]
    across, down = Reach(distance, n_columns), Reach(distance, n_rows)
    while bool((alive >= 0).any()):
        before, after = across.before(alive), across.after(alive)
        if n_rows > 1:
            row = torch.maximum(torch.maximum(before, after), alive).transpose(1, 2)
            before = torch.maximum(before, down.before(row).transpose(1, 2))
            after = torch.maximum(after, down.after(row).transpose(1, 2))
        new = (alive >= 0) & (alive > before) & (alive >= after)
        kept |= new
        near = across.touches(new)
        if n_rows > 1:
            near = down.touches(near.transpose(1, 2)).transpose(1, 2)
        alive = torch.where(near, -1, alive)
    return kept


def _is_extremum(similarity: Tensor) -> Tensor:
    peaks = is_peak(similarity) & is_peak(similarity.transpose(1, 2)).transpose(1, 2)
    turned = -similarity
    valleys = is_peak(turned) & is_peak(turned.transpose(1, 2)).transpose(1, 2)
    return peaks | valleys


def _compiled(choose: Callable[..., None], maps: Tensor, *parameters: Tensor) -> Tensor:
    """Run a compiled choice over all maps, on as many threads as torch has."""
    kept = torch.zeros(maps.shape, dtype=torch.bool)
    arrays = [tensor.contiguous().numpy() for tensor in (maps, *parameters, kept)]
    n_threads = max(1, min(torch.get_num_threads(), maps.numel() // _SAMPLES_PER_THREAD))
    if n_threads == 1:
        choose(*arrays)
        return kept
    edges = [len(kept) * i // n_threads for i in range(n_threads + 1)]
    parts = [slice(a, b) for a, b in pairwise(edges)]
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(lambda part: choose(*(array[part] for array in arrays)), parts))
    return kept


def _is_for_compiled(maps: Tensor) -> bool:
    return maps.device.type == "cpu" and maps.dtype == torch.float32


def _maps(similarity: Tensor, n_dimensions: int) -> Tensor:
    """Give the values without gradient as (n_maps, n_rows, n_columns); a signal is one row."""
    if n_dimensions not in (1, 2) or similarity.ndim < n_dimensions:
        raise ConfigError(
            f"similarity: {tuple(similarity.shape)} in {n_dimensions}-D, expected 1-D or 2-D maps"
        )
    if not similarity.is_floating_point():
        raise ConfigError(f"similarity: {similarity.dtype}, expected real numbers")
    shape = similarity.shape[-2:] if n_dimensions == 2 else (1, similarity.shape[-1])
    n_maps = similarity.shape[: similarity.ndim - n_dimensions].numel()
    return similarity.detach().reshape(n_maps, *shape)


def _parameter(
    value: Parameter, similarity: Tensor, n_dimensions: int, name: str, least: int
) -> Tensor:
    """Give one int64 for each map."""
    given = torch.as_tensor(value, device=similarity.device)
    if given.is_floating_point() or (given.numel() and int(given.min()) < least):
        raise ConfigError(f"{name} {value}, expected whole numbers, {least} or more")
    batch = similarity.shape[: similarity.ndim - n_dimensions]
    return given.to(torch.int64).expand(batch).reshape(-1)


def _keep(similarity: Tensor, kept: Tensor) -> Tensor:
    return torch.where(kept.view(similarity.shape), similarity, 0)
