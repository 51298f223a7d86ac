"""Samples as they are, in as few whole bits as the span of each lead needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import CorruptError

_HEAD_BYTES = 5
# Samples packed at once, so that memory stays small; a multiple of 8, so that bytes are whole.
_PIECE = 1 << 16


def encode_raw(samples: NDArray[np.int32]) -> bytes:
    """Pack (n_leads, n_samples) int32 samples: for each lead its minimum, its width, its bits."""
    parts = []
    for lead in samples.astype(np.int64):
        low = int(lead.min())
        width = int(lead.max() - low).bit_length()
        parts.append(low.to_bytes(4, "little", signed=True) + bytes([width]))
        for start in range(0, lead.size, _PIECE):
            piece = lead[start : start + _PIECE] - low
            bits = (piece[:, None] >> np.arange(width)) & 1
            parts.append(np.packbits(bits.astype(np.uint8), bitorder="little").tobytes())
    return b"".join(parts)


def raw_size(samples: NDArray[np.int32]) -> int:
    """Give the number of bytes that ``encode_raw`` takes, without packing."""
    spans = samples.max(axis=1).astype(np.int64) - samples.min(axis=1)
    widths = [int(span).bit_length() for span in spans]
    return sum(_HEAD_BYTES + (width * samples.shape[1] + 7) // 8 for width in widths)


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
        if len(head) < _HEAD_BYTES or head[4] > 32:
            raise CorruptError(f"raw samples: the head of lead {lead} is cut or invalid")
        low, width = int.from_bytes(head[:4], "little", signed=True), head[4]
        offset += _HEAD_BYTES
        n_bytes = (width * n_samples + 7) // 8
        if len(payload) - offset < n_bytes:
            raise CorruptError(f"raw samples: lead {lead} needs {n_bytes} bytes")
        packed = np.frombuffer(payload, np.uint8, n_bytes, offset)
        for start in range(0, n_samples, _PIECE):
            piece = samples[lead, start : start + _PIECE]
            piece[:] = low + _unpack(packed[start * width // 8 :], width, piece.size)
        offset += n_bytes
    if offset != len(payload):
        raise CorruptError(f"raw samples: {len(payload) - offset} bytes too many")
    if samples.max(initial=0) > np.iinfo(np.int32).max:
        raise CorruptError("raw samples: a sample is beyond int32")
    return samples.astype(np.int32)


def _unpack(packed: NDArray[np.uint8], width: int, n_samples: int) -> NDArray[np.int64]:
    bits = np.unpackbits(packed[: (width * n_samples + 7) // 8], bitorder="little")
    weights = np.int64(1) << np.arange(width, dtype=np.int64)
    return bits[: width * n_samples].reshape(n_samples, width) @ weights
