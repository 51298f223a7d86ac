"""The residual of signals that dwell on few values: all samples come back, steps cost little."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sancodec.errors import CorruptError
from sancodec.residual.discrete import decode_discrete, difference_bits, encode_discrete
from sancodec.residual.template import beats_of
from sancodec.residual.wide import encode_wide

LOWEST, HIGHEST = -(1 << 31), (1 << 31) - 1


def check(samples: NDArray[np.int32]) -> int:
    """Code and decode; give the number of bytes."""
    payload = encode_discrete(samples)
    np.testing.assert_array_equal(decode_discrete(payload, *samples.shape), samples)
    return len(payload)


def dwelling(n_samples: int, seed: int) -> NDArray[np.int32]:
    """Two leads that hold their values for long, and then jump, the second one mostly along."""
    generator = np.random.default_rng(seed)
    jumps = np.where(
        generator.random((2, n_samples)) < 0.1, 5 * generator.integers(-3, 4, (2, n_samples)), 0
    )
    jumps[1] = np.where(generator.random(n_samples) < 0.8, jumps[0], jumps[1])
    return np.cumsum(jumps, axis=1).astype(np.int32)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 4, 5, 64, 1000])
@pytest.mark.parametrize("n_leads", [1, 2, 5])
def test_every_length_comes_back(n_samples: int, n_leads: int) -> None:
    generator = np.random.default_rng(n_samples)
    check(generator.integers(-9, 10, (n_leads, n_samples)).astype(np.int32))


@pytest.mark.parametrize("value", [0, -1, LOWEST, HIGHEST])
def test_a_constant_comes_back_and_costs_next_to_nothing(value: int) -> None:
    assert check(np.full((2, 5000), value, np.int32)) < 100


def test_full_scale_steps_and_noise_come_back() -> None:
    generator = np.random.default_rng(3)
    check(np.where(generator.random((2, 700)) < 0.5, LOWEST, HIGHEST).astype(np.int32))
    check(generator.integers(LOWEST, HIGHEST + 1, (2, 700)).astype(np.int32))


@given(st.lists(st.integers(LOWEST, HIGHEST), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_samples_come_back(values: list[int]) -> None:
    check(np.array([values], np.int32))


def test_what_dwells_takes_far_less_than_around_a_prediction() -> None:
    samples = dwelling(8000, 5)
    nothing = beats_of(np.zeros(0, np.int64), np.zeros(0, np.int64), 4.0)
    wide = encode_wide(samples, 4.0, np.zeros_like(samples), [nothing] * 2, 1)
    assert check(samples) < 0.75 * len(wide)
    assert difference_bits(samples) < 8 * len(wide)


def test_garbage_prefixes_and_flipped_bits_end_in_a_corrupt_error_or_other_samples() -> None:
    samples = dwelling(600, 7)
    payload = encode_discrete(samples)
    for n_bytes in range(len(payload)):
        with pytest.raises(CorruptError):
            decode_discrete(payload[:n_bytes], *samples.shape)
    for at in range(len(payload)):
        damaged = bytearray(payload)
        damaged[at] ^= 1 << (at % 8)
        try:
            found = decode_discrete(bytes(damaged), *samples.shape)
        except CorruptError:
            continue
        assert not np.array_equal(found, samples)
    generator = np.random.default_rng(11)
    for n_bytes in range(0, 120, 4):
        garbage = generator.integers(0, 256, n_bytes, dtype=np.uint8).tobytes()
        with pytest.raises(CorruptError):
            decode_discrete(garbage, 2, 5000)
