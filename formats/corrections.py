"""What a file differs by from its prediction: gathered while encoding, applied while decoding."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import zstandard

from sancodec.errors import CorruptError
from sancodec.formats.compressed import MAX_WINDOW
from sancodec.formats.dat_formats import Octets

MAX_INLINE_BYTES = 1 << 16
"""Longer ones are attached."""
_PIECE_BYTES = 1 << 20
_LEVEL = 9


@dataclass(frozen=True, kw_only=True)
class Correction:
    """What a file differs by from its prediction: XOR, from byte ``start`` on.

    ``encoded`` is the XOR itself, or one zstd frame of it when ``attached``.
    """

    start: int = 0
    n_bytes: int = 0
    attached: bool = False
    encoded: bytes = b""


class CorrectionCollector:
    """Gathers a correction: from the first byte that differs to the last one."""

    def __init__(self) -> None:
        self._start = 0
        self._n_bytes = 0
        self._n_equal = 0
        self._inline = bytearray()
        self._frame = bytearray()
        self._compressor: zstandard.ZstdCompressionObj | None = None

    def push(self, difference: Octets, *, solid: bool) -> None:
        """Take the XOR of the next bytes; when ``solid``, their zeros belong to it."""
        differing = np.arange(difference.size) if solid else np.flatnonzero(difference)
        if not differing.size:
            self._n_equal += difference.size
            return
        first, last = int(differing[0]), int(differing[-1])
        if self._n_bytes:
            self._add_zeros(self._n_equal + first)
        else:
            self._start = self._n_equal + first
        self._add(difference[first : last + 1].tobytes())
        self._n_equal = difference.size - last - 1

    def finish(self) -> Correction:
        """Give the correction, after the last byte."""
        attached = self._compressor is not None
        if self._compressor is not None:
            self._frame += self._compressor.flush()
        return Correction(
            start=self._start,
            n_bytes=self._n_bytes,
            attached=attached,
            encoded=bytes(self._frame if attached else self._inline),
        )

    def _add_zeros(self, n_bytes: int) -> None:
        for start in range(0, n_bytes, _PIECE_BYTES):
            self._add(bytes(min(_PIECE_BYTES, n_bytes - start)))

    def _add(self, difference: bytes) -> None:
        self._n_bytes += len(difference)
        if self._compressor is None and self._n_bytes <= MAX_INLINE_BYTES:
            self._inline += difference
            return
        if self._compressor is None:
            self._compressor = zstandard.ZstdCompressor(level=_LEVEL).compressobj()
            self._frame += self._compressor.compress(bytes(self._inline))
        self._frame += self._compressor.compress(difference)


class CorrectionReader:
    """Gives a correction piece by piece, so that its size does not cost memory.

    Parameters
    ----------
    correction : Correction
    what : str
        The file it belongs to, for messages.
    """

    def __init__(self, correction: Correction, what: str) -> None:
        self._what = what
        self._source: BinaryIO = io.BytesIO(correction.encoded)
        if correction.attached:
            decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
            self._source = decompressor.stream_reader(self._source)

    def take(self, n_bytes: int) -> Octets:
        """Give the next bytes of the XOR.

        Raises
        ------
        CorruptError
            The correction is damaged or ends early.
        """
        try:
            taken = self._source.read(n_bytes)
        except zstandard.ZstdError as error:
            raise CorruptError(f"{self._what}: damaged zstd frame ({error})") from error
        if len(taken) != n_bytes:
            raise CorruptError(
                f"{self._what}: {len(taken)} of {n_bytes} bytes of its correction are there"
            )
        return np.frombuffer(taken, np.uint8)
