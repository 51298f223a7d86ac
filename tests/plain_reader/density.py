"""A value against a prediction and a scale ("Value" of the predictive residual)."""

from __future__ import annotations

from math import floor

from .series import read_table
from .symbols import Words
from .wire import check

WHOLE = 1 << 24


def read_value(words: Words, p: float, s: float) -> int:
    """Read a sample that is predicted as p, give or take s."""
    b = floor(p)
    f = p - b
    shift, c = 0, s
    while c > 128 and shift < 36:
        c, shift = c / 2, shift + 1
    reach = int(24 * c) + 16
    place = words.place(24)
    if place == WHOLE - 1:
        words.take(place, 1, 24)
        parts = [words.plain(14) for _ in range(3)]
        v = (parts[0] | parts[1] << 14 | parts[2] << 28) - 2**40
        return _sample(b + v)
    inverse = 1 / s

    def edge(u: int) -> int:
        F = share_below(((u << shift) - f - 0.5) * inverse)
        return (F * (WHOLE - 2 * reach - 1) >> 24) + u + reach

    # The edges grow: halve what is left between one that is at most the place and one above.
    low, high = -reach, reach
    check(edge(low) <= place < edge(high), "a symbol that no value has")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if edge(middle) <= place else (low, middle)
    words.take(edge(low), edge(low + 1) - edge(low), 24)
    return _sample(b + (low << shift | words.plain(shift)))


def _sample(x: int) -> int:
    check(-(2**31) <= x < 2**31, "a sample beyond 32 bits")
    return x


def share_below(z: float) -> int:
    """Give the share of residuals below z scales, of 2^24."""
    T = read_table("density.npy")
    t = 64 * z + 1280
    if t <= 0:
        return T[0]
    if t >= 2560:
        return T[2560]
    i = int(t)
    g = int((t - i) * 4096)
    return T[i] + ((T[i + 1] - T[i]) * g >> 12)
