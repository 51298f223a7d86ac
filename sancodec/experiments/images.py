"""MNIST and Fashion-MNIST: IDX files, read with suspicion, and split as in the paper."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import ConfigError, RecordError
from sancodec.experiments.dataset import Dataset, Part

NAMES = ("mnist", "fashion-mnist")
SIDE = 28
N_CLASSES = 10
N_TRAINING, N_VALIDATION, N_TEST = 50_000, 10_000, 10_000
FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)

_MAX_BYTES = 1 << 27
_UNSIGNED_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class ImageChoice:
    """How pixels are scaled.

    Attributes
    ----------
    pixels : str
        ``"unit"``: 0 to 1, as the released code reads them; ``"raw"``: 0 to 255.
    """

    pixels: str = "unit"

    def __post_init__(self) -> None:
        if self.pixels not in ("unit", "raw"):
            raise ConfigError(f"pixels: {self.pixels!r}, expected unit or raw")


def read_images(folder: Path, name: str, choice: ImageChoice) -> Dataset:
    """Read one of the image sets: the first 50,000 of the training images, the rest, the test.

    Parameters
    ----------
    folder : Path
        Holds ``mnist/`` and ``fashion-mnist/`` with the four published files each.
    name : str
        One of ``NAMES``.

    Raises
    ------
    RecordError
        A file is not there, damaged, or not what it should be.
    """
    place = folder / name
    if not place.is_dir():
        raise RecordError(f"{name}: not there; {place} is no folder")
    scale = np.float32(255 if choice.pixels == "unit" else 1)
    training, labels = _read_pair(place, FILES[0], FILES[1], N_TRAINING + N_VALIDATION)
    test, test_labels = _read_pair(place, FILES[2], FILES[3], N_TEST)
    return Dataset(
        name=name,
        training=_part(training[:N_TRAINING], labels[:N_TRAINING], scale),
        validation=_part(training[N_TRAINING:], labels[N_TRAINING:], scale),
        test=_part(test, test_labels, scale),
    )


def read_idx(path: Path, n_dimensions: int) -> NDArray[np.uint8]:
    """Read a gzip-packed IDX file of unsigned bytes.

    Returns
    -------
    uint8 array of ``n_dimensions`` dimensions

    Raises
    ------
    RecordError
        The file is missing, damaged, larger than any of the published ones, of another type, or
        its header and its length contradict each other.
    """
    content = unpack(path)
    n_header = 4 + 4 * n_dimensions
    if len(content) < n_header:
        raise RecordError(f"{path}: {len(content)} bytes, expected a header of {n_header}")
    magic = int.from_bytes(content[:4], "big")
    wanted = _UNSIGNED_BYTES << 8 | n_dimensions
    if magic != wanted:
        raise RecordError(f"{path}: magic number {magic:#010x}, expected {wanted:#010x}")
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, n_header, 4)]
    n_values = 1
    for size in shape:
        n_values *= size
    if n_values != len(content) - n_header:
        raise RecordError(
            f"{path}: {len(content) - n_header:,} values, its header says "
            f"{' x '.join(map(str, shape))}"
        )
    return np.frombuffer(content, np.uint8, offset=n_header).reshape(shape)


def unpack(path: Path) -> bytes:
    """Give the content of a gzip file, of at most 128 MiB.

    Raises
    ------
    RecordError
        The file is missing, damaged, or larger.
    """
    try:
        with gzip.open(path, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise RecordError(f"{path}: not there") from error
    except (EOFError, zlib.error, OSError) as error:
        raise RecordError(f"{path}: damaged ({error})") from error
    if len(content) > _MAX_BYTES:
        raise RecordError(f"{path}: unpacks to more than {_MAX_BYTES:,} bytes")
    return content


def _read_pair(
    place: Path, image_file: str, label_file: str, n_expected: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images = read_idx(place / image_file, 3)
    labels = read_idx(place / label_file, 1)
    if images.shape != (n_expected, SIDE, SIDE):
        raise RecordError(
            f"{place / image_file}: {' x '.join(map(str, images.shape))}, "
            f"expected {n_expected} x {SIDE} x {SIDE}"
        )
    if labels.shape != (n_expected,):
        raise RecordError(f"{place / label_file}: {labels.size} labels, expected {n_expected}")
    if labels.max() >= N_CLASSES:
        raise RecordError(f"{place / label_file}: label {labels.max()}, expected 0 to 9")
    return images, labels


def _part(images: NDArray[np.uint8], labels: NDArray[np.uint8], scale: np.float32) -> Part:
    return Part(signals=images.astype(np.float32) / scale, labels=labels.astype(np.int64))
