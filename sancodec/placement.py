"""What the SAN layer adds up, checked before it runs: rows of a bank at positions of records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import CorruptError, ModelError

MAX_SUMS = 1 << 28
"""Largest number of int32 sums of one placement: 1 GiB."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What one run adds up: rows of a bank, each times an amplitude, each at a position.

    Attributes
    ----------
    bank : (n_rows, n_taps) int32
    row : (n_activations,) int64
        Row of the bank, from 0 to n_rows - 1.
    amplitude : (n_activations,) int32
    position : (n_activations,) int64
        Where the first tap falls, from 0 to n_samples.
    record : (n_activations,) int64
        Which row of the result is added to, from 0 to n_records - 1.
    n_records, n_samples : int
        The result has n_records rows of n_samples + n_taps sums.

    Raises
    ------
    ModelError
        The bank is empty or not two-dimensional int32.
    CorruptError
        An activation is out of range, or a sum might not fit in int32.
    """

    bank: NDArray[np.int32]
    row: NDArray[np.int64]
    amplitude: NDArray[np.int32]
    position: NDArray[np.int64]
    record: NDArray[np.int64]
    n_records: int
    n_samples: int

    def __post_init__(self) -> None:
        bank = self.bank
        if bank.dtype != np.int32 or bank.ndim != 2 or bank.size == 0:
            raise ModelError(
                f"bank: expected (n_rows, n_taps) int32, found {bank.shape} {bank.dtype}"
            )
        self._check_sizes()
        _check_range("row", self.row, len(bank) - 1)
        _check_range("position", self.position, self.n_samples)
        _check_range("record", self.record, self.n_records - 1)
        _check_sums(self)

    def _check_sizes(self) -> None:
        if self.n_records < 0 or self.n_samples < 0:
            raise CorruptError(
                f"placement: {self.n_records} records of {self.n_samples} samples, "
                "expected neither below 0"
            )
        n_sums = self.n_records * self.width
        if n_sums > MAX_SUMS:
            raise CorruptError(f"placement: {n_sums} sums, expected at most {MAX_SUMS}")
        if self.amplitude.dtype != np.int32 or self.amplitude.ndim != 1:
            raise CorruptError(
                f"amplitude: expected one-dimensional int32, found {self.amplitude.shape} "
                f"{self.amplitude.dtype}"
            )
        for name in ("row", "position", "record"):
            array = getattr(self, name)
            if array.dtype != np.int64 or array.shape != self.amplitude.shape:
                raise CorruptError(
                    f"{name}: expected {self.amplitude.shape} int64, found {array.shape} "
                    f"{array.dtype}"
                )

    @property
    def n_taps(self) -> int:
        """Number of taps of each row of the bank."""
        return int(self.bank.shape[1])

    @property
    def width(self) -> int:
        """Number of sums of each record."""
        return self.n_samples + self.n_taps


def place_in_numpy(placement: Placement) -> NDArray[np.int32]:
    """Add up in NumPy what ``SynthesisSession.place`` adds up: its plain twin.

    Returns
    -------
    (n_records, n_samples + n_taps) int32
    """
    sums = np.zeros(placement.n_records * placement.width, np.int32)
    start = placement.record * placement.width + placement.position
    taps = placement.bank[placement.row] * placement.amplitude[:, None]
    np.add.at(sums, start[:, None] + np.arange(placement.n_taps), taps)
    return sums.reshape(placement.n_records, placement.width)


def _check_range(name: str, values: NDArray[np.int64], largest: int) -> None:
    if values.size and not (values.min() >= 0 and values.max() <= largest):
        wrong = values[(values < 0) | (values > largest)][0]
        raise CorruptError(f"{name}: found {wrong}, expected 0 to {largest}")


def _check_sums(placement: Placement) -> None:
    """Refuse what might leave int32: the sum of |amplitude| |tap| over each sample."""
    loudest = np.abs(placement.bank.astype(np.int64)).max(axis=1)
    weight = np.abs(placement.amplitude.astype(np.int64)) * loudest[placement.row]
    limit = (1 << 31) - 1
    if weight.size == 0 or int(weight.max()) * weight.size <= limit:
        return
    # A product of int32 values fits in int64; with each below 2**31, so do 2**32 of them.
    if int(weight.max()) > limit or _bound(placement, weight) > limit:
        raise CorruptError("amplitude: overlapping activations add up to 2**31 or more")


def _bound(placement: Placement, weight: NDArray[np.int64]) -> int:
    """Bound every sum, exactly: each activation counts in full on each sample it covers."""
    start = placement.record * placement.width + placement.position
    # Twice the sample, so that what ends at a sample is taken off before what starts there.
    edge = np.concatenate([2 * start + 1, 2 * (start + placement.n_taps)])
    change = np.concatenate([weight, -weight])
    return int(np.cumsum(change[np.argsort(edge)]).max())
