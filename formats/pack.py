"""Reading packs, many .san files in one: SPEC-PACK.md."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import BinaryIO, cast

from sancodec.errors import CorruptError, TruncatedError
from sancodec.formats.apart import put_together
from sancodec.formats.bundle import Window
from sancodec.formats.pack_group import Member, decode_group
from sancodec.formats.pack_parts import (
    MARK,
    PACK_START,
    SECTION_GROUP,
    SECTION_PACK_INDEX,
    SECTION_SHARED,
    SHARED_KERNELS,
    GroupEntry,
    SharedEntry,
    decode_index,
    decode_shared,
    is_pack,
    payload_of,
)
from sancodec.formats.sections import CRC_BYTES, END_MAGIC, MAX_FOOTER_BYTES, decode_footer

_N_TAIL = 1 << 14
_N_REMEMBERED = 8
_BODIES = ("chunks", "checksums of chunks", "hashes", "whole files")


class _Named(io.BytesIO):
    """A stream of bytes that says what it is, as open files do."""

    name = ""


class PackReader:
    """Reads a pack: its index when it is opened, all else when it is asked for.

    Parameters
    ----------
    source : BinaryIO
        Seekable; must stay open while members are read.
    name : str
        Name of the file, for messages.

    Raises
    ------
    CorruptError
        The file is damaged, or not a pack.
    """

    problem = ""
    """What is wrong with the index of a pack that is read in spite of it."""

    def __init__(self, source: BinaryIO, name: str = "<bytes>") -> None:
        self._source = source
        self.name = name
        self.n_bytes = source.seek(0, 2)
        self._remembered: OrderedDict[int, tuple[Member, ...]] = OrderedDict()
        if not is_pack(source):
            raise CorruptError(f"{name}: not a pack of .san files")
        self.shared: Mapping[int, SharedEntry] = {}
        self.groups: tuple[GroupEntry, ...] = ()
        self._n_end = self._n_shared = 0
        self._read_index()

    @property
    def n_members(self) -> int:
        """Number of members, as the index has it."""
        return sum(group.n_members for group in self.groups)

    def group(self, i: int) -> tuple[Member, ...]:
        """Give the members of group ``i``.

        Raises
        ------
        CorruptError
            The group is damaged.
        """
        if i in self._remembered:
            self._remembered.move_to_end(i)
            return self._remembered[i]
        entry = self.groups[i]
        where = f"{self.name}: group {i} ({entry.first} to {entry.last})"
        payload = self._read_part(entry.offset, entry.n_bytes, SECTION_GROUP, where)
        members = decode_group(payload, entry.offset, self._n_shared, where)
        if GroupEntry.of(members, entry.offset, entry.n_bytes) != entry:
            raise CorruptError(f"{where}: holds other members than the index says")
        self._remembered[i] = members
        if len(self._remembered) > _N_REMEMBERED:
            self._remembered.popitem(last=False)
        return members

    def members(self) -> Iterator[Member]:
        """Give all members, as they stand in the pack; errors as of ``group``."""
        for i in range(len(self.groups)):
            yield from self.group(i)

    def find(self, name: str) -> Member | None:
        """Give the member of a name, or None, reading the groups that may have it alone.

        Raises
        ------
        CorruptError
            It was not found, and a group that may have it is damaged.
        """
        problem: CorruptError | None = None
        for i, group in enumerate(self.groups):
            if not group.first <= name <= group.last:
                continue
            try:
                found = next((own for own in self.group(i) if own.name == name), None)
            except CorruptError as error:
                problem = error
                continue
            if found is not None:
                return found
        if problem is not None:
            raise problem
        return None

    def open(self, member: Member) -> BinaryIO:
        """Give a member as a stream, which is that of its .san file.

        Damage of its body shows when its chunks are read: their checksums are over all of it.
        """
        name = f"{self.name}::{member.name}"
        if member.head is None:
            self.read(member.offset + member.n_body - 1, 1)
            window = Window(self._source, member.offset, member.n_body)
            window.name = name
            return cast(BinaryIO, window)
        number = member.head.shared
        kernels = b"" if number is None else self.read_shared(number, SHARED_KERNELS)
        body = self.read(member.offset, member.n_body)
        stream = _Named(put_together(member.head, body, kernels))
        stream.name = name
        return stream

    def read_shared(self, number: int, kind: int) -> bytes:
        """Give a shared thing; CorruptError where it is damaged, lost, or of another kind."""
        where = f"{self.name}: shared thing {number}"
        if number not in self.shared:
            raise CorruptError(f"{where}: is lost")
        entry = self.shared[number]
        payload = self._read_part(entry.offset, entry.n_bytes, SECTION_SHARED, where)
        *said, content = decode_shared(payload, where)
        digest = hashlib.sha256(content).digest()
        if said != [number, kind] or not digest.startswith(entry.digest):
            raise CorruptError(f"{where}: is another one than the index says")
        return content

    def account(self) -> dict[str, int]:
        """Give what all bytes are: how many of each kind, none left out.

        Raises
        ------
        CorruptError
            A group is damaged, or parts of the pack overlap or have something between them.
        """
        found = dict.fromkeys(("magic and version", *_BODIES, "heads", "shared"), 0)
        found["magic and version"] = len(PACK_START)
        for member in self.members():
            head = member.head
            if head is None:
                found["whole files"] += member.n_body
                continue
            found["chunks"] += sum(head.chunks)
            found["checksums of chunks"] += CRC_BYTES * len(head.chunks)
            found["hashes"] += head.n_cut
        found["heads"] = sum(group.n_bytes for group in self.groups)
        found["shared"] = sum(entry.n_bytes for entry in self.shared.values())
        found["index and footer"] = self._n_end
        if sum(found.values()) != self.n_bytes:
            raise CorruptError(
                f"{self.name}: {sum(found.values())} bytes in its parts, {self.n_bytes} in the file"
            )
        return found

    def _read_index(self) -> None:
        n_tail = min(_N_TAIL, self.n_bytes)
        tail = self.read(self.n_bytes - n_tail, n_tail)
        if not tail.endswith(END_MAGIC):
            raise TruncatedError(
                f"{self.name}: the file does not end as a pack does ({self.n_bytes} bytes): it was "
                "cut short, and the index at its end is lost; copy it again from its origin, or "
                "use --salvage"
            )
        n_section, n_footer = decode_footer(
            tail[-MAX_FOOTER_BYTES:], "size of the index", self.name
        )
        n_end = n_section + n_footer
        if n_end > self.n_bytes - len(PACK_START):
            raise CorruptError(
                f"{self.name}: footer: an index of {n_section} of {self.n_bytes} bytes"
            )
        self._n_end = n_end
        section = tail[-n_end:] if n_end <= n_tail else self.read(self.n_bytes - n_end, n_end)
        where = f"{self.name}: index"
        payload = payload_of(section[:n_section], SECTION_PACK_INDEX, where)
        shared, self.groups = decode_index(payload, self.n_bytes - n_end, where)
        self.shared, self._n_shared = dict(enumerate(shared)), len(shared)

    def _read_part(self, offset: int, n_bytes: int, kind: int, where: str) -> bytes:
        part = self.read(offset, n_bytes)
        if not part.startswith(MARK):
            raise CorruptError(f"{where}: no mark at offset {offset}")
        return payload_of(part[len(MARK) :], kind, where)

    def read(self, offset: int, n_bytes: int) -> bytes:
        """Give bytes of the file; CorruptError where they are not there."""
        if offset + n_bytes > self.n_bytes:
            raise TruncatedError(
                f"{self.name}: {n_bytes} bytes at offset {offset}, the file has {self.n_bytes}"
            )
        self._source.seek(offset)
        taken = self._source.read(n_bytes)
        if len(taken) != n_bytes:
            raise TruncatedError(f"{self.name}: the file changed while it was read")
        return taken
