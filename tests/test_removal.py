"""Originals are deleted when asked for, and only when the written file gives them back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sancodec import files
from sancodec.cli.main import main
from sancodec.config import CodecConfig
from sancodec.errors import VerifyError
from sancodec.fidelity import TargetPrdn
from sancodec.files import encode_file

FAST = CodecConfig(model="none", level="fast")


@pytest.fixture
def folder(simulated_folder: Path, tmp_path: Path) -> Path:
    for path in simulated_folder.iterdir():
        shutil.copy(path, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_originals_go_when_asked_and_come_back(folder: Path) -> None:
    before = contents(folder)
    record, target = str(folder / "demo"), folder / "demo.san"
    arguments = ["encode", record, "--level", "fast", "--model", "none"]
    assert main([*arguments, "--remove-original", "--attach", str(folder / "notes.txt")]) == 0
    # What was attached is no file of the record.
    assert sorted(contents(folder)) == ["demo.san", "notes.txt"]
    assert main(["decode", str(target), "--force"]) == 0
    target.unlink()
    assert contents(folder) == before


@pytest.mark.parametrize("what", ["written", "original"])
def test_nothing_goes_when_a_byte_differs(
    folder: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, target = folder / "demo.dat", folder / "demo.san"
    decode = files.decode_file

    def damaging(source: Path, into: Path, **settings: object) -> object:
        damaged = into / "demo.dat" if what == "written" else original
        paths = decode(source, into, **settings)
        damaged.write_bytes(damaged.read_bytes()[:-1] + b"\x00")
        return paths

    encode_file(folder / "demo", target, FAST)
    monkeypatch.setattr(files, "decode_file", damaging)
    with pytest.raises(VerifyError, match="no original was deleted"):
        files.delete_originals(folder / "demo", target)
    assert sorted(contents(folder)) == ["demo.dat", "demo.hea", "demo.san", "notes.txt"]


def test_a_file_that_cannot_be_read_back_deletes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = files.remove_originals

    def truncated(written: Path, *arguments: object) -> None:
        written.write_bytes(written.read_bytes()[:-9])
        remove(written, *arguments)

    monkeypatch.setattr(files, "remove_originals", truncated)
    assert main(["encode", str(folder / "demo"), "--remove-original"]) == 3
    assert {"demo.dat", "demo.hea"} < set(contents(folder))


@pytest.mark.parametrize("option", [["--prdn", "5"], ["--no-verify"], ["-o", "-"]])
def test_what_gives_nothing_back_deletes_nothing(
    folder: Path, option: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder)
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    assert main(["encode", str(folder / "demo"), "--remove-original", *option]) == 2
    assert contents(folder) == before


def test_a_lossy_file_deletes_nothing(folder: Path) -> None:
    lossy = CodecConfig(fidelity=TargetPrdn(5.0), model="none")
    encode_file(folder / "demo", folder / "demo.san", lossy)
    with pytest.raises(VerifyError, match="no original was deleted"):
        files.delete_originals(folder / "demo", folder / "demo.san")
    assert {"demo.dat", "demo.hea"} < set(contents(folder))
