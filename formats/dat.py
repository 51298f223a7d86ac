"""WFDB signal files that are not compressed: channels to bytes and back, span after span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sancodec.errors import RecordError
from sancodec.formats.dat_formats import FORMATS, Octets, Samples

_SKIP_FRAMES = 1 << 18


@dataclass(frozen=True, kw_only=True)
class DatLayout:
    """How the channels of one signal file are stored.

    Attributes
    ----------
    format : int
        Number of the format in WFDB, a key of FORMATS.
    samples_per_frame : tuple of int
        For each channel of the file.
    initial : tuple of int
        For each channel the value before the first difference; used by format 8 alone.
    """

    format: int
    samples_per_frame: tuple[int, ...]
    initial: tuple[int, ...]

    @property
    def frame_samples(self) -> int:
        """Number of samples of one frame of the file."""
        return sum(self.samples_per_frame)


class DatPacker:
    """Turns channels, span after span, into the bytes of their signal file."""

    def __init__(self, layout: DatLayout) -> None:
        self._layout = layout
        self._format = FORMATS[layout.format]
        self._last = list(layout.initial)
        self._rest: Samples = np.zeros(0, np.int32)

    def feed(self, signals: Sequence[Samples]) -> Octets:
        """Give the bytes of all units that are complete.

        Parameters
        ----------
        signals : sequence of (n_frames * samples_per_frame,) int32 arrays
            One for each channel, in ADC units.

        Returns
        -------
        (n_bytes,) uint8
        """
        if self._layout.format == 8:
            signals = [self._differences(i, signal) for i, signal in enumerate(signals)]
        flat = _interleave(signals, self._layout.samples_per_frame)
        if self._rest.size:
            flat = np.concatenate([self._rest, flat])
        n_whole = flat.size - flat.size % self._format.unit_samples
        self._rest = flat[n_whole:].copy()
        return self._format.pack(flat[:n_whole])

    def finish(self) -> Octets:
        """Give the last unit, filled up with zeros, or nothing when there is none."""
        if not self._rest.size:
            return np.zeros(0, np.uint8)
        unit = np.zeros(self._format.unit_samples, np.int32)
        unit[: self._rest.size] = self._rest
        self._rest = self._rest[:0]
        return self._format.pack(unit)

    def _differences(self, i: int, signal: Samples) -> Samples:
        if not signal.size:
            return signal
        # Only the low eight bits are kept, so that a sum that wraps does no harm.
        wide = np.concatenate([np.array([self._last[i]], np.int64), signal])
        self._last[i] = int(signal[-1])
        return np.diff(wide).astype(np.int32)


class DatReader:
    """Reads spans of frames of one signal file; the counterpart of DatPacker.

    Parameters
    ----------
    path : Path
    layout : DatLayout
    byte_offset : int
        Where the first frame begins in the file.
    """

    def __init__(self, path: Path, layout: DatLayout, byte_offset: int) -> None:
        self._path = path
        self._layout = layout
        self._format = FORMATS[layout.format]
        self._byte_offset = byte_offset
        # Where format 8, which stores differences, was read up to, and the last values there.
        self._position = 0
        self._last = np.array(layout.initial, np.int64)

    def read(self, start: int, stop: int) -> list[Samples]:
        """Give the frames ``start`` to ``stop`` as one array for each channel, in ADC units.

        Raises
        ------
        RecordError
            The file cannot be read, or ends before ``stop``; sums of format 8 leave int32.
        """
        if self._layout.format == 8:
            return self._read_sums(start, stop)
        return _separate(self._read_flat(start, stop), self._layout.samples_per_frame)

    def _read_flat(self, start: int, stop: int) -> Samples:
        first, last = start * self._layout.frame_samples, stop * self._layout.frame_samples
        floor_units, skipped = divmod(first, self._format.unit_samples)
        n_samples = last - first + skipped
        n_units = -(-n_samples // self._format.unit_samples)
        octets = np.zeros(n_units * self._format.unit_bytes, np.uint8)
        offset = self._byte_offset + floor_units * self._format.unit_bytes
        n_read = read_octets(self._path, offset, octets)
        required = self._format.required_bytes(n_samples)
        if n_read < required:
            raise RecordError(
                f"{self._path}: {n_read} of {required} bytes at offset {offset}; "
                "the file is shorter than its header says"
            )
        return self._format.unpack(octets)[skipped:n_samples]

    def _read_sums(self, start: int, stop: int) -> list[Samples]:
        if start < self._position:
            self._position = 0
            self._last = np.array(self._layout.initial, np.int64)
        # Differences can only be summed from the start: pass over what was not asked for.
        for skip in range(self._position, start, _SKIP_FRAMES):
            self._sum(skip, min(start, skip + _SKIP_FRAMES))
        return self._sum(start, stop)

    def _sum(self, start: int, stop: int) -> list[Samples]:
        columns = _separate(self._read_flat(start, stop), self._layout.samples_per_frame)
        sums = [np.cumsum(c, dtype=np.int64) + v for c, v in zip(columns, self._last, strict=True)]
        for column in sums:
            if column.size and not -(1 << 31) <= column.min() <= column.max() < 1 << 31:
                raise RecordError(f"{self._path}: sums of differences leave the range of int32")
        self._position = stop
        if stop > start:
            self._last = np.array([column[-1] for column in sums], np.int64)
        return [column.astype(np.int32) for column in sums]


def read_octets(path: Path, offset: int, octets: Octets) -> int:
    """Fill bytes from a place in a file, and give how many there were."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.readinto(octets.data)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from error


def _interleave(signals: Sequence[Samples], samples_per_frame: Sequence[int]) -> Samples:
    frames = [s.reshape(-1, n) for s, n in zip(signals, samples_per_frame, strict=True)]
    return np.concatenate(frames, axis=1).reshape(-1)


def _separate(flat: Samples, samples_per_frame: Sequence[int]) -> list[Samples]:
    frames = flat.reshape(-1, sum(samples_per_frame))
    stops = np.cumsum(samples_per_frame)
    return [
        np.ascontiguousarray(frames[:, stop - n : stop]).reshape(-1)
        for stop, n in zip(stops, samples_per_frame, strict=True)
    ]
