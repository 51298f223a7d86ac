"""The highest level's residual layer: any samples, any SAN layer, and every sample comes back."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sancodec.entropy.mixer import encode_decisions
from sancodec.errors import CorruptError
from sancodec.formats.wfdb import WfdbRecord
from sancodec.residual.coder import FRACTION_BITS
from sancodec.residual.mixing import decode_mixing, encode_mixing
from sancodec.residual.predictive import encode_predictive
from sancodec.residual.template import Beats, beats_of

ROOT = Path(__file__).resolve().parent.parent
LOWEST, HIGHEST = -(1 << 31), (1 << 31) - 1
FS = 360.0
NO_BEATS = beats_of(np.zeros(0, np.int64), np.zeros(0, np.int64), FS)

Layer = tuple[NDArray[np.int32], list[Beats], int]


def no_layer(shape: tuple[int, ...]) -> Layer:
    return np.zeros(shape, np.int32), [NO_BEATS] * shape[0], 1


def check(samples: NDArray[np.int32], layer: Layer | None = None, fs: float = FS) -> int:
    """Code and decode; give the number of bytes."""
    layer = layer or no_layer(samples.shape)
    payload = encode_mixing(samples, fs, *layer)
    decoded = decode_mixing(payload, samples.shape[1], fs, *layer)
    np.testing.assert_array_equal(decoded, samples)
    return len(payload)


def random_layer(seed: int, shape: tuple[int, int], n_beats: int) -> Layer:
    """A reconstruction and beats that have nothing to do with the samples, nor with another."""
    generator = np.random.default_rng(seed)
    n_leads, n_samples = shape
    size = 10 ** int(generator.integers(0, 9))
    san = generator.integers(-size, size + 1, shape).astype(np.int32)
    n_kernels = int(generator.integers(1, 5))
    # Many begin before the chunk or end behind it, and some at the same place.
    position = np.sort(generator.integers(-2_000, 4 * n_samples + 2_000, n_beats))
    position[n_beats // 2 : n_beats // 2 + 3] = position[n_beats // 2 : n_beats // 2 + 1]
    beats = beats_of(position, generator.integers(0, n_kernels, n_beats), FS)
    return san, [beats if generator.random() < 0.7 else NO_BEATS for _ in range(n_leads)], n_kernels


def walk(seed: int, shape: tuple[int, int], step: int = 20) -> NDArray[np.int32]:
    generator = np.random.default_rng(seed)
    return np.cumsum(generator.integers(-step, step + 1, shape), axis=1).astype(np.int32)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 31, 32, 33, 34, 65, 8191, 8192, 8193])
def test_every_length_around_a_block_and_a_stretch_comes_back(n_samples: int) -> None:
    check(walk(n_samples, (1, n_samples)))
    check(walk(n_samples, (2, n_samples)), random_layer(7, (2, n_samples), 4))


@pytest.mark.parametrize("value", [0, 1, -1, 1024, LOWEST, HIGHEST])
def test_a_constant_comes_back_and_costs_next_to_nothing(value: int) -> None:
    assert check(np.full((2, 5000), value, np.int32)) < 200


@pytest.mark.parametrize("period", [2, 3, 64, 999])
def test_full_scale_steps_come_back(period: int) -> None:
    high = (np.arange(3000) // max(period // 2, 1)) % 2 == 0
    check(np.where(high, HIGHEST, LOWEST).astype(np.int32)[None])


@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_pulses_of_any_height_and_length_come_back(seed: int, n_leads: int) -> None:
    generator = np.random.default_rng(seed)
    samples = np.zeros((n_leads, 900), np.int32)
    for _ in range(generator.integers(1, 60)):
        start = generator.integers(0, 900)
        stop = start + generator.integers(1, 80)
        height = generator.choice([LOWEST, HIGHEST, 0, 1, -1, 1 << 20, -(1 << 30)])
        samples[generator.integers(0, n_leads), start:stop] = height
    check(samples)


@pytest.mark.parametrize("bits", [1, 8, 16, 24, 31, 32])
def test_white_noise_of_any_loudness_comes_back(bits: int) -> None:
    generator = np.random.default_rng(bits)
    noise = generator.integers(-(1 << (bits - 1)), 1 << (bits - 1), (2, 6000)).astype(np.int32)
    n_bytes = check(noise)
    # A loud start costs more: raw samples then take the place of this layer, see test_chunk.
    assert bits > 8 or n_bytes < 2 * 750 * (bits + 0.6)


def test_leads_that_depend_on_others_come_back_and_cost_little() -> None:
    base = walk(1, (2, 3000), 300).astype(np.int64)
    sums = base.sum(axis=0)
    alone = check(base.astype(np.int32))
    leads = [*base, base[0], base[1] - base[0], sums >> 1, -sums >> 1, base[0] * 3, np.zeros(3000)]
    assert check(np.stack(leads).astype(np.int32)) < 1.6 * alone


@pytest.mark.parametrize("n_leads", [3, 16, 256])
def test_many_leads_come_back(n_leads: int) -> None:
    mixing = np.random.default_rng(3).normal(0, 1, (n_leads, 3))
    n_samples = 1200 if n_leads < 256 else 40
    check(np.rint(mixing @ walk(4, (3, n_samples), 50)).astype(np.int32))


@given(
    st.integers(0, 10_000),
    st.sampled_from([1, 2, 33, 100, 1500]),
    st.integers(1, 4),
    st.sampled_from([1, 2, 5, 40, 400]),
)
@settings(max_examples=40, deadline=None)
def test_a_san_layer_that_says_nothing_true_loses_nothing(
    seed: int, n_samples: int, n_leads: int, n_beats: int
) -> None:
    shape = (n_leads, n_samples)
    check(walk(seed, shape), random_layer(seed, shape, n_beats))


def test_reconstructions_at_the_edge_of_int32_come_back() -> None:
    shape = (2, 900)
    san = np.where(np.arange(900) % 2, HIGHEST, LOWEST).astype(np.int32)
    _, beats, n_kernels = random_layer(1, shape, 20)
    check(walk(1, shape), (np.stack([san, -(san + 1)]), beats, n_kernels))


@pytest.mark.parametrize("fs", [1e-3, 4.0, 1e4, 1e300])
def test_any_sampling_frequency_comes_back(fs: float) -> None:
    position = np.arange(0, 4000, 400)
    beats = beats_of(position, np.zeros(position.size, np.int64), fs)
    samples = walk(9, (1, 1000))
    check(samples, (samples // 2, [beats], 1), fs)


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


def test_a_san_layer_that_knows_the_beats_saves_bits() -> None:
    samples, layer = beating(12_000)
    san, beats, _ = layer
    with_layer, without = check(samples, layer), check(samples)
    assert with_layer < 0.98 * without
    # The kernels' worth is not only that the beats' times are known.
    assert with_layer < check(samples, (np.zeros_like(san), beats, 1))


def test_gaussian_noise_costs_little_more_than_its_entropy() -> None:
    noise = np.rint(np.random.default_rng(3).normal(0, 20, (1, 12_000))).astype(np.int32)
    entropy = 0.5 * np.log2(2 * np.pi * np.e * 400)
    assert 8 * check(noise) / noise.size < entropy + 0.15


def test_smooth_signals_cost_less_than_at_the_default_level() -> None:
    t = np.arange(10_000)
    noise = np.random.default_rng(1).normal(0, 1.0, 10_000)
    smooth = np.rint(900 * np.sin(t / 9) + 400 * np.sin(t / 41 + 1) + noise).astype(np.int32)[None]
    # The noise alone has 2.05 bits a sample; the range has 12.
    n_bytes = check(smooth)
    assert 8 * n_bytes / smooth.size < 2.8
    assert n_bytes < len(encode_predictive(smooth, FS, *no_layer(smooth.shape)))


def test_words_of_any_decisions_have_the_length_that_their_probabilities_say() -> None:
    generator = np.random.default_rng(5)
    one = generator.integers(1, 1 << 16, 50_000)
    decision = generator.integers(0, 1 << 16, one.size) < one
    words = encode_decisions((one << 1 | decision).astype(np.uint32))
    bits = -np.log2(np.where(decision, one, (1 << 16) - one) / (1 << 16)).sum()
    assert 0 <= 32 * words.size - bits < 66


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_garbage_ends_in_a_corrupt_error(data: st.DataObject) -> None:
    words = data.draw(st.lists(st.integers(0, (1 << 32) - 1), min_size=0, max_size=60))
    if words:
        words[0] &= (1 << 31) - 1
    payload = np.array(words, "<u4").tobytes()
    n_samples = data.draw(st.sampled_from([1, 40, 5_000]))
    layer = random_layer(len(words), (2, n_samples), 10)
    try:
        decoded = decode_mixing(payload, n_samples, FS, *layer)
    except CorruptError:
        return
    # Two words may be an honest encoding of two samples.
    assert encode_mixing(decoded, FS, *layer) == payload


def test_a_long_chunk_of_garbage_ends_at_once() -> None:
    words = np.random.default_rng(8).integers(0, 1 << 32, 500, dtype=np.uint32)
    words[0] &= np.uint32((1 << 31) - 1)
    shape = (1, 1 << 22)
    with pytest.raises(CorruptError, match="lead 0"):
        decode_mixing(words.tobytes(), shape[1], FS, *no_layer(shape))


def test_every_prefix_and_every_flipped_bit_is_noticed_or_harmless() -> None:
    samples, layer = beating(150)
    payload = encode_mixing(samples, FS, *layer)
    for n_bytes in range(len(payload)):
        with pytest.raises(CorruptError, match="residual"):
            decode_mixing(payload[:n_bytes], 150, FS, *layer)
    for bit in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            decoded = decode_mixing(bytes(flipped), 150, FS, *layer)
        except CorruptError:
            continue
        # Not every change can be told here: the hash of the samples tells it.
        assert not np.array_equal(decoded, samples)


def test_words_behind_the_last_are_refused() -> None:
    samples = walk(3, (1, 500))
    payload = encode_mixing(samples, FS, *no_layer(samples.shape))
    with pytest.raises(CorruptError, match="left"):
        decode_mixing(payload + b"\0\0\0\0", 500, FS, *no_layer(samples.shape))


def twin_payload() -> bytes:
    """A payload that goes through every branch, decoded and compared."""
    samples, layer = walk(2, (2, 160)), random_layer(2, (2, 160), 3)
    samples[1, 100:103] = [HIGHEST, LOWEST, 5]
    payload = encode_mixing(samples, FS, *layer)
    np.testing.assert_array_equal(decode_mixing(payload, 160, FS, *layer), samples)
    return payload


_TWIN = """
import sys, warnings
sys.path[:0] = {paths!r}
import hashlib, numba
import test_mixing as twin
warnings.simplefilter("error")
assert numba.config.DISABLE_JIT
print(hashlib.sha256(twin.twin_payload()).hexdigest())
"""


def test_plain_python_gives_the_same_bytes_and_samples() -> None:
    command = [sys.executable, "-c", _TWIN.format(paths=[str(ROOT), str(ROOT / "tests")])]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    twin = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert twin.returncode == 0, twin.stderr
    assert twin.stdout.strip() == hashlib.sha256(twin_payload()).hexdigest()


@pytest.mark.parametrize("name", ["mitdb/100", "mitdb/208", "extra/ptb-xl/records500"])
def test_real_records_come_back_smaller_than_at_the_default_level(name: str) -> None:
    folder = os.environ.get("SANCODEC_DATA")
    if not folder:
        pytest.skip("SANCODEC_DATA is not set: no real recordings")
    path = Path(folder) / name
    header = next(path.rglob("*.hea")) if path.is_dir() else path
    record = WfdbRecord.open(header)
    samples = np.stack(record.read(0, min(record.n_frames, 7200)).signals)
    default = len(encode_predictive(samples, record.fs, *no_layer(samples.shape)))
    assert check(samples, fs=record.fs) < default
