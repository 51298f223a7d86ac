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


Extent = tuple[int, int]
"""How many leads are wanted, in the order of coding, and how many samples of them."""
# Blocks that a predictor learns from are shorter: what is wanted lies in whole ones.
_MARGIN = 64


def lengths_until(shape: tuple[int, int], until: Extent | None) -> list[int]:
    """Give how many samples are to be decoded of each lead, so that what is wanted is there.

    Parameters
    ----------
    shape : tuple of int
        Number of leads, and of samples of each.
    """
    n_leads, n_samples = shape
    if until is None:
        return [n_samples] * n_leads
    # Leads that others are predicted from are decoded whole.
    return [n_samples] * (until[0] - 1) + [min(n_samples, until[1] + _MARGIN)] * (until[0] > 0)


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


def decode_leads(
    leads: Leads, payload: bytes, shape: tuple[int, int], until: Extent | None = None
) -> NDArray[np.int32]:
    """Give back the (n_leads, n_samples) int32 samples of ``encode_leads``.

    Parameters
    ----------
    shape : tuple of int
    until : Extent, optional
        What is wanted, where that is not everything; the rest is 0.

    Raises
    ------
    CorruptError
        The payload does not end where its samples do, or a sample leaves the range of int32.
    """
    words, cursor = words_of(payload, "residual")
    coder = Coder(density_table(), guess_table(), np.zeros((3, 0), np.int64), words, cursor)
    decoded = np.zeros(shape, np.int32)
    for lead, length in enumerate(lengths_until(shape, until)):
        samples = np.zeros(length, np.int64)
        leads.code(lead, samples, 0, coder, True)
        if cursor[2] or samples.min() < LOWEST or samples.max() > HIGHEST:
            raise CorruptError(f"residual: lead {lead} does not decode to its samples")
        decoded[lead, :length] = samples
    if until is None and not at_end(words, cursor):
        raise CorruptError("residual: words are left after the last sample")
    return decoded
