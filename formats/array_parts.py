"""An array of integers as records of its own: SPEC.md, "Arrays"."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sancodec.errors import UnsupportedError
from sancodec.formats.channels import MAX_CHANNELS
from sancodec.formats.wire import ByteReader, ByteWriter

_VERSION = 1
_TYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")
_MAX_AXES, _MAX_ELEMENTS = 32, 1 << 40
_WORD_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class ArrayForm:
    """What an array is, and how its records hold it.

    Attributes
    ----------
    dtype : np.dtype
        Of integers or bool, in the order of bytes of the machine.
    shape : tuple of int
    time_axis : int
        Along it samples follow one another; 0 where there are no axes. The last of the other axes
        is that of leads; all before are of records, each of which is coded by itself.
    in_words : bool
        Whether values are stored as their 32-bit words, the low one first, each a lead; else they
        fit into int32.
    fortran : bool
        Whether the first axis is the one along which memory is contiguous.
    """

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    time_axis: int = 0
    in_words: bool = False
    fortran: bool = False

    @property
    def n_words(self) -> int:
        """Number of leads that hold one lead of the array."""
        return self.dtype.itemsize // _WORD_BYTES if self.in_words else 1

    @property
    def n_samples(self) -> int:
        """Number of elements along the time axis."""
        return self.shape[self.time_axis] if self.shape else 1

    @property
    def n_records(self) -> int:
        """Number of records, each of ``n_leads`` leads."""
        return math.prod(self.others[:-1])

    @property
    def n_leads(self) -> int:
        """Number of leads of each record, words counted."""
        return self.n_words * (self.others[-1] if self.others else 1)

    @property
    def parts(self) -> list[int]:
        """Number of leads of each file of a record: as many as a file may have."""
        n_whole, rest = divmod(self.n_leads, MAX_CHANNELS)
        return [MAX_CHANNELS] * n_whole + [rest] * (rest > 0)

    @property
    def n_files(self) -> int:
        """Number of .san files that hold the array; none where it is empty."""
        return self.n_records * len(self.parts) if self.n_samples else 0

    @property
    def others(self) -> tuple[int, ...]:
        """Sizes of the axes of records, and last that of leads."""
        return self.shape[: self.time_axis] + self.shape[self.time_axis + 1 :]


def encode_array_parts(form: ArrayForm, files: Sequence[bytes]) -> bytes:
    """Give an array's form and its .san files as one run of bytes."""
    writer = ByteWriter().u8(_VERSION).u8(_TYPES.index(form.dtype.name))
    writer.u8(form.in_words | form.fortran << 1).varint(len(form.shape))
    for size in form.shape:
        writer.varint(size)
    writer.varint(form.time_axis)
    for file in files:
        writer.counted(file)
    return writer.getvalue()


def decode_array_parts(
    encoded: bytes | memoryview, name: str = "array"
) -> tuple[ArrayForm, list[bytes]]:
    """Give back what ``encode_array_parts`` was given.

    Raises
    ------
    UnsupportedError
        A newer version, or a type that this one does not know.
    CorruptError
        The fields contradict one another.
    """
    reader = ByteReader(encoded, name)
    version = reader.u8("version")
    if version != _VERSION:
        raise UnsupportedError(f"{name}: version {version} of arrays, this sancodec reads 1")
    kind, flags = reader.u8("type"), reader.u8("flags")
    if kind >= len(_TYPES) or flags > 3:
        raise UnsupportedError(f"{name}: type {kind}, flags {flags}; try a newer sancodec")
    n_axes = reader.varint("number of axes", _MAX_AXES)
    shape = tuple(reader.varint("size", _MAX_ELEMENTS) for _ in range(n_axes))
    if math.prod(shape) > _MAX_ELEMENTS:
        raise reader.corrupt("shape", f"{shape}, more than {_MAX_ELEMENTS} elements")
    form = ArrayForm(
        dtype=np.dtype(_TYPES[kind]),
        shape=shape,
        time_axis=reader.varint("time axis", max(0, n_axes - 1)),
        in_words=bool(flags & 1),
        fortran=bool(flags & 2),
    )
    if form.in_words and form.dtype.itemsize < _WORD_BYTES:
        raise reader.corrupt("flags", f"{form.dtype} in words of 32 bits")
    # Every file takes a byte at least: a count that cannot be is refused before the list grows.
    if form.n_files > reader.remaining:
        raise reader.corrupt("shape", f"{form.n_files} files in {reader.remaining} bytes")
    files = [reader.counted("file", reader.remaining) for _ in range(form.n_files)]
    reader.expect_end("array")
    return form, files
