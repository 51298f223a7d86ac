"""One cell of protocol paper: SANs of every kernel size trained, tested, and classified on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sancodec.experiments.cells import Cell, stack_kernels
from sancodec.experiments.dataset import Dataset, Part
from sancodec.experiments.plan import Plan
from sancodec.training.applied import Applied, apply_san
from sancodec.training.classifiers import (
    ClassifierConfig,
    ClassifierResult,
    Labelled,
    train_classifier,
)
from sancodec.training.sweep import SweepConfig, SweepResult, sweep

OnStep = Callable[[int, int], None]
"""Called with how much is done and how much there is."""

_STEPS = 1_000
_SWEEP_SHARE = 0.8


@dataclass(frozen=True, kw_only=True)
class Tested:
    """Figures of one network on the test part: arrays of one value for each observation."""

    inverse_cr: NDArray[np.float64]
    normalized_loss: NDArray[np.float64]

    @property
    def flithos(self) -> NDArray[np.float64]:
        """Phi of each observation."""
        return np.hypot(self.inverse_cr, self.normalized_loss)


def sweep_cell(
    dataset: Dataset,
    activation: str,
    plan: Plan,
    checkpoint: Path | None = None,
    on_step: OnStep | None = None,
) -> Cell:
    """Train SANs of all kernel sizes with one activation function, and test them.

    Where the data set has classes, a classifier is trained on the reconstructions of each, which
    are computed once: the kernels are frozen.

    Parameters
    ----------
    checkpoint : Path, optional
        Where the half-done sweep is kept.
    """
    began = time.perf_counter()
    config = sweep_config(plan, activation)
    supervised = dataset.n_classes > 0
    share = _SWEEP_SHARE if supervised else 1.0

    def tell(fraction: float) -> None:
        if on_step:
            on_step(round(_STEPS * fraction), _STEPS)

    result = sweep(
        dataset.training.signals,
        dataset.validation.signals,
        config,
        checkpoint=checkpoint,
        on_step=lambda done, n_all: tell(share * done / n_all),
    )
    outcome = _Outcome(result=result, config=config)
    for row, kernels in enumerate(result.kernels):
        applied = apply_san(dataset.test.signals, kernels, config.san)
        weights = plan.choices.get("weights", "all")
        outcome.tested.append(figures_of(applied, kernels, weights))
        outcome.accuracies.append(
            _accuracy(dataset, kernels, applied, config, plan) if supervised else np.nan
        )
        tell(share + (1 - share) * (row + 1) / len(result.kernels))
    return _cell(dataset, plan, outcome, time.perf_counter() - began)


def sweep_config(plan: Plan, activation: str) -> SweepConfig:
    """Give the settings of the sweep that a plan asks for."""
    choices: dict[str, Any] = {name: plan.choices[name] for name in ("start", "synthesis", "keep")}
    return SweepConfig(
        activation=activation,  # type: ignore[arg-type]  # checked by the sweep
        kernel_sizes=plan.scale.kernel_sizes,
        n_kernels=plan.scale.n_kernels,
        n_epochs=plan.scale.n_epochs,
        batch_size=plan.scale.batch_size,
        border_tolerance=plan.scale.border_tolerance,
        seed=plan.seed,
        device=plan.device,  # type: ignore[arg-type]
        **choices,
    )


def figures_of(applied: Applied, kernels: NDArray[np.float32], weights: str) -> Tested:
    """Give the figures of a network, counting all of its weights or one side of each kernel.

    Parameters
    ----------
    kernels : (q, m) or (q, m, m) float32
    weights : str
        ``"all"`` counts m x m weights of a kernel in 2-D, ``"side"`` counts m.
    """
    inverse_cr = applied.inverse_cr
    if weights == "side":
        n_too_many = kernels.size - kernels.shape[0] * kernels.shape[1]
        inverse_cr = inverse_cr - n_too_many / applied.reconstruction[0].size
    return Tested(inverse_cr=inverse_cr, normalized_loss=applied.normalized_loss)


def baseline_accuracy(dataset: Dataset, plan: Plan) -> float:
    """Give the accuracy of the experiment's classifier on the data as they are, in percent.

    Choice ``baseline`` says whether the validation part counts with the test part.
    """
    found = classify(dataset, plan)
    if plan.choices["baseline"] == "test":
        return found.test_accuracy
    sizes = [len(dataset.test.signals), len(dataset.validation.signals)]
    # The released code goes on counting after the last epoch's validation, whichever it kept.
    accuracies = [found.test_accuracy, found.validation_accuracies[-1]]
    return float(np.average(accuracies, weights=sizes))


def classify(dataset: Dataset, plan: Plan) -> ClassifierResult:
    """Train the experiment's classifier on a data set as it is: signals a CNN, images a layer."""
    config = ClassifierConfig(
        kind="cnn" if dataset.n_dimensions == 1 else "linear",
        n_classes=dataset.n_classes,
        n_epochs=plan.scale.n_epochs,
        batch_size=plan.scale.batch_size,
        keep="last" if plan.choices["keep-classifier"] == "last" else "best",
        seed=plan.seed,
    )
    training, validation, test = (_labelled(part) for part in dataset.parts)
    return train_classifier(training, validation, test, config)


def with_signals(dataset: Dataset, signals: list[NDArray[np.float32]]) -> Dataset:
    """Give the data set with other signals in its three parts, of the same labels."""
    training, validation, test = (
        Part(signals=new, labels=part.labels)
        for new, part in zip(signals, dataset.parts, strict=True)
    )
    return Dataset(name=dataset.name, training=training, validation=validation, test=test)


def _accuracy(
    dataset: Dataset,
    kernels: NDArray[np.float32],
    tested: Applied,
    config: SweepConfig,
    plan: Plan,
) -> float:
    signals = [
        apply_san(part.signals, kernels, config.san).reconstruction for part in dataset.parts[:2]
    ]
    seen = with_signals(dataset, [*signals, tested.reconstruction])
    return classify(seen, plan).test_accuracy


def _labelled(part: Part) -> Labelled:
    assert part.labels is not None
    return Labelled(signals=part.signals, labels=part.labels)


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What training and testing gave, size by size."""

    result: SweepResult
    config: SweepConfig
    tested: list[Tested] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)


def _cell(dataset: Dataset, plan: Plan, outcome: _Outcome, seconds: float) -> Cell:
    result = outcome.result
    validation = result.flithos[result.kept_epoch, np.arange(len(result.kernels))]
    flithos = np.array([tested.flithos.mean() for tested in outcome.tested])
    on_test = plan.choices.get("choose-on") == "test"
    chosen = int(np.argmin(flithos if on_test else validation))
    example = apply_san(
        dataset.test.signals[:1], result.kernels[chosen], outcome.config.san, with_maps=True
    )
    maps = (example.similarity, example.activation, example.parts)
    similarity, activation, parts = (part[0] for part in maps if part is not None)
    return Cell(
        dataset=dataset.name,
        activation=outcome.config.activation,
        sizes=np.repeat(np.array(result.kernel_sizes)[:, None], plan.scale.n_kernels, axis=1),
        kernels=stack_kernels([list(kernels) for kernels in result.kernels]),
        epoch_flithos=result.flithos,
        epoch_flithos_std=result.flithos_std,
        kept_epoch=result.kept_epoch,
        validation_flithos=validation,
        inverse_cr=np.array([tested.inverse_cr.mean() for tested in outcome.tested]),
        normalized_loss=np.array([tested.normalized_loss.mean() for tested in outcome.tested]),
        flithos=flithos,
        flithos_std=np.array([tested.flithos.std() for tested in outcome.tested]),
        accuracy=np.array(outcome.accuracies),
        chosen=np.array(chosen),
        example=dataset.test.signals[0],
        example_reconstruction=example.reconstruction[0],
        example_similarity=similarity,
        example_activation=activation,
        example_parts=parts,
        seconds=np.array(seconds),
    )
