"""Archives at URLs: fetched, encoded, uploaded beside their place, compared, moved there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from archives import FAST, encode_tree, hashes, make_archive, write_record
from fsspec.implementations.memory import MemoryFileSystem

from sancodec.batch import encoding_job
from sancodec.batch.decoding import DecodeSettings, decode_archive
from sancodec.batch.encoding import ArchiveSettings, encode_archive
from sancodec.batch.inline import Inline
from sancodec.batch.places import open_tree, writing
from sancodec.batch.remote import RemoteTree
from sancodec.batch.summary import Summary
from sancodec.batch.trees import LocalTree
from sancodec.cli.main import main
from sancodec.errors import ConfigError, OutputError, RecordError

SOURCE, TARGET = "memory://archive/source", "memory://archive/target"


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Path]:
    """Give a folder, and put what is in it to memory://archive/source."""
    folder = make_archive(tmp_path / "source")
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/archive/source", recursive=True)
    yield folder
    memory.rm("/archive", recursive=True)


def encode(source: str = SOURCE, target: str = TARGET, **settings: object) -> Summary:
    settings = ArchiveSettings(**{"encode": FAST, **settings})
    return encode_archive(open_tree(source), open_tree(target), settings, Inline())[0]


def decode(source: str, target: str) -> Summary:
    settings = DecodeSettings(provider="cpu")
    return decode_archive(open_tree(source), open_tree(target), settings, Inline())


def in_memory() -> list[str]:
    return sorted(fsspec.filesystem("memory").find("/archive/target"))


def test_an_archive_at_a_url_goes_there_and_back(source: Path, tmp_path: Path) -> None:
    summary = encode()
    assert (summary.n_done, summary.n_copied, summary.n_failed) == (3, 2, 0)
    lines = fsspec.filesystem("memory").cat_file("/archive/target/sancodec-manifest.jsonl")
    assert len(lines.splitlines()) == 5
    # The bytes are those of a batch between folders.
    encode_tree(source, tmp_path / "here")
    there = fsspec.filesystem("memory")
    for name, path in ((n, f"/archive/target/{n}") for n in hashes(tmp_path / "here")):
        assert there.cat_file(path) == (tmp_path / "here" / name).read_bytes()
    assert not decode(TARGET, str(tmp_path / "back")).failures
    assert hashes(tmp_path / "back") == hashes(source)
    assert decode(str(tmp_path / "here"), "memory://archive/target2").n_done == 3
    assert there.cat_file("/archive/target2/RECORDS") == (source / "RECORDS").read_bytes()
    assert not [path for path in in_memory() if ".sancodec" in path]


def test_what_is_done_at_a_url_is_skipped_and_what_changed_is_done(source: Path) -> None:
    encode()
    summary = encode()
    assert (summary.n_done, summary.n_skipped, summary.n_kept) == (0, 3, 2)
    write_record(source / "group0" / "deep" / "r00.hea", seed=9)
    memory = fsspec.filesystem("memory")
    for name in ("r00.hea", "r00.dat"):
        memory.put_file(str(source / "group0/deep" / name), f"/archive/source/group0/deep/{name}")
    summary = encode()
    assert (summary.n_done, summary.n_skipped) == (1, 2)


def test_a_file_that_does_not_arrive_is_not_kept(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = MemoryFileSystem.put_file

    def losing(self: MemoryFileSystem, local: str, path: str, **settings: object) -> None:
        put(self, local, path, **settings)
        if Path(local).name == "r01.san":
            self.pipe_file(path, self.cat_file(path)[:-1])

    monkeypatch.setattr(MemoryFileSystem, "put_file", losing)
    summary = encode()
    assert "did not arrive" in summary.failures["group1/deep/r01.hea"]
    assert summary.n_done == 2
    assert not [path for path in in_memory() if "r01.san" in path or ".sancodec" in path]
    monkeypatch.undo()
    assert encode().n_done == 1


def test_a_file_that_changes_at_its_url_is_not_kept(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode_file = encoding_job.encode_file

    def writing_meanwhile(record: Path, *arguments: object, **settings: object) -> object:
        if record.stem == "r01":
            fsspec.filesystem("memory").pipe_file("/archive/source/group1/deep/r01.dat", b"new")
        return encode_file(record, *arguments, **settings)

    monkeypatch.setattr(encoding_job, "encode_file", writing_meanwhile)
    summary = encode()
    assert "changed while it was read" in summary.failures["group1/deep/r01.hea"]
    assert summary.n_done == 2


def test_what_unfinished_uploads_left_is_cleared_away(source: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/archive/target/group0/.sancodec-1234.part", b"half")
    encode()
    assert not [path for path in in_memory() if ".sancodec" in path]


def test_a_url_that_is_no_archive_is_told(source: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="nothing in it"):
        encode("memory://archive/nowhere")
    with pytest.raises(RecordError, match="cannot be opened"):
        open_tree("nosuch://archive")
    with pytest.raises(OutputError, match="within"):
        encode(SOURCE, f"{SOURCE}/inside")
    with pytest.raises(ConfigError, match="on this machine alone"):
        encode(target=str(tmp_path / "target"), remove_originals=True)
    with writing(open_tree(TARGET)), pytest.raises(OutputError, match="another batch"):
        encode()


def test_urls_of_files_are_folders(source: Path) -> None:
    tree = open_tree(source.as_uri())
    assert isinstance(tree, LocalTree)
    assert tree.root == str(source)
    assert isinstance(open_tree(SOURCE), RemoteTree)


def test_the_command_line_takes_urls(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--level", "fast", "--model", "none", "--json"]
    assert main(["batch", "encode", SOURCE, TARGET, *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["n_done"] == 3
    assert main(["batch", "decode", TARGET, str(tmp_path / "back")]) == 0
    assert hashes(tmp_path / "back") == hashes(source)
    for more in (["--jobs", "2"], []):
        there = ["batch", "encode", SOURCE, TARGET, "--scheduler", "tcp://127.0.0.1:9", *more]
        assert main(there) == 2
