"""Records of several segments: all files come back, and samples are those that WFDB assembles."""

from __future__ import annotations

import io
import itertools
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import wfdb
from make_golden import write_several

import sancodec
from sancodec.cli.main import main
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError, CorruptError, RecordError, SancodecError, TruncatedError
from sancodec.files import decode_file, encode_file, inspect_file, verify_file
from sancodec.formats.bundle import (
    MAX_PLACES,
    BundleReader,
    Segment,
    SegmentTable,
    begin_bundle,
    finish_bundle,
    is_bundle,
)
from sancodec.formats.listing import encode_originals
from sancodec.formats.restoration import RecordShape, SourceFile, describe_whole
from sancodec.formats.segmented import open_record
from sancodec.recording import NO_SAMPLE, Channel
from sancodec.salvaged import salvage_file
from sancodec.segmented_file import SegmentedFile

FAST = CodecConfig(level="fast", model="none")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record several, and its file several.san; not to be written to."""
    folder = tmp_path_factory.mktemp("segments")
    encode_file(write_several(folder), folder / "several.san", FAST)
    return folder


def _opened(folder: Path) -> SegmentedFile:
    file = sancodec.open(folder / "several.san")
    assert isinstance(file, SegmentedFile)
    return file


def _write_fixed(folder: Path, names: tuple[str, ...] = ("a", "b")) -> Path:
    """Two signals of 1 and 2 samples per frame, in segments of 16 bits and a gap between them."""
    for i, name in enumerate(names):
        samples = np.random.default_rng(i).integers(-900, 900, 300).astype("<i2")
        samples[9] = -(1 << 15)
        (folder / f"{name}.dat").write_bytes(samples.tobytes())
        line = f"{name}.dat 16{{}} 200(7)/mV 16 0 0 0 0 {{}}\n"
        text = f"{name} 2 125 100\n" + line.format("", "I") + line.format("x2", "II")
        (folder / f"{name}.hea").write_text(text)
    n_frames = 150 * len(names) - 50
    lines = "~ 50\n".join(f"{name} 100\n" for name in names)
    (folder / "rec.hea").write_text(
        f"rec/{2 * len(names) - 1} 2 125 {n_frames}\n{lines}# comment\n"
    )
    return folder / "rec.hea"


def test_all_files_of_all_segments_come_back(folder: Path, tmp_path: Path) -> None:
    paths = decode_file(folder / "several.san", tmp_path / "out")
    assert sorted(path.name for path in paths) == sorted({*os.listdir(folder)} - {"several.san"})
    assert sorted(os.listdir(tmp_path / "out")) == sorted(path.name for path in paths)
    for path in paths:
        assert path.read_bytes() == (folder / path.name).read_bytes()
    verify_file(folder / "several.san")


def test_segments_of_the_same_samples_are_stored_once(folder: Path) -> None:
    record = open_record(folder / "several.hea")
    assert [segment.member for segment in record.segments] == [None, 0, 1, None, 0]
    assert [segment.channels for segment in record.segments][1:3] == [(0, 1, None), (None, 1, 0)]
    report, spans = inspect_file(folder / "several.san")
    assert (report.n_segments, report.n_gaps, report.n_frames) == (3, 2, 2000)
    assert report.original_n_bytes == 2100 + 667
    assert report.n_samples == 2 * (700 + 333 + 700)
    assert sum(span.n_bytes for span in spans) == report.n_bytes
    assert all(a.stop == b.offset for a, b in itertools.pairwise(spans))


def test_samples_are_those_that_wfdb_assembles(folder: Path) -> None:
    expected = wfdb.rdrecord(str(folder / "several")).p_signal
    with _opened(folder) as file:
        for start, stop in ((0, 2000), (150, 950), (899, 1500), (1100, 1101), (0, 200)):
            for signal, own in zip(file.physical(start, stop), expected.T, strict=True):
                np.testing.assert_array_equal(signal, own[start:stop])
    assert np.isnan(expected[500:510, 0]).all()


def test_several_samples_per_frame_and_gaps_of_a_fixed_layout(tmp_path: Path) -> None:
    header = _write_fixed(tmp_path)
    encode_file(header, tmp_path / "rec.san", FAST)
    # wfdb reads no gaps in a fixed layout.
    parts = [wfdb.rdrecord(str(tmp_path / name), smooth_frames=False).e_p_signal for name in "ab"]
    with sancodec.open(tmp_path / "rec.san") as file:
        assert file.n_frames == 250
        for i, signal in enumerate(file.physical(20, 240)):
            n = i + 1
            whole = np.concatenate([parts[0][i], np.full(50 * n, np.nan), parts[1][i]])
            np.testing.assert_array_equal(signal, whole[20 * n : 240 * n])


def test_digital_samples_are_in_units_of_the_layout(folder: Path) -> None:
    with _opened(folder) as file:
        whole = file.read()
        part = file.read(150, 950)
        first, second = (file.segment(i).read().signals for i in (1, 2))
        assert file.segment(0) is None
    for signal, own in zip(part.signals, whole.signals, strict=True):
        np.testing.assert_array_equal(signal, own[150:950])
    ecg, v, pressure = whole.signals
    assert (ecg[:200] == NO_SAMPLE).all()
    assert (pressure[:900] == NO_SAMPLE).all()
    np.testing.assert_array_equal(v[200:900], first[1])
    # Twice the gain, no baseline; what is missing stays so.
    expected = np.where(first[0] == -(1 << 11), NO_SAMPLE, 2 * first[0] - 20)
    np.testing.assert_array_equal(ecg[200:900], expected)
    np.testing.assert_array_equal(v[900:1233], 16 * second[1] + 10)
    np.testing.assert_array_equal(ecg[1300:], ecg[200:900])


def test_ranges_and_arrays_are_written(folder: Path, tmp_path: Path) -> None:
    (npy,) = decode_file(folder / "several.san", tmp_path, fmt="npy")
    with _opened(folder) as file:
        np.testing.assert_array_equal(np.load(npy), file.read().samples)
        expected = file.physical(850, 1000)
    header, _ = decode_file(folder / "several.san", tmp_path, start=850, stop=1000)
    found = wfdb.rdrecord(str(header)[:-4]).p_signal
    for signal, own in zip(found.T, expected, strict=True):
        np.testing.assert_allclose(signal, own, atol=1 / 200)
    with pytest.raises(ConfigError, match="several segments"):
        decode_file(folder / "several.san", tmp_path / "san", layer="san")


def test_side_files_and_loss_are_as_of_one_segment(folder: Path, tmp_path: Path, capsys) -> None:
    for path in folder.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "several.atr").write_bytes(bytes([90, 4, 0, 0]))
    san, out = tmp_path / "lossy.san", tmp_path / "out"
    arguments = [str(tmp_path / "several.hea"), "-o", str(san), "--with-annotations"]
    assert main(["encode", *arguments, "--max-error", "1"]) == 0
    assert main(["inspect", str(san)]) == 0
    assert "3, and 2 gaps" in capsys.readouterr().out
    assert main(["decode", str(san), "-o", str(out)]) == 0
    assert (out / "several.atr").read_bytes() == bytes([90, 4, 0, 0])
    names = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert {path.name for path in out.iterdir()} == names - {"several.san", "lossy.san"}
    before = wfdb.rdrecord(str(tmp_path / "sev_1"), physical=False).d_signal
    after = wfdb.rdrecord(str(out / "sev_1"), physical=False)
    assert 0 < np.abs(after.d_signal - before).max() <= 1
    assert [total % (1 << 16) for total in after.checksum] == after.calc_checksum()
    assert main(["decode", str(san), "-o", str(out)]) == 1
    assert main(["decode", str(san), "-o", str(out), "--force"]) == 0


def test_only_gaps_are_a_record_as_well(tmp_path: Path) -> None:
    (tmp_path / "rec.hea").write_text("rec/2 1 125 70\nlay 0\n~ 70\n")
    (tmp_path / "lay.hea").write_text("lay 1 125 0\n~ 0 200/mV 12 0 0 0 0 II\n")
    report = encode_file(tmp_path / "rec.hea", tmp_path / "rec.san", FAST)
    assert (report.n_samples, report.bits_per_sample) == (0, None)
    assert sancodec.decode(tmp_path / "rec.san").signals[0].tolist() == [NO_SAMPLE] * 70
    paths = decode_file(tmp_path / "rec.san", tmp_path / "out")
    assert [path.name for path in paths] == ["rec.hea", "lay.hea"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("rec/3 2 125 200\na 100\nb 100\n", "2 segments, line 1 says 3"),
        ("rec/0 2 125 200\n", "0 segments"),
        ("rec/2 2 125 200\na 100\n../b 100\n", "must stand beside"),
        ("rec/2 2 125 200\na 100\nnone 100\n", "none.hea: not found"),
        ("rec/2 2 125 200\na 100\nrec 100\n", "record of several segments, not one"),
        ("rec/2 2 125 200\na 100\nb 99\n", "segment b of 99 samples, it has 100"),
        ("rec/2 2 125 999\na 100\nb 100\n", "segments of 200 samples, the first line says 999"),
        ("rec/2 2 250 200\na 100\nb 100\n", "125 Hz, the record has 250 Hz"),
        ("rec/2 3 125 200\na 100\nb 100\n", "2 signals in its segments"),
        ("rec/2 2 125 200\na 100\nb\n", "needs a name and a number"),
        ("rec/1 2 125 50\n~ 50\n", "0 signals in its segments"),
        ("rec/2 2 125 200\na 100\none 100\n", "1 signals, other segments of rec.hea have 2"),
        ("rec/2 1 125 100\nlay 0\na 100\n", "2 samples per frame of II, the record has 1"),
    ],
)
def test_what_does_not_fit_together_is_named(tmp_path: Path, header: str, message: str) -> None:
    _write_fixed(tmp_path)
    (tmp_path / "rec.hea").write_text(header)
    (tmp_path / "one.hea").write_text("one 1 125 100\na.dat 16\n")
    (tmp_path / "lay.hea").write_text("lay 1 125 0\n~ 0 200/mV 12 0 0 0 0 II\n")
    with pytest.raises(RecordError, match=message):
        encode_file(tmp_path / "rec.hea", tmp_path / "rec.san", FAST)
    assert not (tmp_path / "rec.san").exists()


def test_a_missing_signal_file_is_named(tmp_path: Path) -> None:
    header = _write_fixed(tmp_path)
    (tmp_path / "b.dat").unlink()
    with pytest.raises(RecordError, match=r"b\.dat: not found; b\.hea names it"):
        encode_file(header, tmp_path / "rec.san", FAST)


def test_every_prefix_is_refused(folder: Path) -> None:
    whole = (folder / "several.san").read_bytes()
    for n_bytes in range(len(whole)):
        with pytest.raises(TruncatedError):
            sancodec.open(whole[:n_bytes])


def test_every_flipped_byte_is_refused(folder: Path) -> None:
    whole = (folder / "several.san").read_bytes()
    for offset in range(len(whole)):
        damaged = bytearray(whole)
        damaged[offset] ^= 0x55
        with pytest.raises(SancodecError):
            verify_file(io.BytesIO(bytes(damaged)))


def test_of_a_damaged_segment_the_others_are_salvaged(folder: Path, tmp_path: Path) -> None:
    damaged = bytearray((folder / "several.san").read_bytes())
    with _opened(folder) as file:
        whole = file.read().signals
        offset = file.bundle.offsets[1]
    damaged[offset + 30] ^= 1
    san = tmp_path / "x.san"
    san.write_bytes(damaged)
    with pytest.raises(CorruptError):
        decode_file(san, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    salvaged = salvage_file(san, tmp_path / "out", fmt="npy")
    assert [(lost.start, lost.stop) for lost in salvaged.lost] == [(900, 1233)]
    found = np.load(salvaged.paths[0])
    np.testing.assert_array_equal(found[:900, 0], whole[0][:900])
    assert (found[900:1233] == NO_SAMPLE).all()
    np.testing.assert_array_equal(found[1233:, 1], whole[1][1233:])


@pytest.mark.parametrize("damage", ["cut off", "changed", "cut within"])
def test_without_the_table_each_segment_is_a_record(
    folder: Path, tmp_path: Path, damage: str, capsys
) -> None:
    whole = (folder / "several.san").read_bytes()
    with _opened(folder) as file:
        members = [file.member(i).read() for i in range(file.n_members)]
        end = file.bundle.offsets[-1] + file.header.member_sizes[-1]
    changed = bytearray(whole)
    changed[end + 9] ^= 1
    san = tmp_path / "x.san"
    san.write_bytes(
        {"cut off": whole[:end], "changed": changed, "cut within": whole[: end - 9]}[damage]
    )
    with pytest.raises(ConfigError, match="only the whole file"):
        salvage_file(san, tmp_path, start=3)
    assert main(["decode", str(san), "--salvage", "-o", str(tmp_path)]) == 3
    said = capsys.readouterr().err
    assert f"{len(members)} segments were found" in said
    assert f"0 of {sum(member.n_frames for member in members)} samples" in said
    for member in members:
        assert f"{member.name}_salvaged.hea" in said
        found = wfdb.rdrecord(
            str(tmp_path / f"{member.name}_salvaged"), physical=False, smooth_frames=False
        )
        for signal, original in zip(found.e_d_signal, member.signals, strict=True):
            np.testing.assert_array_equal(signal, original)


def test_where_no_segment_is_left_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    san = tmp_path / "x.san"
    san.write_bytes((folder / "several.san").read_bytes()[:40])
    with pytest.raises(CorruptError, match="no segment is left"):
        salvage_file(san, tmp_path)
    assert list(tmp_path.iterdir()) == [san]


def _table(**changes: object) -> SegmentTable:
    table = SegmentTable(
        name="rec",
        fs=125.0,
        channels=(Channel(name="I"),),
        segments=(Segment(n_frames=9),),
        member_sizes=(),
        restoration=b"",
    )
    return replace(table, **changes)  # type: ignore[arg-type]


def _bundle(table: SegmentTable, members: bytes = b"") -> bytes:
    stream = io.BytesIO()
    begin_bundle(stream)
    stream.write(members)
    finish_bundle(stream, table)
    return stream.getvalue()


def test_a_table_that_cannot_be_is_refused() -> None:
    assert is_bundle(io.BytesIO(_bundle(_table())))
    assert BundleReader(io.BytesIO(_bundle(_table()))).table == _table()
    many = (Segment(n_frames=1),) * (MAX_PLACES // 256 + 1)
    for table, message in (
        (_table(fs=0.0), "sampling frequency"),
        (_table(channels=()), "channels"),
        (_table(channels=(Channel(samples_per_frame=0),)), "channels"),
        (_table(channels=(Channel(samples_per_frame=40_000),) * 2), "samples of a frame"),
        (_table(channels=(Channel(adc_gain=0.0),)), "ADC gain"),
        (_table(channels=(Channel(),) * 256, segments=many), "number of segments"),
        (_table(segments=(Segment(n_frames=1 << 40),) * 2), "number of frames"),
        (_table(segments=()), "number of frames"),
        (_table(member_sizes=(1 << 60,)), "sizes of the members"),
        (_table(segments=(Segment(n_frames=1, member=0, channels=(0,)),)), "member"),
    ):
        with pytest.raises(CorruptError, match=message):
            BundleReader(io.BytesIO(_bundle(table)))


def test_huge_gaps_take_no_memory_before_they_are_asked_for() -> None:
    encoded = _bundle(_table(segments=(Segment(n_frames=1 << 40),)))
    with sancodec.open(encoded) as file:
        with pytest.raises(ConfigError, match="read parts"):
            file.read()
        assert file.read((1 << 40) - 3).signals[0].tolist() == [NO_SAMPLE] * 3


def test_members_that_contradict_the_table_are_refused(folder: Path) -> None:
    with _opened(folder) as file:
        member = file.bundle.member(0).read()
        bundle = (folder / "several.san").read_bytes()
    for table, members in (
        (_table(segments=(Segment(n_frames=699, member=0, channels=(0,)),)), member),
        (_table(segments=(Segment(n_frames=700, member=0, channels=(2,)),)), member),
        # Segments within segments.
        (_table(segments=(Segment(n_frames=2000, member=0, channels=(0,)),)), bundle),
    ):
        encoded = _bundle(replace(table, member_sizes=(len(members),)), members)
        with sancodec.open(encoded) as file, pytest.raises(CorruptError):
            file.read()
        with pytest.raises(CorruptError):
            verify_file(io.BytesIO(encoded))


def test_two_segments_with_other_files_of_one_name_are_refused(folder, tmp_path: Path) -> None:
    record = [open_record(_write_fixed(tmp_path, (name,))) for name in "aA"]
    assert record[0].members[0].files[0].path.name == "a.hea"
    members = []
    for name in ("a", "A"):
        stream = io.BytesIO()
        encode_file(tmp_path / f"{name}.hea", stream, FAST)
        members.append(stream.getvalue())
    segments = tuple(Segment(n_frames=100, member=i, channels=(0,)) for i in range(2))
    sizes = tuple(map(len, members))
    header = describe_whole([SourceFile(path=tmp_path / "rec.hea")])
    shape = RecordShape(name="rec", samples_per_frame=(), n_frames=0)
    restoration = encode_originals(header, shape)
    table = _table(segments=segments, member_sizes=sizes, restoration=restoration)
    encoded = _bundle(table, b"".join(members))
    with pytest.raises(CorruptError, match=r"two files of the name 'A\.hea'"):
        decode_file(io.BytesIO(encoded), tmp_path / "out")


def _real_masters() -> list[Path]:
    root = os.environ.get("SANCODEC_DATA")
    folder = Path(root or ".") / "wfdb-samples" / "sample-data" / "multi-segment"
    names = ("041s/041s", "fixed1/v102s", "s25047/s25047-2704-05-04-10-44")
    return [folder / f"{name}.hea" for name in names] if root else []


@pytest.mark.skipif(not _real_masters(), reason="SANCODEC_DATA is not set: no real records")
@pytest.mark.parametrize("header", _real_masters(), ids=lambda path: path.stem)
def test_real_records_of_several_segments_come_back(header: Path, tmp_path: Path) -> None:
    encode_file(header, tmp_path / "x.san", FAST, verify=False)
    paths = decode_file(tmp_path / "x.san", tmp_path / "out")
    for path in paths:
        assert path.read_bytes() == (header.parent / path.name).read_bytes()
    record = wfdb.rdrecord(str(header)[:-4], smooth_frames=False)
    expected = list(record.p_signal.T) if record.e_p_signal is None else record.e_p_signal
    with sancodec.open(tmp_path / "x.san") as file:
        for signal, own in zip(file.physical(), expected, strict=True):
            np.testing.assert_allclose(signal, own, rtol=1e-12)
