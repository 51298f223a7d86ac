"""The base leads of a record as a record of its own, on which all is planned and coded.

What a chunk holds then are the base leads, and the misfits with which they give the samples back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sancodec.chunk import (
    ChunkPart,
    EncodedChunk,
    decode_chunk,
    decode_layers,
    encode_chunk,
    read_activations,
    take_parts,
)
from sancodec.errors import CorruptError
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.layers import ChunkPlan, SanLayer
from sancodec.recording import Channel, Recording, RecordSource
from sancodec.residual.raw import decode_raw, encode_raw, raw_size
from sancodec.runtime import SynthesisSession
from sancodec.san.synthesis import Activations
from sancodec.structure.misfits import Misfits, decode_misfits, encode_misfits
from sancodec.structure.record import base_channels
from sancodec.structure.search import find, holds
from sancodec.structure.stages import outwards
from sancodec.structure.structure import Structure

FORM_RAW = 0
"""All samples of a chunk as they are."""
FORM_BASE = 1
"""Misfits, then the chunk of the base record."""

_N_SPANS = 3


def find_structure(source: RecordSource, chunk_frames: int) -> Structure | None:
    """Give the structure that all chunks of a record share; None where there is none to gain from.

    A resampling runs across chunks: it is only looked for in records of one.
    """
    if not source.channels or any(channel.samples_per_frame > 1 for channel in source.channels):
        return None
    one = source.n_frames <= chunk_frames
    size = min(source.n_frames, chunk_frames)
    starts = [0] if one else _starts(source.n_frames, chunk_frames)
    spans = [_samples(source.read(start, start + size)) for start in starts]
    found_in = spans.pop(len(spans) // 2)
    structure = find(found_in, source.fs, resampling=one, channels=source.channels)
    if structure is None or structure.n_base == 0:
        return None
    return structure if all(holds(structure, span) for span in spans) else None


def _starts(n_frames: int, chunk_frames: int) -> list[int]:
    """Give where chunks begin, spread over the record."""
    last = n_frames // chunk_frames - 1
    return [chunk_frames * (last * i // (_N_SPANS - 1)) for i in range(_N_SPANS)]


class BaseSource:
    """The base leads of a record, read like a record."""

    def __init__(self, source: RecordSource, structure: Structure) -> None:
        self._source = source
        self._structure = structure
        self.name = source.name
        self.fs = structure.fs_base(source.fs)
        self.channels = base_channels(structure, source.channels)
        self.n_frames = structure.n_samples_base(source.n_frames)
        whole = structure.resampling is not None
        self.source_bits_per_sample = source.source_bits_per_sample
        self.missing: tuple[int | None, ...] = (None,) * len(self.channels)
        self._whole = self._base(0, source.n_frames) if whole else None

    def gains(self) -> NDArray[np.float64]:
        """Give by how much each channel of the record moves with each base lead."""
        return self._structure.gains()

    def read(self, start: int, stop: int) -> Recording:
        """Give the base frames ``start`` to ``stop`` (exclusive)."""
        if self._whole is not None:
            return self._whole.frames(start, stop)
        return self._base(start, stop)

    def _base(self, start: int, stop: int) -> Recording:
        return base_of(self._source.read(start, stop), self._structure)


def base_of(span: Recording, structure: Structure) -> Recording:
    """Give the base leads of a span; zeros where none give its samples, and it will be raw."""
    samples = _samples(span)
    apart = structure.forward(samples)
    if apart is None:
        n_samples = structure.n_samples_base(samples.shape[1])
        base = np.zeros((structure.n_base, n_samples), np.int32)
    else:
        base = apart[0]
    channels = base_channels(structure, span.channels)
    return _recording(span.name, structure.fs_base(span.fs), channels, base)


def encode_base(
    recording: Recording,
    plan: ChunkPlan,
    activations: Sequence[Activations],
    session: SynthesisSession | None,
) -> EncodedChunk:
    """Code one span by the plan of its base record; raw where that is no larger.

    With a loss, misfits are only what brings samples back into the width of their lead.
    """
    assert plan.structure is not None
    samples = _samples(recording)
    n_raw = raw_size(samples)
    apart = plan.structure.forward(samples)
    if apart is not None:
        fs = plan.structure.fs_base(recording.fs)
        channels = base_channels(plan.structure, recording.channels)
        base = _recording(recording.name, fs, channels, apart[0])
        chunk = encode_chunk(base, plan, activations, session)
        misfits: Misfits | None = apart[1]
        if plan.loss is not None:
            decoded = chunk.decoded
            if decoded is None:
                decoded, _ = decode_chunk(chunk.payload, base, plan, base.n_frames, session)
            misfits = _beyond_width(plan.structure, samples, _samples(decoded))
        if misfits is not None:
            writer = ByteWriter().u8(FORM_BASE).counted(encode_misfits(misfits)).raw(chunk.payload)
            if len(writer) <= n_raw:
                return replace(chunk, payload=writer.getvalue(), decoded=None)
    payload = ByteWriter().u8(FORM_RAW).raw(encode_raw(samples)).getvalue()
    return EncodedChunk(
        payload=payload, san_bytes=0, residual_bytes=n_raw, layers=(), coded=recording
    )


def _beyond_width(
    structure: Structure, samples: NDArray[np.int32], base: NDArray[np.int32]
) -> Misfits | None:
    """Give what is to be added so that no lead needs more bits than its samples have.

    What follows from leads that are not exact may leave what a signal file can hold, or become
    the least number of that width, which stands for no sample. None where it leaves int32.
    """
    try:
        guess = outwards(structure.stages, base.astype(np.int64), samples.shape[1])
    except CorruptError:
        return None
    lowest = samples.min(axis=1, keepdims=True).astype(np.int64)
    largest = np.maximum(samples.max(axis=1, keepdims=True), -1 - lowest)
    limit = np.array([[1 << int(magnitude).bit_length()] for magnitude in largest.ravel()])
    inside = np.clip(guess, np.minimum(1 - limit, lowest), limit - 1)
    return Misfits.between(inside, guess)


def decode_base(
    payload: bytes,
    recording_of: Recording,
    plan: ChunkPlan,
    n_frames: int,
    session: SynthesisSession | None,
) -> tuple[Recording, tuple[SanLayer, ...]]:
    """Give back the samples of one span, and the SAN layers of its base record.

    Parameters
    ----------
    recording_of : Recording
        Name, frequency and channels; its samples do not matter.
    n_frames : int

    Raises
    ------
    CorruptError
        The payload does not decode to its samples.
    """
    structure = plan.structure
    assert structure is not None
    n_leads = len(recording_of.channels)
    layers: tuple[SanLayer, ...] = ()
    form, misfits, rest = _take_form(payload, n_leads, n_frames, recording_of.name)
    if form == FORM_RAW:
        samples = decode_raw(rest, n_leads, n_frames)
    else:
        channels = base_channels(structure, recording_of.channels)
        empty = np.zeros((len(channels), 0), np.int32)
        like_base = _recording(recording_of.name, recording_of.fs, channels, empty)
        n_base = structure.n_samples_base(n_frames)
        base, layers = decode_chunk(rest, like_base, plan, n_base, session)
        samples = structure.inverse(_samples(base), misfits, n_frames)
    return replace(recording_of, signals=tuple(samples)), layers


def take_base_parts(
    payload: bytes,
    n_channels: int,
    plan: ChunkPlan,
    n_frames: int,
    session: SynthesisSession | None,
) -> list[ChunkPart]:
    """Give the parts of the base record of one span: none where it is raw; errors as before."""
    assert plan.structure is not None
    form, _, rest = _take_form(payload, n_channels, n_frames, "chunk")
    if form == FORM_RAW:
        return []
    return list(take_parts(rest, "chunk", plan, plan.structure.n_samples_base(n_frames), session))


def decode_base_layers(
    payload: bytes,
    recording_of: Recording,
    plan: ChunkPlan,
    n_frames: int,
    session: SynthesisSession,
) -> tuple[SanLayer, ...]:
    """Give the SAN layers of one span alone; errors as of ``decode_base``."""
    assert plan.structure is not None
    name = recording_of.name
    form, _, rest = _take_form(payload, len(recording_of.channels), n_frames, name)
    if form == FORM_RAW:
        return ()
    return decode_layers(rest, name, plan, plan.structure.n_samples_base(n_frames), session)


def read_base_activations(
    payload: bytes, name: str, plan: ChunkPlan, n_leads: int, n_frames: int
) -> tuple[Activations, ...]:
    """Give the activations of one span alone, none where it is raw; errors as of ``decode_base``.

    Parameters
    ----------
    n_leads, n_frames : int
        Of the span itself, not of its base record.
    """
    assert plan.structure is not None
    form, _, rest = _take_form(payload, n_leads, n_frames, name)
    if form == FORM_RAW:
        return ()
    return read_activations(rest, name, plan, plan.structure.n_samples_base(n_frames))


def _take_form(
    payload: bytes, n_leads: int, n_samples: int, name: str
) -> tuple[int, Misfits, bytes]:
    reader = ByteReader(payload, name)
    form = reader.u8("form")
    if form not in {FORM_RAW, FORM_BASE}:
        raise reader.corrupt("form", f"{form}, expected 0 or 1")
    coded = reader.counted("misfits", reader.remaining) if form == FORM_BASE else b"\0"
    rest = bytes(reader.take(reader.remaining, "chunk"))
    return form, decode_misfits(coded, n_leads, n_samples), rest


def _samples(recording: Recording) -> NDArray[np.int32]:
    return np.stack(recording.signals)


def _recording(
    name: str, fs: float, channels: tuple[Channel, ...], samples: NDArray[np.int32]
) -> Recording:
    return Recording(name=name, fs=fs, channels=channels, signals=tuple(samples))
