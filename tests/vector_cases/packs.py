"""Packs of many records: SPEC-PACK.md."""

from __future__ import annotations

import hashlib
import lzma
import zlib
from dataclasses import dataclass, field

from sancodec.formats.wire import ByteReader

from .good import CASES as FILES
from .parts import FOOTER, MAGIC, RAW_RAMP, Cases, Draft, counted, raw_chunk, section, varint

MARK = b"SAN\x1b"
LZMA = [{"id": lzma.FILTER_LZMA1, "lc": 3, "lp": 0, "pb": 0, "dict_size": 1 << 20}]
PLAIN = Draft().build()
PAYLOAD = raw_chunk(RAW_RAMP)
KERNELS = bytes(range(100))


def squeezed(raw: bytes, size: int | None = None) -> bytes:
    stream = lzma.compress(raw, lzma.FORMAT_RAW, filters=LZMA)
    return varint(len(raw) if size is None else size) + stream


def shared(number: int, kind: int, content: bytes) -> bytes:
    return MARK + section(6, varint(number) + varint(kind) + squeezed(content))


def _parts_of(file: bytes) -> tuple[bytes, bytes, bytes]:
    """Give the payloads of header and index of a file with one chunk, and what its body is."""
    header, place = _taken(file, 9)
    payload, end = _taken(file, place)
    index, _ = _taken(file, end)
    return header, index, payload + file[end - 4 : end]


def _taken(file: bytes, offset: int) -> tuple[bytes, int]:
    """Give the payload of a section, and where it ends."""
    reader = ByteReader(file[offset + 1 :])
    payload = reader.counted("payload", len(file))
    return payload, offset + 1 + reader.offset + 4


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group of two members, one of them taken apart; a vector differs from these."""

    n_members: bytes = varint(2)
    names: bytes = counted(b"a/plain") + counted(b"b")
    kinds: bytes = b"\1\0"
    sizes: bytes = varint(len(PLAIN))
    n_chunks: bytes = varint(1)
    excess: bytes = varint(2 * len(PAYLOAD))
    kernels: bytes = varint(0)
    cuts: bytes = varint(0) + varint(6)
    header: bytes = _parts_of(PLAIN)[0]
    index: bytes = _parts_of(PLAIN)[1][16:]
    behind: bytes = b""
    size: int | None = None

    def payload(self) -> bytes:
        parts = (self.n_members, self.names, self.kinds, self.sizes, self.n_chunks, self.excess)
        rest = (self.kernels, self.cuts, self.header, self.index, self.behind)
        return squeezed(b"".join((*parts, *rest)), self.size)


def crossed(file: bytes) -> bytes:
    """Give the body of a file with one chunk, of which nothing but the sample hash is cut out."""
    _, index, chunk = _parts_of(file)
    checksum = int.from_bytes(chunk[-4:], "little") ^ zlib.crc32(index[:16])
    return index[:16] + chunk[:-4] + checksum.to_bytes(4, "little")


@dataclass(frozen=True, kw_only=True)
class Pack:
    """A pack of one group; a vector differs from these."""

    version: int = 0xC1
    before: bytes = b""
    things: tuple[tuple[int, bytes], ...] = ()
    bodies: bytes = crossed(PLAIN) + PLAIN
    group: Group = field(default_factory=Group)
    kind: int = 7
    n_members: bytes = varint(2)
    names: bytes = counted(b"a/plain") + counted(b"b")
    n_groups: bytes = varint(1)
    more_offset: int = 0
    more_size: int = 0
    between: bytes = b""
    behind: bytes = b""
    n_shared: bytes | None = None
    numbers: tuple[int, ...] | None = None

    def build(self) -> bytes:
        file = MAGIC + bytes([self.version]) + self.before
        entries, last = b"", 0
        for i, (kind, content) in enumerate(self.things):
            part = shared(i if self.numbers is None else self.numbers[i], kind, content)
            digest = hashlib.sha256(content).digest()[:8]
            entries += varint(kind) + digest + varint(len(file) - last) + varint(len(part))
            last, file = len(file), file + part
        file += self.bodies
        part = MARK + section(self.kind, self.group.payload())
        n_shared = varint(len(self.things)) if self.n_shared is None else self.n_shared
        place = varint(len(file) + self.more_offset) + varint(len(part) + self.more_size)
        raw = n_shared + entries + self.n_groups + place + self.n_members + self.names
        index = section(8, squeezed(raw + self.behind))
        return file + part + self.between + index + varint(len(index))[::-1] + FOOTER


def _with_kernels() -> Pack:
    file = Draft(kernels=KERNELS).build()
    header, index, _ = _parts_of(file)
    group = Group(kernels=varint(1), header=header[: -len(KERNELS)], index=index[16:])
    return Pack(things=((1, KERNELS),), bodies=crossed(file) + PLAIN, group=group)


WITH_KERNELS = _with_kernels()
PACKED: dict[str, dict[str, bytes]] = {
    "pack": {"a/plain": PLAIN, "b": PLAIN},
    "shared-kernels": {"a/plain": Draft(kernels=KERNELS).build(), "b": PLAIN},
    "shared-of-a-kind-to-come": {"a/plain": PLAIN, "b": PLAIN},
    "whole": {"a/plain": FILES["two-chunks"][1], "b": FILES["version-2"][1]},
}
"""What is in the good ones."""

GOOD: Cases = {
    "pack": ("two members, one of them taken apart", Pack().build()),
    "shared-kernels": ("kernels that stand apart from their member", WITH_KERNELS.build()),
    "shared-of-a-kind-to-come": (
        "something shared of which a reader makes nothing",
        Pack(things=((9, b"to come"),)).build(),
    ),
    "whole": (
        "members as they are",
        Pack(
            bodies=FILES["two-chunks"][1] + FILES["version-2"][1],
            group=Group(
                kinds=b"\0\0",
                sizes=varint(len(FILES["two-chunks"][1])) + varint(len(FILES["version-2"][1])),
                n_chunks=b"",
                excess=b"",
                kernels=b"",
                cuts=b"",
                header=b"",
                index=b"",
            ),
        ).build(),
    ),
}
_FAR = varint((1 << 62) - 1)
BAD: Cases = {
    "pack-version": ("a version that is none", Pack(version=0xC2).build()),
    "pack-cut-short": ("the footer is missing", Pack().build()[:-1]),
    "pack-group-kind": ("a section of type 6 for a group", Pack(kind=6).build()),
    "pack-group-elsewhere": ("a group one byte on", Pack(more_offset=1).build()),
    "pack-group-too-long": ("a group of a byte more than it has", Pack(more_size=1).build()),
    "pack-other-members": ("an index with another number", Pack(n_members=varint(3)).build()),
    "pack-other-names": (
        "an index with another last name",
        Pack(names=counted(b"a/plain") + counted(b"c")).build(),
    ),
    "pack-groups-hostile": ("2^24 groups", Pack(n_groups=varint(1 << 24)).build()),
    "pack-shared-hostile": ("2^16 shared things", Pack(n_shared=varint(1 << 16)).build()),
    "pack-index-behind": ("a byte behind the last name", Pack(behind=b"\0").build()),
    "pack-between": ("bytes between group and index", Pack(between=b"more").build()),
    "pack-before": ("bytes before the first body", Pack(before=b"more").build()),
    "pack-no-members": ("a group of nothing", Pack(group=Group(n_members=varint(0))).build()),
    "pack-members-hostile": (
        "2^60 members",
        Pack(group=Group(n_members=varint(1 << 60))).build(),
    ),
    "pack-name-up": (
        "a name that leads to another folder",
        Pack(group=Group(names=counted(b"../pln") + counted(b"b"))).build(),
    ),
    "pack-name-root": (
        "a name that begins with a slash",
        Pack(group=Group(names=counted(b"/a/plan") + counted(b"b"))).build(),
    ),
    "pack-kind": ("a member of kind 2", Pack(group=Group(kinds=b"\2\0")).build()),
    "pack-size-hostile": ("a member larger than the file", Pack(group=Group(sizes=_FAR)).build()),
    "pack-bodies-before": (
        "bodies that begin before the file",
        Pack(group=Group(sizes=varint(5000))).build(),
    ),
    "pack-no-chunk": ("taken apart, without a chunk", Pack(group=Group(n_chunks=b"\0")).build()),
    "pack-chunks-hostile": (
        "2^24 chunks of one size",
        Pack(group=Group(n_chunks=varint(1 << 24))).build(),
    ),
    "pack-excess-hostile": (
        "a payload of 2^61 bytes",
        Pack(group=Group(excess=_FAR)).build(),
    ),
    "pack-excess-negative": (
        "a payload of less than nothing",
        Pack(group=Group(excess=varint(1))).build(),
    ),
    "pack-cuts-hostile": ("2^40 cuts", Pack(group=Group(cuts=varint(1 << 40))).build()),
    "pack-kernels-missing": (
        "kernels that nobody shares",
        Pack(group=Group(kernels=varint(1))).build(),
    ),
    "pack-kernels-other": (
        "kernels that are of another kind",
        Pack(things=((2, KERNELS),), group=WITH_KERNELS.group, bodies=WITH_KERNELS.bodies).build(),
    ),
    "pack-shared-number": (
        "a shared thing with another number",
        Pack(things=((1, KERNELS),), numbers=(1,), group=WITH_KERNELS.group).build(),
    ),
    "pack-group-behind": ("a byte behind the last index", Pack(group=Group(behind=b"\0")).build()),
    "pack-bomb": (
        "a group of 16 million zeros",
        Pack(group=Group(n_members=varint(1), behind=bytes(1 << 24))).build(),
    ),
    "pack-size": ("a stream that is shorter than it says", Pack(group=Group(size=500)).build()),
}
