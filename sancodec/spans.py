"""The chunks of a record as spans, with what stands before and behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sancodec.recording import Recording, RecordSource


@dataclass(frozen=True)
class WideSpan:
    """A chunk's base leads with those around it, and its samples.

    ``n_frames`` from ``lead_in`` on are the chunk's. Without a structure the leads are the
    samples, and ``samples`` is None.
    """

    recording: Recording
    lead_in: int
    n_frames: int
    samples: Recording | None

    @property
    def chunk(self) -> Recording:
        """The chunk's leads alone."""
        return self.recording.frames(self.lead_in, self.lead_in + self.n_frames)


def wide_spans(
    source: RecordSource, base: RecordSource, chunk_frames: int, context: int
) -> Iterator[WideSpan]:
    """Give the spans of all chunks, with ``context`` frames on either side as far as there are."""
    for number in range(-(-source.n_frames // chunk_frames)):
        yield wide_span(source, base, chunk_frames, context, number)


def wide_span(
    source: RecordSource, base: RecordSource, chunk_frames: int, context: int, number: int
) -> WideSpan:
    """Give the span of one chunk, as ``wide_spans`` does."""
    start = number * chunk_frames
    stop = min(start + chunk_frames, source.n_frames)
    # Where base frames are not those of the record, there is one chunk.
    end = base.n_frames if stop == source.n_frames else stop
    first = max(start - context, 0)
    wide = base.read(first, min(end + context, base.n_frames))
    samples = None if base is source else source.read(start, stop)
    return WideSpan(wide, start - first, end - start, samples)
