"""Recordings that are no WFDB records: read from arrays, written as .npy or as new records."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import OutputError, RecordError
from sancodec.formats.dat import DatLayout, DatPacker
from sancodec.formats.hea import compose_header, safe_name
from sancodec.formats.output import PendingFiles, refuse_existing
from sancodec.recording import NO_SAMPLE, Channel, Recording, RecordSpans

_INT32 = np.iinfo(np.int32)
_PIECE_BYTES = 1 << 22


class ArraySource:
    """An integer array, or a Recording, as a ``RecordSource``.

    Parameters
    ----------
    samples : (n_samples, n_channels) or (n_samples,) array of integers, or Recording
        In ADC units; every value must fit into int32. A memory-mapped array stays on disk.
    fs : float, optional
        Sampling frequency in Hz; needed with an array, refused with a Recording.
    name : str, optional
        Name of the record; that of the Recording when left out.
    channels : sequence of Channel, optional
        One for each column; unnamed channels with their defaults when left out.

    Raises
    ------
    RecordError
        The array is not of integers, not of one or two dimensions, or does not fit its channels.
    """

    def __init__(
        self,
        samples: NDArray[np.integer[Any]] | Recording,
        *,
        fs: float | None = None,
        name: str | None = None,
        channels: Sequence[Channel] | None = None,
    ) -> None:
        if isinstance(samples, Recording):
            if fs is not None or channels is not None:
                raise RecordError(f"{samples.name}: a Recording has its own fs and channels")
            self._recording: Recording | None = samples
            self.name = samples.name if name is None else name
            self.fs, self.channels, self.n_frames = samples.fs, samples.channels, samples.n_frames
            return
        self._recording = None
        self.name = "record" if name is None else name
        self._samples = _check_array(samples, self.name)
        if fs is None or not (np.isfinite(fs) and fs > 0):
            raise RecordError(f"{self.name}: sampling frequency {fs}, expected a number above 0 Hz")
        self.fs = float(fs)
        self.n_frames, n_channels = self._samples.shape
        self.channels = (Channel(),) * n_channels if channels is None else tuple(channels)
        self._check_channels()

    @property
    def missing(self) -> tuple[int | None, ...]:
        """Of each channel the value that stands for no sample: the least of a signed type."""
        kind = np.dtype(np.int32) if self._recording is not None else self._samples.dtype
        value = int(np.iinfo(kind).min) if kind.kind == "i" else None
        return (value,) * len(self.channels)

    @property
    def source_bits_per_sample(self) -> float:
        """Bits of a sample: what ratios of arrays are against."""
        return 16.0

    def read(self, start: int, stop: int) -> Recording:
        """Give the frames ``start`` to ``stop`` (exclusive).

        Raises
        ------
        RecordError
            The span is outside of the array, or a sample does not fit into int32.
        """
        if not 0 <= start <= stop <= self.n_frames:
            raise RecordError(f"{self.name}: frames {start} to {stop} of {self.n_frames}")
        if self._recording is not None:
            return replace(self._recording.frames(start, stop), name=self.name)
        span = self._samples[start:stop]
        if span.size and not (_INT32.min <= span.min() and span.max() <= _INT32.max):
            raise RecordError(
                f"{self.name}: samples of {span.min()} to {span.max()} in frames {start} to "
                f"{stop}; sancodec stores 32-bit integers"
            )
        columns = tuple(np.ascontiguousarray(column, np.int32) for column in span.T)
        return Recording(name=self.name, fs=self.fs, channels=self.channels, signals=columns)

    def _check_channels(self) -> None:
        n_channels = self._samples.shape[1]
        if len(self.channels) != n_channels or n_channels == 0:
            raise RecordError(
                f"{self.name}: {len(self.channels)} channels for an array of {n_channels} columns"
            )
        if any(channel.samples_per_frame != 1 for channel in self.channels):
            raise RecordError(
                f"{self.name}: an array has one sample per frame; give a Recording for mixed "
                "sampling frequencies"
            )


def write_npy(stream: BinaryIO, record: RecordSpans) -> None:
    """Write samples as an (n_frames, n_channels) int32 array in NumPy's format, span by span.

    Raises
    ------
    RecordError
        The channels have different sampling frequencies.
    """
    refuse_mixed(record)
    layout: dict[str, Any] = {
        "descr": "<i4",
        "fortran_order": False,
        "shape": (record.n_frames, len(record.channels)),
    }
    np.lib.format.write_array_header_1_0(stream, layout)
    n_written = 0
    for span in record.spans:
        stream.write(np.ascontiguousarray(span.interleaved(), "<i4").data)
        n_written += span.n_frames
    if n_written != record.n_frames:
        raise RecordError(f"{record.name}: {n_written} frames to write, expected {record.n_frames}")


def refuse_mixed(record: RecordSpans) -> None:
    """Raise RecordError for a record of different sampling frequencies."""
    if any(channel.samples_per_frame != 1 for channel in record.channels):
        raise RecordError(
            f"{record.name}: mixed sampling frequencies have no common array; write WFDB instead"
        )


def write_wfdb(
    directory: Path,
    name: str,
    fs: float,
    channels: Sequence[Channel],
    spans: Iterable[Recording],
    *,
    force: bool = False,
    with_lost: bool = False,
) -> list[Path]:
    """Write samples as a new WFDB record and give the paths of its header and signal file.

    The format is 16 when every sample fits, else 24 or 32. Characters that WFDB does not take in
    a record's name become ``_``.

    Parameters
    ----------
    with_lost : bool
        Whether samples of ``NO_SAMPLE`` were lost, and are written as the format's value for
        samples that are not there, which none of the others then has.

    Raises
    ------
    RecordError
        There are no channels.
    OutputError
        A file exists already and ``force`` is not set, or it cannot be written.
    """
    if not channels:
        raise RecordError(f"{name}: a record without channels cannot be written")
    safe = safe_name(name)
    targets = [directory / f"{safe}.hea", directory / f"{safe}.dat"]
    refuse_existing(targets, force=force)
    with PendingFiles(targets, force=force) as pending, _spool(directory) as spool:
        facts = _Facts(len(channels), with_lost=with_lost)
        for span in spans:
            facts.add(span)
            spool.write(np.ascontiguousarray(span.interleaved(), "<i4").data)
        fmt = facts.choose_format()
        spool.seek(0)
        _repack(spool, pending.files[1], fmt, with_lost=with_lost)
        lines = [
            (f"{safe}.dat", fmt, channel, *facts.of(i, fmt)) for i, channel in enumerate(channels)
        ]
        text = compose_header(safe, fs, facts.n_frames, lines)
        pending.files[0].write(text.encode("utf-8"))
        return pending.commit()


class _Facts:
    """What a header says of the samples, and the formats that hold them."""

    def __init__(self, n_channels: int, *, with_lost: bool) -> None:
        self.n_frames = 0
        self._initial = [0] * n_channels
        self._total = [0] * n_channels
        self._n_lost = [0] * n_channels
        self._low = self._high = 0
        self._with_lost = with_lost

    def add(self, span: Recording) -> None:
        for i, signal in enumerate(span.signals):
            if self.n_frames == 0 and signal.size:
                self._initial[i] = int(signal[0])
            there = signal[signal != NO_SAMPLE] if self._with_lost else signal
            self._n_lost[i] += signal.size - there.size
            self._total[i] += int(there.sum(dtype=np.int64))
            self._low = min(self._low, int(there.min(initial=0)))
            self._high = max(self._high, int(there.max(initial=0)))
        self.n_frames += span.n_frames

    def of(self, i: int, fmt: int) -> tuple[int, int]:
        """Give the first sample of channel ``i``, and the sum of all, as the format has them."""
        initial, lost = self._initial[i], -(1 << (fmt - 1))
        if self._with_lost and initial == NO_SAMPLE:
            initial = lost
        return initial, self._total[i] + self._n_lost[i] * lost

    def choose_format(self) -> int:
        for fmt in (16, 24):
            lowest = -(1 << (fmt - 1)) + self._with_lost
            if lowest <= self._low and self._high < 1 << (fmt - 1):
                return fmt
        return 32


def _spool(directory: Path) -> BinaryIO:
    """Give a file for samples whose range is not known yet; it has no name to be left behind."""
    try:
        return tempfile.TemporaryFile(dir=directory)
    except OSError as error:
        raise OutputError(f"{directory}: cannot be written ({error.strerror})") from error


def _repack(spool: BinaryIO, target: BinaryIO, fmt: int, *, with_lost: bool) -> None:
    packer = DatPacker(DatLayout(format=fmt, samples_per_frame=(1,), initial=(0,)))
    while piece := spool.read(_PIECE_BYTES):
        flat = np.frombuffer(piece, "<i4").astype(np.int32)
        if with_lost:
            flat[flat == NO_SAMPLE] = -(1 << (fmt - 1))
        target.write(packer.feed([flat]).data)


def _check_array(samples: NDArray[np.integer[Any]], name: str) -> NDArray[np.integer[Any]]:
    samples = np.asanyarray(samples)
    if not np.issubdtype(samples.dtype, np.integer):
        raise RecordError(
            f"{name}: array of {samples.dtype}, expected integers in ADC units; scale and round "
            "it first"
        )
    if samples.ndim == 1:
        return samples[:, np.newaxis]
    if samples.ndim != 2:
        raise RecordError(
            f"{name}: array of {samples.ndim} dimensions, expected (n_samples, n_channels)"
        )
    return samples
