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

from sancodec.training import fourier

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
    weight = kernels.flatten(0, 1)[:, None]
    if _is_long(kernels) and not signals.requires_grad:
        similarity = fourier.correlate(padded, weight)
    else:
        similarity = _convolve(padded, weight)
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
    if turned:
        kernels = kernels.flip(tuple(range(2, kernels.ndim)))
    if _is_long(kernels):
        return fourier.summed(activation, kernels, _margins(kernels, turned=turned)[0])
    directly: Tensor = _SumDirectly.apply(activation, kernels, turned)  # type: ignore[no-untyped-call]
    return directly


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
        weight_gradient: Any = conv1d_weight if len(axes) == 1 else conv2d_weight
        of_kernels = weight_gradient(padded, flipped.shape, maps, groups=len(kernels))
        return of_maps, of_kernels.view(kernels.shape).flip(axes), None


def _is_long(kernels: Tensor) -> bool:
    return kernels.ndim == 3 and kernels.shape[-1] >= _FOURIER_TAPS


def _convolve(padded: Tensor, weight: Tensor, n_groups: int = 1) -> Tensor:
    convolve = functional.conv1d if weight.ndim == 3 else functional.conv2d
    return convolve(padded, weight, groups=n_groups)


def _margins(kernels: Tensor, *, turned: bool) -> list[int]:
    """Give the zeros before and after along each axis, as ``pad`` wants them."""
    size = kernels.shape[-1]
    before, after = (size - 1) // 2, size // 2
    return ([after, before] if turned else [before, after]) * (kernels.ndim - 2)
