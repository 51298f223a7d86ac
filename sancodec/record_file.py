"""An open .san file in the words of its users: signals with units, tables, objects of wfdb."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sancodec.activation_table import ActivationTable, Kernel, names_of, units_of
from sancodec.errors import ConfigError, RecordError
from sancodec.formats.bundle import SegmentTable
from sancodec.formats.dat_formats import MISSING
from sancodec.formats.edf_header import BEGIN_BYTES, begin_of
from sancodec.formats.frames import make_frame, make_times
from sancodec.formats.header import Header
from sancodec.formats.originals import IN_BLOCKS, Originals
from sancodec.formats.restoration import read_beginning, read_header
from sancodec.formats.wfdb_objects import Excerpt, base_time_of, make_record
from sancodec.recording import NO_SAMPLE, Channel, Recording
from sancodec.report import Report
from sancodec.signal_view import Sliceable

TIMES = ("seconds", "datetime")

_Number = TypeVar("_Number", np.int32, np.float64)
Signals = tuple[NDArray[_Number], ...]
"""Samples of each channel."""


class RecordFile(Sliceable):
    """An open .san file as ``sancodec.open`` gives it, whatever it was made of."""

    header: Header | SegmentTable

    @property
    def record_name(self) -> str:
        """Name of the record."""
        return self.header.name

    @property
    def fs(self) -> float:
        """Frames per second, in Hz."""
        return self.header.fs

    @property
    @abstractmethod
    def activations(self) -> ActivationTable:
        """The activations of the whole record as a table, read without decoding a sample."""

    @property
    @abstractmethod
    def kernels(self) -> tuple[Kernel, ...]:
        """The kernels of the record, numbered as the table of activations has it."""

    @property
    @abstractmethod
    def report(self) -> Report:
        """The figures of the file, as ``sancodec inspect`` gives them."""

    @abstractmethod
    def hashed(self, spans: Iterable[Recording]) -> Iterator[Recording]:
        """Pass spans of the whole record on, and compare what has a hash with it."""

    def physical(self, start: int = 0, stop: int | None = None) -> tuple[NDArray[np.float64], ...]:
        """Give the frames ``start`` to ``stop`` in physical units, NaN where there is no sample.

        Errors are those of ``read``.

        Returns
        -------
        tuple of (n_frames * samples_per_frame,) float64 arrays
            One for each channel, in its units.
        """
        return self._in_units(self.read(start, stop).signals)

    @property
    def base_time(self) -> datetime | None:
        """When the record begins; None where it does not say the day.

        The header of a WFDB record is coded after what its samples say: the whole record is
        decoded for it, once.
        """
        if self._wfdb_header:
            return base_time_of(self._wfdb_header, self.name)
        for file in self.originals.files:
            if file.format == IN_BLOCKS:
                return begin_of(read_beginning(file, BEGIN_BYTES, self.name))
        return None

    def to_wfdb(self, start: int = 0, stop: int | None = None, *, physical: bool = True) -> Any:
        """Give a ``wfdb.Record``, as ``wfdb.rdrecord`` gives it of the original files.

        ``record.to_wfdb().p_signal`` is the (n_samples, n_channels) array in physical units, NaN
        where there is no sample. Channels with several samples per frame have ``e_p_signal``, as
        with ``smooth_frames=False``. A skew between signals is left as it is. A record of several
        segments becomes one of one, in physical units. For base time and comments of a WFDB record
        the whole of it is decoded.

        Parameters
        ----------
        start, stop : int
            Frames.
        physical : bool
            Whether signals are in physical units, or else ``d_signal``, integers in ADC units.

        Raises
        ------
        ConfigError
            The span is outside of the record, or integers of several segments were asked for.
        RecordError
            There are no channels, or wfdb does not take the header.
        CorruptError
            A chunk is damaged.
        """
        start, stop = self._check_span(start, stop)
        if not self.channels:
            raise RecordError(f"{self.name}: no channels, and no record for wfdb")
        excerpt = self._excerpt(start, stop)
        if excerpt.digital is None and not physical:
            raise ConfigError(f"{self.name}: several segments have no integers in common")
        return make_record(excerpt, self._wfdb_header, physical=physical)

    def to_dataframe(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        leads: Sequence[str | int] | None = None,
        times: str = "seconds",
    ) -> Any:
        """Give a ``pandas.DataFrame`` in physical units: a row for each sample, a column a lead.

        ``frame.attrs["units"]`` has the units of the columns; where there is no sample is NaN.

        Parameters
        ----------
        start, stop : int
            Frames.
        leads : sequence of (str or int), optional
            Names or numbers; all where left out. They have to share a sampling frequency.
        times : str
            ``"seconds"`` from the start of the record, or ``"datetime"`` where the record says
            when that was. For the latter the whole of a WFDB record is decoded.

        Raises
        ------
        ConfigError
            The span is outside of the record, or a lead is not there.
        RecordError
            The leads have different sampling frequencies, or the record has no base time.
        CorruptError
            A chunk is damaged.
        """
        if times not in TIMES:
            raise ConfigError(f"times: {times!r}, expected one of {', '.join(TIMES)}")
        start, stop = self._check_span(start, stop)
        wanted = range(len(self.channels)) if leads is None else leads
        columns = [self.signal.column(lead) for lead in wanted]
        counts = {self.channels[i].samples_per_frame for i in columns}
        if len(counts) > 1:
            raise RecordError(
                f"{self.name}: leads of different sampling frequencies; choose some that share one "
                "with leads="
            )
        begin = self.base_time if times == "datetime" else None
        if times == "datetime" and begin is None:
            raise RecordError(f"{self.name}: does not say when it begins; take times='seconds'")
        signals = self.physical(start, stop)
        names, per_frame = names_of(self.channels), counts.pop() if counts else 1
        sample = np.arange(start * per_frame, stop * per_frame, dtype=np.int64)
        return make_frame(
            [(names[i], signals[i]) for i in columns],
            make_times(sample, self.fs * per_frame, begin),
            units_of(self.channels),
        )

    @cached_property
    def _wfdb_header(self) -> bytes:
        """The header of the original record; empty where there was none."""
        spans = self.hashed(self.spans())
        return read_header(self.originals, spans, self.record_name, self.name)

    def _both(self, start: int, stop: int) -> tuple[Signals[np.int32] | None, Signals[np.float64]]:
        """Give frames in ADC units, None where channels have no common ones, and in physical."""
        digital = self.read(start, stop).signals
        return digital, self._in_units(digital)

    def _excerpt(self, start: int, stop: int) -> Excerpt:
        digital, physical = self._both(start, stop)
        return Excerpt(
            name=self.record_name,
            fs=self.fs,
            channels=self.channels,
            start=start,
            n_frames=stop - start,
            digital=digital,
            physical=physical,
        )

    def _in_units(self, signals: Sequence[NDArray[np.int32]]) -> tuple[NDArray[np.float64], ...]:
        missing = missing_values(self.originals, len(self.channels))
        return tuple(
            np.where(is_missing(signal, own), np.nan, in_units(signal, channel))
            for signal, own, channel in zip(signals, missing, self.channels, strict=True)
        )


def in_units(signal: NDArray[np.int32], channel: Channel) -> NDArray[np.float64]:
    """Give samples of a channel in its physical units."""
    return (signal.astype(np.float64) - channel.baseline) / channel.adc_gain


def missing_values(originals: Originals, n_channels: int) -> list[int | None]:
    """Give of each channel the value that its file's format has for no sample, or None."""
    formats = (own.format for own in originals.files for _ in own.samples_per_frame)
    return [MISSING.get(fmt) for fmt in formats] or [None] * n_channels


def is_missing(signal: NDArray[np.int32], missing: int | None) -> NDArray[np.bool_]:
    """Tell which samples are not there; what salvage marks as lost is NO_SAMPLE in any format."""
    return np.isin(signal, [value for value in (NO_SAMPLE, missing) if value is not None])
