"""One independently decodable span of a record: SAN layers, then residual, group by group.

The SAN layers of a group stand before its residual, which is predicted from their reconstruction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import CorruptError
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.layers import ChunkPlan, Group, SanLayer, leads_of, reconstruct, regressors
from sancodec.recording import Recording
from sancodec.residual.blockwise import decode_blockwise, encode_blockwise
from sancodec.residual.discrete import decode_discrete, difference_bits, encode_discrete
from sancodec.residual.mixing import decode_mixing, encode_mixing
from sancodec.residual.predictive import decode_predictive
from sancodec.residual.raw import decode_raw, encode_raw, raw_size
from sancodec.residual.wide import decode_wide, encode_wide
from sancodec.runtime import SynthesisSession
from sancodec.san.coding import decode_activations, encode_activations
from sancodec.san.synthesis import Activations

MODE_RAW = 0
MODE_PREDICTIVE = 1
MODE_BLOCKWISE = 2
MODE_MIXING = 3
MODE_WIDE = 4
MODE_DISCRETE = 8

_Encoder = Callable[..., bytes]
_ENCODERS: dict[str, tuple[tuple[int, _Encoder], ...]] = {
    "fast": ((MODE_BLOCKWISE, encode_blockwise),),
    "default": ((MODE_WIDE, encode_wide), (MODE_BLOCKWISE, encode_blockwise)),
    "max": (
        (MODE_MIXING, encode_mixing),
        (MODE_WIDE, encode_wide),
        (MODE_BLOCKWISE, encode_blockwise),
    ),
}
"""By level: what is tried; on chunks of more than _SHORT samples a lead, only the first."""
_SHORT = 1 << 14
_WORTH_A_TRIAL = 1.15
"""Where differences alone tell nearly as much as all prediction does, each may be told apart."""
_STARTED = {MODE_MIXING, MODE_WIDE}
"""Modes that may begin with coefficients of the record."""
_DECODERS = {
    MODE_PREDICTIVE: decode_predictive,
    MODE_BLOCKWISE: decode_blockwise,
    MODE_MIXING: decode_mixing,
    MODE_WIDE: decode_wide,
}


@dataclass(frozen=True, kw_only=True)
class EncodedChunk:
    """A chunk's payload, how it divides, and its SAN layers, in the order of the plan's.

    ``coded`` is what the layers are of: the span, or the base leads that it follows from.
    """

    payload: bytes
    san_bytes: int
    residual_bytes: int
    layers: tuple[SanLayer, ...]
    coded: Recording


def encode_chunk(
    recording: Recording,
    plan: ChunkPlan,
    activations: Sequence[Activations],
    session: SynthesisSession | None,
) -> EncodedChunk:
    """Code one span; ``activations`` are those of the plan's layers, ``session`` places them."""
    writer = ByteWriter()
    san_bytes = residual_bytes = 0
    found: list[SanLayer] = []
    for number, group in enumerate(plan.groups):
        samples = leads_of(recording, group)
        layers = []
        for san, own in zip(plan.layers, activations, strict=True):
            if san.group != number:
                continue
            assert session is not None
            coded = encode_activations(own, san.bank.n_kernels)
            layers.append(reconstruct(own, san, samples.shape, session))
            writer.counted(coded)
            san_bytes += len(coded)
        mode, residual = _encode_residual(samples, group, plan.level, layers)
        writer.u8(mode).counted(residual)
        residual_bytes += len(residual)
        found += layers
    return EncodedChunk(
        payload=writer.getvalue(),
        san_bytes=san_bytes,
        residual_bytes=residual_bytes,
        layers=tuple(found),
        coded=recording,
    )


def _encode_residual(
    samples: NDArray[np.int32], group: Group, level: str, layers: Sequence[SanLayer]
) -> tuple[int, bytes]:
    tried, known = _ENCODERS[level], regressors(samples.shape, group, layers)
    best, smallest, residual = MODE_RAW, raw_size(samples), b""
    # What adapts has to learn first: on a short chunk, what is sent may be worth its bits.
    for mode, encode in tried if samples.shape[1] <= _SHORT else tried[:1]:
        coded = encode(samples, *known, *_starts(mode, group))
        if len(coded) < smallest:
            best, smallest, residual = mode, len(coded), coded
    if level != "fast" and difference_bits(samples) < _WORTH_A_TRIAL * 8 * smallest:
        coded = encode_discrete(samples)
        if len(coded) < smallest:
            best, smallest, residual = MODE_DISCRETE, len(coded), coded
    return best, residual if best != MODE_RAW else encode_raw(samples)


def _starts(mode: int, group: Group) -> tuple[Sequence[Sequence[int]], ...]:
    return (group.starts,) if mode in _STARTED else ()


def decode_chunk(
    payload: bytes,
    recording_of: Recording,
    plan: ChunkPlan,
    n_frames: int,
    session: SynthesisSession | None,
) -> tuple[Recording, tuple[SanLayer, ...]]:
    """Give back the samples of one span, and its SAN layers in the order of the plan's.

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
    reader = ByteReader(payload, recording_of.name)
    signals: list[NDArray[np.int32]] = [np.zeros(0, np.int32)] * len(recording_of.channels)
    found: list[SanLayer] = []
    for number, group in enumerate(plan.groups):
        shape = (len(group.channels), n_frames * group.samples_per_frame)
        layers = _take_layers(reader, plan, number, shape, session)
        decoded = _take_residual(reader, shape, group, layers)
        for i, channel in enumerate(group.channels):
            signals[channel] = decoded[i]
        found += layers
    reader.expect_end("chunk")
    return replace(recording_of, signals=tuple(signals)), tuple(found)


def decode_layers(
    payload: bytes, name: str, plan: ChunkPlan, n_frames: int, session: SynthesisSession
) -> tuple[SanLayer, ...]:
    """Give the SAN layers of one span alone; no residual is decoded.

    Raises
    ------
    CorruptError
        The payload does not decode to its layers.
    """
    reader = ByteReader(payload, name)
    found: list[SanLayer] = []
    for number, group in enumerate(plan.groups):
        shape = (len(group.channels), n_frames * group.samples_per_frame)
        found += _take_layers(reader, plan, number, shape, session)
        if len(found) == len(plan.layers):
            break
        reader.u8("residual mode")
        reader.counted("residual", reader.remaining)
    return tuple(found)


def _take_layers(
    reader: ByteReader,
    plan: ChunkPlan,
    group: int,
    shape: tuple[int, int],
    session: SynthesisSession | None,
) -> list[SanLayer]:
    layers = []
    for san in plan.layers:
        if san.group != group:
            continue
        assert session is not None
        coded = reader.counted("activations", reader.remaining)
        limit = shape[1] + san.bank.n_taps
        activations = decode_activations(coded, san.bank.n_kernels, len(san.leads), limit)
        layers.append(reconstruct(activations, san, shape, session))
    return layers


def _take_residual(
    reader: ByteReader, shape: tuple[int, int], group: Group, layers: Sequence[SanLayer]
) -> NDArray[np.int32]:
    mode = reader.u8("residual mode")
    residual = reader.counted("residual", reader.remaining)
    if mode == MODE_RAW:
        return decode_raw(residual, *shape)
    if mode == MODE_DISCRETE:
        return decode_discrete(residual, *shape)
    decode = _DECODERS.get(mode)
    if decode is None:
        raise CorruptError(f"residual mode {mode}, expected 0 to 4 or {MODE_DISCRETE}")
    known = regressors(shape, group, layers)
    return decode(residual, shape[1], *known, *_starts(mode, group))
