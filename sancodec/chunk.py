"""One independently decodable span of a record: SAN layer, then residual, group by group.

A group is the channels that share a number of samples per frame. At most one group has a SAN
layer; it stands before the group's residual, which is predicted from its reconstruction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import CorruptError
from sancodec.formats.parameters import ORDER_FILE, ORDER_REVERSED
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.recording import Channel, Recording
from sancodec.residual.blockwise import decode_blockwise, encode_blockwise
from sancodec.residual.mixing import decode_mixing, encode_mixing
from sancodec.residual.predictive import (
    FRACTION_BITS,
    decode_predictive,
    encode_predictive,
)
from sancodec.residual.raw import decode_raw, encode_raw, raw_size
from sancodec.residual.template import Beats, beats_of
from sancodec.runtime import SynthesisSession
from sancodec.san.coding import decode_activations, encode_activations
from sancodec.san.kernels import UNIT, KernelBank
from sancodec.san.synthesis import Activations, ExpandedBank, expand, synthesise

MODE_RAW = 0
MODE_PREDICTIVE = 1
MODE_BLOCKWISE = 2
MODE_MIXING = 3

_ENCODERS = {
    "fast": (MODE_BLOCKWISE, encode_blockwise),
    "default": (MODE_PREDICTIVE, encode_predictive),
    "max": (MODE_MIXING, encode_mixing),
}
_DECODERS = {
    MODE_PREDICTIVE: decode_predictive,
    MODE_BLOCKWISE: decode_blockwise,
    MODE_MIXING: decode_mixing,
}
_UNIT_BITS = UNIT.bit_length() - 1


@dataclass(frozen=True)
class Group:
    """Channels with the same number of samples per frame.

    ``channels`` are their numbers in the record, in the order of coding; ``fs`` is their
    sampling frequency in Hz; ``order`` says how that order was made.
    """

    channels: tuple[int, ...]
    samples_per_frame: int
    fs: float
    order: int = ORDER_FILE

    def reversed(self) -> Group:
        """Give the group with its channels coded from the last to the first."""
        order = ORDER_FILE if self.order == ORDER_REVERSED else ORDER_REVERSED
        return replace(self, channels=self.channels[::-1], order=order)


def groups_of(channels: Sequence[Channel], fs: float) -> tuple[Group, ...]:
    """Give the groups in the order of their first channels; ``fs`` is frames per second."""
    members: dict[int, list[int]] = {}
    for i, channel in enumerate(channels):
        members.setdefault(channel.samples_per_frame, []).append(i)
    return tuple(Group(tuple(numbers), spf, fs * spf) for spf, numbers in members.items())


@dataclass(frozen=True, kw_only=True)
class SanPlan:
    """What every chunk's SAN layer has in common.

    Attributes
    ----------
    group : int
        Number of the group that has the layer.
    leads : tuple of int
        Leads that have activations, as numbers within the group, in the order of coding.
    exponents : tuple of int
        Amplitudes of each of these leads are in ``2 ** exponent`` ADC units.
    bank : KernelBank
        At the group's sampling frequency.
    """

    group: int
    leads: tuple[int, ...]
    exponents: tuple[int, ...]
    bank: KernelBank
    expanded: ExpandedBank

    @classmethod
    def of(
        cls, group: int, leads: Sequence[int], exponents: Sequence[int], bank: KernelBank
    ) -> SanPlan:
        """Make a plan, expanding the bank once for all chunks."""
        return cls(
            group=group,
            leads=tuple(leads),
            exponents=tuple(exponents),
            bank=bank,
            expanded=expand(bank),
        )

    def shifts(self) -> NDArray[np.int64]:
        """Give the (n_leads,) shifts from sums to 2**-FRACTION_BITS ADC units."""
        return _UNIT_BITS - FRACTION_BITS - np.array(self.exponents, np.int64)


@dataclass(frozen=True, kw_only=True)
class ChunkPlan:
    """How the chunks of one record are coded.

    ``level`` is one of config.LEVELS and steers an encoder only: each chunk says how it is coded.
    """

    groups: tuple[Group, ...]
    san: SanPlan | None = None
    level: str = "default"

    def without_san(self) -> ChunkPlan:
        """Give the same plan with the SAN layer switched off."""
        return replace(self, san=None)


@dataclass(frozen=True, kw_only=True)
class SanLayer:
    """The SAN layer of one chunk.

    ``reconstruction`` is (n_leads of the group, n_samples) int32, in 2**-FRACTION_BITS ADC
    units, zeros for leads without activations.
    """

    activations: Activations
    reconstruction: NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class EncodedChunk:
    """A chunk's payload, how it divides, and its SAN layer."""

    payload: bytes
    san_bytes: int
    residual_bytes: int
    layer: SanLayer | None


def reconstruct(
    activations: Activations, plan: SanPlan, n_leads: int, n_samples: int, session: SynthesisSession
) -> SanLayer:
    """Place the kernels of activations over a span of ``n_samples``."""
    rows = synthesise(session, plan.expanded, activations, n_samples, plan.shifts())
    reconstruction = np.zeros((n_leads, n_samples), np.int32)
    reconstruction[list(plan.leads)] = rows
    return SanLayer(activations=activations, reconstruction=reconstruction)


def encode_chunk(
    recording: Recording,
    plan: ChunkPlan,
    activations: Activations | None,
    session: SynthesisSession | None,
) -> EncodedChunk:
    """Code one span; ``activations`` and ``session`` are those of the plan's SAN layer."""
    writer = ByteWriter()
    san_bytes = residual_bytes = 0
    found: SanLayer | None = None
    for number, group in enumerate(plan.groups):
        samples = _samples_of(recording, group)
        layer = None
        if plan.san is not None and number == plan.san.group:
            assert activations is not None
            assert session is not None
            coded = encode_activations(activations, plan.san.bank.n_kernels)
            layer = found = reconstruct(
                activations, plan.san, len(samples), samples.shape[1], session
            )
            writer.counted(coded)
            san_bytes += len(coded)
        mode, residual = _encode_residual(samples, group, plan, layer)
        writer.u8(mode).counted(residual)
        residual_bytes += len(residual)
    return EncodedChunk(
        payload=writer.getvalue(),
        san_bytes=san_bytes,
        residual_bytes=residual_bytes,
        layer=found,
    )


def _encode_residual(
    samples: NDArray[np.int32], group: Group, plan: ChunkPlan, layer: SanLayer | None
) -> tuple[int, bytes]:
    mode, encode = _ENCODERS[plan.level]
    residual = encode(samples, group.fs, *regressors(samples.shape, group, plan.san, layer))
    if raw_size(samples) <= len(residual):
        return MODE_RAW, encode_raw(samples)
    return mode, residual


def regressors(
    shape: tuple[int, int], group: Group, san: SanPlan | None, layer: SanLayer | None
) -> tuple[NDArray[np.int32], list[Beats], int]:
    """Give what the residual coder takes from the SAN layer: nothing where there is none."""
    nothing = beats_of(np.zeros(0, np.int64), np.zeros(0, np.int64), group.fs)
    beats = [nothing] * shape[0]
    if san is None or layer is None:
        return np.zeros(shape, np.int32), beats, 1
    activations = layer.activations
    own = beats_of(activations.position, activations.kernel, group.fs)
    for lead in san.leads:
        beats[lead] = own
    return layer.reconstruction, beats, san.bank.n_kernels


def decode_chunk(
    payload: bytes,
    recording_of: Recording,
    plan: ChunkPlan,
    n_frames: int,
    session: SynthesisSession | None,
) -> tuple[Recording, SanLayer | None]:
    """Give back the samples of one span, and its SAN layer.

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
    found: SanLayer | None = None
    for number, group in enumerate(plan.groups):
        shape = (len(group.channels), n_frames * group.samples_per_frame)
        layer = None
        if plan.san is not None and number == plan.san.group:
            layer = found = _take_layer(reader, plan.san, shape, session)
        decoded = _take_residual(reader, shape, group, plan.san, layer)
        for i, channel in enumerate(group.channels):
            signals[channel] = decoded[i]
    reader.expect_end("chunk")
    return replace(recording_of, signals=tuple(signals)), found


def decode_layer(
    payload: bytes,
    recording_of: Recording,
    plan: ChunkPlan,
    n_frames: int,
    session: SynthesisSession,
) -> SanLayer:
    """Give the SAN layer of one span alone; its residual is not decoded."""
    assert plan.san is not None
    reader = ByteReader(payload, recording_of.name)
    for number, group in enumerate(plan.groups):
        if number == plan.san.group:
            shape = (len(group.channels), n_frames * group.samples_per_frame)
            return _take_layer(reader, plan.san, shape, session)
        reader.u8("residual mode")
        reader.counted("residual", reader.remaining)
    raise AssertionError("a plan names one of its groups")


def _take_layer(
    reader: ByteReader, plan: SanPlan, shape: tuple[int, int], session: SynthesisSession | None
) -> SanLayer:
    assert session is not None
    n_leads, n_samples = shape
    coded = reader.counted("activations", reader.remaining)
    limit = n_samples + plan.bank.n_taps
    activations = decode_activations(coded, plan.bank.n_kernels, len(plan.leads), limit)
    return reconstruct(activations, plan, n_leads, n_samples, session)


def _take_residual(
    reader: ByteReader,
    shape: tuple[int, int],
    group: Group,
    san: SanPlan | None,
    layer: SanLayer | None,
) -> NDArray[np.int32]:
    mode = reader.u8("residual mode")
    residual = reader.counted("residual", reader.remaining)
    if mode == MODE_RAW:
        return decode_raw(residual, *shape)
    decode = _DECODERS.get(mode)
    if decode is None:
        raise CorruptError(f"residual mode {mode}, expected 0 to 3")
    return decode(residual, shape[1], group.fs, *regressors(shape, group, san, layer))


def _samples_of(recording: Recording, group: Group) -> NDArray[np.int32]:
    return np.stack([recording.signals[channel] for channel in group.channels])
