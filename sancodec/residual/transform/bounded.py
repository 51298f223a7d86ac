"""The transform residual with a bound on every sample: what is off by more is corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sancodec.formats.primers import TransformStart
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.residual.loss import LeadLoss
from sancodec.residual.template import Beats
from sancodec.residual.transform.coding import (
    CodedLeads,
    TransformCode,
    beats_of_all,
    encode_transform,
    take_transform,
)
from sancodec.residual.transform.corrections import (
    MAX_CORRECTION,
    decode_corrections,
    encode_corrections,
)
from sancodec.residual.transform.gaps import (
    LeadBounds,
    bounds_of,
    bridge,
    find_gaps,
    put_bounds,
    take_bounds,
)


def encode_bounded(  # noqa: PLR0917
    samples: NDArray[np.int32],
    clock: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
    loss: LeadLoss,
    start: TransformStart | None = None,
) -> CodedLeads | None:
    """Code the leads of one chunk so that no sample is off by more than its lead's bound.

    Parameters as of ``encode_transform``. Gives None where that takes larger corrections than
    can be coded: then the steps are far too large for the bound.
    """
    assert loss.max_errors is not None
    layer = clock, san, beats, n_kernels
    transform, decoded = encode_transform(samples, *layer, loss, start)
    bound = loss.max_errors[:, None]
    missed = samples - decoded.astype(np.int64)
    corrections = np.sign(missed) * ((np.abs(missed) + bound) // (2 * bound + 1))
    # What is missing came back exactly.
    gaps = find_gaps(samples, loss.missing)
    corrections[gaps] = 0
    if np.abs(corrections).max(initial=0) > MAX_CORRECTION:
        return None
    writer = ByteWriter().counted(transform)
    # A correction may lead beyond the ends of a lead: what it is cut to is closer.
    bounds = bounds_of(bridge(samples, gaps), loss.max_errors)
    put_bounds(writer, bounds)
    writer.raw(encode_corrections(corrections, beats_of_all(beats), clock))
    _correct(decoded, corrections, bounds)
    return CodedLeads(writer.getvalue(), decoded)


def decode_bounded(  # noqa: PLR0917
    payload: bytes,
    n_samples: int,
    clock: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
    start: TransformStart | None = None,
) -> NDArray[np.int32]:
    """Give the (n_leads, n_samples) int32 samples that ``encode_bounded`` stands for.

    Raises
    ------
    CorruptError
        A field is out of range, or the payload does not end where it should.
    """
    shape = len(san), n_samples
    code = take_bounded(payload, shape, clock, beats, n_kernels, start)
    decoded = code.transform.samples(san)
    _correct(decoded, code.corrections, code.bounds)
    return decoded


def _correct(
    samples: NDArray[np.int32], corrections: NDArray[np.int64], bounds: Sequence[LeadBounds]
) -> None:
    """Add the corrections, which are in steps of the bounds, in place."""
    for row, moves, (bound, low, high) in zip(samples, corrections, bounds, strict=True):
        moved = np.flatnonzero(moves)
        there = row[moved] + moves[moved] * (2 * bound + 1)
        row[moved] = np.clip(there, low, high)


@dataclass(frozen=True)
class BoundedCode:
    """What a bounded residual says; ``corrections`` are (n_leads, n_samples) int64."""

    transform: TransformCode
    bounds: list[LeadBounds]
    corrections: NDArray[np.int64]


def take_bounded(  # noqa: PLR0917
    payload: bytes,
    shape: tuple[int, int],
    clock: float,
    beats: Sequence[Beats],
    n_kernels: int,
    start: TransformStart | None = None,
) -> BoundedCode:
    """Take apart what ``encode_bounded`` wrote; errors as of ``decode_bounded``."""
    reader = ByteReader(payload, "bounded residual")
    transform = reader.counted("transform residual", reader.remaining)
    taken = take_transform(transform, shape, clock, beats, n_kernels, start)
    bounds = take_bounds(reader, shape[0])
    coded = bytes(reader.take(reader.remaining, "corrections"))
    corrections = decode_corrections(coded, shape, beats_of_all(beats), clock)
    return BoundedCode(taken, bounds, corrections)
