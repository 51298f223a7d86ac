from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sancodec.errors import OutputError, RecordError
from sancodec.formats.arrays import ArraySource, write_wfdb
from sancodec.formats.exports import export
from sancodec.formats.wfdb import WfdbRecord
from sancodec.recording import Channel, Recording, RecordSpans

with warnings.catch_warnings():
    # wfdb uses what pandas 3 deprecates.
    warnings.simplefilter("ignore")
    import wfdb

CHANNELS = (
    Channel(name="MLII", adc_res=11, adc_zero=1024, baseline=1024),
    Channel(name="air flow", units="l/s", adc_gain=12.5, baseline=-3),
)


def _spans(source: ArraySource, step: int = 33) -> Iterator[Recording]:
    for start in range(0, source.n_frames, step):
        yield source.read(start, min(source.n_frames, start + step))


def _source(high: int = 1000, n_samples: int = 100) -> ArraySource:
    samples = np.random.default_rng(high).integers(-high, high, (n_samples, 2))
    samples[1] = high - 1, -high
    return ArraySource(samples, fs=62.4725, name="a-1", channels=CHANNELS)


@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", ">i2", "u2", "i4", ">i4", "u4", "i8", "u8"])
def test_arrays_of_any_integers_are_read_span_by_span(dtype: str) -> None:
    samples = np.arange(120).reshape(60, 2).astype(dtype)
    source = ArraySource(samples, fs=100)
    assert (source.name, source.fs, source.n_frames) == ("record", 100.0, 60)
    span = source.read(7, 50)
    np.testing.assert_array_equal(span.samples, samples[7:50])
    assert span.signals[0].dtype == np.int32
    assert source.read(9, 9).n_frames == 0


def test_one_dimension_is_one_channel() -> None:
    source = ArraySource(np.arange(5), fs=1)
    assert len(source.channels) == 1
    np.testing.assert_array_equal(source.read(1, 3).samples, [[1], [2]])


def test_a_recording_is_a_source_of_itself() -> None:
    channels = (Channel(samples_per_frame=2), Channel())
    signals = (np.arange(8, dtype=np.int32), np.arange(4, dtype=np.int32))
    recording = Recording(name="r", fs=5.0, channels=channels, signals=signals)
    source = ArraySource(recording)
    assert (source.name, source.fs, source.n_frames) == ("r", 5.0, 4)
    np.testing.assert_array_equal(source.read(1, 3).signals[0], [2, 3, 4, 5])
    assert ArraySource(recording, name="other").read(0, 1).name == "other"


@pytest.mark.parametrize("value", [1 << 31, -(1 << 31) - 1])
def test_values_beyond_int32_are_refused(value: int) -> None:
    source = ArraySource(np.array([[0], [value]]), fs=1)
    assert source.read(0, 1).samples[0, 0] == 0
    with pytest.raises(RecordError, match="32-bit"):
        source.read(0, 2)


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        (np.zeros(3), {"fs": 1}, "expected integers"),
        (np.zeros(3, bool), {"fs": 1}, "expected integers"),
        (np.zeros((2, 2, 2), int), {"fs": 1}, "3 dimensions"),
        (np.zeros((3, 0), int), {"fs": 1}, "0 columns"),
        (np.zeros(3, int), {}, "sampling frequency None"),
        (np.zeros(3, int), {"fs": 0}, "sampling frequency 0"),
        (np.zeros(3, int), {"fs": float("nan")}, "sampling frequency nan"),
        (np.zeros(3, int), {"fs": 1, "channels": CHANNELS}, "2 channels for an array of 1"),
        (np.zeros(3, int), {"fs": 1, "channels": [Channel(samples_per_frame=2)]}, "one sample"),
    ],
)
def test_arrays_that_are_no_recording_are_refused(samples, options, message) -> None:
    with pytest.raises(RecordError, match=message):
        ArraySource(samples, **options)


def test_a_span_outside_of_the_array_is_refused() -> None:
    with pytest.raises(RecordError, match="frames 90 to 101 of 100"):
        _source().read(90, 101)


def _spans_of(source: ArraySource) -> RecordSpans:
    return RecordSpans(
        name="a",
        fs=source.fs,
        channels=source.channels,
        n_frames=source.n_frames,
        spans=_spans(source),
    )


@pytest.mark.parametrize("n_samples", [0, 1, 100])
def test_npy_files_come_back(tmp_path: Path, n_samples: int) -> None:
    source = ArraySource(np.arange(2 * n_samples).reshape(n_samples, 2), fs=1)
    (path,) = export("npy", tmp_path / "new", _spans_of(source), force=False)
    samples = np.load(path)
    assert samples.dtype == np.int32
    np.testing.assert_array_equal(samples, source.read(0, n_samples).samples)


def test_npy_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    source = _source()
    with pytest.raises(RecordError, match="100 frames to write, expected 101"):
        export("npy", tmp_path, replace(_spans_of(source), n_frames=101), force=False)
    mixed = replace(_spans_of(source), channels=(Channel(samples_per_frame=2),))
    with pytest.raises(RecordError, match="mixed sampling frequencies"):
        export("npy", tmp_path, mixed, force=False)
    assert os.listdir(tmp_path) == []
    export("npy", tmp_path, _spans_of(source), force=False)
    with pytest.raises(OutputError, match=r"a\.npy: exists already; use --force"):
        export("npy", tmp_path, _spans_of(source), force=False)
    export("npy", tmp_path, _spans_of(source), force=True)


@pytest.mark.parametrize(
    ("high", "fmt"), [(1000, "16"), (1 << 15, "16"), ((1 << 15) + 1, "24"), (1 << 23, "24"),
                      ((1 << 23) + 1, "32"), (1 << 31, "32")]
)  # fmt: skip
def test_new_records_are_read_by_wfdb(tmp_path: Path, high: int, fmt: str) -> None:
    source = _source(high)
    header, _ = write_wfdb(tmp_path, "a-1", source.fs, source.channels, _spans(source))
    record = wfdb.rdrecord(str(header.with_suffix("")), physical=False, return_res=32)
    expected = source.read(0, 100).samples
    np.testing.assert_array_equal(record.d_signal, expected)
    assert record.fmt == [fmt, fmt]
    assert record.fs == 62.4725
    assert record.sig_name == ["MLII", "air flow"]
    assert record.units == ["mV", "l/s"]
    assert (record.adc_gain, record.baseline) == ([200.0, 12.5], [1024, -3])
    assert record.init_value == expected[0].tolist()
    checksums = record.calc_checksum()
    assert [stated % 65536 for stated in record.checksum] == checksums


def test_new_records_of_mixed_sampling_frequencies_are_read_by_wfdb(tmp_path: Path) -> None:
    channels = (Channel(name="a", samples_per_frame=3), Channel(name="b"))
    signals = (np.arange(30, dtype=np.int32), np.arange(10, dtype=np.int32))
    source = ArraySource(Recording(name="r", fs=5.0, channels=channels, signals=signals))
    header, _ = write_wfdb(tmp_path, "r", 5.0, channels, _spans(source, 4))
    record = wfdb.rdrecord(str(header.with_suffix("")), physical=False, smooth_frames=False)
    np.testing.assert_array_equal(record.e_d_signal[0], signals[0])
    np.testing.assert_array_equal(record.e_d_signal[1], signals[1])
    reread = WfdbRecord.open(header)
    assert reread.channels == channels
    np.testing.assert_array_equal(reread.read(2, 5).signals[0], np.arange(6, 15))


def test_names_become_what_wfdb_takes(tmp_path: Path) -> None:
    channels = (Channel(name="two\nlines", units="mm Hg"),)
    source = ArraySource(np.arange(4), fs=1e-7, channels=channels)
    header, signals = write_wfdb(tmp_path, "../a.b/ü", source.fs, channels, _spans(source))
    assert (header.name, signals.name) == ("___a_b__.hea", "___a_b__.dat")
    record = WfdbRecord.open(header)
    assert (record.fs, record.channels[0].name, record.channels[0].units) == (
        1e-7,
        "two lines",
        "mm_Hg",
    )


def test_existing_records_are_not_overwritten(tmp_path: Path) -> None:
    source = _source()
    (tmp_path / "a-1.dat").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"a-1\.dat: exists already; use --force"):
        write_wfdb(tmp_path, "a-1", source.fs, source.channels, _spans(source))
    assert os.listdir(tmp_path) == ["a-1.dat"]
    write_wfdb(tmp_path, "a-1", source.fs, source.channels, _spans(source), force=True)
    assert sorted(os.listdir(tmp_path)) == ["a-1.dat", "a-1.hea"]
    with pytest.raises(RecordError, match="without channels"):
        write_wfdb(tmp_path, "b", 1.0, (), [])
