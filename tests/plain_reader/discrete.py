"""Mode 8, discrete: signals that dwell on few values, change by change ("Discrete residual")."""

from __future__ import annotations

from collections.abc import Hashable

from .logistic import Mixer, ln
from .parameters import Group
from .san import Lead
from .symbols import Words
from .wire import check

N_SLOTS = 8
M = 2**31 - 1


def read_discrete(
    payload: bytes, _group: Group, leads: list[Lead], n_samples: int
) -> list[list[int]]:
    words = Words(payload)
    samples: list[list[int]] = []
    for _ in leads:
        before = samples[-1] if samples else [0] * n_samples
        samples.append(_LeadReader(words, before).read())
    words.end()
    return samples


def _clip(v: int, a: int) -> int:
    return min(max(v, -a), a)


def _bits(v: int) -> int:
    return min(abs(v).bit_length(), 15)


def _slot(i: int, a: int, b: int) -> int:
    f = ((a & M) * 40503 + (b & M) * 60493 + 30011 * i) & M
    f = ((f ^ (f >> 15)) * 46337) & M
    return (f ^ (f >> 13)) & (2**16 - 1)


class _LeadReader:
    def __init__(self, words: Words, before: list[int]) -> None:
        self.words, self.before = words, before
        self.chances = [[0.5] * 2**16 for _ in range(N_SLOTS)]
        self.counts = [[0] * 2**16 for _ in range(N_SLOTS)]
        self.mixer = Mixer([0.2] * N_SLOTS + [0.0])
        self.slots = [0] * N_SLOTS
        self.surroundings: tuple[Hashable, Hashable] = (("A", 0), ("A", 0))
        self.rate = 0.0

    def read(self) -> list[int]:
        x: list[int] = []
        run = last = 0
        d1 = d2 = d3 = 0
        for t in range(len(self.before)):
            if t > 0:
                self._set_slots(t, x[-1], (d1, d2, d3), run, last)
            self.rate = 0.006 + 0.02 / (1 + 0.02 * t)
            d = self._difference()
            x.append(d + (x[-1] if x else 0))
            check(-(2**31) <= x[-1] < 2**31, "a sample beyond 32 bits")
            run, last = (0, d) if d else (run + 1, last)
            d1, d2, d3 = (d if t else 0), d1, d2
        return x

    def _set_slots(self, t: int, x1: int, d: tuple[int, int, int], run: int, last: int) -> None:
        d1, d2, d3 = d
        o = self.before
        near, ahead = o[t] - o[t - 1], o[t + 1] - o[t] if t + 1 < len(o) else 0
        pairs = (
            (0, 0),
            (_clip(d1, 64), 0),
            (_clip(d1, 16), _clip(d2, 16)),
            (min(run, 24), _clip(last, 8)),
            (x1, 0),
            (_clip(near, 32), _clip(d1, 4)),
            (x1, 64 * _clip(d1, 16) + _bits(run)),
            (256 * _bits(d1) + 16 * _bits(d2) + _bits(d3), _clip(ahead, 4)),
        )
        self.slots = [_slot(i, a, b) for i, (a, b) in enumerate(pairs)]
        self.surroundings = ("B", _bits(run)), ("G", _bits(d1))

    def _difference(self) -> int:
        if not self._decide(0):
            return 0
        negative = self._decide(1)
        n = 1
        while self._decide(2 + n):
            n += 1
            if n == 34:
                break
        m = 1
        for k in range(n - 2, -1, -1):
            m = m << 1 | self._decide(40 + 6 * (min(n, 6) - 1) + min(n - 2 - k, 5))
        return -m if negative else m

    def _decide(self, node: int) -> int:
        places = [(slot + 331 * node) % 2**16 for slot in self.slots]
        inputs = []
        for chances, place in zip(self.chances, places, strict=True):
            inputs.append(ln(chances[place]) - ln(1 - chances[place]))
        keys = ("A", node), *self.surroundings
        v = self.mixer.decide(self.words, keys, [*inputs, 0.3], self.rate)
        for chances, counts, place in zip(self.chances, self.counts, places, strict=True):
            p, n = chances[place], counts[place]
            p += (v - p) / (n + 1.6)
            chances[place] = min(max(p, 1 / 4096), 4095 / 4096)
            counts[place] = min(n + 1, 127)
        return v
