"""The supervised classifiers: they learn, they repeat, and the kept epoch is really kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from sancodec.errors import ConfigError
from sancodec.training.classifiers import (
    ClassifierConfig,
    Labelled,
    OneLayer,
    SignalCnn,
    train_classifier,
)


def _signals(n: int, seed: int) -> Labelled:
    """Give waves of three frequencies, one for each class."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, n)
    phase = generator.uniform(0, 6, (n, 1))
    waves = np.sin(np.arange(178) * (labels[:, None] + 1) / 9 + phase)
    noise = generator.normal(0, 0.1, waves.shape)
    return Labelled(signals=(waves + noise).astype(np.float32), labels=labels.astype(np.int64))


def _images(n: int, seed: int) -> Labelled:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 10, n)
    pictures = generator.uniform(0, 0.3, (n, 28, 28))
    pictures[np.arange(n), labels + 5] = 1
    return Labelled(signals=pictures.astype(np.float32), labels=labels.astype(np.int64))


def _config(**settings: Any) -> ClassifierConfig:
    return ClassifierConfig(**{"kind": "cnn", "n_classes": 3, **settings})


def test_the_networks_are_those_of_the_paper() -> None:
    cnn = SignalCnn(178, 3)
    shapes = [tuple(weights.shape) for weights in cnn.parameters()]
    assert shapes[::2] == [(3, 1, 5), (16, 3, 5), (120, 656), (84, 120), (3, 84)]
    assert tuple(OneLayer(784, 10).layer.weight.shape) == (10, 784)


def test_the_cnn_tells_frequencies_apart() -> None:
    parts = [_signals(n, seed) for seed, n in enumerate((900, 200, 200))]
    result = train_classifier(*parts, _config())
    assert result.test_accuracy > 90
    assert len(result.validation_accuracies) == 5


def test_one_layer_tells_places_apart() -> None:
    parts = [_images(n, seed) for seed, n in enumerate((900, 200, 200))]
    result = train_classifier(*parts, _config(kind="linear", n_classes=10))
    assert result.test_accuracy > 95


def test_the_same_seed_gives_the_same_figures_and_leaves_torchs_chance_alone() -> None:
    parts = [_signals(n, seed) for seed, n in enumerate((300, 100, 100))]
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = train_classifier(*parts, _config(seed=1, n_epochs=2))
    assert torch.equal(torch.rand(1), expected)
    assert train_classifier(*parts, _config(seed=1, n_epochs=2)) == first
    others = [train_classifier(*parts, _config(seed=seed, n_epochs=2)) for seed in (2, 3)]
    assert any(other != first for other in others)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_kept_epoch_is_tested_and_not_what_its_parameters_became(keep: str) -> None:
    # Labels by chance: what an epoch gains the next one loses.
    training, validation = (_signals(n, seed) for seed, n in enumerate((200, 150)))
    labels = np.random.default_rng(7).integers(0, 3, 200)
    training = Labelled(signals=training.signals, labels=labels)
    config = _config(keep=keep, n_epochs=8, batch_size=20)
    result = train_classifier(training, validation, validation, config)
    accuracies = result.validation_accuracies
    assert max(accuracies) > accuracies[-1]
    # Tested on the validation part, so that the accuracy is the one that was seen there.
    assert result.test_accuracy == accuracies[result.kept_epoch]
    assert result.test_accuracy == (max(accuracies) if keep == "best" else accuracies[-1])


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"kind": "forest"}, "classifier"),
        ({"keep": "first"}, "keep"),
        ({"n_classes": 1}, "classes"),
        ({"n_epochs": 0}, "epochs"),
        ({"batch_size": 0}, "epochs, batch"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        _config(**settings)


def test_signals_that_do_not_fit_the_cnn_are_refused() -> None:
    images = _images(20, 0)
    with pytest.raises(ConfigError, match="expected signals"):
        train_classifier(images, images, images, _config(n_classes=10))
    short = Labelled(signals=np.zeros((4, 12), np.float32), labels=np.zeros(4, np.int64))
    with pytest.raises(ConfigError, match="at least 16"):
        train_classifier(short, short, short, _config())
