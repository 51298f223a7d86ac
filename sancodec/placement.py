"""What the SAN layer adds up, checked before it runs: rows of a bank at positions of records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


@dataclass(frozen=True)
class Batch:
    """Several placements as one, ragged: the rows of their results stand behind one another.

    Attributes
    ----------
    bank : (n_rows, n_taps) int32
        The banks of all of them, each once; those of fewer taps end in zeros.
    row, position : (n_activations,) int64
        Position counts from the first sum of all.
    amplitude : (n_activations,) int32
    n_sums : int
        Sums of all rows together.
    """

    bank: NDArray[np.int32]
    row: NDArray[np.int64]
    amplitude: NDArray[np.int32]
    position: NDArray[np.int64]
    n_sums: int

    @classmethod
    def of(cls, placements: Sequence[Placement]) -> Batch:
        """Put placements together, at least one; each was checked when it was made."""
        n_taps = max(placement.n_taps for placement in placements)
        firsts, bank = _join_banks([placement.bank for placement in placements], n_taps)
        rows, positions, n_sums = [], [], 0
        for placement, first in zip(placements, firsts, strict=True):
            width = placement.n_samples + n_taps
            rows.append(placement.row + first)
            positions.append(n_sums + placement.record * width + placement.position)
            n_sums += placement.n_records * width
        return cls(
            bank,
            np.concatenate(rows),
            np.concatenate([placement.amplitude for placement in placements]),
            np.concatenate(positions),
            n_sums,
        )

    @property
    def n_taps(self) -> int:
        """Number of taps of each row of the bank."""
        return int(self.bank.shape[1])

    def split(
        self, sums: NDArray[np.int32], placements: Sequence[Placement]
    ) -> Iterator[NDArray[np.int32]]:
        """Give the (n_records, n_samples + n_taps) sums of each placement, of (n_sums,) of all."""
        first = 0
        for placement in placements:
            width = placement.n_samples + self.n_taps
            stop = first + placement.n_records * width
            yield sums[first:stop].reshape(placement.n_records, width)[:, : placement.width]
            first = stop


def _join_banks(
    banks: Sequence[NDArray[np.int32]], n_taps: int
) -> tuple[list[int], NDArray[np.int32]]:
    """Give the first row of each bank among all rows, and all rows with so many taps."""
    known: dict[int, int] = {}
    rows: list[NDArray[np.int32]] = []
    n_rows = 0
    for bank in banks:
        # Records of one archive share a bank, which is one array then.
        if id(bank) not in known:
            known[id(bank)] = n_rows
            rows.append(np.pad(bank, ((0, 0), (0, n_taps - bank.shape[1]))))
            n_rows += len(bank)
    return [known[id(bank)] for bank in banks], np.concatenate(rows)


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
