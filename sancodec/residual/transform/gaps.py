"""What stands beside a lossy residual: bounds of leads, and samples that are missing.

Missing samples come back exactly; what codes the others sees a straight line across.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.formats.wire import ByteReader, ByteWriter

MAX_ERROR = 1 << 32
_MAX_SPAN = 1 << 33


class LeadBounds(NamedTuple):
    """What no sample of a lead may be off by, and the ends of its range, in ADC units."""

    max_error: int
    low: int
    high: int


def bounds_of(samples: NDArray[np.int32], max_errors: NDArray[np.int64]) -> list[LeadBounds]:
    """Give the bounds of (n_leads, n_samples) samples without gaps."""
    return [
        LeadBounds(int(max_error), int(lead.min()), int(lead.max()))
        for lead, max_error in zip(samples, max_errors, strict=True)
    ]


def put_bounds(writer: ByteWriter, bounds: Sequence[LeadBounds]) -> None:
    """Write the bounds of all leads."""
    for max_error, low, high in bounds:
        writer.varint(max_error).zigzag(low).varint(high - low)


def take_bounds(reader: ByteReader, n_leads: int) -> list[LeadBounds]:
    """Take what ``put_bounds`` wrote; CorruptError for a range beyond int32."""
    bounds = []
    limits = np.iinfo(np.int32)
    for lead in range(n_leads):
        max_error = reader.varint("largest error", MAX_ERROR)
        low = reader.zigzag("lowest sample")
        high = low + reader.varint("span of a lead", _MAX_SPAN)
        if low < limits.min or high > limits.max:
            raise reader.corrupt("bounds", f"lead {lead} from {low} to {high}")
        bounds.append(LeadBounds(max_error, low, high))
    return bounds


def find_gaps(samples: NDArray[np.int32], missing: Sequence[int | None]) -> NDArray[np.bool_]:
    """Tell which of (n_leads, n_samples) samples are the value that stands for none."""
    gaps = np.zeros(samples.shape, bool)
    for lead, value in enumerate(missing):
        if value is not None:
            gaps[lead] = samples[lead] == value
    return gaps


def bridge(samples: NDArray[np.int32], gaps: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Give the samples with straight lines across their gaps; zeros where a lead is all gap."""
    bridged = samples.copy()
    for lead, missing in enumerate(gaps):
        if missing.all():
            bridged[lead] = 0
        elif missing.any():
            there = np.flatnonzero(~missing)
            across = np.interp(np.flatnonzero(missing), there, samples[lead, there])
            bridged[lead, missing] = np.rint(across)
    return bridged


def put_gaps(writer: ByteWriter, gaps: NDArray[np.bool_], missing: Sequence[int | None]) -> None:
    """Write the runs of missing samples of each lead that has any, and their value."""
    leads = [lead for lead, own in enumerate(gaps) if own.any()]
    writer.varint(len(leads))
    last = -1
    for lead in leads:
        value = missing[lead]
        assert value is not None
        edges = np.flatnonzero(np.diff(gaps[lead].astype(np.int8), prepend=0, append=0))
        writer.varint(lead - last - 1).zigzag(value).varint(edges.size // 2)
        last, at = lead, 0
        for begin, stop in edges.reshape(-1, 2).tolist():
            writer.varint(begin - at).varint(stop - begin)
            at = stop


def take_gaps(reader: ByteReader, samples: NDArray[np.int32], gaps: NDArray[np.bool_]) -> None:
    """Write what ``put_gaps`` says into (n_leads, n_samples) samples, and where it was.

    Raises
    ------
    CorruptError
        A run is empty or outside of the samples, or its value is beyond int32.
    """
    n_leads, n_samples = samples.shape
    limits = np.iinfo(np.int32)
    lead = -1
    for _ in range(reader.varint("leads with gaps", n_leads)):
        lead += 1 + reader.varint("lead", n_leads)
        value = reader.zigzag("value of a gap")
        if lead >= n_leads or not limits.min <= value <= limits.max:
            raise reader.corrupt("gap", f"lead {lead} of {n_leads}, value {value}")
        at = 0
        for _ in range(reader.varint("number of gaps", n_samples)):
            begin = at + reader.varint("begin of a gap", n_samples)
            at = begin + reader.varint("length of a gap", n_samples)
            if not begin < at <= n_samples:
                raise reader.corrupt("gap", f"samples {begin} to {at} of {n_samples}")
            samples[lead, begin:at] = value
            gaps[lead, begin:at] = True
