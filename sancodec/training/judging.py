"""What a network is worth: the figures of the paper over windows, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sancodec.metrics import inverse_compression_ratio, mean_flithos, normalized_loss
from sancodec.training.network import SparselyActivatedNetwork

# Memory is that of so many windows, however many there are.
_AT_A_TIME = 16


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """Figures of one epoch; all but the training loss on held-back windows.

    ``training_loss`` is the mean of what was lowered, of signals with a standard deviation of 1.
    """

    epoch: int
    training_loss: float
    inverse_cr: float
    normalized_loss: float
    flithos: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Means over windows: CR^-1, normalized loss, flithos; and how much each kernel is used.

    ``row_shares`` has the share of all activations that each row of the bank has.
    """

    n_windows: int
    inverse_cr: float
    normalized_loss: float
    flithos: float
    row_shares: tuple[float, ...]


def evaluate(
    network: SparselyActivatedNetwork, signals: Sequence[Tensor]
) -> tuple[float, float, float]:
    """Give mean CR^-1, mean normalized loss and mean flithos over all windows.

    Each of ``signals`` is (n_windows, n_leads, n_samples). The figures are those of
    :func:`judge`.
    """
    figures = judge(network, signals)
    return figures.inverse_cr, figures.normalized_loss, figures.flithos


def judge(network: SparselyActivatedNetwork, signals: Sequence[Tensor]) -> Figures:
    """Give the figures of all windows, each (n_windows, n_leads, n_samples) tensor its own.

    W is charged to every window, and an activation counts on each lead, as in the paper; with
    an amplitude and a position, and the number of its scale where there are several.
    """
    crs: list[float] = []
    losses: list[float] = []
    used = torch.zeros(network.n_rows, dtype=torch.int64, device="cpu")
    # The scale is one more coordinate.
    n_dimensions = 1 if len(network.shape.scales) == 1 else 2
    with torch.no_grad():
        for batch in (part for windows in signals for part in torch.split(windows, _AT_A_TIME)):
            output = network(batch)
            used += torch.bincount(output.row, minlength=len(used)).cpu()
            counts = (output.n_activations * batch.shape[1]).tolist()
            reconstructions = output.reconstruction.cpu().numpy()
            for n_activations, window, reconstruction in zip(
                counts, batch.cpu().numpy(), reconstructions, strict=True
            ):
                crs.append(
                    inverse_compression_ratio(
                        window.size, network.n_weights, n_activations, n_dimensions
                    )
                )
                losses.append(normalized_loss(reconstruction, window))
    shares = used / used.sum().clamp(min=1)
    return Figures(
        n_windows=len(crs),
        inverse_cr=float(np.mean(crs)),
        normalized_loss=float(np.mean(losses)),
        flithos=mean_flithos(crs, losses),
        row_shares=tuple(round(float(share), 4) for share in shares),
    )
