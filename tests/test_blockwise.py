"""The fast level's residual coder: exact both ways, small, and never surprised by its words."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sancodec.errors import CorruptError
from sancodec.residual.blockwalk import BLOCK
from sancodec.residual.blockwise import decode_blockwise, encode_blockwise
from sancodec.residual.predictive import encode_predictive
from sancodec.residual.template import Beats, beats_of

FS = 360.0
LIMITS = np.iinfo(np.int32)
Chunk = tuple[NDArray[np.int32], float, NDArray[np.int32], list[Beats], int]


def without_san(samples: NDArray[np.int32], fs: float = FS) -> Chunk:
    nothing = beats_of(np.zeros(0, np.int64), np.zeros(0, np.int64), fs)
    return samples, fs, np.zeros(samples.shape, np.int32), [nothing] * len(samples), 1


def beating(n_leads: int, n_samples: int, seed: int = 0) -> Chunk:
    """Make a chunk of beats of two shapes in noise; the SAN layer explains most of them."""
    rng = np.random.default_rng(seed)
    position = np.sort(rng.integers(-200, 4 * n_samples + 200, max(n_samples // 300, 1)))
    kernel = rng.integers(0, 2, len(position))
    phase = np.arange(-40, 60)
    shapes = [300 * np.exp(-((phase / 4.0) ** 2)), -200 * np.exp(-((phase / 9.0) ** 2))]
    truth = np.zeros(n_samples + 400)
    for at, which in zip(position >> 2, kernel, strict=True):
        truth[at + 200 + phase] += shapes[which]
    truth = truth[200:-200]
    gains = rng.uniform(0.5, 2.0, (n_leads, 1))
    noise = rng.normal(0, 3, n_samples) + rng.normal(0, 1, (n_leads, n_samples))
    samples = np.round(gains * truth + noise + 1000).astype(np.int32)
    san = np.round(15.0 * gains * truth).astype(np.int32)
    return samples, FS, san, [beats_of(position, kernel, FS)] * n_leads, 2


def decode(payload: bytes, chunk: Chunk) -> NDArray[np.int32]:
    samples, *known = chunk
    return decode_blockwise(payload, samples.shape[1], *known)


def assert_comes_back(chunk: Chunk) -> int:
    """Give the number of bytes."""
    payload = encode_blockwise(*chunk)
    decoded = decode(payload, chunk)
    assert decoded.dtype == np.int32
    np.testing.assert_array_equal(decoded, chunk[0])
    return len(payload)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 23, 24, 25, 255, 256, 257, 1023, 1025, 5000])
@pytest.mark.parametrize("n_leads", [1, 2, 4])
def test_chunks_of_any_length_come_back(n_leads: int, n_samples: int) -> None:
    assert_comes_back(beating(n_leads, n_samples))
    assert_comes_back(without_san(beating(n_leads, n_samples)[0]))


@pytest.mark.parametrize("n_samples", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 7])
def test_chunks_of_several_blocks_come_back(n_samples: int) -> None:
    assert_comes_back(beating(1, n_samples))


def test_a_chunk_without_samples_comes_back() -> None:
    assert assert_comes_back(without_san(np.zeros((2, 0), np.int32))) < 100


@pytest.mark.parametrize("value", [0, 1, -5, LIMITS.min, LIMITS.max])
def test_constants_take_hardly_anything(value: int) -> None:
    chunk = without_san(np.full((3, 10_000), value, np.int32))
    assert assert_comes_back(chunk) < 150


@pytest.mark.parametrize("n_leads", [1, 3, 14])
def test_noise_of_full_scale_takes_little_more_than_its_samples(n_leads: int) -> None:
    rng = np.random.default_rng(2)
    shape = (n_leads, 3000)
    samples = rng.integers(LIMITS.min, LIMITS.max, shape, np.int32, endpoint=True)
    assert assert_comes_back(without_san(samples)) < samples.nbytes * 1.06 + 500


def test_full_scale_alternation_comes_back() -> None:
    samples = np.where(np.arange(4000) % 2, LIMITS.max, LIMITS.min).astype(np.int32)
    assert_comes_back(without_san(np.stack([samples, -1 - samples, samples])))


def test_a_square_wave_and_spikes_come_back() -> None:
    square = np.where(np.arange(6000) // 500 % 2, 30_000, -30_000).astype(np.int32)
    spikes = np.zeros(6000, np.int32)
    spikes[::1500] = LIMITS.max
    assert_comes_back(without_san(np.stack([square, spikes])))


@pytest.mark.parametrize("n_leads", [12, 64])
def test_many_leads_come_back(n_leads: int) -> None:
    assert_comes_back(beating(n_leads, 900))


def test_a_lead_that_follows_from_two_others_is_nearly_free() -> None:
    first, second = beating(2, 8000)[0]
    three = without_san(np.stack([first, second, second - first]))
    two = without_san(np.stack([first, second]))
    assert assert_comes_back(three) < assert_comes_back(two) + 8000 * 0.1 / 8


def test_some_leads_may_have_beats_and_others_none() -> None:
    samples, fs, san, beats, n_kernels = beating(3, 4000)
    san[1] = 0
    nothing = without_san(samples)[3][0]
    assert_comes_back((samples, fs, san, [beats[0], nothing, beats[2]], n_kernels))


@pytest.mark.parametrize("fs", [4.0, 128.0, 10_000.0, 1e9])
def test_beats_ahead_of_and_behind_the_chunk_do_no_harm_at_any_frequency(fs: float) -> None:
    samples, _, san, _, _ = beating(2, 3000)
    position = np.array([-90_000, -4000, -1, 0, 1, 1, 2, 5000, 11_990, 12_400, 900_000])
    beats = beats_of(position, np.arange(11) % 3, fs)
    assert_comes_back((samples, fs, san, [beats, beats], 3))


def test_a_misleading_san_layer_comes_back() -> None:
    samples, fs, san, beats, n_kernels = beating(2, 3000)
    rng = np.random.default_rng(1)
    wild = rng.integers(LIMITS.min, LIMITS.max, san.shape, np.int32)
    assert_comes_back((samples, fs, wild, beats, n_kernels))


def test_the_san_layer_saves_bits() -> None:
    chunk = beating(2, 20_000)
    assert assert_comes_back(chunk) < 0.97 * assert_comes_back(without_san(chunk[0]))


def test_the_rate_stays_near_that_of_the_default_level() -> None:
    chunk = beating(2, 20_000)
    assert assert_comes_back(chunk) < 1.02 * len(encode_predictive(*chunk))


def test_the_same_samples_give_the_same_bytes() -> None:
    chunk = beating(2, 3000)
    assert encode_blockwise(*chunk) == encode_blockwise(*chunk)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 400),
    st.sampled_from([0, 1, 7, 15, 23, 30]),
    st.integers(0, 1 << 32),
)
def test_random_walks_come_back(n_leads: int, n_samples: int, bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = rng.integers(-(1 << bits), 1 << bits, (n_leads, n_samples), endpoint=True)
    walk = np.clip(np.cumsum(steps, axis=1), LIMITS.min, LIMITS.max)
    assert_comes_back(without_san(walk.astype(np.int32)))


def test_every_prefix_is_refused() -> None:
    chunk = beating(2, 600)
    payload = encode_blockwise(*chunk)
    for n_bytes in range(len(payload)):
        with pytest.raises(CorruptError):
            decode(payload[:n_bytes], chunk)


def test_bytes_behind_the_end_are_refused() -> None:
    chunk = beating(1, 600)
    with pytest.raises(CorruptError):
        decode(encode_blockwise(*chunk) + bytes(4), chunk)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_flipped_byte_is_refused_or_gives_other_samples(data: st.DataObject) -> None:
    chunk = beating(2, 400)
    payload = bytearray(encode_blockwise(*chunk))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        decoded = decode(bytes(payload), chunk)
    except CorruptError:
        return
    assert (decoded != chunk[0]).any()


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=8, max_size=4000).map(lambda b: b[: len(b) // 4 * 4]))
def test_random_words_are_refused(words: bytes) -> None:
    with pytest.raises(CorruptError):
        decode(words, beating(2, 2000))


@pytest.mark.parametrize("record", ["100", "207"])
def test_real_records_come_back_and_stay_near_the_default_level(record: str) -> None:
    folder = os.environ.get("SANCODEC_DATA")
    if folder is None:
        pytest.skip("SANCODEC_DATA is not set")
    raw = np.fromfile(Path(folder, "mitdb", f"{record}.dat"), np.uint8, 3 * 20_000)
    low, middle, high = raw.reshape(-1, 3).T.astype(np.int32)
    samples = np.stack([low | (middle & 15) << 8, high | (middle >> 4) << 8])
    samples = np.where(samples > 2047, samples - 4096, samples).astype(np.int32)
    chunk = without_san(samples)
    assert assert_comes_back(chunk) < 1.03 * len(encode_predictive(*chunk))
