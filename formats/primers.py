"""What records too short to learn it begin with: the bytes of a primer, read and written.

A primer is a file of its own, made of other records. Each of its entries is for signals of one
kind, a range of sampling frequencies and a range of numbers of leads; it says what the predictors
of a lossless residual, or the contexts of a lossy one, are before the first sample.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import CorruptError
from sancodec.formats.compressed import compress, decompress
from sancodec.formats.wire import ByteReader, ByteWriter

MAGIC = b"\x89PRM\r\n\x1a\n"
DIGEST_BYTES = 4
"""A .san file names a primer by so many bytes of its digest."""
WIDE, TRANSFORM = 1, 2
N_LOUD = 11
"""Features of a scale, and the magnitude itself."""
N_VOICES = 8
"""Weights of a decision: those of seven contexts, and of a constant."""
MAX_ENTRIES = 255
MAX_STARTS = 4
N_CONTEXTS, N_VECTORS = 298_108, 1650
"""Of a transform residual."""

_VERSION = 1
_NOTHING_KNOWN = bytes(8)
_MAX_BYTES = 1 << 24
_MAX_WORDS = 1 << 16
_MAX_LEADS, _MAX_REGRESSORS = 256, 1 << 10
_MAX_MOVING = 1 << 20
_MAX_LEVELS = 20
_MOST_SEEN = 180 * 8
_LIMIT = 1 << 30


class LeadStart(NamedTuple):
    """What the predictor and the scale of a lead begin with.

    ``products`` (n + 1, n + 1) int64 are of n regressors and the target, in 1 / 4; ``loud``
    (N_LOUD, N_LOUD) int64 of the features of the scale and the magnitude, in 1 / 16; both are 0
    below their diagonal. ``moving`` is a mean magnitude, in 1 / 16 ADC units.
    """

    products: NDArray[np.int64]
    loud: NDArray[np.int64]
    moving: int

    @property
    def n_regressors(self) -> int:
        """How many regressors a lead has that can begin with this."""
        return len(self.products) - 1


class TransformStart(NamedTuple):
    """What the contexts of a transform residual of so many levels begin with.

    Of each of (n,) ``contexts``, which rise, ``chances`` are in 2**-16 and ``seen`` in 1 / 8
    decisions; of each of (m,) ``rows``, which rise, ``weights`` (m, N_VOICES) are in 2**-12.
    """

    levels: int
    contexts: NDArray[np.int64]
    chances: NDArray[np.int64]
    seen: NDArray[np.int64]
    rows: NDArray[np.int64]
    weights: NDArray[np.int64]


WideStart = tuple[tuple[LeadStart, ...], ...]
"""Of each lead, in the order of coding, what it may begin with, by its number of regressors."""


@dataclass(frozen=True, kw_only=True)
class PrimerKey:
    """What an entry is for: signals of one kind, a range of numbers of leads and of frequencies.

    ``lowest_fs`` and ``highest_fs`` are in Hz.
    """

    residual: int
    signal_type: str
    fewest_leads: int
    most_leads: int
    lowest_fs: float
    highest_fs: float

    def fits(self, residual: int, signal_type: str, n_leads: int, fs: float) -> bool:
        """Tell whether the entry is for a group of such leads."""
        return (
            (self.residual, self.signal_type) == (residual, signal_type)
            and self.fewest_leads <= n_leads <= self.most_leads
            and self.lowest_fs <= fs <= self.highest_fs
        )


@dataclass(frozen=True, eq=False)
class PrimerEntry:
    """One entry of a primer; ``coded`` is read when it is needed."""

    key: PrimerKey
    coded: bytes

    @cached_property
    def wide(self) -> WideStart:
        """What leads of a lossless residual begin with; CorruptError where it is damaged."""
        return _take_wide(ByteReader(self.coded, "primer")) if self.key.residual == WIDE else ()

    @cached_property
    def transform(self) -> TransformStart | None:
        """What a lossy residual begins with; CorruptError where it is damaged."""
        if self.key.residual != TRANSFORM:
            return None
        return _take_transform(ByteReader(self.coded, "primer"))


@dataclass(frozen=True, eq=False)
class Primer:
    """All entries of a primer, its digest in hexadecimal, and what people should know of it."""

    entries: tuple[PrimerEntry, ...]
    words: str
    digest: str


def encode_primer(entries: tuple[PrimerEntry, ...], words: str) -> bytes:
    """Give the bytes of a primer; ``words`` say what it was made of."""
    writer = ByteWriter().text(words).varint(len(entries))
    for entry in entries:
        key = entry.key
        writer.u8(key.residual).text(key.signal_type)
        writer.varint(key.fewest_leads).varint(key.most_leads)
        writer.f64(key.lowest_fs).f64(key.highest_fs).counted(entry.coded)
    body = compress(writer.getvalue(), _NOTHING_KNOWN)
    return ByteWriter().raw(MAGIC).u8(_VERSION).raw(body).getvalue()


def decode_primer(stored: bytes, name: str) -> Primer:
    """Give the primer of ``encode_primer``; its entries are not read yet.

    Raises
    ------
    CorruptError
        It is damaged, or no primer.
    """
    outer = ByteReader(stored, name)
    if bytes(outer.take(min(len(MAGIC), outer.remaining), "magic")) != MAGIC:
        raise CorruptError(f"{name}: not a primer")
    version = outer.u8("version")
    if version != _VERSION:
        raise outer.corrupt("version", f"{version}, expected {_VERSION}")
    body = bytes(outer.take(outer.remaining, "body"))
    reader = ByteReader(decompress(body, _MAX_BYTES, f"{name}: body", _NOTHING_KNOWN), name)
    words = reader.text("words", _MAX_WORDS)
    entries = [_take_entry(reader) for _ in range(reader.varint("entries", MAX_ENTRIES))]
    reader.expect_end("primer")
    return Primer(tuple(entries), words, hashlib.sha256(stored).hexdigest())


def _take_entry(reader: ByteReader) -> PrimerEntry:
    residual = reader.u8("residual")
    if residual not in {WIDE, TRANSFORM}:
        raise reader.corrupt("residual", f"{residual}, expected 1 or 2")
    key = PrimerKey(
        residual=residual,
        signal_type=reader.text("signal type", 64),
        fewest_leads=reader.varint("fewest leads", _MAX_LEADS),
        most_leads=reader.varint("most leads", _MAX_LEADS),
        lowest_fs=reader.f64("lowest frequency"),
        highest_fs=reader.f64("highest frequency"),
    )
    if not (math.isfinite(key.lowest_fs) and math.isfinite(key.highest_fs)):
        raise reader.corrupt("frequencies", f"{key.lowest_fs} to {key.highest_fs}")
    return PrimerEntry(key, reader.counted("entry", reader.remaining))


def encode_wide_start(leads: WideStart) -> bytes:
    """Give the coded entry of what leads of a lossless residual begin with."""
    writer = ByteWriter().varint(len(leads))
    for starts in leads:
        writer.varint(len(starts))
        for start in starts:
            writer.varint(start.n_regressors).varint(start.moving)
            for matrix in (start.loud, start.products):
                # A product is much like that of the samples one before.
                change = matrix.copy()
                change[1:, 1:] -= matrix[:-1, :-1]
                _put_numbers(writer, change[np.triu_indices(len(matrix))], "<i4")
    return writer.getvalue()


def _take_wide(reader: ByteReader) -> WideStart:
    leads = []
    for _ in range(reader.varint("leads", _MAX_LEADS)):
        n_starts = reader.varint("starts", MAX_STARTS)
        leads.append(tuple(_take_lead(reader) for _ in range(n_starts)))
    reader.expect_end("entry")
    return tuple(leads)


def _take_lead(reader: ByteReader) -> LeadStart:
    n_regressors = reader.varint("regressors", _MAX_REGRESSORS)
    moving = reader.varint("magnitude", _MAX_MOVING)
    loud = _take_matrix(reader, N_LOUD)
    return LeadStart(_take_matrix(reader, n_regressors + 1), loud, moving)


def _take_matrix(reader: ByteReader, n_rows: int) -> NDArray[np.int64]:
    matrix = np.zeros((n_rows, n_rows), np.int64)
    n_numbers = n_rows * (n_rows + 1) // 2
    matrix[np.triu_indices(n_rows)] = _take_numbers(reader, n_numbers, "<i4", "products")
    for i in range(1, n_rows):
        matrix[i, i:] += matrix[i - 1, i - 1 : -1]
    if max(matrix.max(), -matrix.min()) > _LIMIT or matrix.diagonal().min() < 0:
        raise reader.corrupt("products", f"beyond {_LIMIT}, or a square below 0")
    return matrix


def encode_transform_start(start: TransformStart) -> bytes:
    """Give the coded entry of what a lossy residual begins with."""
    writer = ByteWriter().u8(start.levels).varint(len(start.contexts))
    _put_numbers(writer, start.contexts, "<u4")
    _put_numbers(writer, start.chances, "<u2")
    _put_numbers(writer, start.seen, "<u2")
    writer.varint(len(start.rows))
    _put_numbers(writer, start.rows, "<u4")
    _put_numbers(writer, start.weights.ravel(), "<i2")
    return writer.getvalue()


def _take_transform(reader: ByteReader) -> TransformStart:
    levels = reader.u8("levels")
    n_contexts = reader.varint("contexts", reader.remaining)
    contexts = _take_numbers(reader, n_contexts, "<u4", "contexts")
    chances = _take_numbers(reader, n_contexts, "<u2", "chances")
    seen = _take_numbers(reader, n_contexts, "<u2", "decisions")
    n_rows = reader.varint("rows", reader.remaining)
    rows = _take_numbers(reader, n_rows, "<u4", "rows")
    weights = _take_numbers(reader, n_rows * N_VOICES, "<i2", "weights").reshape(-1, N_VOICES)
    reader.expect_end("entry")
    for field, numbers, limit in (("contexts", contexts, N_CONTEXTS), ("rows", rows, N_VECTORS)):
        if (np.diff(numbers, append=limit) <= 0).any():
            raise reader.corrupt(field, f"do not rise to below {limit}")
    if levels > _MAX_LEVELS or (chances == 0).any() or (seen > _MOST_SEEN).any():
        raise reader.corrupt("entry", "levels, chances or decisions out of range")
    return TransformStart(levels, contexts, chances, seen, rows, weights)


def _put_numbers(writer: ByteWriter, numbers: NDArray[np.int64], kind: str) -> None:
    limits = np.iinfo(kind)
    assert numbers.size == 0 or limits.min <= numbers.min() <= numbers.max() <= limits.max
    # Bytes of one weight together: they compress better than the numbers one by one.
    octets = numbers.astype(kind).view(np.uint8).reshape(-1, np.dtype(kind).itemsize)
    writer.raw(octets.T.tobytes())


def _take_numbers(reader: ByteReader, n: int, kind: str, field: str) -> NDArray[np.int64]:
    size = np.dtype(kind).itemsize
    octets = np.frombuffer(reader.take(n * size, field), np.uint8).reshape(size, n)
    return np.ascontiguousarray(octets.T).view(kind).ravel().astype(np.int64)
