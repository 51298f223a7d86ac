"""A trained SAN applied to signals, from arrays to arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sancodec.errors import ConfigError
from sancodec.training.san import Kernels, SanConfig, SparselyActivatedNetworks

# Bounds the maps that are in memory at one time: 16 MiB each.
_SAMPLES_AT_ONCE = 1 << 22

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What one SAN makes of n signals or images, and the figures of section II of the paper.

    Attributes
    ----------
    n_activations : (n,) int64
    inverse_cr, normalized_loss, flithos : (n,) float64
    reconstruction : of the shape of the signals, float32
    similarity, activation, parts : (n, q, n_samples) or (n, q, n_rows, n_columns) float32, or None
        Only on request; ``parts`` are the partial reconstructions.
    """

    n_activations: NDArray[np.int64]
    inverse_cr: NDArray[np.float64]
    normalized_loss: NDArray[np.float64]
    flithos: NDArray[np.float64]
    reconstruction: NDArray[np.float32]
    similarity: NDArray[np.float32] | None = None
    activation: NDArray[np.float32] | None = None
    parts: NDArray[np.float32] | None = None


def apply_san(
    signals: Floats, kernels: Kernels, config: SanConfig, *, with_maps: bool = False
) -> Applied:
    """Take signals through a SAN, on the CPU.

    Parameters
    ----------
    signals : (n, n_samples) or (n, n_rows, n_columns) float
        Finite; taken as float32.
    kernels : (q, m) or (q, m, m) float, or a sequence of q arrays of different sizes
    with_maps : bool
        Give the similarity, the activation maps and the partial reconstructions too.

    Raises
    ------
    ConfigError
        The signals or the kernels have other shapes, or the signals are not finite.
    """
    values = checked_signals("signals", signals)
    network = SparselyActivatedNetworks(config, [kernels])
    if values.ndim - 1 != network.n_dimensions:
        raise ConfigError(
            f"signals: {values.shape}, expected {network.n_dimensions + 1} axes, as the kernels "
            f"are in {network.n_dimensions}-D"
        )
    n_at_once = max(1, _SAMPLES_AT_ONCE // (len(kernels) * values[0].numel()))
    with torch.inference_mode():
        batches = [_apply(network, batch, with_maps) for batch in torch.split(values, n_at_once)]
    return Applied(
        **{
            field.name: np.concatenate([batch[field.name] for batch in batches])
            for field in fields(Applied)
            if field.name in batches[0]
        }
    )


def checked_signals(name: str, signals: Floats) -> torch.Tensor:
    """Give (n, n_samples) or (n, n_rows, n_columns) signals as a float32 tensor.

    Raises
    ------
    ConfigError
        There are none, they have another shape, or they are not finite.
    """
    array = np.ascontiguousarray(signals, np.float32)
    if array.ndim not in (2, 3) or not array.size:
        raise ConfigError(f"{name}: {array.shape}, expected (n, n_samples) or (n, rows, columns)")
    if not np.isfinite(array).all():
        raise ConfigError(f"{name}: not all values are finite")
    return torch.from_numpy(array)


def _apply(
    network: SparselyActivatedNetworks, signals: torch.Tensor, with_maps: bool
) -> dict[str, NDArray[Any]]:
    output = network(signals)
    # One network stands alone on axis 1.
    found = {name: value[:, 0] for name, value in vars(network.figures(output, signals)).items()}
    found["reconstruction"] = output.reconstruction[:, 0]
    if with_maps:
        found["similarity"] = output.similarity[:, 0]
        found["activation"] = output.activation[:, 0]
        found["parts"] = network.parts(output.activation)[:, 0]
    return {name: value.numpy() for name, value in found.items()}
