"""Asymmetric numeral systems with 64 bits of state and words of 32 bits (Duda 2013, rANS).

Symbols are coded last to first and decoded first to last. A symbol is an interval
``start, start + freq`` of ``2**bits``; state stays in ``2**31 .. 2**63 - 1``, so int64 holds it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled, inlined
from sancodec.errors import CorruptError

LOWER_BOUND = 1 << 31
MAX_BITS = 24


@compiled
def encode_symbols(
    start: NDArray[np.int64], freq: NDArray[np.int64], bits: NDArray[np.int64], n_symbols: int
) -> NDArray[np.uint32]:
    """Code symbols as the words that ``Decoder`` functions read in order.

    Parameters
    ----------
    start, freq, bits : (at least n_symbols,) int64
        The interval of each symbol, out of ``2**bits``, in the order of decoding; ``freq >= 1``
        and ``bits <= MAX_BITS``.

    Returns
    -------
    (n_words,) uint32
        The first two words are the decoder's first state.
    """
    words = np.empty(n_symbols + 2, np.uint32)
    at = n_symbols + 2
    state = LOWER_BOUND
    for i in range(n_symbols - 1, -1, -1):
        f = freq[i]
        if state >> (63 - bits[i]) >= f:
            at -= 1
            words[at] = state & 0xFFFFFFFF
            state >>= 32
        quotient = state // f
        state = (quotient << bits[i]) + (state - quotient * f) + start[i]
    at -= 1
    words[at] = state & 0xFFFFFFFF
    at -= 1
    words[at] = state >> 32
    return words[at:]


def words_of(payload: bytes, field: str) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Give the words of a payload, and a cursor at their start.

    Raises
    ------
    CorruptError
        The payload is no whole number of words, or its first state is invalid.
    """
    if len(payload) % 4:
        raise CorruptError(f"{field}: {len(payload)} bytes, expected a multiple of 4")
    words = np.frombuffer(payload, "<u4").astype(np.uint32)
    cursor = np.zeros(3, np.int64)
    if not open_words(words, cursor):
        raise CorruptError(f"{field}: the first state is out of range")
    return words, cursor


@compiled
def open_words(words: NDArray[np.uint32], cursor: NDArray[np.int64]) -> bool:
    """Set ``cursor`` = (state, next word, overrun) to the start of ``words``; False if invalid."""
    if words.size < 2:
        return False
    cursor[0] = (np.int64(words[0]) << 32) | np.int64(words[1])
    cursor[1] = 2
    cursor[2] = 0
    return bool(cursor[0] >= LOWER_BOUND and words[0] < LOWER_BOUND)


@inlined
def advance(
    words: NDArray[np.uint32], cursor: NDArray[np.int64], start: int, freq: int, bits: int
) -> None:
    """Take the symbol ``start, freq`` of ``2**bits`` off the state; note an overrun."""
    state = cursor[0]
    state = freq * (state >> bits) + (state & ((1 << bits) - 1)) - start
    if state < LOWER_BOUND:
        at = cursor[1]
        if at < words.size:
            state = (state << 32) | np.int64(words[at])
        else:
            state = (state << 32) | LOWER_BOUND
            cursor[2] = 1
        cursor[1] = at + 1
    cursor[0] = state


@compiled
def at_end(words: NDArray[np.uint32], cursor: NDArray[np.int64]) -> bool:
    """Tell whether decoding ended exactly where encoding began: every word used, no overrun."""
    return bool(cursor[2] == 0 and cursor[1] == words.size and cursor[0] == LOWER_BOUND)
