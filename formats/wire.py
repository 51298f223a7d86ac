"""Bytes, read with suspicion and written in one way: little-endian integers, varints, strings."""

from __future__ import annotations

import struct

from sancodec.errors import CorruptError, TruncatedError

MAX_U64 = (1 << 64) - 1
_MAX_VARINT_BYTES = 10


class ByteReader:
    """A position in bytes that never passes their end.

    Parameters
    ----------
    source : bytes or memoryview
    name : str
        What the bytes are, usually a file name; it begins every error message.
    base : int
        Offset of the first byte within the file, for the offsets in error messages.
    """

    def __init__(self, source: bytes | memoryview, name: str = "", base: int = 0) -> None:
        self._source = memoryview(source)
        self._prefix = f"{name}: " if name else ""
        self._base = base
        self._offset = 0

    @property
    def offset(self) -> int:
        """Number of bytes taken so far."""
        return self._offset

    @property
    def remaining(self) -> int:
        """Number of bytes left."""
        return len(self._source) - self._offset

    def corrupt(self, field: str, problem: str) -> CorruptError:
        """Give the error that says what is wrong with a field, to be raised."""
        return CorruptError(f"{self._prefix}{field}: {problem}")

    def take(self, n_bytes: int, field: str) -> memoryview:
        """Give the next bytes without copying them.

        Raises
        ------
        TruncatedError
            Fewer bytes are left.
        """
        if not 0 <= n_bytes <= self.remaining:
            raise TruncatedError(
                f"{self._prefix}{field}: need {n_bytes} bytes at offset "
                f"{self._base + self._offset}, {self.remaining} left"
            )
        view = self._source[self._offset : self._offset + n_bytes]
        self._offset += n_bytes
        return view

    def unsigned(self, n_bytes: int, field: str) -> int:
        """Give a little-endian unsigned integer of a fixed width."""
        return int.from_bytes(self.take(n_bytes, field), "little")

    def u8(self, field: str) -> int:
        """Give an unsigned 8-bit integer."""
        return self.unsigned(1, field)

    def u16(self, field: str) -> int:
        """Give an unsigned 16-bit integer."""
        return self.unsigned(2, field)

    def u32(self, field: str) -> int:
        """Give an unsigned 32-bit integer."""
        return self.unsigned(4, field)

    def u64(self, field: str) -> int:
        """Give an unsigned 64-bit integer."""
        return self.unsigned(8, field)

    def f64(self, field: str) -> float:
        """Give a binary64 number, which may be infinite or not a number."""
        return float(struct.unpack("<d", self.take(8, field))[0])

    def varint(self, field: str, limit: int = MAX_U64) -> int:
        """Give an unsigned LEB128 integer, at most ``limit``.

        Raises
        ------
        TruncatedError
            The bytes end within the number.
        CorruptError
            The number is above the limit, or is written with more bytes than it needs.
        """
        number, source = 0, self._source
        for i in range(_MAX_VARINT_BYTES):
            if self._offset >= len(source):
                self.take(1, field)
            # Headers and indexes are mostly of these: read here, where taking a view costs more.
            byte = source[self._offset]
            self._offset += 1
            number |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                # One number, one spelling: else two different files would hold the same record.
                if byte == 0 and i > 0:
                    raise self.corrupt(field, f"varint of {number} is longer than it needs to be")
                return self._within(number, limit, field)
        raise self.corrupt(field, f"varint of more than {_MAX_VARINT_BYTES} bytes")

    def varints(self, count: int, field: str, limit: int = MAX_U64) -> list[int]:
        """Give numbers one after the other; errors as of ``varint``.

        Those of one or two bytes, which most are, are read here: files have an index of thousands.
        """
        found: list[int] = []
        source, offset = self._source, self._offset
        n_bytes = len(source)
        while len(found) < count:
            number = source[offset] if offset < n_bytes else 0x80
            size = 1
            if number > 0x7F and offset + 1 < n_bytes and 0 < source[offset + 1] < 0x80:
                number += (source[offset + 1] - 1) << 7
                size = 2
            elif number > 0x7F:
                self._offset = offset
                number = self.varint(f"{field} {len(found)}", limit)
                size = self._offset - offset
            found.append(self._within(number, limit, field))
            offset += size
        self._offset = offset
        return found

    def zigzag(self, field: str) -> int:
        """Give a signed 64-bit integer: a varint whose lowest bit is the sign."""
        folded = self.varint(field)
        return (folded >> 1) ^ -(folded & 1)

    def counted(self, field: str, limit: int) -> bytes:
        """Give bytes that are preceded by their number, a varint of at most ``limit``."""
        n_bytes = self.varint(f"{field}, length", limit)
        return bytes(self.take(n_bytes, field))

    def text(self, field: str, limit: int) -> str:
        """Give UTF-8 text that is preceded by its length in bytes, at most ``limit``."""
        try:
            return self.counted(field, limit).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.corrupt(field, f"not UTF-8 ({error.reason})") from error

    def expect_end(self, what: str) -> None:
        """Raise CorruptError unless every byte was taken."""
        if self.remaining:
            raise self.corrupt(what, f"{self.remaining} bytes more than its fields take")

    def _within(self, number: int, limit: int, field: str) -> int:
        if number > limit:
            raise self.corrupt(field, f"{number}, expected at most {limit}")
        return number


class ByteWriter:
    """The counterpart of ByteReader; every method returns the writer, so that calls chain."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def __len__(self) -> int:
        return len(self._bytes)

    def getvalue(self) -> bytes:
        """Give everything written so far."""
        return bytes(self._bytes)

    def raw(self, source: bytes | bytearray | memoryview) -> ByteWriter:
        """Write bytes as they are."""
        self._bytes += source
        return self

    def unsigned(self, number: int, n_bytes: int) -> ByteWriter:
        """Write a little-endian unsigned integer of a fixed width; OverflowError if it is wider."""
        return self.raw(number.to_bytes(n_bytes, "little"))

    def u8(self, number: int) -> ByteWriter:
        """Write an unsigned 8-bit integer."""
        return self.unsigned(number, 1)

    def u16(self, number: int) -> ByteWriter:
        """Write an unsigned 16-bit integer."""
        return self.unsigned(number, 2)

    def u32(self, number: int) -> ByteWriter:
        """Write an unsigned 32-bit integer."""
        return self.unsigned(number, 4)

    def u64(self, number: int) -> ByteWriter:
        """Write an unsigned 64-bit integer."""
        return self.unsigned(number, 8)

    def f64(self, number: float) -> ByteWriter:
        """Write a binary64 number."""
        return self.raw(struct.pack("<d", number))

    def varint(self, number: int) -> ByteWriter:
        """Write an unsigned LEB128 integer; OverflowError outside of 64 bits."""
        if not 0 <= number <= MAX_U64:
            raise OverflowError(f"varint {number}: expected 0 to {MAX_U64}")
        while number >= 0x80:
            self._bytes.append(number & 0x7F | 0x80)
            number >>= 7
        self._bytes.append(number)
        return self

    def zigzag(self, number: int) -> ByteWriter:
        """Write a signed 64-bit integer as a varint; OverflowError outside of 64 bits."""
        return self.varint(2 * number if number >= 0 else -2 * number - 1)

    def counted(self, source: bytes) -> ByteWriter:
        """Write bytes preceded by their number."""
        return self.varint(len(source)).raw(source)

    def text(self, text: str) -> ByteWriter:
        """Write text as UTF-8, preceded by its length in bytes."""
        return self.counted(text.encode("utf-8"))
