"""The predictive residual layers: any samples, any SAN layer, and every sample comes back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sancodec.errors import CorruptError
from sancodec.formats.wfdb import WfdbRecord
from sancodec.residual.coder import FRACTION_BITS
from sancodec.residual.predictive import decode_predictive, encode_predictive, predictive_bits
from sancodec.residual.template import Beats, beats_of
from sancodec.residual.wide import decode_wide, encode_wide, wide_bits

LOWEST, HIGHEST = -(1 << 31), (1 << 31) - 1
FS = 360.0
NO_BEATS = beats_of(np.zeros(0, np.int64), np.zeros(0, np.int64), FS)

Layer = tuple[NDArray[np.int32], list[Beats], int]


class Coding(NamedTuple):
    """One of the residual layers."""

    encode: Callable[..., bytes]
    decode: Callable[..., NDArray[np.int32]]
    bits: Callable[..., NDArray[np.float64]]


PREDICTIVE = Coding(encode_predictive, decode_predictive, predictive_bits)
WIDE = Coding(encode_wide, decode_wide, wide_bits)
both = pytest.mark.parametrize("coding", [PREDICTIVE, WIDE], ids=["predictive", "wide"])


def no_layer(shape: tuple[int, ...]) -> Layer:
    return np.zeros(shape, np.int32), [NO_BEATS] * shape[0], 1


def check(
    coding: Coding, samples: NDArray[np.int32], layer: Layer | None = None, fs: float = FS
) -> int:
    """Code and decode; give the number of bytes."""
    layer = layer or no_layer(samples.shape)
    payload = coding.encode(samples, fs, *layer)
    decoded = coding.decode(payload, samples.shape[1], fs, *layer)
    np.testing.assert_array_equal(decoded, samples)
    return len(payload)


def random_layer(seed: int, shape: tuple[int, int], n_beats: int) -> Layer:
    """A reconstruction and beats that have nothing to do with the samples, nor with another."""
    generator = np.random.default_rng(seed)
    n_leads, n_samples = shape
    size = 10 ** int(generator.integers(0, 9))
    san = generator.integers(-size, size + 1, shape).astype(np.int32)
    n_kernels = int(generator.integers(1, 5))
    position = np.sort(generator.integers(-2_000, 4 * n_samples + 2_000, n_beats))
    position[n_beats // 2 : n_beats // 2 + 3] = position[n_beats // 2 : n_beats // 2 + 1]
    beats = beats_of(position, generator.integers(0, n_kernels, n_beats), FS)
    return san, [beats if generator.random() < 0.7 else NO_BEATS for _ in range(n_leads)], n_kernels


def walk(seed: int, shape: tuple[int, int], step: int = 20) -> NDArray[np.int32]:
    generator = np.random.default_rng(seed)
    return np.cumsum(generator.integers(-step, step + 1, shape), axis=1).astype(np.int32)


@both
@pytest.mark.parametrize("n_samples", [1, 2, 3, 16, 31, 32, 33, 63, 64, 65, 4097])
@pytest.mark.parametrize("n_leads", [1, 2])
def test_every_length_around_a_block_comes_back(
    coding: Coding, n_leads: int, n_samples: int
) -> None:
    check(coding, walk(n_samples, (n_leads, n_samples)))
    check(coding, walk(n_samples, (n_leads, n_samples)), random_layer(7, (n_leads, n_samples), 4))


@both
@pytest.mark.parametrize("value", [0, 1, -1, 1024, LOWEST, HIGHEST])
def test_a_constant_comes_back_and_costs_next_to_nothing(coding: Coding, value: int) -> None:
    assert check(coding, np.full((2, 5000), value, np.int32)) < 200


@both
@pytest.mark.parametrize("period", [2, 3, 7, 64, 999])
def test_full_scale_steps_come_back(coding: Coding, period: int) -> None:
    high = (np.arange(3000) // max(period // 2, 1)) % 2 == 0
    check(coding, np.where(high, HIGHEST, LOWEST).astype(np.int32)[None])


@both
@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_pulses_of_any_height_and_length_come_back(coding: Coding, seed: int, n_leads: int) -> None:
    generator = np.random.default_rng(seed)
    samples = np.zeros((n_leads, 1500), np.int32)
    for _ in range(generator.integers(1, 60)):
        start = generator.integers(0, 1500)
        stop = start + generator.integers(1, 80)
        height = generator.choice([LOWEST, HIGHEST, 0, 1, -1, 1 << 20, -(1 << 30)])
        samples[generator.integers(0, n_leads), start:stop] = height
    check(coding, samples)


@both
@pytest.mark.parametrize("bits", [1, 8, 11, 16, 24, 31, 32])
def test_white_noise_of_any_loudness_comes_back(coding: Coding, bits: int) -> None:
    generator = np.random.default_rng(bits)
    noise = generator.integers(-(1 << (bits - 1)), 1 << (bits - 1), (2, 8000)).astype(np.int32)
    n_bytes = check(coding, noise)
    # A loud start costs more: raw samples then take the place of this layer, see test_chunk.
    assert bits > 8 or n_bytes < 2 * 1000 * (bits + 0.6)


@both
def test_leads_that_depend_on_others_come_back_and_cost_little(coding: Coding) -> None:
    base = walk(1, (2, 6000), 300).astype(np.int64)
    sums = base.sum(axis=0)
    alone = check(coding, base.astype(np.int32))
    leads = [*base, base[0], base[1] - base[0], sums >> 1, -sums >> 1, base[0] * 3, np.zeros(6000)]
    assert check(coding, np.stack(leads).astype(np.int32)) < 1.3 * alone


@both
def test_leads_that_differ_by_one_unit_now_and_then_come_back(coding: Coding) -> None:
    generator = np.random.default_rng(2)
    base = walk(2, (1, 6000), 2000)
    check(coding, np.concatenate([base + (generator.random((1, 6000)) < 0.01) for _ in range(6)]))


@both
@pytest.mark.parametrize("n_leads", [3, 8, 16])
def test_many_leads_come_back(coding: Coding, n_leads: int) -> None:
    mixing = np.random.default_rng(3).normal(0, 1, (n_leads, 3))
    check(coding, np.rint(mixing @ walk(4, (3, 1200), 50)).astype(np.int32))


@both
@given(
    st.integers(0, 10_000),
    st.sampled_from([1, 2, 31, 32, 33, 100, 700, 2500]),
    st.integers(1, 4),
    st.sampled_from([1, 2, 5, 40, 400]),
)
@settings(max_examples=60, deadline=None)
def test_a_san_layer_that_says_nothing_true_loses_nothing(
    coding: Coding, seed: int, n_samples: int, n_leads: int, n_beats: int
) -> None:
    shape = (n_leads, n_samples)
    check(coding, walk(seed, shape), random_layer(seed, shape, n_beats))


@both
def test_reconstructions_at_the_edge_of_int32_come_back(coding: Coding) -> None:
    shape = (2, 900)
    san = np.where(np.arange(900) % 2, HIGHEST, LOWEST).astype(np.int32)
    _, beats, n_kernels = random_layer(1, shape, 20)
    check(coding, walk(1, shape), (np.stack([san, -(san + 1)]), beats, n_kernels))


@both
@pytest.mark.parametrize("fs", [1e-3, 4.0, 50.0, 1e4, 1e9, 1e300])
def test_any_sampling_frequency_comes_back(coding: Coding, fs: float) -> None:
    position = np.arange(0, 4000, 400)
    beats = beats_of(position, np.zeros(position.size, np.int64), fs)
    samples = walk(9, (1, 1000))
    check(coding, samples, (samples // 2, [beats], 1), fs)


def beating(n_samples: int, seed: int = 0) -> tuple[NDArray[np.int32], Layer]:
    """Two leads of noisy beats, and the layer that knows their shape but for its last quarter."""
    generator = np.random.default_rng(seed)
    position = np.cumsum(generator.integers(900, 1300, n_samples // 250))
    position = position[position < 4 * n_samples - 400]
    t = np.arange(n_samples)
    clean = np.zeros(n_samples)
    for at in position / 4:
        clean += 300 * np.exp(-(((t - at) / 6) ** 2)) + 90 * np.exp(-(((t - at - 70) / 20) ** 2))
    noise = generator.normal(0, 1.5, (2, n_samples))
    samples = np.rint(np.stack([clean, -0.6 * clean]) + noise).astype(np.int32)
    san = np.rint(0.75 * np.stack([clean, -0.6 * clean]) * (1 << FRACTION_BITS)).astype(np.int32)
    beats = beats_of(position, np.zeros(position.size, np.int64), FS)
    return samples, (san, [beats] * 2, 1)


@both
def test_a_san_layer_that_knows_the_beats_saves_bits(coding: Coding) -> None:
    samples, layer = beating(15_000)
    san, _, _ = layer
    with_layer, without = check(coding, samples, layer), check(coding, samples)
    assert with_layer < 0.97 * without
    # The kernels' worth is not only that the beats' times are known.
    assert with_layer < check(coding, samples, (np.zeros_like(san), layer[1], 1))


@both
def test_bits_foretold_are_bytes_spent(coding: Coding) -> None:
    samples, layer = beating(8_000)
    foretold = coding.bits(samples, FS, *layer)
    assert foretold.shape == (2,)
    assert abs(foretold.sum() / 8 - len(coding.encode(samples, FS, *layer))) < 16


@both
def test_smooth_signals_are_predicted_far_below_their_range(coding: Coding) -> None:
    t = np.arange(10_000)
    noise = np.random.default_rng(1).normal(0, 1.0, 10_000)
    samples = np.rint(900 * np.sin(t / 9) + 400 * np.sin(t / 41 + 1) + noise).astype(np.int32)
    # The noise alone has 2.05 bits a sample; the range has 12.
    assert 8 * check(coding, samples[None]) / 10_000 < 3.3


@both
@given(st.data())
@settings(max_examples=120, deadline=None)
def test_garbage_ends_in_a_corrupt_error(coding: Coding, data: st.DataObject) -> None:
    words = data.draw(st.lists(st.integers(0, (1 << 32) - 1), min_size=0, max_size=60))
    if words:
        words[0] &= (1 << 31) - 1
    payload = np.array(words, "<u4").tobytes()
    n_samples = data.draw(st.sampled_from([1, 40, 5_000]))
    layer = random_layer(len(words), (2, n_samples), 10)
    try:
        decoded = coding.decode(payload, n_samples, FS, *layer)
    except CorruptError:
        return
    # Two words may be an honest encoding of two samples.
    assert coding.encode(decoded, FS, *layer) == payload


@both
def test_a_long_chunk_of_garbage_ends_at_once(coding: Coding) -> None:
    words = np.random.default_rng(8).integers(0, 1 << 32, 500, dtype=np.uint32)
    words[0] &= np.uint32((1 << 31) - 1)
    shape = (1, 1 << 22)
    with pytest.raises(CorruptError, match="lead 0"):
        coding.decode(words.tobytes(), shape[1], FS, *no_layer(shape))


@both
def test_every_prefix_and_every_flipped_bit_is_noticed_or_harmless(coding: Coding) -> None:
    samples, layer = beating(250)
    payload = coding.encode(samples, FS, *layer)
    for n_bytes in range(len(payload)):
        with pytest.raises(CorruptError, match="residual"):
            coding.decode(payload[:n_bytes], 250, FS, *layer)
    for bit in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            decoded = coding.decode(bytes(flipped), 250, FS, *layer)
        except CorruptError:
            continue
        # Not every change can be told here: the hash of the samples tells it.
        assert not np.array_equal(decoded, samples)


@both
@pytest.mark.parametrize("name", ["mitdb/100", "mitdb/119", "mitdb/208", "extra/ptb-xl/records500"])
def test_real_records_come_back(coding: Coding, name: str) -> None:
    folder = os.environ.get("SANCODEC_DATA")
    if not folder:
        pytest.skip("SANCODEC_DATA is not set: no real recordings")
    path = Path(folder) / name
    header = next(path.rglob("*.hea")) if path.is_dir() else path
    record = WfdbRecord.open(header)
    span = record.read(0, min(record.n_frames, 7200))
    samples = np.stack(span.signals)
    assert check(coding, samples, fs=record.fs) < samples.size * 1.5
