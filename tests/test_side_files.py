from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import sancodec
from sancodec.cli.main import main
from sancodec.config import CodecConfig
from sancodec.errors import ChecksumError, CorruptError, RecordError, SancodecError
from sancodec.fidelity import MaxError
from sancodec.files import decode_file, encode_file, inspect_file, verify_file
from sancodec.formats.corrections import Correction
from sancodec.formats.listing import encode_originals
from sancodec.formats.originals import (
    MAX_SIDE_FILE_BYTES,
    SIDE_FILE,
    OriginalFile,
    Originals,
)
from sancodec.formats.restoration import RecordShape, SourceFile, describe, describe_whole
from sancodec.formats.side_files import (
    find_annotations,
    is_annotation,
    read_side_files,
    side_sources,
)

BEATS = np.array([(1 << 10) | 200, (59 << 10), 1, 40_000, (63 << 10) | 3, 0x4E28, 0x29, 0], "<u2")
ANNOTATIONS = BEATS.tobytes()
SHAPE = RecordShape(name="rec", samples_per_frame=(), n_frames=0)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A record of 50 samples with annotations, other files of its name, and a long document."""
    folder = tmp_path / "in"
    folder.mkdir()
    samples = np.arange(100, dtype="<i2") % 37
    (folder / "rec.xyz").write_bytes(samples.tobytes())
    (folder / "rec.hea").write_text("rec 2 360 50\nrec.xyz 16\nrec.xyz 16\n")
    (folder / "rec.atr").write_bytes(ANNOTATIONS)
    (folder / "rec.qrs").write_bytes(ANNOTATIONS[:2] + bytes(14))
    (folder / "rec.txt").write_text("not annotations")
    (folder / "recorder.atr").write_bytes(ANNOTATIONS)
    (folder / "long.pdf").write_bytes(np.random.default_rng(3).bytes(300_000))
    return folder / "rec.hea"


@pytest.mark.parametrize("fidelity", [None, MaxError(("1",))])
def test_annotations_and_attached_files_come_back_beside_the_record(record, tmp_path, fidelity):
    config = CodecConfig(level="fast") if fidelity is None else CodecConfig(fidelity=fidelity)
    (record.parent / "empty").touch()
    attach = [record.parent / name for name in ("long.pdf", "empty", "rec.atr")]
    san = tmp_path / "rec.san"
    report = encode_file(record, san, config, with_annotations=True, attach=attach)
    names = ["rec.atr", "rec.qrs", "long.pdf", "empty"]
    assert list(report.side_files) == list(inspect_file(san)[0].side_files) == names
    assert report.original_n_bytes == 200
    verify_file(san)
    paths = decode_file(san, tmp_path / "out")
    assert {path.name for path in paths} == {"rec.hea", "rec.xyz", *names}
    exact = names if fidelity else os.listdir(tmp_path / "out")
    for name in exact:
        assert (tmp_path / "out" / name).read_bytes() == (record.parent / name).read_bytes()
    with sancodec.open(san) as file:
        assert list(file.attachments) == names
        assert file.attachments["rec.atr"] == ANNOTATIONS


def test_a_lossy_record_that_decodes_to_a_new_one_keeps_its_side_files(record, tmp_path) -> None:
    (record.parent / "rec.xyz").write_bytes(bytes(range(100)))
    record.write_text("rec 2 360 50\nrec.xyz 8\nrec.xyz 8\n")
    san = tmp_path / "rec.san"
    config = CodecConfig(fidelity=MaxError(("1",)))
    encode_file(record, san, config, with_annotations=True)
    verify_file(san)
    names = {path.name for path in decode_file(san, tmp_path / "out")}
    assert names == {"rec.hea", "rec.dat", "rec.atr", "rec.qrs"}
    assert (tmp_path / "out" / "rec.atr").read_bytes() == ANNOTATIONS
    # A part of a record is a new record, with other times.
    part = {path.name for path in decode_file(san, tmp_path / "part", stop=20)}
    assert part == {"rec.hea", "rec.dat"}


def test_the_command_line_takes_files_in_and_tells_of_them(record, tmp_path, capsys) -> None:
    san, out = str(tmp_path / "rec.san"), tmp_path / "out"
    attach = ["--attach", str(record.parent / "rec.txt")]
    assert main(["encode", str(record), "-o", san, "--with-annotations", *attach]) == 0
    assert main(["inspect", san]) == 0
    assert "rec.qrs (16 bytes), rec.txt (15 bytes)" in capsys.readouterr().out
    assert main(["decode", san, "-o", str(out)]) == 0
    assert (out / "rec.txt").read_text() == "not annotations"
    assert main(["decode", san, "-o", str(out)]) != 0
    assert "exists already" in capsys.readouterr().err
    assert main(["encode", str(record), "-o", san, "--attach", str(tmp_path / "none")]) == 2


def test_annotations_are_found_by_name_and_content(record: Path) -> None:
    found = find_annotations([SourceFile(path=record), SourceFile(path=record.parent / "rec.xyz")])
    assert [path.name for path in found] == ["rec.atr", "rec.qrs"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (ANNOTATIONS, True),
        (ANNOTATIONS + bytes(512), True),
        (bytes(2), True),
        (b"", False),
        (ANNOTATIONS[:-2], False),
        (ANNOTATIONS[:-1], False),
        (ANNOTATIONS + b"\1\0", False),
        (np.array([55 << 10, 0], "<u2").tobytes(), False),
        # A skip that leads behind the end.
        (np.array([59 << 10, 0], "<u2").tobytes(), False),
    ],
)
def test_annotations_are_told_from_other_files(content: bytes, expected: bool) -> None:
    assert is_annotation(content) is expected


def test_files_that_cannot_come_back_are_refused(record: Path, tmp_path: Path) -> None:
    own = [SourceFile(path=record)]
    same_name = tmp_path / "REC.HEA"
    same_name.touch()
    with pytest.raises(RecordError, match="has the name of"):
        side_sources([same_name], own)
    with pytest.raises(RecordError, match=r"none\.pdf: not found"):
        side_sources([tmp_path / "none.pdf"], own)
    with pytest.raises(RecordError, match="begins with a dot"):
        side_sources([tmp_path / ".hidden"], own)
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(MAX_SIDE_FILE_BYTES + 1)
    with pytest.raises(RecordError, match="can travel along"):
        side_sources([large], own)
    assert side_sources([record], own) == ()


def _listed(file: OriginalFile) -> Originals:
    return describe(encode_originals([file], SHAPE), SHAPE)


def test_side_files_that_claim_too_much_are_refused(record: Path) -> None:
    (file,) = describe_whole([SourceFile(path=record.parent / "long.pdf", format=SIDE_FILE)])
    assert read_side_files(_listed(file))["long.pdf"] == (record.parent / "long.pdf").read_bytes()
    assert file.correction.attached
    with pytest.raises(CorruptError, match=f"at most {MAX_SIDE_FILE_BYTES}"):
        _listed(replace(file, n_bytes=MAX_SIDE_FILE_BYTES + 1))
    huge = replace(file.correction, n_bytes=MAX_SIDE_FILE_BYTES)
    for spoilt in (
        replace(file, n_bytes=MAX_SIDE_FILE_BYTES),
        replace(file, n_bytes=MAX_SIDE_FILE_BYTES, correction=huge),
        replace(file, correction=Correction()),
        replace(file, correction=replace(file.correction, n_bytes=file.n_bytes - 1, start=1)),
        replace(file, correction=replace(file.correction, encoded=b"no frame of zstd")),
    ):
        with pytest.raises(CorruptError):
            read_side_files(_listed(spoilt))
    with pytest.raises(ChecksumError):
        read_side_files(_listed(replace(file, sha256=bytes(8))))


def test_every_damaged_byte_of_a_side_file_is_noticed(record: Path) -> None:
    (file,) = describe_whole([SourceFile(path=record.parent / "rec.txt", format=SIDE_FILE)])
    blob = encode_originals([file], SHAPE)
    for offset in range(len(blob)):
        with pytest.raises(SancodecError):
            read_side_files(describe(blob[:offset], SHAPE))
        damaged = bytearray(blob)
        damaged[offset] ^= 0x55
        try:
            found = read_side_files(describe(bytes(damaged), SHAPE))
        except SancodecError:
            continue
        # The checksum of the container notices a changed name.
        assert list(found.values()) in ([b"not annotations"], [])
