"""Headers of EDF, EDF+ and BDF files: read with suspicion."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TypeVar

from sancodec.errors import EmptyRecordError, RecordError

_EDF = b"0       "
_BDF = b"\xffBIOSEMI"
MAGICS = (_EDF, _BDF)
MAGIC_BYTES = 8
_FIXED_BYTES = 256
_SIGNAL_BYTES = 256
_MAX_SIGNALS = 9999
_MAX_DIGITAL = 1 << 31
_ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
_INTEGER = re.compile(r"[-+]?\d{1,8}", re.ASCII)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?", re.ASCII)
# Of each signal: label, transducer, units, four bounds, filters, number of samples, reserved.
_WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)

_BEGIN = re.compile(rb"(\d\d)\.(\d\d)\.(\d\d)" * 2)
BEGIN_BYTES = 184
"""How many bytes of a file say when it began."""

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class EdfSignal:
    """What the header says of one signal.

    Attributes
    ----------
    label, units : str
    physical, digital : (Fraction, Fraction) or None
        Least and largest value; None where a field is no number, or none that can be.
    n_samples : int
        In a data record.
    """

    label: str
    units: str
    physical: tuple[Fraction, Fraction] | None
    digital: tuple[Fraction, Fraction] | None
    n_samples: int

    @property
    def is_annotations(self) -> bool:
        """Whether its bytes are annotations, not samples."""
        return self.label in _ANNOTATIONS


@dataclass(frozen=True, kw_only=True)
class EdfHeader:
    """What the header of a file says.

    Attributes
    ----------
    sample_bytes : int
        2 in EDF, 3 in BDF.
    n_bytes : int
        Of the header.
    n_records : int or None
        Data records; None where the header does not say it.
    duration : Fraction
        Of a data record, in seconds.
    discontinuous : bool
        Whether time may pass between data records.
    signals : tuple of EdfSignal
    """

    sample_bytes: int
    n_bytes: int
    n_records: int | None
    duration: Fraction
    discontinuous: bool
    signals: tuple[EdfSignal, ...]


def is_edf(start: bytes) -> bool:
    """Tell whether a file that begins with these bytes says that it is EDF or BDF."""
    return start[:MAGIC_BYTES] in MAGICS


def parse_edf_header(read: Callable[[int], bytes], name: str) -> EdfHeader:
    """Read a header; ``read`` gives the next bytes of the file called ``name``.

    Raises
    ------
    RecordError
        It is no header of EDF or BDF, or a field that has to be known is not what it should be.
    """
    fixed = _take(read, _FIXED_BYTES, name)
    if not is_edf(fixed):
        raise RecordError(f"{name}: begins with {fixed[:MAGIC_BYTES]!r}; neither EDF nor BDF")
    n_signals = _count(fixed[252:256], "number of signals", name)
    if not n_signals:
        raise EmptyRecordError(f"{name}: 0 signals; there is nothing to encode")
    if not 1 <= n_signals <= _MAX_SIGNALS:
        raise RecordError(f"{name}: {n_signals} signals, expected 1 to {_MAX_SIGNALS}")
    n_bytes = _FIXED_BYTES + n_signals * _SIGNAL_BYTES
    said = _count(fixed[184:192], "bytes of the header", name)
    if said != n_bytes:
        raise RecordError(
            f"{name}: a header of {said} bytes, expected {n_bytes} for {n_signals} signals"
        )
    n_records = _count(fixed[236:244], "number of data records", name, least=-1)
    duration = _number(fixed[244:252])
    if duration is None or duration < 0:
        raise RecordError(f"{name}: data records of {_text(fixed[244:252])!r} seconds")
    columns = _columns(_take(read, n_signals * _SIGNAL_BYTES, name), n_signals)
    return EdfHeader(
        sample_bytes=2 if fixed.startswith(_EDF) else 3,
        n_bytes=n_bytes,
        n_records=None if n_records < 0 else n_records,
        duration=duration,
        discontinuous=_text(fixed[192:236]).startswith(("EDF+D", "BDF+D")),
        signals=tuple(_signal(columns, i, name) for i in range(n_signals)),
    )


def begin_of(fixed: bytes) -> datetime | None:
    """Give when a recording began, from the first bytes of its file; None where it does not say.

    Years of two digits are those from 1985 to 2084, as EDF has it.
    """
    found = _BEGIN.fullmatch(fixed[168:184])
    if found is None:
        return None
    day, month, year, hour, minute, second = (int(part) for part in found.groups())
    try:
        return datetime(year + (1900 if year >= 85 else 2000), month, day, hour, minute, second)
    except ValueError:
        return None


def _take(read: Callable[[int], bytes], n_bytes: int, name: str) -> bytes:
    content = read(n_bytes)
    if len(content) != n_bytes:
        raise RecordError(f"{name}: ends within its header; get the whole file")
    return content


def _columns(content: bytes, n_signals: int) -> list[list[bytes]]:
    """Give for each kind of field those of all signals."""
    columns, offset = [], 0
    for width in _WIDTHS:
        columns.append(
            [content[offset + i * width : offset + (i + 1) * width] for i in range(n_signals)]
        )
        offset += width * n_signals
    return columns


def _signal(columns: list[list[bytes]], i: int, name: str) -> EdfSignal:
    label, _, units, *bounds, _, n_samples, _ = (column[i] for column in columns)
    least, most, low, high = map(_number, bounds)
    return EdfSignal(
        label=_text(label),
        units=_text(units),
        physical=_pair(least, most),
        digital=_pair(*(None if n is None or abs(n) > _MAX_DIGITAL else n for n in (low, high))),
        n_samples=_count(n_samples, f"samples of signal {i + 1} in a data record", name),
    )


def _pair(first: _T | None, second: _T | None) -> tuple[_T, _T] | None:
    return None if first is None or second is None else (first, second)


def _text(field: bytes) -> str:
    # The standard has ASCII; where a byte is none, as in degrees, it mostly is Latin-1.
    return "".join(c if c.isprintable() else " " for c in field.decode("latin-1")).strip()


def _number(field: bytes) -> Fraction | None:
    # Some writers follow the locale.
    text = _text(field).replace(",", ".")
    return Fraction(text) if _NUMBER.fullmatch(text) else None


def _count(field: bytes, what: str, name: str, least: int = 0) -> int:
    text = _text(field)
    if not _INTEGER.fullmatch(text) or int(text) < least:
        raise RecordError(f"{name}: {what} is {text!r}, expected an integer of at least {least}")
    return int(text)
