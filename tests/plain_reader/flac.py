"""FLAC streams, as RFC 9639 has them: what signal files of formats 508, 516 and 524 are."""

from __future__ import annotations

from .wire import check

BLOCK_SIZES = {1: 192, **{i: 576 << (i - 2) for i in range(2, 6)}}
BLOCK_SIZES |= {i: 256 << (i - 8) for i in range(8, 16)}
SAMPLE_BITS = {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}
LEFT_SIDE, SIDE_RIGHT, MID_SIDE = 8, 9, 10
FIXED = [[], [1], [2, -1], [3, -3, 1], [4, -6, 4, -1]]


class Bits:
    """Bits of bytes, highest first."""

    def __init__(self, content: bytes) -> None:
        self.bits = "".join(f"{byte:08b}" for byte in content)
        self.offset = 0

    def take(self, n: int) -> int:
        check(n <= len(self.bits) - self.offset, "a FLAC stream that was cut short")
        self.offset += n
        return int(self.bits[self.offset - n : self.offset] or "0", 2)

    def signed(self, n: int) -> int:
        number = self.take(n)
        return number - (1 << n) if n and number >> (n - 1) else number

    def unary(self) -> int:
        stop = self.bits.find("1", self.offset)
        check(stop >= 0, "a FLAC stream that was cut short")
        n, self.offset = stop - self.offset, stop + 1
        return n


def read_flac(content: bytes, most_bits: int, n_channels: int) -> list[list[int]]:
    """Give the samples of a stream, channel by channel."""
    check(content[:4] == b"fLaC", "no FLAC stream")
    bits = Bits(content[4:])
    stream_bits = n_samples = 0
    last = False
    while not last:
        last, kind, size = bool(bits.take(1)), bits.take(7), bits.take(24)
        stop = bits.offset + 8 * size
        if kind == 0:
            bits.take(80 + 20)
            check(bits.take(3) + 1 == n_channels, "channels of a FLAC stream")
            stream_bits, n_samples = bits.take(5) + 1, bits.take(36)
        bits.offset = stop
    check(0 < stream_bits <= most_bits, f"a FLAC stream of {stream_bits} bits")
    channels: list[list[int]] = [[] for _ in range(n_channels)]
    while len(channels[0]) < n_samples:
        for channel, part in zip(channels, _read_frame(bits, n_channels, stream_bits), strict=True):
            channel.extend(part)
    return channels


def _read_frame(bits: Bits, n_channels: int, stream_bits: int) -> list[list[int]]:
    check(bits.take(15) == 0b111111111111100, "no frame of FLAC")
    bits.take(1)
    size_code, rate_code, layout, bits_code = bits.take(4), bits.take(4), bits.take(4), bits.take(3)
    bits.take(1)
    first = f"{bits.take(8):08b}"
    bits.take(8 * max(len(first) - len(first.lstrip("1")) - 1, 0))
    size = BLOCK_SIZES.get(size_code, 0)
    if size_code in (6, 7):
        size = bits.take(8 if size_code == 6 else 16) + 1
    bits.take({12: 8, 13: 16, 14: 16}.get(rate_code, 0) + 8)
    n_bits = SAMPLE_BITS.get(bits_code, stream_bits)
    check(size > 0 and (layout + 1 if layout < 8 else 2) == n_channels, "a frame of FLAC")
    extra = {LEFT_SIDE: (0, 1), SIDE_RIGHT: (1, 0), MID_SIDE: (0, 1)}.get(layout, (0,) * 8)
    parts = [_read_subframe(bits, size, n_bits + extra[i]) for i in range(n_channels)]
    bits.take(-bits.offset % 8 + 16)
    return [list(part) for part in _decorrelated(layout, parts)]


def _decorrelated(layout: int, parts: list[list[int]]) -> list[list[int]]:
    if layout < LEFT_SIDE:
        return parts
    a, b = parts
    if layout == LEFT_SIDE:
        return [a, [left - side for left, side in zip(a, b, strict=True)]]
    if layout == SIDE_RIGHT:
        return [[side + right for side, right in zip(a, b, strict=True)], b]
    doubled = [2 * mid + (side & 1) for mid, side in zip(a, b, strict=True)]
    left = [(d + side) >> 1 for d, side in zip(doubled, b, strict=True)]
    return [left, [(d - side) >> 1 for d, side in zip(doubled, b, strict=True)]]


def _read_subframe(bits: Bits, size: int, n_bits: int) -> list[int]:
    check(bits.take(1) == 0, "a subframe of FLAC")
    kind, wasted = bits.take(6), 0
    if bits.take(1):
        wasted = bits.unary() + 1
    n_bits -= wasted
    if kind == 0:
        samples = [bits.signed(n_bits)] * size
    elif kind == 1:
        samples = [bits.signed(n_bits) for _ in range(size)]
    elif 8 <= kind <= 12:
        samples = [bits.signed(n_bits) for _ in range(kind - 8)]
        _predict(bits, samples, size, FIXED[kind - 8], 0)
    else:
        check(kind >= 32, f"a subframe of FLAC of type {kind}")
        samples = [bits.signed(n_bits) for _ in range(kind - 31)]
        precision, shift = bits.take(4) + 1, bits.signed(5)
        check(shift >= 0, "a shift of FLAC")
        _predict(bits, samples, size, [bits.signed(precision) for _ in range(kind - 31)], shift)
    return [sample << wasted for sample in samples]


def _predict(bits: Bits, samples: list[int], size: int, factors: list[int], shift: int) -> None:
    """Append what the residual and the samples before it give."""
    order = len(factors)
    for rest in _read_residual(bits, size, order):
        past = samples[: -order - 1 : -1] if order else []
        samples.append(rest + (sum(f * s for f, s in zip(factors, past, strict=True)) >> shift))


def _read_residual(bits: Bits, size: int, order: int) -> list[int]:
    method, partition_order = bits.take(2), bits.take(4)
    check(method < 2, "a residual of FLAC")
    n_bits = 4 + method
    rest: list[int] = []
    for i in range(1 << partition_order):
        count = (size >> partition_order) - (0 if i else order)
        parameter = bits.take(n_bits)
        if parameter == (1 << n_bits) - 1:
            width = bits.take(5)
            rest += [bits.signed(width) for _ in range(count)]
            continue
        for _ in range(count):
            folded = (bits.unary() << parameter) + bits.take(parameter)
            rest.append(-(folded >> 1) - 1 if folded & 1 else folded >> 1)
    check(len(rest) == size - order, "partitions of FLAC")
    return rest
