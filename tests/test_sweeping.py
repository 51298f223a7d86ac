"""Cells of protocol paper: each choice does what its name says, and the figures are those of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from experiment_data import beats

from sancodec.experiments.dataset import Dataset, Part
from sancodec.experiments.physionet import WindowChoice, cut_windows
from sancodec.experiments.plan import Plan, Scale
from sancodec.experiments.sweeping import (
    baseline_accuracy,
    classify,
    figures_of,
    sweep_cell,
    sweep_config,
)
from sancodec.metrics import inverse_compression_ratio, mean_flithos, normalized_loss
from sancodec.training.applied import apply_san


def _signals() -> Dataset:
    signal = beats(12_000).astype(np.float64) + np.random.default_rng(8).normal(0, 40, 12_000)
    windows = cut_windows("generated", signal, WindowChoice())
    training, validation, test = (Part(signals=part) for part in np.split(windows, [6, 8]))
    return Dataset(name="mitdb", training=training, validation=validation, test=test)


def _images(n: int = 120) -> Dataset:
    generator = np.random.default_rng(2)
    parts = []
    for _ in range(3):
        labels = generator.integers(0, 3, n)
        pictures = generator.uniform(0, 0.2, (n, 9, 9)).astype(np.float32)
        pictures[np.arange(n), 2 * labels + 1] += 0.5
        parts.append(Part(signals=pictures, labels=labels))
    return Dataset(name="mnist", training=parts[0], validation=parts[1], test=parts[2])


def _plan(experiment: str, sizes: tuple[int, ...], **given: str) -> Plan:
    scale = Scale(
        kernel_sizes=sizes,
        n_kernels=1 if experiment == "physionet" else 2,
        n_epochs=3,
        batch_size=2 if experiment == "physionet" else 32,
        border_tolerance=2,
    )
    choices = {name.replace("_", "-"): value for name, value in given.items()}
    return Plan(experiment=experiment, scale=scale, given=choices, device="cpu")


def test_the_figures_are_those_of_the_definitions() -> None:
    dataset, plan = _signals(), _plan("physionet", (9,))
    cell = sweep_cell(dataset, "extrema", plan)
    applied = apply_san(
        dataset.test.signals, cell.kernels_of(0), sweep_config(plan, "extrema").san, with_maps=True
    )
    assert applied.activation is not None
    ratios = [
        inverse_compression_ratio(1_000, 9, int(np.count_nonzero(maps)))
        for maps in applied.activation
    ]
    losses = [
        normalized_loss(*pair)
        for pair in zip(applied.reconstruction, dataset.test.signals, strict=True)
    ]
    assert cell.inverse_cr[0] == pytest.approx(np.mean(ratios))
    assert cell.normalized_loss[0] == pytest.approx(np.mean(losses), rel=1e-6)
    assert cell.flithos[0] == pytest.approx(mean_flithos(ratios, losses), rel=1e-6)


def test_the_size_is_chosen_on_the_part_that_the_choice_names() -> None:
    dataset = _signals()
    # Noise to test with: long kernels do nothing for it.
    windows = np.random.default_rng(1).normal(0, 1, (4, 1_000)).astype(np.float32)
    other = Dataset(
        name="mitdb",
        training=dataset.training,
        validation=dataset.validation,
        test=Part(signals=windows),
    )
    sizes = (2, 5, 60)
    cells = {
        part: sweep_cell(other, "relu", _plan("physionet", sizes, choose_on=part))
        for part in ("validation", "test")
    }
    by_validation = int(np.argmin(cells["validation"].validation_flithos))
    by_test = int(np.argmin(cells["test"].flithos))
    assert by_validation != by_test, "the data do not tell the choices apart"
    assert int(cells["validation"].chosen) == by_validation
    assert int(cells["test"].chosen) == by_test


def test_the_last_or_the_best_epoch_is_kept() -> None:
    dataset = _signals()
    last = sweep_cell(dataset, "extrema", _plan("physionet", (3, 30), keep="last"))
    assert last.kept_epoch.tolist() == [2, 2]
    best = sweep_cell(dataset, "extrema", _plan("physionet", (3, 30), keep="best"))
    np.testing.assert_array_equal(best.kept_epoch, best.epoch_flithos.argmin(axis=0))
    np.testing.assert_array_equal(best.validation_flithos, best.epoch_flithos.min(axis=0))


@pytest.mark.parametrize(("weights", "n_weights"), [("all", 2 * 9), ("side", 2 * 3)])
def test_weights_are_counted_as_the_choice_says(weights: str, n_weights: int) -> None:
    dataset, plan = _images(8), _plan("mnist", (3,))
    kernels = np.random.default_rng(1).normal(0, 0.1, (2, 3, 3)).astype(np.float32)
    applied = apply_san(dataset.test.signals, kernels, sweep_config(plan, "relu").san)
    figures = figures_of(applied, kernels, weights)
    expected = (n_weights + 3 * applied.n_activations) / 81
    np.testing.assert_allclose(figures.inverse_cr, expected)
    np.testing.assert_allclose(
        figures.flithos, np.hypot(expected, applied.normalized_loss), rtol=1e-6
    )


def test_the_baseline_counts_the_parts_that_the_choice_names() -> None:
    dataset = _images()
    plans = {part: _plan("mnist", (3,), baseline=part) for part in ("test", "pooled")}
    found = classify(dataset, plans["test"])
    assert baseline_accuracy(dataset, plans["test"]) == found.test_accuracy
    pooled = (found.test_accuracy + found.validation_accuracies[-1]) / 2
    assert baseline_accuracy(dataset, plans["pooled"]) == pytest.approx(pooled)


def test_classifiers_see_the_reconstructions_and_not_the_originals() -> None:
    # Identity with one kernel of one weight gives the images back; dead ReLUs give nothing.
    dataset = _images(900)
    dark = Dataset(
        name="mnist",
        **{
            name: Part(signals=-part.signals, labels=part.labels)
            for name, part in zip(("training", "validation", "test"), dataset.parts, strict=True)
        },
    )
    cells: dict[str, Any] = {
        activation: sweep_cell(dark, activation, _plan("mnist", (1, 2), start="constant"))
        for activation in ("identity", "relu")
    }
    assert cells["identity"].accuracy[0] > 90
    assert (cells["relu"].inverse_cr < 0.1).all(), "not dead"
    assert (cells["relu"].accuracy < 60).all()
