"""Records in FLAC: their files hold the samples, so nothing is stored twice."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from make_golden import FOLDER, write_flac

import sancodec
from sancodec.carried import CarriedSignals
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError, CorruptError
from sancodec.fidelity import MaxError
from sancodec.files import decode_file, encode_file, verify_file
from sancodec.formats.wfdb import WfdbRecord
from sancodec.recording import Channel


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of two FLAC files; not to be written to."""
    return write_flac(tmp_path_factory.mktemp("flac"))


def test_a_record_in_flac_grows_by_no_more_than_its_frame(header: Path, tmp_path: Path) -> None:
    san = tmp_path / "x.san"
    for level in ("fast", "max"):
        report = encode_file(header, san, CodecConfig(level=level), force=True)
        assert report.level == level
        assert report.n_bytes <= report.original_n_bytes + header.stat().st_size + 200
        assert len(report.signals) == 3
    for path in decode_file(san, tmp_path / "out"):
        assert path.read_bytes() == (header.parent / path.name).read_bytes()


def test_noise_in_flac_grows_by_no_more_either(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(-(1 << 15), 1 << 15, 200_000).astype(np.int16)
    soundfile.write(tmp_path / "n.dat", noise, 360, format="FLAC")
    (tmp_path / "n.hea").write_text("n 1 360 150000\nn.dat 516 200 16 0 0 0 0 x\n")
    report = encode_file(tmp_path / "n.hea", tmp_path / "n.san", CodecConfig())
    assert report.n_bytes <= report.original_n_bytes + 200
    with sancodec.open(tmp_path / "n.san") as file:
        np.testing.assert_array_equal(
            file.read(149_000, 149_100).signals[0], noise[149_000:149_100]
        )


def test_samples_of_several_chunks_are_those_of_the_files(
    header: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sancodec.codec.CHUNK_SAMPLES", 6 * 70)
    san = tmp_path / "x.san"
    encode_file(header, san, CodecConfig())
    original = WfdbRecord.open(header)
    with sancodec.open(san) as file:
        assert len(file.container.chunks) == 5
        assert all(file.container.read_chunk(i) == b"" for i in range(5))
        for start, stop in ((0, 300), (69, 71), (140, 299), (10, 10)):
            expected = original.read(start, stop).signals
            for own, signal in zip(file.read(start, stop).signals, expected, strict=True):
                np.testing.assert_array_equal(own, signal)
        with pytest.raises(ConfigError, match="no SAN layer"):
            list(file.spans(layer="san"))


def test_with_loss_samples_are_coded(header: Path, tmp_path: Path) -> None:
    encode_file(header, tmp_path / "x.san", CodecConfig(fidelity=MaxError(("3",))))
    with sancodec.open(tmp_path / "x.san") as file:
        assert file.container.read_chunk(0)
        assert not file.originals.files


def test_an_offset_into_the_stream_comes_back(header: Path, tmp_path: Path) -> None:
    (tmp_path / "x.dat").write_bytes((header.parent / "flac.p").read_bytes())
    (tmp_path / "x.hea").write_text("x 1 360 500\nx.dat 516+100 200 16 0 0 0 0 x\n")
    encode_file(tmp_path / "x.hea", tmp_path / "x.san", CodecConfig(model="none", level="fast"))
    for path in decode_file(tmp_path / "x.san", tmp_path / "out"):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_files_that_do_not_hold_the_samples_are_refused() -> None:
    with sancodec.open(FOLDER / "carried.san") as file:
        originals = file.originals
    hea, first, second = originals.files
    small = replace(second, correction=replace(second.correction, n_bytes=second.n_bytes - 1))
    for files in (
        (hea, replace(first, format=16), second),
        (hea, replace(first, format=508), second),
        (hea, replace(first, n_bytes=1 << 40), second),
        (hea, replace(first, samples_per_frame=(2,)), second),
        (hea, replace(first, samples_per_frame=(2, 1)), second),
        (hea, first, small),
        (hea, first, replace(second, sha256=bytes(8))),
    ):
        with pytest.raises(CorruptError):
            CarriedSignals(replace(originals, files=files), "x.san")
    channels = (Channel(samples_per_frame=2),) * 3
    good = CarriedSignals(originals, "x.san")
    assert good.read("x", 125.0, channels, range(300)).n_frames == 300
    for wrong, span in ((channels, range(200, 301)), (channels[:2], range(3))):
        with pytest.raises(CorruptError, match="signal files"):
            good.read("x", 125.0, wrong, span)
    with pytest.raises(CorruptError, match="signal files"):
        CarriedSignals(replace(originals, files=(hea,)), "").read("x", 125.0, channels, range(3))


def test_an_empty_chunk_without_signal_files_is_refused() -> None:
    stream = io.BytesIO(sancodec.encode(np.zeros((300, 1), np.int16), fs=125.0))
    with sancodec.open(stream.getvalue()) as file, pytest.raises(CorruptError):
        file._decode(0, b"")


def test_every_flipped_byte_is_noticed() -> None:
    whole = (FOLDER / "carried.san").read_bytes()
    for offset in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[offset] ^= 0x10
        with pytest.raises(CorruptError):
            verify_file(io.BytesIO(bytes(damaged)))
