"""What a lossy file promises of its samples, and what was measured when it was written."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sancodec.errors import CorruptError
from sancodec.formats.wire import ByteReader, ByteWriter

_MAX_ERROR = 1 << 33
_F16 = 2


@dataclass(frozen=True)
class Distortion:
    """How much one channel differs from its original.

    Attributes
    ----------
    prdn : float
        In percent, to about three digits.
    max_error : int
        Largest absolute error, in ADC units.
    """

    prdn: float
    max_error: int


@dataclass(frozen=True)
class Promise:
    """What was asked for, and what each channel became.

    Attributes
    ----------
    wanted : tuple of float
        By the fidelity: the PRDN in percent; the largest error of each channel, in ADC units;
        the bits for each sample; nothing for the SAN layer alone.
    distortions : tuple of Distortion
        Of each channel, over the whole record, samples that are missing left out.
    """

    wanted: tuple[float, ...]
    distortions: tuple[Distortion, ...]


def encode_promise(promise: Promise) -> bytes:
    """Give the bytes of ``decode_promise``."""
    writer = ByteWriter().varint(len(promise.wanted))
    for value in promise.wanted:
        # Whole numbers as they are; of others the double.
        whole = float(value).is_integer()
        writer.u8(whole)
        if whole:
            writer.varint(int(value))
        else:
            writer.f64(value)
    for distortion in promise.distortions:
        # Beyond what half precision holds there is no figure to give.
        prdn = np.array(min(distortion.prdn, 65_000.0), "<f2")
        writer.raw(prdn.tobytes()).varint(distortion.max_error)
    return writer.getvalue()


def decode_promise(encoded: bytes, n_channels: int, name: str) -> Promise:
    """Give what ``encode_promise`` wrote for so many channels.

    Raises
    ------
    CorruptError
        A field is out of range, or bytes are left.
    """
    reader = ByteReader(encoded, f"{name}: promise")
    n_wanted = reader.varint("number of values", n_channels)
    wanted = tuple(_take_value(reader) for _ in range(n_wanted))
    if not all(math.isfinite(value) and value >= 0.0 for value in wanted):
        raise CorruptError(f"{name}: promise: {wanted}, expected numbers of 0 or more")
    distortions = []
    for _ in range(n_channels):
        prdn = float(np.frombuffer(reader.take(_F16, "PRDN"), "<f2")[0])
        distortions.append(Distortion(prdn, reader.varint("largest error", _MAX_ERROR)))
    reader.expect_end("promise")
    return Promise(wanted=wanted, distortions=tuple(distortions))


def _take_value(reader: ByteReader) -> float:
    form = reader.u8("form of a value")
    if form not in {0, 1}:
        raise reader.corrupt("form of a value", f"{form}, expected 0 or 1")
    return float(reader.varint("value", _MAX_ERROR)) if form else reader.f64("value")
