from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sancodec.errors import CorruptError
from sancodec.formats.decimals import put_decimal, spell, split, take_decimal
from sancodec.formats.wire import ByteReader, ByteWriter


def _round_trip(number: float) -> tuple[float, int]:
    writer = ByteWriter()
    put_decimal(writer, number)
    reader = ByteReader(writer.getvalue())
    found = take_decimal(reader, "gain")
    reader.expect_end("gain")
    return found, len(writer)


@given(st.floats())
def test_every_number_comes_back_to_the_last_bit(number: float) -> None:
    found, n_bytes = _round_trip(number)
    assert struct.pack("<d", found) == struct.pack("<d", number)
    assert n_bytes <= 10


@given(st.integers(-(10**9), 10**9), st.integers(0, 9))
def test_numbers_of_few_digits_take_few_bytes(mantissa: int, places: int) -> None:
    number = mantissa / 10**places
    found, n_bytes = _round_trip(number)
    assert found == number
    assert n_bytes <= 6 or (mantissa == 0)


@pytest.mark.parametrize(
    ("number", "text", "with_point"),
    [
        (200.0, "200", "200.0"),
        (204.8, "204.8", "204.8"),
        (-0.001, "-0.001", "-0.001"),
        (1e15, "1000000000000000", "1000000000000000.0"),
        (0.1 + 0.2, "", ""),
        (1e300, "", ""),
        (math.pi * 1e-20, "", ""),
        (math.inf, "", ""),
        (math.nan, "", ""),
    ],
)
def test_numbers_are_spelled_as_people_write_them(
    number: float, text: str, with_point: str
) -> None:
    assert spell(number) == text
    assert spell(number, with_point=True) == with_point


def test_a_negative_zero_keeps_its_sign() -> None:
    assert split(-0.0) is None
    assert math.copysign(1.0, _round_trip(-0.0)[0]) == -1.0


@pytest.mark.parametrize(
    "encoded",
    [
        ByteWriter().varint(24).zigzag(1).getvalue(),
        ByteWriter().varint(0).zigzag((1 << 53) + 1).getvalue(),
        b"\x17\0\0",
    ],
)
def test_numbers_that_one_rounding_does_not_give_are_refused(encoded: bytes) -> None:
    with pytest.raises(CorruptError, match="gain"):
        take_decimal(ByteReader(encoded), "gain")
