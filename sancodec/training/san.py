"""The Sparsely Activated Network of the paper (section III-B) in torch, many side by side.

Networks that differ in the size of their kernels see the same signals in one batch: all kernels
are padded with zeros to the size of the largest, and zeros learn nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sancodec.errors import ConfigError
from sancodec.training import activations
from sancodec.training.convolution import correlate, synthesise

ActivationName = Literal["identity", "relu", "topk_absolutes", "extrema_pool_indices", "extrema"]
ACTIVATIONS: tuple[ActivationName, ...] = (
    "identity",
    "relu",
    "topk_absolutes",
    "extrema_pool_indices",
    "extrema",
)
SynthesisName = Literal["paper", "matched"]
SYNTHESES: tuple[SynthesisName, ...] = ("paper", "matched")

Kernels = Sequence[NDArray[np.float32]] | NDArray[np.float32]
"""The kernels of one network, each (m,) or (m, m); an array (q, m) or (q, m, m) is one too."""


@dataclass(frozen=True, kw_only=True)
class SanConfig:
    """What a SAN does apart from its kernels.

    Attributes
    ----------
    activation : str
        The name of a function of :mod:`sancodec.san.activations`.
    border_tolerance : int
        In samples; the minimum extrema distance of a kernel of m samples is max(1, m - b).
    synthesis : str
        ``"paper"`` slides the kernel over the activations as it does over the signal, as the
        authors' released code does: what it adds is the kernel reversed. ``"matched"`` adds the
        kernel itself, the adjoint of the analysis.
    """

    activation: ActivationName = "extrema"
    border_tolerance: int = 3
    synthesis: SynthesisName = "paper"

    def __post_init__(self) -> None:
        _check_name("activation", self.activation, ACTIVATIONS)
        _check_name("synthesis", self.synthesis, SYNTHESES)
        if self.border_tolerance < 0:
            raise ConfigError(f"border tolerance: {self.border_tolerance}, expected 0 or more")


@dataclass(frozen=True, kw_only=True)
class SanOutput:
    """What S networks of q kernels make of B signals or images.

    Attributes
    ----------
    similarity, activation : (B, S, q, n_samples) or (B, S, q, n_rows, n_columns) float32
    reconstruction : (B, S, n_samples) or (B, S, n_rows, n_columns) float32
    """

    similarity: Tensor
    activation: Tensor
    reconstruction: Tensor


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The figures of section II of the paper, of B windows by S networks: (B, S) float64.

    ``n_activations`` is int64. They are those of :mod:`sancodec.metrics`.
    """

    n_activations: Tensor
    inverse_cr: Tensor
    normalized_loss: Tensor
    flithos: Tensor


def joined(parts: Sequence[Figures]) -> Figures:
    """Give the figures of several batches as those of one."""
    names = [field.name for field in fields(Figures)]
    return Figures(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})


class SparselyActivatedNetworks(nn.Module):
    """S networks of q kernels each, without bias, zero padded to the size of the input.

    Parameters
    ----------
    config : SanConfig
    networks : sequence of Kernels
        The kernels of each network: as many for each, in 1-D or 2-D, of any sizes.

    Raises
    ------
    ConfigError
        The networks have different numbers of kernels, or kernels of other shapes.
    """

    def __init__(self, config: SanConfig, networks: Sequence[Kernels]) -> None:
        super().__init__()
        self.config = config
        sizes = checked_sizes(networks)
        self.padded = nn.Parameter(pad_kernels(networks, sizes))
        ones = [[np.ones_like(kernel) for kernel in kernels] for kernels in networks]
        self.inside: Tensor
        self.sizes: Tensor
        self.register_buffer("inside", pad_kernels(ones, sizes))
        self.register_buffer("sizes", sizes)

    @property
    def n_dimensions(self) -> int:
        """1 for signals, 2 for images."""
        return self.padded.ndim - 2

    @property
    def n_weights(self) -> Tensor:
        """Number of weights of each network, (S,) int64: W in section II of the paper."""
        return (self.sizes**self.n_dimensions).sum(1)

    def kernels(self) -> list[list[NDArray[np.float32]]]:
        """Give a copy of the kernels of each network, without padding."""
        return crop_kernels(self.padded, self.sizes)

    def forward(self, signals: Tensor) -> SanOutput:
        """Take (B, n_samples) signals or (B, n_rows, n_columns) images through all networks."""
        kernels = self.padded * self.inside
        similarity = correlate(signals, kernels)
        activation = self._activate(similarity)
        return SanOutput(
            similarity=similarity,
            activation=activation,
            reconstruction=synthesise(activation, kernels, turned=self._turned),
        )

    def parts(self, activation: Tensor) -> Tensor:
        """Give the partial reconstructions, of the shape of the (B, S, q, ...) activation."""
        one_by_one = activation.flatten(1, 2)[:, :, None]
        kernels = (self.padded * self.inside).flatten(0, 1)[:, None]
        return synthesise(one_by_one, kernels, turned=self._turned).view(activation.shape)

    def figures(self, output: SanOutput, signals: Tensor) -> Figures:
        """Give the figures of each signal, in double precision."""
        axes = tuple(range(2, 2 + self.n_dimensions))
        n_activations = output.activation.count_nonzero((2, *(axis + 1 for axis in axes)))
        n_samples = signals[0].numel()
        numbers = self.n_weights + (self.n_dimensions + 1) * n_activations
        inverse_cr = numbers.double() / n_samples
        wide = signals.double()[:, None]
        error = (output.reconstruction.double() - wide).abs().sum(axes)
        # 0 / 0 is a signal of zeros without error, which is no loss.
        loss = torch.where(error == 0, 0.0, error / wide.abs().sum(axes))
        return Figures(
            n_activations=n_activations,
            inverse_cr=inverse_cr,
            normalized_loss=loss,
            flithos=torch.hypot(inverse_cr, loss),
        )

    @property
    def _turned(self) -> bool:
        return self.config.synthesis == "matched"

    def _activate(self, similarity: Tensor) -> Tensor:
        dim = self.n_dimensions
        match self.config.activation:
            case "identity":
                return activations.identity(similarity)
            case "relu":
                return activations.relu(similarity)
            case "topk_absolutes":
                k = torch.ones_like(self.sizes)
                for size in similarity.shape[-dim:]:
                    k = k * (size // self.sizes)
                return activations.topk_absolutes(similarity, k, dim)
            case "extrema_pool_indices":
                return activations.extrema_pool_indices(similarity, self.sizes, dim)
            case "extrema":
                distance = (self.sizes - self.config.border_tolerance).clamp(min=1)
                return activations.extrema(similarity, distance, dim)


def pad_kernels(networks: Sequence[Kernels], sizes: Tensor) -> Tensor:
    """Give kernels of (S, q) sizes in the frame of the largest, (S, q, M) or (S, q, M, M)."""
    largest, n_dimensions = int(sizes.max()), np.ndim(networks[0][0])
    padded = torch.zeros(*sizes.shape, *[largest] * n_dimensions)
    for i, kernels in enumerate(networks):
        for j, kernel in enumerate(kernels):
            place = _place(len(kernel), largest, n_dimensions)
            padded[i, j][place] = torch.from_numpy(np.array(kernel, np.float32))
    return padded


def crop_kernels(padded: Tensor, sizes: Tensor) -> list[list[NDArray[np.float32]]]:
    """Give a copy of (S, q, M) or (S, q, M, M) kernels without padding: S networks of q."""
    largest, n_dimensions = padded.shape[-1], padded.ndim - 2
    values = padded.detach().cpu().numpy()
    return [
        [
            values[i, j][_place(size, largest, n_dimensions)].copy()
            for j, size in enumerate(of_network)
        ]
        for i, of_network in enumerate(sizes.tolist())
    ]


def _place(size: int, largest: int, n_dimensions: int) -> tuple[slice, ...]:
    """Tell where a kernel stands in the largest one, so that their centres fall together."""
    first = (largest - 1) // 2 - (size - 1) // 2
    return (slice(first, first + size),) * n_dimensions


def checked_sizes(networks: Sequence[Kernels]) -> Tensor:
    """Give the (S, q) sizes of the kernels of S networks.

    Raises
    ------
    ConfigError
        The networks have different numbers of kernels, or kernels not all (m,) or (m, m).
    """
    shapes = [[np.shape(kernel) for kernel in kernels] for kernels in networks]
    kinds = {len(shape) for of_network in shapes for shape in of_network}
    numbers = {len(of_network) for of_network in shapes}
    if len(numbers) != 1 or 0 in numbers or kinds not in ({1}, {2}):
        raise ConfigError(f"kernels: {shapes}, expected as many (m,) or (m, m) for each network")
    for shape in (shape for of_network in shapes for shape in of_network):
        if len(set(shape)) != 1 or 0 in shape:
            raise ConfigError(f"kernels: {shape}, expected (m,) or (m, m) with m at least 1")
    return torch.tensor([[shape[0] for shape in of_network] for of_network in shapes])


def _check_name(field: str, value: str, names: Sequence[str]) -> None:
    if value not in names:
        raise ConfigError(f"{field}: {value!r}, expected one of {', '.join(names)}")
