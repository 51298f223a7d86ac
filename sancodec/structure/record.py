"""What a header says of the base leads, and what there is to say of those that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sancodec.errors import CorruptError
from sancodec.formats.header import Header
from sancodec.formats.parameters import CodecParameters
from sancodec.recording import Channel
from sancodec.report import SignalReport
from sancodec.signal_types import identify
from sancodec.structure.structure import Structure, structure_of


def structure_in(header: Header, parameters: CodecParameters, name: str) -> Structure | None:
    """Give the structure that a header's parameters name; CorruptError where it cannot be."""
    if not parameters.structure:
        return None
    structure = structure_of(parameters.structure, len(header.channels))
    several = any(channel.samples_per_frame > 1 for channel in header.channels)
    chunked = structure.resampling is not None and header.n_frames > header.chunk_frames
    if several or chunked or structure.n_base != parameters.n_base:
        raise CorruptError(
            f"{name}: a structure of {structure.n_base} base leads, expected "
            f"{parameters.n_base} of one frequency, and one chunk where they were resampled"
        )
    return structure


def base_channels(structure: Structure, channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """Give the channels of the base leads."""
    return tuple(channels[lead] for lead in structure.kept)


def base_header(header: Header, structure: Structure) -> Header:
    """Give the header of the base record: what its groups and layers are told by."""
    return replace(
        header,
        channels=base_channels(structure, header.channels),
        fs=structure.fs_base(header.fs),
        n_frames=structure.n_samples_base(header.n_frames),
        chunk_frames=structure.n_samples_base(header.chunk_frames),
    )


def with_derived(
    signals: Sequence[SignalReport], channels: Sequence[Channel], structure: Structure, fs: float
) -> tuple[SignalReport, ...]:
    """Give the reports of all channels, from those of the base leads."""
    own = dict(zip(structure.kept, signals, strict=True))
    found = []
    for lead, channel in enumerate(channels):
        identity = identify(channel, fs)
        derived = SignalReport(
            name=channel.name,
            kind=identity.kind,
            told_by=identity.reason,
            kernels="",
            decided_by="follows from the others",
        )
        found.append(own.get(lead, derived))
    return tuple(found)
