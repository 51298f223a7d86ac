"""What is left of a damaged container: chunks found by their sections where the index is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from sancodec.errors import CorruptError
from sancodec.formats.container import ContainerReader
from sancodec.formats.header import Summary
from sancodec.formats.sections import (
    CRC_BYTES,
    MAX_HEAD_BYTES,
    SECTION_CHUNK,
    UNNUMBERED_VERSION,
    ChunkEntry,
    checksum_of,
    place_in,
)
from sancodec.formats.wire import ByteReader

_UNKNOWN = Summary(
    sample_hash=b"",
    n_activations=0,
    n_amplitudes=0,
    san_bytes=0,
    residual_bytes=0,
    san_error=0,
    san_reference=0,
    restoration=b"",
)
_PIECE = 1 << 12
# No encoder writes a chunk that is larger than its samples as they are.
_BYTES_PER_SAMPLE, _MORE_BYTES = 8, 1 << 16


class DamagedReader(ContainerReader):
    """Reads a container of which the header is whole, whatever else is lost.

    Where the index is lost, every chunk that is whole is found, and its checksum says which it
    is; in files of version 1 and 2 those up to the first damage.

    Parameters
    ----------
    source : BinaryIO
        Seekable; must stay open while chunks are read.
    name : str
        Name of the file, for messages.

    Raises
    ------
    CorruptError
        The header is damaged, or the file is not a container.
    """

    def __init__(self, source: BinaryIO, name: str = "<bytes>") -> None:
        try:
            super().__init__(source, name)
        except CorruptError as error:
            self._spans.clear()
            self._version = self._check_start()
            self.header = self._read_header(self._n_bytes)
            self.problem = str(error)
            self.summary = _UNKNOWN
        # Bytes that were lost move those behind them: a whole index may be wrong all the same.
        if self.problem or self._version > UNNUMBERED_VERSION:
            self.chunks = self._find_chunks()

    def read_chunk(self, i: int) -> bytes:
        """Give the payload of chunk ``i``; CorruptError where it is damaged or was not found."""
        if self.chunks[i].n_bytes == 0:
            raise CorruptError(f"{self._name}: chunk {i}: not found")
        return super().read_chunk(i)

    def _find_chunks(self) -> tuple[ChunkEntry, ...]:
        """Give all chunks; those that were not found have no bytes."""
        header = self.header
        n_samples = min(header.n_frames, header.chunk_frames) * header.frame_samples
        limit = _BYTES_PER_SAMPLE * n_samples + _MORE_BYTES
        behind_header = self._spans[1].stop
        scan = _Scan(self._read, behind_header, self._n_bytes, limit)
        if self._version > UNNUMBERED_VERSION:
            found = scan.placed(self._header_checksum, header.n_chunks)
        else:
            found = scan.unbroken(header.n_chunks)
        return tuple(header.chunk_at(i, *found.get(i, (0, 0))) for i in range(header.n_chunks))


_Found = dict[int, tuple[int, int]]
"""Of chunks by their numbers, the offset and the size of their sections."""


class _Scan:
    """Finds the sections of chunks between the header and the end of a file.

    Parameters
    ----------
    read : callable
        Gives bytes of the file: offset, number.
    begin, stop : int
        Offsets behind the header, and behind the file.
    limit : int
        The largest size of a chunk.
    """

    def __init__(
        self, read: Callable[[int, int], bytes], begin: int, stop: int, limit: int
    ) -> None:
        self._read = read
        self._begin, self._stop = begin, stop
        self._limit = limit

    def placed(self, header_checksum: int, n_chunks: int) -> _Found:
        """Give the chunks whose checksums say that they are this file's, and which."""
        found: _Found = {}
        offset = self._begin
        while offset < self._stop:
            section = self._section_at(offset)
            if section:
                place = place_in(section[:-CRC_BYTES], _checksum(section))
                number = (place - header_checksum) % (1 << 32)
                if number < n_chunks:
                    found.setdefault(number, (offset, len(section)))
                    offset += len(section)
                    continue
            offset = self._next_candidate(offset + 1)
        return found

    def unbroken(self, n_chunks: int) -> _Found:
        """Give the chunks up to the first that is damaged: nothing says which those behind are."""
        found: _Found = {}
        offset = self._begin
        while len(found) < n_chunks:
            section = self._section_at(offset)
            if not section or checksum_of(section[:-CRC_BYTES], None) != _checksum(section):
                break
            found[len(found)] = offset, len(section)
            offset += len(section)
        return found

    def _section_at(self, offset: int) -> bytes:
        """Give what would be the section of a chunk here; nothing where there can be none."""
        reader = ByteReader(self._read(offset, min(MAX_HEAD_BYTES, self._stop - offset)))
        try:
            kind = reader.u8("section type")
            n_bytes = reader.varint("section length") + reader.offset + CRC_BYTES
        except CorruptError:
            return b""
        if kind != SECTION_CHUNK or n_bytes > min(self._stop - offset, self._limit):
            return b""
        return self._read(offset, n_bytes)

    def _next_candidate(self, offset: int) -> int:
        """Give the first offset, from this one on, of a byte that may begin a chunk."""
        while offset < self._stop:
            piece = self._read(offset, min(_PIECE, self._stop - offset))
            place = piece.find(SECTION_CHUNK)
            if place >= 0:
                return offset + place
            offset += len(piece)
        return offset


def _checksum(section: bytes) -> int:
    return int.from_bytes(section[-CRC_BYTES:], "little")
