"""Files whose sections, footer or checksums are wrong."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

from .parts import (
    FOOTER,
    MAGIC,
    RAW_RAMP,
    Cases,
    Draft,
    counted,
    place_of,
    raw_chunk,
    section,
    varint,
)

PLAIN = Draft()
WHOLE = PLAIN.build()
HEADER = section(1, counted(b"\0" + PLAIN.fields()))
CHUNK = section(2, PLAIN.chunks[0], place_of(0, HEADER))
INDEX = section(4, PLAIN.sample_hash[:16] + bytes(6))
END = varint(len(INDEX))[::-1] + FOOTER
START = MAGIC + b"\3"
HALVES = replace(
    PLAIN,
    chunk_frames=varint(4),
    chunks=(
        raw_chunk(b"\0\0\0\0\2\xe4" + b"\xf8\xff\xff\xff\2\xe4"),
        raw_chunk(b"\4\0\0\0\2\xe4" + b"\xfc\xff\xff\xff\2\xe4"),
    ),
)


def flip(content: bytes, offset: int, mask: int = 1) -> bytes:
    return content[:offset] + bytes([content[offset] ^ mask]) + content[offset + 1 :]


def joined(*parts: bytes) -> bytes:
    return START + b"".join(parts) + END


def _overlong() -> bytes:
    """Spell the length of the chunk with a byte more than it needs, under a right checksum."""
    longer = CHUNK[:1] + bytes([CHUNK[1] | 128, 0]) + CHUNK[2:-4]
    return longer + struct.pack("<I", zlib.crc32(longer + place_of(0, HEADER)))


def _swapped() -> bytes:
    """Give HALVES with its two chunks, which are of one size, in each other's place."""
    whole, n_first = HALVES.build(), len(section(2, HALVES.chunks[0]))
    start = 9 + len(section(1, counted(b"\0" + HALVES.fields())))
    first, second = (whole[start + i * n_first :][:n_first] for i in range(2))
    return whole[:start] + second + first + whole[start + 2 * n_first :]


def _second_size() -> bytes:
    first = len(section(2, HALVES.chunks[0]))
    return varint(first + 1)


CASES: Cases = {
    "empty": ("a file of no bytes", b""),
    "magic-cut": ("it ends within its magic", WHOLE[:5]),
    "magic-only": ("it ends behind its version", WHOLE[:9]),
    "magic-of-text": (
        "CR LF was made LF, as by a transfer in text mode",
        WHOLE.replace(b"\r\n", b"\n", 1),
    ),
    "magic-of-seven-bits": ("the first byte lost its highest bit", flip(WHOLE, 0, 128)),
    "header-cut": ("it ends within its header", WHOLE[:40]),
    "chunk-cut": ("it ends within its chunk", WHOLE[: len(START + HEADER) + 10]),
    "footer-cut": ("the last byte is missing", WHOLE[:-1]),
    "footer-missing": ("it ends behind its index", WHOLE[: -len(END)]),
    "byte-behind-footer": ("a byte follows the footer", WHOLE + b"\0"),
    "footer-twice": ("a second footer follows the footer", WHOLE + END),
    "footer-short": (
        "the footer leads one byte into the index",
        START + HEADER + CHUNK + INDEX + varint(len(INDEX) - 1)[::-1] + FOOTER,
    ),
    "footer-ahead": (
        "the footer leads ahead of the file",
        START + HEADER + CHUNK + INDEX + varint(1 << 40)[::-1] + FOOTER,
    ),
    "footer-overlong": (
        "the size in the footer is not its shortest spelling",
        START + HEADER + CHUNK + INDEX + bytes([0, len(INDEX) | 128]) + FOOTER,
    ),
    "header-flipped": ("a bit of the header differs", flip(WHOLE, 30)),
    "chunk-flipped": ("a bit of the chunk differs", flip(WHOLE, len(START + HEADER) + 8)),
    "index-flipped": ("a bit of the hash of all samples differs", flip(WHOLE, -len(END) - 12)),
    "checksum-flipped": (
        "a bit of the checksum of the chunk differs",
        flip(WHOLE, len(START + HEADER + CHUNK) - 1),
    ),
    "length-beyond-file": (
        "the chunk is said to have 2^40 bytes",
        joined(HEADER, b"\2" + varint(1 << 40) + CHUNK[2:], INDEX),
    ),
    "length-overlong": (
        "the length of the chunk is not its shortest spelling",
        joined(HEADER, _overlong(), INDEX),
    ),
    "length-of-eleven-bytes": (
        "the length of the chunk does not end in ten bytes",
        joined(HEADER, b"\2" + b"\xff" * 10 + b"\1" + CHUNK[2:], INDEX),
    ),
    "length-beyond-64-bits": (
        "the length of the chunk has more than 64 bits",
        joined(HEADER, b"\2" + b"\xff" * 9 + b"\2" + CHUNK[2:], INDEX),
    ),
    "chunk-missing": ("the header implies a chunk that is not there", joined(HEADER, INDEX)),
    "chunk-twice": (
        "a second chunk, of which no header knows",
        joined(HEADER, CHUNK, CHUNK, INDEX),
    ),
    "chunk-of-another-place": (
        "the first chunk stands where the second belongs",
        _swapped(),
    ),
    "chunk-of-another-file": (
        "a chunk of a file with another header, its checksum right there",
        joined(HEADER, section(2, PLAIN.chunks[0], place_of(0, section(1, b""))), INDEX),
    ),
    "chunk-of-version-2": (
        "a chunk whose checksum is over nothing beside it",
        joined(HEADER, section(2, PLAIN.chunks[0]), INDEX),
    ),
    "chunk-of-version-3": (
        "a file of version 2, and a chunk with a checksum of version 3",
        MAGIC + b"\2" + WHOLE[9:],
    ),
    "chunk-behind-index": ("the chunk stands behind the index", joined(HEADER, INDEX, CHUNK)),
    "header-twice": ("a header stands where the chunk belongs", joined(HEADER, HEADER, INDEX)),
    "byte-between-sections": (
        "a byte between the chunk and the index",
        joined(HEADER, CHUNK, b"\0", INDEX),
    ),
    "section-of-version-1": (
        "a section of type 3, which version 1 alone has",
        joined(HEADER, CHUNK, section(3, b""), INDEX),
    ),
    "section-unknown": (
        "a section of type 5 where the chunk belongs",
        joined(HEADER, section(5, PLAIN.chunks[0]), INDEX),
    ),
    "hash-of-others": (
        "the hash is not that of the samples",
        replace(PLAIN, samples=(PLAIN.samples[0], PLAIN.samples[0])).build(),
    ),
    "index-contradicts": (
        "the index says of the first chunk another size than it has",
        replace(HALVES, sizes=_second_size()).build(),
    ),
    "index-without-sizes": (
        "the index ends ahead of its sizes",
        replace(HALVES, sizes=b"").build(),
    ),
    "index-cut": (
        "the payload of the index ends within the hash",
        START + HEADER + CHUNK + section(4, b"\0" * 15) + varint(21)[::-1] + FOOTER,
    ),
    "chunk-of-no-bytes": (
        "the payload of the chunk is empty",
        replace(PLAIN, chunks=(b"",)).build(),
    ),
    "chunk-and-a-byte": (
        "a byte follows the last field of the chunk",
        replace(PLAIN, chunks=(raw_chunk(RAW_RAMP) + b"\0",)).build(),
    ),
}
