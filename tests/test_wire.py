from __future__ import annotations

import math

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sancodec.errors import CorruptError, TruncatedError
from sancodec.formats.compressed import compress, decompress
from sancodec.formats.wire import MAX_U64, ByteReader, ByteWriter


@given(st.integers(0, MAX_U64))
def test_varints_come_back(number: int) -> None:
    encoded = ByteWriter().varint(number).getvalue()
    reader = ByteReader(encoded)
    assert reader.varint("n") == number
    reader.expect_end("n")
    assert len(encoded) == max(1, -(-number.bit_length() // 7))


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_zigzag_integers_come_back(number: int) -> None:
    assert ByteReader(ByteWriter().zigzag(number).getvalue()).zigzag("z") == number


@given(st.floats(allow_nan=False), st.text(max_size=50), st.binary(max_size=50))
def test_mixed_fields_come_back_in_order(number: float, text: str, raw: bytes) -> None:
    text = text.encode("utf-8", "ignore").decode("utf-8")
    writer = ByteWriter().u8(200).u16(60_000).u32(1 << 31).u64(1 << 63)
    encoded = writer.f64(number).text(text).counted(raw).getvalue()
    reader = ByteReader(encoded)
    assert reader.u8("a") == 200
    assert reader.u16("b") == 60_000
    assert reader.u32("c") == 1 << 31
    assert reader.u64("d") == 1 << 63
    assert reader.f64("e") == number
    assert reader.text("f", 1000) == text
    assert reader.counted("g", 50) == raw
    assert reader.remaining == 0


def test_the_sign_of_zero_and_infinity_survive() -> None:
    reader = ByteReader(ByteWriter().f64(-0.0).f64(math.inf).getvalue())
    assert math.copysign(1, reader.f64("a")) == -1
    assert reader.f64("b") == math.inf


def test_integers_are_little_endian() -> None:
    assert ByteWriter().u32(0x01020304).getvalue() == bytes([4, 3, 2, 1])
    assert ByteWriter().varint(300).getvalue() == bytes([0xAC, 0x02])


@pytest.mark.parametrize("encoded", [b"\x80\x00", b"\xff\x80\x00", b"\x80" * 9 + b"\x00"])
def test_a_varint_longer_than_needed_is_refused(encoded: bytes) -> None:
    with pytest.raises(CorruptError, match="longer than it needs"):
        ByteReader(encoded).varint("n")


@pytest.mark.parametrize("encoded", [b"\xff" * 9 + b"\x02", b"\xff" * 11])
def test_a_varint_of_more_than_64_bits_is_refused(encoded: bytes) -> None:
    with pytest.raises(CorruptError):
        ByteReader(encoded).varint("n")


def test_a_number_above_its_limit_is_refused_and_named() -> None:
    with pytest.raises(CorruptError, match=r"a\.san: leads: 300, expected at most 256"):
        ByteReader(ByteWriter().varint(300).getvalue(), "a.san").varint("leads", 256)


@pytest.mark.parametrize("n_bytes", range(19))
def test_every_prefix_is_reported_as_truncated(n_bytes: int) -> None:
    encoded = ByteWriter().u32(1).varint(1 << 20).f64(1.0).text("abc").getvalue()
    reader = ByteReader(encoded[:n_bytes])
    with pytest.raises(TruncatedError, match="need"):
        _read_all(reader)
    assert _read_all(ByteReader(encoded)) == (1, 1 << 20, 1.0, "abc")


def test_errors_tell_offsets_within_the_file() -> None:
    reader = ByteReader(b"abcd", "x.san", base=100)
    reader.take(3, "head")
    with pytest.raises(TruncatedError, match=r"x\.san: tail: need 2 bytes at offset 103, 1 left"):
        reader.take(2, "tail")


def test_a_huge_count_in_few_bytes_is_refused_before_it_is_allocated() -> None:
    encoded = ByteWriter().varint(1 << 62).getvalue()
    with pytest.raises(TruncatedError):
        ByteReader(encoded).counted("blob", MAX_U64)


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(CorruptError, match="not UTF-8"):
        ByteReader(b"\x01\xff").text("name", 10)


def test_bytes_behind_the_last_field_are_refused() -> None:
    with pytest.raises(CorruptError, match="1 bytes more"):
        ByteReader(b"a").expect_end("header")


def test_numbers_that_do_not_fit_are_not_written() -> None:
    with pytest.raises(OverflowError):
        ByteWriter().varint(1 << 64)
    with pytest.raises(OverflowError):
        ByteWriter().varint(-1)
    with pytest.raises(OverflowError):
        ByteWriter().u8(256)


KNOWN = b"what both sides know, long before the first byte is read"


@given(st.binary(max_size=300), st.integers(1, 5))
def test_compressed_bytes_come_back(raw: bytes, repeat: int) -> None:
    stored = compress(raw * repeat, KNOWN)
    assert decompress(stored, len(raw) * repeat, "table", KNOWN) == raw * repeat
    assert len(stored) <= len(raw) * repeat + 1


def test_what_is_known_already_costs_little() -> None:
    stored = compress(KNOWN, KNOWN)
    assert len(stored) < 20
    assert decompress(stored, len(KNOWN), "table", KNOWN) == KNOWN


@pytest.mark.parametrize("raw", [bytes(1001), bytes(range(251)) * 4])
def test_bytes_that_decompress_beyond_their_limit_are_refused(raw: bytes) -> None:
    with pytest.raises(CorruptError, match="expected at most 1000"):
        decompress(compress(raw, KNOWN), 1000, "table", KNOWN)
    old = b"\1" + zstandard.ZstdCompressor().compress(raw)
    with pytest.raises(CorruptError, match="expected at most 1000"):
        decompress(old, 1000, "table")


@pytest.mark.parametrize("known", [None, KNOWN])
@pytest.mark.parametrize(
    "stored", [b"", b"\x03abc", b"\x01", b"\x02", b"\x01abcdefghijkl", b"\x02abcdefghijkl"]
)
def test_damaged_compressed_bytes_are_refused(stored: bytes, known: bytes | None) -> None:
    with pytest.raises(CorruptError, match="table"):
        decompress(stored, 1000, "table", known)


def test_bytes_behind_a_zstd_frame_are_refused() -> None:
    stored = compress(bytes(1000), KNOWN)
    assert stored[0] == 2
    with pytest.raises(CorruptError):
        decompress(stored + b"x", 1000, "table", KNOWN)


def _read_all(reader: ByteReader) -> tuple[int, int, float, str]:
    return reader.u32("a"), reader.varint("b"), reader.f64("c"), reader.text("d", 3)


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 40_000)), st.data())
def test_many_numbers_are_those_that_single_ones_are(
    numbers: list[int], data: st.DataObject
) -> None:
    """Of whole bytes, of changed ones, and of those that end too soon."""
    writer = ByteWriter()
    for number in numbers:
        writer.varint(number)
    encoded = bytearray(writer.getvalue())
    if encoded and data.draw(st.booleans()):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    encoded = encoded[: data.draw(st.integers(0, len(encoded)))]
    limit = data.draw(st.sampled_from([2**64 - 1, 200, 20_000]))

    def taken(bulk: bool) -> object:
        reader = ByteReader(bytes(encoded))
        try:
            if bulk:
                found = reader.varints(len(numbers), "number", limit)
            else:
                found = [reader.varint("number", limit) for _ in numbers]
        except CorruptError as error:
            return type(error)
        return found, reader.offset

    assert taken(bulk=True) == taken(bulk=False)
