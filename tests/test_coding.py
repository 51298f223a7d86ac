"""Activations and kernels as bytes: without them no chunk with a SAN layer decodes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sancodec.errors import CorruptError
from sancodec.san.coding import (
    POSITION_ORIGIN,
    decode_activations,
    decode_taps,
    encode_activations,
    encode_taps,
)
from sancodec.san.synthesis import Activations

INT32 = (-(1 << 31) + 1, (1 << 31) - 1)


def activations_of(seed: int, n: int, n_kernels: int, n_leads: int) -> Activations:
    generator = np.random.default_rng(seed)
    position = np.sort(generator.integers(-POSITION_ORIGIN, 1 << 28, n))
    if seed % 2:
        position = np.cumsum(generator.integers(0, 1500, n)) - 400
    size = 1 << int(generator.integers(1, 13))
    return Activations(
        position=position.astype(np.int64),
        kernel=generator.integers(0, n_kernels, n),
        amplitude=generator.integers(-size, size + 1, (n, n_leads)).astype(np.int32),
    )


def check(activations: Activations, n_kernels: int) -> bytes:
    payload = encode_activations(activations, n_kernels)
    n, n_leads = activations.amplitude.shape
    decoded = decode_activations(payload, n_kernels, n_leads, n)
    np.testing.assert_array_equal(decoded.position, activations.position)
    np.testing.assert_array_equal(decoded.kernel, activations.kernel)
    np.testing.assert_array_equal(decoded.amplitude, activations.amplitude)
    return payload


@given(st.integers(0, 10_000), st.integers(0, 100), st.integers(1, 64), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_activations_come_back(seed: int, n: int, n_kernels: int, n_leads: int) -> None:
    check(activations_of(seed, n, n_kernels, n_leads), n_kernels)


def test_several_activations_at_one_place_and_extreme_amplitudes_come_back() -> None:
    extreme = Activations(
        position=np.array([-POSITION_ORIGIN, 7, 7, 7, 1 << 30], np.int64),
        kernel=np.array([63, 0, 0, 63, 1], np.int64),
        amplitude=np.array([INT32, INT32[::-1], (0, 0), INT32, INT32[::-1]], np.int32),
    )
    check(extreme, 64)


def test_a_regular_rhythm_costs_few_bits() -> None:
    generator = np.random.default_rng(1)
    regular = Activations(
        position=np.cumsum(1200 + generator.integers(-3, 4, 500)),
        kernel=np.zeros(500, np.int64),
        amplitude=np.full((500, 2), 9, np.int32),
    )
    assert 8 * len(check(regular, 4)) / 500 < 5


def test_every_prefix_is_refused() -> None:
    payload = check(activations_of(5, 20, 4, 2), 4)
    for n_bytes in range(len(payload)):
        with pytest.raises(CorruptError, match="activations"):
            decode_activations(payload[:n_bytes], 4, 2, 1 << 20)


def test_every_flipped_bit_is_refused_or_gives_other_activations_in_range() -> None:
    activations = activations_of(7, 12, 4, 2)
    payload = check(activations, 4)
    n_refused = 0
    for bit in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            decoded = decode_activations(bytes(flipped), 4, 2, 5000)
        except CorruptError:
            n_refused += 1
            continue
        assert (np.diff(decoded.position) >= 0).all()
        assert ((decoded.kernel >= 0) & (decoded.kernel < 4)).all()
        assert encode_activations(decoded, 4) == bytes(flipped)
    assert n_refused > 0.5 * 8 * len(payload)


def test_more_activations_than_there_may_be_are_refused_before_memory_is_taken() -> None:
    payload = check(activations_of(3, 30, 2, 1), 2)
    with pytest.raises(CorruptError, match="30 announced, expected at most 29"):
        decode_activations(payload, 2, 1, 29)


def test_kernels_that_there_are_not_are_refused() -> None:
    payload = encode_activations(activations_of(4, 30, 9, 1), 9)
    with pytest.raises(CorruptError, match="does not decode"):
        decode_activations(payload, 3, 1, 30)


def test_positions_that_decrease_are_refused() -> None:
    backwards = Activations(
        position=np.array([500, 100], np.int64),
        kernel=np.zeros(2, np.int64),
        amplitude=np.ones((2, 1), np.int32),
    )
    with pytest.raises(CorruptError, match="positions decrease"):
        decode_activations(encode_activations(backwards, 1), 1, 1, 2)


@given(st.binary(max_size=80), st.integers(1, 64), st.integers(1, 12))
@settings(max_examples=200, deadline=None)
def test_garbage_activations_end_in_a_corrupt_error_or_in_range(
    payload: bytes, n_kernels: int, n_leads: int
) -> None:
    try:
        decoded = decode_activations(payload, n_kernels, n_leads, 1 << 16)
    except CorruptError:
        return
    assert decoded.n_activations <= 1 << 16
    assert (np.diff(decoded.position) >= 0).all()


def kernels_of(seed: int, shape: tuple[int, int, int]) -> np.ndarray:
    generator = np.random.default_rng(seed)
    rough = generator.integers(-32_767, 32_768, shape)
    smooth = np.cumsum(generator.integers(-40, 41, shape), axis=2)
    return np.clip(rough if seed % 2 else smooth, -32_767, 32_767).astype(np.int16)


@given(st.integers(0, 1000), st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 90)))
@settings(max_examples=60, deadline=None)
def test_taps_come_back(seed: int, shape: tuple[int, int, int]) -> None:
    kernels = kernels_of(seed, shape)
    decoded = decode_taps(encode_taps(kernels), shape)
    assert decoded.dtype == np.int16
    np.testing.assert_array_equal(decoded, kernels)


def test_smooth_kernels_cost_less_than_their_bytes() -> None:
    kernels = np.rint(3000 * np.exp(-(((np.arange(250) - 96) / 9) ** 2))).astype(np.int16)
    assert len(encode_taps(kernels[None, None])) < 200


def test_broken_taps_are_refused() -> None:
    kernels = kernels_of(2, (2, 2, 40))
    payload = encode_taps(kernels)
    for n_bytes in range(len(payload)):
        with pytest.raises(CorruptError, match="kernels"):
            decode_taps(payload[:n_bytes], (2, 2, 40))
    for shape in ((2, 2, 39), (2, 2, 41), (2, 1, 40)):
        with pytest.raises(CorruptError, match="kernels"):
            decode_taps(payload, shape)


def test_taps_beyond_int16_are_refused() -> None:
    # Differences that add up: encoded as int32, which encode_taps never gets.
    wide = np.array([[[30_000, 60_000, 0]]], np.int32)
    with pytest.raises(CorruptError, match="does not decode to its taps"):
        decode_taps(encode_taps(wide), (1, 1, 3))  # type: ignore[arg-type]
