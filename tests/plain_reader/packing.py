"""Signal files as they would follow from the samples ("Prediction")."""

from __future__ import annotations

import struct
from dataclasses import dataclass

FLAC = (508, 516, 524)
FORMATS = (8, 16, 24, 32, 61, 80, 160, 212, 310, 311, *FLAC)


@dataclass
class Signals:
    """The channels of a signal file, and the values before their first differences."""

    n_frames: int
    samples_per_frame: list[int]
    samples: list[list[int]]
    initial: list[int]

    def interleaved(self) -> list[int]:
        return _interleaved(self, self.samples)

    def differences(self) -> list[int]:
        before = [
            [initial, *lead[:-1]] for initial, lead in zip(self.initial, self.samples, strict=True)
        ]
        differences = [
            [b - a for a, b in zip(old, new, strict=False)]
            for old, new in zip(before, self.samples, strict=True)
        ]
        return _interleaved(self, differences)


@dataclass
class Blocks:
    """Blocks of a file: bytes of a sample, frames in each, and bytes before channels that are none.

    The last of `holes` are those behind the last channel.
    """

    n_bytes: int
    n_frames: int
    holes: list[int]


def _interleaved(signals: Signals, leads: list[list[int]]) -> list[int]:
    return [
        value
        for frame in range(signals.n_frames)
        for lead, n in zip(leads, signals.samples_per_frame, strict=True)
        for value in lead[frame * n : (frame + 1) * n]
    ]


def predict(form: int, signals: Signals, offset: int, prolog: int) -> bytes:
    ahead = bytes(offset)
    if prolog == 1:
        n_channels = len(signals.samples)
        ahead = struct.pack("<5I", 30, n_channels, signals.n_frames % 2**32, 0, 4) + b"val\0"
    return ahead + _pack(form, signals)


def predict_blocks(blocks: Blocks, signals: Signals, offset: int) -> bytes:
    pieces = [bytes(offset)]
    for first in range(0, signals.n_frames, blocks.n_frames):
        last = first + blocks.n_frames
        for i, lead in enumerate(signals.samples):
            n = signals.samples_per_frame[i]
            pieces.append(bytes(blocks.holes[i]))
            pieces += [_integer(sample, blocks.n_bytes) for sample in lead[first * n : last * n]]
        pieces.append(bytes(blocks.holes[-1]))
    return b"".join(pieces)


def _pack(form: int, signals: Signals) -> bytes:
    if form == 8:
        return bytes(difference & 255 for difference in signals.differences())
    samples = signals.interleaved()
    if form == 80:
        return bytes((sample + 128) & 255 for sample in samples)
    if form == 160:
        return b"".join(_integer(sample + 32768, 2) for sample in samples)
    if form == 61:
        return b"".join(_integer(sample, 2)[::-1] for sample in samples)
    if form in (16, 24, 32):
        return b"".join(_integer(sample, form // 8) for sample in samples)
    unit, n_bits = {212: (2, 12), 310: (3, 10), 311: (3, 10)}[form]
    samples += [0] * (-len(samples) % unit)
    masked = [sample & ((1 << n_bits) - 1) for sample in samples]
    pack = {212: _pack_212, 310: _pack_310, 311: _pack_311}[form]
    return b"".join(pack(*masked[i : i + unit]) for i in range(0, len(masked), unit))


def _integer(number: int, n_bytes: int) -> bytes:
    return (number & ((1 << 8 * n_bytes) - 1)).to_bytes(n_bytes, "little")


def _pack_212(a: int, b: int) -> bytes:
    return bytes([a & 255, a >> 8 | b >> 8 << 4, b & 255])


def _pack_310(a: int, b: int, c: int) -> bytes:
    return struct.pack("<2H", a << 1 | (c & 31) << 11, b << 1 | c >> 5 << 11)


def _pack_311(a: int, b: int, c: int) -> bytes:
    return struct.pack("<I", a | b << 10 | c << 20)
