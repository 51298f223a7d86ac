"""Values coded with the static tables of the fast level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sancodec.entropy.ladder import (
    BITS,
    MAX_SHIFT,
    MAX_SYMBOLS,
    MAX_VALUE,
    N_OCTAVES,
    QUARTERS,
    STEPS_PER_OCTAVE,
    ladder,
    put_step,
    step_of,
    take_step,
)
from sancodec.entropy.rans import LOWER_BOUND, encode_symbols, open_words

TABLES = ladder()
N_STEPS = N_OCTAVES * STEPS_PER_OCTAVE

Case = tuple[float, int, int]
"""Scale, quarter, value."""


def put_all(cases: list[Case]) -> tuple[NDArray[np.uint32], float]:
    """Give the words, and the bits that they should take."""
    symbols = np.zeros((3, MAX_SYMBOLS * len(cases)), np.int64)
    n = 0
    for scale, quarter, value in cases:
        before = n
        n = put_step(TABLES, *step_of(scale), quarter, value, symbols, n)
        assert n - before <= MAX_SYMBOLS
    bits = (symbols[2, :n] - np.log2(symbols[1, :n])).sum()
    return encode_symbols(symbols[0], symbols[1], symbols[2], n), float(bits)


def take_all(words: NDArray[np.uint32], cases: list[Case]) -> tuple[list[int], bool]:
    cursor = np.zeros(3, np.int64)
    assert open_words(words, cursor)
    state, word = int(cursor[0]), int(cursor[1])
    values = []
    for scale, quarter, _ in cases:
        value, state, word = take_step(TABLES, *step_of(scale), quarter, words, state, word)
        values.append(value)
    return values, state == LOWER_BOUND and word == words.size


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 2.0**40),
            st.integers(0, 3),
            st.one_of(st.integers(-300, 300), st.integers(1 - MAX_VALUE, MAX_VALUE - 1)),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_values_of_any_scale_come_back(cases: list[Case]) -> None:
    words, _ = put_all(cases)
    assert take_all(words, cases) == ([value for *_, value in cases], True)


def test_every_table_rises_from_nothing_to_everything() -> None:
    assert TABLES.edges.shape == (N_STEPS * QUARTERS, 257)
    assert (np.diff(TABLES.edges, axis=1) >= 0).all()
    assert (TABLES.edges[:, 0] == 0).all()
    assert (TABLES.edges[:, -1] == 1 << BITS).all()
    assert (TABLES.edges[:, -2] < 1 << BITS).all()


def test_a_guess_is_the_symbol_of_its_first_slot() -> None:
    slots = np.arange(256) << (BITS - 8)
    rows = np.arange(len(TABLES.edges))[:, None]
    assert (TABLES.edges[rows, TABLES.guesses] <= slots).all()
    assert (TABLES.edges[rows, TABLES.guesses.astype(int) + 1] > slots).all()


@pytest.mark.parametrize("octave", range(-6, 35))
def test_a_step_is_an_eighth_of_an_octave(octave: int) -> None:
    steps = [step_of(2.0**octave * (1 + part / 8)) for part in range(8)]
    above = max(octave - 2, 0)
    assert steps == [((octave + 6 - above) * 8 + part, above) for part in range(8)]


@pytest.mark.parametrize(("scale", "expected"), [(0.0, (0, 0)), (1e30, (N_STEPS - 1, MAX_SHIFT))])
def test_scales_beyond_the_ladder_take_its_ends(scale: float, expected: tuple[int, int]) -> None:
    assert step_of(scale) == expected


@pytest.mark.parametrize("scale", [0.7, 2.0, 5.0, 300.0, 1e6])
def test_values_of_the_expected_magnitude_take_little_more_than_their_entropy(
    scale: float,
) -> None:
    rng = np.random.default_rng(3)
    values = np.round(rng.normal(0.0, scale * np.sqrt(np.pi / 2), 4000)).astype(int)
    _, bits = put_all([(scale, 0, int(value)) for value in values])
    entropy = 0.5 * np.log2(2 * np.pi * np.e * (scale**2 * np.pi / 2 + 1 / 12))
    assert bits / 4000 < entropy + 0.12


def test_words_that_end_too_soon_are_noticed() -> None:
    cases = [(3.0, 1, 2)] * 400
    words, _ = put_all(cases)
    cursor = np.zeros(3, np.int64)
    open_words(words, cursor)
    state, word = int(cursor[0]), int(cursor[1])
    for scale, quarter, _ in cases:
        step, shift = step_of(scale)
        _, state, word = take_step(TABLES, step, shift, quarter, words[:-5], state, word)
    assert word == words.size - 5 + 1
