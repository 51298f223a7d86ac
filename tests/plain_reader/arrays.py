"""Chunks of stores of arrays ("Arrays")."""

from __future__ import annotations

import math

import numpy as np

from .reader import read_bytes
from .wire import Fields, check, check_known

TYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")


def read_array(content: bytes) -> np.ndarray:
    """Give the array of the bytes of a chunk."""
    fields = Fields(content, "array")
    check_known(fields.u8() == 1, "version of arrays")
    kind, flags = fields.u8(), fields.u8()
    check_known(kind < len(TYPES) and flags < 4, "type or flags of an array")
    shape = [fields.varint(2**40) for _ in range(fields.varint(32))]
    check(math.prod(shape) <= 2**40, "too many elements")
    time_axis = fields.varint(max(len(shape) - 1, 0))
    sizes = shape or [1]
    others = sizes[:time_axis] + sizes[time_axis + 1 :]
    n_samples, n_leads = sizes[time_axis], others[-1] if others else 1
    dtype = np.dtype(TYPES[kind])
    n_words = dtype.itemsize // 4 if flags & 1 else 1
    check(n_words > 0, "words of fewer than 32 bits")
    leads: list[list[int]] = []
    while fields.n_left:
        record = read_bytes(fields.counted())
        n_before = len(leads) % (n_leads * n_words)
        check(len(record.samples) == min(256, n_leads * n_words - n_before), "number of leads")
        check(all(len(lead) == n_samples for lead in record.samples), "number of samples")
        leads += record.samples
    check(len(leads) * n_samples == math.prod(sizes) * n_words, "number of files")
    join = _of_words if flags & 1 else _within
    elements = [join(leads[i : i + n_words], dtype) for i in range(0, len(leads), n_words)]
    whole = np.array(elements, dtype).reshape(*others, n_samples)
    return np.moveaxis(whole, -1, time_axis).reshape(shape)


def _within(leads: list[list[int]], dtype: np.dtype) -> list[int]:
    """Give samples as elements, clipped to the range of the type."""
    least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return [min(max(value, int(least)), int(most)) for value in leads[0]]


def _of_words(leads: list[list[int]], dtype: np.dtype) -> list[int]:
    """Put the words of each element together, the low one first."""
    found = []
    for words in zip(*leads, strict=True):
        content = b"".join(word.to_bytes(4, "little", signed=True) for word in words)
        found.append(int.from_bytes(content, "little", signed=dtype.kind == "i"))
    return found
