"""The supervised classifiers of the paper (section IV-B and IV-C), trained on fixed inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sancodec.errors import ConfigError

ClassifierName = Literal["cnn", "linear"]
_N_PREDICTED_AT_ONCE = 2_048


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig:
    """How a classifier is trained, by Adam on the cross-entropy.

    Attributes
    ----------
    kind : str
        ``"cnn"``, for signals of 178 samples, or ``"linear"``, one fully connected layer.
    n_classes, n_epochs, batch_size : int
    learning_rate : float
    keep : str
        ``"best"``: the epoch of the highest accuracy on the validation part; ``"last"``.
    seed : int
    """

    kind: ClassifierName
    n_classes: int
    n_epochs: int = 5
    batch_size: int = 64
    learning_rate: float = 0.01
    keep: Literal["best", "last"] = "best"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("cnn", "linear"):
            raise ConfigError(f"classifier: {self.kind!r}, expected cnn or linear")
        if self.keep not in ("best", "last"):
            raise ConfigError(f"keep: {self.keep!r}, expected best or last")
        if self.n_classes < 2:
            raise ConfigError(f"classes: {self.n_classes}, expected at least 2")
        if min(self.n_epochs, self.batch_size) < 1:
            raise ConfigError("epochs, batch: expected at least 1")
        if self.seed < 0:
            raise ConfigError(f"seed: {self.seed}, expected 0 or more")


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Observations and their classes.

    Attributes
    ----------
    signals : (n, n_samples) or (n, n_rows, n_columns) float32
    labels : (n,) int64
        From 0.
    """

    signals: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ClassifierResult:
    """How well a classifier did.

    Attributes
    ----------
    validation_accuracies : tuple of float
        Of each epoch, in percent.
    kept_epoch : int
        From 0.
    test_accuracy : float
        Of the kept epoch, in percent.
    """

    validation_accuracies: tuple[float, ...]
    kept_epoch: int
    test_accuracy: float


class SignalCnn(nn.Module):
    """Two convolutions, each with ReLU and pooling, and three fully connected layers."""

    def __init__(self, n_samples: int, n_classes: int) -> None:
        super().__init__()
        n_features = 16 * (((n_samples - 4) // 2 - 4) // 2)
        if n_features < 1:
            raise ConfigError(f"cnn: signals of {n_samples} samples, expected at least 16")
        self.layers = nn.Sequential(
            nn.Conv1d(1, 3, 5),
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.Conv1d(3, 16, 5),
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.Flatten(),
            nn.Linear(n_features, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, n_classes),
        )

    def forward(self, signals: Tensor) -> Tensor:
        """Give the (n, n_classes) scores of (n, n_samples) signals."""
        scores: Tensor = self.layers(signals[:, None])
        return scores


class OneLayer(nn.Module):
    """One fully connected layer over all samples."""

    def __init__(self, n_values: int, n_classes: int) -> None:
        super().__init__()
        self.layer = nn.Linear(n_values, n_classes)

    def forward(self, signals: Tensor) -> Tensor:
        """Give the (n, n_classes) scores of (n, ...) signals or images."""
        scores: Tensor = self.layer(signals.flatten(1))
        return scores


def train_classifier(
    training: Labelled,
    validation: Labelled,
    test: Labelled,
    config: ClassifierConfig,
    on_epoch: Callable[[int, int], None] | None = None,
) -> ClassifierResult:
    """Train a classifier and test that of the kept epoch; the same seed gives the same figures.

    Parameters
    ----------
    on_epoch : callable, optional
        Called with the number of epochs done and in all.

    Raises
    ------
    ConfigError
        The signals do not fit the classifier.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums split over threads round differently from run to run
    try:
        return _train(training, validation, test, config, on_epoch)
    finally:
        torch.set_num_threads(n_threads)


def _train(
    training: Labelled,
    validation: Labelled,
    test: Labelled,
    config: ClassifierConfig,
    on_epoch: Callable[[int, int], None] | None,
) -> ClassifierResult:
    generator = torch.Generator().manual_seed(config.seed)
    model = _make(training.signals, config)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    signals, labels = torch.from_numpy(training.signals), torch.from_numpy(training.labels)
    accuracies: list[float] = []
    kept, kept_state = 0, model.state_dict()
    for epoch in range(config.n_epochs):
        order = torch.randperm(len(signals), generator=generator)
        for rows in torch.split(order, config.batch_size):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(signals[rows]), labels[rows])
            torch.autograd.backward(loss)
            optimizer.step()
        accuracies.append(_accuracy(model, validation))
        if config.keep == "last" or accuracies[epoch] > max(accuracies[:-1], default=-1.0):
            # Copies: the parameters themselves go on changing.
            kept, kept_state = epoch, {k: v.clone() for k, v in model.state_dict().items()}
        if on_epoch:
            on_epoch(epoch + 1, config.n_epochs)
    model.load_state_dict(kept_state)
    return ClassifierResult(
        validation_accuracies=tuple(accuracies),
        kept_epoch=kept,
        test_accuracy=_accuracy(model, test),
    )


def _make(signals: NDArray[np.float32], config: ClassifierConfig) -> nn.Module:
    """Build the classifier with torch's first weights, without touching its global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if config.kind == "linear":
            return OneLayer(signals[0].size, config.n_classes)
        if signals.ndim != 2:
            raise ConfigError(f"cnn: {signals.ndim - 1}-D observations, expected signals")
        return SignalCnn(signals.shape[1], config.n_classes)


def _accuracy(model: nn.Module, part: Labelled) -> float:
    n_right = 0
    with torch.inference_mode():
        for first in range(0, len(part.signals), _N_PREDICTED_AT_ONCE):
            rows = slice(first, first + _N_PREDICTED_AT_ONCE)
            predicted = model(torch.from_numpy(part.signals[rows])).argmax(1).numpy()
            n_right += int(np.count_nonzero(predicted == part.labels[rows]))
    return 100.0 * n_right / len(part.signals)
