"""Analysis and synthesis of many networks at once: convolutions of the size of the signal.

A kernel of m taps reaches (m - 1) // 2 samples back and m // 2 ahead; beyond the ends of a
signal there are zeros. Kernels are padded to the largest so that these places fall together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional

# From this many taps on the Fourier transform is faster for signals.
_FOURIER_TAPS = 8


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Let CUDA convolve in single precision, and the same way each time.

    By itself it rounds to 11 bits (TF32), and may choose among algorithms by their speed.
    """
    flags = torch.backends.cudnn.flags
    with flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield


def correlate(signals: Tensor, kernels: Tensor) -> Tensor:
    """Give the similarity of every signal with every kernel, its cross-correlation.

    Directly and never by Fourier transform, so that a flat stretch of a signal is one of the
    similarity too, without extrema made of rounding errors.

    Parameters
    ----------
    signals : (B, n_samples) or (B, n_rows, n_columns) float32
    kernels : (S, q, M) or (S, q, M, M) float32

    Returns
    -------
    (B, S, q, n_samples) or (B, S, q, n_rows, n_columns) float32
    """
    padded = functional.pad(signals[:, None], _margins(kernels, turned=False))
    similarity = _convolve(padded, kernels.flatten(0, 1)[:, None])
    return similarity.view(len(signals), *kernels.shape[:2], *signals.shape[1:])


def synthesise(activation: Tensor, kernels: Tensor, *, turned: bool) -> Tensor:
    """Give the sum over q of each activation map through its kernel.

    Parameters
    ----------
    activation : (B, S, q, n_samples) or (B, S, q, n_rows, n_columns) float32
    kernels : (S, q, M) or (S, q, M, M) float32
    turned : bool
        Convolve, which is the adjoint of :func:`correlate`, instead of correlating again.

    Returns
    -------
    (B, S, n_samples) or (B, S, n_rows, n_columns) float32
    """
    n_axes = kernels.ndim - 2
    if turned:
        kernels = kernels.flip(tuple(range(2, kernels.ndim)))
    padded = functional.pad(activation, _margins(kernels, turned=turned))
    if n_axes == 1 and kernels.shape[-1] >= _FOURIER_TAPS:
        return _correlate_by_fourier(padded, kernels, activation.shape[-1])
    return _convolve(padded.flatten(1, 2), kernels, n_groups=len(kernels))


def _correlate_by_fourier(padded: Tensor, kernels: Tensor, n_samples: int) -> Tensor:
    n_fft = _smooth(padded.shape[-1])
    spectrum = torch.fft.rfft(padded, n_fft) * torch.fft.rfft(kernels, n_fft).conj()
    correlated: Tensor = torch.fft.irfft(spectrum.sum(2), n_fft)
    return correlated[..., :n_samples]


def _smooth(least: int) -> int:
    """Give the smallest even product of 2, 3 and 5 that is not below ``least``."""
    size = least + least % 2
    while _without_small_factors(size) > 1:
        size += 2
    return size


def _without_small_factors(size: int) -> int:
    for factor in (2, 3, 5):
        while size % factor == 0:
            size //= factor
    return size


def _convolve(padded: Tensor, weight: Tensor, n_groups: int = 1) -> Tensor:
    convolve = functional.conv1d if weight.ndim == 3 else functional.conv2d
    return convolve(padded, weight, groups=n_groups)


def _margins(kernels: Tensor, *, turned: bool) -> list[int]:
    """Give the zeros before and after along each axis, as ``pad`` wants them."""
    size = kernels.shape[-1]
    before, after = (size - 1) // 2, size // 2
    return ([after, before] if turned else [before, after]) * (kernels.ndim - 2)
