"""The biorthogonal wavelet 6.8 (Cohen, Daubechies and Feauveau 1992), for any length.

Even samples become the low band and odd ones the high band; beyond its ends a signal goes on
mirrored about its first and last sample, so that there are as many coefficients as samples. The
filters are nearly orthonormal: an error of the coefficients is one of the samples of about the
same energy. Synthesis is binary64 with sums in the order written; analysis only steers the encoder.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled

MAX_LEVELS = 20
REACH = 8
"""Coefficients on either side that a sample is made of."""

# Halves of the symmetric filters, from the centre outwards; those of synthesis have alternating
# signs and change places.
_LOW = (
    0.8259229974584023,
    0.4207962846098268,
    -0.09405920349573646,
    -0.07726317316720414,
    0.04973290349094079,
    0.01193456527972926,
    -0.016990639867602342,
    -0.0019142861290887667,
    0.0019088317364812906,
)
_HIGH = (
    0.7589077294536541,
    -0.41784910915027457,
    -0.04036797903033992,
    0.07872200106262882,
    0.014467504896790148,
    -0.014426282505624435,
    0.0,
    0.0,
    0.0,
)
_SIGNS = (-1.0) ** np.arange(REACH + 1)
_ANALYSIS = np.array([_LOW, _HIGH])
# By the parity of the sample and the distance of the coefficient: an even one is of the low band.
SYNTHESIS = np.array(
    [
        np.where(np.arange(REACH + 1) % 2 == 0, _HIGH * _SIGNS, _LOW * _SIGNS),
        np.where(np.arange(REACH + 1) % 2 == 0, _LOW * _SIGNS, _HIGH * _SIGNS),
    ]
)
"""(2, REACH + 1) taps of synthesis, by the parity of the sample and the distance from it."""


class Band(NamedTuple):
    """Coefficients ``begin`` to ``stop`` of a lead; number i is about at sample i << level.

    ``low`` says whether they are of the low band that is left at the end.
    """

    begin: int
    stop: int
    level: int
    low: bool


def most_levels(n_samples: int) -> int:
    """Give how often a signal can be halved: each time two samples or more have to be left."""
    return min(max(n_samples.bit_length() - 1, 0), MAX_LEVELS)


def bands_of(n_samples: int, n_levels: int) -> list[Band]:
    """Give the bands in their order, the slowest first."""
    sizes = []
    left = n_samples
    for level in range(1, n_levels + 1):
        sizes.append((left // 2, level))
        left -= left // 2
    bands = [Band(0, left, n_levels, True)]
    for size, level in reversed(sizes):
        bands.append(Band(bands[-1].stop, bands[-1].stop + size, level, False))
    return bands


@compiled
def _mirrored(signal: NDArray[np.float64], wide: NDArray[np.float64]) -> None:
    """Write a signal into the middle of ``wide``, and what goes on beyond its ends around it."""
    n = signal.size
    for i in range(-REACH, n + REACH):
        at = abs(i) % (2 * max(n - 1, 1))
        wide[i + REACH] = signal[min(at, 2 * (n - 1) - at)]


@compiled
def _filter(
    wide: NDArray[np.float64], filters: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Filter with the symmetric filter of each sample's parity."""
    for parity in range(2):
        taps = filters[parity]
        for i in range(parity, out.size, 2):
            at = i + REACH
            total = taps[0] * wide[at]
            for j in range(1, REACH + 1):
                total += taps[j] * (wide[at - j] + wide[at + j])
            out[i] = total


@compiled
def _analyse(leads: NDArray[np.float64], n_levels: int, filters: NDArray[np.float64]) -> None:
    n_samples = leads.shape[1]
    wide = np.empty(n_samples + 2 * REACH)
    both = np.empty(n_samples)
    for lead in range(leads.shape[0]):
        n = n_samples
        for _ in range(n_levels):
            _mirrored(leads[lead, :n], wide[: n + 2 * REACH])
            _filter(wide, filters, both[:n])
            n_low = n - n // 2
            for i in range(n_low):
                leads[lead, i] = both[2 * i]
            for i in range(n // 2):
                leads[lead, n_low + i] = both[2 * i + 1]
            n = n_low


@compiled
def _synthesise(leads: NDArray[np.float64], n_levels: int, filters: NDArray[np.float64]) -> None:
    n_samples = leads.shape[1]
    wide = np.empty(n_samples + 2 * REACH)
    both = np.empty(n_samples)
    sizes = np.empty(n_levels, np.int64)
    n = n_samples
    for level in range(n_levels):
        sizes[level] = n
        n -= n // 2
    for lead in range(leads.shape[0]):
        for level in range(n_levels - 1, -1, -1):
            n = sizes[level]
            n_low = n - n // 2
            for i in range(n_low):
                both[2 * i] = leads[lead, i]
            for i in range(n // 2):
                both[2 * i + 1] = leads[lead, n_low + i]
            _mirrored(both[:n], wide[: n + 2 * REACH])
            _filter(wide, filters, leads[lead, :n])


def analyse(leads: NDArray[np.float64], n_levels: int) -> NDArray[np.float64]:
    """Give the coefficients of (n_leads, n_samples) leads, band after band as ``bands_of`` says."""
    coefficients = leads.astype(np.float64)
    _analyse(coefficients, n_levels, _ANALYSIS)
    return coefficients


def synthesise(coefficients: NDArray[np.float64], n_levels: int) -> NDArray[np.float64]:
    """Give back the leads of ``analyse``."""
    leads = coefficients.astype(np.float64)
    _synthesise(leads, n_levels, SYNTHESIS)
    return leads
