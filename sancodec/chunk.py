"""One independently decodable span of a record: SAN layers, then residual, group by group.

The SAN layers of a group stand before its residual, which is predicted from their reconstruction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import UnsupportedError
from sancodec.formats.primers import TransformStart
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.layers import (
    ChunkPlan,
    Group,
    SanLayer,
    SanPlan,
    leads_of,
    reconstruct,
    regressors,
)
from sancodec.recording import Recording
from sancodec.residual.blockwise import decode_blockwise, encode_blockwise
from sancodec.residual.coder import Extent
from sancodec.residual.discrete import (
    WORTH_A_TRIAL,
    decode_discrete,
    difference_bits,
    encode_discrete,
)
from sancodec.residual.loss import LeadLoss
from sancodec.residual.mixing import decode_mixing, encode_mixing
from sancodec.residual.predictive import decode_predictive
from sancodec.residual.raw import decode_raw, encode_raw, raw_size
from sancodec.residual.stepped import Encoder, Known, decode_stepped, encode_stepped
from sancodec.residual.template import Beats
from sancodec.residual.transform.bounded import decode_bounded, encode_bounded
from sancodec.residual.transform.coding import decode_transform, encode_transform
from sancodec.residual.wide import decode_wide, encode_wide
from sancodec.runtime import SynthesisSession
from sancodec.san.coding import decode_activations, encode_activations
from sancodec.san.details import decode_details, encode_details
from sancodec.san.synthesis import Activations

MODE_RAW = 0
MODE_PREDICTIVE = 1
MODE_BLOCKWISE = 2
MODE_MIXING = 3
MODE_WIDE = 4
MODE_TRANSFORM = 5
MODE_BOUNDED = 6
MODE_STEPPED = 7
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
_STARTED = {MODE_MIXING, MODE_WIDE}
"""Modes that may begin with coefficients of the record."""
_DECODERS: dict[int, Callable[..., NDArray[np.int32]]] = {
    MODE_PREDICTIVE: decode_predictive,
    MODE_BLOCKWISE: decode_blockwise,
    MODE_MIXING: decode_mixing,
    MODE_WIDE: decode_wide,
}
_STOPPED = {MODE_BLOCKWISE, MODE_MIXING, MODE_WIDE}
"""Modes whose decoders can stop where what is wanted ends."""
_LOSSY_DECODERS = {
    MODE_TRANSFORM: decode_transform,
    MODE_BOUNDED: decode_bounded,
}


@dataclass(frozen=True, kw_only=True)
class EncodedChunk:
    """A chunk's payload, how it divides, and its SAN layers, in the order of the plan's.

    ``coded`` is what the layers are of: the span, or the base leads that it follows from;
    ``decoded`` what the payload decodes to, where the encoder knows without decoding.
    """

    payload: bytes
    san_bytes: int
    residual_bytes: int
    layers: tuple[SanLayer, ...]
    coded: Recording
    decoded: Recording | None = None


class _Residual(NamedTuple):
    """A residual's mode and bytes; the samples it decodes to, where the encoder knows."""

    mode: int
    payload: bytes
    samples: NDArray[np.int32] | None = None


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
    decoded: dict[int, NDArray[np.int32]] = {}
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
            if san.details is not None:
                coded = encode_details(own, san.details)
                writer.counted(coded)
                san_bytes += len(coded)
        mode, residual, known = _encode_residual(samples, group, plan, layers)
        writer.u8(mode).counted(residual)
        residual_bytes += len(residual)
        found += layers
        if known is not None:
            decoded |= dict(zip(group.channels, known, strict=True))
    return EncodedChunk(
        payload=writer.getvalue(),
        san_bytes=san_bytes,
        residual_bytes=residual_bytes,
        layers=tuple(found),
        coded=recording,
        decoded=_if_all(recording, decoded),
    )


def _if_all(recording: Recording, decoded: dict[int, NDArray[np.int32]]) -> Recording | None:
    """Give the recording as it is decoded, where that is known of all of its channels."""
    n_channels = len(recording.channels)
    if len(decoded) < n_channels:
        return None
    return replace(recording, signals=tuple(decoded[i] for i in range(n_channels)))


def _encode_residual(
    samples: NDArray[np.int32], group: Group, plan: ChunkPlan, layers: Sequence[SanLayer]
) -> _Residual:
    known = regressors(samples.shape, group, layers)
    exact = partial(_encode_exact, plan.level, _bare(group))
    if plan.loss is not None:
        loss = plan.loss.of(group.channels), transform_start(group)
        lossy = _encode_lossy(samples, known, *loss, exact)
        if lossy is not None and len(lossy.payload) < raw_size(samples):
            return lossy
    return _Residual(*_encode_exact(plan.level, group, samples, *known), samples)


def _encode_exact(  # noqa: PLR0917
    level: str,
    group: Group,
    samples: NDArray[np.int32],
    clock: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
) -> tuple[int, bytes]:
    tried = _ENCODERS[level]
    best, smallest, residual = MODE_RAW, raw_size(samples), b""
    # What adapts has to learn first: on a short chunk, what is sent may be worth its bits.
    for mode, encode in tried if samples.shape[1] <= _SHORT else tried[:1]:
        coded = encode(samples, clock, san, beats, n_kernels, *_starting(mode, group))
        if len(coded) < smallest:
            best, smallest, residual = mode, len(coded), coded
    if level != "fast" and difference_bits(samples) < WORTH_A_TRIAL * 8 * smallest:
        coded = encode_discrete(samples)
        if len(coded) < smallest:
            best, smallest, residual = MODE_DISCRETE, len(coded), coded
    return best, residual if best != MODE_RAW else encode_raw(samples)


def _bare(group: Group) -> Group:
    """Give a group of which nothing is known but its leads."""
    return replace(group, starts=(), primer=None)


def _starting(mode: int, group: Group) -> tuple[Any, ...]:
    """Give the last arguments of a lossless mode: what its leads begin with."""
    if mode not in _STARTED:
        return ()
    if mode != MODE_WIDE or group.primer is None:
        return (group.starts,)
    return group.starts, group.primer.entry.wide


def transform_start(group: Group) -> TransformStart | None:
    """Give what a lossy residual of a group begins with."""
    return group.primer.entry.transform if group.primer is not None else None


def _encode_lossy(
    samples: NDArray[np.int32],
    known: Known,
    loss: LeadLoss,
    start: TransformStart | None,
    exact: Encoder,
) -> _Residual | None:
    """Code as the loss says: by coefficients alone, with corrections, or in steps."""
    if loss.max_errors is None:
        return _Residual(MODE_TRANSFORM, *encode_transform(samples, *known, loss, start))
    if not loss.steps.any():
        return _Residual(MODE_STEPPED, encode_stepped(samples, known, loss, exact))
    bounded = encode_bounded(samples, *known, loss, start)
    return None if bounded is None else _Residual(MODE_BOUNDED, *bounded)


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a chunk: the first ``n_frames`` frames of some channels."""

    n_frames: int
    channels: frozenset[int]

    def extent(self, group: Group) -> Extent:
        """Give what of a group has to be decoded for that."""
        places = [i for i, channel in enumerate(group.channels) if channel in self.channels]
        return max(places, default=-1) + 1, self.n_frames * group.samples_per_frame


def decode_chunk(  # noqa: PLR0917
    payload: bytes,
    recording_of: Recording,
    plan: ChunkPlan,
    n_frames: int,
    session: SynthesisSession | None,
    wanted: Wanted | None = None,
) -> tuple[Recording, tuple[SanLayer, ...]]:
    """Give back the samples of one span, and its SAN layers in the order of the plan's.

    Parameters
    ----------
    recording_of : Recording
        Name, frequency and channels; its samples do not matter.
    n_frames : int
    wanted : Wanted, optional
        Where that is not everything. Samples that were not wanted are 0.

    Raises
    ------
    CorruptError
        The payload does not decode to its samples.
    """
    signals: list[NDArray[np.int32]] = [np.zeros(0, np.int32)] * len(recording_of.channels)
    found: list[SanLayer] = []
    for part in take_parts(payload, recording_of.name, plan, n_frames, session):
        samples = decode_residual(part, None if wanted is None else wanted.extent(part.group))
        for channel, decoded in zip(part.group.channels, samples, strict=True):
            signals[channel] = decoded
        found += part.layers
    return replace(recording_of, signals=tuple(signals)), tuple(found)


@dataclass(frozen=True)
class ChunkPart:
    """What a chunk holds of one group: its SAN layers, and its residual as it is coded.

    ``shape`` is (n_leads, n_samples).
    """

    group: Group
    shape: tuple[int, int]
    layers: list[SanLayer]
    mode: int
    residual: bytes


def take_parts(
    payload: bytes, name: str, plan: ChunkPlan, n_frames: int, session: SynthesisSession | None
) -> Iterator[ChunkPart]:
    """Give the parts of a chunk one after the other, without decoding a residual.

    Raises
    ------
    CorruptError
        The payload is damaged.
    """
    reader = ByteReader(payload, name)
    for number, group in enumerate(plan.groups):
        shape = (len(group.channels), n_frames * group.samples_per_frame)
        layers = _take_layers(reader, plan, number, shape, session)
        mode = reader.u8("residual mode")
        residual = reader.counted("residual", reader.remaining)
        yield ChunkPart(group, shape, layers, mode, residual)
    reader.expect_end("chunk")


def decode_layers(
    payload: bytes, name: str, plan: ChunkPlan, n_frames: int, session: SynthesisSession
) -> tuple[SanLayer, ...]:
    """Give the SAN layers of one span alone; no residual is decoded.

    Raises
    ------
    CorruptError
        The payload does not decode to its layers.
    """
    found: list[SanLayer] = []
    for part in take_parts(payload, name, plan, n_frames, session):
        found += part.layers
        if len(found) == len(plan.layers):
            break
    return tuple(found)


def read_activations(
    payload: bytes, name: str, plan: ChunkPlan, n_frames: int
) -> tuple[Activations, ...]:
    """Give the activations of the layers of one span, without principal amplitudes.

    Nothing is reconstructed and no residual is decoded.

    Raises
    ------
    CorruptError
        The payload does not decode to its activations.
    """
    reader = ByteReader(payload, name)
    found: list[Activations] = []
    for number, group in enumerate(plan.groups):
        for san in plan.layers:
            if san.group == number:
                found.append(_take_activations(reader, san, n_frames * group.samples_per_frame))
                if san.details is not None:
                    reader.counted("principal amplitudes", reader.remaining)
        if len(found) == len(plan.layers):
            break
        reader.u8("residual mode")
        reader.counted("residual", reader.remaining)
    return tuple(found)


def _take_activations(reader: ByteReader, san: SanPlan, n_samples: int) -> Activations:
    coded = reader.counted("activations", reader.remaining)
    limit = n_samples + san.bank.n_taps
    return decode_activations(coded, san.bank.n_kernels, len(san.leads), limit)


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
        activations = _take_activations(reader, san, shape[1])
        if san.details is not None:
            coded = reader.counted("principal amplitudes", reader.remaining)
            found = decode_details(coded, activations.kernel, san.details)
            activations = replace(activations, details=found)
        layers.append(reconstruct(activations, san, shape, session))
    return layers


def decode_residual(part: ChunkPart, until: Extent | None = None) -> NDArray[np.int32]:
    """Give the (n_leads, n_samples) samples of a part; CorruptError where it is damaged.

    Samples beyond ``until`` may be 0.
    """
    n_samples = part.shape[1]
    if until is not None and part.mode in _STOPPED:
        return _decode_until(part, until)
    known = regressors(part.shape, part.group, part.layers)
    if part.mode == MODE_STEPPED:
        return decode_stepped(
            part.residual, n_samples, known, partial(_decode_exact, _bare(part.group))
        )
    lossy = _LOSSY_DECODERS.get(part.mode)
    if lossy is not None:
        return lossy(part.residual, n_samples, *known, transform_start(part.group))
    return _decode_exact(part.group, part.mode, part.residual, n_samples, *known)


def _decode_until(part: ChunkPart, until: Extent) -> NDArray[np.int32]:
    if min(until) < 1:
        return np.zeros(part.shape, np.int32)
    known = regressors(part.shape, part.group, part.layers)
    starting = _starting(part.mode, part.group)
    return _DECODERS[part.mode](part.residual, part.shape[1], *known, *starting, until=until)


def _decode_exact(  # noqa: PLR0917
    group: Group,
    mode: int,
    residual: bytes,
    n_samples: int,
    clock: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
) -> NDArray[np.int32]:
    if mode == MODE_RAW:
        return decode_raw(residual, len(san), n_samples)
    if mode == MODE_DISCRETE:
        return decode_discrete(residual, len(san), n_samples)
    decode = _DECODERS.get(mode)
    if decode is None:
        known = sorted({MODE_RAW, MODE_STEPPED, MODE_DISCRETE, *_DECODERS, *_LOSSY_DECODERS})
        raise UnsupportedError(f"residual mode {mode}, this version knows {known}")
    return decode(residual, n_samples, clock, san, beats, n_kernels, *_starting(mode, group))
