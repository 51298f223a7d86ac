"""What is left of a pack whose index is lost: groups, found by the marks before them."""

from __future__ import annotations

from sancodec.errors import CorruptError
from sancodec.formats.pack import PackReader
from sancodec.formats.pack_group import MAX_SHARED, decode_group
from sancodec.formats.pack_parts import (
    MARK,
    PACK_START,
    SECTION_GROUP,
    SECTION_SHARED,
    GroupEntry,
    SharedEntry,
    decode_shared,
    entry_of,
    payload_of,
)
from sancodec.formats.sections import CRC_BYTES, MAX_HEAD_BYTES, find_all
from sancodec.formats.wire import ByteReader


class DamagedPack(PackReader):
    """Reads a pack of which the index may be lost: every group that is whole is found.

    Members are then those of these groups, in the order of the file.

    Parameters
    ----------
    source : BinaryIO
        Seekable; must stay open while members are read.
    name : str
        Name of the file, for messages.

    Raises
    ------
    CorruptError
        The file is not a pack.
    """

    def _read_index(self) -> None:
        try:
            super()._read_index()
        except CorruptError as error:
            self.problem = str(error)
            self._find_parts()

    def _find_parts(self) -> None:
        """Take for the index what stands behind marks, where it is whole."""
        shared: dict[int, SharedEntry] = {}
        groups: list[GroupEntry] = []
        for offset in find_all(self.read, MARK, len(PACK_START), self.n_bytes):
            try:
                self._enter(offset, shared, groups)
            except CorruptError:
                # Four bytes of a chunk that look like a mark, or a part that is damaged.
                continue
        # A group that names shared things which are lost is none the less read.
        self.shared, self.groups, self._n_shared = shared, tuple(groups), MAX_SHARED

    def _enter(self, offset: int, shared: dict[int, SharedEntry], groups: list[GroupEntry]) -> None:
        where = f"{self.name}: part at offset {offset}"
        kind, n_bytes = self._say_part(offset)
        if kind not in {SECTION_SHARED, SECTION_GROUP}:
            return
        payload = payload_of(self.read(offset, n_bytes)[len(MARK) :], kind, where)
        if kind == SECTION_SHARED:
            number, shared_kind, content = decode_shared(payload, where)
            shared[number] = entry_of(shared_kind, content, offset, n_bytes)
        else:
            members = decode_group(payload, offset, MAX_SHARED, where)
            groups.append(GroupEntry.of(members, offset, n_bytes))

    def _say_part(self, offset: int) -> tuple[int, int]:
        """Give the type of the section behind a mark, and its bytes with the mark."""
        n_head = min(len(MARK) + MAX_HEAD_BYTES, self.n_bytes - offset)
        reader = ByteReader(self.read(offset, n_head), self.name, offset)
        reader.take(len(MARK), "mark")
        kind = reader.u8("section type")
        n_bytes = reader.varint("section length", self.n_bytes)
        return kind, reader.offset + n_bytes + CRC_BYTES
