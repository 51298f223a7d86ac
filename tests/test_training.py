import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'sancodec[train]'")

from click.testing import CliRunner  # noqa: E402
from torch import Tensor  # noqa: E402
from training_signals import CONFIG, QUICK, beats, records, write_record  # noqa: E402

import sancodec.models  # noqa: E402
from sancodec.cli.main import main  # noqa: E402
from sancodec.cli.train import train as train_command  # noqa: E402
from sancodec.errors import ConfigError, OutputError, RecordError, SancodecError  # noqa: E402
from sancodec.san import activations  # noqa: E402
from sancodec.training.batches import Batches  # noqa: E402
from sancodec.training.network import (  # noqa: E402
    Shape,
    SparselyActivatedNetwork,
    joint_strength,
    taper,
    tapered,
)
from sancodec.training.territory import compete  # noqa: E402
from sancodec.training.trainer import TrainConfig, evaluate, train  # noqa: E402
from sancodec.training.windows import (  # noqa: E402
    RecordWindows,
    WindowConfig,
    find_records,
    normalise,
    read_windows,
)

SHAPE = Shape(n_kernels=2, n_taps=40, centre=15, distance=12)


def kernels_of(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return tapered(torch.randn(2, 40, generator=generator), taper(40))


def test_kernels_have_norm_one_no_mean_and_end_in_nought() -> None:
    kernels = SparselyActivatedNetwork(SHAPE, torch.randn(2, 40)).kernels().detach().numpy()
    np.testing.assert_allclose(np.linalg.norm(kernels, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(kernels.sum(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(kernels[:, [0, -1]], 0, atol=1e-6)


def test_joint_strength_equals_correlation_in_numpy() -> None:
    signal, kernels = beats(120, 1), kernels_of(2)
    strength = joint_strength(signal[None], kernels, SHAPE.centre)[0].numpy()
    padded = np.pad(signal.numpy(), ((0, 0), (SHAPE.centre, SHAPE.n_taps - SHAPE.centre - 1)))
    similarities = np.array(
        [[np.correlate(lead, kernel, "valid") for lead in padded] for kernel in kernels.numpy()]
    )
    np.testing.assert_allclose(strength, activations.joint_strength(similarities), atol=1e-4)


@pytest.mark.parametrize("distance", [1, 5, 30, 500])
def test_kernels_compete_in_torch_as_in_numpy(distance: int) -> None:
    rng = np.random.default_rng(distance)
    strength = rng.integers(0, 5, (6, 3, 90)).astype(np.float32)
    kept, kernel = compete(torch.from_numpy(strength), distance)
    for window in range(6):
        position, expected = activations.compete(strength[window], distance)
        np.testing.assert_array_equal(np.flatnonzero(kept[window].numpy()), position)
        np.testing.assert_array_equal(kernel[window].numpy()[position], expected)


def test_a_signal_made_of_a_kernel_is_reconstructed_by_it() -> None:
    kernels = kernels_of(3)
    signal = torch.zeros(1, 2, 200)
    for start, amplitude in ((20, 2.0), (90, -1.5), (150, 0.7)):
        signal[0, :, start : start + 40] += amplitude * kernels[1] * torch.tensor([[1.0], [-2.0]])
    output = SparselyActivatedNetwork(
        Shape(n_kernels=2, n_taps=40, centre=15, distance=45), kernels
    )(signal)
    assert output.n_activations.tolist() == [3]
    np.testing.assert_allclose(output.reconstruction.detach(), signal, atol=1e-4)


def test_the_loss_falls_along_its_gradient() -> None:
    network = SparselyActivatedNetwork(SHAPE, kernels_of(4))
    signals = torch.stack([beats(400, seed) for seed in range(4)])
    before = (network(signals).reconstruction - signals).abs().mean()
    before.backward()
    assert network.free.grad is not None
    with torch.no_grad():
        network.free -= 1e-3 * network.free.grad / network.free.grad.norm()
        after = (network(signals).reconstruction - signals).abs().mean()
    assert float(after) < float(before.detach())


def test_silence_has_no_activation() -> None:
    output = SparselyActivatedNetwork(SHAPE, kernels_of(5))(torch.zeros(2, 1, 100))
    assert output.n_activations.tolist() == [0, 0]
    assert not output.reconstruction.detach().any()


def test_training_finds_the_shapes_and_lowers_flithos() -> None:
    result = train(records(), CONFIG)
    untrained = SparselyActivatedNetwork(CONFIG.shape, kernels_of(6))
    signals = [torch.from_numpy(record.windows) for record in records()]
    assert result.best.normalized_loss < 0.35
    assert result.best.flithos < evaluate(untrained, signals)[2] - 0.1


def test_the_kernels_kept_are_those_of_the_epoch_with_the_lowest_flithos() -> None:
    result = train(records(), CONFIG)
    assert result.best.flithos == min(epoch.flithos for epoch in result.epochs)
    held_back = [torch.from_numpy(record.windows[4::5]) for record in records()]
    kernels = torch.from_numpy(result.bank.kernels[:, 0] / 16384.0).float()
    network = SparselyActivatedNetwork(CONFIG.shape, kernels)
    # The kernels of the file are rounded to 1/16384: the figures agree as far as that goes.
    assert evaluate(network, held_back)[2] == pytest.approx(result.best.flithos, abs=0.01)


def test_the_best_epoch_is_kept_when_later_ones_are_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    from sancodec.training import runs

    seen: list[Tensor] = []

    def worse_every_time(network: SparselyActivatedNetwork, _: object) -> tuple[float, ...]:
        seen.append(network.kernels().detach().clone())
        return 0.1, 0.1, float(len(seen))

    monkeypatch.setattr(runs, "evaluate", worse_every_time)
    result = train(records(), CONFIG)
    first_epoch = CONFIG.n_starts
    assert result.best.epoch == 1
    expected = np.rint(seen[first_epoch].numpy().astype(np.float64) * 16384)
    np.testing.assert_array_equal(result.bank.kernels[:, 0], expected)
    assert not torch.equal(seen[first_epoch], seen[-1])


def test_the_same_seed_gives_the_same_kernels_and_another_seed_others() -> None:
    first, second = train(records(), CONFIG), train(records(), CONFIG)
    assert first.bank.digest == second.bank.digest
    other = TrainConfig(**{**CONFIG.__dict__, "seed": 1})
    assert train(records(), other).bank.digest != first.bank.digest


def test_progress_ends_at_its_total() -> None:
    calls: list[tuple[int, int]] = []
    train(records(1), CONFIG, lambda done, total: calls.append((done, total)))
    assert [done for done, _ in calls] == list(range(1, len(calls) + 1))
    assert {total for _, total in calls} == {len(calls)}


def test_too_few_windows_to_hold_any_back_are_refused() -> None:
    short = [RecordWindows(name="r", windows=records(1)[0].windows[:4])]
    with pytest.raises(ConfigError, match="judge"):
        train(short, CONFIG)


@pytest.mark.parametrize(
    "settings",
    [
        {"n_kernels": 0},
        {"n_kernels": 65},
        {"n_epochs": 0},
        {"n_starts": 0},
        {"seed": -1},
        {"fs": 0.0},
        {"fs": float("nan")},
        {"before_seconds": -1.0},
        {"after_seconds": 1e6},
        {"before_seconds": 0.0, "after_seconds": 0.001},
        {"before_seconds": 0.5, "after_seconds": 0.0},
        {"before_seconds": float("nan")},
        {"after_seconds": float("inf")},
        {"fs": 1e308, "after_seconds": 100.0},
        {"distance_seconds": float("nan")},
        {"distance_seconds": 1e9},
        {"annealing_seconds": -0.1},
        {"annealing_seconds": float("inf")},
        {"seed": 1 << 63},
        {"learning_rate": 0.0},
        {"batch_size": 0},
        {"loss": "mape"},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"dropout": float("nan")},
        {"patience": 0},
        {"time_scales": ()},
        {"time_scales": (0.8, 1.25)},
        {"time_scales": (1.0, 1.0)},
        {"time_scales": (1.0, float("nan"))},
        {"time_scales": (0.1, 1.0)},
        {"time_scales": (1.0, 2.0), "n_kernels": 33},
        {"time_scales": (1.0, 4.0), "after_seconds": 100.0},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        TrainConfig(**settings)  # type: ignore[arg-type]


def test_training_stops_when_patience_is_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from sancodec.training import runs

    worths = iter([0.9, 0.5, 0.4, 0.45, 0.41, 0.3])
    monkeypatch.setattr(runs, "evaluate", lambda *_: (0.1, 0.1, next(worths)))
    config = replace(CONFIG, n_starts=1, n_epochs=9, patience=2)
    calls: list[tuple[int, int]] = []
    result = train(records(), config, lambda done, total: calls.append((done, total)))
    # The first figure is that of the start.
    assert [epoch.flithos for epoch in result.epochs] == [0.5, 0.4, 0.45, 0.41]
    assert result.best.epoch == 2
    assert calls[-1][0] == calls[-1][1]


def test_a_training_that_diverges_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    from sancodec.training import runs

    monkeypatch.setattr(runs, "evaluate", lambda *_: (0.1, float("nan"), float("nan")))
    with pytest.raises(SancodecError, match="diverged"):
        train(records(), CONFIG)


def test_the_distance_is_annealed_from_the_first_to_the_wanted_by_a_cosine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sancodec.training import network

    distances: list[int] = []

    def remember(strength: Tensor, distance: int) -> tuple[Tensor, Tensor]:
        distances.append(distance)
        return compete(strength, distance)

    monkeypatch.setattr(network, "compete", remember)
    config = replace(CONFIG, n_starts=1, annealing_seconds=0.52)
    train(records(), config)
    judged = [d for d in distances if d == config.shape.distance]
    practised = [d for d in distances if d != config.shape.distance]
    main = practised[practised.index(52, 1) :]
    n_steps = 3 * config.n_epochs
    steps = np.arange(len(main))
    expected = np.rint(12 + 40 * (1 + np.cos(np.pi * steps / n_steps)) / 2)
    np.testing.assert_array_equal(main, expected)
    assert len(main) >= n_steps - 2
    assert judged


@pytest.mark.parametrize("change", [{"loss": "mse"}, {"dropout": 0.3}, {"compete": False}])
def test_each_choice_of_training_changes_the_kernels(change: dict[str, Any]) -> None:
    """An option that is accepted acts."""
    plain = train(records(), CONFIG)
    assert train(records(), replace(CONFIG, **change)).bank.digest != plain.bank.digest


def test_the_mean_squared_error_is_lowered_where_it_is_asked_for() -> None:
    losses = {}
    for loss in ("mae", "mse"):
        result = train(records(), replace(CONFIG, loss=loss))
        kernels = torch.from_numpy(result.bank.kernels[:, 0] / 16384.0).float()
        network = SparselyActivatedNetwork(CONFIG.shape, kernels)
        errors = [
            network(windows).reconstruction - windows
            for windows in (torch.from_numpy(record.windows) for record in records())
        ]
        losses[loss] = float(torch.cat(errors).square().mean().detach())
    assert losses["mse"] < losses["mae"]


def test_records_of_few_windows_are_counted_on_together_and_share_batches() -> None:
    """Ten seconds each are most clinical archives: they were refused, or trained one by one."""
    singles = [
        RecordWindows(name=f"s{i}", windows=window[None])
        for i, window in enumerate(records(1)[0].windows)
    ]
    wide = RecordWindows(name="wide", windows=np.ones((2, 3, 400), np.float32))
    batches = Batches([*singles, wide], 4, torch.device("cpu"))
    held_back = torch.cat(batches.held_back).numpy()
    np.testing.assert_array_equal(held_back, records(1)[0].windows[[4, 9]])
    assert sorted(windows.shape for windows in batches.training) == [(2, 3, 400), (8, 2, 400)]
    order = batches.draw(torch.Generator().manual_seed(1))
    assert sorted(len(part) for _, part in order) == [2, 4, 4]
    drawn = torch.cat([batch for batch in batches.of(order) if batch.shape[1] == 2])
    assert torch.equal(
        drawn.sum((1, 2)).sort().values, batches.training[0].sum((1, 2)).sort().values
    )


def test_windows_without_room_for_a_kernel_are_refused() -> None:
    short = [RecordWindows(name="r", windows=records(1)[0].windows[:, :, :30])]
    with pytest.raises(ConfigError, match="longer windows"):
        train(short, CONFIG)


@pytest.mark.parametrize(
    "settings",
    [
        {"fs": 0.0},
        {"seconds": 0.0},
        {"seconds": float("nan")},
        {"seconds": 1e9},
        {"baseline_seconds": -1.0},
        {"n_per_record": 0},
    ],
)
def test_windows_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        WindowConfig(**settings)  # type: ignore[arg-type]


def test_normalised_leads_have_no_wander_and_deviation_one() -> None:
    t = np.arange(3600) / 360
    samples = np.stack([50 * np.sin(2 * np.pi * 8 * t) + 900 * t, 7 + 0 * t])
    normalised = normalise(samples, 360.0, 1.0)
    assert normalised[0].std() == pytest.approx(1, abs=1e-3)
    assert abs(normalised[0, 360:-360].reshape(8, 360).mean(axis=1)).max() < 0.05
    assert not normalised[1].any()


def test_records_of_another_frequency_are_resampled_to_that_of_the_model(tmp_path: Path) -> None:
    write_record(tmp_path, "a")
    config = WindowConfig(fs=250.0, seconds=4.0, n_per_record=5)
    windows = read_windows(tmp_path / "a", config).windows
    assert windows.shape == (5, 2, 1000)
    plain = read_windows(tmp_path / "a", WindowConfig(fs=100.0, seconds=4.0, n_per_record=5))
    difference = windows[:, :, ::5] - plain.windows[:, :, ::2]
    assert np.abs(difference).mean() < 0.1


def test_folders_stand_for_all_records_below_them(tmp_path: Path) -> None:
    write_record(tmp_path / "x", "b")
    write_record(tmp_path / "y", "a")
    found = find_records([tmp_path, tmp_path / "x" / "b"])
    assert [str(path.relative_to(tmp_path)) for path in found] == ["x/b.hea", "y/a.hea", "x/b"]
    (tmp_path / "z").mkdir()
    with pytest.raises(RecordError, match="no record"):
        find_records([tmp_path / "z"])


def test_flat_and_short_records_are_refused_by_name(tmp_path: Path) -> None:
    write_record(tmp_path, "short", n_seconds=2)
    with pytest.raises(RecordError, match="short"):
        read_windows(tmp_path / "short", WindowConfig(fs=100.0, seconds=4.0))


def test_the_command_writes_a_model_and_the_same_bytes_again(tmp_path: Path) -> None:
    write_record(tmp_path / "data", "a")
    write_record(tmp_path / "data", "b")
    models = [tmp_path / "one.onnx", tmp_path / "two.onnx"]
    for model in models:
        arguments = [str(tmp_path / "data"), "-o", str(model), *QUICK, "--licence", "CC0", "--json"]
        result = CliRunner().invoke(train_command, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert models[0].read_bytes() == models[1].read_bytes()
    figures = json.loads(result.stdout)
    bank, metadata = sancodec.models.load(models[0])
    assert figures["digest"] == bank.digest == metadata["digest"]
    assert (metadata["signal_type"], metadata["licence"]) == ("beats", "CC0")
    assert json.loads(metadata["records"]) == ["a", "b"]
    assert str(tmp_path).encode() not in models[0].read_bytes()
    assert float(metadata["flithos"]) == pytest.approx(figures["best"]["flithos"], abs=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "one.onnx", "two.onnx"]


def test_the_figures_of_a_growing_training_are_in_the_json(tmp_path: Path) -> None:
    write_record(tmp_path, "a")
    arguments = [str(tmp_path / "a"), "-o", str(tmp_path / "m.onnx"), *QUICK]
    arguments += [
        "--grow",
        "--patience",
        "1",
        "--dropout",
        "0.1",
        "--loss",
        "mse",
        "--device",
        "cpu",
        "--threads",
        "2",
    ]
    result = CliRunner().invoke(train_command, [*arguments, "--json"], catch_exceptions=False)
    figures = json.loads(result.stdout)
    assert figures["device"] == "cpu"
    assert figures["growth"][0]["n_kernels"] == 1
    assert figures["n_learned"] == sum(step["kept"] for step in figures["growth"])
    assert figures["n_rows"] == len(figures["held_back"]["row_shares"])
    assert figures["held_back"]["flithos"] == figures["best"]["flithos"]
    assert (figures["base_flithos"], figures["stopped_early"]) == (None, False)
    assert figures["settings"]["loss"] == "mse"
    metadata = sancodec.models.load(tmp_path / "m.onnx")[1]
    assert (metadata["loss"], metadata["dropout"], metadata["grow"]) == ("mse", "0.1", "true")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ("--time-scales 0.8,x", "0.8,1,1.25"),
        ("--time-scales 0.8", "time scales"),
        ("--distance nan", "distance"),
        ("--dropout 2", "dropout"),
        ("--patience 0", "patience"),
        ("--threads 0", "threads"),
        ("--batch 0", "batch"),
        ("--extend gone.onnx", "gone.onnx"),
        ("--extend ecg", "extend: fs"),
        ("--device tpu", "--device"),
        ("--window 1e9", "window"),
        ("--seed -1", "seed"),
    ],
)
def test_a_failure_is_one_line(
    options: str, word: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_record(tmp_path, "a")
    arguments = ["train", str(tmp_path / "a"), "-o", str(tmp_path / "m.onnx"), *QUICK]
    assert main([*arguments, *options.split()]) in {1, 2}
    said = capfd.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert word in said.err
    assert not (tmp_path / "m.onnx").exists()


def test_the_table_says_which_epoch_was_kept(tmp_path: Path) -> None:
    write_record(tmp_path, "a")
    arguments = [str(tmp_path / "a"), "-o", str(tmp_path / "m.onnx"), *QUICK]
    result = CliRunner().invoke(train_command, arguments, catch_exceptions=False)
    assert "lowest mean flithos on held-back windows" in " ".join(result.output.split())


def test_a_bad_record_is_skipped_said_and_told_by_the_exit_code(tmp_path: Path) -> None:
    write_record(tmp_path, "a")
    (tmp_path / "bad.hea").write_text("bad 1 100 500\nbad.dat 16 200 16 0 0 0 0 I\n")
    arguments = [str(tmp_path), "-o", str(tmp_path / "m.onnx"), *QUICK]
    result = CliRunner().invoke(train_command, arguments, catch_exceptions=False)
    assert result.exit_code == 4
    assert "bad" in result.stderr
    assert (tmp_path / "m.onnx").is_file()


def run_to_fail(arguments: list[str]) -> Exception:
    result = CliRunner().invoke(train_command, arguments)
    assert result.exit_code != 0
    assert isinstance(result.exception, SancodecError)
    return result.exception


def test_an_output_that_exists_is_not_overwritten_without_force(tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    model.write_bytes(b"precious")
    error = run_to_fail([str(tmp_path / "a"), "-o", str(model), *QUICK])
    assert isinstance(error, OutputError)
    assert "--force" in str(error)
    assert model.read_bytes() == b"precious"


def test_folders_and_names_that_cannot_be_are_refused_before_training(tmp_path: Path) -> None:
    assert "folder" in str(run_to_fail(["x", "-o", str(tmp_path / "no" / "m.onnx"), *QUICK]))
    assert "folder" in str(run_to_fail(["x", "-o", str(tmp_path), *QUICK]))
    wrong = run_to_fail(["x", "-o", str(tmp_path / "m.onnx"), "--signal-type", "E C G"])
    assert "--signal-type" in str(wrong)


def test_a_missing_torch_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else find_spec(name)
    )
    error = run_to_fail(["x", "-o", str(tmp_path / "m.onnx"), *QUICK])
    assert "pip install 'sancodec[train]'" in str(error)


def test_a_record_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = run_to_fail([str(tmp_path / "gone"), "-o", str(tmp_path / "m.onnx"), *QUICK])
    assert isinstance(error, RecordError)
    assert "gone" in str(error)


def test_the_help_of_train_imports_no_torch() -> None:
    import subprocess

    script = "import sys, sancodec.cli.train; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.slow
def test_kernels_of_real_records_reconstruct_better_than_chance(tmp_path: Path) -> None:
    folder = os.environ.get("SANCODEC_DATA")
    if not folder:
        pytest.skip("SANCODEC_DATA is not set")
    window = WindowConfig(n_per_record=10)
    read = [read_windows(Path(folder) / "mitdb" / name, window) for name in ("100", "119")]
    result = train(read, TrainConfig(n_epochs=3, n_starts=2))
    assert result.best.normalized_loss < 0.65
