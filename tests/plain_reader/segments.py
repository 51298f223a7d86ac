"""Records of several segments, and their members as one record."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from .header import PHRASES, Header, read_channels
from .record import Record
from .restoration import list_files
from .wire import Fields, check, expand

VERSION, TABLE = 0x81, 5
MISSING = -(2**31)
BITS = {8: 0, 80: 8, 508: 8, 310: 10, 311: 10, 212: 12, 16: 16, 61: 16, 160: 16, 516: 16}
BITS |= {24: 24, 524: 24, 32: 32}


@dataclass
class Segment:
    member: int
    n_frames: int
    places: list[int]


def read_segments(content: bytes, read: Callable[[bytes], Record]) -> Record:
    """Give a record of several segments; read gives that of a member."""
    table, start = _read_table(content)
    fields = Fields(table, "table")
    stored = fields.counted(2**22)
    restoration = fields.rest()
    fields = Fields(expand(stored, 2**22, 2, PHRASES, "table"), "table")
    name, fs = fields.text(2**10), fields.decimal()
    check(math.isfinite(fs[0]) and fs[0] > 0, "the sampling frequency")
    channels = read_channels(fields)
    per_frame = sum(channel.samples_per_frame for channel in channels)
    check(per_frame <= 2**16, f"{per_frame} samples in a frame")
    for channel in channels:
        check(math.isfinite(channel.gain[0]) and channel.gain[0] != 0, "an ADC gain")
    sizes = [fields.varint(2**62) for _ in range(fields.varint(2**16))]
    check(sum(sizes) == start - 9, "the sizes of the members")
    most = min(2**16, 2**20 // len(channels))
    n_channels = len(channels)
    segments = [_segment(fields, len(sizes), n_channels) for _ in range(fields.varint(most))]
    fields.end()
    n_frames = sum(segment.n_frames for segment in segments)
    check(0 < n_frames <= 2**40, f"{n_frames} frames")
    header = Header(n_frames, n_frames, fs, 0, 0, name, channels)
    offsets = [9 + sum(sizes[:i]) for i in range(len(sizes))]
    members = []
    for offset, size in zip(offsets, sizes, strict=True):
        member = content[offset : offset + size]
        check(member[8:9] != bytes([VERSION]), "segments within a segment")
        members.append(read(member))
    samples: list[list[int]] = [[] for _ in channels]
    for segment in segments:
        for i, lead in enumerate(samples):
            lead.extend(_signal(header, i, segment, members))
    return Record(header, samples, restoration, VERSION, members)


def _read_table(content: bytes) -> tuple[bytes, int]:
    """Give the payload of the table, and where its section begins."""
    check(content[-4:] == b"SAN\x1a", "the file was cut short")
    backwards = Fields(content[-5:8:-1], "footer")
    n_bytes = backwards.varint()
    stop = len(content) - 4 - backwards.offset
    start = stop - n_bytes
    check(9 <= start < stop - 4, "the footer does not lead to the table")
    section = content[start:stop]
    (checksum,) = struct.unpack("<I", section[-4:])
    check(checksum == zlib.crc32(section[:-4]), "checksum of the table")
    fields = Fields(section[:-4], "table")
    check(fields.u8() == TABLE, "a file that ends with a member")
    payload = fields.counted()
    fields.end()
    return payload, start


def _segment(fields: Fields, n_members: int, n_channels: int) -> Segment:
    member, n_frames = fields.varint(n_members), fields.varint(2**40)
    places = [fields.varint(256) for _ in range(n_channels if member else 0)]
    return Segment(member, n_frames, places)


def _signal(header: Header, i: int, segment: Segment, members: list[Record]) -> list[int]:
    """Give channel i of a segment in ADC units of the whole record."""
    channel = header.channels[i]
    n_samples = segment.n_frames * channel.samples_per_frame
    if not segment.member:
        return [MISSING] * n_samples
    member = members[segment.member - 1]
    check(member.header.n_frames == segment.n_frames, "frames of a segment")
    place = segment.places[i]
    if not place:
        return [MISSING] * n_samples
    check(place <= len(member.samples), "a channel that a segment does not have")
    own, lead = member.header.channels[place - 1], member.samples[place - 1]
    check(own.samples_per_frame == channel.samples_per_frame, "samples per frame of a segment")
    check(own.units == channel.units, "units of a segment")
    missing = _missing(member, place - 1)
    if (own.gain[0], own.baseline) == (channel.gain[0], channel.baseline):
        return [MISSING if sample == missing else sample for sample in lead]
    scale = channel.gain[0] / own.gain[0]
    offset = channel.baseline - scale * own.baseline + 0.5
    return [
        MISSING if sample == missing else math.floor(scale * sample + offset) for sample in lead
    ]


def _missing(member: Record, channel: int) -> int | None:
    for file in list_files(member.restoration, member.header) if member.restoration else []:
        if channel in file.channels and BITS[file.format]:
            return -(1 << (BITS[file.format] - 1))
    return None
