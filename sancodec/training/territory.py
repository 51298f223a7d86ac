"""Kernels compete for territory: which peaks of which similarity maps are kept, in torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def compete(strength: Tensor, distance: int) -> tuple[Tensor, Tensor]:
    """Keep the peaks of all maps that no stronger one within ``distance`` silences.

    Exactly the greedy order, in parallel: a peak is kept when it is stronger than all that are
    alive before it and not weaker than all after it; then it silences its neighbours; and so on
    until none is alive. Ties go to the lower index, then to the lower kernel.

    Parameters
    ----------
    strength : (n_windows, n_kernels, n_samples) float32, not below 0

    Returns
    -------
    kept : (n_windows, n_samples) bool
    kernel : (n_windows, n_samples) int64
        The kernel of each kept peak.
    """
    value, kernel = torch.where(is_peak(strength), strength, -1.0).max(1)
    kept = torch.zeros_like(value, dtype=torch.bool)
    while bool((value >= 0).any()):
        before = _largest(functional.pad(value, (distance, 0), value=-1.0)[:, :-1], distance)
        after = _largest(functional.pad(value, (0, distance), value=-1.0)[:, 1:], distance)
        new = (value >= 0) & (value > before) & (value >= after)
        kept |= new
        near = _largest(functional.pad(new.to(value.dtype), (distance, distance)), 2 * distance + 1)
        value = torch.where(near > 0, -1.0, value)
    return kept, kernel


def is_peak(values: Tensor) -> Tensor:
    """Tell where values are above 0, rise before, and do not rise after; with zeros around."""
    around = functional.pad(values, (1, 1))
    rises = values > around[..., :-2]
    return (values > 0) & rises & (around[..., 2:] <= values)


def _largest(values: Tensor, width: int) -> Tensor:
    """Give the largest of each ``width`` values in a row, (..., n) to (..., n - width + 1).

    By doubling: the largest of 2 w values is the larger of two neighbouring largest of w.
    """
    reach = 1
    while 2 * reach <= width:
        values = torch.maximum(values[..., :-reach], values[..., reach:])
        reach *= 2
    rest = width - reach
    return torch.maximum(values[..., : values.shape[-1] - rest], values[..., rest:])
