"""Kernels to begin with: pieces of the signals, and smooth bumps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Along a scale on which neighbours differ enough to lead to different minima.
_SIZES = (4, 8, 16, 32, 64, 128)
_KINDS = ("bump", "strong piece", "strong piece", "any piece")


def start_kernel(
    signals: Floats, size: int | None, max_size: int, rng: np.random.Generator
) -> Floats:
    """Give one kernel: a bump, a piece of a signal where it is strong, or any piece.

    Parameters
    ----------
    signals : (n_signals, n_samples) or (n_signals, n_rows, n_columns) float64
        Not all zero.
    size : int, or None
        Along each axis; when None, drawn from 4 to 128 within ``max_size``.

    Returns
    -------
    (size,) or (size, size) float64
        With a largest absolute weight of 1.
    """
    if size is None:
        size = int(min(rng.choice(_SIZES), max_size))
    kind = _KINDS[rng.integers(len(_KINDS))]
    if kind == "bump":
        return _bump(size, signals.ndim - 1)
    signal = signals[rng.integers(len(signals))]
    if kind == "strong piece" and signal.any():
        weights = np.abs(signal).ravel()
        centre = np.unravel_index(rng.choice(signal.size, p=weights / weights.sum()), signal.shape)
    else:
        centre = tuple(rng.integers(n) for n in signal.shape)
    piece = _piece(signal, [int(c) for c in centre], size)
    largest = np.abs(piece).max()
    return piece / largest if largest > 0 else _bump(size, signals.ndim - 1)


def _bump(size: int, n_dimensions: int) -> Floats:
    bump = np.hanning(size + 2)[1:-1]
    return bump if n_dimensions == 1 else np.outer(bump, bump)


def _piece(signal: Floats, centre: list[int], size: int) -> Floats:
    """Give what is around ``centre``; zeros beyond the border."""
    padded = np.pad(signal, size)
    starts = [c + size - (size - 1) // 2 for c in centre]
    return padded[tuple(slice(start, start + size) for start in starts)].copy()
