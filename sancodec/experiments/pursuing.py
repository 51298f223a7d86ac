"""One cell of protocol sancodec: kernels learned for pursuit encoding, tested and classified on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sancodec.experiments.cells import Cell, stack_kernels
from sancodec.experiments.dataset import Dataset
from sancodec.experiments.plan import PURSUIT, Plan
from sancodec.experiments.sweeping import OnStep, classify, with_signals
from sancodec.parallel import jobs_of, map_in_order
from sancodec.training.applied import apply_san
from sancodec.training.pursuit import (
    EncodeConfig,
    Encoding,
    LearnConfig,
    Learned,
    activation_maps,
    encode,
    learn,
    reconstruct,
)
from sancodec.training.san import SanConfig

# Of signals the search goes on for longer; of 70,000 images that would take hours.
_SWEEPS = {1: 4, 2: 1}
_AT_ONCE = 250
_QUICK_STARTS = 4
_STEPS = 1_000
_LEARNING_SHARE = 0.3

Kernels = Sequence[NDArray[np.float64]]


def pursuit_cell(dataset: Dataset, plan: Plan, on_step: OnStep | None = None) -> Cell:
    """Learn kernels for pursuit encoding, encode the test part, and classify reconstructions.

    On PhysioNet number and sizes of the kernels are chosen, none above the largest of the plan;
    elsewhere each size of the plan has its own kernels. Test data decide nothing.
    """
    began = time.perf_counter()
    outcome = _Outcome()
    searches = _searches(plan)
    for number, config in enumerate(searches):

        def tell(fraction: float, number: int = number) -> None:
            if on_step:
                on_step(round(_STEPS * (number + fraction)), _STEPS * len(searches))

        learned = learn(dataset.training.signals, dataset.validation.signals, config)
        tell(_LEARNING_SHARE)
        sizes = [len(part.signals) for part in dataset.parts]
        wanted = [0, 1, 2] if dataset.n_classes else [2]
        n_all, n_done = sum(sizes[i] for i in wanted), 0
        encoded: dict[int, Encoded] = {}
        for i in wanted:
            encoded[i] = Encoded()
            for piece in _encode(dataset.parts[i].signals, learned.kernels):
                encoded[i].add(piece)
                n_done += len(piece.flithos)
                tell(_LEARNING_SHARE + (1 - _LEARNING_SHARE) * n_done / n_all)
        outcome.learned.append(learned)
        outcome.tested.append(encoded[2])
        outcome.accuracies.append(_accuracy(dataset, plan, encoded))
    return _cell(dataset, outcome, time.perf_counter() - began)


@dataclass(kw_only=True)
class Encoded:
    """Encodings of a part, piece by piece; of each only what is needed later."""

    reconstructions: list[NDArray[np.float32]] = field(default_factory=list)
    inverse_cr: list[NDArray[np.float64]] = field(default_factory=list)
    normalized_loss: list[NDArray[np.float64]] = field(default_factory=list)
    flithos: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, piece: Encoding) -> None:
        """Take the next piece."""
        self.reconstructions.append(piece.reconstruction.astype(np.float32))
        self.inverse_cr.append(piece.inverse_cr)
        self.normalized_loss.append(piece.normalized_loss)
        self.flithos.append(piece.flithos)


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What learning and testing gave, size by size."""

    learned: list[Learned] = field(default_factory=list)
    tested: list[Encoded] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)


def _searches(plan: Plan) -> list[LearnConfig]:
    scale = plan.scale
    quick: dict[str, Any] = {} if scale.n_observations is None else {"n_starts": _QUICK_STARTS}
    if plan.experiment == "physionet":
        return [LearnConfig(max_size=max(scale.kernel_sizes), seed=plan.seed, **quick)]
    return [
        LearnConfig(sizes=(size,) * scale.n_kernels, seed=plan.seed, **quick)
        for size in scale.kernel_sizes
    ]


def _encode(signals: NDArray[np.float32], kernels: Kernels) -> Iterator[Encoding]:
    """Give the encodings of signals, some at a time, in order, on a thread for each processor."""
    config = EncodeConfig(n_sweeps=_SWEEPS[signals.ndim - 1])
    pieces = (signals[first : first + _AT_ONCE] for first in range(0, len(signals), _AT_ONCE))
    return map_in_order(lambda piece: encode(piece, kernels, config), pieces, jobs_of(None))


def _accuracy(dataset: Dataset, plan: Plan, encoded: dict[int, Encoded]) -> float:
    if not dataset.n_classes:
        return float("nan")
    signals = [np.concatenate(encoded[i].reconstructions) for i in range(3)]
    return classify(with_signals(dataset, signals), plan).test_accuracy


def _cell(dataset: Dataset, outcome: _Outcome, seconds: float) -> Cell:
    learned, tested = outcome.learned, outcome.tested
    validation = np.array([of.history[of.best].validation_flithos for of in learned])
    chosen = int(np.argmin(validation))
    histories = [[step.validation_flithos for step in of.history] for of in learned]
    longest = max(map(len, histories))
    curves = [np.pad(history, (0, longest - len(history)), mode="edge") for history in histories]
    flithos = [np.concatenate(of.flithos) for of in tested]
    return Cell(
        dataset=dataset.name,
        activation=PURSUIT,
        sizes=np.array([[len(kernel) for kernel in of.kernels] for of in learned]),
        kernels=stack_kernels(
            [[kernel.astype(np.float32) for kernel in of.kernels] for of in learned]
        ),
        epoch_flithos=np.array(curves).T,
        epoch_flithos_std=np.full((longest, len(learned)), np.nan),
        kept_epoch=np.array([of.best for of in learned]),
        validation_flithos=validation,
        inverse_cr=np.array([np.concatenate(of.inverse_cr).mean() for of in tested]),
        normalized_loss=np.array([np.concatenate(of.normalized_loss).mean() for of in tested]),
        flithos=np.array([phi.mean() for phi in flithos]),
        flithos_std=np.array([phi.std() for phi in flithos]),
        accuracy=np.array(outcome.accuracies),
        chosen=np.array(chosen),
        seconds=np.array(seconds),
        **_example(dataset.test.signals[:1], learned[chosen].kernels),
    )


def _example(signal: NDArray[np.float32], kernels: Kernels) -> dict[str, NDArray[np.float32]]:
    """Give the maps of one observation, as the fields of a cell are called."""
    encoding = encode(signal, kernels, EncodeConfig(n_sweeps=_SWEEPS[signal.ndim - 1]))
    maps = activation_maps(encoding.activations, len(kernels), signal.shape)[0]
    parts = [
        reconstruct(
            encoding.activations.where(encoding.activations.kernel == i), kernels, signal.shape
        )[0]
        for i in range(len(kernels))
    ]
    config = SanConfig(activation="identity", synthesis="matched")
    narrow = [kernel.astype(np.float32) for kernel in kernels]
    similarity = apply_san(signal, narrow, config, with_maps=True).similarity
    assert similarity is not None
    return {
        "example": signal[0],
        "example_reconstruction": encoding.reconstruction[0].astype(np.float32),
        "example_similarity": similarity[0],
        "example_activation": maps.astype(np.float32),
        "example_parts": np.stack(parts).astype(np.float32),
    }
