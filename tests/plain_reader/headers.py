"""The WFDB header that channels and samples give by rule ("Headers")."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from .record import Record

if TYPE_CHECKING:
    from .restoration import File

TIMES_ONE, POINT_ZERO, BASELINE, UNITS, UNSIGNED, CRLF = 1, 2, 4, 8, 16, 32


def header_by_rule(record: Record, files: list[File], style: int) -> bytes:
    header = record.header
    if header.n_frames == 0:
        return b""
    frequency = _digits(header.fs[0])
    lines = [f"{header.record} {len(header.channels)} {frequency} {header.n_frames}"]
    lines += [_line(record, file, i, style) for file in files for i in file.channels]
    end = "\r\n" if style & CRLF else "\n"
    return "".join(line + end for line in lines).encode()


def _line(record: Record, file: File, i: int, style: int) -> str:
    channel, samples = record.header.channels[i], record.samples[i]
    form = str(file.format)
    if channel.samples_per_frame > 1 or style & TIMES_ONE:
        form += f"x{channel.samples_per_frame}"
    if file.offset:
        form += f"+{file.offset}"
    gain = _digits(channel.gain[0])
    if style & POINT_ZERO and gain and "." not in gain:
        gain += ".0"
    if style & BASELINE:
        gain += f"({channel.baseline})"
    if style & UNITS:
        gain += f"/{channel.units}"
    checksum = sum(samples) % 2**16
    if checksum >= 2**15 and not style & UNSIGNED:
        checksum -= 2**16
    rest = f"{channel.resolution} {channel.zero} {samples[0]} {checksum} 0 {channel.name}"
    return f"{file.name} {form} {gain} {rest}"


def _digits(number: float) -> str:
    """Give the digits of the decimal with the least p; nothing for a number that has none."""
    for p in range(23):
        m = Fraction(number) * 10**p
        m = round(m)
        if abs(m) <= 2**53 and m / 10**p == number:
            digits = str(abs(m)).rjust(p + 1, "0")
            whole, part = digits[: len(digits) - p], digits[len(digits) - p :]
            return "-" * (m < 0) + whole + ("." + part if p else "")
    return ""
