"""What a network is worth: the figures of the paper over windows, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
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
    return _figures(_measure(network, signals))


def judge_parts(parts: Sequence[SparselyActivatedNetwork], signals: Sequence[Tensor]) -> Figures:
    """Give the figures where each window has the one of several networks that serves it best.

    ``parts`` are the kernels learned first, those and the second ones, and so on: who knows
    those learned later need not use them, and is charged for what is used.
    """
    measured = [_measure(network, signals) for network in parts]
    phi = np.stack([np.hypot(part.inverse_cr, part.loss) for part in measured])
    best = phi.argmin(axis=0), np.arange(phi.shape[1])
    n_rows = measured[-1].used.shape[1]
    used = [np.pad(part.used, ((0, 0), (0, n_rows - part.used.shape[1]))) for part in measured]
    return _figures(
        _Measured(
            inverse_cr=np.stack([part.inverse_cr for part in measured])[best],
            loss=np.stack([part.loss for part in measured])[best],
            used=np.stack(used)[best],
        )
    )


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """CR^-1 and normalized loss of each window, (n_windows,); its use of each row."""

    inverse_cr: NDArray[np.float64]
    loss: NDArray[np.float64]
    used: NDArray[np.int64]


def _measure(network: SparselyActivatedNetwork, signals: Sequence[Tensor]) -> _Measured:
    crs: list[float] = []
    losses: list[float] = []
    used: list[NDArray[np.int64]] = []
    # The scale is one more coordinate.
    n_dimensions = 1 if len(network.shape.scales) == 1 else 2
    with torch.no_grad():
        for batch in (part for windows in signals for part in torch.split(windows, _AT_A_TIME)):
            output = network(batch)
            used.append(output.used(network.n_rows).cpu().numpy())
            reconstructions = output.reconstruction.cpu().numpy()
            counts = (output.n_activations * batch.shape[1]).tolist()
            for window, reconstruction, n_activations in zip(
                batch.cpu().numpy(), reconstructions, counts, strict=True
            ):
                sizes = window.size, network.n_weights, n_activations, n_dimensions
                crs.append(inverse_compression_ratio(*sizes))
                losses.append(normalized_loss(reconstruction, window))
    return _Measured(inverse_cr=np.array(crs), loss=np.array(losses), used=np.concatenate(used))


def _figures(measured: _Measured) -> Figures:
    used = measured.used.sum(axis=0)
    shares = used / max(int(used.sum()), 1)
    return Figures(
        n_windows=len(measured.loss),
        inverse_cr=float(measured.inverse_cr.mean()),
        normalized_loss=float(measured.loss.mean()),
        flithos=mean_flithos(measured.inverse_cr, measured.loss),
        row_shares=tuple(round(float(share), 4) for share in shares),
    )
