"""Each test vector is treated as its folder says, by sancodec and by the plain reader."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import plain_reader
import pytest
from make_vectors import FOLDER, VECTORS, lines
from plain_reader import RefusedError, TooNewError
from plain_reader.restoration import restore

import sancodec
from sancodec.errors import CorruptError, UnsupportedError
from sancodec.files import decode_file, verify_file

PATHS = sorted(FOLDER.glob("*/*.san"))


def of(folder: str) -> pytest.MarkDecorator:
    paths = [path for path in PATHS if path.parent.name == folder]
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def test_the_vectors_are_those_that_are_made_and_listed() -> None:
    made = {
        FOLDER / folder / f"{name}.san": content
        for folder, cases in VECTORS.items()
        for name, (_, content) in cases.items()
    }
    assert made == {path: path.read_bytes() for path in PATHS}
    assert (FOLDER / "README.md").read_text().splitlines() == list(lines())
    assert len(set(made.values())) == len(made)
    assert sum(map(len, made.values())) < 100_000


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


def test_hostile_vectors_take_no_memory() -> None:
    hostile = [path for path in PATHS if "hostile" in path.stem or "bomb" in path.stem]
    assert len(hostile) > 10
    tracemalloc.start()
    try:
        for path in hostile:
            with pytest.raises(CorruptError):
                verify_file(path)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
