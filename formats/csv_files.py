"""Tables of numbers as text: read as exact decimals, written as physical values."""

from __future__ import annotations

import re
import tempfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import RecordError
from sancodec.formats.arrays import refuse_mixed
from sancodec.formats.channels import MAX_CHANNELS
from sancodec.recording import NO_SAMPLE, Channel, RecordSpans

_NUMBER = re.compile(r"([-+]?)(\d*)(?:\.(\d*))?", re.ASCII)
_NAME = re.compile(r"(.*?)\s*[\[(]([^\[\]()]*)[\])]")
_TIME = re.compile(r"(?:elapsed )?time\b.*|t|seconds?", re.IGNORECASE)
_MAX_PLACES = 9
_MAX_LINE = 1 << 16
_INT32 = np.iinfo(np.int32)
_PIECE_ROWS = 1 << 14


@dataclass
class CsvTable:
    """The numbers of a CSV file, as integers and the power of ten that each column is in.

    Attributes
    ----------
    channels : tuple of Channel
        With a gain of ten to the number of digits behind the point.
    fs : float
        In Hz.
    samples : (n_samples, n_channels) int32
        On disk, in a file without a name.
    """

    channels: tuple[Channel, ...]
    fs: float
    samples: NDArray[np.int32]


def read_csv(path: Path, fs: float | None, *, keep_time: bool = False) -> CsvTable:
    """Read a table of decimal numbers, of which every line is a sample of each channel.

    A first line of names is taken as such, with units in brackets. A first column called time is
    left out once it is seen to be that of evenly spaced samples, unless ``keep_time``.

    Parameters
    ----------
    fs : float or None
        Sampling frequency in Hz; None where it follows from a column of time.

    Raises
    ------
    RecordError
        A line has another number of fields, or one that is no number; times are not even.
    """
    layout = _survey(path)
    if layout.has_time and not keep_time:
        fs = _find_fs(path, layout, fs)
    if fs is None:
        raise RecordError(f"{path}: no sampling frequency; give it with --fs")
    first = 1 if layout.has_time and not keep_time else 0
    if len(layout.places) == first:
        raise RecordError(f"{path}: a column of time and no other")
    return CsvTable(
        channels=tuple(
            _make_channel(*own)
            for own in list(zip(layout.names, layout.places, strict=True))[first:]
        ),
        fs=fs,
        samples=_spool(path, layout, first),
    )


@dataclass
class _Layout:
    """What a pass over the lines tells: where numbers begin, and their digits behind the point."""

    separator: str
    n_head: int
    names: list[str]
    has_time: bool
    n_rows: int = 0
    places: list[int] = field(default_factory=list)


def _survey(path: Path) -> _Layout:
    layout = None
    for number, line in _lines(path):
        if layout is None:
            layout = _first_line(line, path)
            if layout.n_head:
                continue
        for i, text in enumerate(_fields(line, layout, path, number)):
            layout.places[i] = max(layout.places[i], len(text.partition(".")[2]))
        layout.n_rows += 1
    if layout is None or not layout.n_rows:
        raise RecordError(f"{path}: no numbers; there is nothing to encode")
    for name, places in zip(layout.names, layout.places, strict=True):
        if places > _MAX_PLACES:
            raise RecordError(
                f"{path}: {places} digits behind the point in {name or 'a column'}, at most "
                f"{_MAX_PLACES}; round it to what was measured"
            )
    return layout


def _first_line(line: str, path: Path) -> _Layout:
    separator = max(",;\t", key=line.count)
    fields = [text.strip().strip('"') for text in line.split(separator)]
    is_head = any(not _is_number(text) for text in fields)
    names = fields if is_head else [""] * len(fields)
    if len(names) > MAX_CHANNELS + 1:
        raise RecordError(f"{path}: {len(names)} columns, at most {MAX_CHANNELS}")
    return _Layout(
        separator=separator,
        n_head=int(is_head),
        names=names,
        has_time=is_head and _TIME.fullmatch(names[0]) is not None,
        places=[0] * len(names),
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Give the lines that are not blank, with their numbers."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(_MAX_LINE + 1):
                number += 1
                if len(line) > _MAX_LINE:
                    raise RecordError(f"{path}, line {number}: longer than {_MAX_LINE} bytes")
                text = line.decode("utf-8-sig" if number == 1 else "utf-8", "replace").strip()
                if text:
                    yield number, text
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from error


def _fields(line: str, layout: _Layout, path: Path, number: int) -> list[str]:
    """Give the numbers of a line, as text."""
    fields = [text.strip().strip('"') for text in line.split(layout.separator)]
    if len(fields) != len(layout.names):
        raise RecordError(
            f"{path}, line {number}: {len(fields)} fields, the first line has {len(layout.names)}"
        )
    for text in fields:
        if not _is_number(text):
            raise RecordError(
                f"{path}, line {number}: {text[:40]!r} is no decimal number; leave out or fill "
                "what is missing first"
            )
    return fields


def _is_number(text: str) -> bool:
    found = _NUMBER.fullmatch(text)
    return found is not None and bool(found[2] or found[3])


def _scaled(text: str, places: int) -> int:
    """Give a number times ten to the power of ``places``, which it has at most."""
    whole, _, behind = text.partition(".")
    return int(whole + behind.ljust(places, "0"))


def _find_fs(path: Path, layout: _Layout, fs: float | None) -> float:
    """Give the frequency that a column of time is of, having looked at all of it."""
    if fs is None:
        *_, (_, last) = deque(_times(path, layout), maxlen=1)
        _, first = next(_times(path, layout))
        if last <= first:
            raise RecordError(f"{path}: no sampling frequency in its time; give it with --fs")
        exact = (layout.n_rows - 1) / (last - first)
        # Times that were rounded give about a whole number.
        fs = float(round(exact) or exact)
    unit, start = Fraction(1, 10 ** layout.places[0]), None
    for i, (number, time) in enumerate(_times(path, layout)):
        start = time if start is None else start
        expected = start + i / Fraction(fs)
        if abs(time - expected) >= unit:
            raise RecordError(
                f"{path}, line {number}: time {float(time):g} s, expected {float(expected):g} s at "
                f"{fs:g} Hz; give --fs, or keep the column as a channel with --keep-time"
            )
    return fs


def _times(path: Path, layout: _Layout) -> Iterator[tuple[int, Fraction]]:
    places = layout.places[0]
    return (
        (number, Fraction(_scaled(fields[0], places), 10**places))
        for number, fields in _rows(path, layout)
    )


def _rows(path: Path, layout: _Layout) -> Iterator[tuple[int, list[str]]]:
    lines = _lines(path)
    for _ in range(layout.n_head):
        next(lines)
    for number, line in lines:
        yield number, _fields(line, layout, path, number)


def _spool(path: Path, layout: _Layout, first: int) -> NDArray[np.int32]:
    """Write the numbers as integers into a file without a name, and give it as an array."""
    places = layout.places[first:]
    rows: list[list[int]] = []
    with tempfile.TemporaryFile() as spool:
        for number, texts in _rows(path, layout):
            rows.append([_scaled(t, p) for t, p in zip(texts[first:], places, strict=True)])
            if not all(_INT32.min <= n <= _INT32.max for n in rows[-1]):
                raise RecordError(
                    f"{path}, line {number}: a number of more than 32 bits with all digits behind "
                    "the point; round the column to what was measured"
                )
            if len(rows) == _PIECE_ROWS:
                spool.write(np.array(rows, np.int32).data)
                rows = []
        spool.write(np.array(rows, np.int32).reshape(-1, len(places)).data)
        spool.flush()
        # The array holds on to the file, which has no name to be left behind.
        return np.memmap(spool, np.int32, "r", shape=(layout.n_rows, len(places)))


def _make_channel(name: str, places: int) -> Channel:
    found = _NAME.fullmatch(name)
    name, units = (found[1], found[2]) if found else (name, "")
    return Channel(name=name, units=units or "NU", adc_gain=float(10**places))


def write_csv(stream: BinaryIO, record: RecordSpans) -> None:
    """Write physical values, a line for each sample of all channels, behind a line of names.

    Where the gain is a power of ten, numbers are exact decimals; else the shortest that binary64
    takes for the same. Samples that were lost are empty.

    Raises
    ------
    RecordError
        The channels have different sampling frequencies.
    """
    refuse_mixed(record)
    channels = record.channels
    stream.write((",".join(map(_spell_name, channels)) + "\n").encode("utf-8"))
    for span in record.spans:
        columns = [
            _spell(signal, channel) for signal, channel in zip(span.signals, channels, strict=True)
        ]
        lines = map(",".join, zip(*columns, strict=True))
        stream.write("".join(f"{line}\n" for line in lines).encode("ascii"))


def _spell_name(channel: Channel) -> str:
    text = f"{channel.name} [{channel.units}]" if channel.units != "NU" else channel.name
    return re.sub(r'[\s,;"]+', " ", text).strip()


def _spell(signal: NDArray[np.int32], channel: Channel) -> list[str]:
    places = next((p for p in range(_MAX_PLACES + 1) if 10.0**p == channel.adc_gain), None)
    texts = {value: _spell_value(value, channel, places) for value in np.unique(signal).tolist()}
    return [texts[value] for value in signal.tolist()]


def _spell_value(value: int, channel: Channel, places: int | None) -> str:
    if value == NO_SAMPLE:
        return ""
    counts = value - channel.baseline
    if places is None:
        return repr(counts / channel.adc_gain)
    digits = str(abs(counts)).zfill(places + 1)
    whole = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return f"-{whole}" if counts < 0 else whole
