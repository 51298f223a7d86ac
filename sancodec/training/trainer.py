"""Training of a SAN: from the windows of many records to the integer kernels of a model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sancodec.errors import ConfigError
from sancodec.metrics import inverse_compression_ratio, mean_flithos, normalized_loss
from sancodec.san.kernels import MAX_KERNELS, MAX_TAPS, UNIT, KernelBank
from sancodec.training.network import Shape, SparselyActivatedNetwork
from sancodec.training.start import kernels_from_signals
from sancodec.training.windows import RecordWindows

_HELD_BACK_EVERY = 5


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a SAN is trained; every time is in seconds. The defaults suit ECG."""

    n_kernels: int = 4
    n_epochs: int = 12
    seed: int = 0
    fs: float = 360.0
    before_seconds: float = 96 / 360
    after_seconds: float = 160 / 360
    distance_seconds: float = 0.3
    learning_rate: float = 0.01
    batch_size: int = 10

    def __post_init__(self) -> None:
        if not 1 <= self.n_kernels <= MAX_KERNELS:
            raise ConfigError(f"kernels: {self.n_kernels}, expected 1 to {MAX_KERNELS}")
        if self.n_epochs < 1:
            raise ConfigError(f"epochs: {self.n_epochs}, expected at least 1")
        if self.seed < 0:
            raise ConfigError(f"seed: {self.seed}, expected 0 or more")
        if not (np.isfinite(self.fs) and self.fs > 0):
            raise ConfigError(f"fs: {self.fs} Hz, expected above 0")
        if min(self.before_seconds, self.after_seconds, self.distance_seconds) < 0:
            raise ConfigError("before, after, distance: expected 0 s or more")
        if not 8 <= self.shape.n_taps <= MAX_TAPS:
            raise ConfigError(
                f"before, after: kernels of {self.shape.n_taps} samples, expected 8 to {MAX_TAPS}"
            )

    @property
    def shape(self) -> Shape:
        """Sizes of the kernels, in samples."""
        centre = round(self.before_seconds * self.fs)
        return Shape(
            n_kernels=self.n_kernels,
            n_taps=centre + round(self.after_seconds * self.fs),
            centre=centre,
            distance=max(1, round(self.distance_seconds * self.fs)),
        )


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """Figures of one epoch; all but the training loss on held-back windows.

    ``training_loss`` is the mean absolute error in standard deviations of the signals.
    """

    epoch: int
    training_loss: float
    inverse_cr: float
    normalized_loss: float
    flithos: float


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """The kernels of the best epoch, and the figures of all epochs."""

    bank: KernelBank
    best: EpochResult
    epochs: tuple[EpochResult, ...]


def train(
    records: Sequence[RecordWindows],
    config: TrainConfig,
    on_batch: Callable[[int, int], None] | None = None,
) -> TrainResult:
    """Train kernels and keep those of the epoch with the lowest mean flithos.

    Every fifth window of each record is held back: not trained on, only judged by.

    Parameters
    ----------
    on_batch : callable, optional
        Called with the number of batches done and in all.
    """
    with _repeatable():
        generator = torch.Generator().manual_seed(config.seed)
        training, held_back = _split(records)
        start = kernels_from_signals(training, config.shape, generator)
        network = SparselyActivatedNetwork(config.shape, start)
        return _train_epochs(network, training, held_back, config, generator, on_batch)


def evaluate(network: SparselyActivatedNetwork, signals: Sequence[Tensor]) -> tuple[float, ...]:
    """Give mean CR^-1, mean normalized loss and mean flithos over all windows.

    W is charged to every window, and an activation counts on each lead, as in the paper.
    """
    crs: list[float] = []
    losses: list[float] = []
    n_weights = network.shape.n_kernels * network.shape.n_taps
    with torch.no_grad():
        for batch in signals:
            output = network(batch)
            n_leads, n_samples = batch.shape[1:]
            for i, window in enumerate(batch.numpy()):
                n_activations = int(output.n_activations[i]) * n_leads
                size = n_leads * n_samples
                crs.append(inverse_compression_ratio(size, n_weights, n_activations))
                losses.append(normalized_loss(output.reconstruction[i].numpy(), window))
    return float(np.mean(crs)), float(np.mean(losses)), mean_flithos(crs, losses)


def _train_epochs(
    network: SparselyActivatedNetwork,
    training: list[Tensor],
    held_back: list[Tensor],
    config: TrainConfig,
    generator: torch.Generator,
    on_batch: Callable[[int, int], None] | None,
) -> TrainResult:
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    n_batches = sum(-(-len(signals) // config.batch_size) for signals in training)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_batches * config.n_epochs)
    epochs: list[EpochResult] = []
    best_kernels = network.kernels()
    n_done = 0
    for epoch in range(1, config.n_epochs + 1):
        loss = 0.0
        for batch in _batches(training, config.batch_size, generator):
            loss += _step(network, optimizer, batch) / n_batches
            schedule.step()
            n_done += 1
            if on_batch:
                on_batch(n_done, n_batches * config.n_epochs)
        cr, normalized, phi = evaluate(network, held_back)
        epochs.append(
            EpochResult(
                epoch=epoch,
                training_loss=loss,
                inverse_cr=cr,
                normalized_loss=normalized,
                flithos=phi,
            )
        )
        if phi <= min(result.flithos for result in epochs):
            # A copy: the parameters themselves go on changing.
            best_kernels = copy.deepcopy(network.kernels().detach())
    best = min(epochs, key=lambda result: (result.flithos, -result.epoch))
    return TrainResult(bank=_bank(best_kernels, config), best=best, epochs=tuple(epochs))


def _step(
    network: SparselyActivatedNetwork, optimizer: torch.optim.Optimizer, batch: Tensor
) -> float:
    optimizer.zero_grad()
    loss = (network(batch).reconstruction - batch).abs().mean()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def _split(records: Sequence[RecordWindows]) -> tuple[list[Tensor], list[Tensor]]:
    """Give the windows to train on and those held back, one tensor for each record."""
    training: list[Tensor] = []
    held_back: list[Tensor] = []
    for record in records:
        windows = torch.from_numpy(record.windows)
        held = torch.arange(len(windows)) % _HELD_BACK_EVERY == _HELD_BACK_EVERY - 1
        training.append(windows[~held])
        if held.any():
            held_back.append(windows[held])
    if not held_back:
        raise ConfigError(
            f"no record has {_HELD_BACK_EVERY} windows: nothing to judge the epochs by; "
            "give more or longer records, or shorter windows"
        )
    return training, held_back


def _batches(
    signals: list[Tensor], batch_size: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Give all windows in random order, each batch from one record."""
    batches = []
    for record in signals:
        order = torch.randperm(len(record), generator=generator)
        batches += [record[part] for part in order.split(batch_size)]
    for i in torch.randperm(len(batches), generator=generator):
        yield batches[i]


def _bank(kernels: Tensor, config: TrainConfig) -> KernelBank:
    taps = np.rint(kernels.numpy().astype(np.float64) * UNIT).astype(np.int16)
    return KernelBank(kernels=taps[:, None, :], centre=config.shape.centre, fs=config.fs)


@contextmanager
def _repeatable() -> Iterator[None]:
    """Run on one thread: sums split over threads round differently from run to run."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
