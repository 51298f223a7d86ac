"""Coefficients of a band, each told by what surrounds it ("Coefficients", "A magnitude")."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import floor, frexp

from .contexts import Decider
from .loss import GroupBeats

LEVELS = (0.03, 0.12, 0.25, 0.5, 0.8, 1.2, 1.8, 2.7, 4, 6, 9, 13.5, 20, 30, 50)
MOST = 2**30 - 1


@dataclass
class Band:
    """Values of all moving leads."""

    number: int
    level: int
    size: int
    values: list[list[int]]

    def magnitude(self, lead: int, i: int) -> int:
        return abs(self.values[lead][i]) if 0 <= i < self.size else 0

    def sample(self, i: int) -> int:
        """The sample that a coefficient is at."""
        half = 0 if self.number == 0 else (1 << self.level) // 2
        return (i << self.level) + half


@dataclass
class Past:
    """What coefficients of a phase of the beats of a class were, in a band and lead."""

    M: list[float]
    V: list[float]
    c: list[int]


@dataclass
class Around:
    """What surrounds a coefficient: near, slow, parent, other, past; its phase and its V there."""

    near: float
    slow: float
    parent: float
    other: float
    past: float = 0.0
    phase: int | None = None
    V: float = 0.0
    levels: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        near = _level(2 * self.near)
        loud = (self.near + 0.7 * self.slow) + 0.7 * self.parent
        half, exponent = frexp(1 + 16 * ((loud + 0.6 * self.other) + 1.4 * self.past))
        self.levels = {
            "near": near,
            "slow": min(_level(4 * self.slow) // 2, 5),
            "parent": _level(2 * self.parent),
            "other": _level(2 * self.other),
            "phase": _level(4 * self.past),
            "loud": min(4 * (exponent - 1) + floor(4 * (2 * half - 1)), 43),
            "age": 63 if self.phase is None else min(self.phase, 62),
            "coarse": min(near // 2, 5),
        }


def _level(x: float) -> int:
    j = int(min(16 * x, 1023))
    if j == 0 and x > 0.03:
        return 1
    return sum(bound <= j / 16 for bound in LEVELS)


def read_band(
    decider: Decider, band: Band, before: Band | None, beats: GroupBeats, clock: float
) -> None:
    """Read the values of a band; `before` is the band ahead of it."""
    n_phases = (int(min(480 / 360 * clock, 65536.0)) >> band.level) + 2
    for lead, values in enumerate(band.values):
        pasts: dict[int, Past] = defaultdict(
            lambda: Past([0.0] * n_phases, [0.0] * n_phases, [0] * n_phases)
        )
        slow = 0.0
        for i in range(band.size):
            near = (
                (0.0 + 0.6 * band.magnitude(lead, i - 1)) + 0.3 * band.magnitude(lead, i - 2)
            ) + 0.1 * band.magnitude(lead, i - 3)
            known = [near, slow, _parent(band, before, lead, i), _other(band, lead, i)]
            beat = beats.at(band.sample(i))
            if beat is None:
                around = Around(*known)
            else:
                past = pasts[beat[1]]
                p = min((band.sample(i) - beat[0]) >> band.level, n_phases - 1)
                M = past.M
                mean = (0.5 * M[p] + 0.25 * M[max(p - 1, 0)]) + 0.25 * M[min(p + 1, n_phases - 1)]
                around = Around(*known, mean, p, past.V[p])
            v = values[i] = _read_value(decider, band, lead, i, around)
            slow += (abs(v) - slow) / 16
            if beat is not None:
                past.c[p] += 1
                rate = max(1 / (past.c[p] + 0.5), 0.05)
                past.M[p] += (abs(v) - past.M[p]) * rate
                past.V[p] += (v - past.V[p]) * rate


def _parent(band: Band, before: Band | None, lead: int, i: int) -> float:
    if band.number < 2 or before is None:
        return 0.0
    k = i // 2
    nearer, farther = (k + 1, k - 1) if i % 2 else (k - 1, k + 1)
    total = 0.0 + 0.55 * before.magnitude(lead, k)
    total += 0.3 * before.magnitude(lead, nearer)
    return total + 0.15 * before.magnitude(lead, farther)


def _other(band: Band, lead: int, i: int) -> float:
    if lead == 0:
        return 0.0
    S = [sum(band.magnitude(k, at) for k in range(lead)) for at in (i - 1, i, i + 1)]
    return ((0.5 * S[1] + 0.25 * S[0]) + 0.25 * S[2]) / lead


def _read_value(decider: Decider, band: Band, lead: int, i: int, around: Around) -> int:
    rank, negative = 0, 0
    while rank < 60 and _is_above(decider, band.number, rank, around.levels):
        if rank == 0:
            negative = _read_sign(decider, band, lead, i, around)
        rank += 1
    magnitude = rank
    if rank > 4:
        o, h = 2 + (rank - 5) // 2, (rank - 5) % 2
        q = min(rank, 19)
        place = decider.decide([("place", q)] * 7, [("place",)] * 3)
        for _ in range(o - 2):
            place = place << 1 | decider.words.split(2**15)
        magnitude = min((1 << o) + (h << (o - 1)) + 1 + place, MOST)
    return -magnitude if negative else magnitude


def _is_above(decider: Decider, b: int, rank: int, around: dict[str, int]) -> int:
    q, coarse = min(rank, 19), around["coarse"]
    near, parent, other = around["near"], around["parent"], around["other"]
    contexts = (
        ("rank", b, q, near, around["slow"]),
        ("rank", b, q, parent, coarse),
        ("rank", b, q, other, coarse),
        ("rank", b, q, around["phase"], coarse),
        ("rank", b, q, around["age"]),
        ("rank", q, around["phase"], min(parent // 2, 7), min(other // 2, 7), min(near // 2, 3)),
        ("rank", b, q, around["loud"]),
    )
    vectors = (("A", b, q), ("B", q, around["loud"]), ("G", q, around["phase"]))
    return decider.decide(contexts, vectors)


def _side(v: int) -> int:
    """Give 0, 1 or 2 for a value below, at or above 0."""
    return (v > 0) - (v < 0) + 1


def _read_sign(decider: Decider, band: Band, lead: int, i: int, around: Around) -> int:
    values, b = band.values[lead], band.number
    o = _side(band.values[0][i]) if lead else 1
    s1 = _side(values[i - 1]) if i > 0 else 1
    s2 = _side(values[i - 2]) if i > 1 else 1
    steps = sum(abs(around.V) > bound for bound in (0.15, 0.4, 0.8))
    t = 3 - steps if around.V < 0 else 3 + steps
    contexts = (
        ("sign", b, o, s1, s2),
        ("sign", b, o),
        ("sign", b, t),
        ("sign", b, s1, s2),
        ("sign", b, t, o),
        ("sign", s1, s2),
        ("sign", o),
    )
    return decider.decide(contexts, (("signA", b), ("signB",), ("signG", t)))
