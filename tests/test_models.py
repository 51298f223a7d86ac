import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sancodec import models
from sancodec.errors import ModelError
from sancodec.san.kernels import KernelBank


def test_an_ecg_model_is_shipped_and_found_by_its_digest() -> None:
    assert "ecg" in models.list_models()
    assert "placement" not in models.list_models()
    bank, metadata = models.load("ecg")
    assert metadata["signal_type"] == "ecg"
    assert metadata["digest"] == bank.digest
    assert float(metadata["fs"]) == bank.fs == 360.0
    np.testing.assert_array_equal(models.find(bank.digest).kernels, bank.kernels)


def test_every_shipped_model_has_a_card_that_names_its_digest() -> None:
    folder = Path(models.__file__).parent
    for name in models.list_models():
        bank, _ = models.load(name)
        assert bank.digest in (folder / f"{name}.md").read_text()


def test_kernels_of_shipped_models_taper_and_have_no_mean() -> None:
    for name in models.list_models():
        kernels = models.load(name)[0].kernels.astype(np.float64)
        loudest = np.abs(kernels).max(axis=-1)
        assert (np.abs(kernels[:, :, [0, -1]]).max(axis=-1) < 0.05 * loudest).all()
        assert (np.abs(kernels.mean(axis=-1)) < 0.01 * loudest).all()


def test_a_digest_that_no_model_has_is_named_with_the_remedy() -> None:
    with pytest.raises(ModelError, match=r"abc123.*--model"):
        models.find("abc123")


def test_a_name_that_is_not_shipped_is_answered_with_those_that_are() -> None:
    with pytest.raises(ModelError, match="ecg"):
        models.load("meg")
    with pytest.raises(ModelError, match=r"gone\.onnx"):
        models.load(Path("gone.onnx"))


def test_importing_models_is_cheap() -> None:
    script = (
        "import sys, sancodec.models; sancodec.models.list_models();"
        "sys.exit(bool({'onnxruntime', 'onnx', 'torch', 'numba'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_loading_a_model_imports_neither_onnx_nor_torch() -> None:
    script = (
        "import sys, sancodec.models; sancodec.models.load('ecg');"
        "sys.exit(bool({'onnx', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.fixture
def bank() -> KernelBank:
    kernels = np.arange(-12, 12, dtype=np.int16).reshape(2, 3, 4)
    return KernelBank(kernels=kernels, centre=1, fs=257.5)


def test_a_written_model_is_read_back_as_it_was(tmp_path: Path, bank: KernelBank) -> None:
    pytest.importorskip("onnx")
    from sancodec.training.export import write_model

    path = tmp_path / "own.onnx"
    write_model(path, bank, {"signal_type": "own"})
    read, metadata = models.load(path)
    np.testing.assert_array_equal(read.kernels, bank.kernels)
    assert (read.centre, read.fs, read.digest) == (1, 257.5, bank.digest)
    assert metadata["signal_type"] == "own"


def test_a_written_model_runs_by_itself_on_its_own_kernels(
    tmp_path: Path, bank: KernelBank
) -> None:
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    from sancodec.training.export import write_model

    path = tmp_path / "own.onnx"
    write_model(path, bank, {})
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds = {
        "row": np.array([4]),
        "amplitude": np.array([-3], np.int32),
        "position": np.array([2]),
        "record": np.array([0]),
        "n_records": np.array(1),
        "n_samples": np.array(6),
    }
    (sums,) = session.run(["sums"], feeds)
    assert sums.tolist() == [[0, 0, -12, -15, -18, -21, 0, 0, 0, 0]]


def test_a_model_keeps_to_the_versions_that_released_runtimes_take(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    for path in Path(models.__file__).parent.glob("*.onnx"):
        model = onnx.load(path)
        assert model.ir_version == 8
        assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("digest", "0" * 64, "digest"),
        ("fs", "260.0", "digest"),
        ("fs", "fast", "fast"),
        ("n_kernels", "3", "rows"),
        ("n_kernels", "0", "rows"),
        ("centre", "9", "centre"),
        ("centre", None, "centre"),
    ],
)
def test_metadata_that_does_not_fit_the_kernels_is_refused(
    tmp_path: Path, bank: KernelBank, field: str, value: str | None, match: str
) -> None:
    onnx = pytest.importorskip("onnx")
    from sancodec.training.export import write_model

    path = tmp_path / "own.onnx"
    write_model(path, bank, {})
    model = onnx.load(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props} | {field: value}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {k: v for k, v in metadata.items() if v is not None})
    onnx.save(model, path)
    with pytest.raises(ModelError, match=match):
        models.load(path)


def test_a_model_whose_kernels_were_changed_is_refused(tmp_path: Path, bank: KernelBank) -> None:
    onnx = pytest.importorskip("onnx")
    from sancodec.training.export import write_model

    path = tmp_path / "own.onnx"
    write_model(path, bank, {})
    content = path.read_bytes()
    kernels = bank.kernels.astype("<i4").tobytes()
    assert content.count(kernels) == 1
    path.write_bytes(content.replace(kernels, kernels[::-1]))
    onnx.load(path)
    with pytest.raises(ModelError, match=r"digest|leave the range"):
        models.load(path)
