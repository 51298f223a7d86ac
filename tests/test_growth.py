"""Kernels that are created as the data asks for them, and what that does to those before."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'sancodec[train]'")

from click.testing import CliRunner  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from training_signals import CONFIG, QUICK, records, write_record  # noqa: E402

import sancodec  # noqa: E402
from sancodec.cli.train import train as train_command  # noqa: E402
from sancodec.errors import ConfigError, ModelError  # noqa: E402
from sancodec.san.kernels import KernelBank  # noqa: E402
from sancodec.training.base import Base  # noqa: E402
from sancodec.training.export import write_model  # noqa: E402
from sancodec.training.judging import Figures, judge, judge_parts  # noqa: E402
from sancodec.training.trainer import TrainConfig, TrainResult, train  # noqa: E402
from sancodec.training.windows import RecordWindows, normalise  # noqa: E402


def waves(seed: int) -> NDArray[np.float32]:
    """Another kind of signal than ``beats``: bursts of a swing."""
    rng = np.random.default_rng(seed)
    t = np.arange(400.0)
    signal = np.zeros((2, 400))
    for place in np.arange(30, 380, 52) + rng.integers(-5, 6):
        late = t - place
        burst = np.sin(late / 1.6) * np.exp(-(late**2) / 60)
        signal += np.array([[0.8], [1.0]]) * rng.uniform(0.5, 1.5) * burst
    return normalise(signal + rng.normal(0, 0.02, signal.shape), 100.0, 0.0)


def other_kind() -> list[RecordWindows]:
    return [
        RecordWindows(name=f"w{r}", windows=np.stack([waves(10 * r + i) for i in range(10)]))
        for r in range(3)
    ]


def base_of(result: TrainResult, *types: tuple[str, int]) -> Base:
    return Base(
        bank=result.bank,
        n_taps=CONFIG.shape.n_taps,
        centre=CONFIG.shape.centre,
        time_scales=CONFIG.time_scales,
        row_types=types or (("beats", result.bank.n_kernels),),
    )


def judged(base: Base, signals: list[RecordWindows]) -> Figures:
    network = base.network(CONFIG.shape.distance)
    return judge(network, [torch.from_numpy(record.windows) for record in signals])


@pytest.fixture(scope="module")
def beats_model() -> TrainResult:
    return train(records(), CONFIG)


def test_kernels_are_added_until_one_is_not_worth_its_weights() -> None:
    """The beats have two shapes: a third kernel costs W and explains nothing."""
    result = train(records(), replace(CONFIG, n_kernels=6, grow=True))
    kept = [step for step in result.growth if step.kept]
    assert [step.n_kernels for step in result.growth] == list(range(1, len(result.growth) + 1))
    assert len(kept) == result.n_learned == result.bank.n_kernels
    assert 2 <= len(kept) < 6
    assert not result.growth[-1].kept
    flithos = [step.flithos for step in kept]
    assert flithos == sorted(flithos, reverse=True)
    assert result.best.flithos == flithos[-1] < result.growth[-1].flithos


def test_growth_ends_at_the_most_kernels_that_are_wanted() -> None:
    result = train(records(), replace(CONFIG, n_kernels=1, grow=True))
    assert (result.n_learned, [step.kept for step in result.growth]) == (1, [True])


def test_a_second_kind_is_learned_and_the_first_is_not_forgotten(beats_model: TrainResult) -> None:
    base = base_of(beats_model)
    result = train(other_kind(), replace(CONFIG, n_kernels=1), base=base)
    np.testing.assert_array_equal(result.bank.kernels[:2], beats_model.bank.kernels)
    assert result.base_flithos is not None
    assert result.best.flithos < result.base_flithos - 0.5
    extended = base_of(result, ("beats", 2), ("waves", 1))
    for signals, is_first in ((records(), True), (other_kind(), False)):
        windows = [torch.from_numpy(record.windows) for record in signals]
        parts = [part.network(CONFIG.shape.distance) for part in extended.parts()]
        before, after = (
            judge(base.network(CONFIG.shape.distance), windows),
            judge(parts[-1], windows),
        )
        chosen = judge_parts(parts, windows)
        assert chosen.flithos <= min(before.flithos, after.flithos)
        if is_first:
            assert chosen.flithos == before.flithos
            assert after.normalized_loss < before.normalized_loss + 0.01


def test_each_window_has_the_part_that_serves_it_best(beats_model: TrainResult) -> None:
    result = train(other_kind(), replace(CONFIG, n_kernels=1), base=base_of(beats_model))
    extended = base_of(result, ("beats", 2), ("waves", 1))
    parts = [part.network(CONFIG.shape.distance) for part in extended.parts()]
    both = [torch.from_numpy(record.windows) for record in (records()[0], other_kind()[0])]
    figures = judge_parts(parts, both)
    expected = [judge(parts[0], both[:1]), judge(parts[1], both[1:])]
    assert figures.flithos == pytest.approx(np.mean([each.flithos for each in expected]))
    assert figures.inverse_cr == pytest.approx(np.mean([each.inverse_cr for each in expected]))
    assert len(figures.row_shares) == 3
    assert sum(figures.row_shares) == pytest.approx(1, abs=1e-3)


def test_training_on_the_second_kind_alone_forgets_the_first(beats_model: TrainResult) -> None:
    """What --extend is for: without it the test above must fail."""
    alone = train(other_kind(), CONFIG)
    base = base_of(beats_model)
    assert judged(base_of(alone), records()).flithos > judged(base, records()).flithos + 0.05


def test_growth_beside_a_model_adds_nothing_to_what_it_knows(beats_model: TrainResult) -> None:
    with pytest.raises(ConfigError, match="nothing to add"):
        train(records(), replace(CONFIG, grow=True), base=base_of(beats_model))


def test_growth_beside_a_model_adds_what_a_second_kind_needs(beats_model: TrainResult) -> None:
    config = replace(CONFIG, n_kernels=4, grow=True)
    result = train(other_kind(), config, base=base_of(beats_model))
    assert 1 <= result.n_learned < 4
    assert result.base_flithos is not None
    assert result.growth[0].flithos < result.base_flithos


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"fs": 101.0}, "fs"),
        ({"before_seconds": 0.1}, "taps of a kernel"),
        ({"before_seconds": 0.1, "after_seconds": 0.3}, "before its centre"),
        ({"time_scales": (0.8, 1.0)}, "time scales"),
        ({"n_kernels": 63}, "65 rows"),
    ],
)
def test_kernels_that_do_not_fit_beside_the_model_are_refused_by_name(
    change: dict[str, Any], name: str, beats_model: TrainResult
) -> None:
    with pytest.raises(ConfigError, match=f"extend: .*{name}"):
        train(records(), replace(CONFIG, **change), base=base_of(beats_model))


def command(arguments: list[str]) -> dict[str, Any]:
    result = CliRunner().invoke(train_command, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    figures: dict[str, Any] = json.loads(result.stdout)
    return figures


def test_the_command_extends_a_model_with_scales_and_takes_its_sizes(tmp_path: Path) -> None:
    write_record(tmp_path, "a")
    write_record(tmp_path, "longer_name")
    first, second = tmp_path / "first.onnx", tmp_path / "second.onnx"
    scales = ["--time-scales", "0.8,1,1.25"]
    figures = command([str(tmp_path / "a"), "-o", str(first), *QUICK, *scales])
    assert (figures["n_learned"], figures["n_rows"]) == (2, 6)
    course = "--signal-type other --kernels 1 --epochs 2 --starts 1 --distance 0.12 --window 4"
    arguments = [str(tmp_path / "longer_name"), *course.split(), "--extend", str(first)]
    figures = command([*arguments, "-o", str(second)])
    assert (figures["n_learned"], figures["n_rows"]) == (1, 9)
    assert figures["base_flithos"] > 0
    old, _ = sancodec.models.load(first)
    new, metadata = sancodec.models.load(second)
    np.testing.assert_array_equal(new.kernels[:6], old.kernels)
    assert metadata["extends"] == old.digest
    assert json.loads(metadata["row_types"]) == [["beats", 6], ["other", 3]]
    third = Base.of(second)
    assert third.time_scales == (0.8, 1.0, 1.25)
    assert third.row_types == (("beats", 6), ("other", 3))


def test_the_codec_uses_a_model_of_scaled_kernels_as_it_is(tmp_path: Path) -> None:
    write_record(tmp_path, "a")
    model = tmp_path / "m.onnx"
    command([str(tmp_path / "a"), "-o", str(model), *QUICK, "--time-scales", "0.8,1,1.25"])
    bank, metadata = sancodec.models.load(model)
    assert bank.n_kernels == 6
    assert json.loads(metadata["time_scales"]) == [0.8, 1.0, 1.25]
    samples = np.rint(300 * waves(1).T).astype(np.int32).repeat(8, axis=0)
    config = sancodec.CodecConfig(model=str(model), kernels="model")
    coded = sancodec.encode(samples, fs=100.0, config=config)
    np.testing.assert_array_equal(np.stack(sancodec.decode(coded).signals, axis=1), samples)


def test_the_shipped_model_can_be_extended() -> None:
    base = Base.of("ecg")
    base.check(TrainConfig(**base.sizes()).shape, 360.0)
    assert base.row_types == (("ecg", 4),)


def bank(n_kernels: int, n_leads: int) -> KernelBank:
    kernels = np.ones((n_kernels, n_leads, 20), np.int16)
    return KernelBank(kernels=kernels, centre=5, fs=100.0)


@pytest.mark.parametrize(
    ("kernels", "metadata", "message"),
    [
        (bank(2, 3), {}, "leads"),
        (bank(2, 1), {"time_scales": "x"}, "metadata"),
        (bank(2, 1), {"time_scales": "[]"}, "scales"),
        (bank(2, 1), {"time_scales": "[0.5, 1, 2]"}, "scales"),
        (bank(2, 1), {"row_types": "[1]"}, "metadata"),
        (bank(2, 1), {"row_types": '[["a", 3]]'}, "rows"),
        (bank(2, 1), {"n_taps": "many"}, "metadata"),
    ],
)
def test_models_that_cannot_be_extended_are_refused_by_name(
    kernels: KernelBank, metadata: dict[str, str], message: str, tmp_path: Path
) -> None:
    write_model(tmp_path / "m.onnx", kernels, metadata)
    with pytest.raises(ModelError, match=message):
        Base.of(tmp_path / "m.onnx")


def test_a_kernel_of_nothing_is_no_kernel(tmp_path: Path) -> None:
    nothing = replace(bank(2, 1), kernels=np.zeros((2, 1, 20), np.int16))
    write_model(tmp_path / "m.onnx", nothing, {})
    with pytest.raises(ModelError, match="0 everywhere"):
        Base.of(tmp_path / "m.onnx")
