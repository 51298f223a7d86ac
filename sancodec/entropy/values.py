"""Integers coded against a predicted value and a predicted mean magnitude.

A sample ``x`` with prediction ``p`` and scale ``s`` is coded as ``v = x - floor(p)``. For large
scales the ``shift`` lowest bits of ``v`` go out as they are, and only ``u = v >> shift`` through
the density; an escape symbol carries whatever lies outside of ``-reach <= u < reach``.
Intervals are out of ``2**CDF_BITS``; every ``u`` within reach has at least one count.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled, inlined
from sancodec.entropy.rans import advance
from sancodec.entropy.tables import CDF_BITS, GUESS_BITS, STEPS_PER_UNIT, UNITS

TOTAL = 1 << CDF_BITS
MAX_SYMBOLS = 5
"""Most symbols that one value takes: the escape and its raw bits."""
MAX_VALUE = 1 << 40
"""Bound on ``abs(v)``: what the raw bits of an escape can hold."""

_CENTRE = UNITS * STEPS_PER_UNIT
_MAX_SCALE = 128.0
_RAW_BITS = 14
_N_RAW = 3


@inlined
def _cumulative(table: NDArray[np.int32], z: float) -> int:
    t = z * STEPS_PER_UNIT + _CENTRE
    if t <= 0.0:
        return int(np.int64(table[0]))
    if t >= 2 * _CENTRE:
        return int(np.int64(table[2 * _CENTRE]))
    i = int(t)
    fraction = int((t - i) * 4096.0)
    low = int(np.int64(table[i]))
    return low + (((int(np.int64(table[i + 1])) - low) * fraction) >> 12)


@inlined
def _layout(scale: float) -> tuple[int, int]:
    """Give the number of raw low bits, and the reach of u on either side."""
    shift = 0
    scaled = scale
    while scaled > _MAX_SCALE and shift < 36:
        scaled *= 0.5
        shift += 1
    return shift, int(24.0 * scaled) + 16


@inlined
def _edge(  # noqa: PLR0917
    table: NDArray[np.int32], u: int, shift: int, reach: int, fraction: float, inverse: float
) -> int:
    """Give the lower edge of u's interval; the upper one is the lower edge of u + 1."""
    z = (float(u << shift) - fraction - 0.5) * inverse
    return ((_cumulative(table, z) * (TOTAL - 2 * reach - 1)) >> CDF_BITS) + u + reach


@compiled
def _put(symbols: NDArray[np.int64], n_symbols: int, start: int, freq: int, bits: int) -> int:
    symbols[0, n_symbols] = start
    symbols[1, n_symbols] = freq
    symbols[2, n_symbols] = bits
    return n_symbols + 1


@compiled
def put_value(  # noqa: PLR0917
    table: NDArray[np.int32],
    value: int,
    prediction: float,
    scale: float,
    symbols: NDArray[np.int64],
    n_symbols: int,
) -> int:
    """Append the symbols of ``value`` to (3, capacity) ``symbols``; give their new number."""
    base = math.floor(prediction)
    v = value - int(base)
    fraction = prediction - base
    shift, reach = _layout(scale)
    u = v >> shift
    if u < -reach or u >= reach:
        n_symbols = _put(symbols, n_symbols, TOTAL - 1, 1, CDF_BITS)
        raw = v + MAX_VALUE
        for i in range(_N_RAW):
            part = (raw >> (_RAW_BITS * i)) & ((1 << _RAW_BITS) - 1)
            n_symbols = _put(symbols, n_symbols, part, 1, _RAW_BITS)
        return n_symbols
    inverse = 1.0 / scale
    low = _edge(table, u, shift, reach, fraction, inverse)
    high = _edge(table, u + 1, shift, reach, fraction, inverse)
    n_symbols = _put(symbols, n_symbols, low, high - low, CDF_BITS)
    left = shift
    while left > 0:
        bits = min(left, _RAW_BITS)
        left -= bits
        n_symbols = _put(symbols, n_symbols, (v >> left) & ((1 << bits) - 1), 1, bits)
    return n_symbols


@compiled
def _take_raw(words: NDArray[np.uint32], cursor: NDArray[np.int64], bits: int) -> int:
    raw = int(cursor[0] & ((1 << bits) - 1))
    advance(words, cursor, raw, 1, bits)
    return raw


@compiled
def _search(  # noqa: PLR0917
    table: NDArray[np.int32],
    target: int,
    guess: int,
    shift: int,
    reach: int,
    fraction: float,
    inverse: float,
) -> tuple[int, int, int]:
    """Give the u whose interval holds ``target``, and the edges of that interval."""
    u = min(max(guess, -reach), reach - 1)
    low = _edge(table, u, shift, reach, fraction, inverse)
    step = 1
    if low > target:
        above = u
        while low > target:
            above = u
            u = max(u - step, -reach)
            step *= 2
            low = _edge(table, u, shift, reach, fraction, inverse)
    else:
        above = u + 1
        high = _edge(table, above, shift, reach, fraction, inverse)
        if high > target:
            return u, low, high
        while high <= target:
            u = above
            above = min(above + step, reach)
            step *= 2
            high = _edge(table, above, shift, reach, fraction, inverse)
    # The interval lies within u .. above: halve what is left.
    while above - u > 1:
        middle = (u + above) >> 1
        if _edge(table, middle, shift, reach, fraction, inverse) <= target:
            u = middle
        else:
            above = middle
    low = _edge(table, u, shift, reach, fraction, inverse)
    return u, low, _edge(table, u + 1, shift, reach, fraction, inverse)


@compiled
def take_value(  # noqa: PLR0917
    table: NDArray[np.int32],
    guesses: NDArray[np.float32],
    prediction: float,
    scale: float,
    words: NDArray[np.uint32],
    cursor: NDArray[np.int64],
) -> int:
    """Take the value that ``put_value`` appended, given the same prediction and scale."""
    base = math.floor(prediction)
    fraction = prediction - base
    shift, reach = _layout(scale)
    target = cursor[0] & (TOTAL - 1)
    if target == TOTAL - 1:
        advance(words, cursor, TOTAL - 1, 1, CDF_BITS)
        raw = 0
        for i in range(_N_RAW):
            raw |= _take_raw(words, cursor, _RAW_BITS) << (_RAW_BITS * i)
        return int(base) + raw - MAX_VALUE
    inverse = 1.0 / scale
    where = float(guesses[target >> (CDF_BITS - GUESS_BITS)]) * scale + fraction + 0.5
    guess = math.floor(where) >> shift
    u, low, high = _search(table, target, guess, shift, reach, fraction, inverse)
    advance(words, cursor, low, high - low, CDF_BITS)
    v = u << shift
    left = shift
    while left > 0:
        bits = min(left, _RAW_BITS)
        left -= bits
        v |= _take_raw(words, cursor, bits) << left
    return int(base) + v
