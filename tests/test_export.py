"""What is exported gives the same integers as the decoder, without the decoder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from make_golden import FOLDER

import sancodec
import sancodec.models
from sancodec import reconstruct
from sancodec.chunk import MODE_STEPPED
from sancodec.cli.main import main
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError
from sancodec.export import export_file
from sancodec.fidelity import MaxError, SanOnly, TargetPrdn
from sancodec.formats.header import FIDELITY_LOSSLESS
from sancodec.recording import Channel, Recording
from sancodec.residual.coder import FRACTION_BITS
from sancodec.residual.transform.centroids import put_back
from sancodec.residual.transform.rotation import pairs_of, turns, unrotate
from sancodec.residual.transform.wavelet import bands_of, synthesise
from sancodec.san_file import SanFile
from sancodec.simulate import Simulation, simulate_record

# An import of sancodec fails in it, wherever it is installed.
_ALONE = (
    "import runpy, sys; sys.modules['sancodec'] = None; "
    "runpy.run_path(sys.argv[1], run_name='__main__')"
)


def _simulated(seconds: float) -> Recording:
    simulation = Simulation(duration_seconds=seconds)
    return simulate_record(simulation, np.random.default_rng(8))


def _reconstructed(file: SanFile, folder: Path) -> tuple[dict[str, np.ndarray[Any, Any]], str]:
    exported = export_file(file, folder)
    reconstruct.main(folder)
    with np.load(folder / "reconstructed.npz") as found:
        return dict(found), exported.left_out


def _assert_same_signals(file: SanFile, found: dict[str, np.ndarray[Any, Any]]) -> None:
    for channel, samples in enumerate(file.read().signals):
        np.testing.assert_array_equal(found[f"signal_{channel}"], samples)
    _assert_same_san_layer(file, found)


def _assert_same_san_layer(file: SanFile, found: dict[str, np.ndarray[Any, Any]]) -> None:
    preview = list(file.spans(layer="san")) if file.plan.layers else []
    for number, channel in enumerate(file.header.channels):
        own = np.full(found[f"san_{number}"].size, channel.baseline)
        if preview:
            own = np.concatenate([span.signals[number] for span in preview])
        np.testing.assert_array_equal(found[f"san_{number}"], own)


# A file of several segments is refused as a whole: each has layers of its own.
ONE_RECORD = sorted(path for path in FOLDER.glob("*.san") if path.stem != "several")


@pytest.mark.parametrize("path", ONE_RECORD, ids=lambda path: path.stem)
def test_every_golden_file_comes_back_from_its_export(path: Path, tmp_path: Path) -> None:
    with sancodec.open(path, provider="cpu") as file:
        # Steps without a transform, where a bound is small, are told in another mode.
        # And leads that follow from others are computed after a transform.
        lossy = file.header.fidelity != FIDELITY_LOSSLESS and file.plan.structure is None
        lossy = lossy and all(part.mode != MODE_STEPPED for part in file.parts(0))
        if not lossy and not file.plan.layers:
            with pytest.raises(ConfigError, match="nothing to export"):
                export_file(file, tmp_path)
            return
        found, left_out = _reconstructed(file, tmp_path)
        assert bool(left_out) != lossy
        if lossy:
            _assert_same_signals(file, found)
            return
        assert not any(name.startswith("signal") for name in found)
        if file.plan.structure is None:
            _assert_same_san_layer(file, found)
            return
        # The layers are of the leads that the others follow from.
        arrays = {
            name: np.asarray(own) for name, own in np.load(tmp_path / "activations.npz").items()
        }
        rows = reconstruct.san_layers(tmp_path, arrays)
        for layer in file.layers(0):
            group = file.plan.groups[layer.plan.group]
            for lead in layer.plan.leads:
                begin = rows[group.channels[lead]][: layer.reconstruction.shape[1]]
                np.testing.assert_array_equal(begin, layer.reconstruction[lead])


def _with_gaps_and_a_flat_lead() -> Recording:
    record = _simulated(33.0)
    first, second, third = (signal.copy() for signal in record.signals)
    missing = np.iinfo(np.int32).min
    first[1_000:1_400] = missing
    first[11_000:] = missing
    third[:] = 5
    channels = tuple(Channel(name=name, baseline=9) for name in ("II", "V2", "V5"))
    return Recording(name="gaps", fs=360.0, channels=channels, signals=(first, second, third))


@pytest.mark.parametrize("fidelity", [TargetPrdn(7.0), MaxError(("4",)), SanOnly()])
@pytest.mark.parametrize("kernels", ["fit", "none"])
def test_lossy_files_come_back_to_the_last_unit(
    fidelity: Any, kernels: str, tmp_path: Path
) -> None:
    if kernels == "none" and isinstance(fidelity, SanOnly):
        pytest.skip("there is nothing without a SAN layer")
    options = {"model": "none"} if kernels == "none" else {"kernels": "fit"}
    config = CodecConfig(level="fast", chunk_seconds=11.0, fidelity=fidelity, **options)
    encoded = sancodec.encode(_with_gaps_and_a_flat_lead(), config=config)
    with sancodec.open(encoded, provider="cpu") as file:
        assert len(file.container.chunks) > 2
        found, left_out = _reconstructed(file, tmp_path)
        assert left_out == ""
        _assert_same_signals(file, found)


def test_the_script_runs_where_there_is_no_sancodec(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, folder = FOLDER / "transformed.san", tmp_path / "parts"
    assert main(["export", str(source), "-o", str(folder)]) == 0
    names = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert sorted(names) == sorted(path.name for path in folder.iterdir())
    subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", _ALONE, str(folder / "reconstruct.py")],
        cwd=tmp_path,
        env={},
        check=True,
    )
    found = dict(np.load(folder / "reconstructed.npz"))
    with sancodec.open(source, provider="cpu") as file:
        assert file.plan.layers, "without a SAN layer this tests half of it"
        _assert_same_signals(file, found)
    assert main(["export", str(source), "-o", str(folder)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main(["export", str(source), "-o", str(folder), "--force"]) == 0


def test_a_file_without_layers_is_refused_and_one_with_another_residual_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(FOLDER / "plain.san"), "-o", str(tmp_path / "plain")]) == 2
    assert "no SAN layer" in capsys.readouterr().err
    assert not (tmp_path / "plain").exists()
    assert main(["export", str(FOLDER / "fitted.san"), "-o", str(tmp_path / "fitted")]) == 0
    output = capsys.readouterr()
    assert "coded without a transform" in output.err
    assert "coefficients" not in output.out


def test_a_record_of_several_segments_is_refused_by_export_and_evaluate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("first", "second"):
        samples = np.random.default_rng(len(name)).integers(-50, 50, 400).cumsum()
        (tmp_path / f"{name}.dat").write_bytes(samples.astype("<i2").tobytes())
        (tmp_path / f"{name}.hea").write_text(f"{name} 1 360 400\n{name}.dat 16 200/mV 12 0\n")
    record = tmp_path / "two.hea"
    record.write_text("two/2 1 360 800\nfirst 400\nsecond 400\n")
    assert main(["encode", str(record), "--model", "none"]) == 0
    capsys.readouterr()
    assert main(["export", str(tmp_path / "two.san"), "-o", str(tmp_path / "parts")]) == 2
    assert "several segments" in capsys.readouterr().err
    assert main(["evaluate", str(record), "--prdn", "9"]) == 1
    assert "several segments" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("n_leads", "n_samples", "n_levels", "turned"),
    [
        *[(1, 1, 0, False), (2, 1, 0, True), (1, 2, 1, False), (2, 3, 1, True), (3, 5, 2, True)],
        *[(4, 37, 5, True), (12, 2_001, 8, True), (2, 6_000, 9, True), (1, 500, 0, False)],
    ],
)
def test_the_graph_of_the_transform_gives_the_bits_of_the_decoder(
    n_leads: int, n_samples: int, n_levels: int, turned: bool, tmp_path: Path
) -> None:
    rng = np.random.default_rng(n_samples)
    quantised = rng.integers(-5, 6, (n_leads, n_samples)).astype(np.int32)
    bands = bands_of(n_samples, n_levels)
    offsets = rng.integers(-128, 128, (len(bands), 3)) / 256.0
    angles = rng.integers(0, 256, n_leads * (n_leads - 1) // 2).astype(np.uint8)
    leads = put_back(quantised, offsets, bands)
    if turned:
        unrotate(leads, angles)
    leads = synthesise(leads, n_levels)
    # A step this large shows 20 bits behind the point.
    step, offset = np.full(n_leads, 1e6 + 1 / 3), rng.integers(-900, 900, n_leads).astype(float)
    san = rng.integers(-(2**15), 2**15, (n_leads, n_samples)).astype(np.int32)
    scaled = (leads * step[:, None] + san / float(1 << FRACTION_BITS)) + offset[:, None]
    expected = np.clip(np.floor(scaled + 0.5), -9e6, 1e7)
    pairs = pairs_of(n_leads) if turned else []
    feeds = {
        "quantised": quantised,
        "centroids": offsets,
        "n_levels": np.array(n_levels),
        "pairs": np.array(pairs, np.int64).reshape(-1, 2),
        "turns": turns()[angles if turned else angles[:0]].reshape(-1, 2),
        "san": san,
        "step": step,
        "offset": offset,
        "lowest": np.full(n_leads, -9e6),
        "highest": np.full(n_leads, 1e7),
    }
    graph = Path(sancodec.models.__file__).with_name("transform.onnx")
    (samples,) = reconstruct._session(graph).run(["samples"], feeds)
    np.testing.assert_array_equal(samples, expected)


def test_the_shipped_graph_is_the_one_that_is_built(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from sancodec.training.transform_graph import write_transform

    write_transform(tmp_path / "transform.onnx")
    shipped = Path(sancodec.models.__file__).with_name("transform.onnx")
    assert onnx.load(tmp_path / "transform.onnx") == onnx.load(shipped)
