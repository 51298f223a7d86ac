"""Records on disk: the same files come back, and nothing is left half-written."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

import sancodec
from sancodec import codec, files
from sancodec.config import CodecConfig
from sancodec.errors import (
    ChecksumError,
    CorruptError,
    OutputError,
    RecordError,
    SancodecError,
    VerifyError,
)
from sancodec.files import decode_file, encode_file, inspect_file, open_file, verify_file
from sancodec.formats.container import ContainerWriter
from sancodec.formats.wfdb import WfdbRecord
from sancodec.recording import Recording

NO_SAN = CodecConfig(model="none")
DATA = os.environ.get("SANCODEC_DATA", "")
needs_data = pytest.mark.skipif(not DATA, reason="SANCODEC_DATA is not set: no real recordings")

# Small records of every format that WFDB has, and of mixed frequencies, skew and no length.
WFDB_SAMPLES = [
    *("binformats", "flacformats", "mixedsignals", "3000003_0003", "100_3chan"),
    *("310derive", "310derive_2", "310derive_3"),
    *("311derive", "311derive_2", "311derive_3", "311derive_4"),
    *("test01_00s", "test01_00s_frame", "test01_00s_skew", "test01_00s_skewframe"),
]


def copy_record(header: Path, folder: Path) -> Path:
    """Copy a record; give the header of the copy."""
    lines = header.read_text("latin-1").splitlines()
    signals = {line.split()[0] for line in lines[1:] if line.strip() and line[0] != "#"}
    for name in (header.name, *signals):
        if (header.parent / name).is_file():
            shutil.copy(header.parent / name, folder / name)
    return folder / header.name


def check(header: Path, folder: Path, config: CodecConfig | None = None) -> Path:
    """Encode, decode into an empty folder, compare every byte; give the .san file."""
    target, output = folder / "x.san", folder / "decoded"
    report = encode_file(header, target, config or CodecConfig())
    assert report.verified
    assert report.n_bytes == target.stat().st_size
    for path in decode_file(target, output):
        assert path.read_bytes() == (header.parent / path.name).read_bytes()
    assert (output / header.name).is_file()
    verify_file(target)
    return target


def listing(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def header_in(folder: Path) -> Path:
    return folder / "demo.hea"


def test_a_record_comes_back_byte_for_byte(minute_folder: Path, tmp_path: Path) -> None:
    target = check(header_in(minute_folder), tmp_path)
    # 12 bits a sample in format 212.
    assert target.stat().st_size < 0.5 * (minute_folder / "demo.dat").stat().st_size


def test_originals_are_not_touched(simulated_folder: Path, tmp_path: Path) -> None:
    header = copy_record(header_in(simulated_folder), tmp_path)
    before = {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()
    }
    encode_file(header, tmp_path / "x.san", NO_SAN)
    for name, (content, modified) in before.items():
        assert (tmp_path / name).read_bytes() == content
        assert (tmp_path / name).stat().st_mtime_ns == modified


def test_the_report_is_that_of_inspect(simulated_folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.san"
    report = encode_file(header_in(simulated_folder), target, CodecConfig())
    inspected, spans = inspect_file(target)
    assert inspected.layers == report.layers
    assert sum(span.n_bytes for span in spans) == target.stat().st_size == report.n_bytes
    assert sum(report.layers.values()) == report.n_bytes
    assert report.encode_seconds is not None


def test_a_stream_gets_the_bytes_of_the_file(simulated_folder: Path, tmp_path: Path) -> None:
    stream = io.BytesIO()
    encode_file(header_in(simulated_folder), stream, NO_SAN)
    encode_file(header_in(simulated_folder), tmp_path / "x.san", NO_SAN)
    assert stream.getvalue() == (tmp_path / "x.san").read_bytes()
    paths = decode_file(io.BytesIO(stream.getvalue()), tmp_path / "out")
    assert {path.name for path in paths} == {"demo.hea", "demo.dat"}


@pytest.fixture
def encoded(simulated_folder: Path, tmp_path: Path) -> Path:
    target = tmp_path / "x.san"
    encode_file(header_in(simulated_folder), target, CodecConfig(model="none", chunk_seconds=3))
    return target


def test_a_range_is_written_as_a_new_record(encoded: Path, simulated_folder: Path) -> None:
    output = encoded.parent / "part"
    decode_file(encoded, output, start=500, stop=2000)
    (header,) = output.glob("*.hea")
    part = WfdbRecord.open(header)
    original = WfdbRecord.open(header_in(simulated_folder)).read(500, 2000)
    np.testing.assert_array_equal(part.read(0, part.n_frames).samples, original.samples)


def test_samples_are_written_as_an_array(encoded: Path, simulated_folder: Path) -> None:
    (path,) = decode_file(encoded, encoded.parent, fmt="npy", start=10, stop=4000)
    original = WfdbRecord.open(header_in(simulated_folder)).read(10, 4000)
    np.testing.assert_array_equal(np.load(path), original.samples)


def test_an_existing_file_is_overwritten_only_when_asked(
    encoded: Path, simulated_folder: Path
) -> None:
    before = encoded.read_bytes()
    with pytest.raises(OutputError, match=r"x\.san: exists already; use --force"):
        encode_file(header_in(simulated_folder), encoded, NO_SAN)
    assert encoded.read_bytes() == before
    encode_file(header_in(simulated_folder), encoded, NO_SAN, force=True)
    assert encoded.read_bytes() != before


def test_existing_originals_are_overwritten_only_when_asked(encoded: Path) -> None:
    output = encoded.parent / "out"
    output.mkdir()
    (output / "demo.dat").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"demo\.dat: exists already"):
        decode_file(encoded, output)
    assert listing(output) == {"demo.dat"}
    assert (output / "demo.dat").read_bytes() == b"mine"
    decode_file(encoded, output, force=True)
    assert (output / "demo.dat").read_bytes() != b"mine"


def test_an_output_that_cannot_be_written_is_named(simulated_folder: Path, tmp_path: Path) -> None:
    # A file where a folder should be: refused to whoever runs the tests.
    (tmp_path / "occupied").write_bytes(b"")
    with pytest.raises(OutputError, match=r"occupied.x\.san: cannot be written"):
        encode_file(header_in(simulated_folder), tmp_path / "occupied" / "x.san", NO_SAN)
    assert listing(tmp_path) == {"occupied"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_an_unwritable_folder_is_named(simulated_folder: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(OutputError, match=r"x\.san: cannot be written"):
        encode_file(header_in(simulated_folder), locked / "x.san", NO_SAN)
    assert not listing(locked)


class _Interrupted(BaseException):
    """As KeyboardInterrupt: nobody catches it."""


@pytest.mark.parametrize("kind", [_Interrupted, RecordError, OSError, MemoryError])
@pytest.mark.parametrize("existing", [False, True])
def test_an_encoding_that_ends_early_leaves_nothing(
    simulated_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[BaseException],
    existing: bool,
) -> None:
    target = tmp_path / "x.san"
    if existing:
        target.write_bytes(b"old")

    def fail(done: int, total: int, step: str = "") -> None:
        raise kind("stop")

    with pytest.raises((kind, OutputError)):
        encode_file(header_in(simulated_folder), target, NO_SAN, progress=fail, force=True)
    assert listing(tmp_path) == ({"x.san"} if existing else set())
    assert not existing or target.read_bytes() == b"old"


def _flip_payload(self: ContainerWriter, payload: bytes, genuine: Any) -> None:
    changed = bytearray(payload)
    changed[len(changed) // 2] ^= 4
    genuine(self, bytes(changed))


def test_a_file_that_does_not_verify_is_not_kept(
    simulated_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = ContainerWriter.add_chunk
    monkeypatch.setattr(
        codec.ContainerWriter, "add_chunk", lambda self, p: _flip_payload(self, p, genuine)
    )
    target = tmp_path / "x.san"
    with pytest.raises(VerifyError, match=r"not decode to its original.*nothing was kept"):
        encode_file(header_in(simulated_folder), target, NO_SAN)
    assert not listing(tmp_path)
    stream = io.BytesIO()
    with pytest.raises(VerifyError):
        encode_file(header_in(simulated_folder), stream, NO_SAN)
    assert stream.getvalue() == b""
    # Unasked, nobody notices: that is what --no-verify means.
    report = encode_file(header_in(simulated_folder), target, NO_SAN, verify=False)
    assert not report.verified
    with pytest.raises(CorruptError):
        verify_file(target)


def test_originals_that_would_not_come_back_fail_the_verification(
    simulated_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong:
        def __init__(self, genuine: Any) -> None:
            self._genuine = genuine

        def feed(self, span: Recording) -> None:
            # One sample is not that of the file: its correction, and so its hash, are others'.
            signals = tuple(np.where(np.arange(s.size) == 7, s ^ 1, s) for s in span.signals)
            self._genuine.feed(
                Recording(
                    name=span.name,
                    fs=span.fs,
                    channels=span.channels,
                    signals=tuple(s.astype(np.int32) for s in signals),
                )
            )

        def finish(self) -> bytes:
            return bytes(self._genuine.finish())

    genuine = WfdbRecord.restorer
    monkeypatch.setattr(WfdbRecord, "restorer", lambda self, own: Wrong(genuine(self, own)))
    with pytest.raises(VerifyError):
        encode_file(header_in(simulated_folder), tmp_path / "x.san", NO_SAN)
    assert not listing(tmp_path)


def test_damage_is_found_and_nothing_is_written(encoded: Path) -> None:
    content = bytearray(encoded.read_bytes())
    output = encoded.parent / "out"
    for offset in range(40, len(content), max(len(content) // 40, 1)):
        content[offset] ^= 0x10
        encoded.write_bytes(content)
        content[offset] ^= 0x10
        with pytest.raises(CorruptError, match=r"x\.san"):
            verify_file(encoded)
        with pytest.raises(CorruptError, match=r"x\.san"):
            decode_file(encoded, output)
        assert not output.exists() or not listing(output)


def test_a_damaged_chunk_leaves_the_others_readable(encoded: Path) -> None:
    content = bytearray(encoded.read_bytes())
    with open_file(encoded) as file:
        second = file.container.chunks[1]
        expected = file.read(0, second.start).samples
    content[second.offset + second.n_bytes // 2] ^= 1
    encoded.write_bytes(content)
    with open_file(encoded) as file:
        np.testing.assert_array_equal(file.read(0, second.start).samples, expected)
        assert file.read(second.start + second.n_frames, file.n_frames).n_frames > 0
        with pytest.raises(ChecksumError, match=r"x\.san: chunk 1"):
            file.read(second.start, second.start + 1)


@pytest.mark.parametrize("missing", ["nosuch", "nosuch.hea", "nosuch.dat"])
def test_a_record_that_is_not_there_is_named(tmp_path: Path, missing: str) -> None:
    with pytest.raises(RecordError, match="nosuch"):
        encode_file(tmp_path / missing, tmp_path / "x.san", NO_SAN)
    assert not listing(tmp_path)


def test_progress_comes_to_its_end(simulated_folder: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    config = CodecConfig(model="none", chunk_seconds=4)
    target = tmp_path / "x.san"
    encode_file(
        header_in(simulated_folder), target, config, progress=lambda a, b, _="": told.append((a, b))
    )
    n_frames = WfdbRecord.open(header_in(simulated_folder)).n_frames
    assert told[-1] == (2 * n_frames, 2 * n_frames)
    assert told == sorted(told)


def _prefix_of_mitdb(folder: Path, name: str, n_frames: int) -> Path:
    """Write the first frames of a record of two leads in format 212."""
    source = Path(DATA) / "mitdb"
    (folder / f"{name}.dat").write_bytes((source / f"{name}.dat").read_bytes()[: n_frames * 3])
    first, *rest = (source / f"{name}.hea").read_text().splitlines(keepends=True)
    words = first.split()
    assert words[3] == "650000"
    words[3] = str(n_frames)
    # Checksums are those of the whole record: sancodec keeps the text and does not read them.
    (folder / f"{name}.hea").write_text(" ".join(words) + "\n" + "".join(rest))
    return folder / f"{name}.hea"


@needs_data
@pytest.mark.parametrize("name", ["100", "119", "208"])
def test_real_beats_come_back_and_the_san_layer_pays(name: str, tmp_path: Path) -> None:
    header = _prefix_of_mitdb(tmp_path, name, 90 * 360)
    target = check(header, tmp_path)
    report, _ = inspect_file(target)
    assert report.n_activations > 60
    without = io.BytesIO()
    encode_file(header, without, NO_SAN, verify=False)
    assert report.n_bytes < len(without.getvalue())
    assert 8 * report.n_bytes / report.n_samples < 4.6


@needs_data
@pytest.mark.parametrize("name", WFDB_SAMPLES)
def test_every_format_of_wfdb_comes_back(name: str, tmp_path: Path) -> None:
    header = Path(DATA) / "wfdb-samples" / "sample-data" / f"{name}.hea"
    check(copy_record(header, tmp_path), tmp_path)


def _clinical() -> Iterator[Path]:
    for folder in ("ptb-xl/records500", "georgia", "cpsc2018", "challenge-2017"):
        yield from sorted((Path(DATA) / "extra" / folder).rglob("*.hea"))[:1]


@needs_data
@pytest.mark.parametrize("header", list(_clinical()) if DATA else [], ids=lambda path: path.stem)
def test_clinical_records_come_back(header: Path, tmp_path: Path) -> None:
    target = check(copy_record(header, tmp_path), tmp_path)
    report, _ = inspect_file(target)
    assert 8 * report.n_bytes / report.n_samples < 6.0


@needs_data
def test_a_record_cut_short_is_refused(tmp_path: Path) -> None:
    header = _prefix_of_mitdb(tmp_path, "100", 3600)
    signal = tmp_path / "100.dat"
    signal.write_bytes(signal.read_bytes()[:-3])
    with pytest.raises(RecordError, match=r"100\.dat"):
        encode_file(header, tmp_path / "x.san", NO_SAN)
    assert "x.san" not in listing(tmp_path)


def test_the_preview_of_a_file_without_a_layer_is_refused(encoded: Path) -> None:
    with pytest.raises(SancodecError, match="has no SAN layer"):
        decode_file(encoded, encoded.parent / "out", layer="san")


def test_streams_given_are_left_open(encoded: Path) -> None:
    with encoded.open("rb") as stream:
        verify_file(stream)
        assert not stream.closed
        source: BinaryIO = stream
        assert files.inspect_file(source)[0].n_bytes == encoded.stat().st_size


def test_decoding_by_path_is_decoding_by_record(encoded: Path, simulated_folder: Path) -> None:
    original = WfdbRecord.open(header_in(simulated_folder))
    expected = original.read(0, original.n_frames).samples
    np.testing.assert_array_equal(sancodec.decode(encoded).samples, expected)
