"""What can be encoded, by the name of its file: WFDB records, EDF, and arrays and tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import RecordError
from sancodec.formats import edf, mat
from sancodec.formats.arrays import ArraySource
from sancodec.formats.csv_files import read_csv
from sancodec.formats.restoration import RecordShape, Restorer
from sancodec.formats.segmented import SegmentedRecord, open_record
from sancodec.formats.source_files import SourceFile
from sancodec.formats.wfdb import WfdbRecord

NPY, CSV = ".npy", ".csv"
SUFFIXES = (*edf.SUFFIXES, NPY, CSV)
_NPY_MAGIC = b"\x93NUMPY"


class ArrayRecord(ArraySource):
    """An array or a table on disk: its samples are kept, not the bytes of its file."""

    is_flac = False

    def __init__(self, path: Path, samples: NDArray[np.integer[Any]], **of_array: Any) -> None:
        super().__init__(samples, name=path.stem, **of_array)
        self.files = (SourceFile(path=path),)

    def restorer(self, side_files: Sequence[SourceFile] = ()) -> Restorer | None:
        """Give what collects the files that travel along; None without any."""
        return Restorer(side_files, RecordShape.of(self)) if side_files else None

    def remaker(self, side_files: Sequence[SourceFile] = ()) -> Restorer | None:
        """Give the same: decoding writes a new record, whatever was lost."""
        return self.restorer(side_files)


AnyRecord = WfdbRecord | edf.EdfRecord | SegmentedRecord | ArrayRecord


def open_source(
    path: Path, *, fs: float | None = None, keep_time: bool = False, share: bool = True
) -> AnyRecord:
    """Check what is to be encoded, without reading samples where they stand in a file of their own.

    Parameters
    ----------
    path : Path
        A WFDB record, or a file that ends in one of SUFFIXES.
    fs : float, optional
        Sampling frequency in Hz of an array or a table; refused with others.
    keep_time : bool
        Whether a table's column of time is a channel.
    share : bool
        As of ``open_record``.

    Raises
    ------
    RecordError
        It is not there, or none that can be encoded.
    """
    suffix = path.suffix.lower()
    if suffix == NPY:
        return _open_npy(path, fs)
    if suffix == CSV:
        table = read_csv(path, fs, keep_time=keep_time)
        return ArrayRecord(path, table.samples, fs=table.fs, channels=table.channels)
    if is_samples_alone(path):
        return _open_mat(path, fs)
    if fs is not None:
        raise RecordError(f"{path}: has its own sampling frequency; leave --fs out")
    return open_record(path, share=share)


def is_samples_alone(path: Path) -> bool:
    """Tell whether of a file the samples come back, and not its bytes."""
    suffix = path.suffix.lower()
    # With a header beside it, a MATLAB file is the signal file of a WFDB record.
    bare = suffix == mat.SUFFIX and not path.with_suffix(".hea").exists()
    return bare or suffix in (NPY, CSV)


def suffix_of(start: bytes) -> str:
    """Give the suffix of a file by its first bytes; a table is what nothing else is."""
    if start.startswith(_NPY_MAGIC):
        return NPY
    return edf.SUFFIXES[0] if edf.is_edf(start) else CSV


def _open_mat(path: Path, fs: float | None) -> ArrayRecord:
    found = mat.read_mat(path)
    if fs is None and found.fs is None:
        raise RecordError(
            f"{path}: has no header beside it ({path.stem}.hea), and says no sampling frequency; "
            "give it with --fs"
        )
    return ArrayRecord(path, found.samples, fs=fs if fs is not None else found.fs)


def _open_npy(path: Path, fs: float | None) -> ArrayRecord:
    if fs is None:
        raise RecordError(f"{path}: an array says no sampling frequency; give it with --fs")
    try:
        samples = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise RecordError(f"{path}: no array that can be read ({error})") from error
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not isinstance(samples, np.ndarray):
        raise RecordError(f"{path}: several arrays; give one")
    return ArrayRecord(path, samples, fs=fs)
