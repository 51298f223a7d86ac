"""Beats from activations: where they stand, which activations are none, and the files written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import wfdb

import sancodec
from sancodec.activation_beats import _choose, beats_of, table_of
from sancodec.beats import compare_beats, find_beats, reference_beats
from sancodec.cli.main import main
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError
from sancodec.files import encode_file

DATA = Path(os.environ.get("SANCODEC_DATA", ""))


@pytest.fixture(scope="module")
def encoded(minute_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated minute, in chunks across which beats reach; not to be written to."""
    path = tmp_path_factory.mktemp("beats") / "demo.san"
    config = CodecConfig(level="fast", chunk_seconds=7.0)
    encode_file(minute_folder / "demo.hea", path, config)
    return path


@pytest.fixture
def own(encoded: Path, tmp_path: Path) -> Path:
    """A copy of the file, to write beside."""
    path = tmp_path / "demo.san"
    path.write_bytes(encoded.read_bytes())
    return path


def test_beats_are_those_that_are_there(encoded: Path, minute_folder: Path) -> None:
    file = sancodec.open(encoded.read_bytes())
    beats = beats_of(file)
    lead = file.read().signals[0]
    expected = find_beats(lead, file.channels[0], file.fs)
    agreement = compare_beats(expected, beats.frame, file.fs)
    assert agreement.n_matched > 55
    # xqrs needs a beat to begin with, and the ends of a record are nobody's.
    assert agreement.n_missed + agreement.n_extra <= 2
    # Beside the largest deflection of the lead, which is the R wave.
    for frame in beats.frame[1:-1]:
        around = lead[frame - 90 : frame + 90]
        assert abs(int(around.argmax()) - 90) < 12
    assert len(file.activations) > len(beats.frame), "no beat was found twice at a chunk's end"


def test_the_table_of_beats_has_their_amplitudes(encoded: Path) -> None:
    file = sancodec.open(encoded.read_bytes())
    beats = beats_of(file)
    table = table_of(beats, file.activations)
    np.testing.assert_array_equal(table.position, beats.frame)
    np.testing.assert_array_equal(table.kernel, file.activations.kernel[beats.activation])
    assert np.nanmedian(table.amplitude[:, 0]) > 0.8


def test_of_two_activations_that_are_close_the_steeper_one_is_the_beat() -> None:
    seconds = np.array([0.0, 1.0, 1.1, 2.0, 2.4, 3.0, 3.4, 4.0])
    strength = np.array([9.0, 5.0, 9.0, 9.0, 3.0, 9.0, 8.0, 0.0])
    # Doubled; a T wave; a beat as steep as the one before it; no amplitude.
    np.testing.assert_array_equal(_choose(seconds, strength), [0, 2, 3, 5, 6])


def test_what_is_much_flatter_than_its_neighbours_is_no_beat() -> None:
    seconds = np.arange(40) * 0.8
    strength = np.where(np.arange(40) == 20, 1.0, 10.0)
    assert 20 not in _choose(seconds, strength)
    # Where all beats are flat, they are beats.
    strength = np.where(np.arange(40) < 20, 1.0, 10.0)
    assert _choose(seconds, strength).size > 36


def test_order_of_what_is_given_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    seconds, strength = rng.uniform(0, 100, 150), rng.uniform(1, 9, 150)
    chosen = _choose(seconds, strength)
    order = rng.permutation(150)
    np.testing.assert_array_equal(
        np.sort(order[_choose(seconds[order], strength[order])]), np.sort(chosen)
    )
    assert np.diff(np.sort(seconds[chosen])).min() >= 0.25


def test_nothing_is_chosen_of_nothing() -> None:
    assert _choose(np.zeros(0), np.zeros(0)).size == 0


def test_the_annotation_is_what_wfdb_reads(own: Path) -> None:
    assert main(["beats", str(own)]) == 0
    found = wfdb.rdann(str(own.with_suffix("")), "beats")
    beats = beats_of(sancodec.open(own.read_bytes()))
    np.testing.assert_array_equal(found.sample, beats.frame)
    np.testing.assert_array_equal(found.num, beats.kernel)
    assert set(found.symbol) == {"N"}
    np.testing.assert_array_equal(reference_beats(own.with_suffix(""), 21600, "beats"), beats.frame)


def test_the_compressed_file_is_never_overwritten(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = own.read_bytes()
    for options in (["-a", "san"], ["-a", "san", "--force"]):
        assert main(["beats", str(own), *options]) == 1
        assert "-o DIR" in capsys.readouterr().err
        assert own.read_bytes() == content
    folder = tmp_path / "annotations"
    assert main(["beats", str(own), "-a", "san", "-o", str(folder)]) == 0
    assert own.read_bytes() == content
    assert len(wfdb.rdann(str(folder / "demo"), "san").sample) > 55


def test_no_file_is_overwritten_unasked(own: Path) -> None:
    own.with_suffix(".beats").write_text("mine")
    assert main(["beats", str(own)]) == 1
    assert own.with_suffix(".beats").read_text() == "mine"
    assert main(["beats", str(own), "--force"]) == 0
    assert own.with_suffix(".beats").read_bytes() != b"mine"


def test_annotations_are_compared(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = beats_of(sancodec.open(own.read_bytes())).frame
    wfdb.wrann(
        "demo", "atr", np.delete(frame, 5), ["N"] * (frame.size - 1), write_dir=str(own.parent)
    )
    for where in (own.parent, own.with_suffix(".atr")):
        assert main(["beats", str(own), "--against", str(where), "--json", "--force"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["n_beats"] == frame.size
        assert said["agreement"]["n_extra"] == 1
        assert said["agreement"]["sensitivity"] == 1.0
    assert main(["beats", str(own), "--against", str(own.with_suffix(".qrs"))]) == 1
    assert main(["beats", str(own), "--against", str(own.parent), "--force"]) == 0
    assert "1 extra" in capsys.readouterr().out


def test_a_file_without_a_layer_is_refused(
    simulated_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "demo.san"
    encode_file(simulated_folder / "demo.hea", path, CodecConfig(level="fast", model="none"))
    assert main(["beats", str(path)]) == 2
    assert "no SAN layer" in capsys.readouterr().err
    assert not path.with_suffix(".beats").exists()


def test_kernels_of_other_signals_are_no_beats(minute_folder: Path) -> None:
    file = sancodec.open(_as_array(minute_folder, "ABP"))
    assert file.kernels
    with pytest.raises(ConfigError, match="is an ECG"):
        beats_of(file)


def test_without_names_kernels_are_taken_for_those_of_an_ecg(minute_folder: Path) -> None:
    file = sancodec.open(_as_array(minute_folder, ""))
    assert file.kernels
    assert beats_of(file).frame.size > 10


def _as_array(folder: Path, name: str) -> bytes:
    samples = wfdb.rdrecord(str(folder / "demo"), physical=False).d_signal
    config = CodecConfig(level="fast", model="ecg")
    channels = [sancodec.Channel(name=name)] * 3
    return sancodec.encode(samples, fs=360, channels=channels, config=config)


@pytest.mark.skipif(not (DATA / "mitdb").is_dir(), reason="SANCODEC_DATA names no recordings")
def test_beats_of_a_real_record_are_those_of_its_annotations(tmp_path: Path) -> None:
    header = DATA / "mitdb" / "100.hea"
    samples = wfdb.rdrecord(str(DATA / "mitdb" / "100"), sampto=360 * 300, physical=False).d_signal
    channels = [sancodec.Channel(name=name) for name in ("MLII", "V5")]
    config = CodecConfig(level="fast")
    file = sancodec.open(sancodec.encode(samples, fs=360, channels=channels, config=config))
    reference = reference_beats(header, file.n_frames)
    agreement = compare_beats(reference, beats_of(file).frame, file.fs)
    assert agreement.n_matched > 360
    assert agreement.n_missed + agreement.n_extra <= 1
