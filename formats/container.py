"""The container: one file for a whole record, as SPEC.md has it; older versions are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import BinaryIO, overload

from sancodec.errors import (
    ChecksumError,
    ConfigError,
    CorruptError,
    TruncatedError,
    UnsupportedError,
)
from sancodec.formats.header import (
    Header,
    Summary,
    decode_header,
    decode_summary,
    encode_header,
    encode_summary,
)
from sancodec.formats.header1 import decode_header_1
from sancodec.formats.sections import (
    CRC_BYTES,
    END_MAGIC,
    MAGIC,
    MAX_FOOTER_BYTES,
    MAX_HEAD_BYTES,
    OLD_VERSION,
    PACK_VERSION,
    SECTION_CHUNK,
    SECTION_HEADER,
    SECTION_INDEX,
    SECTION_RESTORATION,
    UNNUMBERED_VERSION,
    VERSION,
    ChunkEntry,
    Span,
    checksum_of,
    decode_footer,
    encode_footer,
    encode_section,
    place_of,
)
from sancodec.formats.wire import ByteReader, ByteWriter

__all__ = ["ChunkEntry", "ContainerReader", "ContainerWriter", "Header", "Span", "Summary"]

_N_START = len(MAGIC) + 1
_N_OLD_FOOTER = 8 + len(END_MAGIC)
_N_OLD_HASH = 32
_N_END = 1024


class ContainerWriter:
    """Writes a container to a stream from its first byte to its last, without seeking.

    Raises
    ------
    RecordError
        The header holds what no container can.
    """

    def __init__(self, target: BinaryIO, header: Header) -> None:
        self._target = target
        self._header = header
        self._n_bytes = 0
        self._chunk_sizes: list[int] = []
        section = encode_section(SECTION_HEADER, encode_header(header))
        self._header_checksum = int.from_bytes(section[-CRC_BYTES:], "little")
        self._write(MAGIC + bytes([VERSION]))
        self._write(section)

    @property
    def n_bytes(self) -> int:
        """Number of bytes written so far."""
        return self._n_bytes

    def add_chunk(self, payload: bytes) -> None:
        """Write the next chunk; ConfigError when the header has no room for another one."""
        if len(self._chunk_sizes) == self._header.n_chunks:
            raise ConfigError(f"{self._header.name}: more than {self._header.n_chunks} chunks")
        place = place_of(self._header_checksum, len(self._chunk_sizes))
        section = encode_section(SECTION_CHUNK, payload, place)
        self._chunk_sizes.append(len(section))
        self._write(section)

    def finish(self, summary: Summary) -> None:
        """Write what follows the last chunk; ConfigError when chunks are missing."""
        if len(self._chunk_sizes) != self._header.n_chunks:
            raise ConfigError(
                f"{self._header.name}: {len(self._chunk_sizes)} chunks written, "
                f"expected {self._header.n_chunks}"
            )
        index = ByteWriter().raw(encode_summary(summary))
        # The last chunk ends where the index begins.
        for size in self._chunk_sizes[:-1]:
            index.varint(size)
        section = encode_section(SECTION_INDEX, index.raw(summary.restoration).getvalue())
        self._write(section)
        self._write(encode_footer(len(section)))

    def _write(self, encoded: bytes) -> None:
        self._target.write(encoded)
        self._n_bytes += len(encoded)


class ChunkTable(Sequence[ChunkEntry]):
    """Where the chunks of a file are, one behind the other.

    Parameters
    ----------
    header : Header
    begin : int
        Offset of the first.
    sizes : list of int
    """

    def __init__(self, header: Header, begin: int, sizes: list[int]) -> None:
        self._header = header
        self._sizes = sizes
        self._offsets = list(accumulate(sizes, initial=begin))

    def __len__(self) -> int:
        return len(self._sizes)

    @overload
    def __getitem__(self, i: int) -> ChunkEntry: ...

    @overload
    def __getitem__(self, i: slice) -> tuple[ChunkEntry, ...]: ...

    def __getitem__(self, i: int | slice) -> ChunkEntry | tuple[ChunkEntry, ...]:
        # Made when asked for: who reads a part needs one or two of thousands.
        if isinstance(i, slice):
            return tuple(self[number] for number in range(len(self))[i])
        number = range(len(self))[i]
        return self._header.chunk_at(number, self._offsets[number], self._sizes[number])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


class ContainerReader:
    """Reads a container; everything but the chunks is checked when it is opened.

    Parameters
    ----------
    source : BinaryIO
        Seekable; must stay open while chunks are read.
    name : str
        Name of the file, for messages.

    Raises
    ------
    TruncatedError, ChecksumError, UnsupportedError
        The file was cut short; is damaged; needs a newer version.
    CorruptError
        The file is not a container, or its fields contradict one another.
    """

    problem = ""
    """What is wrong with the index of a file that is read in spite of it."""

    def __init__(self, source: BinaryIO, name: str = "<bytes>") -> None:
        self._source = source
        self._name = name
        self._n_bytes = source.seek(0, 2)
        self._ends: list[tuple[int, bytes]] = []
        self._fetch_ends()
        self._spans: list[Span] = []
        self._version = self._check_start()
        index_offset, end = self._find_index()
        self.header = self._read_header(index_offset)
        self.chunks, self.summary = self._read_index(index_offset, end)
        self._spans.append(Span(end, self._n_bytes - end, "footer"))

    def read_chunk(self, i: int) -> bytes:
        """Give the payload of chunk ``i``, its checksum compared.

        Raises
        ------
        ChecksumError
            The chunk is damaged.
        """
        entry = self.chunks[i]
        stop, place = entry.offset + entry.n_bytes, None
        if self._version > UNNUMBERED_VERSION:
            place = place_of(self._header_checksum, i)
        payload, n_bytes = self._read_section(
            entry.offset, stop, SECTION_CHUNK, f"chunk {i}", place
        )
        if n_bytes != entry.n_bytes:
            raise CorruptError(
                f"{self._name}: chunk {i}: section of {n_bytes} bytes at offset {entry.offset}, "
                f"the index says {entry.n_bytes}"
            )
        return payload

    def account(self) -> list[Span]:
        """Give what every byte of the file is: spans in order, without gap or overlap."""
        chunks = [
            Span(entry.offset, entry.n_bytes, f"chunk {i}") for i, entry in enumerate(self.chunks)
        ]
        n_before = 2
        return self._spans[:n_before] + chunks + self._spans[n_before:]

    def _check_start(self) -> int:
        """Give the version."""
        start = self._read(0, min(_N_START, self._n_bytes))
        if not MAGIC.startswith(start[: len(MAGIC)]):
            problem = f"not a .san file (it begins with {start.hex(' ')})"
            if start[1:4] == MAGIC[1:4]:
                problem = "damaged magic, as by a transfer in text mode; copy it again as binary"
            raise CorruptError(f"{self._name}: {problem}")
        if len(start) < _N_START:
            raise TruncatedError(
                f"{self._name}: the file ends after {len(start)} bytes, within its magic; "
                "copy it again from its origin"
            )
        if start[-1] == PACK_VERSION:
            raise ConfigError(
                f"{self._name}: a pack of many records; sancodec unpack gives them back, and "
                f"{self._name}::NAME is one of them"
            )
        if not OLD_VERSION <= start[-1] <= VERSION:
            raise UnsupportedError(
                f"{self._name}: container version {start[-1]}, this sancodec reads versions "
                f"{OLD_VERSION} to {VERSION}; try a newer sancodec"
            )
        return start[-1]

    def _find_index(self) -> tuple[int, int]:
        """Give where the section of the index begins and ends; the footer is behind it."""
        n_tail = max(0, min(MAX_FOOTER_BYTES, self._n_bytes - _N_START))
        tail = self._read(self._n_bytes - n_tail, n_tail)
        if not tail.endswith(END_MAGIC) or len(tail) == len(END_MAGIC):
            raise TruncatedError(
                f"{self._name}: the file does not end as a .san file does ({self._n_bytes} bytes): "
                "it was cut short, and the index at its end is lost; copy it again from its origin"
            )
        if self._version == OLD_VERSION:
            end = self._n_bytes - _N_OLD_FOOTER
            offset = int.from_bytes(tail[-_N_OLD_FOOTER : -len(END_MAGIC)], "little")
        else:
            n_index, n_footer = decode_footer(tail, "size of the index", self._name)
            end = self._n_bytes - n_footer
            offset = end - n_index
        if not _N_START < offset < end:
            raise CorruptError(
                f"{self._name}: footer: index at offset {offset}, expected "
                f"{_N_START + 1} to {end - 1}"
            )
        return offset, end

    def _read_header(self, stop: int) -> Header:
        """Give the header, which ends at ``stop`` or before; adds it to the account."""
        head, n_head = self._read_section(_N_START, stop, SECTION_HEADER, "header")
        self._spans.append(Span(0, _N_START, "magic and version"))
        self._spans.append(Span(_N_START, n_head, "header"))
        checksum = self._read(_N_START + n_head - CRC_BYTES, CRC_BYTES)
        self._header_checksum = int.from_bytes(checksum, "little")
        decode = decode_header_1 if self._version == OLD_VERSION else decode_header
        return decode(head, self._name)

    def _read_index(self, offset: int, end: int) -> tuple[Sequence[ChunkEntry], Summary]:
        """Give the chunks and the summary; adds both to the account."""
        payload, n_index = self._read_section(offset, end, SECTION_INDEX, "summary and index")
        if offset + n_index != end:
            raise CorruptError(
                f"{self._name}: {end - offset - n_index} bytes between the index and the footer"
            )
        reader = ByteReader(payload, self._name)
        what = "summary and index"
        if self._version == OLD_VERSION:
            summary = decode_summary(reader, _N_OLD_HASH)
            chunks = self._decode_entries(reader, self.header.n_chunks, None)
            reader.expect_end("index")
            behind_chunks = (
                chunks[-1].offset + chunks[-1].n_bytes if chunks else self._spans[-1].stop
            )
            restoration = self._read_restoration(behind_chunks, offset)
        else:
            summary = decode_summary(reader)
            chunks = self._decode_entries(reader, max(0, self.header.n_chunks - 1), offset)
            restoration = bytes(reader.take(reader.remaining, "restoration"))
            if restoration:
                what = "summary, index and restoration"
        self._spans.append(Span(offset, n_index, what))
        return chunks, replace(summary, restoration=restoration)

    def _decode_entries(
        self, reader: ByteReader, n_sizes: int, stop: int | None
    ) -> Sequence[ChunkEntry]:
        """Give the chunks; a last one without its size, if there is any, ends at ``stop``."""
        header = self.header
        # Every size takes a byte at least: a count that cannot be is refused before the list grows.
        if n_sizes > reader.remaining:
            raise reader.corrupt("index", f"{reader.remaining} bytes for {n_sizes} sizes of chunks")
        sizes = reader.varints(n_sizes, "size of chunk", self._n_bytes)
        offset = self._spans[-1].stop
        if stop is not None:
            rest = stop - offset - sum(sizes)
            if (rest > 0) != (header.n_chunks > 0):
                raise reader.corrupt("index", f"{rest} bytes left for the last chunk")
            sizes += [rest] * (rest > 0)
        return ChunkTable(header, offset, sizes)

    def _read_restoration(self, offset: int, index_offset: int) -> bytes:
        """Give the section between the last chunk and the index, if there is one."""
        what = "restoration"
        if offset == index_offset:
            return b""
        payload, n_bytes = self._read_section(offset, index_offset, SECTION_RESTORATION, what)
        if offset + n_bytes != index_offset:
            raise CorruptError(
                f"{self._name}: restoration ends at offset {offset + n_bytes}, "
                f"the index begins at {index_offset}"
            )
        self._spans.append(Span(offset, n_bytes, what))
        return payload

    def _read_section(
        self, offset: int, stop: int, kind: int, what: str, place: int | None = None
    ) -> tuple[bytes, int]:
        """Give the payload of a section that ends at ``stop`` or before, and its whole size."""
        # The end of a chunk is known: one reading, which counts where files are far away.
        n_head = stop - offset if kind == SECTION_CHUNK else min(MAX_HEAD_BYTES, stop - offset)
        head = self._read(offset, max(0, n_head))
        reader = ByteReader(head, f"{self._name}: {what}", offset)
        found = reader.u8("section type")
        n_payload = reader.varint("section length")
        n_bytes = reader.offset + n_payload + CRC_BYTES
        if n_bytes > stop - offset:
            raise CorruptError(
                f"{self._name}: {what}: section of {n_bytes} bytes at offset {offset}, "
                f"{stop - offset} left for it; the file is damaged, copy it again from its origin"
            )
        section = head[:n_bytes] if len(head) >= n_bytes else self._read(offset, n_bytes)
        expected = int.from_bytes(section[-CRC_BYTES:], "little")
        if checksum_of(section[:-CRC_BYTES], place) != expected:
            raise ChecksumError(
                f"{self._name}: {what}: CRC-32 of the {n_bytes} bytes at offset {offset} differs; "
                "the file is damaged, copy it again from its origin"
            )
        if found != kind:
            raise CorruptError(
                f"{self._name}: {what}: section type {found} at offset {offset}, expected {kind}"
            )
        return section[reader.offset : -CRC_BYTES], n_bytes

    def _fetch_ends(self) -> None:
        """Read both ends of the file, which hold the header and the index of most."""
        for offset in (0, max(0, self._n_bytes - _N_END)):
            n_bytes = min(_N_END, self._n_bytes - offset)
            self._ends.append((offset, self._read(offset, n_bytes)))

    def _read(self, offset: int, n_bytes: int) -> bytes:
        for first, piece in self._ends:
            if first <= offset and offset + n_bytes <= first + len(piece):
                return piece[offset - first : offset - first + n_bytes]
        self._source.seek(offset)
        taken = self._source.read(n_bytes)
        if len(taken) != n_bytes:
            raise TruncatedError(
                f"{self._name}: {len(taken)} of {n_bytes} bytes at offset {offset}; "
                "the file changed while it was read"
            )
        return taken
