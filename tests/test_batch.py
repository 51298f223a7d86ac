"""Archives come back byte for byte, whatever fails or changes while they are worked on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from archives import (
    FAST,
    copy_of,
    decode_tree,
    encode_tree,
    entries,
    hashes,
    make_archive,
    write_record,
    write_segments,
)

from sancodec.batch import encoding_job
from sancodec.batch.encoding_job import EncodeJob, EncodeSettings
from sancodec.batch.job import Outcome
from sancodec.batch.places import writing
from sancodec.batch.pool import LocalPool
from sancodec.batch.trees import LocalTree
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError, OutputError
from sancodec.fidelity import MaxError

SLOWER = EncodeSettings(config=CodecConfig(level="fast", model="none", chunk_seconds=1.0))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_archive(tmp_path / "source")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


def states(target: Path) -> dict[str, str]:
    return {name: entry.state for (_, name), entry in entries(target).items()}


def assert_comes_back(source: Path, target: Path, tmp_path: Path) -> None:
    summary = decode_tree(target, tmp_path / "back")
    assert not summary.failures
    assert hashes(tmp_path / "back") == hashes(source)


def test_a_real_archive_of_all_kinds_comes_back(tmp_path: Path) -> None:
    """Segments, FLAC, EDF, annotations, gaps, incomplete records, a name that two records have."""
    folder = os.environ.get("SANCODEC_DATA")
    if folder is None:
        pytest.skip("SANCODEC_DATA is not set")
    samples, source = Path(folder) / "wfdb-samples" / "sample-data", tmp_path / "source"
    kinds = ("multi-segment/041s", "multi-segment/p000878", "multi-segment/s25047")
    for kind in kinds:
        shutil.copytree(samples / kind, source / kind)
    stems = ("flac*", "bin*", "100.*", "100_3chan*", "1003*", "test_edf*", "310d*", "mixed*_p*")
    for stem in stems:
        for path in samples.glob(stem):
            if path.stat().st_size < 100_000:
                shutil.copy(path, source)
    (source / "empty" / "folder").mkdir(parents=True)
    summary = encode_tree(source, tmp_path / "target", with_annotations=True)
    # Headers whose signal files are too large for the data at hand, or lie elsewhere.
    assert {Path(name).stem for name in summary.failures} == {
        "100",
        "1003",
        "p000878-2137-10-26-16-57",
    }
    assert summary.n_done > 9
    assert_comes_back(source, tmp_path / "target", tmp_path)
    assert (tmp_path / "back" / "empty" / "folder").is_dir()


def test_what_is_done_is_skipped_and_what_changed_is_done_again(
    source: Path, target: Path, tmp_path: Path
) -> None:
    assert encode_tree(source, target).n_done == 3
    before = hashes(target)
    summary = encode_tree(source, target)
    assert (summary.n_done, summary.n_skipped, summary.n_kept) == (0, 3, 2)
    assert hashes(target) == before
    write_record(source / "group0" / "deep" / "r00.hea", seed=9)
    (source / "group0" / "notes.txt").write_text("ours\n")
    summary = encode_tree(source, target)
    assert (summary.n_done, summary.n_skipped, summary.n_kept, summary.n_copied) == (1, 2, 1, 1)
    assert_comes_back(source, target, tmp_path)


def test_other_settings_do_all_records_again(source: Path, target: Path) -> None:
    encode_tree(source, target)
    before = hashes(target)
    assert encode_tree(source, target, encode=SLOWER).n_done == 3
    assert hashes(target) != before


def test_files_that_were_only_touched_are_not_done_again(source: Path, target: Path) -> None:
    encode_tree(source, target)
    for path in source.rglob("*.dat"):
        os.utime(path, (1, 1))
    assert encode_tree(source, target).n_skipped == 3


def test_what_was_deleted_or_damaged_in_the_target_is_done_again(
    source: Path, target: Path
) -> None:
    encode_tree(source, target)
    before = hashes(target)
    (target / "group0" / "deep" / "r00.san").unlink()
    damaged = target / "group1" / "deep" / "r01.san"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    # A size that is the same is believed, unless all is to be checked.
    assert encode_tree(source, target).n_done == 1
    assert encode_tree(source, target, check=True).n_done == 1
    assert hashes(target) == before


def test_a_bad_record_stops_nothing_and_is_carried_along(
    source: Path, target: Path, tmp_path: Path
) -> None:
    bad = source / "group0" / "deep" / "r00.dat"
    whole = bad.read_bytes()
    bad.write_bytes(whole[:100])
    summary = encode_tree(source, target)
    assert list(summary.failures) == ["group0/deep/r00.hea"]
    assert summary.n_done == 2
    assert_comes_back(source, target, tmp_path)
    bad.write_bytes(whole)
    assert encode_tree(source, target).n_done == 1
    # Now the record gives its files back: the copies are gone.
    assert not (target / "group0" / "deep" / "r00.dat").exists()
    shutil.rmtree(tmp_path / "back")
    assert_comes_back(source, target, tmp_path)


def test_a_record_that_became_bad_keeps_the_file_it_had(source: Path, target: Path) -> None:
    encode_tree(source, target)
    before = hashes(target)
    (source / "group0" / "deep" / "r00.dat").write_bytes(b"")
    assert encode_tree(source, target).n_failed == 1
    assert hashes(target) == before
    write_record(source / "group0" / "deep" / "r00.hea", seed=9)
    assert encode_tree(source, target).n_failed == 0


@pytest.mark.parametrize("error", [MemoryError(), PermissionError(13, "Permission denied")])
def test_a_record_for_which_there_is_no_memory_or_no_right_stops_nothing(
    source: Path, target: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = encoding_job.encode_file

    def failing(record: Path, *arguments: object, **settings: object) -> object:
        if record.stem == "r01":
            raise error
        return encode(record, *arguments, **settings)

    monkeypatch.setattr(encoding_job, "encode_file", failing)
    summary = encode_tree(source, target)
    assert list(summary.failures) == ["group1/deep/r01.hea"]
    assert summary.n_done == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_told(source: Path, target: Path) -> None:
    (source / "group0" / "deep" / "r00.dat").chmod(0)
    summary = encode_tree(source, target)
    assert summary.n_done == 2
    # Neither can it be carried along.
    assert set(summary.failures) == {"group0/deep/r00.hea", "group0/deep/r00.dat"}


def test_a_target_that_cannot_be_written_fails_its_records_alone(
    source: Path, target: Path
) -> None:
    target.mkdir()
    (target / "group0").write_text("a file where a folder should be")
    summary = encode_tree(source, target)
    assert set(summary.failures) == {
        "group0/deep/r00.hea",
        "group0/deep/r02.hea",
        *(f"group0/deep/r0{i}.{kind}" for i in (0, 2) for kind in ("dat", "hea")),
        "group0/notes.txt",
    }
    assert (target / "group1" / "deep" / "r01.san").exists()


@pytest.mark.parametrize("change", ["grows", "same size"])
def test_a_record_that_changes_while_it_is_read_is_not_kept(
    source: Path, target: Path, tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = encoding_job.encode_file
    changing = source / "group0" / "deep" / "r00.dat"

    def writing_meanwhile(record: Path, *arguments: object, **settings: object) -> object:
        approve = settings["approve"]

        def later(stream: object) -> None:
            if record.stem == "r00":
                content = changing.read_bytes()
                changing.write_bytes(content + b"!!" if change == "grows" else content[::-1])
            approve(stream)

        return encode(record, *arguments, **{**settings, "approve": later})

    monkeypatch.setattr(encoding_job, "encode_file", writing_meanwhile)
    summary = encode_tree(source, target)
    assert "changed while it was read" in summary.failures["group0/deep/r00.hea"]
    assert not (target / "group0" / "deep" / "r00.san").exists()
    monkeypatch.undo()
    assert encode_tree(source, target).n_done == 1
    assert_comes_back(source, target, tmp_path)


def test_files_that_no_batch_wrote_are_not_overwritten_unasked(source: Path, target: Path) -> None:
    mine = [target / "group0" / "deep" / "r00.san", target / "RECORDS"]
    mine[0].parent.mkdir(parents=True)
    for path in mine:
        path.write_text("mine")
    summary = encode_tree(source, target)
    assert set(summary.failures) == {"group0/deep/r00.hea", "RECORDS"}
    assert [path.read_text() for path in mine] == ["mine", "mine"]
    assert not encode_tree(source, target, force=True).failures
    assert mine[0].read_bytes() != b"mine"


def test_two_batches_on_one_target_are_one_too_many(source: Path, target: Path) -> None:
    with writing(LocalTree(target)), pytest.raises(OutputError, match="another batch"):
        encode_tree(source, target)
    with writing(LocalTree(target)), pytest.raises(OutputError, match="another batch"):
        decode_tree(source, target)
    assert not encode_tree(source, target).failures
    assert not list(target.glob(".sancodec*"))


@pytest.mark.parametrize("inside", [".", "group0", "../source/../source/new"])
def test_a_target_within_its_source_is_refused(source: Path, inside: str) -> None:
    with pytest.raises(OutputError, match="within"):
        encode_tree(source, source / inside)


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Path]]:
    """Give what mounts a disk of 16 kB, or pretends it where that is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    done = subprocess.run(mount, check=False, capture_output=True) if os.geteuid() == 0 else None
    mounted = done is not None and not done.returncode
    if not mounted:
        left = [3]

        def scarce(descriptor: int) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(28, "No space left on device")

        monkeypatch.setattr("sancodec.formats.output.os.fsync", scarce)
    yield folder
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_stops_the_batch_and_loses_nothing(
    source: Path, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(12):
        write_record(source / f"long{i}.hea", seed=i, n_frames=2000)
    before = hashes(source)
    try:
        summary = encode_tree(source, small_disk)
        stopped, n_done = summary.stopped, summary.n_done
        assert summary.n_failed
    except OutputError as error:
        # Or the line of the manifest was what had no room.
        stopped = str(error)
        n_done = sum(state == "done" for state in states(small_disk).values())
    assert "No space left" in stopped
    assert n_done < 15
    assert hashes(source) == before
    monkeypatch.undo()
    # What was written is whole, and a run on a larger disk goes on from there.
    larger = copy_of(small_disk, tmp_path / "larger")
    assert not list(larger.rglob(".sancodec*"))
    summary = encode_tree(source, larger)
    assert summary.n_done + summary.n_skipped == 15
    assert summary.n_skipped >= n_done - 1
    assert_comes_back(source, larger, tmp_path)


def test_with_loss_a_file_is_given_back_by_one_record_alone(
    source: Path, target: Path, tmp_path: Path
) -> None:
    first = source / "group1" / "deep" / "r01.hea"
    second = first.with_name("r05.hea")
    second.write_text(first.read_text().replace("r01 ", "r05 "))
    assert not encode_tree(source, target).failures
    assert_comes_back(source, target, tmp_path)
    lossy = EncodeSettings(config=CodecConfig(model="none", fidelity=MaxError(("3",))))
    summary = encode_tree(source, tmp_path / "lossy", encode=lossy)
    assert "a file of group1/deep/r01.hea as well" in summary.failures["group1/deep/r05.hea"]
    assert not decode_tree(tmp_path / "lossy", tmp_path / "after").failures
    assert sorted(hashes(tmp_path / "after")) == sorted(hashes(source))


def test_decoding_leaves_what_is_there_and_refuses_what_is_other(
    source: Path, target: Path, tmp_path: Path
) -> None:
    encode_tree(source, target)
    back = tmp_path / "back"
    decode_tree(target, back)
    (back / "group0" / "deep" / "r00.dat").unlink()
    (back / "group1" / "deep" / "r01.dat").write_bytes(b"mine")
    (back / "RECORDS").unlink()
    summary = decode_tree(target, back)
    assert (summary.n_done, summary.n_skipped, summary.n_copied) == (1, 1, 1)
    assert list(summary.failures) == ["group1/deep/r01.san"]
    assert (back / "group1" / "deep" / "r01.dat").read_bytes() == b"mine"
    assert not decode_tree(target, back, force=True).failures
    assert hashes(back) == hashes(source)


def test_a_damaged_file_does_not_stop_decoding(source: Path, target: Path, tmp_path: Path) -> None:
    encode_tree(source, target)
    damaged = target / "group0" / "deep" / "r00.san"
    damaged.write_bytes(damaged.read_bytes()[:-50])
    summary = decode_tree(target, tmp_path / "back")
    assert list(summary.failures) == ["group0/deep/r00.san"]
    assert summary.n_done == 2


# Deleting originals.


def test_originals_are_deleted_when_they_came_back(
    source: Path, target: Path, tmp_path: Path
) -> None:
    kept = copy_of(source, tmp_path / "kept")
    summary = encode_tree(source, target, remove_originals=True)
    assert summary.n_removed == 3
    assert sorted(hashes(source)) == ["RECORDS", "group0/notes.txt"]
    # Nothing is left to do, and nothing is undone.
    assert encode_tree(source, target, remove_originals=True).n_records == 0
    assert_comes_back(kept, target, tmp_path)


def test_a_file_of_two_records_waits_for_both(source: Path, target: Path) -> None:
    first = source / "group1" / "deep" / "r01.hea"
    second = first.with_name("r05.hea")
    second.write_text(first.read_text().replace("r01 ", "r05 "))
    third = first.with_name("r06.hea")
    # It says that there are more samples than there are.
    third.write_text(first.read_text().replace("r01 2 250 500", "r06 2 250 501"))
    encode_tree(source, target, remove_originals=True)
    assert first.exists()
    assert first.with_suffix(".dat").exists()
    third.unlink()
    encode_tree(source, target, remove_originals=True)
    assert not first.exists()
    assert not first.with_suffix(".dat").exists()


def test_originals_that_do_not_come_back_stay(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = encoding_job.decode_file

    def damaging(written: Path, folder: Path, **settings: object) -> object:
        paths = decode(written, folder, **settings)
        for path in folder.glob("r01.dat"):
            path.write_bytes(b"other")
        return paths

    monkeypatch.setattr(encoding_job, "decode_file", damaging)
    summary = encode_tree(source, target, remove_originals=True)
    assert "no original was deleted" in summary.failures["group1/deep/r01.hea"]
    assert (source / "group1" / "deep" / "r01.dat").exists()
    assert (source / "group1" / "deep" / "r01.hea").exists()
    monkeypatch.undo()
    assert encode_tree(source, target, remove_originals=True).n_removed == 1


def test_a_deletion_that_was_killed_half_way_is_ended(
    source: Path, target: Path, tmp_path: Path
) -> None:
    kept = copy_of(source, tmp_path / "kept")
    encode_tree(source, target)
    (source / "group0" / "deep" / "r00.hea").unlink()
    # What is left of the record is no file of its own.
    assert encode_tree(source, target).n_copied == 0
    encode_tree(source, target, remove_originals=True)
    assert sorted(hashes(source)) == ["RECORDS", "group0/notes.txt"]
    assert_comes_back(kept, target, tmp_path)


def test_segments_that_a_killed_deletion_left_are_no_records(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    write_segments(source)
    kept = copy_of(source, tmp_path / "kept")
    assert encode_tree(source, target).n_done == 1
    before = hashes(target)
    (source / "whole.hea").unlink()
    for settings in ({}, {"remove_originals": True}):
        summary = encode_tree(source, target, **settings)
        assert (summary.n_records, summary.n_failed) == (0, 0)
        assert hashes(target) == before
    assert not hashes(source)
    assert_comes_back(kept, target, tmp_path)


def test_originals_are_not_deleted_of_what_is_lossy(source: Path, target: Path) -> None:
    lossy = EncodeSettings(config=CodecConfig(fidelity=MaxError(("3",))))
    for encode in (lossy, EncodeSettings(config=CodecConfig(), verify=False)):
        with pytest.raises(ConfigError, match="only deleted"):
            encode_tree(source, target, remove_originals=True, encode=encode)


# Processes.


@dataclass(frozen=True, kw_only=True)
class Killed(EncodeJob):
    """A job whose worker is killed: that of r01 once, that of r02 each time."""

    marks: str

    def run(self) -> Outcome:
        marks, name = Path(self.marks), Path(self.record.name).stem
        if name == "r02" or (name == "r01" and "r01" not in marks.read_text()):
            marks.write_text(f"{marks.read_text()} {name}")
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run()


def test_a_worker_that_dies_costs_its_record_one_more_try(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = source.parent / "marks"
    marks.write_text("")
    monkeypatch.setattr("sancodec.batch.encoding.EncodeJob", partial(Killed, marks=str(marks)))
    with closing(LocalPool(1)) as pool:
        summary = encode_tree(source, target, pool)
    assert sorted(marks.read_text().split()) == ["r01", "r02", "r02"]
    assert list(summary.failures) == ["group0/deep/r02.hea"]
    assert "SIGKILL" in summary.failures["group0/deep/r02.hea"]
    assert summary.n_done == 2


def test_the_files_are_the_same_whatever_the_number_of_workers(
    source: Path, target: Path, tmp_path: Path
) -> None:
    encode_tree(source, target)
    with closing(LocalPool(2)) as pool:
        encode_tree(source, tmp_path / "two", pool)
        assert not decode_tree(tmp_path / "two", tmp_path / "back", pool).failures
    assert hashes(tmp_path / "two") == hashes(target)
    assert hashes(tmp_path / "back") == hashes(source)
    # Settings that decide nothing of the bytes do not matter.
    assert FAST.digest() == EncodeSettings(config=FAST.config, verify=False).digest()
