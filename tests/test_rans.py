"""The rANS coder: what went in comes out, and nothing else ends where it should."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.entropy.rans import (
    LOWER_BOUND,
    MAX_BITS,
    advance,
    at_end,
    encode_symbols,
    open_words,
)

Symbols = list[tuple[int, int, int]]


@st.composite
def symbols_of_any_size(draw: st.DrawFn) -> Symbols:
    symbols = []
    for _ in range(draw(st.integers(0, 60))):
        bits = draw(st.integers(1, MAX_BITS))
        start = draw(st.integers(0, (1 << bits) - 1))
        freq = draw(st.one_of(st.just(1), st.integers(1, (1 << bits) - start)))
        symbols.append((start, freq, bits))
    return symbols


def encode(symbols: Symbols) -> NDArray[np.uint32]:
    columns = np.array(symbols, np.int64).reshape(-1, 3).T
    return encode_symbols(*np.ascontiguousarray(columns), len(symbols))


@compiled
def take_all(
    words: NDArray[np.uint32], symbols: NDArray[np.int64]
) -> tuple[NDArray[np.int64], bool]:
    """Give the value that stands where each symbol was, and whether the end is the right one."""
    cursor = np.zeros(3, np.int64)
    values = np.full(len(symbols), -1, np.int64)
    if not open_words(words, cursor):
        return values, False
    for i in range(len(symbols)):
        start, freq, bits = symbols[i]
        values[i] = cursor[0] & ((1 << bits) - 1)
        advance(words, cursor, start, freq, bits)
    return values, at_end(words, cursor)


def decode(words: NDArray[np.uint32], symbols: Symbols) -> tuple[NDArray[np.int64], bool]:
    return take_all(words, np.array(symbols, np.int64).reshape(-1, 3))


@given(symbols_of_any_size())
@settings(max_examples=200, deadline=None)
def test_each_symbol_is_found_in_its_interval_and_the_end_is_the_beginning(
    symbols: Symbols,
) -> None:
    values, ended = decode(encode(symbols), symbols)
    assert ended
    for value, (start, freq, _) in zip(values.tolist(), symbols, strict=True):
        assert start <= value < start + freq


@given(symbols_of_any_size(), st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_words_that_are_missing_or_left_are_noticed(symbols: Symbols, n_words: int) -> None:
    words = encode(symbols)
    assert not decode(words[:-n_words], symbols)[1]
    assert not decode(np.append(words, np.zeros(n_words, np.uint32)), symbols)[1]


@given(symbols_of_any_size(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_changed_word_changes_the_end_or_the_symbols(
    symbols: Symbols, data: st.DataObject
) -> None:
    words = encode(symbols)
    at = data.draw(st.integers(0, len(words) - 1))
    words[at] ^= np.uint32(1 << data.draw(st.integers(0, 31)))
    values, ended = decode(words, symbols)
    outside = any(
        not start <= value < start + freq
        for value, (start, freq, _) in zip(values.tolist(), symbols, strict=True)
    )
    assert outside or not ended


def test_the_code_is_as_long_as_its_information() -> None:
    generator = np.random.default_rng(3)
    bits = generator.integers(8, MAX_BITS + 1, 5000)
    freq = np.array([generator.integers(1, (1 << b) + 1) for b in bits])
    start = np.array(
        [generator.integers(0, (1 << b) - f + 1) for b, f in zip(bits, freq, strict=True)]
    )
    words = encode_symbols(start, freq, bits, 5000)
    information = float((bits - np.log2(freq)).sum())
    assert information <= 32 * words.size <= information + 64 + 0.001 * information


@given(st.lists(st.integers(0, (1 << 32) - 1), max_size=5))
@settings(deadline=None)
def test_only_states_that_an_encoder_leaves_are_opened(words: list[int]) -> None:
    array = np.array(words, np.uint32)
    opened = bool(open_words(array, np.zeros(3, np.int64)))
    state = (words[0] << 32 | words[1]) if len(words) >= 2 else 0
    assert opened == (LOWER_BOUND <= state < 1 << 63)


def test_the_words_are_pinned() -> None:
    symbols = [(0, 1, 1), (5, 3, 4), (1 << 23, 1, 24), ((1 << 24) - 1, 1, 24), (0, 255, 8)] * 3
    assert encode(symbols).tolist() == [
        40250697,
        3131746988,
        2516582399,
        285212671,
        359317518,
        2164260863,
    ]
