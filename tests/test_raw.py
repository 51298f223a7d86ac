"""Raw samples: the fallback must give back every sample, and take no more than its bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sancodec.errors import CorruptError
from sancodec.residual.raw import decode_raw, encode_raw, raw_size

LOWEST, HIGHEST = -(1 << 31), (1 << 31) - 1


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_samples_come_back(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 70)))
    span = data.draw(st.sampled_from([0, 1, 7, 1000, HIGHEST]))
    low = data.draw(st.integers(LOWEST, HIGHEST - span))
    samples = data.draw(arrays(np.int32, shape, elements=st.integers(low, low + span)))
    payload = encode_raw(samples)
    np.testing.assert_array_equal(decode_raw(payload, *shape), samples)


@pytest.mark.parametrize("n_samples", [1, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, (1 << 17) + 5])
@pytest.mark.parametrize("width", [0, 1, 11, 32])
def test_long_leads_come_back_in_the_bits_they_need(n_samples: int, width: int) -> None:
    generator = np.random.default_rng(n_samples + width)
    samples = generator.integers(0, 1 << width, (2, n_samples)) + (LOWEST if width > 30 else -7)
    samples[:, 0] = samples.min() if width == 0 else samples[:, 0]
    payload = encode_raw(samples.astype(np.int32))
    assert len(payload) <= 2 * (5 + (n_samples * width + 7) // 8)
    np.testing.assert_array_equal(decode_raw(payload, 2, n_samples), samples)


def test_the_bytes_are_pinned() -> None:
    samples = np.array([[-3, -3, -3], [5, 6, 8]], np.int32)
    # Minimum, width, bits lowest first: 0, 1 and 3 in two bits each are 0b110100.
    assert encode_raw(samples).hex() == "fdffffff00" + "0500000002" + "34"


@pytest.mark.parametrize("width", [0, 1, 8, 20])
@pytest.mark.parametrize("n_samples", [2, 9, (1 << 16) + 1, (1 << 16) + 2])
def test_a_walk_takes_the_bits_of_its_steps(width: int, n_samples: int) -> None:
    half = (1 << width) // 2
    steps = np.random.default_rng(width).integers(-half, (1 << width) - half, (2, n_samples))
    walk = np.cumsum(steps, axis=1) - 40_000
    payload = encode_raw(walk.astype(np.int32))
    assert len(payload) == raw_size(walk.astype(np.int32))
    assert len(payload) <= 2 * (10 + (n_samples * width + 7) // 8)
    np.testing.assert_array_equal(decode_raw(payload, 2, n_samples), walk)


def test_a_walk_from_one_end_of_int32_to_the_other_comes_back() -> None:
    ends = np.array([[LOWEST, HIGHEST, LOWEST, HIGHEST]], np.int32)
    np.testing.assert_array_equal(decode_raw(encode_raw(ends), 1, 4), ends)
    steps = bytes([255, 255, 255, 127, 64 + 33]) + (-(1 << 32)).to_bytes(5, "little", signed=True)
    bits = (1 << 32) + 1
    steps += bits.to_bytes(5, "little")
    with pytest.raises(CorruptError, match="beyond int32"):
        decode_raw(steps, 1, 2)
    lower = steps[:-5] + (0).to_bytes(5, "little")
    with pytest.raises(CorruptError, match="beyond int32"):
        decode_raw(b"\0\0\0\x80" + lower[4:], 1, 2)


def test_the_bytes_of_differences_are_pinned() -> None:
    walk = np.array([np.cumsum([5, *([1000, 1001] * 20)])], np.int32)
    payload = encode_raw(walk)
    assert payload.hex() == "0500000041" + "e803000000" + "aaaaaaaaaa"
    np.testing.assert_array_equal(decode_raw(payload, 1, 41), walk)
    for n_bytes in range(len(payload)):
        with pytest.raises(CorruptError, match="raw samples"):
            decode_raw(payload[:n_bytes], 1, 41)


def test_every_prefix_and_every_extra_byte_is_refused() -> None:
    samples = np.random.default_rng(0).integers(-90, 900, (3, 25)).astype(np.int32)
    payload = encode_raw(samples)
    for n_bytes in range(len(payload)):
        with pytest.raises(CorruptError, match="raw samples"):
            decode_raw(payload[:n_bytes], 3, 25)
    with pytest.raises(CorruptError, match="1 bytes too many"):
        decode_raw(payload + b"\0", 3, 25)


def test_a_width_above_32_bits_is_refused() -> None:
    with pytest.raises(CorruptError, match="head of lead 0"):
        decode_raw(bytes([0, 0, 0, 0, 33]) + bytes(100), 1, 8)
    with pytest.raises(CorruptError, match="head of lead 0"):
        decode_raw(bytes([0, 0, 0, 0, 64 + 34]) + bytes(100), 1, 8)


def test_a_sample_beyond_int32_is_refused() -> None:
    head = (HIGHEST - 1).to_bytes(4, "little", signed=True) + bytes([2])
    with pytest.raises(CorruptError, match="beyond int32"):
        decode_raw(head + bytes([0b11]), 1, 1)
    assert decode_raw(head + bytes([0b01]), 1, 1)[0, 0] == HIGHEST


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_garbage_ends_in_a_corrupt_error_or_in_samples(payload: bytes) -> None:
    try:
        decoded = decode_raw(payload, 2, 9)
    except CorruptError:
        return
    assert decoded.shape == (2, 9)
