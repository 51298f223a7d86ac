"""Values coded against a prediction: every sample of every file goes through here."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.entropy.rans import at_end, encode_symbols, open_words
from sancodec.entropy.tables import CDF_BITS, STEPS_PER_UNIT, UNITS, density_table, guess_table
from sancodec.entropy.values import MAX_SYMBOLS, MAX_VALUE, TOTAL, put_value, take_value

TABLE, GUESSES = density_table(), guess_table()
INT32 = (-(1 << 31), (1 << 31) - 1)


@compiled
def put_all(
    values: NDArray[np.int64],
    predictions: NDArray[np.float64],
    scales: NDArray[np.float64],
    table: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Give the (3, n) symbols of all values."""
    symbols = np.empty((3, MAX_SYMBOLS * len(values)), np.int64)
    n = 0
    for i in range(len(values)):
        before = n
        n = put_value(table, values[i], predictions[i], scales[i], symbols, n)
        if n - before > MAX_SYMBOLS:
            raise ValueError
    return symbols[:, :n]


@compiled
def take_all(
    words: NDArray[np.uint32],
    predictions: NDArray[np.float64],
    scales: NDArray[np.float64],
    table: NDArray[np.int64],
    guesses: NDArray[np.float64],
) -> tuple[NDArray[np.int64], bool]:
    cursor = np.zeros(3, np.int64)
    values = np.zeros(len(predictions), np.int64)
    if not open_words(words, cursor):
        return values, False
    for i in range(len(predictions)):
        values[i] = take_value(table, guesses, predictions[i], scales[i], words, cursor)
    return values, at_end(words, cursor)


Case = tuple[int, float, float]
"""Value, prediction, scale."""


def columns(
    cases: list[Case],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    values = np.array([value for value, _, _ in cases], np.int64)
    predictions = np.array([prediction for _, prediction, _ in cases], np.float64)
    return values, predictions, np.array([scale for _, _, scale in cases], np.float64)


def encode(cases: list[Case]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    symbols = put_all(*columns(cases), TABLE)
    rows = np.ascontiguousarray(symbols)
    return rows, encode_symbols(rows[0], rows[1], rows[2], rows.shape[1])


def decode(words: NDArray[np.uint32], cases: list[Case]) -> tuple[list[int], bool]:
    _, predictions, scales = columns(cases)
    values, ended = take_all(words, predictions, scales, TABLE, GUESSES)
    return values.tolist(), bool(ended)


scales = st.one_of(
    st.floats(0.05, 1e12),
    st.floats(-3.0, 40.0).map(lambda e: 2.0**e),
    st.integers(-4, 40).map(lambda e: 2.0**e),
)
predictions = st.one_of(
    st.floats(-(2.0**36), 2.0**36),
    st.floats(-50.0, 50.0),
    st.integers(*INT32).map(float),
    st.sampled_from([-0.0, 0.5, -0.5, 1 - 2**-53, -(2**-1074), -(2.0**36), 2.0**36]),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Values near the prediction, at the edges of what the density reaches, and anywhere."""
    prediction, scale = draw(predictions), draw(scales)
    far = draw(st.sampled_from([0.0, 0.5, 3.0, 19.0, 20.5, 23.9, 24.1, 100.0]))
    near = math.floor(prediction + draw(st.sampled_from([-1, 1])) * far * scale)
    anywhere = st.integers(*INT32)
    value = draw(st.one_of(st.integers(near - 40, near + 40), anywhere))
    return min(max(value, INT32[0]), INT32[1]), prediction, scale


@given(st.lists(cases(), min_size=1, max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_value_comes_back_at_any_prediction_and_scale(listed: list[Case]) -> None:
    symbols, words = encode(listed)
    assert symbols[1].min() >= 1
    assert symbols[0].min() >= 0
    assert (symbols[0] + symbols[1] <= 1 << symbols[2]).all()
    assert decode(words, listed) == ([value for value, _, _ in listed], True)


@pytest.mark.parametrize("scale", [0.05, 0.4, 1.0, 30.0, 128.0, 128.1, 5e4, 4e10])
def test_every_value_around_the_reach_comes_back(scale: float) -> None:
    step = max(1, int(scale / 40))
    listed = [
        (around + step * i, 0.3, scale)
        for around in (-int(24 * scale) - 16, 0, int(24 * scale) + 16)
        for i in range(-60, 61)
    ]
    assert decode(encode(listed)[1], listed) == ([value for value, _, _ in listed], True)


@pytest.mark.parametrize("value", [-MAX_VALUE + 1, MAX_VALUE - 1, *INT32])
def test_values_far_outside_of_the_reach_escape(value: int) -> None:
    listed = [(value, 0.0, 0.05)]
    symbols, words = encode(listed)
    assert symbols[:, 0].tolist() == [TOTAL - 1, 1, CDF_BITS]
    assert decode(words, listed) == ([value], True)


def test_intervals_of_all_values_tile_what_the_escape_leaves() -> None:
    for prediction, scale in ((0.0, 0.05), (7.25, 3.0), (-0.9, 100.0)):
        reach = int(24 * scale) + 16
        base = math.floor(prediction)
        symbols, _ = encode([(base + u, prediction, scale) for u in range(-reach, reach)])
        assert symbols.shape[1] == 2 * reach
        np.testing.assert_array_equal(symbols[0, 1:], (symbols[0] + symbols[1])[:-1])
        assert symbols[0, 0] == 0
        assert symbols[0, -1] + symbols[1, -1] == TOTAL - 1


def test_the_code_is_as_long_as_the_density_says() -> None:
    scale = 20.0
    generator = np.random.default_rng(9)
    quantiles = generator.uniform(0, 1, 20_000)
    z = np.interp(quantiles, TABLE / TOTAL, np.arange(TABLE.size) / STEPS_PER_UNIT - UNITS)
    listed = [(round(zi * scale + 0.37), 0.37, scale) for zi in z.tolist()]
    density = np.diff(TABLE) / TOTAL
    used = density > 0
    entropy = -(density[used] * np.log2(density[used] * STEPS_PER_UNIT)).sum() + math.log2(scale)
    bits = 32 * encode(listed)[1].size / len(listed)
    assert entropy - 0.03 < bits < entropy + 0.03


def test_a_wrong_guess_only_costs_time() -> None:
    generator = np.random.default_rng(4)
    listed = [(int(v), 0.25, 6.0) for v in generator.normal(0, 10, 300)]
    _, words = encode(listed)
    _, where, loud = columns(listed)
    for wrong in (np.zeros_like(GUESSES), np.full_like(GUESSES, 1e6), GUESSES[::-1].copy()):
        values, ended = take_all(words, where, loud, TABLE, wrong)
        assert ended
        assert values.tolist() == [value for value, _, _ in listed]


@given(
    st.lists(st.integers(0, (1 << 32) - 1), min_size=2, max_size=20),
    st.lists(st.tuples(st.just(0), predictions, scales), min_size=1, max_size=60),
)
@settings(max_examples=300, deadline=None)
def test_garbage_gives_values_within_bounds_and_ends(words: list[int], listed: list[Case]) -> None:
    words[0] &= (1 << 31) - 1
    values, _ = decode(np.array(words, np.uint32), listed)
    for value, (_, prediction, scale) in zip(values, listed, strict=True):
        assert abs(value - prediction) <= max(4 * MAX_VALUE, 25 * scale + 100)
