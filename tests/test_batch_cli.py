"""sancodec batch as its users see it: exit codes, lines of JSON, pages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from archives import encode_tree, entries, hashes, make_archive, write_record

from sancodec.batch.manifest import FAILED, RECORD, Entry
from sancodec.batch.page import make_page
from sancodec.batch.summary import Summary
from sancodec.cli.main import main

FAST = ["--level", "fast", "--model", "none", "--jobs", "1"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_archive(tmp_path / "source", 2)


def test_an_archive_goes_there_and_back(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "bad.hea").write_text("bad 1 250 100\nbad.dat 16\n")
    target, back, page = tmp_path / "target", tmp_path / "back", tmp_path / "page.html"
    there = ["batch", "encode", str(source), str(target), *FAST]
    assert main([*there, "--json", "--report", str(page)]) == 4
    told = capsys.readouterr()
    summary = json.loads(told.out)
    assert (summary["n_done"], summary["n_failed"], summary["n_copied"]) == (2, 1, 3)
    assert "bad.dat not found" in summary["failures"]["bad.hea"]
    assert "failed: bad.hea: bad.dat not found" in told.err
    assert "group0/deep/r00.hea" in page.read_text()
    assert main(["batch", "decode", str(target), str(back), "--jobs", "1"]) == 0
    assert "2 of 2 records done, 3 other files carried along" in capsys.readouterr().out
    assert hashes(back) == hashes(source)


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "target"
    there = ["batch", "encode", str(source), str(target), *FAST, "--dry-run"]
    assert main(there) == 0
    told = capsys.readouterr()
    assert "group0/deep/r00.hea -> group0/deep/r00.san (new)" in told.out
    assert "2 records to encode, 0 done" in told.err
    assert not target.exists()
    encode_tree(source, target)
    write_record(source / "group0" / "deep" / "r00.hea", seed=5)
    assert main([*there, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["encode"] == {"group0/deep/r00.hea": "changed"}
    assert plan["skip"] == ["group1/deep/r01.hea"]
    assert main(["batch", "decode", str(target), str(tmp_path / "back"), "--dry-run"]) == 0
    assert "group1/deep/r01.san" in capsys.readouterr().out
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prdn", "5", "--remove-original"], "only deleted of what is lossless"),
        (["--prdn", "5", "--max-error", "3"], "choose one"),
        (["--jobs", "0"], "jobs"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(
    source: Path,
    tmp_path: Path,
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["batch", "encode", str(source), str(tmp_path / "target"), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "target").exists()


def test_a_source_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb in ("encode", "decode"):
        assert main(["batch", verb, str(tmp_path / "no"), str(tmp_path / "target")]) == 1
        assert "no such folder" in capsys.readouterr().err


class Scripts(HTMLParser):
    """Counts the elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]


def test_a_page_shows_all_records_and_trusts_no_name(source: Path, tmp_path: Path) -> None:
    summary = encode_tree(source, tmp_path / "target")
    records = [entry for (kind, _), entry in entries(tmp_path / "target").items() if kind == RECORD]
    evil = '"><script>alert(1)</script><img src=http://x>&.hea'
    bad = Entry(kind=RECORD, name=f"f/{evil}", state=FAILED, error=f"{evil}: no")
    records += [bad, replace(records[0], name=f"g/{evil}", kinds=(evil,))]
    summary.failures[bad.name] = bad.error
    page = make_page(summary, records)
    found = Scripts()
    found.feed(page)
    assert found.tags.count("script") == 1
    assert "img" not in found.tags
    assert not found.addresses
    assert "http-equiv" in page
    assert found.tags.count("tr") == 11 + 1 + (1 + 4) + (1 + 4)
    assert re.search(r'data-value="group0/deep/r00.hea">group0/deep/r00.hea<', page)


def test_a_page_of_nothing_can_be_made() -> None:
    assert "<h2>Records</h2>" in make_page(Summary(source="a", target="b"), [])
