"""Analysis and synthesis of many networks at once: convolutions of the size of the signal.

A kernel of m taps reaches (m - 1) // 2 samples back and m // 2 ahead; beyond the ends of a
signal there are zeros. Kernels are padded to the largest so that these places fall together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.grad import conv1d_weight, conv2d_weight

# From this many taps on the Fourier transform is faster for signals.
_FOURIER_TAPS = 8


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Let CUDA convolve directly, in single precision, and the same way each time.

    By itself cuDNN rounds to 11 bits (TF32), and may convolve by Winograd or Fourier, which
    makes extrema out of rounding errors.
    """
    with torch.backends.cudnn.flags(enabled=False):
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
    if n_axes == 1 and kernels.shape[-1] >= _FOURIER_TAPS:
        padded = functional.pad(activation, _margins(kernels, turned=turned))
        by_fourier: Tensor = _SumByFourier.apply(padded, kernels)
        return by_fourier
    directly: Tensor = _SumDirectly.apply(activation, kernels, turned)
    return directly


class _SumByFourier(torch.autograd.Function):
    """The sum over q of each padded map correlated with its kernel, where both overlap.

    Its gradients are those of torch, which would transform complex numbers for them.
    """

    @staticmethod
    def forward(ctx: Any, padded: Tensor, kernels: Tensor) -> Tensor:
        ctx.n_padded, ctx.n_taps = padded.shape[-1], kernels.shape[-1]
        ctx.n_fft = _smooth(ctx.n_padded)
        spectra = torch.fft.rfft(padded, ctx.n_fft), torch.fft.rfft(kernels, ctx.n_fft)
        ctx.save_for_backward(*spectra)
        summed: Tensor = torch.fft.irfft((spectra[0] * spectra[1].conj()).sum(2), ctx.n_fft)
        return summed[..., : ctx.n_padded - ctx.n_taps + 1].contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        maps, kernels = ctx.saved_tensors
        spectrum = torch.fft.rfft(gradient, ctx.n_fft)[:, :, None]
        of_maps = torch.fft.irfft(spectrum * kernels, ctx.n_fft)[..., : ctx.n_padded]
        of_kernels = torch.fft.irfft((spectrum.conj() * maps).sum(0), ctx.n_fft)
        return of_maps, of_kernels[..., : ctx.n_taps]


class _SumDirectly(torch.autograd.Function):
    """The sum over q of each map correlated with its kernel, tap by tap.

    Its gradients are those of torch, but an analysis of the gradient costs a quarter of what
    torch takes, which sees a convolution from many maps to one.
    """

    @staticmethod
    def forward(ctx: Any, activation: Tensor, kernels: Tensor, turned: bool) -> Tensor:
        ctx.save_for_backward(activation, kernels)
        ctx.turned = turned
        padded = functional.pad(activation.flatten(1, 2), _margins(kernels, turned=turned))
        return _convolve(padded, kernels, n_groups=len(kernels))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        activation, kernels = ctx.saved_tensors
        axes = tuple(range(2, kernels.ndim))
        padded = functional.pad(gradient, _margins(kernels, turned=not ctx.turned))
        flipped = kernels.flip(axes).flatten(0, 1)[:, None]
        maps = activation.flatten(1, 2)
        of_maps = _convolve(padded, flipped, n_groups=len(kernels)).view(activation.shape)
        weight_gradient = conv1d_weight if len(axes) == 1 else conv2d_weight
        of_kernels = weight_gradient(padded, flipped.shape, maps, groups=len(kernels))
        return of_maps, of_kernels.view(kernels.shape).flip(axes), None


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
