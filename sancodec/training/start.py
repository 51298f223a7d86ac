"""Kernels to start from: clusters of what stands around the loudest places of the signals."""

from __future__ import annotations

import torch
from torch import Tensor

from sancodec.errors import ConfigError
from sancodec.training.network import Shape, taper, tapered
from sancodec.training.territory import compete

_N_ROUNDS = 20
_MAX_SEGMENTS = 20_000
_N_CANDIDATES = 4


def kernels_from_signals(signals: list[Tensor], shape: Shape, generator: torch.Generator) -> Tensor:
    """Cluster the segments around the peaks of energy into lines through the origin.

    A segment may have either sign and any amplitude, as an activation may. Each kernel is the
    first principal direction of its cluster.

    Parameters
    ----------
    signals : list of (n_windows, n_leads, n_samples) float32
        On the CPU.

    Returns
    -------
    (n_kernels, n_taps) float32
        Of norm 1.

    Raises
    ------
    ConfigError
        The signals have fewer such segments than kernels are wanted.
    """
    segments = _some_segments(signals, shape, shape.n_kernels, generator)
    return _clusters(tapered(segments, taper(shape.n_taps)), shape.n_kernels, generator)


def kernel_from_residual(
    residual: list[Tensor], shape: Shape, generator: torch.Generator
) -> Tensor:
    """Give one kernel, (1, n_taps), for what other kernels have left over.

    One of a few clusters, with a chance that grows with the energy that it explains.
    """
    segments = _some_segments(residual, shape, 1, generator)
    directions = tapered(segments, taper(shape.n_taps))
    kernels = _clusters(directions, min(_N_CANDIDATES, len(segments)), generator)
    nearest = (directions @ kernels.T).abs().argmax(1)
    explained = (segments * kernels[nearest]).sum(1).square()
    energy = torch.zeros(len(kernels), device="cpu").index_add(0, nearest, explained)
    return kernels[torch.multinomial(energy.clamp(min=1e-9), 1, generator=generator)]


def _some_segments(
    signals: list[Tensor], shape: Shape, n_wanted: int, generator: torch.Generator
) -> Tensor:
    segments = torch.cat([_segments(batch, shape) for batch in signals])
    if len(segments) < n_wanted:
        raise ConfigError(
            f"kernels: {n_wanted} wanted, the windows have {len(segments)} peaks with "
            f"{shape.n_taps} samples around them; give longer windows, or more records"
        )
    if len(segments) > _MAX_SEGMENTS:
        chosen = torch.randperm(len(segments), generator=generator, device="cpu")[:_MAX_SEGMENTS]
        segments = segments[chosen]
    return segments


def _segments(signals: Tensor, shape: Shape) -> Tensor:
    """Cut (n_segments, n_taps) around the peaks of energy, each lead on its own."""
    slope = torch.nn.functional.pad(signals.diff(dim=-1), (1, 0))
    n_smooth = max(1, shape.distance // 4) // 2 * 2 + 1
    energy = torch.nn.functional.avg_pool1d(
        slope.square().sum(1, keepdim=True), n_smooth, stride=1, padding=n_smooth // 2
    )
    kept, _ = compete(energy, 2 * shape.distance)
    loud = kept & (energy[:, 0] > energy.mean(-1))
    window, position = loud.nonzero(as_tuple=True)
    first = position - shape.centre
    inside = (first >= 0) & (first + shape.n_taps <= signals.shape[-1])
    taps = first[inside][:, None] + torch.arange(shape.n_taps, device="cpu")
    cut = signals[window[inside]].gather(2, taps[:, None].expand(-1, signals.shape[1], -1))
    return cut.reshape(-1, shape.n_taps)


def _clusters(segments: Tensor, n_kernels: int, generator: torch.Generator) -> Tensor:
    """Give the directions of clusters of (n_segments, n_taps) segments of norm 1."""
    kernels = _spread(segments, n_kernels, generator)
    for _ in range(_N_ROUNDS):
        nearest = (segments @ kernels.T).abs().argmax(1)
        kernels = torch.stack([_direction(segments, nearest, k) for k in range(len(kernels))])
    return kernels


def _spread(segments: Tensor, n_kernels: int, generator: torch.Generator) -> Tensor:
    """Choose segments far from each other, with a chance that grows with their distance."""
    chance = torch.ones(len(segments), device="cpu")
    chosen: list[Tensor] = []
    for _ in range(n_kernels):
        chosen.append(segments[torch.multinomial(chance, 1, generator=generator)[0]])
        chance = (1 - (segments @ torch.stack(chosen).T).square().max(1).values).clamp(min=1e-9)
    return torch.stack(chosen)


def _direction(segments: Tensor, nearest: Tensor, kernel: int) -> Tensor:
    members = segments[nearest == kernel]
    if not len(members):
        return segments[0]
    direction: Tensor = torch.linalg.eigh(members.T @ members).eigenvectors[:, -1]
    # The eigenvector's sign is the library's; this one is the data's.
    sign = torch.sign(direction[direction.abs().argmax()])
    return direction * sign
