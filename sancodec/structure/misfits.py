"""Samples that a structure does not give back, and by how much they differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sancodec.formats.wire import ByteReader, ByteWriter

_BEYOND = 1 << 33
_LEAST_BYTES = 3


@dataclass(frozen=True, kw_only=True)
class Misfits:
    """Three (n_misfits,) int64 arrays: lead, position, and what is to be added to the sample.

    In the order of leads, then of positions, each at most once.
    """

    lead: NDArray[np.int64]
    position: NDArray[np.int64]
    difference: NDArray[np.int64]

    @classmethod
    def between(cls, samples: NDArray[np.int64], guess: NDArray[np.int64]) -> Misfits:
        """Give where (n_leads, n_samples) samples and a guess of them differ."""
        difference = samples - guess
        lead, position = np.nonzero(difference)
        return cls(lead=lead, position=position, difference=difference[lead, position])

    def __len__(self) -> int:
        return len(self.lead)

    def add_to(self, guess: NDArray[np.int64]) -> None:
        """Turn a guess into the samples, in place; all misfits lie inside."""
        guess[self.lead, self.position] += self.difference


def encode_misfits(misfits: Misfits) -> bytes:
    """Give the bytes of ``decode_misfits``: steps from one misfit to the next."""
    writer = ByteWriter().varint(len(misfits))
    lead = position = 0
    for i in range(len(misfits)):
        step = int(misfits.lead[i]) - lead
        if step:
            lead, position = lead + step, 0
        writer.varint(step).varint(int(misfits.position[i]) - position)
        writer.zigzag(int(misfits.difference[i]))
        position = int(misfits.position[i]) + 1
    return writer.getvalue()


def decode_misfits(source: bytes, n_leads: int, n_samples: int) -> Misfits:
    """Give back the misfits of ``encode_misfits``; CorruptError where one lies outside."""
    reader = ByteReader(source, "misfits")
    n = reader.varint("number of misfits", reader.remaining // _LEAST_BYTES)
    found = np.zeros((3, n), np.int64)
    lead = position = 0
    for i in range(n):
        step = reader.varint("lead", n_leads)
        if step:
            lead, position = lead + step, 0
        position += reader.varint("position", n_samples)
        difference = reader.zigzag("difference")
        if lead >= n_leads or position >= n_samples or not 0 < abs(difference) < _BEYOND:
            raise reader.corrupt("misfit", f"lead {lead}, sample {position}, {difference}")
        found[:, i] = lead, position, difference
        position += 1
    reader.expect_end("misfits")
    return Misfits(lead=found[0], position=found[1], difference=found[2])
