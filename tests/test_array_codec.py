"""Arrays in stores of arrays: what goes in comes out, of any shape, type and order of memory."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sancodec.array_codec import ArrayCodec, decode_array
from sancodec.errors import ConfigError, CorruptError, RecordError, SancodecError
from sancodec.formats.array_parts import ArrayForm, decode_array_parts, encode_array_parts

FAST = ArrayCodec(fs=250, level="fast", model="none")
KINDS = ["<i1", "<i2", ">i2", "<i4", ">i4", "<i8", "<u1", "<u2", "<u4", ">u4", "<u8", ">u8", "?"]


def _walk(shape: tuple[int, ...], kind: str = "i2") -> np.ndarray:
    steps = np.random.default_rng(3).integers(-9, 10, shape)
    return steps.cumsum(axis=0).astype(kind)


@st.composite
def _arrays(draw: st.DrawFn) -> tuple[np.ndarray, int | None]:
    shape = draw(arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7))
    array = draw(arrays.arrays(draw(st.sampled_from(KINDS)), shape))
    if draw(st.booleans()):
        array = np.asfortranarray(array)
    axes = st.integers(-len(shape), len(shape) - 1) if shape else st.none()
    return array, draw(st.none() | axes)


@given(_arrays())
@settings(max_examples=60, deadline=None)
def test_every_array_of_integers_comes_back(drawn: tuple[np.ndarray, int | None]) -> None:
    array, axis = drawn
    codec = ArrayCodec(fs=250, level="fast", model="none", time_axis=axis)
    found = decode_array(codec.encode(array))
    assert found.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found, array)
    # As stores of Zarr 2 take it apart again.
    assert found.flags.f_contiguous == array.flags.f_contiguous or array.size == 0


def test_more_leads_than_a_file_may_have_come_back() -> None:
    array = _walk((400, 300))
    encoded = FAST.encode(array)
    form, files = decode_array_parts(encoded)
    assert (form.parts, len(files)) == ([256, 44], 2)
    np.testing.assert_array_equal(decode_array(encoded), array)


def test_records_of_one_array_are_coded_one_by_one_and_their_leads_together() -> None:
    array = _walk((900, 3, 2)).transpose(1, 0, 2)
    form, files = decode_array_parts(FAST.encode(array))
    assert (form.time_axis, form.n_records, form.n_leads, len(files)) == (1, 3, 2, 3)


@pytest.mark.parametrize("axis", [0, 1])
def test_loss_keeps_to_its_bound_and_to_the_range_of_the_type(axis: int) -> None:
    array = np.clip(_walk((2000, 2), "i4") * 40, -128, 127).astype("i1")
    array = array if axis == 0 else array.T
    codec = ArrayCodec(fs=250, model="none", max_error=5, time_axis=axis)
    encoded = codec.encode(array)
    error = np.abs(decode_array(encoded).astype(int) - array)
    assert 0 < error.max() <= 5
    assert len(encoded) < len(FAST.encode(array))


def test_a_wanted_prdn_is_that_of_each_lead() -> None:
    array = _walk((4000, 2))
    found = decode_array(ArrayCodec(fs=250, model="none", prdn=5).encode(array))
    error = ((found.astype(float) - array) ** 2).sum(axis=0)
    spread = ((array - array.mean(axis=0)) ** 2).sum(axis=0)
    assert (error > 0).all()
    assert (100 * np.sqrt(error / spread) <= 5).all()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"fs": 0}, "fs"),
        ({"fs": "250"}, "fs"),
        ({"fs": float("nan")}, "fs"),
        ({"fs": 1, "level": "best"}, "level"),
        ({"fs": 1, "max_error": 1, "prdn": 2}, "one of them"),
        ({"fs": 1, "prdn": -1}, "PRDN"),
        ({"fs": 1, "max_error": -1}, "error"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        ArrayCodec(**settings)


def test_what_is_not_coded_is_refused_with_a_remedy() -> None:
    with pytest.raises(RecordError, match="scale_factor"):
        FAST.encode(np.zeros(4))
    with pytest.raises(ConfigError, match="2 axes"):
        ArrayCodec(fs=1, time_axis=2).encode(_walk((4, 4)))
    with pytest.raises(RecordError, match="32 bits"):
        ArrayCodec(fs=1, max_error=1).encode(np.array([1 << 40]))


def test_damage_is_never_taken_for_samples() -> None:
    array = _walk((60, 2))
    encoded = FAST.encode(array)
    for offset in range(len(encoded)):
        with pytest.raises(SancodecError):
            decode_array(encoded[:offset])
        changed = bytearray(encoded)
        changed[offset] ^= 0x41
        with contextlib.suppress(SancodecError):
            found = decode_array(bytes(changed))
            # The form has no checksum of its own: its values are right, whatever it says.
            assert sorted(found.ravel().tolist()) == sorted(array.ravel().tolist())


def test_a_store_that_expects_another_shape_is_told() -> None:
    with pytest.raises(CorruptError, match="expected \\(2, 60\\)"):
        decode_array(FAST.encode(_walk((60, 2))), (2, 60))


@pytest.mark.parametrize("shape", [(1 << 20, 1 << 21), (9, 1 << 39, 9), (1 << 20, 300)])
def test_sizes_that_cannot_be_are_refused_before_memory_is_taken(shape: tuple[int, ...]) -> None:
    hostile = encode_array_parts(ArrayForm(dtype=np.dtype("i2"), shape=shape), [])
    with pytest.raises(CorruptError):
        decode_array(hostile)
