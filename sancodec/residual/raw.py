"""Samples as they are, or their differences, in as few whole bits as the span of each lead needs.

Differences are for what storage formats of differences hold, at its noisiest: a walk has a wide
span, and steps of a few bits that nothing predicts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import CorruptError

_HEAD_BYTES = 5
_MAX_WIDTH = 32
# Added to the width of differences, whose smallest one stands between head and bits.
_DIFFERENCES = 64
_SMALLEST_BYTES = 5
_MAX_DIFFERENCE_WIDTH = 33
# Samples packed at once, so that memory stays small; a multiple of 8, so that bytes are whole.
_PIECE = 1 << 16


def encode_raw(samples: NDArray[np.int32]) -> bytes:
    """Pack (n_leads, n_samples) int32 samples: for each lead its head, and its bits."""
    parts = []
    for lead in samples.astype(np.int64):
        low, width = _span_of(lead)
        steps = np.diff(lead)
        step_low, step_width = _span_of(steps)
        if _steps_size(lead.size, step_width) < _lead_size(lead.size, width):
            head = int(lead[0]).to_bytes(4, "little", signed=True)
            parts.append(head + bytes([_DIFFERENCES + step_width]))
            parts.append(step_low.to_bytes(_SMALLEST_BYTES, "little", signed=True))
            parts.append(_pack(steps - step_low, step_width))
        else:
            parts.append(low.to_bytes(4, "little", signed=True) + bytes([width]))
            parts.append(_pack(lead - low, width))
    return b"".join(parts)


def raw_size(samples: NDArray[np.int32]) -> int:
    """Give the number of bytes that ``encode_raw`` takes, without packing."""
    total = 0
    for lead in samples.astype(np.int64):
        _, width = _span_of(lead)
        _, step_width = _span_of(np.diff(lead))
        total += min(_lead_size(lead.size, width), _steps_size(lead.size, step_width))
    return total


def decode_raw(payload: bytes, n_leads: int, n_samples: int) -> NDArray[np.int32]:
    """Give back the (n_leads, n_samples) int32 samples of ``encode_raw``.

    Raises
    ------
    CorruptError
        The payload has another length than its widths say, or a sample leaves int32.
    """
    samples = np.zeros((n_leads, n_samples), np.int64)
    offset = 0
    for lead in range(n_leads):
        head = payload[offset : offset + _HEAD_BYTES]
        width = head[4] if len(head) == _HEAD_BYTES else _MAX_WIDTH + 1
        offset += _HEAD_BYTES
        low = int.from_bytes(head[:4], "little", signed=True)
        if width <= _MAX_WIDTH:
            offset += _unpack(payload, offset, width, samples[lead], lead)
            samples[lead] += low
        elif n_samples and _DIFFERENCES <= width <= _DIFFERENCES + _MAX_DIFFERENCE_WIDTH:
            smallest = payload[offset : offset + _SMALLEST_BYTES]
            offset += _SMALLEST_BYTES
            steps = samples[lead, 1:]
            offset += _unpack(payload, offset, width - _DIFFERENCES, steps, lead)
            steps += int.from_bytes(smallest, "little", signed=True)
            samples[lead, 0] = low
            np.cumsum(samples[lead], out=samples[lead])
        else:
            raise CorruptError(f"raw samples: the head of lead {lead} is cut or invalid")
    if offset != len(payload):
        raise CorruptError(f"raw samples: {len(payload) - offset} bytes too many")
    limits = np.iinfo(np.int32)
    if samples.max(initial=0) > limits.max or samples.min(initial=0) < limits.min:
        raise CorruptError("raw samples: a sample is beyond int32")
    return samples.astype(np.int32)


def _span_of(values: NDArray[np.int64]) -> tuple[int, int]:
    """Give the least of some values, and the bits that the span from it to the greatest takes."""
    if not values.size:
        return 0, 0
    low = int(values.min())
    return low, (int(values.max()) - low).bit_length()


def _lead_size(n_samples: int, width: int) -> int:
    return _HEAD_BYTES + (width * n_samples + 7) // 8


def _steps_size(n_samples: int, width: int) -> int:
    return _HEAD_BYTES + _SMALLEST_BYTES + (width * (n_samples - 1) + 7) // 8


def _pack(values: NDArray[np.int64], width: int) -> bytes:
    parts = []
    for start in range(0, values.size, _PIECE):
        bits = (values[start : start + _PIECE, None] >> np.arange(width)) & 1
        parts.append(np.packbits(bits.astype(np.uint8), bitorder="little").tobytes())
    return b"".join(parts)


def _unpack(payload: bytes, offset: int, width: int, values: NDArray[np.int64], lead: int) -> int:
    """Fill ``values`` from the bits at ``offset``; give the number of bytes they took."""
    n_bytes = (width * values.size + 7) // 8
    if len(payload) - offset < n_bytes:
        raise CorruptError(f"raw samples: lead {lead} needs {n_bytes} bytes")
    packed = np.frombuffer(payload, np.uint8, n_bytes, offset if n_bytes else 0)
    weights = np.int64(1) << np.arange(width, dtype=np.int64)
    for start in range(0, values.size, _PIECE):
        piece = values[start : start + _PIECE]
        begin = start * width // 8
        octets = packed[begin : begin + (width * piece.size + 7) // 8]
        bits = np.unpackbits(octets, bitorder="little")
        piece[:] = bits[: width * piece.size].reshape(piece.size, width) @ weights
    return n_bytes
