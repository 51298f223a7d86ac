"""Parts that test vectors are made of: a small .san file, written field by field."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass, field

from sancodec.formats.wire import ByteWriter

Cases = dict[str, tuple[str, bytes]]
"""Of each vector, by its name, why it exists and its bytes."""

MAGIC = b"\x89SAN\r\n\x1a\n"
FOOTER = b"SAN\x1a"
STORED = b"\0"
RAMP = ((0, 1, 2, 3, 4, 5, 6, 7), (-8, -7, -6, -5, -4, -3, -2, -1))


def varint(number: int) -> bytes:
    return ByteWriter().varint(number).getvalue()


def zigzag(number: int) -> bytes:
    return ByteWriter().zigzag(number).getvalue()


def counted(content: bytes) -> bytes:
    return varint(len(content)) + content


def decimal(m: int, p: int = 0) -> bytes:
    return varint(p) + zigzag(m)


def binary(number: float) -> bytes:
    """Spell a `decimal` as binary64."""
    return varint(23) + struct.pack("<d", number)


def section(kind: int, payload: bytes, place: bytes = b"") -> bytes:
    """Give a section; `place` is what the checksum of a chunk is over beside it."""
    content = bytes([kind]) + counted(payload)
    return content + struct.pack("<I", zlib.crc32(content + place))


def place_of(chunk: int, header: bytes) -> bytes:
    """Give what the checksum of a chunk is over beside it, in a file of this header section."""
    checksum = int.from_bytes(header[-4:], "little")
    return struct.pack("<I", (checksum + chunk) % 2**32)


def same(value: bytes) -> bytes:
    """Give a column of one value for all channels."""
    return b"\1" + value


def raw_lead(minimum: int, width: int, packed: bytes) -> bytes:
    return struct.pack("<i", minimum) + bytes([width]) + packed


def raw_chunk(residual: bytes, mode: int = 0) -> bytes:
    return bytes([mode]) + counted(residual)


# Both leads of RAMP: 0 to 7 above their minimum, in three bits.
_OCTAL = bytes([0b10_001_000, 0b1_100_011_0, 0b111_110_10])
RAW_RAMP = raw_lead(0, 3, _OCTAL) + raw_lead(-8, 3, _OCTAL)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Fields of a file in their order; what a vector is about differs from these."""

    version: int = 3
    n_frames: bytes = varint(8)
    chunk_frames: bytes = varint(8)
    fs: bytes = decimal(250)
    fidelity: bytes = varint(0)
    level: bytes = varint(1)
    record: bytes = counted(b"ramp")
    n_channels: bytes = varint(2)
    names: bytes = b"\0" + counted(b"up") + counted(b"down")
    units: bytes = same(counted(b"mV"))
    gains: bytes = same(decimal(200))
    baselines: bytes = same(zigzag(0))
    resolutions: bytes = same(varint(12))
    zeros: bytes = same(zigzag(0))
    per_frame: bytes = same(varint(1))
    parameters: bytes = b"\1\0"
    digest: bytes = counted(b"")
    behind_fields: bytes = b""
    kernels: bytes = b""
    chunks: tuple[bytes, ...] = (raw_chunk(RAW_RAMP),)
    samples: tuple[tuple[int, ...], ...] = RAMP
    counts: bytes = bytes(6)
    sizes: bytes | None = None
    restoration: bytes = b""
    behind: bytes = b""
    header: bytes | None = field(default=None)

    @property
    def sample_hash(self) -> bytes:
        """The hash of samples of channels with one sample a frame."""
        frames = zip(*self.samples, strict=True)
        return hashlib.sha256(b"".join(struct.pack(f"<{len(f)}i", *f) for f in frames)).digest()

    def fields(self) -> bytes:
        record = (self.n_frames, self.chunk_frames, self.fs, self.fidelity, self.level, self.record)
        columns = (self.names, self.units, self.gains, self.baselines, self.resolutions)
        rest = (self.zeros, self.per_frame, counted(self.parameters), self.digest)
        parts = (*record, self.n_channels, *columns, *rest, self.behind_fields)
        return b"".join(parts)

    def build(self) -> bytes:
        start = counted(STORED + self.fields()) if self.header is None else self.header
        header = section(1, start + self.kernels)
        places = [place_of(i, header) if self.version > 2 else b"" for i in range(len(self.chunks))]
        chunks = [section(2, *chunk) for chunk in zip(self.chunks, places, strict=True)]
        sizes = self.sizes
        if sizes is None:
            sizes = b"".join(varint(len(chunk)) for chunk in chunks[:-1])
        summary = self.sample_hash[:16] + self.counts + sizes + self.restoration
        index = section(4, summary)
        end = varint(len(index))[::-1] + FOOTER
        sections = header + b"".join(chunks) + index
        return MAGIC + bytes([self.version]) + sections + end + self.behind


def run_frame(n_bytes: int, claimed: int | None) -> bytes:
    """Give a zstd frame of zeros: a few bytes for each 128 KiB, whatever size it claims."""
    head = b"\x28\xb5\x2f\xfd"
    if claimed is None:
        # No content size; a window of 128 KiB.
        head += b"\0" + bytes([7 << 3])
    else:
        head += b"\xc0" + bytes([7 << 3]) + struct.pack("<Q", claimed)
    blocks = []
    for start in range(0, n_bytes, 1 << 17):
        size = min(1 << 17, n_bytes - start)
        last = start + size == n_bytes
        blocks.append((size << 3 | 1 << 1 | last).to_bytes(3, "little") + b"\0")
    return head + b"".join(blocks)


class Script:
    """Symbols that are to be coded, and the contexts that they adapt."""

    def __init__(self) -> None:
        self.symbols: list[tuple[int, int, int]] = []
        self.contexts: dict[tuple[int, int], tuple[int, int]] = {}

    def bit(self, of_field: int, context: int, bit: int) -> None:
        zero, n = self.contexts.get((of_field, context), (1 << 15, 0))
        self.symbols.append((zero, (1 << 16) - zero, 16) if bit else (0, zero, 16))
        zero += ((0 if bit else 1 << 16) - zero) // (n + 2)
        self.contexts[of_field, context] = min(max(zero, 32), (1 << 16) - 32), min(n + 1, 24)

    def number(self, of_field: int, number: int) -> Script:
        low = bin(number + 1)[3:]
        for i in range(len(low)):
            self.bit(of_field, 2 + i, 1)
        if len(low) < 40:
            self.bit(of_field, 2 + len(low), 0)
        for i, digit in enumerate(low):
            if i == 0:
                self.bit(of_field, 64 + 3 * len(low), int(digit))
            elif i == 1:
                self.bit(of_field, 65 + 3 * len(low) + int(low[0]), int(digit))
            else:
                self.symbols.append((int(digit), 1, 1))
        return self

    def signed(self, of_field: int, number: int) -> Script:
        self.bit(of_field, 0, int(number != 0))
        if number:
            self.bit(of_field, 1, int(number < 0))
            self.number(of_field, abs(number) - 1)
        return self

    def words(self, last: int = 1 << 31) -> bytes:
        """Code the symbols, the first one to come out first."""
        state, words = last, []
        for start, freq, bits in reversed(self.symbols):
            if state >= freq << (63 - bits):
                words.append(state & 0xFFFFFFFF)
                state >>= 32
            state = (state // freq << bits) + state % freq + start
        words += [state & 0xFFFFFFFF, state >> 32]
        return b"".join(struct.pack("<I", word) for word in reversed(words))
