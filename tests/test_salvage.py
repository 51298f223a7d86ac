"""What a damaged file still gives: what is whole, and nothing else."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st
from make_golden import FOLDER
from test_codec import encode, record

from sancodec.cli.main import main
from sancodec.errors import CorruptError
from sancodec.formats.arrays import ArraySource
from sancodec.formats.container import ContainerReader
from sancodec.formats.damaged import DamagedReader
from sancodec.recording import NO_SAMPLE, Recording
from sancodec.salvage import Salvage
from sancodec.san_file import SanFile

ORIGINAL = record(1037)
ENCODED = encode(ArraySource(ORIGINAL), chunk_seconds=0.4, model="none", level="fast")
CHUNKS = ContainerReader(io.BytesIO(ENCODED)).chunks
END = CHUNKS[-1].offset + CHUNKS[-1].n_bytes


def salvaged(encoded: bytes) -> tuple[Recording, Salvage]:
    file = SanFile(io.BytesIO(encoded), "x.san", damaged=True)
    salvage = Salvage(file)
    spans = list(salvage.spans(0, file.n_frames))
    signals = tuple(
        np.concatenate([span.signals[i] for span in spans]) for i in range(len(ORIGINAL.channels))
    )
    return (
        Recording(name="x", fs=250.0, channels=ORIGINAL.channels, signals=signals),
        salvage,
    )


def assert_nothing_is_wrong(encoded: bytes) -> set[int]:
    """Every sample is right or marked as lost; give the frames that are lost."""
    found, salvage = salvaged(encoded)
    lost = {t for span in salvage.lost for t in range(span.start, span.stop)}
    for signal, original in zip(found.signals, ORIGINAL.signals, strict=True):
        marked = signal == NO_SAMPLE
        assert set(np.flatnonzero(marked).tolist()) == lost
        np.testing.assert_array_equal(signal[~marked], original[~marked])
    return lost


def frames_of(*numbers: int) -> set[int]:
    spans = [CHUNKS[i] for i in numbers]
    return {t for entry in spans for t in range(entry.start, entry.start + entry.n_frames)}


def flipped(encoded: bytes, *offsets: int) -> bytes:
    damaged = bytearray(encoded)
    for offset in offsets:
        damaged[offset] ^= 0x5A
    return bytes(damaged)


def test_a_whole_file_loses_nothing() -> None:
    assert assert_nothing_is_wrong(ENCODED) == set()


@pytest.mark.parametrize("where", [0, 1, 5, -1])
@pytest.mark.parametrize("number", [0, 4, len(CHUNKS) - 1])
def test_one_damaged_chunk_loses_its_own_span_alone(number: int, where: int) -> None:
    entry = CHUNKS[number]
    damaged = flipped(ENCODED, entry.offset + where % entry.n_bytes)
    assert assert_nothing_is_wrong(damaged) == frames_of(number)
    assert assert_nothing_is_wrong(flipped(damaged, END + 6)) == frames_of(number)
    assert assert_nothing_is_wrong(damaged[:-1]) == frames_of(number)


def test_a_lost_index_is_rebuilt_from_the_chunks() -> None:
    for offset in range(END, len(ENCODED)):
        assert assert_nothing_is_wrong(flipped(ENCODED, offset)) == set()
    assert assert_nothing_is_wrong(ENCODED[:END]) == set()
    reader = DamagedReader(io.BytesIO(ENCODED[:END]))
    assert reader.chunks == CHUNKS
    assert "cut short" in reader.problem


def test_a_file_cut_anywhere_gives_the_chunks_before_the_cut() -> None:
    whole = [i for i, entry in enumerate(CHUNKS) for _ in range(entry.n_bytes)]
    for stop in range(CHUNKS[0].offset + CHUNKS[0].n_bytes, len(ENCODED), 7):
        n_whole = sum(entry.offset + entry.n_bytes <= stop for entry in CHUNKS)
        assert assert_nothing_is_wrong(ENCODED[:stop]) == frames_of(*range(n_whole, len(CHUNKS)))
    assert len(set(whole)) == len(CHUNKS)


@pytest.mark.parametrize("where", [0, 20])
def test_chunks_around_a_hole_are_found(where: int) -> None:
    first, last = CHUNKS[2].offset + where, CHUNKS[5].offset + where
    lost = {0: (2, 3, 4), 20: (2, 3, 4, 5)}[where]
    assert assert_nothing_is_wrong(ENCODED[:first] + ENCODED[last:]) == frames_of(*lost)


def test_chunks_between_two_holes_are_found() -> None:
    damaged = bytearray(ENCODED)
    for number in (6, 2):
        offset = CHUNKS[number].offset
        del damaged[offset + 1 : offset + 5]
    assert assert_nothing_is_wrong(bytes(damaged)) == frames_of(2, 6)


def test_chunks_in_another_order_are_put_in_their_own() -> None:
    sections = [ENCODED[entry.offset : entry.offset + entry.n_bytes] for entry in CHUNKS]
    head = ENCODED[: CHUNKS[0].offset]
    assert assert_nothing_is_wrong(head + b"".join(sections[::-1])) == set()


def test_chunks_of_another_file_are_not_taken_for_its_own() -> None:
    other = encode(ArraySource(record(1036)), chunk_seconds=0.4, model="none", level="fast")
    entry = ContainerReader(io.BytesIO(other)).chunks[3]
    strange = other[entry.offset : entry.offset + entry.n_bytes]
    own = CHUNKS[3]
    damaged = ENCODED[: own.offset] + strange + ENCODED[own.offset + own.n_bytes :]
    assert assert_nothing_is_wrong(damaged) == frames_of(3)


def test_chunks_of_one_size_that_changed_places_are_noticed() -> None:
    sizes = [entry.n_bytes for entry in CHUNKS]
    i, j = next((i, j) for j in range(len(sizes)) for i in range(j) if sizes[i] == sizes[j])
    swapped = bytearray(ENCODED)
    for to, of in ((i, j), (j, i)):
        a, b = CHUNKS[to], CHUNKS[of]
        swapped[a.offset : a.offset + a.n_bytes] = ENCODED[b.offset : b.offset + b.n_bytes]
    with pytest.raises(CorruptError, match=f"chunk {i}"):
        SanFile(io.BytesIO(bytes(swapped))).read(CHUNKS[i].start, CHUNKS[i].start + 1)


@given(
    st.lists(st.tuples(st.integers(0, len(ENCODED) - 1), st.binary(max_size=9), st.integers(0, 9)))
)
@settings(max_examples=150, deadline=None)
def test_nothing_wrong_is_ever_given(changes: list[tuple[int, bytes, int]]) -> None:
    damaged = bytearray(ENCODED)
    for offset, put, n_taken in changes:
        damaged[offset : offset + n_taken] = put
    with contextlib.suppress(CorruptError):
        assert_nothing_is_wrong(bytes(damaged))


@pytest.mark.parametrize("name", ["wide", "short", "noise", "placed"])
def test_files_of_either_version_are_rebuilt_without_their_index(name: str) -> None:
    encoded = (FOLDER / f"{name}.san").read_bytes()
    reader = ContainerReader(io.BytesIO(encoded))
    found = DamagedReader(io.BytesIO(flipped(encoded, len(encoded) - 1)))
    assert found.problem
    assert found.chunks == reader.chunks


def test_the_command_names_what_is_lost_and_marks_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "walk.san"
    path.write_bytes(flipped(ENCODED, CHUNKS[3].offset + 9))
    assert main(["decode", str(path)]) == 3
    assert not list(tmp_path.glob("walk*.dat"))
    assert main(["decode", str(path), "--salvage"]) == 3
    output = capsys.readouterr()
    assert "record walk, 1.2 s to 1.6 s of 0, 1" in output.err
    assert "100 of 1037 samples of each lead are lost" in output.err
    read = wfdb.rdrecord(str(tmp_path / "walk_salvaged"), physical=False)
    expected = np.stack(ORIGINAL.signals, axis=1).astype(np.int64)
    expected[300:400] = -32768
    np.testing.assert_array_equal(read.d_signal, expected)
    # The checksums of the header are those of what is in the file.
    sums = [int(column.sum()) % 65536 for column in expected.T]
    assert [checksum % 65536 for checksum in read.checksum] == sums
    assert np.isnan(wfdb.rdrecord(str(tmp_path / "walk_salvaged")).p_signal[300:400]).all()


def test_a_file_that_is_whole_decodes_as_without_salvage(tmp_path: Path) -> None:
    path = tmp_path / "walk.san"
    path.write_bytes(ENCODED)
    assert main(["decode", str(path), "--salvage", "-o", str(tmp_path)]) == 0
    assert (tmp_path / "walk.hea").is_file()
    assert not list(tmp_path.glob("*salvaged*"))


def test_a_part_is_salvaged_by_seconds(tmp_path: Path) -> None:
    path = tmp_path / "walk.san"
    path.write_bytes(flipped(ENCODED, CHUNKS[3].offset + 9, len(ENCODED) - 2))
    arguments = ["decode", str(path), "--salvage", "--start", "1s", "--stop", "2s"]
    assert main([*arguments, "--format", "npy"]) == 3
    samples = np.load(tmp_path / "walk_salvaged.npy")
    expected = np.stack(ORIGINAL.signals, axis=1)[250:500]
    expected[50:150] = NO_SAMPLE
    np.testing.assert_array_equal(samples, expected)


def test_where_the_header_is_lost_all_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "walk.san"
    path.write_bytes(flipped(ENCODED, 14))
    assert main(["decode", str(path), "--salvage"]) == 3
    assert "header" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]
