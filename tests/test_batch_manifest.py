"""Manifests outlive killed processes, and trust nothing that they read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sancodec.batch.lock import locked
from sancodec.batch.manifest import DONE, RECORD, Entry, InputFile, Manifest
from sancodec.errors import OutputError, RecordError

FILES = (InputFile("a/1.hea", 30, "17", "ab"), InputFile("a/1.dat", 1000, "18", "cd"))
ENTRY = Entry(kind=RECORD, name="a/1.hea", files=FILES, target="a/1.san", kinds=("ecg",), cr=2.5)


def test_an_entry_comes_back_from_its_line() -> None:
    assert Entry.from_line(ENTRY.to_line()) == ENTRY


def test_the_newest_entry_of_a_record_counts(tmp_path: Path) -> None:
    manifest = Manifest.read(tmp_path / "m.jsonl")
    for entry in (ENTRY.failed("no"), ENTRY):
        manifest.add(entry)
    manifest.close()
    assert len((tmp_path / "m.jsonl").read_text().splitlines()) == 2
    assert Manifest.read(tmp_path / "m.jsonl").records() == [ENTRY]


@pytest.mark.parametrize("n_kept", range(0, len(ENTRY.to_line()), 40))
def test_a_torn_last_line_is_as_if_it_were_not_there(tmp_path: Path, n_kept: int) -> None:
    path = tmp_path / "m.jsonl"
    other = Entry(kind=RECORD, name="b.hea")
    path.write_bytes(other.to_line() + ENTRY.to_line()[:n_kept])
    manifest = Manifest.read(path)
    assert manifest.records() == [other]
    manifest.add(ENTRY)
    manifest.close()
    assert path.read_bytes() == other.to_line() + ENTRY.to_line()


@pytest.mark.parametrize(
    "change",
    [
        {"state": "fine"},
        {"kind": "folder"},
        {"name": "../a.hea"},
        {"target": "/etc/passwd"},
        {"target": 3},
        {"n_bytes": "many"},
        {"files": [{"name": "a"}]},
        {"files": [["a"]]},
        {"files": 3},
    ],
)
def test_a_line_that_is_none_is_refused_with_its_number(
    tmp_path: Path, change: dict[str, object]
) -> None:
    line = json.dumps(json.loads(ENTRY.to_line()) | change).encode()
    path = tmp_path / "m.jsonl"
    path.write_bytes(ENTRY.to_line() + line + b"\n")
    with pytest.raises(RecordError, match="line 2"):
        Manifest.read(path)


@pytest.mark.parametrize("line", [b"", b"[]", b"null", b"{", b"\xff", b'{"kind": "record"}'])
def test_garbage_is_refused(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(line + b"\n")
    with pytest.raises(RecordError, match="line 1"):
        Manifest.read(path)


def test_what_a_later_version_says_more_is_left_out() -> None:
    line = json.dumps(json.loads(ENTRY.to_line()) | {"mood": "good"}).encode()
    assert Entry.from_line(line).state == DONE


def test_nothing_is_written_of_a_line_for_which_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = Manifest.read(tmp_path / "m.jsonl")
    manifest.add(ENTRY)

    def no_room(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sancodec.batch.manifest.os.fsync", no_room)
    with pytest.raises(OutputError, match="No space left"):
        manifest.add(ENTRY.failed("no"))
    manifest.close()
    assert (tmp_path / "m.jsonl").read_bytes() == ENTRY.to_line()


HOLDER = """
import sys, time
from pathlib import Path
from sancodec.batch.lock import locked
with locked(Path(sys.argv[1]), "there"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_held_by_one_and_vanishes_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / ".sancodec-lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    with holder, holder.stdout, holder.stdin:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(OutputError, match=f"there: another batch.*process {holder.pid}"),
            locked(path, "there"),
        ):
            pass
        holder.kill()
    assert path.exists()
    with locked(path, "there"):
        assert path.exists()
    assert not path.exists()
