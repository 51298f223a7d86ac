"""What damaged .san files still hold: the chunks that are whole, and the rest marked as lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sancodec.errors import CorruptError
from sancodec.recording import Recording, lacking
from sancodec.san_file import SanFile
from sancodec.segmented_file import SegmentedFile


@dataclass(frozen=True)
class LostSpan:
    """Frames ``start`` to ``stop`` (exclusive) that are lost in all channels, and why."""

    start: int
    stop: int
    reason: str


class Salvage:
    """The samples of a file that may be damaged, and a list of what is lost.

    Parameters
    ----------
    file : SanFile
        Opened with ``damaged``.
    """

    def __init__(self, file: SanFile) -> None:
        self._file = file
        self.problem = file.container.problem
        """What is wrong with the index; empty where it is whole."""
        self.lost: list[LostSpan] = []
        """Of the spans that were given so far."""

    def spans(self, start: int, stop: int) -> Iterator[Recording]:
        """Give frames ``start`` to ``stop`` chunk by chunk; lost samples are ``NO_SAMPLE``.

        Raises
        ------
        CorruptError
            All of them are lost; said when they have been given.
        """
        yield from self.marked(start, stop)
        _refuse_nothing(self.lost, stop - start)

    def marked(self, start: int, stop: int) -> Iterator[Recording]:
        """As ``spans``, be all of them lost."""
        for i, entry in enumerate(self._file.container.chunks):
            first, last = max(start, entry.start), min(stop, entry.start + entry.n_frames)
            if first >= last:
                continue
            try:
                chunk, _ = self._file.chunk(i)
            except CorruptError as error:
                self.lost.append(LostSpan(first, last, str(error)))
                yield self._nothing(last - first)
            else:
                yield chunk.frames(first - entry.start, last - entry.start)

    def _nothing(self, n_frames: int) -> Recording:
        header = self._file.header
        return lacking(header.name, header.fs, header.channels, n_frames)


class SegmentedSalvage:
    """As Salvage, of a record of several segments, opened with ``damaged``; its table is whole."""

    problem = ""

    def __init__(self, file: SegmentedFile) -> None:
        self._file = file
        self.lost: list[LostSpan] = []

    def spans(self, start: int, stop: int) -> Iterator[Recording]:
        """Give frames ``start`` to ``stop``; errors as of ``Salvage.spans``."""
        done = start
        for i, first, last in self._file.parts(start, stop):
            yield from self._part(i, first, last, done - first)
            done += last - first
        _refuse_nothing(self.lost, stop - start)

    def _part(self, i: int, first: int, last: int, offset: int) -> Iterator[Recording]:
        try:
            file = self._file.segment(i)
        except CorruptError as error:
            self.lost.append(LostSpan(offset + first, offset + last, str(error)))
            file = None
        if file is None:
            yield from self._file.gap(last - first)
            return
        salvage = Salvage(file)
        yield from self._file.fitted(i, file, salvage.marked(first, last))
        self.lost += [
            replace(lost, start=offset + lost.start, stop=offset + lost.stop)
            for lost in salvage.lost
        ]


def _refuse_nothing(lost: Sequence[LostSpan], n_frames: int) -> None:
    """Raise CorruptError where all of so many frames are lost."""
    if sum(own.stop - own.start for own in lost) == n_frames > 0:
        raise CorruptError(f"{lost[0].reason}; nothing is left of what was asked for")
