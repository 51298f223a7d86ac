"""Numbers that people write with a few digits, such as gains and sampling frequencies."""

from __future__ import annotations

import math
from decimal import Decimal

from sancodec.formats.wire import ByteReader, ByteWriter

MAX_PLACES = 22
"""Digits behind the point; 10 to this power is a binary64 number, so a quotient is rounded once."""
_MAX_MANTISSA = 1 << 53
_BINARY = MAX_PLACES + 1


def split(number: float) -> tuple[int, int] | None:
    """Give ``m`` and the least ``places`` with ``number == m / 10**places``, or None without any.

    Exact to the last bit: the quotient, rounded once, is the number.
    """
    if not math.isfinite(number):
        return None
    number = float(number)
    shortest = Decimal(repr(number)).normalize()
    places = max(0, -int(shortest.as_tuple().exponent))
    mantissa = int(shortest.scaleb(places))
    # The second comparison keeps the sign of a zero.
    if places > MAX_PLACES or abs(mantissa) > _MAX_MANTISSA or repr(number) == "-0.0":
        return None
    return mantissa, places


def spell(number: float, *, with_point: bool = False) -> str:
    """Give the digits of a number, such as 204.8; nothing where it has no short spelling.

    Parameters
    ----------
    with_point : bool
        Whether whole numbers end in ``.0``.
    """
    parts = split(number)
    if parts is None:
        return ""
    mantissa, places = parts
    sign, digits = "-" * (mantissa < 0), str(abs(mantissa)).zfill(places + 1)
    if not places:
        return f"{sign}{digits}.0" if with_point else f"{sign}{digits}"
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def put_decimal(writer: ByteWriter, number: float) -> None:
    """Write a number: places and mantissa where it has them, else binary64."""
    parts = split(number)
    if parts is None:
        writer.varint(_BINARY).f64(number)
    else:
        writer.varint(parts[1]).zigzag(parts[0])


def take_decimal(reader: ByteReader, field: str) -> float:
    """Give the number of ``put_decimal``.

    Raises
    ------
    CorruptError
        There are more places or digits than one rounding allows.
    """
    places = reader.varint(f"{field}, places", _BINARY)
    if places == _BINARY:
        return reader.f64(field)
    mantissa = reader.zigzag(field)
    if abs(mantissa) > _MAX_MANTISSA:
        raise reader.corrupt(field, f"{mantissa} of {places} places, expected at most 2**53")
    # Both are exact, and so this is rounded once: the same number on every machine.
    return float(mantissa) / float(10**places)
