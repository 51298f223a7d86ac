"""How much decoded samples differ from their originals, counted in integers over a record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from sancodec.formats.promise import Distortion
from sancodec.recording import Recording

# Sums of squares stay exact: of differences of up to 33 bits so many fit into 64 bits in halves.
_PIECE = 1 << 12
_HALF_BITS = 17


@dataclass
class ChannelTally:
    """What adds up over the samples of one channel that are there."""

    n_samples: int = 0
    total: int = 0
    squares: int = 0
    error_squares: int = 0
    max_error: int = 0

    def add(self, signal: NDArray[np.int64], error: NDArray[np.int64]) -> None:
        """Count (n,) samples and their errors."""
        self.n_samples += signal.size
        self.total += int(signal.sum())
        self.squares += _sum_of_squares(signal)
        self.error_squares += _sum_of_squares(error)
        self.max_error = max(self.max_error, int(np.abs(error).max(initial=0)))

    @property
    def deviation(self) -> Fraction:
        """Sum of squared deviations from the mean."""
        if self.n_samples == 0:
            return Fraction(0)
        return self.squares - Fraction(self.total * self.total, self.n_samples)

    @property
    def prdn(self) -> float:
        """In percent; 0 for what is exact, whatever its deviation."""
        if self.error_squares == 0:
            return 0.0
        deviation = self.deviation
        return 100.0 * math.sqrt(self.error_squares / deviation) if deviation else math.inf

    def within(self, percent: float) -> bool:
        """Tell, in integers, whether the PRDN is at most ``percent``."""
        bound = Fraction(percent) / 100
        return self.error_squares <= bound * bound * self.deviation

    def distortion(self) -> Distortion:
        """Give the figures that a file keeps."""
        return Distortion(self.prdn, self.max_error)


def _sum_of_squares(values: NDArray[np.int64]) -> int:
    """Give the sum of squares of values of up to 34 bits, exactly."""
    total = 0
    for begin in range(0, values.size, _PIECE):
        piece = values[begin : begin + _PIECE]
        upper, lower = piece >> _HALF_BITS, piece & ((1 << _HALF_BITS) - 1)
        total += int((upper * upper).sum()) << (2 * _HALF_BITS)
        total += int((upper * lower).sum()) << (_HALF_BITS + 1)
        total += int((lower * lower).sum())
    return total


class Tallies:
    """The tallies of all channels of a record.

    Parameters
    ----------
    missing : sequence of int or None
        Of each channel, the value that stands for no sample.
    """

    def __init__(self, missing: Sequence[int | None]) -> None:
        self._missing = missing
        self.channels = [ChannelTally() for _ in missing]

    @property
    def mean_prdn(self) -> float:
        """Of the channels that are not flat, in percent; infinite where a flat one is not exact."""
        own = [t.prdn for t in self.channels if t.deviation or t.error_squares]
        return math.fsum(own) / len(own) if own else 0.0

    def within(self, bounds: Sequence[int]) -> bool:
        """Tell whether no channel is off by more than its bound, in ADC units."""
        return all(t.max_error <= bound for t, bound in zip(self.channels, bounds, strict=True))

    def add(self, original: Recording, decoded: Recording) -> None:
        """Count the next span."""
        for i, tally in enumerate(self.channels):
            signal = original.signals[i].astype(np.int64)
            error = decoded.signals[i].astype(np.int64) - signal
            value = self._missing[i]
            there = np.ones(signal.size, bool) if value is None else signal != value
            # A sample that was missing and came back as another is an error all the same.
            tally.add(signal[there], error[there])
            if error[~there].any():
                tally.add(signal[:0], error[~there])
