"""Whole numbers coded bit by bit, with probabilities that adapt to what came before.

A number is an exponent in unary and the bits below its leading one (Elias gamma); each bit of the
exponent and the first bits below it have adaptive probabilities, in a block of contexts that
belongs to the field the number is in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.entropy.rans import advance

CONTEXTS_PER_FIELD = 256
SYMBOLS_PER_NUMBER = 2 * 41 + 1
"""Most symbols that one signed number takes."""
MAX_NUMBER = (1 << 40) - 2

_BITS = 16
_HALF = 1 << (_BITS - 1)
_MAX_EXPONENT = 40
_ZERO, _SIGN, _UNARY, _BELOW = 0, 1, 2, 64
_ADAPTIVE_BELOW = 2
_SLOWEST = 24


def new_contexts(n_fields: int) -> NDArray[np.int64]:
    """Give (2, n_fields * CONTEXTS_PER_FIELD) contexts: counts of zeros in 2**16, and of bits."""
    contexts = np.zeros((2, n_fields * CONTEXTS_PER_FIELD), np.int64)
    contexts[0] = _HALF
    return contexts


@compiled
def _adapt(contexts: NDArray[np.int64], at: int, bit: int) -> None:
    seen = contexts[1, at]
    zero = contexts[0, at]
    target = 0 if bit else (1 << _BITS)
    zero += (target - zero) // (seen + 2)
    contexts[0, at] = min(max(zero, 32), (1 << _BITS) - 32)
    if seen < _SLOWEST:
        contexts[1, at] = seen + 1


@compiled
def _put_bit(
    symbols: NDArray[np.int64], n_symbols: int, contexts: NDArray[np.int64], at: int, bit: int
) -> int:
    zero = contexts[0, at]
    symbols[0, n_symbols] = zero if bit else 0
    symbols[1, n_symbols] = (1 << _BITS) - zero if bit else zero
    symbols[2, n_symbols] = _BITS
    _adapt(contexts, at, bit)
    return n_symbols + 1


@compiled
def _take_bit(
    words: NDArray[np.uint32], cursor: NDArray[np.int64], contexts: NDArray[np.int64], at: int
) -> int:
    zero = contexts[0, at]
    bit = 1 if (cursor[0] & ((1 << _BITS) - 1)) >= zero else 0
    if bit:
        advance(words, cursor, zero, (1 << _BITS) - zero, _BITS)
    else:
        advance(words, cursor, 0, zero, _BITS)
    _adapt(contexts, at, bit)
    return bit


@compiled
def put_number(
    symbols: NDArray[np.int64],
    n_symbols: int,
    contexts: NDArray[np.int64],
    field: int,
    number: int,
) -> int:
    """Append ``0 <= number <= MAX_NUMBER`` to (3, capacity) ``symbols``; give their new number."""
    base = field * CONTEXTS_PER_FIELD
    number += 1
    exponent = 0
    while number >> (exponent + 1):
        exponent += 1
    for i in range(exponent):
        n_symbols = _put_bit(symbols, n_symbols, contexts, base + _UNARY + i, 1)
    n_symbols = _put_bit(symbols, n_symbols, contexts, base + _UNARY + exponent, 0)
    for i in range(exponent):
        bit = (number >> (exponent - 1 - i)) & 1
        if i < _ADAPTIVE_BELOW:
            prefix = (number >> (exponent - i)) & 1 if i else 0
            at = base + _BELOW + exponent * 3 + i + prefix
            n_symbols = _put_bit(symbols, n_symbols, contexts, at, bit)
        else:
            symbols[0, n_symbols] = bit
            symbols[1, n_symbols] = 1
            symbols[2, n_symbols] = 1
            n_symbols += 1
    return n_symbols


@compiled
def take_number(
    words: NDArray[np.uint32], cursor: NDArray[np.int64], contexts: NDArray[np.int64], field: int
) -> int:
    """Take the number that ``put_number`` appended with the same field."""
    base = field * CONTEXTS_PER_FIELD
    exponent = 0
    while exponent < _MAX_EXPONENT and _take_bit(words, cursor, contexts, base + _UNARY + exponent):
        exponent += 1
    number = 1
    for i in range(exponent):
        if i < _ADAPTIVE_BELOW:
            prefix = number & 1 if i else 0
            at = base + _BELOW + exponent * 3 + i + prefix
            bit = _take_bit(words, cursor, contexts, at)
        else:
            bit = cursor[0] & 1
            advance(words, cursor, bit, 1, 1)
        number = (number << 1) | bit
    return number - 1


@compiled
def put_signed(
    symbols: NDArray[np.int64],
    n_symbols: int,
    contexts: NDArray[np.int64],
    field: int,
    number: int,
) -> int:
    """Append a number of either sign; give the new number of symbols."""
    base = field * CONTEXTS_PER_FIELD
    n_symbols = _put_bit(symbols, n_symbols, contexts, base + _ZERO, 1 if number else 0)
    if number == 0:
        return n_symbols
    n_symbols = _put_bit(symbols, n_symbols, contexts, base + _SIGN, 1 if number < 0 else 0)
    return put_number(symbols, n_symbols, contexts, field, abs(number) - 1)


@compiled
def take_signed(
    words: NDArray[np.uint32], cursor: NDArray[np.int64], contexts: NDArray[np.int64], field: int
) -> int:
    """Take the number that ``put_signed`` appended with the same field."""
    base = field * CONTEXTS_PER_FIELD
    if not _take_bit(words, cursor, contexts, base + _ZERO):
        return 0
    negative = _take_bit(words, cursor, contexts, base + _SIGN)
    number = take_number(words, cursor, contexts, field) + 1
    return -number if negative else number
