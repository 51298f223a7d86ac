"""A .san file taken apart for a pack, and put together again: SPEC-PACK.md, "Members".

What packs compress are heads: what a file says of its record and of itself. What cannot be
compressed, chunks and hashes, stands in the body of the member.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass

from sancodec.errors import CorruptError
from sancodec.formats.container import ContainerReader
from sancodec.formats.header import HASH_BYTES
from sancodec.formats.originals import RecordShape
from sancodec.formats.restoration import describe
from sancodec.formats.sections import (
    CRC_BYTES,
    MAGIC,
    SECTION_CHUNK,
    SECTION_HEADER,
    SECTION_INDEX,
    VERSION,
    encode_footer,
    encode_section,
)
from sancodec.formats.wire import ByteReader, ByteWriter

MAX_APART_BYTES = 1 << 24
"""A file that is larger is a member as it is."""
MAX_HEAD_BYTES = 1 << 18
_N_SUMMARY_FIELDS = 6
_SAN_BYTES, _RESIDUAL_BYTES = 2, 3
_N_START = len(MAGIC) + 1


@dataclass(frozen=True, kw_only=True)
class Head:
    """What a .san file says beside its chunks and hashes.

    Attributes
    ----------
    header : bytes
        Payload of its header section, without its kernels where these are shared.
    shared : int or None
        Number of the shared kernels that stand behind ``header``.
    index : bytes
        Payload of its index section behind the hash of the samples, without what was cut out.
    cuts : tuple of (int, int)
        What was cut out of ``index`` and stands in the body: bytes since the cut before, and
        bytes of the cut.
    chunks : tuple of int
        Bytes of the payloads of its chunks; at least one.
    """

    header: bytes
    shared: int | None = None
    index: bytes
    cuts: tuple[tuple[int, int], ...]
    chunks: tuple[int, ...]

    @property
    def n_cut(self) -> int:
        """Bytes of all hashes, which the body begins with."""
        return HASH_BYTES + sum(n_bytes for _, n_bytes in self.cuts)

    @property
    def n_body(self) -> int:
        """Bytes of the body."""
        return self.n_cut + sum(self.chunks) + CRC_BYTES * len(self.chunks)


def take_apart(content: bytes, name: str) -> tuple[Head, bytes] | None:
    """Give the head and the body of a .san file; None where it is better kept as it is.

    Raises
    ------
    CorruptError
        The file is damaged.
    """
    reader = ContainerReader(io.BytesIO(content), name)
    spans = [span for span in reader.account() if span.n_bytes]
    if content[len(MAGIC)] != VERSION or not reader.chunks or len(content) > MAX_APART_BYTES:
        return None
    header = _payload(content[spans[1].offset : spans[1].stop])
    index = _payload(content[spans[-2].offset : spans[-2].stop])
    if len(header) + len(index) > MAX_HEAD_BYTES:
        return None
    payloads = [reader.read_chunk(i) for i in range(len(reader.chunks))]
    sums = [content[e.offset + e.n_bytes - CRC_BYTES :][:CRC_BYTES] for e in reader.chunks]
    restoration = reader.summary.restoration
    files = describe(restoration, RecordShape.of(reader.header), name).files if restoration else ()
    left, cuts, taken = _cut(index[HASH_BYTES:], len(restoration), [file.sha256 for file in files])
    head = Head(header=header, index=left, cuts=cuts, chunks=tuple(map(len, payloads)))
    if abs(excess_of(head)) > MAX_APART_BYTES:
        return None
    hashes = index[:HASH_BYTES] + taken
    sums[0] = _crossed(sums[0], hashes)
    return head, hashes + b"".join(p + s for p, s in zip(payloads, sums, strict=True))


def put_together(head: Head, body: bytes, kernels: bytes) -> bytes:
    """Give the .san file that was taken apart; ``kernels`` are those that it shares, or none.

    Its header, its summary and its chunks have checksums as they had; where a part of the body is
    damaged, that of the first chunk, or of the chunk, does not fit.
    """
    assert len(body) == head.n_body
    hashes = body[: head.n_cut]
    index = ByteWriter().raw(hashes[:HASH_BYTES])
    place, position = 0, HASH_BYTES
    for gap, n_bytes in head.cuts:
        index.raw(head.index[place : place + gap]).raw(hashes[position : position + n_bytes])
        place, position = place + gap, position + n_bytes
    index.raw(head.index[place:])
    file = ByteWriter().raw(MAGIC).u8(VERSION)
    file.raw(encode_section(SECTION_HEADER, head.header + kernels))
    for i, n_bytes in enumerate(head.chunks):
        payload = body[position : position + n_bytes]
        checksum = body[position + n_bytes :][:CRC_BYTES]
        file.u8(SECTION_CHUNK).counted(payload)
        file.raw(checksum if i else _crossed(checksum, hashes))
        position += n_bytes + CRC_BYTES
    section = encode_section(SECTION_INDEX, index.getvalue())
    return file.raw(section).raw(encode_footer(len(section))).getvalue()


def kernels_of(header: bytes) -> bytes:
    """Give the kernels that are embedded in the payload of a header section, or nothing."""
    reader = ByteReader(header, "header of a member")
    reader.counted("fields", len(header))
    return bytes(reader.take(reader.remaining, "kernels"))


def excess_of(head: Head) -> int:
    """Give how many bytes more all chunks have than the summary says that their layers have."""
    return sum(head.chunks) - _layers_of(_summary(head.index))


def sizes_of(index: bytes, n_chunks: int, excess: int, reader: ByteReader) -> tuple[int, ...]:
    """Give the bytes of the payloads of chunks, from what the index of a head says.

    Parameters
    ----------
    index : bytes
        As in ``Head``.
    excess : int
        As ``excess_of`` gave it.
    reader : ByteReader
        Of what the head was read from, for messages.

    Raises
    ------
    CorruptError
        No file has such an index.
    """
    fields = ByteReader(index, "index of a member")
    total = excess + _layers_of([fields.varint("summary") for _ in range(_N_SUMMARY_FIELDS)])
    if n_chunks > 1 + fields.remaining:
        raise reader.corrupt("number of chunks", f"{n_chunks}, their sizes are not there")
    sections = [fields.varint("size of a chunk", MAX_APART_BYTES) for _ in range(n_chunks - 1)]
    sizes = [_payload_bytes(n_bytes, reader) for n_bytes in sections]
    sizes.append(total - sum(sizes))
    if not 0 <= sizes[-1] <= total <= MAX_APART_BYTES:
        raise reader.corrupt("sizes of chunks", f"{total} bytes in all, {sizes[-1]} in the last")
    return tuple(sizes)


def _summary(index: bytes) -> list[int]:
    reader = ByteReader(index, "summary")
    return [reader.varint("summary") for _ in range(_N_SUMMARY_FIELDS)]


def _layers_of(summary: list[int]) -> int:
    return summary[_SAN_BYTES] + summary[_RESIDUAL_BYTES]


def _payload_bytes(n_section: int, reader: ByteReader) -> int:
    """Give the bytes of the payload of a section of so many."""
    for n_length in range(1, 5):
        n_bytes = n_section - 1 - n_length - CRC_BYTES
        if n_bytes >= 0 and len(ByteWriter().varint(n_bytes)) == n_length:
            return n_bytes
    raise reader.corrupt("size of a chunk", f"no section has {n_section} bytes")


def _cut(
    index: bytes, n_restoration: int, hashes: list[bytes]
) -> tuple[bytes, tuple[tuple[int, int], ...], bytes]:
    """Cut the hashes of files out of the restoration, with which an index ends.

    Returns
    -------
    left : bytes
    cuts : tuple of (int, int)
    taken : bytes
    """
    left, cuts, taken = b"", [], b""
    last, place = 0, len(index) - n_restoration
    for own in hashes:
        place = index.find(own, place)
        if place < 0:
            raise CorruptError("restoration: the hashes of its files are not in their order")
        left += index[last:place]
        cuts.append((place - last, len(own)))
        taken += own
        place += len(own)
        last = place
    return left + index[last:], tuple(cuts), taken


def _payload(section: bytes) -> bytes:
    reader = ByteReader(section)
    reader.u8("section type")
    return reader.counted("payload", len(section))


def _crossed(checksum: bytes, hashes: bytes) -> bytes:
    """Give the checksum of a first chunk as that of the hashes before it as well, or back."""
    crossed = int.from_bytes(checksum, "little") ^ zlib.crc32(hashes)
    return crossed.to_bytes(CRC_BYTES, "little")
