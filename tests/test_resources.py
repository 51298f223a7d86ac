import warnings
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'sancodec[train]'")

from training_signals import CONFIG, records  # noqa: E402

from sancodec.errors import ConfigError, ProviderError, SancodecError  # noqa: E402
from sancodec.training import resources as module  # noqa: E402
from sancodec.training.resources import Resources, choose_device, repeatable  # noqa: E402
from sancodec.training.trainer import train  # noqa: E402

HAS_CUDA = torch.cuda.is_available()


@pytest.fixture
def seeming_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build of PyTorch with CUDA, and a device that is there."""
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.mark.skipif(HAS_CUDA, reason="this machine has CUDA")
def test_without_cuda_auto_is_the_processor_and_cuda_is_refused() -> None:
    assert choose_device("auto").type == "cpu"
    with pytest.raises(ProviderError, match="--device cpu or auto"):
        choose_device("cuda")


def test_a_driver_that_is_too_old_is_no_reason_to_talk(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def warn() -> bool:
        warnings.warn("The NVIDIA driver on your system is too old", stacklevel=1)
        return False

    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", warn)
    assert choose_device("auto").type == "cpu"
    assert capfd.readouterr() == ("", "")
    with pytest.raises(ProviderError, match="no CUDA device"):
        choose_device("cuda")


@pytest.mark.usefixtures("seeming_cuda")
def test_a_device_that_does_not_compute_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("CUDA error: no kernel image is available\nfor execution on the device")

    monkeypatch.setattr(module, "_compute_on_cuda", fail)
    assert choose_device("auto").type == "cpu"
    with pytest.raises(ProviderError, match="no kernel image") as caught:
        choose_device("cuda")
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("seeming_cuda")
def test_auto_is_cuda_where_it_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_compute_on_cuda", lambda: None)
    assert choose_device("auto").type == "cuda"
    assert choose_device("cpu").type == "cpu"


def test_the_kernels_do_not_depend_on_the_number_of_threads() -> None:
    """A training on another number of processors could not be repeated."""
    config = replace(CONFIG, n_starts=3, dropout=0.1)
    results = [
        train(records(), config, resources=Resources(device="cpu", n_threads=n)) for n in (1, 2, 3)
    ]
    assert len({result.bank.digest for result in results}) == 1
    assert results[0].epochs == results[1].epochs == results[2].epochs


def test_all_of_training_is_made_on_the_device_that_was_chosen() -> None:
    """What is left to the default device would fail on CUDA: here that device has no values."""
    config = replace(CONFIG, n_epochs=2, grow=True, dropout=0.1)
    expected = train(records(), config, resources=Resources(device="cpu"))
    with torch.device("meta"):
        result = train(records(), config, resources=Resources(device="cpu"))
    assert result.bank.digest == expected.bank.digest


def test_nothing_of_pytorch_is_left_changed() -> None:
    def settings() -> tuple[int, bool]:
        return torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()

    def fail_in_it() -> None:
        with repeatable(Resources(device="cpu")):
            inside.append(settings())
            raise ConfigError

    before = settings()
    inside: list[tuple[int, bool]] = []
    with pytest.raises(ConfigError):
        fail_in_it()
    assert inside == [(1, True)]
    assert settings() == before


def test_a_lack_of_memory_is_said_with_its_remedy() -> None:
    with pytest.raises(SancodecError, match="not enough memory"), repeatable(Resources()):
        torch.empty(1 << 60, dtype=torch.uint8)


@pytest.mark.parametrize("settings", [{"device": "tpu"}, {"n_threads": 0}])
def test_resources_out_of_range_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Resources(**settings)  # type: ignore[arg-type]


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_CUDA, reason="no CUDA device here")
@pytest.mark.parametrize(
    "change", [{}, {"dropout": 0.2, "time_scales": (0.8, 1.0)}, {"compete": False}, {"grow": True}]
)
def test_cuda_trains_the_same_kernels_every_time_and_about_those_of_the_processor(
    change: dict[str, object],
) -> None:
    config = replace(CONFIG, **change)  # type: ignore[arg-type]
    first, second = (train(records(), config, resources=Resources(device="cuda")) for _ in "ab")
    assert first.device == "cuda"
    assert first.bank.digest == second.bank.digest
    on_cpu = train(records(), config, resources=Resources(device="cpu"))
    assert first.best.flithos == pytest.approx(on_cpu.best.flithos, abs=0.03)
