"""The parts that a container is made of, and where they are in a file."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sancodec.formats.wire import ByteReader, ByteWriter

# A byte above 127, a CR LF and a lone LF: a transfer in text mode changes at least one of them.
MAGIC = b"\x89SAN\r\n\x1a\n"
VERSION = 3
UNNUMBERED_VERSION = 2
"""The last one in which checksums of chunks say nothing of their place."""
OLD_VERSION = 1
END_MAGIC = b"SAN\x1a"
PACK_VERSION = 0xC1
"""Of a file of many records (formats/pack.py), where others have the version of their container."""

SECTION_HEADER = 1
SECTION_CHUNK = 2
SECTION_RESTORATION = 3
"""In files of version 1 alone."""
SECTION_INDEX = 4

CRC_BYTES = 4
_ALL_ONES = (1 << 32) - 1
_POLYNOMIAL = 0xEDB88320
_PIECE = 1 << 20
MAX_HEAD_BYTES = 11
"""Of a section: its type and its length."""
MAX_FOOTER_BYTES = 10 + len(END_MAGIC)


class ChunkEntry(NamedTuple):
    """Where a chunk is: frames ``start`` to ``start + n_frames``, its whole section in the file.

    ``n_bytes`` counts the section with its head and checksum; ``offset`` is that of its head.
    """

    start: int
    n_frames: int
    offset: int
    n_bytes: int


class Span(NamedTuple):
    """A run of bytes of a file, and what it is."""

    offset: int
    n_bytes: int
    what: str

    @property
    def stop(self) -> int:
        """Offset behind the last byte."""
        return self.offset + self.n_bytes


def encode_section(kind: int, payload: bytes, place: int | None = None) -> bytes:
    """Give a section: its type, its length, its payload and the checksum over all of these.

    Parameters
    ----------
    place : int, optional
        Of a chunk, what ``place_of`` gives: the checksum is over that as well.
    """
    section = ByteWriter().u8(kind).counted(payload).getvalue()
    return section + checksum_of(section, place).to_bytes(CRC_BYTES, "little")


def place_of(header_checksum: int, number: int) -> int:
    """Give what tells a chunk from all others of its file, and of other files."""
    return (header_checksum + number) % (1 << 32)


def checksum_of(section: bytes, place: int | None) -> int:
    """Give the CRC-32 of a section without its checksum, and of its place."""
    checksum = zlib.crc32(section)
    return checksum if place is None else zlib.crc32(place.to_bytes(4, "little"), checksum)


def place_in(section: bytes, checksum: int) -> int:
    """Give the only place with which a section has a checksum.

    Four bytes fill the register of a CRC-32: its steps, taken backwards, give what they were.
    """
    register = checksum ^ _ALL_ONES
    for _ in range(32):
        top = register >> 31
        register = ((register ^ (_POLYNOMIAL * top)) << 1 & _ALL_ONES) | top
    return register ^ zlib.crc32(section) ^ _ALL_ONES


def find_all(
    read: Callable[[int, int], bytes], pattern: bytes, begin: int, stop: int
) -> Iterator[int]:
    """Give the offsets of all occurrences of some bytes, in a file that is read piece by piece.

    Parameters
    ----------
    read : callable
        Gives bytes of the file: offset, number.
    pattern : bytes
    begin, stop : int
        Between these offsets it is looked for.
    """
    offset = begin
    while offset + len(pattern) <= stop:
        piece = read(offset, min(_PIECE, stop - offset))
        place = piece.find(pattern)
        while place >= 0:
            yield offset + place
            place = piece.find(pattern, place + 1)
        # It may stand where two pieces meet.
        offset += len(piece) - len(pattern) + 1


def encode_footer(n_section: int) -> bytes:
    """Give the end of a file whose last section has so many bytes."""
    # Read from the end, so its first byte stands last.
    return ByteWriter().varint(n_section).getvalue()[::-1] + END_MAGIC


def decode_footer(tail: bytes, field: str, name: str) -> tuple[int, int]:
    """Give the bytes of the last section, and those of the footer that ``tail`` ends with.

    Raises
    ------
    CorruptError
        It is no number.
    """
    reader = ByteReader(tail[: -len(END_MAGIC)][::-1], f"{name}: footer")
    n_section = reader.varint(field)
    return n_section, reader.offset + len(END_MAGIC)
