"""Files of records of several segments, and of what travels along or stands for the samples."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .parts import (
    FOOTER,
    MAGIC,
    STORED,
    Cases,
    Draft,
    counted,
    decimal,
    same,
    section,
    varint,
    zigzag,
)
from .restoration import corrected, dat, entry, listed, spelled

PLAIN = Draft()
MEMBER = PLAIN.build()
NOTES = b"notes of eight lines"


def used(member: int, *places: int, n_frames: int = 8) -> bytes:
    return varint(member) + varint(n_frames) + b"".join(map(varint, places))


def gap(n_frames: int) -> bytes:
    return varint(0) + varint(n_frames)


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A file of several segments; what a vector is about differs from these."""

    version: int = 0x81
    fs: bytes = decimal(250)
    n_channels: bytes = varint(2)
    names: bytes = b"\0" + counted(b"up") + counted(b"down")
    gains: bytes = same(decimal(200))
    per_frame: bytes = same(varint(1))
    members: tuple[bytes, ...] = (MEMBER,)
    sizes: bytes | None = None
    segments: tuple[bytes, ...] = (used(1, 1, 2), gap(5), used(1, 2, 0))
    n_segments: bytes | None = None
    restoration: bytes = b""
    behind: bytes = b""
    kind: int = 5

    def build(self) -> bytes:
        sizes = self.sizes
        if sizes is None:
            n_members = varint(len(self.members))
            sizes = n_members + b"".join(varint(len(member)) for member in self.members)
        columns = (self.names, same(counted(b"mV")), self.gains, same(zigzag(0)))
        rest = (same(varint(12)), same(zigzag(0)), self.per_frame, sizes)
        number = varint(len(self.segments)) if self.n_segments is None else self.n_segments
        record = (counted(b"bundle"), self.fs, self.n_channels, *columns, *rest, number)
        fields = b"".join((*record, *self.segments, self.behind))
        table = section(self.kind, counted(STORED + fields) + self.restoration)
        members = b"".join(self.members)
        start = MAGIC + bytes([self.version])
        return start + members + table + varint(len(table))[::-1] + FOOTER


WHOLE = Bundle()


def side(content: bytes, correction: bytes, form: int = 1) -> bytes:
    return entry(b"notes.txt", content, correction, form)


def _restored(*files: bytes) -> bytes:
    return replace(PLAIN, restoration=listed(*files)).build()


NOTE = side(NOTES, corrected(len(NOTES), 0, 0, counted(STORED + NOTES)))
_SHORT_NOTE = side(NOTES, corrected(len(NOTES) - 1, 1, 0, counted(STORED + NOTES[1:])))
_HOSTILE = b"\0" + counted(b"notes.txt") + varint((1 << 28) + 1) + bytes(8) + varint(1)

GOOD: Cases = {
    "segments": ("segments that have the same member, in two orders, and a gap", WHOLE.build()),
    "segments-of-gaps": (
        "a record that is one gap",
        replace(WHOLE, members=(), segments=(gap(3),)).build(),
    ),
    "segments-of-other-gains": (
        "a segment whose samples are doubled, to be in units of the record",
        replace(WHOLE, gains=same(decimal(400))).build(),
    ),
    "side-file": ("a side file beside the files of the record", _restored(dat(), NOTE)),
}

CASES: Cases = {
    "segments-without-table": ("members, and no table", MAGIC + b"\x81" + MEMBER),
    "segments-cut": ("the table is cut short", WHOLE.build()[:-9]),
    "segments-flipped": ("a bit of the table is wrong", WHOLE.build()[:-20] + b"\0" * 15 + FOOTER),
    "segments-within": (
        "a segment that has segments",
        replace(WHOLE, members=(WHOLE.build(),)).build(),
    ),
    "segments-in-other-section": ("the table is of section type 4", replace(WHOLE, kind=4).build()),
    "segments-and-a-byte": (
        "a byte follows the last segment",
        replace(WHOLE, behind=b"\0").build(),
    ),
    "segments-none": ("no segment", replace(WHOLE, segments=()).build()),
    "segments-hostile": (
        "2^40 segments",
        replace(WHOLE, n_segments=varint(1 << 40)).build(),
    ),
    "segments-too-long": (
        "segments of 2^41 frames together",
        replace(WHOLE, segments=(gap(1 << 40), gap(1 << 40))).build(),
    ),
    "segments-of-no-member": (
        "a segment of the second member of one",
        replace(WHOLE, segments=(used(2, 1, 2),)).build(),
    ),
    "segments-of-other-length": (
        "a segment of nine frames, of a member of eight",
        replace(WHOLE, segments=(used(1, 1, 2, n_frames=9),)).build(),
    ),
    "segments-of-no-channel": (
        "a channel that the member does not have",
        replace(WHOLE, segments=(used(1, 1, 3),)).build(),
    ),
    "segments-of-other-frames": (
        "two samples per frame, of a member that has one",
        replace(WHOLE, per_frame=same(varint(2))).build(),
    ),
    "segments-of-no-frequency": ("0 Hz", replace(WHOLE, fs=decimal(0)).build()),
    "segments-of-no-gain": ("an ADC gain of 0", replace(WHOLE, gains=same(decimal(0))).build()),
    "members-hostile": (
        "a member of 2^60 bytes",
        replace(WHOLE, sizes=b"\1" + varint(1 << 60)).build(),
    ),
    "members-of-other-size": (
        "sizes that leave out a byte",
        replace(WHOLE, sizes=b"\1" + varint(len(MEMBER) - 1)).build(),
    ),
    "member-flipped": (
        "a member whose checksum is wrong",
        replace(WHOLE, members=(MEMBER[:30] + b"\xff" + MEMBER[31:],)).build(),
    ),
    "side-file-short": ("a side file without its first byte", _restored(dat(), _SHORT_NOTE)),
    "side-file-hostile": ("a side file of 2^28 + 1 bytes", _restored(dat(), _HOSTILE + b"\0")),
    "side-file-of-one-name": (
        "a side file with the name of another one",
        _restored(dat(), spelled(b"Notes.txt"), NOTE),
    ),
    "samples-of-no-flac": (
        "an empty chunk, beside a signal file that is not FLAC",
        replace(PLAIN, chunks=(b"",), restoration=listed(dat())).build(),
    ),
}
UNSUPPORTED: Cases = {
    "version-130": (
        "a record of several segments, of another kind",
        replace(WHOLE, version=130).build(),
    ),
}
