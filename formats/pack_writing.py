"""Writing packs: many .san files in one, with what they share and one index: SPEC-PACK.md."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import BinaryIO

from sancodec.errors import ConfigError
from sancodec.formats.apart import MAX_APART_BYTES, Head, kernels_of, take_apart
from sancodec.formats.bundle import BundleReader, is_bundle
from sancodec.formats.container import ContainerReader
from sancodec.formats.pack_group import MAX_SHARED, Member, encode_group, find_path_problem
from sancodec.formats.pack_parts import (
    MARK,
    MAX_SHARED_BYTES,
    PACK_START,
    SECTION_GROUP,
    SECTION_PACK_INDEX,
    SECTION_SHARED,
    SHARED_KERNELS,
    GroupEntry,
    SharedEntry,
    encode_index,
    encode_shared,
    entry_of,
)
from sancodec.formats.sections import encode_footer, encode_section

_GROUP_MEMBERS, _GROUP_HEAD_BYTES = 128, 1 << 20
_MIN_SHARED_KERNELS = 64
_COPIED = 1 << 20


class PackWriter:
    """Writes a pack to a stream from its first byte to its last, without seeking.

    Memory is taken for names, and for the heads of one group.
    """

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._n_bytes = 0
        self._names: set[str] = set()
        self._waiting: list[Member] = []
        self._waiting_bytes = 0
        self._groups: list[GroupEntry] = []
        self._shared: list[SharedEntry] = []
        self._numbers: dict[tuple[int, bytes], int] = {}
        self._seen: set[bytes] = set()
        self._write(PACK_START)

    def add_shared(self, kind: int, content: bytes) -> int:
        """Write what members refer to by kind and digest, once, and give its number.

        Raises
        ------
        ConfigError
            It is too large, or there are too many.
        """
        digest = hashlib.sha256(content).digest()
        if (kind, digest) in self._numbers:
            return self._numbers[kind, digest]
        if len(content) > MAX_SHARED_BYTES or len(self._shared) == MAX_SHARED:
            raise ConfigError(f"pack: {len(content)} bytes to be shared, or {MAX_SHARED} such")
        # Bodies stand behind one another up to their group.
        self._finish_group()
        number = len(self._shared)
        place = self._write_part(SECTION_SHARED, encode_shared(number, kind, content))
        self._shared.append(entry_of(kind, content, *place))
        self._numbers[kind, digest] = number
        return number

    def add(self, name: str, source: BinaryIO) -> None:
        """Write a .san file as a member.

        Parameters
        ----------
        name : str
            Path of the record, with ``/`` between folders, without a suffix.
        source : BinaryIO
            The file; seekable.

        Raises
        ------
        ConfigError
            There is a member of this name, or it is no path of plain names.
        CorruptError
            The file is damaged.
        """
        problem = "is there already" if name in self._names else find_path_problem(name)
        if problem:
            raise ConfigError(f"pack: member {name!r} {problem}")
        content = self._take(name, source)
        apart = None if content is None else take_apart(content, name)
        if apart is None:
            self._add_whole(name, source)
        else:
            head, body = self._share(apart[0]), apart[1]
            self._enter(Member(name=name, head=head, n_body=len(body)))
            self._write(body)
        self._names.add(name)
        if len(self._waiting) == _GROUP_MEMBERS or self._waiting_bytes > _GROUP_HEAD_BYTES:
            self._finish_group()

    def finish(self) -> None:
        """Write what follows the last member."""
        self._finish_group()
        section = encode_section(SECTION_PACK_INDEX, encode_index(self._shared, self._groups))
        self._write(section + encode_footer(len(section)))

    @staticmethod
    def _take(name: str, source: BinaryIO) -> bytes | None:
        """Give a file that may be taken apart; None where it is large, or has segments.

        Raises
        ------
        CorruptError
            The file is damaged, or no .san file.
        """
        if is_bundle(source):
            BundleReader(source, name)
            return None
        if source.seek(0, 2) > MAX_APART_BYTES:
            ContainerReader(source, name)
            return None
        source.seek(0)
        return source.read()

    def _add_whole(self, name: str, source: BinaryIO) -> None:
        self._enter(Member(name=name, head=None, n_body=source.seek(0, 2)))
        source.seek(0)
        while piece := source.read(_COPIED):
            self._write(piece)

    def _share(self, head: Head) -> Head:
        """Give the head without its kernels where other members have the same ones."""
        kernels = kernels_of(head.header)
        if len(kernels) < _MIN_SHARED_KERNELS:
            return head
        digest = hashlib.sha256(kernels).digest()
        if digest not in self._seen:
            # Most kernels are those of one record: they are written apart when they come again.
            self._seen.add(digest)
            return head
        number = self.add_shared(SHARED_KERNELS, kernels)
        return replace(head, header=head.header[: -len(kernels)], shared=number)

    def _enter(self, member: Member) -> None:
        head = member.head
        self._waiting.append(member)
        self._waiting_bytes += 0 if head is None else len(head.header) + len(head.index)

    def _finish_group(self) -> None:
        if not self._waiting:
            return
        place = self._write_part(SECTION_GROUP, encode_group(self._waiting))
        self._groups.append(GroupEntry.of(self._waiting, *place))
        self._waiting, self._waiting_bytes = [], 0

    def _write_part(self, kind: int, payload: bytes) -> tuple[int, int]:
        part = MARK + encode_section(kind, payload)
        offset = self._n_bytes
        self._write(part)
        return offset, len(part)

    def _write(self, encoded: bytes) -> None:
        self._target.write(encoded)
        self._n_bytes += len(encoded)
