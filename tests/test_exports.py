from __future__ import annotations

import io
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import edfio
import numpy as np
import pytest
from edf_files import Signal, annotations, edf_bytes

import sancodec
from sancodec.cli.main import main
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError, OutputError, RecordError
from sancodec.files import decode_file, encode_file
from sancodec.formats.edf import EdfRecord
from sancodec.formats.edf_writing import write_edf
from sancodec.formats.sources import open_source
from sancodec.recording import Channel, Recording, RecordSpans

FAST = CodecConfig(model="none", level="fast")
WALK = np.cumsum(np.random.default_rng(3).integers(-9, 10, (1800, 2)), axis=0)
LEADS = (
    Channel(name="II", units="mV", adc_gain=200.0, baseline=1024),
    Channel(name="Pression artérielle moyenne", units="µV", adc_gain=-409.6, baseline=-3),
)


def write(path: Path, samples: np.ndarray, fs: float, *channels: Channel, step: int = 700) -> Path:
    signals = tuple(np.ascontiguousarray(column, np.int32) for column in samples.T)
    whole = Recording(name="a", fs=fs, channels=channels, signals=signals)
    n = whole.n_frames
    spans = [whole.frames(i, min(i + step, n)) for i in range(0, n, step)]
    record = RecordSpans(name="a", fs=fs, channels=channels, n_frames=n, spans=spans)
    with path.open("wb") as stream:
        write_edf(stream, record)
    return path


@pytest.mark.parametrize("fs", [360.0, 250.0, 500.0, 100.0, 1.0, 0.5, 257.0, 128.5, 1000.0])
def test_edf_files_are_read_by_others(tmp_path: Path, fs: float) -> None:
    n_frames = round(4 * fs)
    path = write(tmp_path / "a.edf", WALK[:n_frames], fs, *LEADS)
    found = edfio.read_edf(path)
    assert [signal.label for signal in found.signals] == ["II", "Pression art?rie"]
    assert [signal.physical_dimension for signal in found.signals] == ["mV", "uV"]
    for signal, column, channel in zip(found.signals, WALK[:n_frames].T, LEADS, strict=True):
        assert signal.sampling_frequency == pytest.approx(fs, rel=1e-12)
        np.testing.assert_array_equal(signal.digital[: column.size], column)
        assert signal.digital.size == column.size
        physical = (column - channel.baseline) / channel.adc_gain
        # Bounds of 8 characters, as -168.96, keep 5 digits behind the point.
        np.testing.assert_allclose(signal.data, physical, atol=1e-3 / 2)


def test_gain_and_baseline_come_back_from_what_edf_says(tmp_path: Path) -> None:
    record = EdfRecord.open(write(tmp_path / "a.edf", WALK[:720], 360.0, *LEADS))
    assert (record.fs, record.n_frames) == (360.0, 720)
    for channel, before in zip(record.channels, LEADS, strict=True):
        assert channel.adc_gain == pytest.approx(before.adc_gain, rel=1e-5)
        assert channel.baseline == before.baseline


def test_a_last_data_record_is_filled_up_with_the_last_sample(tmp_path: Path) -> None:
    # 361 frames at 360 Hz have no divisor that lasts a whole number of microseconds.
    path = write(tmp_path / "a.edf", WALK[:361], 360.0, *LEADS)
    (first, second) = edfio.read_edf(path).signals
    assert first.digital.size > 361
    np.testing.assert_array_equal(first.digital[:361], WALK[:361, 0])
    assert set(first.digital[361:]) == {WALK[360, 0]}
    assert set(second.digital[361:]) == {WALK[360, 1]}


@pytest.mark.parametrize(
    ("samples", "fs", "channel", "message"),
    [
        (40_000, 250.0, Channel(name="II"), "II: samples of 40000 to 40000 do not fit the 16 bits"),
        (1, math.pi, Channel(), "has no duration of 8 characters"),
        (1, 1.0, Channel(adc_gain=1e-7), "a gain of 1e-07 and a baseline of 0 do not fit"),
        (1, 1.0, Channel(adc_gain=1e13), "do not fit"),
        (1, 1.0, Channel(baseline=1 << 62), "do not fit"),
    ],
)
def test_what_does_not_fit_edf_is_refused(tmp_path, samples, fs, channel, message) -> None:
    with pytest.raises(RecordError, match=message):
        write(tmp_path / "a.edf", np.array([[samples]]), fs, channel)


@pytest.fixture
def night(tmp_path: Path) -> Path:
    rows = WALK[:1800, 0].reshape(18, 100)
    notes = annotations([b"+%d\x14\x14\0" % i for i in range(18)])
    signals = [Signal(rows, "EEG"), Signal(rows[:, :10], "Temp"), notes]
    path = tmp_path / "night.edf"
    path.write_bytes(edf_bytes(signals, reserved="EDF+C"))
    encode_file(path, tmp_path / "night.san", FAST)
    return tmp_path / "night.san"


def test_an_edf_file_becomes_wfdb_or_itself(night: Path, tmp_path: Path) -> None:
    original = (tmp_path / "night.edf").read_bytes()
    (same,) = decode_file(night, tmp_path / "edf", fmt="edf")
    assert same.read_bytes() == original
    header, _ = decode_file(night, tmp_path / "wfdb", fmt="wfdb")
    ours = open_source(header)
    assert [channel.samples_per_frame for channel in ours.channels] == [10, 1]
    np.testing.assert_array_equal(ours.read(0, 180).signals[0], WALK[:, 0])
    (part,) = decode_file(night, tmp_path / "part", fmt="edf", start=10, stop=30)
    np.testing.assert_array_equal(edfio.read_edf(part).signals[0].digital, WALK[100:300, 0])
    with pytest.raises(RecordError, match="mixed sampling frequencies"):
        decode_file(night, tmp_path / "csv", fmt="csv")


def test_a_stream_takes_one_file(night: Path, tmp_path: Path) -> None:
    stream = io.BytesIO()
    assert decode_file(night, stream) == []
    assert stream.getvalue() == (tmp_path / "night.edf").read_bytes()
    header, signals = decode_file(night, tmp_path / "wfdb", fmt="wfdb")
    encode_file(header, tmp_path / "w.san", FAST)
    with pytest.raises(ConfigError, match="several files"):
        decode_file(tmp_path / "w.san", io.BytesIO())
    with pytest.raises(ConfigError, match="a stream takes one file"):
        decode_file(tmp_path / "w.san", io.BytesIO(), stop=10)
    decode_file(tmp_path / "w.san", tmp_path / "part", fmt="edf", stop=100)
    with pytest.raises(OutputError, match=r"night\.edf: exists already"):
        decode_file(tmp_path / "w.san", tmp_path / "part", fmt="edf", stop=100)
    assert signals.is_file()


@pytest.mark.parametrize("fmt", ["npy", "csv", "edf"])
def test_a_name_in_a_file_is_no_path(tmp_path: Path, fmt: str) -> None:
    encoded = sancodec.encode(WALK[:100], fs=1, name="../../up", config=FAST)
    (tmp_path / "up.san").write_bytes(encoded)
    (path,) = decode_file(tmp_path / "up.san", tmp_path / "in" / "side", fmt=fmt)
    assert path.parent == tmp_path / "in" / "side"
    assert path.is_file()
    assert ".." not in str(path)


def test_the_file_of_a_table_is_never_deleted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1\n2\n")
    options = ["--level", "fast", "--model", "none", "--fs", "1", "--remove-original"]
    assert main(["encode", str(path), *options]) == 3
    assert path.read_text() == "1\n2\n"
    assert (tmp_path / "a.san").is_file()


@pytest.mark.parametrize("kind", ["edf", "npy", "csv"])
def test_files_go_through_pipes(
    tmp_path: Path,
    kind: str,
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = WALK[:500].astype(np.int32)
    source = tmp_path / f"in.{kind}"
    if kind == "edf":
        source.write_bytes(edf_bytes([Signal(samples[:, 0].reshape(5, 100))]))
    elif kind == "npy":
        np.save(source, samples)
    else:
        source.write_text("".join(f"{a},{b}\n" for a, b in samples.tolist()))
    fs = [] if kind == "edf" else ["--fs", "250"]
    options = ["--level", "fast", "--model", "none", *fs]

    def run(command: list[str], given: bytes) -> bytes:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        assert main(command) == 0
        return capfdbinary.readouterr().out

    encoded = run(["encode", "-", "-o", "-", *options], source.read_bytes())
    decoded = run(["decode", "-", "-o", "-", "--format", kind], encoded)
    if kind == "npy":
        np.testing.assert_array_equal(np.load(io.BytesIO(decoded)), samples)
    elif kind == "csv":
        # The first line has the names, which the table had not.
        assert decoded.partition(b"\n")[2] == source.read_bytes()
    else:
        assert decoded == source.read_bytes()


@pytest.mark.parametrize("dtype", ["<i2", ">i4", "u1", "<i8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_integer_arrays_are_encoded_from_the_disk(tmp_path: Path, dtype: str, order: str) -> None:
    samples = np.array(np.abs(WALK[:600]) % 200, dtype, order=order)
    np.save(tmp_path / "a.npy", samples)
    encode_file(tmp_path / "a.npy", tmp_path / "a.san", FAST, fs=360)
    np.testing.assert_array_equal(sancodec.decode(tmp_path / "a.san").samples, samples)


def test_arrays_that_are_no_samples_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, WALK / 8)
    with pytest.raises(RecordError, match="float64, expected integers"):
        open_source(path, fs=1)
    np.save(path, np.array([SimpleNamespace()]), allow_pickle=True)
    with pytest.raises(RecordError, match="no array that can be read"):
        open_source(path, fs=1)
    path.write_bytes(b"\x93NUMPY")
    with pytest.raises(RecordError, match="no array that can be read"):
        open_source(path, fs=1)
    with pytest.raises(RecordError, match="give it with --fs"):
        open_source(path)
    with pytest.raises(RecordError, match="leave --fs out"):
        open_source(tmp_path / "night.edf", fs=1)
