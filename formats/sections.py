"""The parts that a container is made of, and where they are in a file."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from sancodec.formats.wire import ByteWriter

# A byte above 127, a CR LF and a lone LF: a transfer in text mode changes at least one of them.
MAGIC = b"\x89SAN\r\n\x1a\n"
VERSION = 2
OLD_VERSION = 1
END_MAGIC = b"SAN\x1a"

SECTION_HEADER = 1
SECTION_CHUNK = 2
SECTION_RESTORATION = 3
"""In files of version 1 alone."""
SECTION_INDEX = 4

CRC_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class ChunkEntry:
    """Where a chunk is: frames ``start`` to ``start + n_frames``, its whole section in the file.

    ``n_bytes`` counts the section with its head and checksum; ``offset`` is that of its head.
    """

    start: int
    n_frames: int
    offset: int
    n_bytes: int


@dataclass(frozen=True)
class Span:
    """A run of bytes of a file, and what it is."""

    offset: int
    n_bytes: int
    what: str

    @property
    def stop(self) -> int:
        """Offset behind the last byte."""
        return self.offset + self.n_bytes


def encode_section(kind: int, payload: bytes) -> bytes:
    """Give a section: its type, its length, its payload and the checksum over all of these."""
    section = ByteWriter().u8(kind).counted(payload).getvalue()
    return section + zlib.crc32(section).to_bytes(CRC_BYTES, "little")
