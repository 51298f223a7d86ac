from __future__ import annotations

import itertools
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

with warnings.catch_warnings():
    # wfdb uses what pandas 3 deprecates.
    warnings.simplefilter("ignore")
    import wfdb

from sancodec.errors import RecordError
from sancodec.formats.dat import DatLayout, DatPacker
from sancodec.formats.dat_formats import FORMATS
from sancodec.formats.wfdb import WfdbRecord

BITS = {8: 8, 16: 16, 24: 24, 32: 32, 61: 16, 80: 8, 160: 16, 212: 12, 310: 10, 311: 10}
FLAC = {508: "PCM_S8", 516: "PCM_16", 524: "PCM_24"}


def _read_with_wfdb(header: Path) -> list[np.ndarray]:
    name = str(header.with_suffix(""))
    try:
        record = wfdb.rdrecord(name, physical=False, smooth_frames=False, ignore_skew=True)
    except ValueError:
        # wfdb 4.3 does not convert the big-endian samples of format 61 with smooth_frames=False.
        return list(wfdb.rdrecord(name, physical=False, ignore_skew=True).d_signal.T)
    return list(record.e_d_signal)


def _write_record(folder: Path, fmt: int, per_frame: tuple[int, ...], n_frames: int) -> Path:
    rng = np.random.default_rng(fmt + n_frames)
    half = 1 << (BITS[fmt] - 1)
    signals = [rng.integers(-half, half, n_frames * n).astype(np.int32) for n in per_frame]
    packer = DatPacker(DatLayout(format=fmt, samples_per_frame=per_frame, initial=(7, -7)))
    (folder / "rec.dat").write_bytes(
        b"prolog" + packer.feed(signals).tobytes() + packer.finish().tobytes()
    )
    lines = [f"rec 2 360 {n_frames}"]
    for n, initial in zip(per_frame, (7, -7), strict=True):
        lines.append(f"rec.dat {fmt}x{n}+6 200(5)/uV 12 3 {initial} 0 0 lead {n}")
    (folder / "rec.hea").write_text("\n".join(lines) + "\n")
    return folder / "rec.hea"


def _write_header(folder: Path, text: str, n_bytes: int = 3000) -> Path:
    (folder / "rec.hea").write_text(text)
    (folder / "rec.dat").write_bytes(bytes(n_bytes))
    return folder / "rec.hea"


def _assert_spans_agree(record: WfdbRecord, whole: list[np.ndarray], n_steps: int = 7) -> None:
    cuts = np.linspace(0, record.n_frames, n_steps).astype(int).tolist()
    spans = list(itertools.pairwise(cuts))
    for start, stop in [(0, record.n_frames), *spans, *reversed(spans[::2]), (cuts[1], cuts[1])]:
        found = record.read(start, stop)
        for channel, signal, expected in zip(record.channels, found.signals, whole, strict=True):
            n = channel.samples_per_frame
            np.testing.assert_array_equal(signal, expected[start * n : stop * n])


@pytest.mark.parametrize("per_frame", [(1, 1), (2, 3)])
@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 50, 101])
@pytest.mark.parametrize("fmt", FORMATS)
def test_samples_are_those_that_wfdb_reads(tmp_path, fmt, n_frames, per_frame) -> None:
    header = _write_record(tmp_path, fmt, per_frame, n_frames)
    record = WfdbRecord.open(header)
    if fmt == 61 and per_frame != (1, 1):
        pytest.skip("wfdb cannot read format 61 with several samples per frame")
    _assert_spans_agree(record, _read_with_wfdb(header))


@pytest.mark.parametrize("per_frame", [1, 3])
@pytest.mark.parametrize("fmt", FLAC)
def test_flac_samples_are_those_that_wfdb_reads(tmp_path: Path, fmt: int, per_frame: int) -> None:
    half = 1 << (fmt - 501)
    samples = np.random.default_rng(fmt).integers(-half, half, (5000 * per_frame, 2))
    scaled = (samples << (32 - (fmt - 500))).astype(np.int32)
    soundfile.write(tmp_path / "rec.dat", scaled, 360, subtype=FLAC[fmt], format="FLAC")
    line = f"rec.dat {fmt}x{per_frame} 200 {fmt - 500} 0 0 0 0 lead"
    (tmp_path / "rec.hea").write_text(f"rec 2 360 5000\n{line}\n{line}\n")
    record = WfdbRecord.open(tmp_path / "rec.hea")
    assert record.source_bits_per_sample == fmt - 500
    np.testing.assert_array_equal(record.read(0, 5000).signals[1], samples[:, 1])
    _assert_spans_agree(record, _read_with_wfdb(tmp_path / "rec.hea"))


def test_a_record_says_what_its_header_says(tmp_path: Path) -> None:
    record = WfdbRecord.open(_write_record(tmp_path, 212, (1, 2), 100))
    assert (record.name, record.fs, record.n_frames) == ("rec", 360, 100)
    assert record.n_bytes == 6 + 450
    assert record.source_bits_per_sample == 12
    assert record.header_bytes == (tmp_path / "rec.hea").read_bytes()
    channel = record.channels[1]
    assert (channel.name, channel.units, channel.adc_gain) == ("lead 2", "uV", 200.0)
    assert (channel.baseline, channel.adc_res, channel.adc_zero) == (5, 12, 3)
    assert channel.samples_per_frame == 2


@pytest.mark.parametrize("suffix", ["", ".hea", ".dat"])
def test_a_record_opens_by_its_name_its_header_or_its_signal_file(tmp_path, suffix) -> None:
    _write_record(tmp_path, 16, (1, 1), 10)
    assert WfdbRecord.open(tmp_path / f"rec{suffix}").n_frames == 10


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_missing_length_is_derived_from_the_file(tmp_path: Path, fmt: int) -> None:
    header = _write_record(tmp_path, fmt, (1, 2), 100)
    header.write_text(header.read_text().replace("rec 2 360 100", "rec 2 360"))
    assert WfdbRecord.open(header).n_frames == 100


def test_signals_in_several_files_and_formats_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_bytes(np.array([1, 2, 3, 4], "<i2").tobytes())
    (tmp_path / "b.dat").write_bytes(bytes([128, 129]))
    (tmp_path / "rec.hea").write_text(
        "# comment first\r\nrec 3 100\r\n\r\na.dat 16 0 0\r\na.dat 16\r\nb.dat 80 100/mmHg\r\n"
    )
    record = WfdbRecord.open(tmp_path / "rec")
    np.testing.assert_array_equal(record.read(0, 2).samples, [[1, 2, 0], [3, 4, 1]])
    assert record.source_bits_per_sample == pytest.approx((16 + 16 + 8) / 3)
    assert record.n_bytes == 10
    assert record.channels[0].adc_gain == 200


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "empty"),
        ("# only a comment\n", "empty"),
        ("rec\n", "no signals"),
        ("rec 0 360 1000\n", "no signals"),
        ("rec two 360 1000\n", "number of signals 'two'"),
        ("rec 2 360 1000\nrec.dat 212\n", "1 signal lines, line 1 says 2"),
        ("rec 1 nan 1000\nrec.dat 212\n", "sampling frequency 'nan'"),
        ("rec 1 0 1000\nrec.dat 212\n", "sampling frequency '0'"),
        ("rec 1 -5 1000\nrec.dat 212\n", "sampling frequency '-5'"),
        ("rec 1 360 many\nrec.dat 212\n", "number of samples 'many'"),
        ("rec 1 360 99999999999999999999\nrec.dat 212\n", "number of samples"),
        ("rec 1 360 1000\nrec.dat 213\n", "unknown signal format 213"),
        ("rec 1 360 1000\nrec.dat x\n", "format 'x'"),
        ("rec 1 360 1000\nrec.dat\n", "needs a file name and a format"),
        ("rec 1 360 1000\nrec.dat 212 nan\n", "line 2: gain 'nan'"),
        ("rec 1 360 1000\nrec.dat 212 NaN/mV 12 0\n", "gain 'NaN/mV'"),
        ("rec 1 360 1000\nrec.dat 212 1e999\n", "gain '1e999'"),
        ("rec 1 360 1000\nrec.dat 212 twelve\n", "gain 'twelve'"),
        ("rec/2 1 360 1000\na 500\nb 500\n", "a record of several segments, not one of them"),
        ("rec 1 360 1000\n~ 0\n", "signal file '~'"),
        ("rec 1 360 1000\n../rec.dat 212\n", "must stand beside the header"),
        ("rec 1 360 1000\n/etc/passwd 212\n", "must stand beside the header"),
        ("rec 1 360 2001\nrec.dat 212\n", "2000 samples in 3000 bytes, rec.hea says 2001"),
        ("rec 1 360 1000\nother.dat 212\n", "other.dat: not found"),
        ("rec 2 360 9\nrec.dat 212\nrec.dat 16\n", "formats"),
        ("rec 3 360 9\nrec.dat 16\nb.dat 16\nrec.dat 16\n", "do not stand together"),
        ("rec 1 360 1000\nrec.dat 516\n", "cannot be read as FLAC"),
        ("rec 1 360 1000\nrec.dat 16+99999999\n", "byte offset 99999999"),
        ("rec 1 360\nrec.dat 16+3000\n", "0 samples; there is nothing"),
    ],
)
def test_what_cannot_be_is_one_line_that_names_the_file(tmp_path, header, message) -> None:
    path = _write_header(tmp_path, header)
    with pytest.raises(RecordError) as caught:
        WfdbRecord.open(path)
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_are_named(tmp_path: Path) -> None:
    for name in ("rec", "rec.hea", "rec.dat"):
        with pytest.raises(RecordError, match=r"rec\.hea: not found; a WFDB record needs its head"):
            WfdbRecord.open(tmp_path / name)
    with pytest.raises(RecordError, match="a folder, not a record"):
        WfdbRecord.open(tmp_path)


@pytest.mark.parametrize("n_bytes", range(0, 400, 7))
def test_noise_for_a_header_is_never_a_traceback(tmp_path: Path, n_bytes: int) -> None:
    noise = np.random.default_rng(n_bytes).integers(0, 256, n_bytes, np.uint8).tobytes()
    (tmp_path / "rec.hea").write_bytes(noise)
    with pytest.raises(RecordError, match=r"rec\.hea"):
        WfdbRecord.open(tmp_path / "rec")


def test_a_span_outside_of_the_record_is_refused(tmp_path: Path) -> None:
    record = WfdbRecord.open(_write_record(tmp_path, 16, (1, 1), 10))
    with pytest.raises(RecordError, match="frames 5 to 11, the record has 10"):
        record.read(5, 11)


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path: Path) -> None:
    record = WfdbRecord.open(_write_record(tmp_path, 16, (1, 1), 10))
    (tmp_path / "rec.dat").write_bytes(b"short")
    with pytest.raises(RecordError, match="shorter than its header says"):
        record.read(0, 10)


@pytest.mark.parametrize("change", ["channels", "subtype", "per_frame", "length"])
def test_a_flac_file_that_contradicts_its_header_is_refused(tmp_path: Path, change: str) -> None:
    subtype = "PCM_24" if change == "subtype" else "PCM_16"
    n_channels = 3 if change == "channels" else 2
    samples = np.zeros((99 if change == "length" else 100, n_channels), np.int16)
    soundfile.write(tmp_path / "rec.dat", samples, 360, subtype=subtype, format="FLAC")
    second = "516x2" if change == "per_frame" else "516"
    (tmp_path / "rec.hea").write_text(f"rec 2 360 100\nrec.dat 516\nrec.dat {second}\n")
    with pytest.raises(RecordError, match=r"rec\.dat"):
        WfdbRecord.open(tmp_path / "rec")


def test_importing_the_adapter_loads_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys, sancodec.formats.wfdb, sancodec.formats.arrays, sancodec.formats.container\n"
        "print(sorted(sys.modules.keys() & {'wfdb', 'pandas', 'soundfile', 'numba', 'torch'}))"
    )
    root = Path(__file__).parent.parent
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert found.stdout.strip() == "[]"


def _real_headers() -> list[Path]:
    folder = os.environ.get("SANCODEC_DATA")
    if not folder:
        return []
    patterns = ("wfdb-samples/sample-data/*.hea", "mitdb/10*.hea", "extra/*/*0.hea")
    return sorted(path for pattern in patterns for path in Path(folder).glob(pattern))


@pytest.mark.skipif(not _real_headers(), reason="SANCODEC_DATA is not set: no real records")
@pytest.mark.parametrize("header", _real_headers(), ids=lambda path: path.stem)
def test_real_records_are_read_as_wfdb_reads_them(header: Path) -> None:
    if header.stem == "1003":
        with pytest.raises(RecordError, match=r"1003\.dat: not found"):
            WfdbRecord.open(header)
        return
    record = WfdbRecord.open(header)
    expected = wfdb.rdheader(str(header.with_suffix("")))
    assert record.fs == expected.fs
    for i, channel in enumerate(record.channels):
        assert channel.name == (expected.sig_name[i] or "")
        # wfdb drops what is not ASCII, such as a degree sign, and then falls back to mV.
        assert not channel.units.isascii() or channel.units == expected.units[i]
        assert (channel.adc_gain, channel.baseline) == (expected.adc_gain[i], expected.baseline[i])
        assert (channel.adc_res, channel.adc_zero) == (expected.adc_res[i], expected.adc_zero[i])
    _assert_spans_agree(record, _read_with_wfdb(header))
