"""Adaptive numbers: positions, kernels and amplitudes of the SAN layer are made of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sancodec.entropy.adaptive import (
    MAX_NUMBER,
    SYMBOLS_PER_NUMBER,
    new_contexts,
    put_number,
    put_signed,
    take_number,
    take_signed,
)
from sancodec.entropy.compiled import compiled
from sancodec.entropy.rans import at_end, encode_symbols, open_words

N_FIELDS = 3
EDGES = [0, 1, 2, 3, 4, 7, 8, 255, 256, (1 << 20) - 1, (1 << 39) - 1, 1 << 39, MAX_NUMBER]

Numbers = list[tuple[int, bool, int]]
"""Field, whether it is signed, number."""


@compiled
def put_all(numbers: NDArray[np.int64], contexts: NDArray[np.int64]) -> NDArray[np.uint32]:
    symbols = np.empty((3, SYMBOLS_PER_NUMBER * len(numbers)), np.int64)
    n = 0
    for i in range(len(numbers)):
        field, signed, number = numbers[i]
        before = n
        if signed:
            n = put_signed(symbols, n, contexts, field, number)
        else:
            n = put_number(symbols, n, contexts, field, number)
        # Not assert: pytest rewrites it into what cannot be compiled.
        if n - before > SYMBOLS_PER_NUMBER:
            raise ValueError
    return encode_symbols(symbols[0], symbols[1], symbols[2], n)


@compiled
def take_all(
    words: NDArray[np.uint32], numbers: NDArray[np.int64], contexts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], bool]:
    cursor = np.zeros(3, np.int64)
    taken = np.zeros(len(numbers), np.int64)
    if not open_words(words, cursor):
        return taken, False
    for i in range(len(numbers)):
        if numbers[i, 1]:
            taken[i] = take_signed(words, cursor, contexts, numbers[i, 0])
        else:
            taken[i] = take_number(words, cursor, contexts, numbers[i, 0])
    return taken, at_end(words, cursor)


def encode(numbers: Numbers) -> NDArray[np.uint32]:
    return put_all(np.array(numbers, np.int64).reshape(-1, 3), new_contexts(N_FIELDS))


def decode(words: NDArray[np.uint32], numbers: Numbers) -> tuple[list[int], bool]:
    array = np.array(numbers, np.int64).reshape(-1, 3)
    taken, ended = take_all(words, array, new_contexts(N_FIELDS))
    return taken.tolist(), bool(ended)


unsigned = st.one_of(st.sampled_from(EDGES), st.integers(0, MAX_NUMBER), st.integers(0, 40))
any_numbers = st.lists(
    st.one_of(
        st.tuples(st.integers(0, N_FIELDS - 1), st.just(False), unsigned),
        st.tuples(
            st.integers(0, N_FIELDS - 1),
            st.just(True),
            st.builds(lambda size, sign: sign * size, unsigned, st.sampled_from([-1, 1])),
        ),
    ),
    max_size=50,
)


@given(any_numbers)
@settings(max_examples=200, deadline=None)
def test_numbers_of_any_size_and_sign_come_back(numbers: Numbers) -> None:
    taken, ended = decode(encode(numbers), numbers)
    assert taken == [number for _, _, number in numbers]
    assert ended


@pytest.mark.parametrize("number", EDGES)
def test_the_edges_of_every_exponent_come_back(number: int) -> None:
    numbers = [(0, False, number), (1, True, -number), (1, True, number)] * 30
    taken, ended = decode(encode(numbers), numbers)
    assert taken == [n for _, _, n in numbers]
    assert ended


@given(st.lists(st.integers(0, (1 << 32) - 1), min_size=2, max_size=30))
@settings(max_examples=200, deadline=None)
def test_garbage_gives_numbers_in_range_and_ends(words: list[int]) -> None:
    words[0] &= (1 << 31) - 1
    numbers = [(i % N_FIELDS, i % 2 == 0, 0) for i in range(100)]
    taken, _ = decode(np.array(words, np.uint32), numbers)
    assert all(abs(number) <= 1 << 41 for number in taken)


def test_a_number_that_comes_again_and_again_costs_little() -> None:
    words = encode([(0, False, 300)] * 1000)
    assert 32 * words.size < 1000 * 8


def test_fields_learn_apart() -> None:
    mixed = [(i % 2, False, 1000 * (i % 2)) for i in range(2000)]
    same_field = [(0, False, number) for _, _, number in mixed]
    assert encode(mixed).size < 0.8 * encode(same_field).size


def test_the_words_are_pinned() -> None:
    numbers = [(0, False, 5), (1, True, -70_000), (1, True, 0), (2, False, MAX_NUMBER)] * 2
    assert encode(numbers).tolist() == [
        597,
        1744168959,
        3355427746,
        4294951574,
        4292870143,
        2056830975,
        1413496590,
        2147483647,
    ]
