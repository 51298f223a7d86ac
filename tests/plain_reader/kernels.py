"""Banks of kernels: embedded in the header, or of a model that the package has."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from pathlib import Path

from .symbols import Words, read_taps
from .wire import Fields, RefusedError, check

MODELS = Path(__file__).parents[2] / "models"


@dataclass
class Bank:
    """Kernels as [kernel][kernel lead][tap], in units of 2^-14."""

    n_kernels: int
    n_leads: int
    centre: int
    kernels: list[list[list[int]]]

    @property
    def n_taps(self) -> int:
        return len(self.kernels[0][0])

    def of(self, kernel: int, lead: int) -> list[int]:
        return self.kernels[kernel][lead if self.n_leads > 1 else 0]


def _bank(n_kernels: int, n_leads: int, centre: int, rows: list[list[int]]) -> Bank:
    kernels = [rows[i * n_leads : (i + 1) * n_leads] for i in range(n_kernels)]
    return Bank(n_kernels, n_leads, centre, kernels)


def read_bank(content: bytes) -> Bank:
    fields = Fields(content, "bank")
    n_kernels, n_leads, n_taps = (
        fields.varint(64, 1),
        fields.varint(256, 1),
        fields.varint(2**16, 1),
    )
    centre = fields.varint(n_taps - 1)
    check(n_kernels * n_leads * n_taps <= 2**20, "a bank of too many taps")
    words = Words(fields.rest())
    rows = read_taps(words, n_kernels * n_leads, n_taps)
    words.end()
    return _bank(n_kernels, n_leads, centre, rows)


def named_bank(digest: bytes, fs: float) -> Bank:
    """Give the kernels of the model with this digest, brought to the sampling frequency fs."""
    for path in sorted(MODELS.glob("*.onnx")):
        metadata, rows = _read_model(path.read_bytes())
        if "centre" not in metadata:
            continue
        n_leads, centre = int(metadata["n_kernel_leads"]), int(metadata["centre"])
        n_kernels, model_fs = len(rows) // n_leads, float(metadata["fs"])
        hashed = struct.pack("<4qd", n_kernels, n_leads, len(rows[0]), centre, model_fs)
        hashed += b"".join(struct.pack(f"<{len(row)}h", *row) for row in rows)
        if hashlib.sha256(hashed).digest()[: len(digest)] == digest:
            return _resampled(_bank(n_kernels, n_leads, centre, rows), model_fs, fs)
    raise RefusedError(f"no model has the digest {digest.hex()}")


def _resampled(bank: Bank, model_fs: float, fs: float) -> Bank:
    step = Fraction(model_fs) / Fraction(fs)
    n_before, n_after = ceil(bank.centre / step), ceil((bank.n_taps - 1 - bank.centre) / step)
    places = [bank.centre + k * step for k in range(-n_before, n_after + 1)]
    weights = [_weights(x, max(step, Fraction(1))) for x in places]
    kernels = [
        [[_resampled_tap(row, *w) for w in weights] for row in of_kernel]
        for of_kernel in bank.kernels
    ]
    return Bank(bank.n_kernels, bank.n_leads, n_before, kernels)


def _weights(x: Fraction, width: Fraction) -> tuple[int, list[int]]:
    """Give the first sample of a model's kernel that has a weight at x, and the weights."""
    first, last = ceil(x - 2 * width), floor(x + 2 * width)
    return first, [floor(2**14 * _cubic(abs(x - j) / width)) for j in range(first, last + 1)]


def _cubic(u: Fraction) -> Fraction:
    if u < 1:
        return (3 * u**3 - 5 * u**2) / 2 + 1
    return (-(u**3) + 5 * u**2) / 2 - 4 * u + 2


def _resampled_tap(row: list[int], first: int, weights: list[int]) -> int:
    total = sum(weights)
    inside = ((j, w) for j, w in enumerate(weights, first) if 0 <= j < len(row))
    tap = (2 * sum(w * row[j] for j, w in inside) + total) // (2 * total)
    return min(max(tap, -32767), 32767)


def _read_model(content: bytes) -> tuple[dict[str, str], list[list[int]]]:
    """Give the metadata of an ONNX model, and the rows of its initializer `bank`."""
    metadata, rows = {}, []
    for number, value in _messages(content):
        if number == 14:  # metadata_props of a ModelProto
            pair = dict(_messages(value))
            metadata[pair[1].decode()] = pair[2].decode()
        if number == 7:  # graph
            tensors = [tensor for of, tensor in _messages(value) if of == 5]  # initializer
            rows = next((_rows(t) for t in tensors if dict(_messages(t)).get(8) == b"bank"), [])
    return metadata, rows


def _rows(tensor: bytes) -> list[list[int]]:
    dims, raw = [], b""
    for number, value in _messages(tensor):
        if number == 1:  # dims, one by one or packed
            fields = Fields(value, "dims") if isinstance(value, bytes) else None
            while fields and fields.n_left:
                dims.append(fields.varint())
            dims += [] if fields else [value]
        if number == 9:  # raw_data
            raw = value
    taps = [tap for (tap,) in struct.iter_unpack("<i", raw)]
    return [taps[i * dims[1] : (i + 1) * dims[1]] for i in range(dims[0])]


def _messages(content: bytes) -> list[tuple[int, bytes | int]]:
    """Give the fields of a protobuf message: their numbers and what they hold."""
    fields, found = Fields(content, "model"), []
    while fields.n_left:
        key = fields.varint()
        wire_type = key & 7
        if wire_type == 0:
            found.append((key >> 3, fields.varint()))
        elif wire_type == 2:
            found.append((key >> 3, fields.counted()))
        else:
            found.append((key >> 3, fields.take({1: 8, 5: 4}[wire_type])))
    return found
