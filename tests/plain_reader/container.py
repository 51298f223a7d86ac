"""The file: its sections, and where they have to stand ("The file", "Section", "Version")."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from .header import Header, read_header
from .wire import Fields, check, check_known

MAGIC = b"\x89SAN\r\n\x1a\n"
FOOTER = b"SAN\x1a"
HEADER, CHUNK, RESTORATION, INDEX = 1, 2, 3, 4


@dataclass
class Container:
    version: int
    header: Header
    chunks: list[bytes]
    sample_hash: bytes
    restoration: bytes


@dataclass
class Summary:
    sample_hash: bytes
    sizes: list[int]
    restoration: bytes


def read_container(content: bytes) -> Container:
    check(content[:8] == MAGIC[: len(content)], "this is not a .san file")
    check(len(content) > 9 and content[-4:] == FOOTER, "the file was cut short")
    version = content[8]
    check_known(version in (1, 2, 3), f"version {version}")
    fields = Fields(content[:-4], "file")
    fields.take(9)
    header = read_header(version, _section(fields, HEADER))
    (header_checksum,) = struct.unpack("<I", fields.content[fields.offset - 4 : fields.offset])
    # A section has six bytes at least: a count that the file cannot hold is refused here.
    check(header.n_chunks <= fields.n_left // 6, f"{header.n_chunks} chunks in a short file")
    chunks, sizes = [], []
    for i in range(header.n_chunks):
        start = fields.offset
        place = struct.pack("<I", (header_checksum + i) % 2**32) if version == 3 else b""
        chunks.append(_section(fields, CHUNK, place))
        sizes.append(fields.offset - start)
    restoration = b""
    if version == 1 and fields.content[fields.offset : fields.offset + 1] == bytes([RESTORATION]):
        restoration = _section(fields, RESTORATION)
    start = fields.offset
    summary = _read_index(version, _section(fields, INDEX), len(chunks))
    _check_footer(version, fields, start)
    check(summary.sizes == sizes[: len(summary.sizes)], "the index contradicts the chunks")
    restoration += summary.restoration
    return Container(version, header, chunks, summary.sample_hash, restoration)


def _section(fields: Fields, expected: int, place: bytes = b"") -> bytes:
    """Give the payload of a section; `place` is what its checksum is over beside it."""
    start = fields.offset
    kind = fields.u8()
    check(kind in (HEADER, CHUNK, RESTORATION, INDEX), f"section type {kind}")
    payload = fields.counted()
    stop = fields.offset
    checksum = zlib.crc32(fields.content[start:stop] + place)
    check(fields.u32() == checksum, f"checksum of section {kind}")
    check(kind == expected, f"a section of type {kind} where one of type {expected} belongs")
    return payload


def _read_index(version: int, payload: bytes, n_chunks: int) -> Summary:
    fields = Fields(payload, "index")
    sample_hash = fields.take(32 if version == 1 else 16)
    for _ in range(6):
        fields.varint()
    n_sizes = n_chunks if version == 1 else max(n_chunks - 1, 0)
    sizes = [fields.varint() for _ in range(n_sizes)]
    restoration = b"" if version == 1 else fields.rest()
    fields.end()
    return Summary(sample_hash, sizes, restoration)


def _check_footer(version: int, fields: Fields, start: int) -> None:
    """Check that the footer leads to the index section, which began at start and ends here."""
    n_bytes, footer = fields.offset - start, fields.rest()
    if version == 1:
        check(footer == struct.pack("<Q", start), "the footer does not lead to the index")
        return
    backwards = Fields(footer[::-1], "footer")
    check(backwards.varint() == n_bytes, "the footer does not lead to the index")
    backwards.end()
