"""What a batch takes for a record, and what for a file that is carried along."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from archives import make_archive, write_record, write_segments

from sancodec.batch.trees import LocalTree
from sancodec.batch.walk import Archive, Choice, find_records
from sancodec.errors import RecordError


def walk(folder: Path, **settings: object) -> Archive:
    choice = Choice(**settings)
    return find_records(LocalTree(folder), choice)


def names(archive: Archive) -> dict[str, str]:
    return {record.name: record.target for record in archive.records}


def test_records_of_nested_folders_are_found_with_their_places(tmp_path: Path) -> None:
    archive = walk(make_archive(tmp_path))
    assert names(archive) == {
        f"group{i % 2}/deep/r0{i}.hea": f"group{i % 2}/deep/r0{i}.san" for i in (0, 2, 1)
    }
    assert archive.others == ("RECORDS", "group0/notes.txt")


def test_segments_are_no_records_of_their_own(tmp_path: Path) -> None:
    write_segments(tmp_path)
    (record,) = walk(tmp_path).records
    assert record.name == "whole.hea"
    assert set(record.files) == {"whole.hea", "layout.hea", "s0.hea", "s0.dat", "s1.hea", "s1.dat"}


def test_segments_of_an_incomplete_record_are_records_of_their_own(tmp_path: Path) -> None:
    write_segments(tmp_path, n_missing=1)
    archive = walk(tmp_path)
    assert [record.name for record in archive.records if not record.problem] == ["s0.hea", "s1.hea"]
    (whole,) = [record for record in archive.records if record.problem]
    assert "gone.hea not found" in whole.problem
    # Alone, the layout describes nothing.
    assert "layout.hea" in whole.files


def test_two_records_of_one_name_get_two_files(tmp_path: Path) -> None:
    write_record(tmp_path / "a.hea")
    (tmp_path / "a.edf").write_bytes(b"0       ")
    (tmp_path / "b.san").write_bytes(b"somebody's")
    write_record(tmp_path / "b.hea")
    archive = walk(tmp_path)
    assert names(archive) == {"a.hea": "a.san", "a.edf": "a.edf.san", "b.hea": "b.hea.san"}
    assert [bool(record.note) for record in archive.records] == [False, True, True]


def test_names_that_differ_in_case_alone_get_two_files(tmp_path: Path) -> None:
    write_record(tmp_path / "a.hea")
    write_record(tmp_path / "A.hea")
    targets = names(walk(tmp_path)).values()
    assert len({target.casefold() for target in targets}) == 2


def test_what_is_in_no_way_a_record_is_carried_along(tmp_path: Path) -> None:
    (tmp_path / "notes.hea").write_text("notes 0 250 1000\n# annotations only\n")
    (tmp_path / "sound.rec").write_bytes(b"RIFF....")
    assert walk(tmp_path).others == ("notes.hea", "sound.rec")


def test_a_record_without_its_signal_file_is_told(tmp_path: Path) -> None:
    write_record(tmp_path / "a.hea")
    (tmp_path / "a.dat").unlink()
    (record,) = walk(tmp_path).records
    assert "a.dat not found" in record.problem


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ({"include": ("group0/*",)}, ({"r00", "r02"}, ("group0/notes.txt",))),
        ({"include": ("r01*",)}, ({"r01"}, ())),
        ({"exclude": ("*/deep/*",)}, (set(), ("RECORDS", "group0/notes.txt"))),
        ({"exclude": ("*/group0/*",)}, ({"r01"}, ("RECORDS",))),
        ({"exclude": ("*.dat", "notes.*")}, ({"r00", "r01", "r02"}, ("RECORDS",))),
        ({"include": ("*.hea",), "exclude": ("r00.hea",)}, ({"r01", "r02"}, ())),
    ],
)
def test_patterns_choose_records_with_all_their_files(
    tmp_path: Path, patterns: dict[str, tuple[str, ...]], expected: tuple[set[str], tuple[str, ...]]
) -> None:
    archive = walk(make_archive(tmp_path), **patterns)
    assert ({Path(name).stem for name in names(archive)}, archive.others) == expected


def test_annotations_belong_to_their_record_when_asked_for(tmp_path: Path) -> None:
    write_record(tmp_path / "a.hea")
    (tmp_path / "a.atr").write_bytes(b"\x01\x04\x00\x00")
    (tmp_path / "a.txt").write_bytes(b"no annotations")
    archive = find_records(LocalTree(tmp_path), Choice(), with_annotations=True)
    assert archive.records[0].annotations == ("a.atr",)
    assert archive.others == ("a.txt",)


def test_nothing_is_left_out_in_silence(tmp_path: Path) -> None:
    make_archive(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "group0")
    (tmp_path / "broken.dat").symlink_to(tmp_path / "nowhere")
    (tmp_path / "sancodec-manifest.jsonl").write_text("")
    os.mkfifo(tmp_path / "pipe")
    assert set(walk(tmp_path).problems) == {"link", "broken.dat", "pipe", "sancodec-manifest.jsonl"}


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no such folder"):
        walk(tmp_path / "nowhere")
