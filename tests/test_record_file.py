"""What an open file gives beside samples: tables, kernels, objects of wfdb and pandas, figures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wfdb
from edf_files import Signal, edf_bytes
from make_golden import write_several

import sancodec
from sancodec.cli.main import main
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError, RecordError
from sancodec.files import encode_file, inspect_file
from sancodec.record_file import RecordFile
from sancodec.san_file import SanFile

FAST = CodecConfig(level="fast", model="none")
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def folder(minute_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """demo.hea with a base time and a comment, and demo.san in chunks; not to be written to."""
    folder = tmp_path_factory.mktemp("record_file")
    first, *rest = (minute_folder / "demo.hea").read_text().splitlines()
    first += " 23:59:30 31/12/1999"
    (folder / "demo.hea").write_text("\n".join([first, *rest, "# a comment"]) + "\n")
    content = bytearray((minute_folder / "demo.dat").read_bytes())
    # Format 212: the first of a pair of samples becomes the value of 12 bits that stands for none.
    assert rest[0].split()[1] == "212"
    content[450], content[451] = 0, (content[451] & 0xF0) | 8
    (folder / "demo.dat").write_bytes(content)
    config = CodecConfig(level="fast", chunk_seconds=25.0)
    encode_file(folder / "demo.hea", folder / "demo.san", config)
    return folder


@pytest.fixture
def file(folder: Path) -> Iterator[RecordFile]:
    with sancodec.open(folder / "demo.san") as opened:
        yield opened


def _opened(path: Path) -> RecordFile:
    return sancodec.open(path.read_bytes())


@pytest.mark.parametrize("physical", [True, False])
@pytest.mark.parametrize("span", [(0, None), (777, 9000)])
def test_wfdb_gets_what_it_reads_of_the_original_files(
    span: tuple[int, int | None], physical: bool, file: RecordFile, folder: Path
) -> None:
    start, stop = span
    expected = wfdb.rdrecord(str(folder / "demo"), sampfrom=start, sampto=stop, physical=physical)
    assert expected.__eq__(file.to_wfdb(start, stop, physical=physical), verbose=True)
    if physical and start == 0:
        assert np.isnan(expected.p_signal).sum() == 1


def test_wfdb_gets_all_samples_of_channels_of_several_frequencies(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).integers(-900, 900, 300).astype("<i2")
    (tmp_path / "two.dat").write_bytes(samples.tobytes())
    line = "two.dat 16{} 200(7)/mV 16 0 0 0 0 {}\n"
    text = "two 2 125 100\n" + line.format("", "I") + line.format("x2", "II")
    (tmp_path / "two.hea").write_text(text)
    encode_file(tmp_path / "two", tmp_path / "two.san", FAST)
    file = _opened(tmp_path / "two.san")
    expected = wfdb.rdrecord(str(tmp_path / "two"), smooth_frames=False)
    found = file.to_wfdb()
    assert found.samps_per_frame == [1, 2]
    for own, other in zip(found.e_p_signal, expected.e_p_signal, strict=True):
        np.testing.assert_array_equal(own, other)
    with pytest.raises(RecordError, match="leads="):
        file.to_dataframe()
    frame = file.to_dataframe(10, 20, leads=["II"])
    assert list(frame.columns) == ["II"]
    np.testing.assert_array_equal(frame["II"], expected.e_p_signal[1][20:40])
    np.testing.assert_allclose(frame.index, np.arange(20, 40) / 250)


def test_several_segments_are_what_wfdb_assembles(tmp_path: Path) -> None:
    encode_file(write_several(tmp_path), tmp_path / "several.san", FAST)
    file = _opened(tmp_path / "several.san")
    expected = wfdb.rdrecord(str(tmp_path / "several"))
    found = file.to_wfdb()
    np.testing.assert_array_equal(found.p_signal, expected.p_signal)
    assert (found.sig_name, found.units) == (expected.sig_name, expected.units)
    assert (found.fs, found.sig_len) == (expected.fs, expected.sig_len)
    with pytest.raises(ConfigError, match="several segments"):
        file.to_wfdb(physical=False)
    frame = file.to_dataframe()
    np.testing.assert_array_equal(frame.to_numpy(), expected.p_signal)
    assert file.report == inspect_file(tmp_path / "several.san")[0]


def test_an_array_becomes_a_record_of_wfdb(tmp_path: Path) -> None:
    samples = np.arange(600).reshape(300, 2) - 100
    file = sancodec.open(sancodec.encode(samples, fs=100, name="my lead", config=FAST))
    found = file.to_wfdb(physical=False)
    np.testing.assert_array_equal(found.d_signal, samples)
    found.wrsamp(write_dir=str(tmp_path))
    again = wfdb.rdrecord(str(tmp_path / "my_lead"), physical=False)
    np.testing.assert_array_equal(again.d_signal, samples)
    assert file.base_time is None
    with pytest.raises(RecordError, match="does not say when it begins"):
        file.to_dataframe(times="datetime")


def test_a_frame_has_units_and_times(file: RecordFile) -> None:
    frame = file.to_dataframe(1800, 3600, leads=["V5", 0])
    assert list(frame.columns) == ["V5", "II"]
    assert frame.attrs["units"]["V5"] == "mV"
    np.testing.assert_allclose(frame.index, np.arange(1800, 3600) / 360)
    channel = file.channels[2]
    expected = (file[1800:3600, "V5"] - channel.baseline) / channel.adc_gain
    np.testing.assert_array_equal(frame["V5"], expected)
    assert np.isnan(file.to_dataframe(100, 101)["II"].iloc[0])


def test_times_are_those_of_the_header(file: RecordFile) -> None:
    assert file.base_time == datetime(1999, 12, 31, 23, 59, 30)
    frame = file.to_dataframe(10800, 10802, times="datetime")
    assert frame.index[0] == pd.Timestamp(2000, 1, 1)
    assert frame.index[1] == pd.Timestamp(2000, 1, 1) + pd.Timedelta(2777778, "ns")
    with pytest.raises(ConfigError, match="times"):
        file.to_dataframe(times="hours")


def test_an_edf_file_says_when_it_begins(tmp_path: Path) -> None:
    signal = Signal(np.arange(200).reshape(2, 100) % 7, label="ECG")
    content = bytearray(edf_bytes([signal]))
    content[168:184] = b"02.03.8404.05.06"
    (tmp_path / "night.edf").write_bytes(content)
    encode_file(tmp_path / "night.edf", tmp_path / "night.san", FAST)
    file = _opened(tmp_path / "night.san")
    assert file.base_time == datetime(2084, 3, 2, 4, 5, 6)
    assert file.to_dataframe(times="datetime").index[0] == pd.Timestamp(2084, 3, 2, 4, 5, 6)


def test_activations_stand_at_their_places_in_the_record(file: RecordFile) -> None:
    assert isinstance(file, SanFile)
    table = file.activations
    expected = [
        entry.start + file.layers(i)[0].activations.position / 4
        for i, entry in enumerate(file.container.chunks)
    ]
    assert len(expected) == 3
    np.testing.assert_array_equal(table.position, np.concatenate(expected))
    np.testing.assert_array_equal(table.seconds, table.position / 360)
    # A beat for each of those that were simulated, at 66 a minute.
    assert 55 < len(table) < 75
    assert table.between(0, 9000).position.max() < 9000 <= table.between(9000, 1e9).position.min()
    frame = table.to_dataframe()
    assert list(frame.columns) == ["sample", "seconds", "kernel", "II", "V2", "V5"]
    assert len(frame) == len(table)


def test_no_residual_is_decoded_for_activations(
    file: RecordFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sancodec.chunk._decode_residual", None)
    monkeypatch.setattr("sancodec.chunk.reconstruct", None)
    assert len(file.activations) == file.report.n_activations
    with pytest.raises(TypeError):
        file.read()


def test_figures_are_those_of_inspect(file: RecordFile, folder: Path) -> None:
    assert file.report == inspect_file(folder / "demo.san")[0]
    assert file.report.n_bytes == (folder / "demo.san").stat().st_size


def _placed(file: SanFile, channel: int) -> np.ndarray:
    """Give what activations and kernels say of a channel, in its units, interpolating lines."""
    n_samples = file.n_frames * file.channels[channel].samples_per_frame
    fs = file.fs * file.channels[channel].samples_per_frame
    times = np.arange(n_samples) / fs
    placed = np.zeros(n_samples)
    table = file.activations
    for at, number, amplitude in zip(table.seconds, table.kernel, table.amplitude, strict=True):
        kernel = file.kernels[number]
        if channel in kernel.channels:
            shape = kernel.shape[kernel.channels.index(channel)] * amplitude[channel]
            first, last = np.searchsorted(times, at + kernel.seconds[[0, -1]])
            placed[first:last] += np.interp(times[first:last], at + kernel.seconds, shape)
    return placed


@pytest.mark.parametrize("name", ["fitted", "fast", "model", "layers", "named"])
def test_amplitudes_times_kernels_are_the_san_layer(name: str) -> None:
    _compare_with_layer(_opened(GOLDEN / f"{name}.san"))


def test_amplitudes_are_those_of_the_record_where_it_follows_from_others(
    minute_folder: Path,
) -> None:
    signals = wfdb.rdrecord(str(minute_folder / "demo"), physical=False).d_signal
    first, second = signals[:, 0] * 3, signals[:, 1] * 3
    samples = np.stack([first, second, second - first], axis=1)
    channels = [sancodec.Channel(name=name, adc_gain=600.0) for name in ("I", "II", "III")]
    file = sancodec.open(sancodec.encode(samples, fs=360, channels=channels))
    assert isinstance(file, SanFile)
    assert file.plan.structure is not None
    _compare_with_layer(file)
    assert np.isnan(file.activations.amplitude).any(axis=0).sum() == 1


def _compare_with_layer(file: RecordFile) -> None:
    assert isinstance(file, SanFile)
    assert file.plan.layers
    spans = list(file.spans(layer="san"))
    n_compared = 0
    for i, channel in enumerate(file.channels):
        if not any(i in kernel.channels for kernel in file.kernels):
            assert np.isnan(file.activations.amplitude[:, i]).all()
            continue
        digital = np.concatenate([span.signals[i] for span in spans])
        expected = (digital - channel.baseline) / channel.adc_gain
        found = _placed(file, i)
        scale = max(np.abs(expected).max(), np.abs(found).max())
        # Lines between taps, and rounding to ADC units, are what differs.
        assert np.abs(found - expected).mean() < 0.01 * scale + 1 / abs(channel.adc_gain), i
        n_compared += bool(np.abs(expected).max() > 10 / abs(channel.adc_gain))
    assert n_compared


def test_a_kernel_is_as_large_as_its_activations_are(file: RecordFile) -> None:
    (kernel, *_), table = file.kernels, file.activations
    own = table.amplitude[table.kernel == 0][:, kernel.channels]
    assert kernel.n_activations == len(own) > 40
    np.testing.assert_array_equal(kernel.typical, np.median(own, axis=0))
    largest = np.abs(kernel.physical).max(axis=1)
    np.testing.assert_allclose(largest, np.abs(kernel.typical))
    # The simulated lead swings by 1.6 mV, and its R peak by about 1.2 from the baseline.
    assert kernel.channels[0] == 0
    assert 0.8 < kernel.typical[0] < 1.6


def test_activations_of_segments_stand_at_their_places(minute_folder: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        text = (minute_folder / "demo.hea").read_text().replace("demo", name)
        (tmp_path / f"{name}.hea").write_text(text)
        content = (minute_folder / "demo.dat").read_bytes()
        (tmp_path / f"{name}.dat").write_bytes(content if name == "a" else content[::-1])
    text = "rec/3 3 360 43300\na 21600\n~ 100\nb 21600\n"
    (tmp_path / "rec.hea").write_text(text)
    encode_file(tmp_path / "rec.hea", tmp_path / "rec.san", CodecConfig(level="fast"))
    file = _opened(tmp_path / "rec.san")
    first, last = file.segment(0), file.segment(2)
    table = file.activations
    expected = [first.activations.position, 21700 + last.activations.position]
    np.testing.assert_array_equal(table.position, np.concatenate(expected))
    assert len(file.kernels) == len(first.kernels) + len(last.kernels)
    assert set(table.between(21700, 1e9).kernel) <= set(
        range(len(first.kernels), len(file.kernels))
    )


def test_a_file_without_a_layer_has_an_empty_table(simulated_folder: Path) -> None:
    stream = io.BytesIO()
    encode_file(simulated_folder / "demo.hea", stream, replace(FAST, model="none"))
    file = sancodec.open(stream.getvalue())
    assert len(file.activations) == 0
    assert file.activations.amplitude.shape == (0, 3)
    assert file.kernels == ()
    assert list(file.activations.to_dataframe().columns)[:3] == ["sample", "seconds", "kernel"]


def test_a_damaged_chunk_is_named(folder: Path, tmp_path: Path) -> None:
    content = bytearray((folder / "demo.san").read_bytes())
    file = sancodec.open(bytes(content))
    assert isinstance(file, SanFile)
    content[file.container.chunks[1].offset + 20] ^= 1
    with pytest.raises(sancodec.SancodecError, match="chunk 1"):
        _ = sancodec.open(bytes(content)).activations
    assert main(["verify", str(folder / "demo.san")]) == 0
