"""Numbers out of rANS words ("Symbols")."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from .wire import check

LOWEST, HIGHEST = 1 << 31, 1 << 63


class Words:
    """The state of a payload of words, and the words that are left."""

    def __init__(self, payload: bytes) -> None:
        check(len(payload) % 4 == 0 and len(payload) >= 8, "a payload that is not whole words")
        self.words = memoryview(payload).cast("I") if _is_little() else _words(payload)
        self.n_taken = 2
        self.state = self.words[0] << 32 | self.words[1]
        check(LOWEST <= self.state < HIGHEST, "a first state out of its bounds")

    def place(self, bits: int) -> int:
        """Where the next symbol stands in 2^bits: in which interval it is."""
        return self.state & ((1 << bits) - 1)

    def take(self, start: int, freq: int, bits: int) -> None:
        """Take the symbol that is [start, start + freq) of 2^bits."""
        state = freq * (self.state >> bits) + self.place(bits) - start
        if state < LOWEST:
            check(self.n_taken < len(self.words), "a word is missing")
            state = state << 32 | self.words[self.n_taken]
            self.n_taken += 1
        self.state = state

    def split(self, one_below: int, bits: int = 16) -> int:
        """Take a decision: 1 is [0, one_below) of 2^bits, 0 what is above."""
        if self.place(bits) < one_below:
            self.take(0, one_below, bits)
            return 1
        self.take(one_below, (1 << bits) - one_below, bits)
        return 0

    def symbol(self, edges: Sequence[int], bits: int) -> int:
        """Take the symbol i that is [edges[i], edges[i + 1]) of 2^bits."""
        i = bisect_right(edges, self.place(bits)) - 1
        self.take(edges[i], edges[i + 1] - edges[i], bits)
        return i

    def plain(self, n_bits: int, most: int = 14) -> int:
        """Take a number of plain bits, the highest first, in symbols of at most 14 bits."""
        number = 0
        while n_bits > 0:
            size = min(n_bits, most)
            part = self.place(size)
            self.take(part, 1, size)
            number = number << size | part
            n_bits -= size
        return number

    def end(self) -> None:
        check(self.n_taken == len(self.words), "words are left over")
        check(self.state == LOWEST, "state is left over")


def _is_little() -> bool:
    return memoryview(b"\x01\x00\x00\x00").cast("I")[0] == 1


def _words(payload: bytes) -> list[int]:
    return [int.from_bytes(payload[i : i + 4], "little") for i in range(0, len(payload), 4)]


class AdaptiveField:
    """The 256 contexts of a field."""

    def __init__(self) -> None:
        self.zero = [1 << 15] * 256
        self.n_seen = [0] * 256

    def bit(self, words: Words, context: int) -> int:
        zero = self.zero[context]
        bit = 1 - words.split(zero)
        target = 0 if bit else 1 << 16
        zero += (target - zero) // (self.n_seen[context] + 2)
        self.zero[context] = min(max(zero, 32), (1 << 16) - 32)
        self.n_seen[context] = min(self.n_seen[context] + 1, 24)
        return bit

    def number(self, words: Words) -> int:
        n_low = 0
        while n_low < 40 and self.bit(words, 2 + n_low):
            n_low += 1
        number = 1
        for i in range(n_low):
            if i == 0:
                bit = self.bit(words, 64 + 3 * n_low)
            elif i == 1:
                bit = self.bit(words, 65 + 3 * n_low + (number & 1))
            else:
                bit = words.plain(1)
            number = number << 1 | bit
        return number - 1

    def signed(self, words: Words) -> int:
        if not self.bit(words, 0):
            return 0
        negative = self.bit(words, 1)
        magnitude = self.number(words) + 1
        return -magnitude if negative else magnitude


def read_taps(words: Words, n_rows: int, n_taps: int) -> list[list[int]]:
    """Read rows of taps, each as its difference from the one before."""
    fields = [AdaptiveField() for _ in range(6)]
    rows = []
    for _ in range(n_rows):
        tap = before = last = 0
        row = []
        for _ in range(n_taps):
            field = fields[min(5, (abs(last) + abs(before)).bit_length())]
            before, last = last, field.signed(words)
            tap += last
            check(abs(tap) < 1 << 15, f"a tap of {tap}")
            row.append(tap)
        rows.append(row)
    return rows
