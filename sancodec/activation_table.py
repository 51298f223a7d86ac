"""The activations of a record as a table, and its kernels in physical units.

An activation is one occurrence of a kernel: in an ECG usually a beat, its kernel the class.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sancodec.formats.frames import make_frame
from sancodec.layers import ChunkPlan, SanPlan
from sancodec.recording import Channel
from sancodec.san.kernels import UNIT
from sancodec.san.synthesis import N_PHASES, Activations


@dataclass(frozen=True, kw_only=True)
class ActivationTable:
    """The activations of a record, in order of time.

    Attributes
    ----------
    fs : float
        Frames per second, in Hz.
    channels : tuple of Channel
        Of the record.
    position : (n,) float64
        Where the centre of the kernel falls, in frames from the start of the record: samples of
        a channel with one sample a frame, to a quarter of one.
    kernel : (n,) int64
        The class: ``record.kernels[i]`` is the kernel of number ``i``.
    amplitude : (n, n_channels) float64
        By how much the largest deflection of the kernel moves each channel, in its physical units,
        below 0 where it points down. NaN where a channel has no kernel, as it has none where it
        follows from other channels.
    """

    fs: float
    channels: tuple[Channel, ...]
    position: NDArray[np.float64]
    kernel: NDArray[np.int64]
    amplitude: NDArray[np.float64]

    def __len__(self) -> int:
        return self.position.size

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Positions in seconds from the start of the record."""
        return self.position / self.fs

    def between(self, start: float, stop: float) -> ActivationTable:
        """Give the activations from ``start`` to ``stop`` (exclusive), in frames."""
        return self._taken((self.position >= start) & (self.position < stop))

    def to_dataframe(self) -> Any:
        """Give a ``pandas.DataFrame``: sample, seconds, kernel, and the amplitude in each channel.

        Its ``attrs`` have the units of the channels.
        """
        columns: list[tuple[str, NDArray[Any]]] = [
            ("sample", self.position),
            ("seconds", self.seconds),
            ("kernel", self.kernel),
        ]
        names = names_of(self.channels)
        columns += list(zip(names, self.amplitude.T, strict=True))
        return make_frame(columns, None, units_of(self.channels))

    def moved(self, n_frames: int, n_kernels: int) -> ActivationTable:
        """Give the table behind so many frames, and its kernels behind so many others."""
        return replace(self, position=self.position + n_frames, kernel=self.kernel + n_kernels)

    def as_channels(
        self, channels: tuple[Channel, ...], places: Sequence[int | None]
    ) -> ActivationTable:
        """Give the table of a record that has these channels; ``places`` are theirs in this one."""
        amplitude = np.full((len(self), len(channels)), np.nan)
        for i, place in enumerate(places):
            if place is not None:
                amplitude[:, i] = self.amplitude[:, place]
        return replace(self, channels=channels, amplitude=amplitude)

    def _taken(self, which: NDArray[Any]) -> ActivationTable:
        return replace(
            self,
            position=self.position[which],
            kernel=self.kernel[which],
            amplitude=self.amplitude[which],
        )


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A shape that occurs again and again in a record.

    Attributes
    ----------
    channels : tuple of int
        Numbers of the channels that have it.
    fs : float
        Sampling frequency of the taps, in Hz.
    centre : int
        The tap that falls on the position of an activation.
    shape : (n, n_taps) float64
        On each of these channels, as a multiple of its own largest deflection: times an
        amplitude of the table this is what an activation adds, in physical units.
    typical : (n,) float64
        On each of these channels the median amplitude over all activations, in physical units; 0
        without any.
    n_activations : int
    """

    channels: tuple[int, ...]
    fs: float
    centre: int
    shape: NDArray[np.float64]
    typical: NDArray[np.float64]
    n_activations: int

    @property
    def physical(self) -> NDArray[np.float64]:
        """The (n, n_taps) shapes of a typical activation, in physical units."""
        return self.shape * self.typical[:, None]

    @property
    def seconds(self) -> NDArray[np.float64]:
        """The (n_taps,) times of the taps, in seconds after the position of an activation."""
        return np.asarray((np.arange(self.shape.shape[1]) - self.centre) / self.fs)

    def as_channels(self, places: Sequence[int | None]) -> Kernel:
        """Give the kernel as one of a record whose channels are ``places`` in this one."""
        there = [i for i, place in enumerate(places) if place in self.channels]
        rows = [self.channels.index(place) for i in there if (place := places[i]) is not None]
        return replace(
            self, channels=tuple(there), shape=self.shape[rows], typical=self.typical[rows]
        )


@dataclass(frozen=True)
class _Lead:
    """A lead of a layer as a channel of the record: which, and units for an amplitude of 1."""

    channel: int
    scale: float
    shapes: NDArray[np.float64]

    @property
    def peaks(self) -> NDArray[np.float64]:
        """The largest deflection of each kernel, with its sign."""
        largest = np.abs(self.shapes).argmax(axis=1)
        return np.asarray(self.shapes[np.arange(len(self.shapes)), largest])


def tabulate(
    plan: ChunkPlan,
    channels: tuple[Channel, ...],
    fs: float,
    chunks: Iterable[tuple[int, Sequence[Activations]]],
) -> ActivationTable:
    """Give the table of a record.

    Parameters
    ----------
    plan : ChunkPlan
    channels : tuple of Channel
    fs : float
        Frames per second, in Hz.
    chunks : iterable of (int, sequence of Activations)
        Of each chunk its first frame, and what it has of each layer of the plan; or of none.
    """
    parts = [empty_table(fs, channels)]
    leads = [list(_leads_of(plan, san, channels)) for san in plan.layers]
    firsts = np.cumsum([0, *(san.bank.n_kernels for san in plan.layers)])
    for start, layers in chunks:
        for number, found in enumerate(layers):
            ratio = fs / plan.groups[plan.layers[number].group].fs
            amplitude = np.full((found.n_activations, len(channels)), np.nan)
            for lead, own in zip(leads[number], found.amplitude.T, strict=True):
                amplitude[:, lead.channel] = own * lead.scale * lead.peaks[found.kernel]
            part = ActivationTable(
                fs=fs,
                channels=channels,
                position=np.asarray(start + found.position * (ratio / N_PHASES), np.float64),
                kernel=found.kernel + firsts[number],
                amplitude=amplitude,
            )
            parts.append(part)
    return join_tables(parts)


def empty_table(fs: float, channels: tuple[Channel, ...]) -> ActivationTable:
    """Give the table of a record without activations."""
    return ActivationTable(
        fs=fs,
        channels=channels,
        position=np.zeros(0),
        kernel=np.zeros(0, np.int64),
        amplitude=np.zeros((0, len(channels))),
    )


def join_tables(parts: Sequence[ActivationTable]) -> ActivationTable:
    """Give tables of one record as one, in order of time."""
    joined = replace(
        parts[0],
        position=np.concatenate([part.position for part in parts]),
        kernel=np.concatenate([part.kernel for part in parts]),
        amplitude=np.concatenate([part.amplitude for part in parts]),
    )
    return joined._taken(np.argsort(joined.position, kind="stable"))


def kernels_of(
    plan: ChunkPlan, channels: tuple[Channel, ...], table: ActivationTable
) -> tuple[Kernel, ...]:
    """Give the kernels of a record, numbered as in its table."""
    kernels: list[Kernel] = []
    for san in plan.layers:
        leads = sorted(_leads_of(plan, san, channels), key=lambda lead: lead.channel)
        own = tuple(lead.channel for lead in leads)
        for number in range(san.bank.n_kernels):
            amplitudes = table.amplitude[table.kernel == len(kernels)][:, own]
            shapes = [_over(lead.shapes[number], lead.peaks[number]) for lead in leads]
            kernel = Kernel(
                channels=own,
                fs=san.bank.fs,
                centre=san.bank.centre,
                shape=np.stack(shapes),
                typical=np.median(amplitudes, axis=0) if len(amplitudes) else np.zeros(len(own)),
                n_activations=len(amplitudes),
            )
            kernels.append(kernel)
    return tuple(kernels)


def names_of(channels: Sequence[Channel]) -> list[str]:
    """Give the names of channels, a number where there is none."""
    return [channel.name.strip() or f"channel {i}" for i, channel in enumerate(channels)]


def units_of(channels: Sequence[Channel]) -> dict[str, str]:
    """Give the units of channels by their names."""
    return dict(zip(names_of(channels), (channel.units for channel in channels), strict=True))


def _leads_of(plan: ChunkPlan, san: SanPlan, channels: Sequence[Channel]) -> Iterator[_Lead]:
    """Give the leads of a layer, those of base leads as the channels that these are."""
    group, structure = plan.groups[san.group], plan.structure
    gains = None if structure is None else structure.gains()
    for place, (lead, exponent) in enumerate(zip(san.leads, san.exponents, strict=True)):
        number, gain = group.channels[lead], 1.0
        if structure is not None and gains is not None:
            base, number = number, structure.kept[number]
            gain = float(gains[number, base])
        row = place if san.bank.n_kernel_leads > 1 else 0
        scale = 2.0**exponent / UNIT * gain / channels[number].adc_gain
        yield _Lead(number, scale, san.bank.kernels[:, row].astype(np.float64))


def _over(shape: NDArray[np.float64], peak: float) -> NDArray[np.float64]:
    return shape / peak if peak else shape
