"""A .san file of several segments that is open for reading, as one record with gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache, partial
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from sancodec.activation_table import ActivationTable, Kernel, empty_table, join_tables
from sancodec.errors import ConfigError, CorruptError, RecordError
from sancodec.formats.bundle import BundleReader, Segment, SegmentTable, is_bundle
from sancodec.formats.originals import Originals, RecordShape
from sancodec.formats.primers import Primer
from sancodec.formats.restoration import describe
from sancodec.inspection import inspect_bundle
from sancodec.record_file import RecordFile, Signals, in_units, is_missing, missing_values
from sancodec.recording import NO_SAMPLE, Channel, Recording, lacking
from sancodec.report import Report
from sancodec.san.kernels import KernelBank
from sancodec.san_file import SanFile, join

_MAX_READ_SAMPLES = 1 << 30
_GAP_SAMPLES = 1 << 20
_LIMITS = np.iinfo(np.int32)


class SegmentedFile(RecordFile):
    """A record of several segments; its samples are those that readers of WFDB assemble.

    Channels are those of the record's layout, or of its first segment. In gaps, and where a segment
    does not have a channel, and where its samples are invalid, samples are ``NO_SAMPLE``. Segments
    as they were recorded are there as ``segment(i)``.

    Parameters
    ----------
    source : BinaryIO
        Seekable; stays open as long as this is used.
    name : str
        Name of the file, for messages.
    provider, find_model, find_primer, jobs, damaged
        As of SanFile.

    Raises
    ------
    CorruptError
        The file is damaged, or not one of several segments.
    """

    header: SegmentTable

    def __init__(
        self,
        source: BinaryIO,
        name: str = "<bytes>",
        *,
        provider: str = "auto",
        find_model: Callable[[str], KernelBank] | None = None,
        find_primer: Callable[[str], Primer] | None = None,
        jobs: int | None = 1,
        damaged: bool = False,
    ) -> None:
        self.name = name
        self._source = source
        self.bundle = BundleReader(source, name)
        self.header = self.bundle.table
        self._open = partial(
            SanFile,
            provider=provider,
            find_model=find_model,
            find_primer=find_primer,
            jobs=jobs,
            damaged=damaged,
        )
        # Records have thousands of segments: those looked at last stay open.
        self.member = lru_cache(4)(self._open_member)

    @property
    def n_frames(self) -> int:
        """Number of frames of the whole record, gaps included."""
        return self.header.n_frames

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels of the record's layout, or of its first segment."""
        return self.header.channels

    @property
    def n_members(self) -> int:
        """Number of segments that are in the file; of those with the same samples there is one."""
        return len(self.header.member_sizes)

    @property
    def originals(self) -> Originals:
        """The original files that belong to no single segment."""
        if not self.header.restoration:
            return Originals()
        shape = RecordShape(name=self.header.name, samples_per_frame=(), n_frames=0)
        return describe(self.header.restoration, shape, self.name)

    def segment(self, i: int) -> SanFile | None:
        """Give segment ``i`` as a record of its own, None for a gap."""
        segment = self.header.segments[i]
        if segment.member is None:
            return None
        file = self.member(segment.member)
        own, where = file.header, f"{self.name}: segment {i}"
        if file.n_frames != segment.n_frames:
            raise CorruptError(f"{where}: {file.n_frames} frames, expected {segment.n_frames}")
        for channel, place in zip(self.header.channels, segment.channels, strict=True):
            if place is None:
                continue
            if place >= len(own.channels):
                raise CorruptError(f"{where}: channel {place} of {len(own.channels)}")
            if own.channels[place].samples_per_frame != channel.samples_per_frame:
                raise CorruptError(f"{where}: other samples per frame of {channel.name}")
        return file

    @property
    def report(self) -> Report:
        """The figures of the file, as ``sancodec inspect`` gives them."""
        return inspect_bundle(self.bundle, self.name)[0]

    @cached_property
    def activations(self) -> ActivationTable:
        """The activations of all segments, at their places in the record, as one table.

        Kernels are those of all segments that are in the file, one after the other.

        Raises
        ------
        CorruptError
            A segment is damaged; the message names it.
        """
        firsts = self._first_kernels()
        parts = [empty_table(self.fs, self.channels)]
        offset = 0
        for i, segment in enumerate(self.header.segments):
            file = self.segment(i)
            if file is not None and segment.member is not None:
                part = file.activations.as_channels(self.channels, segment.channels)
                parts.append(part.moved(offset, firsts[segment.member]))
            offset += segment.n_frames
        return join_tables(parts)

    @cached_property
    def kernels(self) -> tuple[Kernel, ...]:
        """The kernels of the segments that are in the file, one segment's after the other's.

        Of a channel that is not the record's a kernel has nothing.
        """
        found: list[Kernel] = []
        for i in range(self.n_members):
            places = next(own.channels for own in self.header.segments if own.member == i)
            found += [kernel.as_channels(places) for kernel in self.member(i).kernels]
        return tuple(found)

    def _first_kernels(self) -> list[int]:
        """Give the number of the first kernel of each member."""
        counts = [len(self.member(i).kernels) for i in range(self.n_members)]
        return [sum(counts[:i]) for i in range(len(counts))]

    def read(self, start: int = 0, stop: int | None = None) -> Recording:
        """Give the frames ``start`` to ``stop`` (exclusive), in ADC units of the record's channels.

        Where a segment has another gain or baseline, its samples are converted and rounded down, as
        the WFDB library does; ``physical`` is exact.

        Raises
        ------
        ConfigError
            The span is outside of the record, or too long for memory.
        CorruptError
            A segment is damaged; the message names it.
        """
        start, stop = self._check_span(start, stop)
        n_samples = (stop - start) * self._frame_samples
        if n_samples > _MAX_READ_SAMPLES:
            raise ConfigError(f"{self.name}: {n_samples} samples; read parts, or use spans")
        return join(self._nothing(0), list(self.spans(start, stop)))

    def spans(
        self, start: int = 0, stop: int | None = None, *, layer: str = "signal"
    ) -> Iterator[Recording]:
        """Give the frames ``start`` to ``stop`` span by span; errors as of ``read``."""
        if layer != "signal":
            raise ConfigError(
                f"{self.name}: has several segments, each with a SAN layer of its own"
            )
        for i, first, last in self.parts(*self._check_span(start, stop)):
            file = self.segment(i)
            if file is None:
                yield from self.gap(last - first)
            else:
                yield from self.fitted(i, file, _whole_or_part(file, first, last))

    def physical(self, start: int = 0, stop: int | None = None) -> tuple[NDArray[np.float64], ...]:
        """Give the frames ``start`` to ``stop`` in physical units, NaN where there is no sample.

        Returns
        -------
        tuple of (n_frames * samples_per_frame,) float64 arrays
            One for each channel, in its units.
        """
        start, stop = self._check_span(start, stop)
        signals = tuple(
            np.full((stop - start) * channel.samples_per_frame, np.nan)
            for channel in self.header.channels
        )
        done = 0
        for i, first, last in self.parts(start, stop):
            file = self.segment(i)
            if file is None:
                done += last - first
                continue
            fit = _Fit(self.header.channels, self.header.segments[i], file)
            for span in _whole_or_part(file, first, last):
                for signal, own in zip(signals, fit.physical(span), strict=True):
                    per_frame = signal.size // (stop - start)
                    begin = done * per_frame
                    signal[begin : begin + span.n_frames * per_frame] = own
                done += span.n_frames
        return signals

    def _both(self, start: int, stop: int) -> tuple[None, Signals[np.float64]]:
        return None, self.physical(start, stop)

    def hashed(self, spans: Iterable[Recording]) -> Iterator[Recording]:
        """Pass spans on: each segment that is read as a whole has been compared with its hash."""
        return iter(spans)

    def _open_member(self, i: int) -> SanFile:
        return self._open(cast(BinaryIO, self.bundle.member(i)), f"{self.name}: member {i}")

    def parts(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Give for each segment that is touched its number, and its first and last frame."""
        offset = 0
        for i, segment in enumerate(self.header.segments):
            first, last = max(start - offset, 0), min(stop - offset, segment.n_frames)
            if first < last:
                yield i, first, last
            offset += segment.n_frames

    def gap(self, n_frames: int) -> Iterator[Recording]:
        """Give so many frames without samples."""
        step = max(1, _GAP_SAMPLES // self._frame_samples)
        for place in range(0, n_frames, step):
            yield self._nothing(min(step, n_frames - place))

    def fitted(self, i: int, file: SanFile, spans: Iterable[Recording]) -> Iterator[Recording]:
        """Give spans of segment ``i`` as spans of the record."""
        fit = _Fit(self.header.channels, self.header.segments[i], file)
        for span in spans:
            yield self._recording(tuple(fit.digital(span)))

    @property
    def _frame_samples(self) -> int:
        return sum(channel.samples_per_frame for channel in self.header.channels)

    def _nothing(self, n_frames: int) -> Recording:
        header = self.header
        return lacking(header.name, header.fs, header.channels, n_frames)

    def _recording(self, signals: tuple[NDArray[np.int32], ...]) -> Recording:
        header = self.header
        return Recording(name=header.name, fs=header.fs, channels=header.channels, signals=signals)


class _Fit:
    """How the samples of a segment become those of its record."""

    def __init__(self, channels: tuple[Channel, ...], segment: Segment, file: SanFile) -> None:
        missing = missing_values(file.originals, len(file.header.channels))
        self._channels = channels
        self._places = segment.channels
        self._own = file.header.channels
        self._missing = missing
        for channel, place in zip(channels, self._places, strict=True):
            if place is not None and self._own[place].units != channel.units:
                raise RecordError(
                    f"{file.name}: {channel.name} in {self._own[place].units}, the record has it "
                    f"in {channel.units}"
                )

    def digital(self, span: Recording) -> Iterator[NDArray[np.int32]]:
        """Give the signals in ADC units of the record's channels."""
        for channel, place in zip(self._channels, self._places, strict=True):
            if place is None:
                yield np.full(span.n_frames * channel.samples_per_frame, NO_SAMPLE, np.int32)
                continue
            own, signal = self._own[place], span.signals[place]
            found = signal
            if (own.adc_gain, own.baseline) != (channel.adc_gain, channel.baseline):
                scale = channel.adc_gain / own.adc_gain
                offset = channel.baseline - scale * own.baseline + 0.5
                scaled = np.floor(scale * signal + offset)
                found = np.clip(scaled, _LIMITS.min + 1, _LIMITS.max).astype(np.int32)
            yield np.where(self._lacks(place, signal), np.int32(NO_SAMPLE), found)

    def physical(self, span: Recording) -> Iterator[NDArray[np.float64]]:
        """Give the signals in physical units."""
        for channel, place in zip(self._channels, self._places, strict=True):
            if place is None:
                yield np.full(span.n_frames * channel.samples_per_frame, np.nan)
                continue
            own, signal = self._own[place], span.signals[place]
            yield np.where(self._lacks(place, signal), np.nan, in_units(signal, own))

    def _lacks(self, place: int, signal: NDArray[np.int32]) -> NDArray[np.bool_]:
        return is_missing(signal, self._missing[place])


def _whole_or_part(file: SanFile, first: int, last: int) -> Iterator[Recording]:
    spans = file.spans(first, last)
    return file.hashed(spans) if (first, last) == (0, file.n_frames) else spans


def open_stream(
    source: BinaryIO,
    name: str = "<bytes>",
    *,
    provider: str = "auto",
    find_model: Callable[[str], KernelBank] | None = None,
    find_primer: Callable[[str], Primer] | None = None,
    jobs: int | None = 1,
    damaged: bool = False,
) -> SanFile | SegmentedFile:
    """Open a .san file of one or several segments; parameters and errors as of ``SanFile``."""
    kind = SegmentedFile if is_bundle(source) else SanFile
    return kind(
        source,
        name,
        provider=provider,
        find_model=find_model,
        find_primer=find_primer,
        jobs=jobs,
        damaged=damaged,
    )
