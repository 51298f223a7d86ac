"""A Sparsely Activated Network in torch whose kernels compete for territory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

N_REFITS = 2
# A full step diverges where three kernels overlap.
_REFIT_STEP = 0.8


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes of the kernels, in samples.

    ``distance`` is the minimum extrema distance, across the similarity maps of all kernels.
    """

    n_kernels: int
    n_taps: int
    centre: int
    distance: int


@dataclass(frozen=True, kw_only=True)
class Output:
    """What the network makes of a batch.

    Attributes
    ----------
    reconstruction : (n_windows, n_leads, n_samples) float32
    n_activations : (n_windows,) int64
        Positions with an activation; each has an amplitude on every lead.
    """

    reconstruction: Tensor
    n_activations: Tensor


class SparselyActivatedNetwork(nn.Module):
    """q kernels shared by all leads; one position and kernel per activation for all of them.

    The similarity of each lead with each kernel is its cross-correlation; the strength of a
    kernel at a sample is the root of the sum of its squared similarities over the leads. The
    peaks of strength compete, the strongest first, each silencing all weaker ones within the
    minimum extrema distance, whatever their kernel. The amplitude of an activation is the
    similarity there, of every lead; what the sum of them leaves is projected again,
    ``N_REFITS`` times, so that kernels that overlap do not count the same thing twice.
    Kernels have norm 1, so that this is a projection; they end in zeros and have no mean.
    """

    def __init__(self, shape: Shape, kernels: Tensor) -> None:
        super().__init__()
        self.shape = shape
        self._taper = taper(shape.n_taps)
        # So that the first kernels are those given, when they are tapered and have no mean.
        self.free = nn.Parameter(kernels / self._taper.clamp(min=1e-3))

    def kernels(self) -> Tensor:
        """Give the kernels, (n_kernels, n_taps), tapered, without mean, of norm 1."""
        return tapered(self.free, self._taper)

    def forward(self, signals: Tensor) -> Output:
        """Reconstruct (n_windows, n_leads, n_samples) signals."""
        kernels = self.kernels()
        with torch.no_grad():
            strength = joint_strength(signals, kernels, self.shape.centre)
            best, kernel = compete(strength, self.shape.distance)
            window, position = best.nonzero(as_tuple=True)
            kernel = kernel[window, position]
        chosen = kernels[kernel]
        reconstruction = self._project(signals, chosen, window, position)
        for _ in range(N_REFITS):
            left = self._project(signals - reconstruction, chosen, window, position)
            reconstruction = reconstruction + _REFIT_STEP * left
        n_activations = torch.bincount(window, minlength=len(signals))
        return Output(reconstruction=reconstruction, n_activations=n_activations)

    def _project(self, signals: Tensor, chosen: Tensor, window: Tensor, start: Tensor) -> Tensor:
        """Give the sum of the chosen kernels, each times its similarity where it stands."""
        n_windows, n_leads, n_samples = signals.shape
        margin = self.shape.n_taps
        padded = functional.pad(signals, (margin, margin))
        first = start - self.shape.centre + margin
        taps = first[:, None] + torch.arange(margin)
        width = padded.shape[-1]
        index = (window[:, None, None] * n_leads + torch.arange(n_leads)[:, None]) * width
        index = index + taps[:, None, :]
        amplitude = (padded.reshape(-1)[index] * chosen[:, None, :]).sum(-1, keepdim=True)
        parts = (amplitude * chosen[:, None, :]).reshape(-1)
        placed = padded.new_zeros(padded.numel()).index_add(0, index.reshape(-1), parts)
        return placed.reshape(n_windows, n_leads, width)[:, :, margin : margin + n_samples]


def taper(n_taps: int) -> Tensor:
    """Give a window that rises and falls as sin^2 over the first and last eighth."""
    n_ramp = max(1, n_taps // 8)
    ramp = torch.sin(torch.pi / 2 * torch.arange(n_ramp) / n_ramp) ** 2
    return torch.cat([ramp, torch.ones(n_taps - 2 * n_ramp), ramp.flip(0)])


def tapered(free: Tensor, window: Tensor) -> Tensor:
    """Give kernels that end in zeros and have no mean, with norm 1."""
    centred = free - (free * window).sum(-1, keepdim=True) / window.sum()
    return functional.normalize(centred * window, dim=-1)


def joint_strength(signals: Tensor, kernels: Tensor, centre: int) -> Tensor:
    """Give the root of the sum over leads of squared similarities.

    Parameters
    ----------
    signals : (n_windows, n_leads, n_samples) float32
    kernels : (n_kernels, n_taps) float32

    Returns
    -------
    (n_windows, n_kernels, n_samples) float32
    """
    n_samples, n_taps = signals.shape[-1], kernels.shape[-1]
    n_fft = 1 << (n_samples + n_taps - 1).bit_length()
    spectrum = torch.fft.rfft(signals, n_fft)[:, :, None]
    filters = torch.fft.rfft(kernels, n_fft).conj()
    similarity: Tensor = torch.fft.irfft(spectrum * filters, n_fft)
    return similarity.square().sum(1).sqrt().roll(centre, -1)[..., :n_samples]


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
    step = functional.pad(strength, (1, 1)).diff(dim=-1)
    peak = (step[..., :-1] > 0) & (step[..., 1:] <= 0) & (strength > 0)
    value, kernel = torch.where(peak, strength, -1.0).max(1)
    kept = torch.zeros_like(value, dtype=torch.bool)
    while bool((value >= 0).any()):
        before = _largest(functional.pad(value, (distance, 0), value=-1.0)[:, :-1], distance)
        after = _largest(functional.pad(value, (0, distance), value=-1.0)[:, 1:], distance)
        new = (value >= 0) & (value > before) & (value >= after)
        kept |= new
        near = _largest(functional.pad(new.to(value.dtype), (distance, distance)), 2 * distance + 1)
        value = torch.where(near > 0, -1.0, value)
    return kept, kernel


def _largest(values: Tensor, width: int) -> Tensor:
    return functional.max_pool1d(values[:, None], width, stride=1)[:, 0]
