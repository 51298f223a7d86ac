"""MATLAB files that are no WFDB records: the matrix of samples in one, and its frequency.

Read as "MAT-File Format" of MathWorks has versions 4 and 5, numeric matrices alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import CorruptError, RecordError
from sancodec.formats.wire import ByteReader

SUFFIX = ".mat"
_FREQUENCIES = ("fs", "freq", "frequency", "samplingfrequency", "samplerate")
_MAX_FILE_BYTES = 1 << 31
_HEADER_BYTES, _TEXT_BYTES, _VERSION_5 = 128, 124, b"\x00\x01IM"
_MATRIX, _COMPRESSED = 14, 15
# Of version 5, what numbers are stored as; of version 4, the third digit of the type.
_TYPES = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8"}
_TYPES |= {12: "<i8", 13: "<u8"}
_OLD_TYPES = {0: "<f8", 1: "<f4", 2: "<i4", 3: "<i2", 4: "<u2", 5: "u1"}
# Classes of arrays: double to uint64 are those of numbers.
_FIRST_NUMERIC, _LAST_NUMERIC = 6, 15
_COMPLEX = 0x800


class Matrix(NamedTuple):
    """Samples (n_samples, n_channels) as integers, and their frequency where the file says one."""

    samples: NDArray[np.integer[Any]]
    fs: float | None


def read_mat(path: Path) -> Matrix:
    """Give the one matrix of a MATLAB file, its longer side being time.

    Raises
    ------
    RecordError
        The file cannot be read, or has no matrix of integers, or several.
    """
    variables = _load(path)
    matrices = {name: found for name, found in variables.items() if found.size > 1}
    if len(matrices) != 1:
        names = ", ".join(sorted(matrices)) or "none"
        raise RecordError(f"{path}: matrices: {names}; expected one, of the samples")
    (samples,) = matrices.values()
    if samples.shape[0] < samples.shape[1]:
        samples = samples.T
    scalars = {name.lower(): found for name, found in variables.items() if found.size == 1}
    fs = next((float(scalars[name].item()) for name in _FREQUENCIES if name in scalars), None)
    return Matrix(_as_integers(samples, path), fs)


def _load(path: Path) -> dict[str, NDArray[Any]]:
    """Give the numeric matrices of a file by their names."""
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise RecordError(f"{path}: more than {_MAX_FILE_BYTES} bytes; save it as .npy")
        content = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror or error})") from error
    if content.startswith(b"MATLAB 7.3"):
        raise RecordError(f"{path}: MATLAB 7.3 files are not read; save it with -v7")
    reader = ByteReader(content, str(path))
    try:
        if content[_TEXT_BYTES:_HEADER_BYTES] == _VERSION_5:
            reader.take(_HEADER_BYTES, "header")
            return dict(_matrices(reader))
        return dict(_old_matrices(reader))
    except CorruptError as error:
        raise RecordError(f"{error}; no MATLAB file that can be read") from error


def _matrices(reader: ByteReader) -> Iterator[tuple[str, NDArray[Any]]]:
    """Give the numeric matrices of a file of version 5."""
    while reader.remaining:
        kind, content = _element(reader)
        if kind == _COMPRESSED:
            inner = ByteReader(_inflated(content, reader), "compressed")
            kind, content = _element(inner)
        if kind == _MATRIX:
            found = _matrix(ByteReader(content, "matrix"))
            if found is not None:
                yield found


def _inflated(content: memoryview, reader: ByteReader) -> bytes:
    inflating = zlib.decompressobj()
    try:
        inflated = inflating.decompress(content, _MAX_FILE_BYTES)
    except zlib.error as error:
        raise reader.corrupt("compressed", str(error)) from error
    if not inflating.eof:
        raise reader.corrupt("compressed", "ends early, or is too large")
    return inflated


def _element(reader: ByteReader) -> tuple[int, memoryview]:
    """Give the type of the next element, and its bytes."""
    kind = reader.u32("type")
    if kind >> 16:
        # A small element: its size in the upper half, its bytes in four.
        content = reader.take(4, "small element")
        size = kind >> 16
        if size > 4:
            raise reader.corrupt("small element", f"{size} bytes")
        return kind & 0xFFFF, content[:size]
    content = reader.take(reader.u32("size"), "element")
    if kind != _COMPRESSED:
        reader.take(min(-len(content) % 8, reader.remaining), "padding")
    return kind, content


def _matrix(reader: ByteReader) -> tuple[str, NDArray[Any]] | None:
    """Give the name and the numbers of a matrix; None where it is of something else."""
    flags = ByteReader(_element(reader)[1], "flags").u32("flags")
    if not _FIRST_NUMERIC <= flags & 0xFF <= _LAST_NUMERIC or flags & _COMPLEX:
        return None
    dimensions = np.frombuffer(_whole(_element(reader)[1], 4, reader), "<i4").astype(np.int64)
    name = bytes(_element(reader)[1]).decode("ascii", "replace")
    kind, content = _element(reader)
    if kind not in _TYPES or dimensions.size != 2 or dimensions.min() < 0:
        return None
    return name, _shaped(content, _TYPES[kind], (int(dimensions[0]), int(dimensions[1])), reader)


def _old_matrices(reader: ByteReader) -> Iterator[tuple[str, NDArray[Any]]]:
    """Give the numeric matrices of a file of version 4."""
    while reader.remaining:
        kind, n_rows, n_columns, is_complex, n_name = (reader.u32("head") for _ in range(5))
        if kind > 99 or kind // 10 not in _OLD_TYPES or is_complex > 1:
            raise reader.corrupt("head", f"matrix of type {kind}")
        name = bytes(reader.take(n_name, "name")).rstrip(b"\x00").decode("ascii", "replace")
        spelled = np.dtype(_OLD_TYPES[kind // 10])
        content = reader.take(n_rows * n_columns * spelled.itemsize, "numbers")
        if is_complex:
            reader.take(len(content), "imaginary part")
        elif kind % 10 == 0:
            yield name, _shaped(content, spelled.str, (n_rows, n_columns), reader)


def _whole(content: memoryview, size: int, reader: ByteReader) -> memoryview:
    if len(content) % size:
        raise reader.corrupt("numbers", f"{len(content)} bytes, expected whole {size}")
    return content


def _shaped(
    content: memoryview, spelled: str, shape: tuple[int, int], reader: ByteReader
) -> NDArray[Any]:
    numbers = np.frombuffer(_whole(content, np.dtype(spelled).itemsize, reader), spelled)
    if numbers.size != shape[0] * shape[1]:
        raise reader.corrupt("numbers", f"{numbers.size} for {shape[0]} by {shape[1]}")
    return numbers.reshape(shape, order="F")


def _as_integers(samples: NDArray[Any], path: Path) -> NDArray[np.integer[Any]]:
    """Give integers for MATLAB's numbers, which are floating point unless asked otherwise."""
    if samples.dtype.kind in "iu":
        return np.asarray(samples)
    whole = np.rint(samples)
    if not np.array_equal(whole, samples) or np.abs(samples).max(initial=0) >= 1 << 31:
        raise RecordError(
            f"{path}: its samples are not integers of 32 bits; scale and round them first, or save "
            "them as a table (.csv)"
        )
    integers: NDArray[np.integer[Any]] = whole.astype(np.int32)
    return integers
