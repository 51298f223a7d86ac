"""Leads coded one after the other against densities: what such residual layers have in common."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.entropy.rans import at_end, encode_symbols, words_of
from sancodec.entropy.tables import density_table, guess_table
from sancodec.entropy.values import MAX_SYMBOLS, put_value, take_value
from sancodec.errors import CorruptError

FRACTION_BITS = 4
"""The SAN reconstruction comes in units of 2**-FRACTION_BITS ADC units."""
LOWEST, HIGHEST = -(1 << 31), (1 << 31) - 1

_FIRST_SCALE = 1024.0


class Coder(NamedTuple):
    """Symbols to append to (encoding) or words to take from (decoding)."""

    table: NDArray[np.int32]
    guesses: NDArray[np.float32]
    symbols: NDArray[np.int64]
    words: NDArray[np.uint32]
    cursor: NDArray[np.int64]


class Leads(Protocol):
    """The leads of a chunk; each call of ``code`` may use what those before have left."""

    def code(
        self, lead: int, samples: NDArray[np.int64], n_symbols: int, coder: Coder, decoding: bool
    ) -> int:
        """Code or decode one lead in place; give the number of symbols put so far."""


@compiled
def code_first(decoding: bool, samples: NDArray[np.int64], n_symbols: int, coder: Coder) -> int:
    """Code or decode sample 0, of which nothing is known but that it is near zero or not."""
    if decoding:
        samples[0] = take_value(
            coder.table, coder.guesses, 0.0, _FIRST_SCALE, coder.words, coder.cursor
        )
        return n_symbols
    return put_value(coder.table, samples[0], 0.0, _FIRST_SCALE, coder.symbols, n_symbols)


def _symbols_of(leads: Leads, samples: NDArray[np.int32]) -> tuple[NDArray[np.int64], list[int]]:
    """Give the symbols of all leads, and how many there are after each lead."""
    symbols = np.empty((3, MAX_SYMBOLS * samples.size), np.int64)
    coder = Coder(
        density_table(), guess_table(), symbols, np.zeros(0, np.uint32), np.zeros(3, np.int64)
    )
    counts = [0]
    for lead in range(samples.shape[0]):
        counts.append(leads.code(lead, samples[lead].astype(np.int64), counts[-1], coder, False))
    return symbols, counts


def bits_of_leads(leads: Leads, samples: NDArray[np.int32]) -> NDArray[np.float64]:
    """Give the (n_leads,) bits that ``encode_leads`` would spend, to choose by."""
    symbols, counts = _symbols_of(leads, samples)
    bits = symbols[2, : counts[-1]] - np.log2(symbols[1, : counts[-1]])
    totals = np.concatenate([[0.0], np.cumsum(bits)])
    return np.diff(totals[counts])


def encode_leads(leads: Leads, samples: NDArray[np.int32]) -> bytes:
    """Code (n_leads, n_samples) samples so that ``decode_leads`` gives them back exactly."""
    symbols, counts = _symbols_of(leads, samples)
    words = encode_symbols(symbols[0], symbols[1], symbols[2], counts[-1])
    return words.astype("<u4").tobytes()


def decode_leads(leads: Leads, payload: bytes, n_leads: int, n_samples: int) -> NDArray[np.int32]:
    """Give back the (n_leads, n_samples) int32 samples of ``encode_leads``.

    Raises
    ------
    CorruptError
        The payload does not end where its samples do, or a sample leaves the range of int32.
    """
    words, cursor = words_of(payload, "residual")
    coder = Coder(density_table(), guess_table(), np.zeros((3, 0), np.int64), words, cursor)
    decoded = np.zeros((n_leads, n_samples), np.int32)
    for lead in range(n_leads):
        samples = np.zeros(n_samples, np.int64)
        leads.code(lead, samples, 0, coder, True)
        if cursor[2] or samples.min() < LOWEST or samples.max() > HIGHEST:
            raise CorruptError(f"residual: lead {lead} does not decode to its samples")
        decoded[lead] = samples
    if not at_end(words, cursor):
        raise CorruptError("residual: words are left after the last sample")
    return decoded
