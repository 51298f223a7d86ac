from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sancodec.errors import (
    ChecksumError,
    CorruptError,
    OutputError,
    RecordError,
    SancodecError,
    TruncatedError,
    UnsupportedError,
)
from sancodec.formats.dat import DatLayout, DatPacker
from sancodec.formats.dat_formats import FORMATS
from sancodec.formats.listing import encode_originals
from sancodec.formats.originals import NOT_SIGNALS, OriginalFile, Originals
from sancodec.formats.output import find_name_problem
from sancodec.formats.restoration import RecordShape, describe, restore
from sancodec.formats.wfdb import WfdbRecord
from sancodec.recording import Recording


def _spans(record: WfdbRecord, step: int = 37) -> Iterator[Recording]:
    for start in range(0, record.n_frames, step):
        yield record.read(start, min(record.n_frames, start + step))


def _make_restoration(record: WfdbRecord, step: int = 37) -> bytes:
    restorer = record.restorer()
    for span in _spans(record, step):
        restorer.feed(span)
    return restorer.finish()


def _describe(blob: bytes, record: WfdbRecord, name: str = "") -> Originals:
    return describe(blob, RecordShape.of(record), name)


def _encode(files: Sequence[OriginalFile], record: WfdbRecord) -> bytes:
    return encode_originals(files, RecordShape.of(record))


def _write_record(
    folder: Path, fmt: int, n_frames: int = 100, prolog: bytes = b"", epilog: bytes = b""
) -> WfdbRecord:
    folder.mkdir(exist_ok=True)
    signals = [np.arange(n_frames * n, dtype=np.int32) % 100 - 30 for n in (1, 2)]
    layout = DatLayout(format=fmt, samples_per_frame=(1, 2), initial=(-30, -30))
    packer = DatPacker(layout)
    packed = packer.feed(signals).tobytes() + packer.finish().tobytes()
    (folder / "rec.dat").write_bytes(prolog + packed + epilog)
    lines = "".join(f"rec.dat {fmt}x{n}+{len(prolog)} 200 12 0 -30 0 0 lead {n}\n" for n in (1, 2))
    (folder / "rec.hea").write_text(f"rec 2 360 {n_frames}\n{lines}# a comment\n")
    return WfdbRecord.open(folder / "rec")


def _assert_same_files(paths: list[Path], originals: Path) -> None:
    for path in paths:
        assert path.read_bytes() == (originals / path.name).read_bytes()
    assert sorted(path.name for path in paths) == sorted(os.listdir(paths[0].parent))


@pytest.mark.parametrize("prolog", [b"", b"\0\1", bytes(24)])
@pytest.mark.parametrize("epilog", [b"", b"\0", b"more\0", bytes(range(256)) * 300])
@pytest.mark.parametrize("fmt", FORMATS)
def test_files_come_back_byte_for_byte(tmp_path: Path, fmt: int, prolog, epilog) -> None:
    record = _write_record(tmp_path / "in", fmt, 100, prolog, epilog)
    blob = _make_restoration(record)
    paths = restore(
        _describe(blob, record), _spans(record, 11), tmp_path / "new" / "out", force=False
    )
    _assert_same_files(paths, tmp_path / "in")


@pytest.mark.parametrize("fmt", [212, 310, 311])
def test_bits_that_no_sample_has_come_back(tmp_path: Path, fmt: int) -> None:
    record = _write_record(tmp_path / "in", fmt, 1000)
    path = tmp_path / "in" / "rec.dat"
    noisy = np.frombuffer(path.read_bytes(), np.uint8).copy()
    if fmt != 212:
        noisy[3::4] |= 0xC0 if fmt == 311 else 0
        noisy[0::4] |= 1 if fmt == 310 else 0
    path.write_bytes(noisy.tobytes())
    blob = _make_restoration(record)
    _assert_same_files(
        restore(_describe(blob, record), _spans(record), tmp_path / "out", force=False),
        tmp_path / "in",
    )
    assert len(blob) < 300


def test_a_large_file_that_no_rule_predicts_is_attached(tmp_path: Path) -> None:
    epilog = np.random.default_rng(1).integers(0, 256, 3_000_000, np.uint8).tobytes()
    record = _write_record(tmp_path / "in", 16, 100, b"", epilog)
    blob = _make_restoration(record)
    assert _describe(blob, record).files[1].correction.attached
    _assert_same_files(
        restore(_describe(blob, record), _spans(record), tmp_path / "out", force=False),
        tmp_path / "in",
    )


def test_a_restoration_tells_names_sizes_and_bits(tmp_path: Path) -> None:
    record = _write_record(tmp_path, 212, 100, b"", b"tail")
    originals = _describe(_make_restoration(record), record)
    assert isinstance(originals, Originals)
    assert [file.name for file in originals.files] == ["rec.hea", "rec.dat"]
    assert originals.original_n_bytes == record.n_bytes == 454
    assert originals.source_bits_per_sample == record.source_bits_per_sample == 12
    assert originals.files[0].format == NOT_SIGNALS


def test_a_file_that_its_samples_give_costs_little(tmp_path: Path) -> None:
    record = _write_record(tmp_path, 212, 100_000)
    assert len(_make_restoration(record, 10_000)) < 200


def test_existing_files_are_refused_before_any_work(tmp_path: Path) -> None:
    record = _write_record(tmp_path / "in", 16)
    blob = _make_restoration(record)

    def never() -> Iterator[Recording]:
        pytest.fail("a span was asked for")
        yield

    with pytest.raises(OutputError, match=r"rec\.hea: exists already; use --force"):
        restore(_describe(blob, record), never(), tmp_path / "in", force=False)
    (tmp_path / "in" / "rec.dat").write_bytes(b"spoilt")
    record_files = {
        path.name
        for path in restore(_describe(blob, record), _good(tmp_path), tmp_path / "in", force=True)
    }
    assert record_files == {"rec.hea", "rec.dat"}
    assert (tmp_path / "in" / "rec.dat").stat().st_size == 600


def _good(folder: Path) -> list[Recording]:
    record = _write_record(folder / "again", 16)
    return list(_spans(record))


def test_wrong_samples_leave_nothing_behind(tmp_path: Path) -> None:
    record = _write_record(tmp_path / "in", 16)
    blob = _make_restoration(record)
    spans = list(_spans(record))
    spoilt = replace(spans[1], signals=tuple(signal + np.int32(1) for signal in spans[1].signals))
    with pytest.raises(ChecksumError, match=r"x\.san: rec\.dat: SHA-256"):
        restore(
            _describe(blob, record),
            [spans[0], spoilt, spans[2]],
            tmp_path / "out",
            force=False,
            name="x.san",
        )
    short = [spans[0], spans[0], spans[0].frames(0, 2)]
    with pytest.raises(CorruptError, match=r"rec\.dat: 456 bytes restored, expected 600"):
        restore(_describe(blob, record), short, tmp_path / "out", force=False)
    channels, signals = spans[0].channels[:1], spans[0].signals[:1]
    one = Recording(name="a", fs=1.0, channels=channels, signals=signals)
    with pytest.raises(CorruptError, match="the record has 1"):
        restore(_describe(blob, record), [one], tmp_path / "out", force=False)
    assert os.listdir(tmp_path / "out") == []


def test_an_error_while_decoding_leaves_nothing_behind(tmp_path: Path) -> None:
    record = _write_record(tmp_path / "in", 16)
    blob = _make_restoration(record)

    def fail() -> Iterator[Recording]:
        yield record.read(0, 10)
        raise ChecksumError("chunk 1 is damaged")

    with pytest.raises(ChecksumError, match="chunk 1"):
        restore(_describe(blob, record), fail(), tmp_path / "out", force=False)
    assert os.listdir(tmp_path / "out") == []


def test_files_already_placed_are_taken_back_when_a_later_one_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = _write_record(tmp_path / "in", 16)
    blob = _make_restoration(record)
    replace_file = os.replace

    def fail_on_the_second(source: Path, target: Path) -> None:
        if target.name == "rec.dat":
            raise OSError(28, "No space left on device")
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", fail_on_the_second)
    with pytest.raises(OutputError, match=r"rec\.dat: cannot be written \(No space left"):
        restore(_describe(blob, record), _spans(record), tmp_path / "out", force=False)
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unwritable for root")
def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    record = _write_record(tmp_path / "in", 16)
    blob = _make_restoration(record)
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="out"):
        restore(_describe(blob, record), _spans(record), tmp_path / "out", force=False)


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path: Path) -> None:
    record = _write_record(tmp_path / "in", 16)
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(OutputError, match="out"):
        restore(
            _describe(_make_restoration(record), record),
            _spans(record),
            tmp_path / "out",
            force=False,
        )


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../a", "/etc/passwd", "a/b", "a\\b", "C:a", ".bashrc", "a\n", "a\0b",
        "nul", "COM1.dat", "a.", "a ", "x" * 256, "a?", "\u202egpj.exe",
    ],
)  # fmt: skip
def test_names_that_leave_the_folder_or_deceive_are_refused(tmp_path: Path, name: str) -> None:
    record = _write_record(tmp_path, 16)
    files = _describe(_make_restoration(record), record).files
    blob = _encode([replace(files[0], name=name), files[1]], record)
    with pytest.raises(CorruptError):
        restore(_describe(blob, record), _spans(record), tmp_path / "out", force=True)
    assert find_name_problem(name)
    assert not (tmp_path / "out").exists()


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    record = _write_record(tmp_path, 16)
    files = _describe(_make_restoration(record), record).files
    with pytest.raises(CorruptError, match="second file"):
        _describe(_encode([files[0], replace(files[1], name="REC.HEA")], record), record)


def test_every_prefix_is_refused(tmp_path: Path) -> None:
    record = _write_record(tmp_path, 8, 100, b"prolog", b"x" * 70_000)
    blob = _make_restoration(record)
    for n_bytes in range(len(blob)):
        with pytest.raises(TruncatedError):
            _describe(blob[:n_bytes], record)


def test_every_flipped_byte_is_refused_or_harmless(tmp_path: Path) -> None:
    record = _write_record(tmp_path / "in", 8, 100, b"prolog", b"x" * 70_000)
    blob = _make_restoration(record)
    for offset in range(len(blob)):
        damaged = bytearray(blob)
        damaged[offset] ^= 0x55
        try:
            paths = restore(
                _describe(bytes(damaged), record), _spans(record), tmp_path / "out", force=True
            )
        except SancodecError:
            continue
        # The container's checksum notices a changed name; the content has its own hash.
        for path, original in zip(paths, ("rec.hea", "rec.dat"), strict=True):
            assert path.read_bytes() == (tmp_path / "in" / original).read_bytes()


def test_sizes_that_nothing_accounts_for_are_refused(tmp_path: Path) -> None:
    record = _write_record(tmp_path / "in", 16)
    header, signals = _describe(_make_restoration(record), record).files
    for spoilt in (
        replace(signals, n_bytes=1 << 47),
        replace(
            signals,
            n_bytes=1 << 47,
            correction=replace(header.correction, start=(1 << 47) - 1, n_bytes=1, encoded=b"x"),
        ),
    ):
        with pytest.raises(CorruptError, match=r"restored|end at byte"):
            restore(
                _describe(_encode([header, spoilt], record), record),
                _spans(record),
                tmp_path / "o",
                force=True,
            )


def test_newer_versions_and_formats_are_unsupported(tmp_path: Path) -> None:
    record = _write_record(tmp_path, 16)
    blob = _make_restoration(record)
    with pytest.raises(UnsupportedError, match="version 3"):
        _describe(b"\x03" + blob[1:], record)
    files = _describe(blob, record).files
    with pytest.raises(UnsupportedError, match="signal format 99"):
        _describe(_encode([files[0], replace(files[1], format=99)], record), record)


def test_an_original_that_vanishes_while_encoding_is_named(tmp_path: Path) -> None:
    record = _write_record(tmp_path, 16)
    restorer = record.restorer()
    span = record.read(0, 10)
    (tmp_path / "rec.dat").unlink()
    with pytest.raises(RecordError, match=r"rec\.dat: cannot be read"):
        restorer.feed(span)


def _real_headers() -> list[Path]:
    folder = os.environ.get("SANCODEC_DATA")
    if not folder:
        return []
    patterns = ("wfdb-samples/sample-data/*.hea", "mitdb/1*0.hea", "extra/*/*0.hea",
                "physionet/*/*.hea")  # fmt: skip
    paths = sorted(path for pattern in patterns for path in Path(folder).glob(pattern))
    return [path for path in paths if path.stem != "1003"]


@pytest.mark.skipif(not _real_headers(), reason="SANCODEC_DATA is not set: no real records")
@pytest.mark.parametrize("header", _real_headers(), ids=lambda path: path.stem)
def test_real_records_come_back_byte_for_byte(tmp_path: Path, header: Path) -> None:
    record = WfdbRecord.open(header)
    step = 7_777 if record.n_frames < 1_000_000 else 777_777
    blob = _make_restoration(record, step)
    paths = restore(
        _describe(blob, record), _spans(record, step + 1), tmp_path / "out", force=False
    )
    _assert_same_files(paths, header.parent)
    if all(file.format in FORMATS for file in _describe(blob, record).files[1:]):
        assert len(blob) < len(record.header_bytes) + 64 * len(paths) + 150
