"""Digital recordings in WFDB's words: what the codec takes and gives back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import RecordError

NO_SAMPLE = -(1 << 31)
"""Stands for a sample that was lost, in int32; files have WFDB's value for it."""


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One signal of a record, with the words of its WFDB header.

    ``adc_gain`` is in ADC units per physical unit (``units``); ``baseline`` is the ADC value
    of physical zero; ``adc_res`` is the resolution in bits (0 when unknown).
    ``samples_per_frame`` is 1 unless the record mixes sampling frequencies.
    """

    name: str = ""
    units: str = "mV"
    adc_gain: float = 200.0
    baseline: int = 0
    adc_res: int = 0
    adc_zero: int = 0
    samples_per_frame: int = 1


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Digital samples of all channels over one span of a record.

    Attributes
    ----------
    name : str
        Name of the record.
    fs : float
        Frames per second: the sampling frequency of channels with one sample per frame, in Hz.
    channels : tuple of Channel
    signals : tuple of (n_frames * samples_per_frame,) int32 arrays
        One array for each channel, in ADC units.
    """

    name: str
    fs: float
    channels: tuple[Channel, ...]
    signals: tuple[NDArray[np.int32], ...]

    def __post_init__(self) -> None:
        if len(self.channels) != len(self.signals):
            raise RecordError(
                f"{self.name}: {len(self.channels)} channels, but {len(self.signals)} signals"
            )
        for channel, signal in zip(self.channels, self.signals, strict=True):
            if signal.dtype != np.int32 or signal.ndim != 1:
                raise RecordError(
                    f"{self.name}, {channel.name}: samples must be one-dimensional int32, "
                    f"found {signal.ndim}-dimensional {signal.dtype}"
                )
            if signal.size != self.n_frames * channel.samples_per_frame:
                raise RecordError(
                    f"{self.name}, {channel.name}: {signal.size} samples, expected "
                    f"{self.n_frames} frames of {channel.samples_per_frame}"
                )

    @property
    def n_frames(self) -> int:
        """Number of frames; the number of samples of a channel with one sample per frame."""
        if not self.channels:
            return 0
        return self.signals[0].size // self.channels[0].samples_per_frame

    @property
    def n_samples(self) -> int:
        """Number of samples, summed over all channels."""
        return sum(signal.size for signal in self.signals)

    @property
    def samples(self) -> NDArray[np.int32]:
        """Samples as (n_samples, n_channels) int32, in ADC units.

        Raises
        ------
        RecordError
            The channels have different sampling frequencies; use ``signals``.
        """
        if len({channel.samples_per_frame for channel in self.channels}) > 1:
            raise RecordError(
                f"{self.name}: channels of different sampling frequencies have no common array; "
                "use .signals"
            )
        if not self.signals:
            return np.zeros((0, 0), np.int32)
        return np.stack(self.signals, axis=1)

    def interleaved(self) -> NDArray[np.int32]:
        """Give the samples frame by frame: (n_frames, samples of one frame) int32, in ADC units."""
        columns = [
            signal.reshape(self.n_frames, channel.samples_per_frame)
            for channel, signal in zip(self.channels, self.signals, strict=True)
        ]
        return np.concatenate(columns, axis=1) if columns else np.zeros((0, 0), np.int32)

    def frames(self, start: int, stop: int) -> Recording:
        """Give the span of frames ``start`` to ``stop`` (exclusive), as views."""
        signals = tuple(
            signal[start * channel.samples_per_frame : stop * channel.samples_per_frame]
            for channel, signal in zip(self.channels, self.signals, strict=True)
        )
        return Recording(name=self.name, fs=self.fs, channels=self.channels, signals=signals)


def lacking(name: str, fs: float, channels: tuple[Channel, ...], n_frames: int) -> Recording:
    """Give so many frames without a sample: all are ``NO_SAMPLE``."""
    signals = tuple(
        np.full(n_frames * channel.samples_per_frame, NO_SAMPLE, np.int32) for channel in channels
    )
    return Recording(name=name, fs=fs, channels=channels, signals=signals)


@dataclass(frozen=True, kw_only=True)
class RecordSpans:
    """A record on its way out: what it is, and its samples span after span.

    Attributes
    ----------
    name : str
    fs : float
        Frames per second.
    channels : tuple of Channel
    n_frames : int
        Of all spans together.
    spans : iterable of Recording
        Can be gone through once.
    """

    name: str
    fs: float
    channels: tuple[Channel, ...]
    n_frames: int
    spans: Iterable[Recording]


class RecordSource(Protocol):
    """Where an encoder reads a record from, span by span, so that length does not cost memory."""

    @property
    def name(self) -> str:
        """Name of the record."""

    @property
    def fs(self) -> float:
        """Frames per second."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels, in the order of the record."""

    @property
    def n_frames(self) -> int:
        """Number of frames of the whole record."""

    @property
    def missing(self) -> tuple[int | None, ...]:
        """Of each channel the value that stands for no sample, None where there is none."""

    @property
    def source_bits_per_sample(self) -> float:
        """Bits that a sample takes where it comes from, their mean over all samples."""

    def read(self, start: int, stop: int) -> Recording:
        """Give the frames ``start`` to ``stop`` (exclusive)."""


def refuse_outside(source: RecordSource, start: int, stop: int) -> None:
    """Raise RecordError unless a record has the frames ``start`` to ``stop`` (exclusive)."""
    if not 0 <= start <= stop <= source.n_frames:
        raise RecordError(
            f"{source.name}: frames {start} to {stop}, the record has {source.n_frames}"
        )
