"""One run: some epochs from given kernels, with what is needed to go on after an interruption."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

from sancodec.training.judging import EpochResult, evaluate
from sancodec.training.network import Practice, SparselyActivatedNetwork
from sancodec.training.settings import LOSSES, TrainConfig

State = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long a run is: epochs, batches of each; ``seed`` decides which activations drop out."""

    n_epochs: int
    n_batches: int
    seed: int


class Run:
    """A network with its optimizer, and the figures and the best kernels so far.

    Attributes
    ----------
    network : SparselyActivatedNetwork
    epochs : list of EpochResult
    best : (n_kernels, n_taps) float32
        The free parameters of the network after the epoch with the lowest flithos. A copy: those
        of the network go on changing.
    """

    def __init__(self, network: SparselyActivatedNetwork, config: TrainConfig, plan: Plan) -> None:
        self.network = network
        self.epochs: list[EpochResult] = []
        self.best = network.free.detach().clone()
        self._config = config
        self._n_epochs = plan.n_epochs
        self._n_steps = plan.n_batches * plan.n_epochs
        self._step = 0
        self._generator = torch.Generator().manual_seed(plan.seed)
        self._optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
        self._schedule = CosineAnnealingLR(self._optimizer, self._n_steps)

    @property
    def lowest(self) -> float:
        """The lowest flithos so far, infinite before the first epoch."""
        return min((comparable(epoch.flithos) for epoch in self.epochs), default=math.inf)

    @property
    def is_done(self) -> bool:
        """Whether all epochs are done, or the last of them have brought nothing."""
        if len(self.epochs) >= self._n_epochs:
            return True
        patience = self._config.patience
        if patience is None or len(self.epochs) <= patience:
            return False
        latest = min(comparable(epoch.flithos) for epoch in self.epochs[-patience:])
        return latest >= min(comparable(epoch.flithos) for epoch in self.epochs[:-patience])

    def epoch(self, batches: Iterable[Tensor], held_back: list[Tensor]) -> None:
        """Train on the batches, then judge by what is held back."""
        losses = [self._train_on(batch) for batch in batches]
        inverse_cr, loss, phi = evaluate(self.network, held_back)
        result = EpochResult(
            epoch=len(self.epochs) + 1,
            training_loss=float(np.mean(losses)),
            inverse_cr=inverse_cr,
            normalized_loss=loss,
            flithos=phi,
        )
        if comparable(phi) < self.lowest:
            self.best = self.network.free.detach().clone()
        self.epochs.append(result)

    def state(self) -> State:
        """Give all that decides how the run goes on."""
        return {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "best": self.best.cpu(),
            "last": self.network.free.detach().cpu().clone(),
            "step": self._step,
            "generator": self._generator.get_state(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
        }

    def resume(self, state: State) -> None:
        """Take up a run of the same plan where ``state`` left it."""
        device = self.network.free.device
        self.epochs = [EpochResult(**epoch) for epoch in state["epochs"]]
        self.best = state["best"].to(device)
        with torch.no_grad():
            self.network.free.copy_(state["last"])
        self._step = state["step"]
        self._generator.set_state(state["generator"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])

    def _train_on(self, batch: Tensor) -> float:
        practice = Practice(
            distance=self._distance(), dropout=self._config.dropout, generator=self._generator
        )
        self._optimizer.zero_grad()
        output = self.network(batch, practice)
        loss = LOSSES[self._config.loss](output.reconstruction, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._schedule.step()
        self._step += 1
        return float(loss.detach())

    def _distance(self) -> int:
        """Give the extrema distance of this step: from the first to the wanted one by a cosine."""
        first, wanted = self._config.first_distance, self.network.shape.distance
        share = (1 + math.cos(math.pi * self._step / self._n_steps)) / 2
        return round(wanted + (first - wanted) * share)


def comparable(flithos: float) -> float:
    """Give a flithos that can be compared: infinite where training has diverged."""
    return flithos if math.isfinite(flithos) else math.inf
