"""Training of a SAN: from the windows of many records to the integer kernels of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

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
    n_starts: int = 6
    learning_rate: float = 0.02
    batch_size: int = 10

    def __post_init__(self) -> None:
        if not 1 <= self.n_kernels <= MAX_KERNELS:
            raise ConfigError(f"kernels: {self.n_kernels}, expected 1 to {MAX_KERNELS}")
        if self.n_epochs < 1:
            raise ConfigError(f"epochs: {self.n_epochs}, expected at least 1")
        if self.n_starts < 1:
            raise ConfigError(f"starts: {self.n_starts}, expected at least 1")
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

    Every fifth window of each record is held back: not trained on, only judged by. Of
    ``n_starts`` sets of kernels to start from, each trained for one epoch, the best goes on:
    training ends in one of a few places, and some are much worse than others.

    Parameters
    ----------
    on_batch : callable, optional
        Called with the number of batches done and in all.
    """
    with _repeatable():
        trainer = _Trainer(records, config, on_batch)
        network = trainer.choose_start()
        epochs, kernels = trainer.run(network, config.n_epochs)
    best = min(epochs, key=lambda epoch: epoch.flithos)
    return TrainResult(bank=_bank(kernels, config), best=best, epochs=tuple(epochs))


def evaluate(
    network: SparselyActivatedNetwork, signals: Sequence[Tensor]
) -> tuple[float, float, float]:
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


class _Trainer:
    """What all epochs of one training share: the signals, the chance, the progress."""

    def __init__(
        self,
        records: Sequence[RecordWindows],
        config: TrainConfig,
        on_batch: Callable[[int, int], None] | None,
    ) -> None:
        self.config = config
        self.training, self.held_back = _split(records)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.n_batches = sum(-(-len(windows) // config.batch_size) for windows in self.training)
        self._on_batch = on_batch
        self._n_done = 0

    def choose_start(self) -> SparselyActivatedNetwork:
        """Give the network that is best after one epoch, of ``n_starts``."""
        trials: list[tuple[float, SparselyActivatedNetwork]] = []
        for _ in range(self.config.n_starts):
            start = kernels_from_signals(self.training, self.config.shape, self.generator)
            network = SparselyActivatedNetwork(self.config.shape, start)
            epochs, _ = self.run(network, 1)
            trials.append((epochs[0].flithos, network))
        return min(trials, key=lambda trial: trial[0])[1]

    def run(
        self, network: SparselyActivatedNetwork, n_epochs: int
    ) -> tuple[list[EpochResult], Tensor]:
        """Train for some epochs; give their figures, and the kernels of the best of them."""
        optimizer = torch.optim.Adam(network.parameters(), lr=self.config.learning_rate)
        schedule = CosineAnnealingLR(optimizer, self.n_batches * n_epochs)
        epochs: list[EpochResult] = []
        best_kernels = network.kernels()
        for epoch in range(1, n_epochs + 1):
            losses = []
            for batch in _batches(self.training, self.config.batch_size, self.generator):
                losses.append(_step(network, optimizer, batch))
                schedule.step()
                self._tell()
            epochs.append(_judge(network, self.held_back, epoch, float(np.mean(losses))))
            if epochs[-1].flithos < min((e.flithos for e in epochs[:-1]), default=np.inf):
                # A copy: the parameters themselves go on changing.
                best_kernels = network.kernels().detach().clone()
        return epochs, best_kernels

    def _tell(self) -> None:
        self._n_done += 1
        if self._on_batch:
            n_epochs = self.config.n_starts + self.config.n_epochs
            self._on_batch(self._n_done, self.n_batches * n_epochs)


def _judge(
    network: SparselyActivatedNetwork, signals: Sequence[Tensor], epoch: int, loss: float
) -> EpochResult:
    inverse_cr, normalized, phi = evaluate(network, signals)
    return EpochResult(
        epoch=epoch,
        training_loss=loss,
        inverse_cr=inverse_cr,
        normalized_loss=normalized,
        flithos=phi,
    )


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
        parts = range(0, len(record), batch_size)
        batches += [record[order[start : start + batch_size]] for start in parts]
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
