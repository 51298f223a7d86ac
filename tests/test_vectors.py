"""Each test vector is treated as its folder says, by sancodec and by the plain reader."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import plain_reader
import pytest
from make_vectors import FOLDER, files, lines
from plain_reader import RefusedError, TooNewError
from plain_reader.packs import read_pack
from plain_reader.restoration import restore
from vector_cases.packs import PACKED

import sancodec
from sancodec.errors import CorruptError, UnsupportedError
from sancodec.files import decode_file, verify_file
from sancodec.pack import open_pack
from sancodec.unpacking import compare_checksums, verify_members

PATHS = sorted(FOLDER.glob("*/*.san"))
PACKS = sorted(FOLDER.glob("*/*.sanpack"))


def of(folder: str) -> pytest.MarkDecorator:
    paths = [path for path in PATHS if path.parent.name == folder]
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def of_packs(folder: str) -> pytest.MarkDecorator:
    paths = [path for path in PACKS if path.parent.name == folder]
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def test_the_vectors_are_those_that_are_made_and_listed() -> None:
    made = dict(files())
    assert made == {path: path.read_bytes() for path in (*PATHS, *PACKS)}
    assert (FOLDER / "README.md").read_text().splitlines() == list(lines())
    assert len(set(made.values())) == len(made)
    assert sum(map(len, made.values())) < 120_000


@of("good")
def test_good_vectors_are_read_by_both_to_the_same(path: Path, tmp_path: Path) -> None:
    verify_file(path)
    record = plain_reader.read(path)
    assert record.samples == [signal.tolist() for signal in sancodec.decode(path).signals]
    files = restore(record)
    if files:
        decode_file(path, tmp_path)
        assert files == {own.name: own.read_bytes() for own in tmp_path.iterdir()}


@of("bad")
def test_bad_vectors_are_refused_as_damaged(path: Path) -> None:
    with pytest.raises(CorruptError) as refused:
        verify_file(path)
    assert not isinstance(refused.value, UnsupportedError)
    with pytest.raises(RefusedError) as plainly_refused:
        restore(plain_reader.read(path))
    assert not isinstance(plainly_refused.value, TooNewError)


@of("unsupported")
def test_unsupported_vectors_are_refused_as_too_new(path: Path) -> None:
    with pytest.raises(UnsupportedError):
        verify_file(path)
    with pytest.raises(TooNewError):
        restore(plain_reader.read(path))


@of_packs("good")
def test_good_packs_give_both_the_same_files(path: Path) -> None:
    with open_pack(path) as pack:
        pack.reader.account()
        found = {own.name: pack.reader.open(own).read() for own in pack.reader.members()}
    for name, content in found.items():
        compare_checksums(io.BytesIO(content), name)
    assert found == PACKED[path.stem] == read_pack(path.read_bytes())


@of_packs("bad")
def test_bad_packs_are_refused(path: Path) -> None:
    with pytest.raises(CorruptError):
        verify_all(path)
    with pytest.raises(RefusedError):
        read_pack(path.read_bytes())


def verify_all(path: Path) -> None:
    with open_pack(path) as pack:
        pack.reader.account()
        list(verify_members(pack, pack.reader.members()))


def test_hostile_vectors_take_no_memory() -> None:
    hostile = [path for path in PATHS if "hostile" in path.stem or "bomb" in path.stem]
    assert len(hostile) > 10
    tracemalloc.start()
    try:
        for path in hostile:
            with pytest.raises(CorruptError):
                verify_file(path)
        for path in (own for own in PACKS if "hostile" in own.stem):
            with pytest.raises(CorruptError):
                verify_all(path)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
