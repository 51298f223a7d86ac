import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sequential import ecg_like

from sancodec.errors import ConfigError, OutputError
from sancodec.training import sweep as module
from sancodec.training.applied import apply_san
from sancodec.training.checkpoint import Checkpoint
from sancodec.training.san import ACTIVATIONS
from sancodec.training.sweep import SweepConfig, SweepResult, sweep

Signals = NDArray[np.float32]


def ecg(n: int, n_samples: int = 240, first_seed: int = 0) -> Signals:
    signals = np.stack([ecg_like(n_samples, first_seed + i) for i in range(n)])
    centred = signals - signals.mean(axis=1, keepdims=True)
    return (centred / signals.std(axis=1, keepdims=True)).astype(np.float32)


def images(n: int) -> Signals:
    rng = np.random.default_rng(4)
    blots = np.zeros((n, 12, 12), np.float32)
    for image in blots:
        row, column = rng.integers(2, 9, 2)
        image[row : row + 3, column : column + 3] = rng.uniform(0.3, 1, (3, 3))
    return blots


TRAINING, VALIDATION = ecg(6), ecg(2, first_seed=50)


def config(**changes: Any) -> SweepConfig:
    fields = {"activation": "extrema", "kernel_sizes": (1, 8, 30), "n_epochs": 4, "device": "cpu"}
    return SweepConfig(**{**fields, **changes})


def assert_same(ours: SweepResult, theirs: SweepResult) -> None:
    for name in ("flithos", "flithos_std", "inverse_cr", "normalized_loss", "training_loss"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    np.testing.assert_array_equal(ours.kept_epoch, theirs.kept_epoch)
    for one, other in zip(ours.kernels, theirs.kernels, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("n_together", [2, 64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_each_size_trains_as_if_it_were_alone(
    activation: str, n_together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SIZES_TOGETHER", n_together)
    together = sweep(TRAINING, VALIDATION, config(activation=activation, n_kernels=2))
    for i, size in enumerate(together.kernel_sizes):
        alone = config(activation=activation, n_kernels=2, kernel_sizes=(size,))
        result = sweep(TRAINING, VALIDATION, alone)
        np.testing.assert_allclose(together.kernels[i], result.kernels[0], atol=1e-4)
        np.testing.assert_allclose(together.flithos[:, i], result.flithos[:, 0], atol=1e-3)
        np.testing.assert_allclose(
            together.training_loss[:, i], result.training_loss[:, 0], rtol=1e-4
        )


@pytest.mark.parametrize("loss", ["mae", "mse"])
def test_it_is_adam_on_the_loss_of_the_paper(loss: str) -> None:
    # The same in a few lines of plain torch, for Identity and one kernel.
    settings = config(
        activation="identity", kernel_sizes=(5,), batch_size=6, n_epochs=5, loss=loss, keep="last"
    )
    result = sweep(TRAINING, VALIDATION, settings)
    first = sweep(TRAINING, VALIDATION, dataclasses.replace(settings, learning_rate=1e-30))
    kernel = torch.from_numpy(first.kernels[0])[:, None].clone().requires_grad_()
    adam = torch.optim.Adam([kernel], lr=0.01)
    signals = torch.from_numpy(TRAINING)[:, None]
    losses = []
    for _ in range(5):
        adam.zero_grad()
        similarity = torch.nn.functional.conv1d(signals, kernel, padding=2)
        error = torch.nn.functional.conv1d(similarity, kernel, padding=2) - signals
        value = error.abs().mean() if loss == "mae" else error.square().mean()
        value.backward()
        adam.step()
        losses.append(float(value.detach()))
    np.testing.assert_allclose(result.training_loss[:, 0], losses, rtol=1e-4)
    np.testing.assert_allclose(result.kernels[0], kernel.detach()[:, 0].numpy(), atol=1e-4)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_images_are_trained_too_and_get_better(activation: str) -> None:
    settings = config(
        activation=activation, kernel_sizes=(2, 3), n_kernels=2, batch_size=8, border_tolerance=2
    )
    result = sweep(images(40), images(10), settings)
    assert [kernels.shape for kernels in result.kernels] == [(2, 2, 2), (2, 3, 3)]
    assert (result.training_loss[-1] < result.training_loss[0]).all()


def test_the_figures_are_those_of_the_kept_kernels() -> None:
    result = sweep(TRAINING, VALIDATION, config(n_epochs=6))
    for i, kernels in enumerate(result.kernels):
        found = apply_san(VALIDATION, kernels, config().san)
        row = result.kept_epoch[i]
        assert row == result.flithos[:, i].argmin()
        assert result.flithos[row, i] == pytest.approx(found.flithos.mean(), rel=1e-6)
        assert result.flithos_std[row, i] == pytest.approx(found.flithos.std(), abs=1e-6)
        assert result.inverse_cr[row, i] == pytest.approx(found.inverse_cr.mean(), rel=1e-6)
        loss = found.normalized_loss.mean()
        assert result.normalized_loss[row, i] == pytest.approx(loss, rel=1e-6)


def test_the_best_epoch_is_a_copy_that_later_ones_do_not_change() -> None:
    # A rate at which training diverges: what comes first is best.
    best = sweep(TRAINING, VALIDATION, config(learning_rate=3.0, n_epochs=5))
    last = sweep(TRAINING, VALIDATION, config(learning_rate=3.0, n_epochs=5, keep="last"))
    np.testing.assert_array_equal(best.flithos, last.flithos)
    np.testing.assert_array_equal(last.kept_epoch, [4, 4, 4])
    early = best.kept_epoch < 4
    assert early.any()
    for i in np.flatnonzero(early):
        assert not np.array_equal(best.kernels[i], last.kernels[i])


def test_an_epoch_that_diverged_is_never_the_best() -> None:
    # The first step overflows; so does every figure from there on.
    settings = config(activation="identity", learning_rate=1e30, batch_size=6)
    result = sweep(TRAINING, VALIDATION, settings)
    assert not np.isfinite(result.flithos).any()
    np.testing.assert_array_equal(result.kept_epoch, [0, 0, 0])
    rates = SweepConfig(**{**vars(config(n_epochs=8)), "learning_rate": 20.0})
    found = sweep(TRAINING, VALIDATION, rates)
    for i, row in enumerate(found.kept_epoch):
        assert found.flithos[row, i] == np.nanmin(found.flithos[:, i])


def test_the_seed_decides_the_kernels() -> None:
    one = sweep(TRAINING, VALIDATION, config(seed=3))
    assert_same(one, sweep(TRAINING, VALIDATION, config(seed=3)))
    other = sweep(TRAINING, VALIDATION, config(seed=4))
    assert not np.array_equal(one.kernels[1], other.kernels[1])


def test_the_number_of_threads_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SIZES_TOGETHER", 2)
    before = torch.get_num_threads()
    results = []
    try:
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            results.append(sweep(TRAINING, VALIDATION, config(n_kernels=2)))
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    assert_same(*results)


def test_the_constant_start_is_the_same_for_all_seeds_but_the_order_is_not() -> None:
    first = {"start": "constant", "learning_rate": 1e-30, "n_epochs": 1}
    result = sweep(TRAINING, VALIDATION, config(**first))
    for kernels in result.kernels:
        np.testing.assert_array_equal(kernels, np.full(kernels.shape, np.float32(0.1)))


def test_the_normal_start_has_a_deviation_of_a_tenth() -> None:
    first = {"learning_rate": 1e-30, "n_epochs": 1, "kernel_sizes": (200,), "n_kernels": 20}
    kernels = sweep(TRAINING, VALIDATION, config(**first)).kernels[0]
    assert kernels.std() == pytest.approx(0.1, rel=0.05)
    assert abs(kernels.mean()) < 0.01


class _Stopped(Exception):  # noqa: N818
    pass


def _interrupt_after(n_batches: int) -> Any:
    def on_step(n_done: int, _: int) -> None:
        if n_done > n_batches:
            raise _Stopped

    return on_step


@pytest.mark.parametrize("patience", [None, 1])
@pytest.mark.parametrize("n_epochs_before", [0, 1, 3])
def test_resuming_gives_bit_for_bit_what_an_undisturbed_run_gives(
    n_epochs_before: int, patience: int | None, tmp_path: Path
) -> None:
    settings = config(n_epochs=6, patience=patience, kernel_sizes=(1, 2, 8, 20, 30, 45))
    undisturbed = sweep(TRAINING, VALIDATION, settings)
    path = tmp_path / "sweep.pt"
    stop = _interrupt_after(3 * n_epochs_before + 1)
    with pytest.raises(_Stopped):
        sweep(TRAINING, VALIDATION, settings, checkpoint=path, on_step=stop)
    assert path.exists() == (n_epochs_before > 0)
    assert_same(sweep(TRAINING, VALIDATION, settings, checkpoint=path), undisturbed)
    # Once more: all is done, and nothing is trained again.
    finished = sweep(TRAINING, VALIDATION, settings, checkpoint=path, on_step=_interrupt_after(0))
    assert_same(finished, undisturbed)
    assert [entry.name for entry in tmp_path.iterdir()] == ["sweep.pt"]


def test_a_size_that_gets_no_better_stops_alone() -> None:
    settings = config(n_epochs=25, learning_rate=0.05, kernel_sizes=(1, 8, 30, 45))
    whole = sweep(TRAINING, VALIDATION, settings)
    result = sweep(TRAINING, VALIDATION, dataclasses.replace(settings, patience=2))
    n_epochs = np.isfinite(result.flithos).sum(axis=0)
    assert len(set(n_epochs.tolist())) > 1
    for i, n in enumerate(n_epochs):
        assert n == 25 or result.kept_epoch[i] == n - 3
        assert np.isnan(result.training_loss[n:, i]).all()
        np.testing.assert_allclose(result.flithos[:n, i], whole.flithos[:n, i], atol=0.02)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sweep.pt"
    sweep(TRAINING, VALIDATION, config(n_epochs=1), checkpoint=path)
    with pytest.raises(ConfigError, match="other settings"):
        sweep(TRAINING, VALIDATION, config(n_epochs=1, seed=1), checkpoint=path)
    with pytest.raises(ConfigError, match="other settings"):
        sweep(TRAINING[:5], VALIDATION, config(n_epochs=1), checkpoint=path)
    with pytest.raises(ConfigError, match="other settings"):
        sweep(TRAINING, VALIDATION + 1, config(n_epochs=1), checkpoint=path)


def test_a_damaged_checkpoint_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sweep.pt"
    sweep(TRAINING, VALIDATION, config(n_epochs=1), checkpoint=path)
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:30], whole[: len(whole) // 2], whole[:-1], whole + b"0"):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"damaged|not a checkpoint"):
            sweep(TRAINING, VALIDATION, config(n_epochs=1), checkpoint=path)
    path.unlink()
    Checkpoint(path, {}).keep("sweep", {"code": Path("code")})
    with pytest.raises(ConfigError, match="something else than a training"):
        sweep(TRAINING, VALIDATION, config(n_epochs=1), checkpoint=path)
    with pytest.raises(OutputError, match="cannot be written"):
        sweep(TRAINING, VALIDATION, config(n_epochs=1), checkpoint=tmp_path / "no" / "sweep.pt")
    with pytest.raises(ConfigError, match="cannot be read"):
        sweep(TRAINING, VALIDATION, config(n_epochs=1), checkpoint=tmp_path)


def test_progress_is_told_batch_by_batch() -> None:
    told: list[tuple[int, int]] = []
    sweep(TRAINING, VALIDATION, config(n_epochs=2), on_step=lambda *step: told.append(step))
    assert told == [(i, 6) for i in range(1, 7)]
    told.clear()
    settings = config(n_epochs=2, kernel_sizes=(2, 3), batch_size=8)
    sweep(images(20), images(4), settings, on_step=lambda *step: told.append(step))
    # Images are trained size by size.
    assert told == [(i, 12) for i in range(1, 13)]


def test_the_validation_part_may_be_judged_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sweep(TRAINING, ecg(7, first_seed=9), config())
    monkeypatch.setattr(module, "_SAMPLES_AT_ONCE", 1500)
    np.testing.assert_allclose(
        sweep(TRAINING, ecg(7, first_seed=9), config()).flithos, whole.flithos, rtol=1e-6
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_trains_to_the_same_figures() -> None:
    on_cpu = sweep(TRAINING, VALIDATION, config())
    on_cuda = sweep(TRAINING, VALIDATION, config(device="cuda"))
    np.testing.assert_allclose(on_cuda.flithos, on_cpu.flithos, atol=0.02)
    assert_same(on_cuda, sweep(TRAINING, VALIDATION, config(device="cuda")))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"activation": "tanh"}, "tanh"),
        ({"kernel_sizes": ()}, "kernel sizes"),
        ({"kernel_sizes": (0,)}, "kernel sizes"),
        ({"kernel_sizes": (3, 3)}, "kernel sizes"),
        ({"n_kernels": 0}, "kernels: 0"),
        ({"n_epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch"),
        ({"border_tolerance": -1}, "border tolerance"),
        ({"learning_rate": 0.0}, "learning rate"),
        ({"learning_rate": float("nan")}, "learning rate"),
        ({"loss": "l1"}, "loss"),
        ({"start": "zeros"}, "start"),
        ({"synthesis": "none"}, "synthesis"),
        ({"keep": "all"}, "keep"),
        ({"seed": -1}, "seed"),
        ({"device": "tpu"}, "device"),
        ({"patience": 0}, "patience"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        config(**changes)


def test_signals_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="validation"):
        sweep(TRAINING, VALIDATION[:, :-1], config())
    with pytest.raises(ConfigError, match="training"):
        sweep(TRAINING[:0], VALIDATION, config())
    with pytest.raises(ConfigError, match="training: not all values are finite"):
        sweep(np.full((3, 9), np.inf), VALIDATION, config())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA"):
        sweep(TRAINING, VALIDATION, config(device="cuda"))
