import hashlib
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'sancodec[train]'")

from dataclasses import replace  # noqa: E402

from click.testing import CliRunner  # noqa: E402
from training_signals import CONFIG, QUICK, records, write_record  # noqa: E402

from sancodec.cli.train import train as train_command  # noqa: E402
from sancodec.errors import ConfigError, OutputError  # noqa: E402
from sancodec.training.resources import Resources  # noqa: E402
from sancodec.training.runs import Run  # noqa: E402
from sancodec.training.trainer import TrainConfig, TrainResult, train  # noqa: E402

EVERYTHING = replace(
    CONFIG, n_epochs=3, dropout=0.2, annealing_seconds=0.3, time_scales=(0.8, 1.0), patience=2
)
GROWING = replace(CONFIG, n_epochs=2, grow=True)


class BreakOffError(Exception):
    """What stands for a power cut."""


def after(n_batches: int) -> Callable[[int, int], None]:
    def stop(n_done: int, _: int) -> None:
        if n_done >= n_batches:
            raise BreakOffError

    return stop


def run(config: TrainConfig, path: Path | None, on_batch: Any = None) -> TrainResult:
    # On one thread, so that the same batches come before a power cut each time.
    resources = Resources(device="cpu", n_threads=1, checkpoint=path)
    return train(records(), config, on_batch, resources=resources)


def n_batches_of(config: TrainConfig) -> int:
    totals: list[int] = []
    run(replace(config, n_epochs=1, n_starts=1), None, lambda _, total: totals.append(total))
    per_epoch = totals[0] // (2 * (config.n_kernels if config.grow else 1))
    return per_epoch * (config.n_starts + config.n_epochs)


@pytest.mark.parametrize("config", [EVERYTHING, GROWING], ids=["everything", "growing"])
def test_an_interrupted_training_ends_as_one_that_was_not(
    config: TrainConfig, tmp_path: Path
) -> None:
    undisturbed = run(config, None)
    for n_batches in range(1, n_batches_of(config), 2):
        path = tmp_path / f"{n_batches}.pt"
        with pytest.raises(BreakOffError):
            run(config, path, after(n_batches))
        resumed = run(config, path)
        assert resumed.bank.digest == undisturbed.bank.digest, f"after {n_batches} batches"
        assert resumed.epochs == undisturbed.epochs
        assert resumed.growth == undisturbed.growth


def test_a_training_interrupted_at_every_epoch_ends_as_well(tmp_path: Path) -> None:
    undisturbed, path = run(EVERYTHING, None), tmp_path / "c.pt"
    for n_batches in range(3, n_batches_of(EVERYTHING), 3):
        with pytest.raises(BreakOffError):
            run(EVERYTHING, path, after(n_batches + 1))
    assert run(EVERYTHING, path).bank.digest == undisturbed.bank.digest


def test_what_is_done_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.pt"
    first = run(GROWING, path)

    def forbidden(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(Run, "epoch", forbidden)
    calls: list[tuple[int, int]] = []
    again = run(GROWING, path, lambda done, total: calls.append((done, total)))
    assert again.bank.digest == first.bank.digest
    assert calls[-1][0] == calls[-1][1]


@pytest.mark.parametrize(
    ("change", "name"),
    [({"seed": 1}, "seed"), ({"dropout": 0.1}, "dropout"), ({"n_epochs": 9}, "n_epochs")],
)
def test_a_checkpoint_of_other_settings_is_refused_by_their_name(
    change: dict[str, Any], name: str, tmp_path: Path
) -> None:
    path = tmp_path / "c.pt"
    with pytest.raises(BreakOffError):
        run(CONFIG, path, after(4))
    with pytest.raises(ConfigError, match=f"other settings \\({name}"):
        run(replace(CONFIG, **change), path)


def test_a_checkpoint_of_other_records_is_refused(tmp_path: Path) -> None:
    resources = Resources(device="cpu", checkpoint=tmp_path / "c.pt")
    train(records(), CONFIG, resources=resources)
    with pytest.raises(ConfigError, match="windows"):
        train(records(2), CONFIG, resources=resources)


def test_a_checkpoint_goes_on_with_another_number_of_threads(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    with pytest.raises(BreakOffError):
        run(CONFIG, path, after(4))
    resumed = train(records(), CONFIG, resources=Resources(n_threads=3, checkpoint=path))
    assert resumed.bank.digest == run(CONFIG, None).bank.digest


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a checkpoint."""
    path = tmp_path_factory.mktemp("whole") / "c.pt"
    run(CONFIG, path)
    return path.read_bytes()


@pytest.mark.parametrize("share", [0, 0.0001, 0.002, 0.01, 0.5, 0.9999])
def test_no_part_of_a_checkpoint_is_taken_for_one(
    share: float, whole: bytes, tmp_path: Path
) -> None:
    (tmp_path / "c.pt").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ConfigError, match="checkpoint"):
        run(CONFIG, tmp_path / "c.pt")


@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.6, 0.9999])
def test_a_flipped_bit_in_a_checkpoint_is_found(share: float, whole: bytes, tmp_path: Path) -> None:
    """Unnoticed, it would end in other kernels."""
    damaged = bytearray(whole)
    damaged[int(share * len(whole))] ^= 4
    (tmp_path / "c.pt").write_bytes(damaged)
    with pytest.raises(ConfigError, match="checkpoint"):
        run(CONFIG, tmp_path / "c.pt")


def sealed(content: bytes) -> bytes:
    """Give what a checkpoint with this content would be, whoever made it."""
    return b"sancodec checkpoint 1\n" + hashlib.sha256(content).digest() + content


def saved(states: object) -> bytes:
    stream = io.BytesIO()
    torch.save(states, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    "states", [{}, [1, 2], {"settings": {}}, {"settings": 3, "runs": {}}, torch.zeros(3), None]
)
def test_something_else_in_a_checkpoint_is_refused(states: object, tmp_path: Path) -> None:
    (tmp_path / "c.pt").write_bytes(sealed(saved(states)))
    with pytest.raises(ConfigError, match="checkpoint"):
        run(CONFIG, tmp_path / "c.pt")


def _load_in_trust(content: bytes) -> object:
    return torch.load(io.BytesIO(content), weights_only=False)


class _Evil:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


@pytest.mark.parametrize("write", [saved, pickle.dumps])
def test_nothing_in_a_checkpoint_is_executed(
    write: Callable[[object], bytes], tmp_path: Path
) -> None:
    evil = write(_Evil(tmp_path / "harmed"))
    (tmp_path / "c.pt").write_bytes(sealed(evil))
    with pytest.raises(ConfigError, match="checkpoint"):
        run(CONFIG, tmp_path / "c.pt")
    assert not (tmp_path / "harmed").exists()
    load = pickle.loads if write is pickle.dumps else _load_in_trust
    load(evil)
    assert (tmp_path / "harmed").exists(), "the trap itself does not work"


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.pt"
    with pytest.raises(BreakOffError):
        run(CONFIG, path, after(4))
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        run(CONFIG, path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["c.pt"]


def test_the_command_takes_up_what_was_interrupted_and_writes_the_same_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_record(tmp_path, "a")
    base = [str(tmp_path / "a"), *QUICK]
    whole, resumed = tmp_path / "whole.onnx", tmp_path / "resumed.onnx"
    CliRunner().invoke(train_command, [*base, "-o", str(whole)], catch_exceptions=False)
    arguments = [*base, "-o", str(resumed), "--checkpoint", str(tmp_path / "c.pt")]
    epoch = Run.epoch

    def break_off(self: Run, *rest: Any) -> None:
        epoch(self, *rest)
        raise BreakOffError

    with monkeypatch.context() as patch:
        patch.setattr(Run, "epoch", break_off)
        assert isinstance(CliRunner().invoke(train_command, arguments).exception, BreakOffError)
    assert not resumed.exists()
    CliRunner().invoke(train_command, arguments, catch_exceptions=False)
    assert resumed.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("checkpoint", ["m.onnx", "no/c.pt", "."])
def test_a_checkpoint_that_cannot_be_is_refused_before_training(
    checkpoint: str, tmp_path: Path
) -> None:
    arguments = ["gone", "-o", str(tmp_path / "m.onnx"), *QUICK]
    result = CliRunner().invoke(
        train_command, [*arguments, "--checkpoint", str(tmp_path / checkpoint)]
    )
    assert isinstance(result.exception, OutputError)
    assert "--checkpoint" in str(result.exception)
