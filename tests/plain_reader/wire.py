"""Fields of bytes, as "Notation" of SPEC.md has them."""

from __future__ import annotations

import struct

import zstandard

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
STORED, WHOLE_FRAME, FRAME_WITHOUT_MAGIC = 0, 1, 2


class RefusedError(Exception):
    """The file is damaged: nothing of it is given."""


class TooNewError(RefusedError):
    """The file is of another version: it has what SPEC.md calls too new."""


def check(holds: bool, message: str) -> None:
    if not holds:
        raise RefusedError(message)


def check_known(holds: bool, message: str) -> None:
    if not holds:
        raise TooNewError(message)


class Fields:
    """Fields read one after the other from bytes that have an end."""

    def __init__(self, content: bytes, name: str) -> None:
        self.content = content
        self.name = name
        self.offset = 0

    @property
    def n_left(self) -> int:
        return len(self.content) - self.offset

    def take(self, n_bytes: int) -> bytes:
        check(n_bytes <= self.n_left, f"{self.name}: cut short")
        self.offset += n_bytes
        return self.content[self.offset - n_bytes : self.offset]

    def rest(self) -> bytes:
        return self.take(self.n_left)

    def end(self) -> None:
        check(self.n_left == 0, f"{self.name}: {self.n_left} bytes behind its last field")

    def u8(self) -> int:
        return self.take(1)[0]

    def u32(self) -> int:
        return struct.unpack("<I", self.take(4))[0]

    def f32(self) -> float:
        return struct.unpack("<f", self.take(4))[0]

    def f64(self) -> float:
        return struct.unpack("<d", self.take(8))[0]

    def signed(self, n_bytes: int) -> int:
        return int.from_bytes(self.take(n_bytes), "little", signed=True)

    def varint(self, most: int = 2**64 - 1, least: int = 0) -> int:
        number = shift = 0
        while True:
            byte = self.u8()
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
            check(shift < 70, f"{self.name}: a varint of more than ten bytes")
        check(byte > 0 or shift == 7, f"{self.name}: a varint that is longer than it has to be")
        check(least <= number <= most, f"{self.name}: {number} is not {least} to {most}")
        return number

    def zigzag(self, magnitude: int = 2**63) -> int:
        number = self.varint()
        number = -(number >> 1) - 1 if number & 1 else number >> 1
        check(abs(number) <= magnitude, f"{self.name}: {number} is beyond {magnitude}")
        return number

    def counted(self, most: int = 2**64 - 1) -> bytes:
        return self.take(self.varint(most))

    def text(self, most: int = 2**64 - 1) -> str:
        try:
            return self.counted(most).decode("utf-8")
        except UnicodeDecodeError as error:
            raise RefusedError(f"{self.name}: a text is not UTF-8") from error

    def decimal(self) -> tuple[float, tuple[int, int] | None]:
        """Give a number, and the m and p that it was written with, if any."""
        p = self.varint(23)
        if p == 23:
            return self.f64(), None
        m = self.zigzag(2**53)
        # Python divides integers with one rounding.
        return m / 10**p, (m, p)


def expand(content: bytes, most: int, version: int, known: bytes, name: str) -> bytes:
    """Give what stands in a field that is `compressed`."""
    fields = Fields(content, name)
    form, rest = fields.u8(), fields.rest()
    if form == STORED:
        check(len(rest) <= most, f"{name}: {len(rest)} bytes, {most} at most")
        return rest
    check(form == (WHOLE_FRAME if version == 1 else FRAME_WITHOUT_MAGIC), f"{name}: {form}")
    frame = rest if version == 1 else ZSTD_MAGIC + rest
    content = unpack(frame, most, known, name)
    size = zstandard.get_frame_parameters(frame).content_size
    check(size == len(content), f"{name}: a zstd frame without its size")
    return content


def unpack(frame: bytes, most: int, known: bytes, name: str, window: int = 2**27) -> bytes:
    """Give the content of bytes that are exactly one zstd frame."""
    check(frame[:4] == ZSTD_MAGIC, f"{name}: no zstd frame")
    dictionary = None
    if known:
        raw = zstandard.DICT_TYPE_RAWCONTENT
        dictionary = zstandard.ZstdCompressionDict(known, dict_type=raw)
    content = b""
    try:
        size = zstandard.get_frame_parameters(frame).content_size
        check(size <= most or size == zstandard.CONTENTSIZE_UNKNOWN, f"{name}: {size} bytes")
        decompressor = zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=window)
        stream = decompressor.decompressobj()
        # Piece by piece: a few bytes of a frame may stand for a great many.
        for start in range(0, len(frame), 256):
            check(not stream.eof, f"{name}: bytes behind a zstd frame")
            content += stream.decompress(frame[start : start + 256])
            check(len(content) <= most, f"{name}: {most} bytes at most")
    except zstandard.ZstdError as error:
        raise RefusedError(f"{name}: {error}") from error
    check(stream.eof and not stream.unused_data, f"{name}: not exactly one zstd frame")
    return content
