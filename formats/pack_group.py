"""The heads of some members of a pack, column by column: SPEC-PACK.md, "Groups"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sancodec.formats.apart import (
    MAX_APART_BYTES,
    MAX_HEAD_BYTES,
    Head,
    excess_of,
    kernels_of,
    sizes_of,
)
from sancodec.formats.output import find_name_problem
from sancodec.formats.squeezed import squeeze, unsqueeze
from sancodec.formats.wire import ByteReader, ByteWriter

MAX_GROUP_BYTES = 1 << 24
MAX_GROUP_MEMBERS = 1 << 12
MAX_PATH_BYTES = 1 << 10
MAX_MEMBER_BYTES = 1 << 48
MAX_SHARED = 1 << 16
_MAX_CUTS = 1 << 10
_WHOLE, _APART = 0, 1


@dataclass(frozen=True, kw_only=True)
class Member:
    """A .san file in a pack.

    Attributes
    ----------
    name : str
        Path of the record, with ``/`` between folders, without a suffix.
    head : Head or None
        None where the file stands in the pack as it is.
    n_body : int
        Bytes of the body, or of the whole file.
    offset : int
        Of the body in the pack.
    """

    name: str
    head: Head | None
    n_body: int
    offset: int = 0


def find_path_problem(name: str) -> str:
    """Say why a name can be no member's, or give an empty string."""
    if len(name.encode("utf-8", "surrogatepass")) > MAX_PATH_BYTES:
        return f"is longer than {MAX_PATH_BYTES} bytes"
    return next(filter(None, map(find_name_problem, name.split("/"))), "")


def encode_group(members: Sequence[Member]) -> bytes:
    """Give the payload of the section that describes some members."""
    writer = ByteWriter().varint(len(members))
    for member in members:
        writer.text(member.name)
    heads = [member.head for member in members if member.head is not None]
    for member in members:
        writer.u8(_WHOLE if member.head is None else _APART)
    for member in members:
        if member.head is None:
            writer.varint(member.n_body)
    for head in heads:
        writer.varint(len(head.chunks))
    for head in heads:
        writer.zigzag(excess_of(head))
    for head in heads:
        _put_kernels(writer, head)
    for head in heads:
        writer.varint(len(head.cuts))
        for gap, n_bytes in head.cuts:
            writer.varint(gap).varint(n_bytes)
        writer.varint(len(head.index) - sum(gap for gap, _ in head.cuts))
    for head in heads:
        writer.raw(head.header)
    for head in heads:
        writer.raw(head.index)
    return squeeze(writer.getvalue())


def decode_group(payload: bytes, offset: int, n_shared: int, name: str) -> tuple[Member, ...]:
    """Give the members of a group, whose bodies end at an offset of the pack.

    Parameters
    ----------
    n_shared : int
        How many shared things the pack has.
    name : str
        Of the pack, for messages.

    Raises
    ------
    CorruptError
        A field is missing or outside of its limits, or the bodies would begin before the pack.
    """
    raw = unsqueeze(ByteReader(payload, name), MAX_GROUP_BYTES, "group")
    reader = ByteReader(raw, f"{name}: group")
    n_members = reader.varint("number of members", MAX_GROUP_MEMBERS)
    names = [_take_name(reader) for _ in range(n_members)]
    kinds = [reader.u8("kind of a member") for _ in range(n_members)]
    if not names or not set(kinds) <= {_WHOLE, _APART}:
        raise reader.corrupt("members", f"{n_members} of the kinds {sorted(set(kinds))}")
    wholes = [reader.varint("bytes of a member", MAX_MEMBER_BYTES) for k in kinds if k == _WHOLE]
    heads = iter(_take_heads(reader, sum(kinds), n_shared))
    reader.expect_end("group")
    sizes = iter(wholes)
    members = []
    for own, kind in zip(names, kinds, strict=True):
        head = next(heads) if kind == _APART else None
        n_body = next(sizes) if head is None else head.n_body
        members.append(Member(name=own, head=head, n_body=n_body))
    return _placed(members, offset, reader)


def _placed(members: list[Member], stop: int, reader: ByteReader) -> tuple[Member, ...]:
    offset = stop - sum(member.n_body for member in members)
    if offset < 0:
        raise reader.corrupt("bodies", f"begin {-offset} bytes before the pack")
    placed = []
    for member in members:
        placed.append(replace(member, offset=offset))
        offset += member.n_body
    return tuple(placed)


def _take_name(reader: ByteReader) -> str:
    name = reader.text("name of a member", MAX_PATH_BYTES)
    problem = find_path_problem(name)
    if problem:
        raise reader.corrupt("name of a member", f"{name!r} {problem}")
    return name


def _put_kernels(writer: ByteWriter, head: Head) -> None:
    """Say how many bytes of kernels end the header, or which shared ones follow it."""
    if head.shared is not None:
        writer.varint(2 * head.shared + 1)
        return
    writer.varint(2 * len(kernels_of(head.header)))


def _take_heads(reader: ByteReader, n_heads: int, n_shared: int) -> list[Head]:
    counts = [reader.varint("number of chunks", MAX_APART_BYTES) for _ in range(n_heads)]
    excesses = [reader.zigzag("excess") for _ in range(n_heads)]
    kernels = [reader.varint("kernels", 2 * MAX_HEAD_BYTES) for _ in range(n_heads)]
    cuts = [_take_cuts(reader) for _ in range(n_heads)]
    headers = []
    for own in kernels:
        n_inside, shared = (0, own >> 1) if own & 1 else (own >> 1, None)
        if shared is not None and shared >= n_shared:
            raise reader.corrupt("kernels", f"shared thing {shared} of {n_shared}")
        fields = ByteWriter().counted(reader.counted("fields", MAX_HEAD_BYTES))
        headers.append((fields.raw(reader.take(n_inside, "kernels")).getvalue(), shared))
    heads = []
    for i, (header, shared) in enumerate(headers):
        own_cuts, n_rest = cuts[i]
        n_index = sum(gap for gap, _ in own_cuts) + n_rest
        index = bytes(reader.take(n_index, "index"))
        if not counts[i]:
            raise reader.corrupt("number of chunks", "0 of a member taken apart")
        chunks = sizes_of(index, counts[i], excesses[i], reader)
        heads.append(Head(header=header, shared=shared, index=index, cuts=own_cuts, chunks=chunks))
    return heads


def _take_cuts(reader: ByteReader) -> tuple[tuple[tuple[int, int], ...], int]:
    """Give the cuts of a head, and the bytes of its index behind the last one."""
    n_cuts = reader.varint("number of cuts", _MAX_CUTS)
    cuts = tuple(
        (reader.varint("gap", MAX_HEAD_BYTES), reader.varint("cut", MAX_HEAD_BYTES))
        for _ in range(n_cuts)
    )
    return cuts, reader.varint("bytes behind the cuts", MAX_HEAD_BYTES)
