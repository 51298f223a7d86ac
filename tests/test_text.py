"""Columns of text files: what can be read is read as it is meant, all else is named."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from sancodec.errors import RecordError
from sancodec.formats import text
from sancodec.formats.text import members_of, read_text


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        "Time [s], RESP, PLETH\n0,1.5,-2\n0.008,3,4e2\n",
        "Time [s];RESP;PLETH\r\n0;1.5;-2\r\n0.008;3;400\r\n",
        "Time [s]\tRESP\tPLETH\n0\t1.5\t-2\n\n0.008\t3\t400\n",
        "\ufeff\"Time [s]\",'RESP',PLETH\n0,1.5,-2\n0.008,3,400",
    ],
)
def test_columns_are_found_whatever_stands_between_them(tmp_path: Path, content: str) -> None:
    found = read_text(write(tmp_path / "a.csv", content))
    assert (found.name, found.names) == ("a", ("Time [s]", "RESP", "PLETH"))
    np.testing.assert_array_equal(found.columns, [[0, 0.008], [1.5, 3], [-2, 400]])


@pytest.mark.parametrize("content", ["12\n-7\n", " 12 \r\n -7 \r\n", "12\n\n-7"])
def test_a_file_without_names_is_read_from_its_first_row(tmp_path: Path, content: str) -> None:
    found = read_text(write(tmp_path / "Z001.TXT", content))
    assert found.names == ()
    np.testing.assert_array_equal(found.columns, [[12, -7]])


def test_units_in_an_old_encoding_do_not_matter(tmp_path: Path) -> None:
    found = read_text(write(tmp_path / "a.csv", b"EEG [\xb5V],x\n1,2\n"))
    assert found.names == ("EEG [\xb5V]", "x")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        ("a,b\n1,x\n", "x"),
        ("a,b\n1,2\n3\n", "not a table"),
        ("a,b,c\n1,2\n3,4\n", "3 names for 2 columns"),
        (b"\x00\x01\xff\n\xff\n", "not a table"),
    ],
)
def test_what_is_no_table_is_refused_by_name(
    tmp_path: Path, content: str | bytes, match: str
) -> None:
    with pytest.raises(RecordError, match=rf"bad\.csv: .*{match}"):
        read_text(write(tmp_path / "bad.csv", content))


def test_a_file_that_is_not_there_or_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecordError, match=r"none\.csv: cannot be read"):
        read_text(tmp_path / "none.csv")
    monkeypatch.setattr(text, "_MAX_BYTES", 3)
    with pytest.raises(RecordError, match="larger"):
        read_text(write(tmp_path / "a.csv", "1\n2\n"))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "Z.zip", "w") as opened:
        opened.writestr("Z002.txt", "3\n4\n")
        opened.writestr("sub/Z001.TXT", "1\n2\n")
        opened.writestr("readme.pdf", "no")
    return tmp_path / "Z.zip"


def test_the_text_files_of_an_archive_are_records_of_their_own(archive: Path) -> None:
    members = members_of(archive)
    assert members == [archive / "Z002.txt", archive / "sub" / "Z001.TXT"]
    found = [read_text(member) for member in members]
    assert [(one.name, one.columns.tolist()) for one in found] == [
        ("Z/Z002", [[3, 4]]),
        ("Z/Z001", [[1, 2]]),
    ]


def test_archives_that_hold_nothing_to_read_are_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"none\.txt: not in this archive"):
        read_text(archive / "none.txt")
    with pytest.raises(RecordError, match=r"no\.zip: cannot be read as a zip"):
        members_of(write(tmp_path / "no.zip", "text"))
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as opened:
        opened.writestr("a.pdf", "no")
    with pytest.raises(RecordError, match="no text file"):
        members_of(tmp_path / "empty.zip")


def test_a_damaged_member_is_refused(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[content.index(b"3\n4\n")] ^= 1
    archive.write_bytes(bytes(content))
    with pytest.raises(RecordError, match=r"Z002\.txt: cannot be read"):
        read_text(archive / "Z002.txt")
