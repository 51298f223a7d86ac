"""The parts of a pack that its index leads to: SPEC-PACK.md, "Shared things", "Index"."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from sancodec.errors import ChecksumError, CorruptError
from sancodec.formats.pack_group import MAX_GROUP_MEMBERS, MAX_PATH_BYTES, MAX_SHARED, Member
from sancodec.formats.sections import CRC_BYTES, MAGIC, PACK_VERSION, checksum_of
from sancodec.formats.squeezed import squeeze, unsqueeze
from sancodec.formats.wire import ByteReader, ByteWriter

SHARED_KERNELS = 1
"""Kernels as they are embedded in .san files."""
SHARED_MODEL = 2
"""Kernels of a model, which files name by the digest of these bytes."""
SHARED_PRIMER = 3
"""A primer, as its file is, which files name by its digest."""

SECTION_SHARED = 6
SECTION_GROUP = 7
SECTION_PACK_INDEX = 8
MARK = b"SAN\x1b"
"""Stands before what has to be found when the index is lost."""
PACK_START = MAGIC + bytes([PACK_VERSION])
MAX_SHARED_BYTES = 1 << 24

_DIGEST_BYTES = 8
_MAX_INDEX_BYTES = 1 << 26
_MAX_KINDS = 1 << 16
# Of a section with its mark: type, length, one byte of payload, checksum.
_MIN_PART_BYTES = len(MARK) + 3 + CRC_BYTES


@dataclass(frozen=True, kw_only=True)
class SharedEntry:
    """Where a shared thing is: ``n_bytes`` from its mark on, which is at ``offset``.

    ``digest`` is the begin of SHA-256 of its content.
    """

    kind: int
    digest: bytes
    offset: int
    n_bytes: int


@dataclass(frozen=True, kw_only=True)
class GroupEntry:
    """Where a group is: ``n_bytes`` from its mark on, behind the bodies of its members.

    ``first`` and ``last`` are the least and the greatest name of a member.
    """

    offset: int
    n_bytes: int
    n_members: int
    first: str
    last: str

    @classmethod
    def of(cls, members: Sequence[Member], offset: int, n_bytes: int) -> GroupEntry:
        """Make the entry of these members."""
        names = [member.name for member in members]
        return cls(
            offset=offset,
            n_bytes=n_bytes,
            n_members=len(names),
            first=min(names),
            last=max(names),
        )


def is_pack(source: BinaryIO) -> bool:
    """Tell whether a stream is a pack, and go back to its beginning."""
    source.seek(0)
    start = source.read(len(PACK_START))
    source.seek(0)
    return start == PACK_START


def encode_shared(number: int, kind: int, content: bytes) -> bytes:
    """Give the payload of a section with something that members share."""
    return ByteWriter().varint(number).varint(kind).raw(squeeze(content)).getvalue()


def decode_shared(payload: bytes, where: str) -> tuple[int, int, bytes]:
    """Give number, kind and content; CorruptError when the payload is damaged."""
    reader = ByteReader(payload, where)
    number = reader.varint("number", MAX_SHARED - 1)
    kind = reader.varint("kind", _MAX_KINDS)
    return number, kind, unsqueeze(reader, MAX_SHARED_BYTES, "content")


def entry_of(kind: int, content: bytes, offset: int, n_bytes: int) -> SharedEntry:
    """Give the entry of a shared thing."""
    digest = hashlib.sha256(content).digest()[:_DIGEST_BYTES]
    return SharedEntry(kind=kind, digest=digest, offset=offset, n_bytes=n_bytes)


def encode_index(shared: Sequence[SharedEntry], groups: Sequence[GroupEntry]) -> bytes:
    """Give the payload of the index section."""
    writer = ByteWriter().varint(len(shared))
    last = 0
    for own in shared:
        writer.varint(own.kind).raw(own.digest).varint(own.offset - last).varint(own.n_bytes)
        last = own.offset
    writer.varint(len(groups))
    last = 0
    for group in groups:
        writer.varint(group.offset - last).varint(group.n_bytes).varint(group.n_members)
        last = group.offset
    for group in groups:
        writer.text(group.first).text(group.last)
    return squeeze(writer.getvalue())


def decode_index(
    payload: bytes, stop: int, where: str
) -> tuple[tuple[SharedEntry, ...], tuple[GroupEntry, ...]]:
    """Give what ``encode_index`` was given.

    Parameters
    ----------
    stop : int
        Where the index begins in the file: everything else ends before.

    Raises
    ------
    CorruptError
        A field is missing or outside of its limits.
    """
    raw = unsqueeze(ByteReader(payload, where), _MAX_INDEX_BYTES, "index")
    reader = ByteReader(raw, where)
    shared, last = [], 0
    for _ in range(_take_count(reader, "shared things", min(MAX_SHARED, stop // _MIN_PART_BYTES))):
        kind = reader.varint("kind", _MAX_KINDS)
        digest = bytes(reader.take(_DIGEST_BYTES, "digest"))
        offset, n_bytes = _take_place(reader, last, stop)
        shared.append(SharedEntry(kind=kind, digest=digest, offset=offset, n_bytes=n_bytes))
        last = offset
    places, last = [], 0
    for _ in range(_take_count(reader, "groups", stop // _MIN_PART_BYTES)):
        offset, n_bytes = _take_place(reader, last, stop)
        places.append((offset, n_bytes, reader.varint("number of members", MAX_GROUP_MEMBERS)))
        last = offset
    groups = []
    for offset, n_bytes, n_members in places:
        first = reader.text("first name", MAX_PATH_BYTES)
        final = reader.text("last name", MAX_PATH_BYTES)
        groups.append(
            GroupEntry(offset=offset, n_bytes=n_bytes, n_members=n_members, first=first, last=final)
        )
    reader.expect_end("index")
    return tuple(shared), tuple(groups)


def payload_of(section: bytes, kind: int, where: str) -> bytes:
    """Give the payload of a section that is all of these bytes.

    Raises
    ------
    CorruptError
        It is of another kind or size, or its checksum differs.
    """
    reader = ByteReader(section, where)
    found = reader.u8("section type")
    payload = reader.counted("section", len(section))
    checksum = bytes(reader.take(CRC_BYTES, "checksum"))
    reader.expect_end("section")
    if checksum_of(section[:-CRC_BYTES], None) != int.from_bytes(checksum, "little"):
        raise ChecksumError(f"{where}: CRC-32 differs; copy the file again from its origin")
    if found != kind:
        raise CorruptError(f"{where}: section type {found}, expected {kind}")
    return payload


def _take_count(reader: ByteReader, what: str, limit: int) -> int:
    """Give a number of things, each of which takes a byte of what is left at least."""
    return reader.varint(f"number of {what}", min(limit, reader.remaining))


def _take_place(reader: ByteReader, last: int, stop: int) -> tuple[int, int]:
    offset = last + reader.varint("offset", stop)
    n_bytes = reader.varint("bytes of a part", stop)
    if not last < offset <= stop - n_bytes:
        raise reader.corrupt("part", f"{n_bytes} bytes at offset {offset}, the index at {stop}")
    return offset, n_bytes
