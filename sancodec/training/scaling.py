"""Kernels scaled in time: each is sampled on wider and on denser grids around its centre."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

NO_SCALING = (1.0,)


def reach(n_taps: int, centre: int, scales: tuple[float, ...]) -> tuple[int, int]:
    """Give the taps, and the centre among them, that hold a kernel at each of its scales."""
    widest = max(scales)
    before, after = math.ceil(centre * widest), math.ceil((n_taps - centre) * widest)
    return before + after, before


def stretched(kernels: Tensor, centre: int, scales: tuple[float, ...]) -> Tensor:
    """Give each kernel at each scale, by linear interpolation, with norm 1.

    Parameters
    ----------
    kernels : (n_kernels, n_taps) float32
    centre : int
        The tap that stays where it is.
    scales : tuple of float
        2 makes a kernel twice as long.

    Returns
    -------
    (n_kernels * n_scales, n_row_taps) float32
        Row ``kernel * n_scales + scale``; its centre is that of :func:`reach`.
    """
    if scales == NO_SCALING:
        return kernels
    n_taps = kernels.shape[-1]
    n_row_taps, row_centre = reach(n_taps, centre, scales)
    place = torch.arange(n_row_taps, device=kernels.device) - row_centre
    rows = [_sampled(kernels, centre + place / scale) for scale in scales]
    stacked = torch.stack(rows, 1).reshape(len(kernels) * len(scales), n_row_taps)
    return functional.normalize(stacked, dim=-1)


def _sampled(kernels: Tensor, position: Tensor) -> Tensor:
    """Give the kernels at (n,) positions between their taps; beyond their ends they are 0."""
    n_taps = kernels.shape[-1]
    padded = functional.pad(kernels, (1, 2))
    position = position.clamp(-1, n_taps)
    below = position.floor()
    share = position - below
    index = below.long() + 1
    left, right = padded.index_select(-1, index), padded.index_select(-1, index + 1)
    return left + share * (right - left)
