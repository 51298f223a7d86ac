"""Convolutions of signals with long kernels, and their gradients, by real Fourier transforms.

torch would transform complex numbers for the gradients. Signals are periodic here, with room
enough after them that nothing comes round again.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional


def summed(maps: Tensor, kernels: Tensor, before: int) -> Tensor:
    """Give the sum over q of maps, each correlated with its kernel.

    Parameters
    ----------
    maps : (B, S, q, n_samples) float32
    kernels : (S, q, M) float32
    before : int
        How many of the M taps lie before the sample.

    Returns
    -------
    (B, S, n_samples) float32
    """
    result: Tensor = _Sum.apply(maps, kernels, before)  # type: ignore[no-untyped-call]
    return result


def correlate(signals: Tensor, kernels: Tensor) -> Tensor:
    """Give the correlation of signals with kernels, where they overlap in full.

    Forwards directly, so that what is flat stays so; only the gradient of the kernels is taken
    by Fourier transform. The signals get none.

    Parameters
    ----------
    signals : (B, 1, n_samples) float32
    kernels : (n_kernels, 1, M) float32

    Returns
    -------
    (B, n_kernels, n_samples - M + 1) float32
    """
    result: Tensor = _Correlation.apply(signals, kernels)  # type: ignore[no-untyped-call]
    return result


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, kernels: Tensor, before: int) -> Tensor:
        ctx.n_samples, ctx.n_taps, ctx.before = maps.shape[-1], kernels.shape[-1], before
        ctx.n_fft = _fast(ctx.n_samples + ctx.n_taps - 1)
        of_maps = torch.fft.rfft(maps, ctx.n_fft)
        of_kernels = torch.fft.rfft(_around(kernels, before, ctx.n_fft)).conj().resolve_conj()
        ctx.save_for_backward(of_maps, of_kernels)
        products = of_maps * of_kernels
        periodic: Tensor = torch.fft.irfft(products.sum(2), ctx.n_fft)
        return periodic[..., : ctx.n_samples]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        of_maps, of_kernels = ctx.saved_tensors
        spectrum = torch.fft.rfft(gradient, ctx.n_fft)[:, :, None]
        maps = torch.fft.irfft(spectrum * of_kernels.conj(), ctx.n_fft)[..., : ctx.n_samples]
        lags = torch.fft.irfft((spectrum.conj() * of_maps).sum(0), ctx.n_fft)
        return maps, _taps(lags, ctx.before, ctx.n_taps), None


class _Correlation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, signals: Tensor, kernels: Tensor) -> Tensor:
        ctx.save_for_backward(signals)
        ctx.n_taps = kernels.shape[-1]
        return functional.conv1d(signals, kernels)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        (signals,) = ctx.saved_tensors
        n_fft = _fast(signals.shape[-1])
        spectrum = torch.fft.rfft(gradient, n_fft).conj() * torch.fft.rfft(signals, n_fft)
        return None, torch.fft.irfft(spectrum.sum(0)[:, None], n_fft)[..., : ctx.n_taps]


def _fast(least: int) -> int:
    """Give a length of at least ``least`` that is transformed fast.

    That is a power of 2 times 9, 10, 12 or 16: fewer samples of more odd factors take longer.
    """
    power = max(16, 1 << (least - 1).bit_length()) // 16
    return next(power * factor for factor in (9, 10, 12, 16) if power * factor >= least)


def _around(kernels: Tensor, before: int, n_fft: int) -> Tensor:
    """Give kernels that begin ``before`` samples before the first of a period of ``n_fft``."""
    period = kernels.new_zeros(*kernels.shape[:-1], n_fft)
    period[..., : kernels.shape[-1] - before] = kernels[..., before:]
    if before:
        period[..., -before:] = kernels[..., :before]
    return period


def _taps(period: Tensor, before: int, n_taps: int) -> Tensor:
    """Give the kernels again that :func:`_around` made a period of."""
    after = period[..., : n_taps - before]
    return torch.cat([period[..., period.shape[-1] - before :], after], -1)
