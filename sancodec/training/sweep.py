"""Training of SANs of many kernel sizes at once, each as if it were alone (section IV)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sancodec.errors import ConfigError
from sancodec.training.applied import Floats, checked_signals
from sancodec.training.checkpoint import Checkpoint
from sancodec.training.convolution import exact_convolutions
from sancodec.training.san import Figures, joined
from sancodec.training.sizegroup import SizeGroup
from sancodec.training.sweepconfig import DeviceName, SweepConfig, SweepResult

__all__ = ["SweepConfig", "SweepResult", "sweep"]

_START_SCALE = 0.1
# Kinds of chance that follow from one seed.
_START, _ORDER = 0, 1
# Bounds the maps of the validation part that are in memory at one time: 16 MiB each.
_SAMPLES_AT_ONCE = 1 << 22
_SIZES_TOGETHER = 64
_RUN = "sweep"
_FIGURES = ("training_loss", "flithos", "flithos_std", "inverse_cr", "normalized_loss")


def sweep(
    training: Floats,
    validation: Floats,
    config: SweepConfig,
    *,
    checkpoint: Path | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> SweepResult:
    """Train a SAN of each kernel size; on one machine the same seed gives the same kernels.

    Parameters
    ----------
    training, validation : (n, n_samples) or (n, n_rows, n_columns) float
        Finite; taken as float32.
    checkpoint : Path, optional
        Written after each epoch. Where it is there already, training goes on from it.
    on_step : callable, optional
        Called with the number of batches done and in all.

    Raises
    ------
    ConfigError
        The signals do not fit, there is no CUDA, or the checkpoint is damaged or of another
        training.
    OutputError
        The checkpoint cannot be written.
    """
    device = _device(config.device)
    signals = [
        checked_signals("training", training).to(device),
        checked_signals("validation", validation).to(device),
    ]
    if signals[0].shape[1:] != signals[1].shape[1:]:
        raise ConfigError(
            f"validation: {tuple(signals[1].shape)}, the training part is {tuple(signals[0].shape)}"
        )
    with exact_convolutions(), one_thread_each(device) as pool:
        run = _Run(*signals, config=config, on_step=on_step, pool=pool)
        kept = Checkpoint(checkpoint, {"training": _label(signals, config)})
        state = kept.find(_RUN)
        if state is not None:
            run.restore(state)
        while run.n_done < config.n_epochs and run.groups:
            run.train_epoch()
            run.judge_epoch()
            kept.keep(_RUN, run.state())
        return run.result()


class _Run:
    """What lasts from epoch to epoch: the groups of networks, the figures, what is kept."""

    def __init__(
        self,
        training: Tensor,
        validation: Tensor,
        *,
        config: SweepConfig,
        on_step: Callable[[int, int], None] | None,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.training, self.validation, self.config = training, validation, config
        n_sizes = len(config.kernel_sizes)
        self.n_done = 0
        self.figures = {name: np.full((config.n_epochs, n_sizes), np.nan) for name in _FIGURES}
        self.kernels = [_start(size, training.ndim - 1, config) for size in config.kernel_sizes]
        self.kept_epoch = np.zeros(n_sizes, np.int64)
        self.groups = [
            SizeGroup(
                config.san,
                list(columns),
                [self.kernels[column] for column in columns],
                config.learning_rate,
                training.device,
            )
            for columns in _columns(n_sizes, training.ndim - 1)
        ]
        self._progress = _Progress(self._n_steps(config.n_epochs), on_step)
        self._pool = pool

    def train_epoch(self) -> None:
        """Take every window once, in an order that only the seed and the epoch decide."""
        rng = np.random.default_rng([self.config.seed, _ORDER, self.n_done])
        order = torch.from_numpy(rng.permutation(len(self.training))).to(self.training.device)
        batches = torch.split(order, self.config.batch_size)

        def train(group: SizeGroup) -> Tensor:
            total = torch.zeros(len(group.columns), device=order.device)
            for chosen in batches:
                total += group.step(self.training[chosen], self.config.loss) * len(chosen)
                self._progress.step()
            return total / len(order)

        for group, losses in zip(self.groups, self._pool.map(train, self.groups), strict=True):
            self._note("training_loss", group, losses)

    def judge_epoch(self) -> None:
        """Judge each network on the validation part, keep the best, let go of who has stopped."""
        going_on = []
        judged = self._pool.map(self._judge, self.groups)
        for group, figures in zip(self.groups, judged, strict=True):
            for name in ("flithos", "inverse_cr", "normalized_loss"):
                self._note(name, group, getattr(figures, name).mean(0))
            self._note("flithos_std", group, figures.flithos.std(0, correction=0))
            self._keep(group)
            stay = [column for column in group.columns if not self._has_stopped(column)]
            if stay:
                going_on.append(group if stay == group.columns else group.only(stay))
        self.groups = going_on
        self.n_done += 1

    def state(self) -> dict[str, Any]:
        """Give all that training goes on from, as tensors and numbers."""
        return {
            "n_done": self.n_done,
            "figures": {name: torch.from_numpy(found) for name, found in self.figures.items()},
            "kernels": [torch.from_numpy(kernels) for kernels in self.kernels],
            "kept_epoch": torch.from_numpy(self.kept_epoch),
            "groups": [group.state() for group in self.groups],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state of the same training."""
        self.n_done = state["n_done"]
        self._progress.n_done = self._n_steps(self.n_done)
        self.figures = {name: found.numpy() for name, found in state["figures"].items()}
        self.kernels = [kernels.numpy() for kernels in state["kernels"]]
        self.kept_epoch = state["kept_epoch"].numpy()
        rate, device = self.config.learning_rate, self.training.device
        self.groups = [
            SizeGroup.restored(self.config.san, group, rate, device) for group in state["groups"]
        ]

    def result(self) -> SweepResult:
        """Give what has been found."""
        return SweepResult(
            kernel_sizes=self.config.kernel_sizes,
            kernels=self.kernels,
            kept_epoch=self.kept_epoch,
            **self.figures,
        )

    def _n_steps(self, n_epochs: int) -> int:
        n_groups = len(_columns(len(self.config.kernel_sizes), self.training.ndim - 1))
        return n_epochs * n_groups * -(-len(self.training) // self.config.batch_size)

    def _judge(self, group: SizeGroup) -> Figures:
        n_maps = len(group.columns) * self.config.n_kernels
        n_at_once = max(1, _SAMPLES_AT_ONCE // (n_maps * self.validation[0].numel()))
        return joined([group.judge(batch) for batch in torch.split(self.validation, n_at_once)])

    def _note(self, name: str, group: SizeGroup, values: Tensor) -> None:
        self.figures[name][self.n_done, group.columns] = values.cpu().numpy()

    def _keep(self, group: SizeGroup) -> None:
        """Keep a copy of the kernels of each column whose epoch is the one to keep so far."""
        for column, kernels in zip(group.columns, group.kernels(), strict=True):
            if self.config.keep == "last" or self._best_epoch(column) == self.n_done:
                self.kernels[column] = kernels
                self.kept_epoch[column] = self.n_done

    def _has_stopped(self, column: int) -> bool:
        patience = self.config.patience
        return patience is not None and self.n_done - self._best_epoch(column) >= patience

    def _best_epoch(self, column: int) -> int:
        """Give the first epoch of the lowest mean flithos so far; one that diverged has none."""
        flithos = self.figures["flithos"][: self.n_done + 1, column]
        return int(np.where(np.isnan(flithos), np.inf, flithos).argmin())


class _Progress:
    """How far all groups are, each of which may run on a thread of its own."""

    def __init__(self, n_in_all: int, on_step: Callable[[int, int], None] | None) -> None:
        self.n_done = 0
        self._n_in_all = n_in_all
        self._on_step = on_step
        self._lock = Lock()

    def step(self) -> None:
        with self._lock:
            self.n_done += 1
            if self._on_step:
                self._on_step(self.n_done, self._n_in_all)


def _columns(n_sizes: int, n_dimensions: int) -> list[range]:
    """Say which sizes are trained in one batch; the number of threads must not matter.

    Images are convolved directly, which costs m * m a pixel: in the frame of the largest size
    the small ones would cost as much as it does.
    """
    n_together = _SIZES_TOGETHER if n_dimensions == 1 else 1
    return [range(n_sizes)[i : i + n_together] for i in range(0, n_sizes, n_together)]


@contextmanager
def one_thread_each(device: torch.device) -> Iterator[ThreadPoolExecutor]:
    """Give as many threads as torch has, with one thread of torch in each.

    Sums that torch splits over threads round differently for each number of them; and so small
    are the batches that the threads would mostly wait for each other.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(1 if device.type == "cuda" else n_threads) as pool:
            yield pool
    finally:
        torch.set_num_threads(n_threads)


def _start(size: int, n_dimensions: int, config: SweepConfig) -> NDArray[np.float32]:
    """Give the first kernels of a size, which only the seed and the size decide."""
    shape = (config.n_kernels, *[size] * n_dimensions)
    if config.start == "constant":
        return np.full(shape, _START_SCALE, np.float32)
    rng = np.random.default_rng([config.seed, _START, size])
    return rng.normal(0, _START_SCALE, shape).astype(np.float32)


def _label(signals: list[Tensor], config: SweepConfig) -> str:
    """Give what tells one training from another: its settings and its signals."""
    digest = hashlib.sha256()
    for part in signals:
        digest.update(repr(tuple(part.shape)).encode() + part.cpu().numpy().tobytes())
    return json.dumps({**asdict(config), "signals": digest.hexdigest()}, sort_keys=True)


def _device(name: DeviceName) -> torch.device:
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ConfigError("device: no CUDA here; use 'cpu', or 'auto'")
    return torch.device("cuda" if there and name != "cpu" else "cpu")
