"""Packs on the command line: what is written, listed, taken out, and how damage is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from make_golden import FOLDER

from sancodec.cli.main import main
from sancodec.formats.pack import PackReader

NAMES = ("edf", "records/near", "records/placed", "records/deep/several")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder of .san files in folders."""
    for name in NAMES:
        path = tmp_path / "tree" / f"{name}.san"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((FOLDER / f"{path.stem}.san").read_bytes())
    return tmp_path / "tree"


@pytest.fixture
def pack(tree: Path, tmp_path: Path) -> Path:
    """A pack of these files."""
    target = tmp_path / "many.sanpack"
    assert main(["pack", str(tree), "-o", str(target)]) == 0
    return target


def test_what_is_packed_is_told_and_never_overwritten_unasked(
    tree: Path, pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["pack", str(tree), "-o", str(pack)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main(["pack", str(tree), "-o", str(pack.with_name("again.sanpack"))]) == 0
    assert "4 records" in capsys.readouterr().out
    assert main(["pack", str(tree), "-o", str(pack), "--force", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["n_members"], report["n_failed"]) == (4, 0)
    assert report["n_bytes"] == pack.stat().st_size


def test_records_are_listed(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["list", str(pack)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines] == sorted(NAMES)
    assert main(["list", str(pack), "--include", "records/*", "--json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {own["name"] for own in listed} == set(NAMES[1:])
    assert all(own["seconds"] == own["n_frames"] / own["fs"] for own in listed)
    assert main(["list", str(pack), "--bytes", "--json"]) == 0
    assert sum(json.loads(capsys.readouterr().out)["n_bytes"].values()) == pack.stat().st_size


def test_what_is_named_comes_out(tree: Path, pack: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["unpack", str(pack), "edf", "records/deep", "-o", str(out)]) == 0
    found = {path.relative_to(out) for path in out.rglob("*.san")}
    assert found == {Path("edf.san"), Path("records/deep/several.san")}
    assert all((out / path).read_bytes() == (tree / path).read_bytes() for path in found)
    assert main(["unpack", str(pack), "edf", "-o", str(out)]) == 4
    assert main(["unpack", str(pack), "nothing", "-o", str(out)]) == 2


def test_one_record_is_decoded_from_the_pack(tree: Path, pack: Path, tmp_path: Path) -> None:
    assert main(["decode", f"{pack}::edf", "-o", str(tmp_path / "one")]) == 0
    assert main(["decode", str(tree / "edf.san"), "-o", str(tmp_path / "other")]) == 0
    (one,), (other,) = (list((tmp_path / name).iterdir()) for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()
    assert main(["unpack", str(pack), "edf", "--originals", "-o", str(tmp_path / "all")]) == 0
    assert (tmp_path / "all" / one.name).read_bytes() == one.read_bytes()
    assert main(["inspect", f"{pack}::edf"]) == 0
    assert main(["decode", f"{pack}::none", "-o", str(tmp_path / "none")]) == 2


def test_a_pack_is_no_single_record(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("decode", "inspect"):
        assert main([verb, str(pack)]) == 2
        assert "::NAME" in capsys.readouterr().err


def test_damage_of_one_record_leaves_the_others(
    tree: Path, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(pack)]) == 0
    with pack.open("rb") as source:
        hurt = next(own for own in PackReader(source).members() if own.name == "records/near")
    content = bytearray(pack.read_bytes())
    content[hurt.offset + hurt.n_body // 2] ^= 1
    pack.write_bytes(content)
    capsys.readouterr()
    assert main(["verify", str(pack)]) == 3
    assert "records/near" in capsys.readouterr().err
    assert main(["unpack", str(pack), "-o", str(tmp_path / "out")]) == 4
    assert "records/near" in capsys.readouterr().err
    assert len(list((tmp_path / "out").rglob("*.san"))) == 3


def test_a_pack_without_its_index_is_salvaged(
    tree: Path, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack.write_bytes(pack.read_bytes()[:-20])
    assert main(["unpack", str(pack), "-o", str(tmp_path / "out")]) == 3
    assert "--salvage" in capsys.readouterr().err
    assert main(["unpack", str(pack), "-o", str(tmp_path / "out"), "--salvage"]) == 3
    assert "4 records were found" in capsys.readouterr().err
    out = tmp_path / "out"
    assert all((out / f"{n}.san").read_bytes() == (tree / f"{n}.san").read_bytes() for n in NAMES)


def test_a_file_that_is_none_is_named(tree: Path, pack: Path) -> None:
    (tree / "broken.san").write_bytes(b"no .san file")
    target = pack.with_name("other.sanpack")
    assert main(["pack", str(tree), "-o", str(target)]) == 4
    with target.open("rb") as source:
        assert PackReader(source).n_members == 4
