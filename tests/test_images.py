"""IDX files of images: what a header claims is checked before it is believed."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from experiment_data import pack_idx, write_images

from sancodec.errors import ConfigError, RecordError
from sancodec.experiments import images
from sancodec.experiments.images import FILES, ImageChoice, read_idx, read_images

SMALL = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_images(folder, "mnist")
    return folder


def test_the_last_ten_thousand_training_images_are_for_validation(folder: Path) -> None:
    dataset = read_images(folder, "mnist", ImageChoice())
    assert [len(part.signals) for part in dataset.parts] == [50_000, 10_000, 10_000]
    stored = read_idx(folder / "mnist" / FILES[0], 3)
    labels = read_idx(folder / "mnist" / FILES[1], 1)
    np.testing.assert_array_equal(dataset.validation.signals, stored[50_000:] / np.float32(255))
    assert dataset.validation.labels is not None
    np.testing.assert_array_equal(dataset.validation.labels, labels[50_000:])
    raw = read_images(folder, "mnist", ImageChoice(pixels="raw"))
    assert raw.test.signals.max() == 200


def test_an_idx_file_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "small.gz"
    path.write_bytes(pack_idx(SMALL))
    np.testing.assert_array_equal(read_idx(path, 3), SMALL)


@pytest.mark.parametrize("n_bytes", range(len(pack_idx(SMALL))))
def test_every_prefix_is_refused(n_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / "small.gz"
    path.write_bytes(pack_idx(SMALL)[:n_bytes])
    with pytest.raises(RecordError):
        read_idx(path, 3)


@pytest.mark.parametrize("place", range(len(pack_idx(SMALL))))
def test_no_flipped_byte_changes_the_values_unnoticed(place: int, tmp_path: Path) -> None:
    content = bytearray(pack_idx(SMALL))
    content[place] ^= 0x55
    path = tmp_path / "small.gz"
    path.write_bytes(content)
    try:
        found = read_idx(path, 3)
    except RecordError:
        return
    # Bytes of the wrapping that say nothing of the content, as the time it was packed.
    np.testing.assert_array_equal(found, SMALL)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\0\0\x08\x03", "expected a header"),
        (b"\0\0\x08\x01" + bytes(12), "magic number"),
        (b"\0\0\x0d\x03" + bytes(12), "magic number"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "its header says"),
        (b"\0\0\x08\x03" + (b"\0\0\0\1" * 3) + b"ab", "2 values"),
    ],
)
def test_a_header_that_lies_is_refused(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(RecordError, match=problem):
        read_idx(path, 3)


def test_a_small_file_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "_MAX_BYTES", 1_000)
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(bytes(1_001)))
    with pytest.raises(RecordError, match="unpacks to more"):
        read_idx(path, 3)


@pytest.mark.parametrize(
    ("file", "values", "problem"),
    [
        (FILES[0], np.zeros((60_000, 3, 3), np.uint8), "expected 60000 x 28 x 28"),
        (FILES[1], np.zeros(10, np.uint8), "10 labels"),
        (FILES[3], np.full(10_000, 10, np.uint8), "label 10"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    file: str, values: np.ndarray, problem: str, folder: Path, tmp_path: Path
) -> None:
    place = tmp_path / "mnist"
    place.mkdir()
    for name in FILES:
        (place / name).symlink_to(folder / "mnist" / name)
    (place / file).unlink()
    (place / file).write_bytes(pack_idx(values))
    with pytest.raises(RecordError, match=problem):
        read_images(tmp_path, "mnist", ImageChoice())


def test_a_missing_folder_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="fashion-mnist: not there"):
        read_images(tmp_path, "fashion-mnist", ImageChoice())
    (tmp_path / "mnist").mkdir()
    with pytest.raises(RecordError, match="not there"):
        read_images(tmp_path, "mnist", ImageChoice())


def test_choices_are_checked() -> None:
    with pytest.raises(ConfigError, match="pixels"):
        ImageChoice(pixels="none")
