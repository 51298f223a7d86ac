"""Packs of .san files: formats/SPEC-PACK.md. Gives what was packed, byte for byte."""

from __future__ import annotations

import hashlib
import lzma
import struct
import zlib
from dataclasses import dataclass

from .container import FOOTER, MAGIC
from .restoration import check_names
from .wire import Fields, RefusedError, check

VERSION = 0xC1
SHARED, GROUP, INDEX = 6, 7, 8
MARK = b"SAN\x1b"
LZMA = [{"id": lzma.FILTER_LZMA1, "lc": 3, "lp": 0, "pb": 0, "dict_size": 2**20}]


@dataclass
class Part:
    offset: int
    size: int
    n_members: int = 0
    names: tuple[str, str] = ("", "")
    kind: int = 0
    digest: bytes = b""


@dataclass
class Taken:
    """A member that was taken apart: what is squeezed of it."""

    n_chunks: int
    excess: int
    n_kernels: int
    shared: int | None
    cuts: list[tuple[int, int]]
    rest: int
    header: bytes = b""
    index: bytes = b""

    @property
    def n_hashes(self) -> int:
        return 16 + sum(size for _, size in self.cuts)


def read_pack(content: bytes) -> dict[str, bytes]:
    """Give the .san files of a pack by their names; raise RefusedError where it is refused."""
    check(content[:9] == MAGIC + bytes([VERSION]), "this is not a pack")
    check(content[-4:] == FOOTER and len(content) > 13, "the pack was cut short")
    backwards = Fields(content[9:-4][::-1], "footer")
    size = backwards.varint()
    stop = len(content) - 4 - backwards.offset - size
    check(stop >= 9, "the footer leads nowhere")
    raw = _squeezed(_section(content[stop : stop + size], INDEX), 2**26, "index")
    shared, groups = _read_index(Fields(raw, "index"), stop)
    things = [_read_shared(content, number, part) for number, part in enumerate(shared)]
    files: dict[str, bytes] = {}
    spans = [(part.offset, part.offset + part.size) for part in shared]
    for part in groups:
        begin = _read_group(content, part, things, files)
        spans.append((begin, part.offset + part.size))
    place = 9
    for begin, end in sorted(spans):
        check(begin == place, f"{begin - place} bytes between parts at {place}")
        place = end
    check(place == stop, "bytes before the index")
    return files


def _section(content: bytes, kind: int) -> bytes:
    fields = Fields(content, f"section {kind}")
    found, payload = fields.u8(), fields.counted()
    checksum = zlib.crc32(content[: fields.offset])
    check(fields.u32() == checksum, f"checksum of section {kind}")
    fields.end()
    check(found == kind, f"a section of type {found}, not {kind}")
    return payload


def _squeezed(content: bytes, most: int, name: str) -> bytes:
    fields = Fields(content, name)
    size, stream = fields.varint(most), fields.rest()
    decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=LZMA)
    try:
        raw = decoder.decompress(stream, size + 1)
    except lzma.LZMAError as error:
        raise RefusedError(f"{name}: {error}") from error
    exact = len(raw) == size and decoder.eof and not decoder.unused_data
    check(exact, f"{name}: a stream of other than {size} bytes")
    return raw


def _read_index(fields: Fields, stop: int) -> tuple[list[Part], list[Part]]:
    # Eleven bytes are the least that a part takes: no count is above what the file can hold.
    shared, groups = [], []
    place = 0
    for _ in range(fields.varint(min(2**16, stop // 11))):
        kind, digest = fields.varint(2**16), fields.take(8)
        place = _read_place(fields, place, stop, shared)
        shared[-1].kind, shared[-1].digest = kind, digest
    place = 0
    for _ in range(fields.varint(stop // 11)):
        place = _read_place(fields, place, stop, groups)
        groups[-1].n_members = fields.varint(2**12)
    for part in groups:
        part.names = fields.text(2**10), fields.text(2**10)
    fields.end()
    return shared, groups


def _read_place(fields: Fields, before: int, stop: int, parts: list[Part]) -> int:
    step, size = fields.varint(), fields.varint()
    check(step > 0 and before + step + size <= stop, "a part that is not in the file")
    parts.append(Part(before + step, size))
    return before + step


def _read_shared(content: bytes, number: int, part: Part) -> tuple[int, bytes]:
    fields = Fields(_part(content, part, SHARED), "shared thing")
    check(fields.varint(2**16 - 1) == number, f"another shared thing than {number}")
    kind = fields.varint(2**16)
    thing = _squeezed(fields.rest(), 2**24, "shared thing")
    check(hashlib.sha256(thing).digest()[:8] == part.digest, "digest of a shared thing")
    check(kind == part.kind, "kind of a shared thing")
    return kind, thing


def _part(content: bytes, part: Part, kind: int) -> bytes:
    whole = content[part.offset : part.offset + part.size]
    check(whole[:4] == MARK, "a part without its mark")
    return _section(whole[4:], kind)


def _read_group(
    content: bytes, part: Part, things: list[tuple[int, bytes]], files: dict[str, bytes]
) -> int:
    """Enter the files of a group; give where its bodies begin."""
    fields = Fields(_squeezed(_part(content, part, GROUP), 2**24, "group"), "group")
    names = [fields.text(2**10) for _ in range(fields.varint(2**12, 1))]
    for name in names:
        for own in name.split("/"):
            check_names([own])
    kinds = [fields.u8() for _ in names]
    check(set(kinds) <= {0, 1}, "a member of another kind")
    sizes = [fields.varint(2**48) for kind in kinds if kind == 0]
    taken = _read_heads(fields, sum(kinds), len(things))
    fields.end()
    found = len(names), (min(names, key=str.encode), max(names, key=str.encode))
    check(found == (part.n_members, part.names), "a group is another than the index says")
    chunks = [_chunk_sizes(own) for own in taken]
    bodies = [own.n_hashes + sum(c) + 4 * len(c) for own, c in zip(taken, chunks, strict=True)]
    begin = part.offset - sum(sizes) - sum(bodies)
    check(begin >= 9, "bodies before the pack")
    place = begin
    for name, kind in zip(names, kinds, strict=True):
        size = bodies.pop(0) if kind else sizes.pop(0)
        body = content[place : place + size]
        place += size
        if kind:
            body = _put_together(taken.pop(0), chunks.pop(0), body, things)
        files.setdefault(name, body)
    return begin


def _read_heads(fields: Fields, n_taken: int, n_things: int) -> list[Taken]:
    counts = [fields.varint(2**24, 1) for _ in range(n_taken)]
    excesses = [fields.zigzag() for _ in range(n_taken)]
    kernels = [fields.varint() for _ in range(n_taken)]
    taken = []
    for n_chunks, excess, own in zip(counts, excesses, kernels, strict=True):
        check(not own & 1 or own >> 1 < n_things, "kernels that the pack does not have")
        cuts = [(fields.varint(2**18), fields.varint(2**18)) for _ in range(fields.varint(2**10))]
        shared = own >> 1 if own & 1 else None
        n_kernels = 0 if own & 1 else own >> 1
        taken.append(Taken(n_chunks, excess, n_kernels, shared, cuts, fields.varint(2**18)))
    for head in taken:
        start = fields.offset
        fields.counted(2**18)
        fields.take(head.n_kernels)
        head.header = fields.content[start : fields.offset]
    for head in taken:
        head.index = fields.take(sum(gap for gap, _ in head.cuts) + head.rest)
    return taken


def _chunk_sizes(head: Taken) -> list[int]:
    fields = Fields(head.index, "index of a member")
    summary = [fields.varint() for _ in range(6)]
    total = summary[2] + summary[3] + head.excess
    check(head.n_chunks <= 1 + fields.n_left, "more chunks than sizes of them")
    sizes = []
    for _ in range(head.n_chunks - 1):
        section = fields.varint()
        fitting = [n for k in range(1, 5) if _n_bytes(n := section - 5 - k) == k]
        check(len(fitting) == 1, f"no section has {section} bytes")
        sizes += fitting
    sizes.append(total - sum(sizes))
    check(0 <= sizes[-1] <= total <= 2**24, "sizes of chunks")
    return sizes


def _n_bytes(number: int) -> int:
    """Give how many bytes a varint takes; 0 for what is none."""
    return 0 if number < 0 else max(1, -(-number.bit_length() // 7))


def _varint(number: int) -> bytes:
    n = _n_bytes(number)
    return bytes([number >> 7 * i & 127 | (128 if i < n - 1 else 0) for i in range(n)])


def _new_section(kind: int, payload: bytes) -> bytes:
    section = bytes([kind]) + _varint(len(payload)) + payload
    return section + struct.pack("<I", zlib.crc32(section))


def _put_together(
    head: Taken, sizes: list[int], body: bytes, things: list[tuple[int, bytes]]
) -> bytes:
    fields = Fields(body, "body")
    sample_hash, kept, index = fields.take(16), Fields(head.index, "index"), b""
    for gap, size in head.cuts:
        index += kept.take(gap) + fields.take(size)
    index = sample_hash + index + kept.rest()
    crossed = zlib.crc32(body[: fields.offset])
    kernels = b""
    if head.shared is not None:
        kind, kernels = things[head.shared]
        check(kind == 1, "a shared thing that is no kernels")
    file = MAGIC + b"\3" + _new_section(1, head.header + kernels)
    for size in sizes:
        file += b"\2" + _varint(size) + fields.take(size)
        file += struct.pack("<I", fields.u32() ^ crossed)
        crossed = 0
    fields.end()
    section = _new_section(4, index)
    return file + section + _varint(len(section))[::-1] + FOOTER
