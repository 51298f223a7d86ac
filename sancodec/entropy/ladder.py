"""Small integers coded with static tables, one per step of a ladder of scales.

Eight steps an octave: a step is the exponent and the first three bits below the leading one of the
expected mean magnitude, and a table more for each quarter between two integers that the
prediction may fall on. Above the ladder the lowest bits go out as they are, with the top octave's
tables for the rest. A table holds ``u`` within REACH and an escape. The decoder guesses ``u`` from
the upper bits of its state and walks up from there.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.entropy.rans import LOWER_BOUND
from sancodec.entropy.tables import CDF_BITS, STEPS_PER_UNIT, UNITS, density_table

BITS = 16
REACH = 127
QUARTERS = 4
STEPS_PER_OCTAVE = 8
LOWEST_OCTAVE, N_OCTAVES = -6, 9
MAX_SHIFT = 32
MAX_SYMBOLS = 5
"""Most symbols that one value takes: the escape, its length, and its raw bits."""
MAX_VALUE = 1 << 40
"""Bound on ``abs(value)``: an escape holds no more."""

_ESCAPE = 2 * REACH + 1
_GUESS_BITS = 8
_N_STEPS = STEPS_PER_OCTAVE * N_OCTAVES
_LENGTH_BITS = 6
_RAW_BITS = 14
_EXPONENT_BIAS = 127
_FIRST_STEP = (_EXPONENT_BIAS + LOWEST_OCTAVE) * STEPS_PER_OCTAVE


class Ladder(NamedTuple):
    """The tables, in the order of steps and then of quarters."""

    edges: NDArray[np.int32]
    """(n_tables, 257) first slot of each symbol, the last of which is the escape, and the end."""
    guesses: NDArray[np.uint8]
    """(n_tables, 256) symbol that the first slot of each 256 belongs to."""


def _table(density: NDArray[np.int64], scale: float, fraction: float) -> NDArray[np.int64]:
    """Give the (257,) edges of the symbols, from the density of residuals over scale."""
    # Symbols that hardly ever come would cost those that do: the escape takes them.
    reach = min(int(20.0 * scale) + 2, REACH)
    u = np.arange(-REACH, REACH + 2)
    at = (u - fraction - 0.5) / scale * STEPS_PER_UNIT + UNITS * STEPS_PER_UNIT
    at = np.clip(at, 0.0, float(len(density) - 1))
    low = np.minimum(at.astype(np.int64), len(density) - 2)
    part = ((at - low) * 4096.0).astype(np.int64)
    cumulative = density[low] + (((density[low + 1] - density[low]) * part) >> 12)
    inside = np.clip(u + reach, 0, 2 * reach + 1)
    cumulative = cumulative[np.clip(u, -reach, reach + 1) + REACH]
    room = (1 << BITS) - (2 * reach + 1) - 1
    return np.append(((cumulative * room) >> CDF_BITS) + inside, 1 << BITS)


@cache
def ladder() -> Ladder:
    """Give the tables; made of the density that ships with the package, exactly."""
    density = density_table().astype(np.int64)
    tables = []
    for step in range(_N_STEPS):
        octave, part = divmod(step, STEPS_PER_OCTAVE)
        scale = 2.0 ** (octave + LOWEST_OCTAVE) * (1.0 + (part + 0.5) / STEPS_PER_OCTAVE)
        tables += [_table(density, scale, quarter / QUARTERS) for quarter in range(QUARTERS)]
    edges = np.stack(tables)
    slots = np.arange(1 << _GUESS_BITS) << (BITS - _GUESS_BITS)
    guesses = [np.searchsorted(table, slots, side="right") - 1 for table in edges]
    return Ladder(edges.astype(np.int32), np.stack(guesses).astype(np.uint8))


@compiled
def step_of(scale: float) -> tuple[int, int]:
    """Give the step of the ladder for a scale of 0 or more, and the number of raw low bits."""
    step = (int(np.float32(scale).view(np.int32)) >> 20) - _FIRST_STEP
    if step < 0:
        return 0, 0
    if step < _N_STEPS:
        return step, 0
    shift = ((step - _N_STEPS) >> 3) + 1
    if shift > MAX_SHIFT:
        return _N_STEPS - 1, MAX_SHIFT
    return step - 8 * shift, shift


@compiled
def _put_raw(symbols: NDArray[np.int64], n_symbols: int, raw: int, n_bits: int) -> int:
    """Append the ``n_bits`` lowest bits of ``raw``, from the highest part down."""
    left = n_bits
    while left > 0:
        bits = min(left, _RAW_BITS)
        left -= bits
        symbols[0, n_symbols] = (raw >> left) & ((1 << bits) - 1)
        symbols[1, n_symbols] = 1
        symbols[2, n_symbols] = bits
        n_symbols += 1
    return n_symbols


@compiled
def put_step(  # noqa: PLR0917
    tables: Ladder,
    step: int,
    shift: int,
    quarter: int,
    value: int,
    symbols: NDArray[np.int64],
    n_symbols: int,
) -> int:
    """Append the symbols of ``value`` to (3, capacity) ``symbols``; give their new number."""
    half = (1 << shift) >> 1
    u = (value + half) >> shift
    number = step * QUARTERS + (0 if shift else quarter)
    edges = tables.edges
    symbol = min(max(u + REACH, -1), _ESCAPE)
    low = int(edges[number, symbol]) if symbol >= 0 else 0
    high = int(edges[number, symbol + 1]) if 0 <= symbol < _ESCAPE else low
    symbols[2, n_symbols] = BITS
    if high == low:
        start = int(edges[number, _ESCAPE])
        symbols[0, n_symbols] = start
        symbols[1, n_symbols] = (1 << BITS) - start
        folded = (value << 1) ^ (value >> 63)
        n_bits = 0
        while folded >> n_bits:
            n_bits += 1
        n_symbols = _put_raw(symbols, n_symbols + 1, n_bits, _LENGTH_BITS)
        return _put_raw(symbols, n_symbols, folded, n_bits)
    symbols[0, n_symbols] = low
    symbols[1, n_symbols] = high - low
    return _put_raw(symbols, n_symbols + 1, value + half, shift)


@compiled
def _refill(words: NDArray[np.uint32], state: int, at: int) -> tuple[int, int]:
    """Take a word into a state that fell below its bound; none left counts as a word more."""
    if state >= LOWER_BOUND:
        return state, at
    if at < words.size:
        return (state << 32) | int(words[at]), at + 1
    return (state << 32) | LOWER_BOUND, words.size + 1


@compiled
def _take_raw(words: NDArray[np.uint32], state: int, at: int, n_bits: int) -> tuple[int, int, int]:
    raw = 0
    left = n_bits
    while left > 0:
        bits = min(left, _RAW_BITS)
        left -= bits
        raw = (raw << bits) | (state & ((1 << bits) - 1))
        state, at = _refill(words, state >> bits, at)
    return raw, state, at


@compiled
def take_step(  # noqa: PLR0917
    tables: Ladder,
    step: int,
    shift: int,
    quarter: int,
    words: NDArray[np.uint32],
    state: int,
    at: int,
) -> tuple[int, int, int]:
    """Take the value that ``put_step`` appended; give it, the state and the next word.

    Past the end the next word is ``words.size + 1``; what is taken then is within MAX_VALUE.
    """
    number = step * QUARTERS + (0 if shift else quarter)
    edges = tables.edges
    slot = state & ((1 << BITS) - 1)
    symbol = int(tables.guesses[number, slot >> (BITS - _GUESS_BITS)])
    low, high = int(edges[number, symbol]), int(edges[number, symbol + 1])
    while high <= slot:
        symbol += 1
        low, high = high, int(edges[number, symbol + 1])
    state, at = _refill(words, (high - low) * (state >> BITS) + slot - low, at)
    if symbol == _ESCAPE:
        n_bits, state, at = _take_raw(words, state, at, _LENGTH_BITS)
        folded, state, at = _take_raw(words, state, at, min(n_bits, 41))
        return (folded >> 1) ^ -(folded & 1), state, at
    value = (symbol - REACH) << shift
    if shift:
        raw, state, at = _take_raw(words, state, at, shift)
        value += raw - ((1 << shift) >> 1)
    return value, state, at
