"""Records of several segments in one file: SPEC.md, "Records of several segments".

Each segment that differs from those before is a whole .san file of its own, and the table behind
them says how they follow one another, what is missing between them, and which signals of the record
they have.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from sancodec.errors import CorruptError, TruncatedError
from sancodec.formats.channels import (
    MAX_CHANNELS,
    MAX_FRAME_SAMPLES,
    MAX_TEXT_BYTES,
    put_channels,
    take_channels,
)
from sancodec.formats.compressed import compress, decompress
from sancodec.formats.decimals import put_decimal, take_decimal
from sancodec.formats.header import MAX_FRAMES
from sancodec.formats.phrases import phrases
from sancodec.formats.sections import (
    CRC_BYTES,
    END_MAGIC,
    MAGIC,
    MAX_FOOTER_BYTES,
    SECTION_INDEX,
    Span,
    checksum_of,
    decode_footer,
    encode_footer,
    encode_section,
    find_all,
)
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.recording import Channel

VERSION = 0x81
"""Stands where other files have the version of their container, which never is that high."""
SECTION_TABLE = 5
MAX_SEGMENTS = 1 << 16
MAX_PLACES = 1 << 20
MAX_TABLE_BYTES = 1 << 22
_MAX_FILE = 1 << 62
_START = MAGIC + bytes([VERSION])


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A span of a record: samples of a member, or none.

    Attributes
    ----------
    n_frames : int
    member : int or None
        Number of the member that has its samples; None for a gap.
    channels : tuple of (int or None)
        For each channel of the record which of the member's it is; None where there is none.
        Empty for a gap.
    """

    n_frames: int
    member: int | None = None
    channels: tuple[int | None, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SegmentTable:
    """What is known of a record of several segments.

    Attributes
    ----------
    name : str
    fs : float
        Frames per second.
    channels : tuple of Channel
        Of the record as a whole.
    segments : tuple of Segment
    member_sizes : tuple of int
        Bytes of each member.
    restoration : bytes
        Of the files that are none of a member's, as formats/listing.py has it.
    """

    name: str
    fs: float
    channels: tuple[Channel, ...]
    segments: tuple[Segment, ...]
    member_sizes: tuple[int, ...]
    restoration: bytes

    @property
    def n_frames(self) -> int:
        """Frames of the whole record, gaps included."""
        return sum(segment.n_frames for segment in self.segments)


class Window(io.RawIOBase):
    """A part of a seekable stream as a stream of its own; closing it leaves the other one open."""

    name = "<bytes>"

    def __init__(self, source: BinaryIO, offset: int, n_bytes: int) -> None:
        self._source = source
        self._offset, self._n_bytes = offset, n_bytes
        self._position = 0

    def readable(self) -> bool:
        """Give True."""
        return True

    def seekable(self) -> bool:
        """Give True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move as streams do."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._n_bytes}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Give the position."""
        return self._position

    def read(self, n_bytes: int | None = -1) -> bytes:
        """Give the next bytes, or all that are left."""
        left = max(0, self._n_bytes - self._position)
        n_taken = left if n_bytes is None or n_bytes < 0 else min(left, n_bytes)
        self._source.seek(self._offset + self._position)
        taken = self._source.read(n_taken)
        self._position += len(taken)
        return taken


def begin_bundle(target: BinaryIO) -> None:
    """Write what stands before the first member."""
    target.write(_START)


def finish_bundle(target: BinaryIO, table: SegmentTable) -> None:
    """Write what follows the last member."""
    stored = compress(_encode_table(table), phrases())
    payload = ByteWriter().counted(stored).raw(table.restoration).getvalue()
    section = encode_section(SECTION_TABLE, payload)
    target.write(section + encode_footer(len(section)))


def is_bundle(source: BinaryIO) -> bool:
    """Tell whether a stream is of a record of several segments, and go back to its beginning."""
    source.seek(0)
    start = source.read(len(_START))
    source.seek(0)
    return start == _START


class BundleReader:
    """Reads the table of a bundle, and gives its members as streams.

    Parameters
    ----------
    source : BinaryIO
        Seekable; must stay open while members are read.
    name : str
        Name of the file, for messages.

    Raises
    ------
    CorruptError
        The file is damaged.
    """

    def __init__(self, source: BinaryIO, name: str = "<bytes>") -> None:
        self._source = source
        self._name = name
        self.n_bytes = source.seek(0, io.SEEK_END)
        offset, end = self._find_table()
        section = Window(source, offset, end - offset).read()
        self.table = self._read_table(section, offset)
        sizes = self.table.member_sizes
        self.offsets = tuple(len(_START) + sum(sizes[:i]) for i in range(len(sizes)))
        self._spans = (
            Span(offset, end - offset, "table of segments and restoration"),
            Span(end, self.n_bytes - end, "footer"),
        )

    def member(self, i: int) -> Window:
        """Give member ``i`` as a stream; CorruptError where it has segments itself."""
        member = Window(self._source, self.offsets[i], self.table.member_sizes[i])
        if is_bundle(cast(BinaryIO, member)):
            raise CorruptError(f"{self._name}: member {i}: a segment that has segments itself")
        return member

    def account(self) -> list[Span]:
        """Give what the bytes are that are none of a member's."""
        return [Span(0, len(_START), "magic and version"), *self._spans]

    def _find_table(self) -> tuple[int, int]:
        n_tail = max(0, min(MAX_FOOTER_BYTES, self.n_bytes - len(_START)))
        tail = Window(self._source, self.n_bytes - n_tail, n_tail).read()
        if not tail.endswith(END_MAGIC) or len(tail) == len(END_MAGIC):
            raise TruncatedError(
                f"{self._name}: the file does not end as a .san file does ({self.n_bytes} bytes): "
                "it was cut short; copy it again from its origin"
            )
        n_section, n_footer = decode_footer(tail, "size of the table", self._name)
        end = self.n_bytes - n_footer
        if not CRC_BYTES + 2 <= n_section <= end - len(_START):
            raise CorruptError(
                f"{self._name}: footer: size of the table: {n_section} of {end} bytes"
            )
        return end - n_section, end

    def _read_table(self, section: bytes, offset: int) -> SegmentTable:
        where = f"{self._name}: table of segments"
        reader = ByteReader(section[:-CRC_BYTES], where, offset)
        expected = int.from_bytes(section[-CRC_BYTES:], "little")
        if checksum_of(section[:-CRC_BYTES], None) != expected:
            raise reader.corrupt("checksum", f"CRC-32 at offset {offset} differs; copy it again")
        kind = reader.u8("section type")
        n_payload = reader.varint("section length")
        if kind == SECTION_INDEX:
            raise TruncatedError(
                f"{self._name}: the file ends with a segment and has no table of its segments: it "
                "was cut short; copy it again from its origin"
            )
        if kind != SECTION_TABLE or n_payload != reader.remaining:
            raise reader.corrupt("section", f"type {kind} of {n_payload} bytes")
        stored = reader.counted("fields", MAX_TABLE_BYTES)
        fields = decompress(stored, MAX_TABLE_BYTES, f"{where}: fields", phrases())
        restoration = bytes(reader.take(reader.remaining, "restoration"))
        return _decode_table(ByteReader(fields, where), restoration, offset - len(_START))


def find_members(source: BinaryIO) -> list[Window]:
    """Give what may be the members of a bundle, found by how they begin: its table is lost.

    What begins as a member does and is none gives an error when it is opened.
    """
    n_bytes = source.seek(0, io.SEEK_END)

    def read(offset: int, n_wanted: int) -> bytes:
        return Window(source, offset, n_wanted).read()

    starts = list(find_all(read, MAGIC, len(_START), n_bytes))
    stops = [*starts[1:], n_bytes]
    return [Window(source, start, stop - start) for start, stop in zip(starts, stops, strict=True)]


def find_max_segments(n_channels: int) -> int:
    """Give the number of segments that a table of so many channels may have."""
    return min(MAX_SEGMENTS, MAX_PLACES // n_channels)


def _encode_table(table: SegmentTable) -> bytes:
    writer = ByteWriter().text(table.name)
    put_decimal(writer, table.fs)
    put_channels(writer, table.channels)
    writer.varint(len(table.member_sizes))
    for size in table.member_sizes:
        writer.varint(size)
    writer.varint(len(table.segments))
    for segment in table.segments:
        writer.varint(0 if segment.member is None else 1 + segment.member)
        writer.varint(segment.n_frames)
        for channel in segment.channels:
            writer.varint(0 if channel is None else 1 + channel)
    return writer.getvalue()


def _decode_table(reader: ByteReader, restoration: bytes, n_members: int) -> SegmentTable:
    """Give the table; ``n_members`` is the bytes that its members take together."""
    name = reader.text("record name", MAX_TEXT_BYTES)
    fs = take_decimal(reader, "sampling frequency")
    channels = take_channels(reader)
    _check_signals(reader, fs, channels)
    sizes = tuple(
        reader.varint(f"member {i}, size", _MAX_FILE)
        for i in range(reader.varint("number of members", MAX_SEGMENTS))
    )
    if sum(sizes) != n_members:
        raise reader.corrupt("sizes of the members", f"{sum(sizes)} bytes, found {n_members}")
    n_segments = reader.varint("number of segments", find_max_segments(len(channels)))
    segments = tuple(
        _take_segment(reader, f"segment {i}", len(sizes), len(channels)) for i in range(n_segments)
    )
    reader.expect_end("table")
    table = SegmentTable(
        name=name,
        fs=fs,
        channels=channels,
        segments=segments,
        member_sizes=sizes,
        restoration=restoration,
    )
    if not 0 < table.n_frames <= MAX_FRAMES:
        raise reader.corrupt("number of frames", f"{table.n_frames}, expected 1 to {MAX_FRAMES}")
    return table


def _take_segment(reader: ByteReader, field: str, n_members: int, n_channels: int) -> Segment:
    number = reader.varint(f"{field}, member", n_members)
    n_frames = reader.varint(f"{field}, number of frames", MAX_FRAMES)
    if not number:
        return Segment(n_frames=n_frames)
    places = [reader.varint(f"{field}, channel", MAX_CHANNELS) for _ in range(n_channels)]
    channels = tuple(place - 1 if place else None for place in places)
    return Segment(n_frames=n_frames, member=number - 1, channels=channels)


def _check_signals(reader: ByteReader, fs: float, channels: Sequence[Channel]) -> None:
    """Raise CorruptError for what no record can be."""
    if not (math.isfinite(fs) and fs > 0):
        raise reader.corrupt("sampling frequency", f"{fs} Hz, expected a number above 0")
    n_samples = sum(channel.samples_per_frame for channel in channels)
    if not channels or any(channel.samples_per_frame < 1 for channel in channels):
        raise reader.corrupt("channels", "none, or one without samples")
    if n_samples > MAX_FRAME_SAMPLES:
        raise reader.corrupt("samples of a frame", f"{n_samples}, at most {MAX_FRAME_SAMPLES}")
    if any(not math.isfinite(c.adc_gain) or c.adc_gain == 0 for c in channels):
        raise reader.corrupt("ADC gain", "no number, or 0")
