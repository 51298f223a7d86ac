"""The header, as of version 1 and as of later ones: what the record is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .wire import Fields, check, check_known, expand

PHRASES = (Path(__file__).parents[2] / "formats" / "phrases.bin").read_bytes()
LOSSLESS = 0
Decimal = tuple[float, tuple[int, int] | None]


@dataclass
class Channel:
    name: str
    units: str
    gain: Decimal
    baseline: int
    resolution: int
    zero: int
    samples_per_frame: int


@dataclass
class Header:
    n_frames: int
    chunk_frames: int
    fs: Decimal
    fidelity: int
    level: int
    record: str = ""
    channels: list[Channel] = field(default_factory=list)
    parameters: bytes = b""
    digest: bytes = b""
    kernels: bytes = b""

    @property
    def n_chunks(self) -> int:
        return -(-self.n_frames // self.chunk_frames)

    def frames_of(self, chunk: int) -> int:
        return min(self.chunk_frames, self.n_frames - chunk * self.chunk_frames)


def read_header(version: int, payload: bytes) -> Header:
    header = _read_version_1(payload) if version == 1 else _read_later(payload)
    check(math.isfinite(header.fs[0]) and header.fs[0] > 0, "the sampling frequency")
    for channel in header.channels:
        check(math.isfinite(channel.gain[0]) and channel.gain[0] != 0, "an ADC gain")
    per_frame = sum(channel.samples_per_frame for channel in header.channels)
    check(per_frame <= 2**16, f"{per_frame} samples in a frame")
    longest = min(header.n_frames, header.chunk_frames)
    check(per_frame * longest <= 2**26, "too many samples in a chunk")
    check(header.n_chunks <= 2**24, f"{header.n_chunks} chunks")
    check(len(header.digest) in (0, 8, 32), "the size of the model digest")
    return header


def _read_later(payload: bytes) -> Header:
    outer = Fields(payload, "header")
    fields = Fields(expand(outer.counted(2**20), 2**20, 2, PHRASES, "header"), "header")
    n_frames, chunk_frames = fields.varint(2**40), fields.varint(2**40, 1)
    fs = fields.decimal()
    header = Header(n_frames, chunk_frames, fs, _fidelity(fields, 5), _level(fields))
    header.record = fields.text(2**10)
    header.channels = read_channels(fields)
    n_channels = len(header.channels)
    if header.fidelity != LOSSLESS:
        _check_promise(Fields(fields.counted(2**13), "promise"), header.fidelity, n_channels)
    header.parameters, header.digest = fields.counted(2**16), fields.counted()
    fields.end()
    header.kernels = outer.rest()
    check(len(header.kernels) <= 2**24, "the size of the kernels")
    return header


def read_channels(fields: Fields) -> list[Channel]:
    """Give the table of channels, with the checks that hold for every one."""
    n_channels = fields.varint(256, 1)
    columns = [_column(fields, n_channels, read) for read in _columns(fields)]
    return [Channel(*row) for row in zip(*columns, strict=True)]


def _fidelity(fields: Fields, most: int) -> int:
    fidelity = fields.varint()
    check_known(fidelity <= most, f"fidelity {fidelity}")
    return fidelity


def _level(fields: Fields) -> int:
    level = fields.varint()
    check_known(level <= 2, f"level {level}")
    return level


def _columns(fields: Fields) -> list[Callable[[], object]]:
    return [
        lambda: fields.text(2**10),
        lambda: fields.text(2**10),
        fields.decimal,
        lambda: fields.zigzag(2**62),
        lambda: fields.varint(64),
        lambda: fields.zigzag(2**62),
        lambda: fields.varint(2**16, 1),
    ]


def _column(fields: Fields, n_channels: int, read: Callable[[], object]) -> list[object]:
    form = fields.u8()
    check(form in (0, 1), f"column of form {form}")
    return [read()] * n_channels if form == 1 else [read() for _ in range(n_channels)]


def _check_promise(fields: Fields, fidelity: int, n_channels: int) -> None:
    n_values = fields.varint()
    expected = {1: 1, 2: n_channels, 3: 1, 4: 0, 5: 1}[fidelity]
    check(n_values == expected, f"promise of {n_values} values instead of {expected}")
    for _ in range(n_values):
        form = fields.u8()
        check(form in (0, 1), f"promise of form {form}")
        if form == 0:
            fields.f64()
        else:
            fields.varint(2**32)
    for _ in range(n_channels):
        fields.take(2)
        fields.varint(2**33)
    fields.end()


def _read_version_1(payload: bytes) -> Header:
    outer = Fields(payload, "header")
    n_frames, chunk_frames = outer.varint(2**40), outer.varint(2**40, 1)
    fs = (outer.f64(), None)
    header = Header(n_frames, chunk_frames, fs, _fidelity(outer, LOSSLESS), _level(outer))
    fields = Fields(expand(outer.counted(2**20), 2**20, 1, b"", "header"), "header")
    header.record = fields.text(2**10)
    for _ in range(fields.varint(256, 1)):
        name, units, gain = fields.text(2**10), fields.text(2**10), (fields.f64(), None)
        baseline, resolution = fields.zigzag(2**62), fields.varint(64)
        zero, per_frame = fields.zigzag(2**62), fields.varint(2**16, 1)
        header.channels.append(Channel(name, units, gain, baseline, resolution, zero, per_frame))
    fields.end()
    header.parameters, header.digest = outer.counted(2**16), outer.counted()
    header.kernels = outer.counted(2**24)
    outer.end()
    return header
