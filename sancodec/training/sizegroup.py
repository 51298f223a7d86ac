"""SANs of some kernel sizes that are trained in one batch, each as if it were alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sancodec.training.san import (
    Figures,
    Kernels,
    SanConfig,
    SparselyActivatedNetworks,
    crop_kernels,
    pad_kernels,
)

_MOMENTS = ("exp_avg", "exp_avg_sq")


class SizeGroup:
    """The networks of some columns of a sweep, and their optimizer.

    Parameters
    ----------
    config : SanConfig
    columns : sequence of int
        Which size of the sweep each network is.
    networks : sequence of Kernels
    learning_rate : float
    device : torch.device
    """

    def __init__(
        self,
        config: SanConfig,
        columns: list[int],
        networks: list[Kernels],
        learning_rate: float,
        device: torch.device,
    ) -> None:
        self.columns = columns
        self.network = SparselyActivatedNetworks(config, networks).to(device)
        self._device = device
        self._learning_rate = learning_rate
        parameters = [self.network.padded]
        self._adam = torch.optim.Adam(parameters, lr=learning_rate, betas=(0.9, 0.999), eps=1e-8)

    def step(self, signals: Tensor, loss: str) -> Tensor:
        """Learn from one batch; give the (S,) losses before it."""
        self._adam.zero_grad()
        error = self.network(signals).reconstruction - signals[:, None]
        size = error.abs() if loss == "mae" else error.square()
        # The mean of each network alone, so that no network weighs on another's gradient.
        losses: Tensor = size.transpose(0, 1).flatten(1).mean(1)
        torch.autograd.backward(losses.sum())
        self._adam.step()
        return losses.detach()

    def judge(self, signals: Tensor) -> Figures:
        """Give the figures of (B, ...) signals without learning from them."""
        with torch.no_grad():
            return self.network.figures(self.network(signals), signals)

    def kernels(self) -> list[NDArray[np.float32]]:
        """Give a copy of the kernels of each network, (q, m) or (q, m, m)."""
        return [np.stack(kernels) for kernels in self.network.kernels()]

    def only(self, stay: list[int]) -> SizeGroup:
        """Give a group that goes on with some of the columns, in a frame of their size."""
        state = self.state()
        chosen = [self.columns.index(column) for column in stay]
        parts = {name: [state[name][i] for i in chosen] for name in ("kernels", *_MOMENTS)}
        return SizeGroup.restored(
            self.network.config,
            {**parts, "columns": stay, "step": state["step"]},
            self._learning_rate,
            self._device,
        )

    def state(self) -> dict[str, Any]:
        """Give all that training goes on from, as tensors and numbers."""
        adam = self._adam.state[self.network.padded]
        moments = {name: self._cropped(adam[name]) for name in _MOMENTS}
        kernels = self._cropped(self.network.padded)
        return {
            "columns": self.columns,
            "kernels": kernels,
            **moments,
            "step": float(adam["step"]),
        }

    @staticmethod
    def restored(
        config: SanConfig, state: dict[str, Any], learning_rate: float, device: torch.device
    ) -> SizeGroup:
        """Give the group of a :meth:`state`."""
        networks = [kernels.numpy() for kernels in state["kernels"]]
        group = SizeGroup(config, state["columns"], networks, learning_rate, device)
        adam: dict[str, Tensor] = {"step": torch.tensor(state["step"])}
        for name in _MOMENTS:
            arrays = [moment.numpy() for moment in state[name]]
            adam[name] = pad_kernels(arrays, group.network.sizes.cpu()).to(device)
        group._adam.state[group.network.padded] = adam
        return group

    def _cropped(self, padded: Tensor) -> list[Tensor]:
        networks = crop_kernels(padded, self.network.sizes)
        return [torch.from_numpy(np.stack(kernels)) for kernels in networks]
