"""WFDB records of several segments, of fixed or variable layout, with gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sancodec.errors import RecordError
from sancodec.formats.bundle import Segment, find_max_segments
from sancodec.formats.edf import SUFFIXES, EdfRecord
from sancodec.formats.hea import SegmentsText, SignalLine, parse_header, parse_segments
from sancodec.formats.output import find_name_problem
from sancodec.formats.source_files import SourceFile
from sancodec.formats.wfdb import WfdbRecord, decode_text, find_header, read_header
from sancodec.recording import Channel

_GAP = "~"


@dataclass(frozen=True, kw_only=True)
class SegmentedRecord:
    """A WFDB record of several segments on disk.

    Attributes
    ----------
    name : str
        Name of the header file, without its suffix.
    fs : float
        Frames per second.
    channels : tuple of Channel
        Of the record as a whole: those of its layout, or of its first segment.
    segments : tuple of Segment
    members : tuple of WfdbRecord
        The segments that have samples; each once, however often its samples occur.
    headers : tuple of SourceFile
        The header files that are none of a member's: the record's own, first; that of its layout;
        and those of segments with the samples of another one.
    """

    name: str
    fs: float
    channels: tuple[Channel, ...]
    segments: tuple[Segment, ...]
    members: tuple[WfdbRecord, ...]
    headers: tuple[SourceFile, ...]

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """All files of the record, its header first."""
        return self.headers + tuple(file for member in self.members for file in member.files)


def open_record(path: Path, *, share: bool = True) -> WfdbRecord | EdfRecord | SegmentedRecord:
    """Check an EDF file, or a record of one or several segments, without reading samples.

    With ``share``, segments that have the same samples are one member.

    Raises
    ------
    RecordError
        As of ``WfdbRecord.open`` and ``EdfRecord.open``; or the segments do not fit together.
    """
    if path.suffix.lower() in SUFFIXES:
        return EdfRecord.open(path)
    header_path = find_header(path)
    text = parse_segments(decode_text(read_header(header_path)), header_path)
    return (
        WfdbRecord.open(path) if text is None else _Opening(header_path, text, share=share).finish()
    )


class _Opening:
    """Gathers the segments of a record."""

    def __init__(self, header_path: Path, text: SegmentsText, *, share: bool) -> None:
        self._share = share
        self._path = header_path
        self._text = text
        self._headers = [SourceFile(path=header_path)]
        self._members: list[WfdbRecord] = []
        self._numbers: dict[object, int] = {}
        self._by_name: dict[str, int] = {}
        self._layout: tuple[Channel, ...] | None = None

    def finish(self) -> SegmentedRecord:
        text = self._text
        (first, n_first), *others = text.segments
        segments = text.segments
        # A layout stands first, and has no samples; else all segments have the same channels.
        if n_first == 0 and first != _GAP:
            self._layout = self._open_layout(first)
            segments = tuple(others)
        numbers = [self._number(*segment) for segment in segments]
        channels = self._layout or (self._members[0].channels if self._members else ())
        if len(channels) != text.n_signals or not channels:
            raise RecordError(
                f"{self._path}: {len(channels)} signals in its segments, the first line says "
                f"{text.n_signals}"
            )
        if len(numbers) > find_max_segments(len(channels)):
            raise RecordError(f"{self._path}: {len(numbers)} segments are too many for one file")
        lengths = [n_frames for _, n_frames in segments]
        if text.n_frames and sum(lengths) != text.n_frames:
            raise RecordError(
                f"{self._path}: segments of {sum(lengths)} samples, the first line says "
                f"{text.n_frames}"
            )
        return SegmentedRecord(
            name=self._path.stem,
            fs=text.fs,
            channels=channels,
            segments=tuple(map(self._segment, numbers, lengths, [channels] * len(lengths))),
            members=tuple(self._members),
            headers=tuple(self._headers),
        )

    def _segment(self, number: int | None, n_frames: int, channels: tuple[Channel, ...]) -> Segment:
        if number is None:
            return Segment(n_frames=n_frames)
        member = self._members[number]
        own = member.channels
        places = tuple(range(len(own))) if self._layout is None else _match(channels, own)
        if len(places) != len(channels):
            raise RecordError(
                f"{member.files[0].path}: {len(own)} signals, other segments of {self._path.name} "
                f"have {len(channels)}"
            )
        for channel, place in zip(channels, places, strict=True):
            found = channel if place is None else own[place]
            if found.samples_per_frame != channel.samples_per_frame:
                raise RecordError(
                    f"{member.files[0].path}: {found.samples_per_frame} samples per frame of "
                    f"{found.name}, the record has {channel.samples_per_frame}"
                )
        return Segment(n_frames=n_frames, member=number, channels=places)

    def _number(self, name: str, n_frames: int) -> int | None:
        """Give the number of the member that has the samples of a segment; None for a gap."""
        if name == _GAP:
            return None
        if name not in self._by_name:
            self._by_name[name] = self._enter(WfdbRecord.open(self._beside(name)))
        number = self._by_name[name]
        member = self._members[number]
        if member.n_frames != n_frames:
            raise RecordError(
                f"{self._path}: segment {name} of {n_frames} samples, it has {member.n_frames}"
            )
        if member.fs != self._text.fs:
            raise RecordError(
                f"{self._path}: segment {name} of {member.fs:g} Hz, the record has "
                f"{self._text.fs:g} Hz"
            )
        return number

    def _enter(self, member: WfdbRecord) -> int:
        """Give the number of a member: a new one, unless another has the same samples."""
        header, *files = member.files
        same = (member.fs, member.channels, member.n_frames, *files)
        if self._share and same in self._numbers:
            self._headers.append(header)
            return self._numbers[same]
        self._numbers[same] = len(self._members)
        self._members.append(member)
        return len(self._members) - 1

    def _open_layout(self, name: str) -> tuple[Channel, ...]:
        path = self._beside(name)
        lines: Sequence[SignalLine] = parse_header(decode_text(read_header(path)), path).signals
        self._headers.append(SourceFile(path=path))
        return tuple(line.channel for line in lines)

    def _beside(self, name: str) -> Path:
        problem = find_name_problem(name)
        if problem:
            raise RecordError(
                f"{self._path}: segment {name!r} {problem}; segments must stand beside the header"
            )
        return self._path.with_name(f"{name}.hea")


def _match(channels: Sequence[Channel], own: Sequence[Channel]) -> tuple[int | None, ...]:
    """Give for each channel of a layout which of a segment's has its name, in their order."""
    left: dict[str, list[int]] = {}
    for i, channel in enumerate(own):
        left.setdefault(channel.name, []).append(i)
    return tuple(
        left[channel.name].pop(0) if left.get(channel.name) else None for channel in channels
    )
