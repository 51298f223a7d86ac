"""WFDB header files: read with suspicion, and written anew for records that had none."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sancodec.errors import EmptyRecordError, RecordError
from sancodec.recording import Channel

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_GAIN = re.compile(rf"({_NUMBER})(?:\(([-+]?\d+)\))?(?:/(\S+))?", re.ASCII)
_FORMAT = re.compile(r"(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?", re.ASCII)
_FREQUENCY = re.compile(rf"({_NUMBER})(?:/.*)?", re.ASCII)
_SEGMENTED = re.compile(r".*/(\d+)", re.ASCII)
_INTEGER = re.compile(r"[-+]?\d{1,18}", re.ASCII)

# Not splitlines: it also splits at characters that a description may hold.
_LINE_END = re.compile(r"\r\n|\n|\r")

_DEFAULT_FS = 250.0
_DEFAULT_GAIN = 200.0
_DEFAULT_UNITS = "mV"
_MAX_COUNT = 1 << 40


@dataclass(frozen=True, kw_only=True)
class SignalLine:
    """What a header says about one signal."""

    file_name: str
    format: int
    byte_offset: int
    initial: int
    channel: Channel


@dataclass(frozen=True, kw_only=True)
class HeaderText:
    """What the header of a single-segment record says.

    ``fs`` is in frames per second; ``n_frames`` is None when the header does not say it.
    """

    fs: float
    n_frames: int | None
    signals: tuple[SignalLine, ...]


@dataclass(frozen=True, kw_only=True)
class SegmentsText:
    """What the header of a record of several segments says.

    ``segments`` are names and lengths in frames, ``~`` being the name of a gap; ``fs`` is in frames
    per second; ``n_frames`` is None when the header does not say it.
    """

    n_signals: int
    fs: float
    n_frames: int | None
    segments: tuple[tuple[str, int], ...]


def parse_segments(text: str, path: Path) -> SegmentsText | None:
    """Read the text of a header file; None where it is that of a record of one segment.

    Raises
    ------
    RecordError
        A line says something that cannot be.
    """
    (number, record_line), *lines = _significant(text, path)
    where = f"{path}, line {number}"
    fields = record_line.split()
    found = _SEGMENTED.fullmatch(fields[0])
    if found is None:
        return None
    n_segments = _count(found[1], "number of segments", where)
    if n_segments == 0 or len(lines) < n_segments:
        raise RecordError(f"{path}: {len(lines)} segments, line {number} says {n_segments}")
    return SegmentsText(
        n_signals=_count(fields[1], "number of signals", where) if len(fields) > 1 else 0,
        fs=_parse_frequency(fields[2], where) if len(fields) > 2 else _DEFAULT_FS,
        n_frames=_count(fields[3], "number of samples", where) if len(fields) > 3 else None,
        segments=tuple(_parse_segment(line, f"{path}, line {i}") for i, line in lines[:n_segments]),
    )


def _parse_segment(line: str, where: str) -> tuple[str, int]:
    fields = line.split()
    if len(fields) < 2:
        raise RecordError(f"{where}: a segment needs a name and a number of samples")
    return fields[0], _count(fields[1], "number of samples", where)


def _significant(text: str, path: Path) -> list[tuple[int, str]]:
    """Give numbers and texts of the lines that are no comments."""
    lines = [(i, line.strip()) for i, line in enumerate(_LINE_END.split(text), 1)]
    lines = [(i, line) for i, line in lines if line and not line.startswith("#")]
    if not lines:
        raise RecordError(f"{path}: empty; expected a WFDB header")
    return lines


def parse_header(text: str, path: Path) -> HeaderText:
    """Read the text of a header file; ``path`` is named in messages.

    Raises
    ------
    RecordError
        A line says something that cannot be, or the record is of a kind that is not supported.
    """
    lines = _significant(text, path)
    number, record_line = lines[0]
    where = f"{path}, line {number}"
    fields = record_line.split()
    if _SEGMENTED.fullmatch(fields[0]):
        raise RecordError(f"{where}: {fields[0]} is a record of several segments, not one of them")
    n_signals = _count(fields[1], "number of signals", where) if len(fields) > 1 else 0
    if n_signals == 0:
        raise EmptyRecordError(f"{where}: no signals; there is nothing to encode")
    if len(lines) - 1 < n_signals:
        raise RecordError(f"{path}: {len(lines) - 1} signal lines, line {number} says {n_signals}")
    signals = [_parse_signal(line, f"{path}, line {i}") for i, line in lines[1 : n_signals + 1]]
    return HeaderText(
        fs=_parse_frequency(fields[2], where) if len(fields) > 2 else _DEFAULT_FS,
        n_frames=_count(fields[3], "number of samples", where) if len(fields) > 3 else None,
        signals=tuple(signals),
    )


def safe_name(name: str) -> str:
    """Give the name of a record with ``_`` for every character that WFDB does not take in one."""
    return re.sub(r"[^-\w]", "_", name, flags=re.ASCII) or "record"


def compose_header(
    name: str,
    fs: float,
    n_frames: int,
    lines: Sequence[tuple[str, int, Channel, int, int]],
) -> str:
    """Give the text of a header file.

    Parameters
    ----------
    name : str
    fs : float
        Frames per second.
    n_frames : int
    lines : sequence of (file name, format, channel, initial value, sum of the samples)
        One for each signal.
    """
    text = [f"{name} {len(lines)} {_spell(fs)} {n_frames}"]
    for file_name, fmt, channel, initial, total in lines:
        per_frame = f"x{channel.samples_per_frame}" if channel.samples_per_frame > 1 else ""
        units = re.sub(r"\s+", "_", channel.units.strip()) or _DEFAULT_UNITS
        checksum = (total + (1 << 15)) % (1 << 16) - (1 << 15)
        text.append(
            f"{file_name} {fmt}{per_frame} {channel.adc_gain!r}({channel.baseline})/{units} "
            f"{channel.adc_res} {channel.adc_zero} {initial} {checksum} 0 "
            f"{' '.join(channel.name.split())}".rstrip()
        )
    return "\n".join(text) + "\n"


def _parse_signal(line: str, where: str) -> SignalLine:
    fields = line.split(maxsplit=2)
    if len(fields) < 2:
        raise RecordError(f"{where}: a signal line needs a file name and a format")
    found = _FORMAT.fullmatch(fields[1])
    if found is None:
        raise RecordError(f"{where}: format {fields[1]!r}, expected one like 212, 16x2 or 16+24")
    fmt, per_frame, _skew, byte_offset = (int(part) if part else 0 for part in found.groups())
    numbers, description = _split_rest(fields[2] if len(fields) > 2 else "")
    gain, baseline, units = _parse_gain(numbers[0] if numbers else str(_DEFAULT_GAIN), where)
    adc_res, adc_zero, initial = (int(n) for n in (numbers[1:4] + ["0"] * 3)[:3])
    # Without its own field the initial value is the ADC zero, as header(5) of WFDB says.
    initial = initial if len(numbers) > 3 else adc_zero
    return SignalLine(
        file_name=fields[0],
        format=fmt,
        byte_offset=byte_offset,
        initial=initial,
        channel=Channel(
            name=description,
            units=units,
            adc_gain=gain,
            baseline=adc_zero if baseline is None else baseline,
            adc_res=max(0, adc_res),
            adc_zero=adc_zero,
            samples_per_frame=max(1, per_frame),
        ),
    )


def _split_rest(rest: str) -> tuple[list[str], str]:
    """Split gain and up to five integers from the description, which may have spaces."""
    numbers: list[str] = []
    while rest and len(numbers) < 6:
        field, *after = rest.split(maxsplit=1)
        if numbers and not _INTEGER.fullmatch(field):
            break
        numbers.append(field)
        rest = after[0] if after else ""
    return numbers, rest


def _parse_gain(field: str, where: str) -> tuple[float, int | None, str]:
    found = _GAIN.fullmatch(field)
    gain = float(found[1]) if found else math.nan
    if found is None or not math.isfinite(gain):
        raise RecordError(
            f"{where}: gain {field!r}, expected a number as in 200, 200/mV or 200(1024)/mV; "
            "correct the header"
        )
    baseline = int(found[2]) if found[2] else None
    # A gain of 0 says that the signal is not calibrated; WFDB then assumes its default.
    return gain or _DEFAULT_GAIN, baseline, found[3] or _DEFAULT_UNITS


def _parse_frequency(field: str, where: str) -> float:
    found = _FREQUENCY.fullmatch(field)
    fs = float(found[1]) if found else math.nan
    if not (math.isfinite(fs) and fs > 0):
        raise RecordError(
            f"{where}: sampling frequency {field!r}, expected a number above 0; correct the header"
        )
    return fs


def _count(field: str, what: str, where: str) -> int:
    if not (field.isascii() and field.isdigit()) or len(field) > 18 or int(field) > _MAX_COUNT:
        raise RecordError(f"{where}: {what} {field!r}, expected an integer of at most 2**40")
    return int(field)


def _spell(number: float) -> str:
    """Write a frequency without an exponent, which readers of headers do not take."""
    return np.format_float_positional(number, trim="-")
