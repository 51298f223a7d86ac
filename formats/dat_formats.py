"""The WFDB signal formats that are not compressed: samples to bytes and back, unit by unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int32]
Octets = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class DatFormat:
    """One storage format: units of ``unit_samples`` samples in ``unit_bytes`` bytes.

    ``partial_bytes`` holds how many bytes of a unit its first 0, 1, ... samples need.
    ``pack`` takes whole units of samples and keeps their low bits; ``unpack`` takes whole units
    of bytes.
    """

    unit_samples: int
    unit_bytes: int
    partial_bytes: tuple[int, ...]
    pack: Callable[[Samples], Octets]
    unpack: Callable[[Octets], Samples]

    @property
    def bits_per_sample(self) -> float:
        """Bits that a sample takes in the file."""
        return 8 * self.unit_bytes / self.unit_samples

    def required_bytes(self, n_samples: int) -> int:
        """Give the number of bytes without which ``n_samples`` samples cannot be read."""
        n_units, rest = divmod(n_samples, self.unit_samples)
        return n_units * self.unit_bytes + self.partial_bytes[rest]

    def whole_samples(self, n_bytes: int) -> int:
        """Give the number of samples that can be read from ``n_bytes`` bytes."""
        n_units, rest = divmod(n_bytes, self.unit_bytes)
        n_partial = sum(1 for required in self.partial_bytes[1:] if required <= rest)
        return n_units * self.unit_samples + n_partial


def _pack_8(samples: Samples) -> Octets:
    return samples.astype(np.uint8)


def _unpack_8(octets: Octets) -> Samples:
    return octets.view(np.int8).astype(np.int32)


def _pack_80(samples: Samples) -> Octets:
    return (samples + np.int32(128)).astype(np.uint8)


def _unpack_80(octets: Octets) -> Samples:
    return octets.astype(np.int32) - np.int32(128)


def _pack_16(samples: Samples) -> Octets:
    return samples.astype("<i2").view(np.uint8)


def _unpack_16(octets: Octets) -> Samples:
    return octets.view("<i2").astype(np.int32)


def _pack_61(samples: Samples) -> Octets:
    return samples.astype(">i2").view(np.uint8)


def _unpack_61(octets: Octets) -> Samples:
    return octets.view(">i2").astype(np.int32)


def _pack_160(samples: Samples) -> Octets:
    return (samples + np.int32(1 << 15)).astype("<u2").view(np.uint8)


def _unpack_160(octets: Octets) -> Samples:
    return octets.view("<u2").astype(np.int32) - np.int32(1 << 15)


def _pack_24(samples: Samples) -> Octets:
    wide = samples.astype("<i4").view(np.uint8).reshape(-1, 4)
    return np.ascontiguousarray(wide[:, :3]).reshape(-1)


def _unpack_24(octets: Octets) -> Samples:
    wide = np.zeros((octets.size // 3, 4), np.uint8)
    wide[:, 1:] = octets.reshape(-1, 3)
    # The shift carries the sign down from the byte that was read into the highest place.
    return (wide.reshape(-1).view("<i4") >> 8).astype(np.int32)


def _pack_32(samples: Samples) -> Octets:
    return samples.astype("<i4").view(np.uint8)


def _unpack_32(octets: Octets) -> Samples:
    return octets.view("<i4").astype(np.int32)


def _pack_212(samples: Samples) -> Octets:
    first, second = samples[0::2], samples[1::2]
    octets = np.empty((first.size, 3), np.uint8)
    octets[:, 0] = first
    octets[:, 1] = (first >> 8) & 0x0F | (second >> 4) & 0xF0
    octets[:, 2] = second
    return octets.reshape(-1)


def _unpack_212(octets: Octets) -> Samples:
    units = octets.reshape(-1, 3)
    middle = units[:, 1].astype(np.int32)
    samples = np.empty((len(units), 2), np.int32)
    samples[:, 0] = (middle & 0x0F) << 8 | units[:, 0]
    samples[:, 1] = (middle & 0xF0) << 4 | units[:, 2]
    return _extend_sign(samples.reshape(-1), 12)


def _pack_310(samples: Samples) -> Octets:
    units = samples.reshape(-1, 3)
    words = np.empty((len(units), 2), "<u2")
    words[:, 0] = (units[:, 0] & 0x3FF) << 1 | (units[:, 2] & 0x1F) << 11
    words[:, 1] = (units[:, 1] & 0x3FF) << 1 | (units[:, 2] & 0x3E0) << 6
    return words.reshape(-1).view(np.uint8)


def _unpack_310(octets: Octets) -> Samples:
    words = octets.view("<u2").reshape(-1, 2).astype(np.int32)
    samples = np.empty((len(words), 3), np.int32)
    samples[:, 0] = words[:, 0] >> 1 & 0x3FF
    samples[:, 1] = words[:, 1] >> 1 & 0x3FF
    samples[:, 2] = words[:, 0] >> 11 | (words[:, 1] >> 11) << 5
    return _extend_sign(samples.reshape(-1), 10)


def _pack_311(samples: Samples) -> Octets:
    units = samples.reshape(-1, 3) & 0x3FF
    words = units[:, 0] | units[:, 1] << 10 | units[:, 2] << 20
    return words.astype("<u4").view(np.uint8)


def _unpack_311(octets: Octets) -> Samples:
    words = octets.view("<u4").astype(np.int64)
    units = np.stack([words & 0x3FF, words >> 10 & 0x3FF, words >> 20 & 0x3FF], axis=1)
    return _extend_sign(units.reshape(-1).astype(np.int32), 10)


def _extend_sign(samples: Samples, n_bits: int) -> Samples:
    half = np.int32(1 << (n_bits - 1))
    return (samples ^ half) - half


def _whole(n_bytes: int, pack: Callable[..., Octets], unpack: Callable[..., Samples]) -> DatFormat:
    return DatFormat(
        unit_samples=1, unit_bytes=n_bytes, partial_bytes=(0,), pack=pack, unpack=unpack
    )


FORMATS = {
    8: _whole(1, _pack_8, _unpack_8),
    16: _whole(2, _pack_16, _unpack_16),
    24: _whole(3, _pack_24, _unpack_24),
    32: _whole(4, _pack_32, _unpack_32),
    61: _whole(2, _pack_61, _unpack_61),
    80: _whole(1, _pack_80, _unpack_80),
    160: _whole(2, _pack_160, _unpack_160),
    212: DatFormat(
        unit_samples=2, unit_bytes=3, partial_bytes=(0, 2), pack=_pack_212, unpack=_unpack_212
    ),
    310: DatFormat(
        unit_samples=3, unit_bytes=4, partial_bytes=(0, 2, 4), pack=_pack_310, unpack=_unpack_310
    ),
    311: DatFormat(
        unit_samples=3, unit_bytes=4, partial_bytes=(0, 2, 3), pack=_pack_311, unpack=_unpack_311
    ),
}
"""The formats by their WFDB numbers."""

MISSING = {
    16: -(1 << 15),
    24: -(1 << 23),
    32: -(1 << 31),
    61: -(1 << 15),
    80: -(1 << 7),
    160: -(1 << 15),
    212: -(1 << 11),
    310: -(1 << 9),
    311: -(1 << 9),
    508: -(1 << 7),
    516: -(1 << 15),
    524: -(1 << 23),
}
"""Of each format the value that stands for no sample, as WFDB has it; format 8 has none."""
