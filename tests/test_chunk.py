"""Chunks: each decodes alone, and none is larger than its samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sancodec.chunk import (
    MODE_BLOCKWISE,
    MODE_DISCRETE,
    MODE_MIXING,
    MODE_PREDICTIVE,
    MODE_RAW,
    MODE_WIDE,
    decode_chunk,
    decode_layers,
    encode_chunk,
)
from sancodec.errors import CorruptError, UnsupportedError
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.layers import ChunkPlan, SanLayer, SanPlan, groups_of, regressors
from sancodec.recording import Channel, Recording
from sancodec.runtime import SynthesisSession, open_session
from sancodec.san.kernels import KernelBank
from sancodec.san.synthesis import Activations

N_FRAMES = 700


@pytest.fixture(scope="module")
def session() -> SynthesisSession:
    return open_session("cpu")


def recording(spf: tuple[int, ...] = (1, 1, 1), step: int = 9, seed: int = 0) -> Recording:
    generator = np.random.default_rng(seed)
    signals = tuple(
        np.cumsum(generator.integers(-step, step + 1, N_FRAMES * n)).astype(np.int32) for n in spf
    )
    channels = tuple(Channel(name=str(i), samples_per_frame=n) for i, n in enumerate(spf))
    return Recording(name="walk", fs=250.0, channels=channels, signals=signals)


def bank_of(n_leads: int) -> KernelBank:
    taps = np.rint(900 * np.hanning(90))[None, None].repeat(2, axis=0).repeat(n_leads, axis=1)
    taps[1] *= -0.5
    return KernelBank(kernels=taps.astype(np.int16), centre=40, fs=250.0)


def activations(n_leads: int) -> Activations:
    position = np.array([-30, 400, 410, 1999, 2790], np.int64)
    amplitude = np.arange(5 * n_leads).reshape(5, n_leads) - 4
    return Activations(
        position=position, kernel=np.array([0, 1, 0, 0, 1]), amplitude=amplitude.astype(np.int32)
    )


def plan_with_san(record: Recording, leads: tuple[int, ...], group: int = 0) -> ChunkPlan:
    san = SanPlan.of(group, leads, (10,) * len(leads), bank_of(len(leads)))
    return ChunkPlan(groups=groups_of(record.channels, record.fs), layers=(san,))


def assert_same(found: Recording, expected: Recording) -> None:
    for signal, original in zip(found.signals, expected.signals, strict=True):
        assert signal.dtype == np.int32
        np.testing.assert_array_equal(signal, original)


def modes(payload: bytes, n_groups: int) -> list[int]:
    """Give the residual mode of each group of a chunk without a SAN layer."""
    reader = ByteReader(payload)
    found = []
    for _ in range(n_groups):
        found.append(reader.u8("mode"))
        reader.counted("residual", 1 << 30)
    return found


@pytest.mark.parametrize("spf", [(1,), (1, 1), (2, 1, 2, 5), (3, 3, 3)])
def test_groups_hold_the_channels_of_one_frequency_in_order(spf: tuple[int, ...]) -> None:
    groups = groups_of(recording(spf).channels, 250.0)
    assert sorted(c for group in groups for c in group.channels) == list(range(len(spf)))
    for group in groups:
        assert {spf[c] for c in group.channels} == {group.samples_per_frame}
        assert group.fs == 250.0 * group.samples_per_frame
        assert list(group.channels) == sorted(group.channels)


@pytest.mark.parametrize("spf", [(1,), (1, 1, 1), (2, 1, 2, 5), (32, 2, 2)])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_chunk_comes_back(spf: tuple[int, ...], backwards: bool) -> None:
    record = recording(spf)
    groups = groups_of(record.channels, record.fs)
    plan = ChunkPlan(groups=tuple(g.reversed() for g in groups) if backwards else groups)
    encoded = encode_chunk(record, plan, (), None)
    decoded, layers = decode_chunk(encoded.payload, record, plan, N_FRAMES, None)
    assert layers == ()
    assert_same(decoded, record)


@pytest.mark.parametrize(
    ("spf", "leads", "group"),
    [
        ((1, 1, 1), (0, 1, 2), 0),
        ((1, 1, 1), (1,), 0),
        ((2, 1, 2), (0, 1), 0),
        ((2, 1, 2), (0,), 1),
    ],
)
def test_a_chunk_with_a_san_layer_comes_back_with_its_layer(
    session: SynthesisSession, spf: tuple[int, ...], leads: tuple[int, ...], group: int
) -> None:
    record = recording(spf)
    plan = plan_with_san(record, leads, group)
    encoded = encode_chunk(record, plan, [activations(len(leads))], session)
    decoded, (layer,) = decode_chunk(encoded.payload, record, plan, N_FRAMES, session)
    assert_same(decoded, record)
    (alone,) = decode_layers(encoded.payload, record.name, plan, N_FRAMES, session)
    (written,) = encoded.layers
    for found in (layer, alone):
        np.testing.assert_array_equal(found.reconstruction, written.reconstruction)
        np.testing.assert_array_equal(found.activations.position, activations(1).position)
    without = sorted(set(range(len(plan.groups[group].channels))) - set(leads))
    assert not layer.reconstruction[without].any()
    assert layer.reconstruction[list(leads)].any(axis=1).all()


def test_layers_of_one_group_each_serve_their_leads(session: SynthesisSession) -> None:
    record = recording((1, 2, 1, 1))
    groups = groups_of(record.channels, record.fs, (0, 1, 0, 2))
    layers = (
        SanPlan.of(0, (1,), (10,), bank_of(1)),
        SanPlan.of(0, (0,), (9,), bank_of(1), 31.25),
        SanPlan.of(2, (0,), (8,), bank_of(1)),
    )
    plan = ChunkPlan(groups=groups, layers=layers)
    given = [activations(1), replace(activations(1), position=np.arange(5) * 500), activations(1)]
    for level in ("fast", "default", "max"):
        encoded = encode_chunk(record, replace(plan, level=level), given, session)
        decoded, found = decode_chunk(encoded.payload, record, plan, N_FRAMES, session)
        assert_same(decoded, record)
        assert [layer.plan for layer in found] == list(layers)
        alone = decode_layers(encoded.payload, record.name, plan, N_FRAMES, session)
        for layer, again, own in zip(found, alone, given, strict=True):
            np.testing.assert_array_equal(layer.activations.position, own.position)
            np.testing.assert_array_equal(layer.reconstruction, again.reconstruction)


def test_a_clock_sets_where_a_beat_begins_and_how_much_of_it_is_learned() -> None:
    group = groups_of(recording().channels, 250.0)[0]
    layers = []
    for clock, leads in ((250.0, (0,)), (1000.0, (2,))):
        san = SanPlan.of(0, leads, (10,), bank_of(1), clock)
        nothing = np.zeros((3, N_FRAMES), np.int32)
        layers.append(SanLayer(plan=san, activations=activations(1), reconstruction=nothing))
    clock, _, beats, n_kernels = regressors((3, N_FRAMES), group, layers)
    assert (clock, n_kernels) == (1000.0, 2)
    assert beats[1].start.size == 0
    assert (beats[0].start - beats[2].start).tolist() == [222 - 55] * 5


def test_parts_of_a_chunk_add_up_to_its_payload(session: SynthesisSession) -> None:
    record = recording()
    plan = plan_with_san(record, (0, 1, 2))
    encoded = encode_chunk(record, plan, [activations(3)], session)
    # Beside the two layers there are two lengths and a mode.
    rest = len(encoded.payload) - encoded.san_bytes - encoded.residual_bytes
    assert 3 <= rest <= 2 * 3 + 1


@pytest.mark.parametrize("bits", [8, 12, 24, 32])
def test_no_chunk_is_larger_than_its_samples(bits: int) -> None:
    noise = np.random.default_rng(bits).integers(-(1 << (bits - 1)), 1 << (bits - 1), (3, N_FRAMES))
    record = replace(recording(), signals=tuple(noise.astype(np.int32)))
    plan = ChunkPlan(groups=groups_of(record.channels, record.fs))
    encoded = encode_chunk(record, plan, (), None)
    assert modes(encoded.payload, 1) == [MODE_RAW]
    assert len(encoded.payload) <= 3 * (N_FRAMES * bits / 8 + 6) + 4
    assert_same(decode_chunk(encoded.payload, record, plan, N_FRAMES, None)[0], record)


def test_what_can_be_predicted_is_not_stored_raw() -> None:
    record = recording(step=1)
    plan = ChunkPlan(groups=groups_of(record.channels, record.fs))
    assert modes(encode_chunk(record, plan, (), None).payload, 1) == [MODE_DISCRETE]
    smooth = np.rint(900 * np.sin(np.arange(N_FRAMES) ** 1.1 / 9)).astype(np.int32)
    record = replace(record, signals=(smooth,) * len(record.signals))
    assert modes(encode_chunk(record, plan, (), None).payload, 1) == [MODE_WIDE]


def payload_without_san() -> tuple[Recording, ChunkPlan, bytes]:
    record = recording((1, 2))
    plan = ChunkPlan(groups=groups_of(record.channels, record.fs))
    return record, plan, encode_chunk(record, plan, (), None).payload


def test_an_unknown_mode_is_refused() -> None:
    record, plan, payload = payload_without_san()
    with pytest.raises(UnsupportedError, match="mode 99, this version knows"):
        decode_chunk(b"\x63" + payload[1:], record, plan, N_FRAMES, None)


def test_bytes_behind_the_last_group_are_refused() -> None:
    record, plan, payload = payload_without_san()
    with pytest.raises(CorruptError, match="1 bytes more"):
        decode_chunk(payload + b"\0", record, plan, N_FRAMES, None)


def test_every_prefix_of_a_payload_is_refused(session: SynthesisSession) -> None:
    record = recording(step=60)
    plan = plan_with_san(record, (0, 2))
    payload = encode_chunk(record, plan, [activations(2)], session).payload
    for n_bytes in range(0, len(payload), 7):
        with pytest.raises(CorruptError):
            decode_chunk(payload[:n_bytes], record, plan, N_FRAMES, session)


def test_another_number_of_frames_is_refused() -> None:
    record, plan, payload = payload_without_san()
    for n_frames in (N_FRAMES - 1, N_FRAMES + 1):
        with pytest.raises(CorruptError):
            decode_chunk(payload, record, plan, n_frames, None)


def test_a_layer_that_leaves_int32_is_refused(session: SynthesisSession) -> None:
    record = recording()
    plan = plan_with_san(record, (0,))
    loud = replace(activations(1), amplitude=np.full((5, 1), (1 << 31) - 1, np.int32))
    with pytest.raises(CorruptError, match=r"2\*\*31|int32"):
        encode_chunk(record, plan, [loud], session)


def test_garbage_payloads_end_in_a_corrupt_error(session: SynthesisSession) -> None:
    record = recording()
    plan = plan_with_san(record, (0, 1))
    generator = np.random.default_rng(1)
    for n_bytes in range(0, 200, 3):
        garbage = generator.integers(0, 256, n_bytes, dtype=np.uint8).tobytes()
        wrapped = [
            ByteWriter().counted(garbage).u8(mode).counted(garbage).getvalue()
            for mode in (MODE_PREDICTIVE, MODE_BLOCKWISE, MODE_MIXING, MODE_WIDE, MODE_DISCRETE)
        ]
        for payload in (garbage, *wrapped):
            with pytest.raises(CorruptError):
                decode_chunk(payload, record, plan, N_FRAMES, session)


def test_shifts_bring_sums_to_sixteenths() -> None:
    plan = plan_with_san(recording(), (0, 1))
    # UNIT is 2**14 and reconstructions are in sixteenths: 14 - 4 - 10.
    np.testing.assert_array_equal(plan.layers[0].shifts(), [0, 0])
