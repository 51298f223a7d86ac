"""Mode 2, blockwise: coefficients that stand in the payload ("Blockwise residual")."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from math import floor

from .density import WHOLE
from .leads import Task, read_leads
from .parameters import Group
from .san import Lead
from .series import (
    MARGIN,
    SANE,
    Source,
    columns_at,
    dot,
    read_table,
)
from .symbols import AdaptiveField, Words
from .wire import check

BLOCK = 32768
RATES = (0.25, 0.0625, 0.0078125)


def read_blockwise(
    payload: bytes, group: Group, leads: list[Lead], n_samples: int
) -> list[list[int]]:
    # These run on from lead to lead.
    fields = [AdaptiveField() for _ in range(8)]
    reader_of = partial(_LeadReader, fields=fields)
    return read_leads(payload, group, leads, n_samples, reader_of)


@dataclass
class _Model:
    a: list[float]
    average: float
    blocks: list[list[float]]


class _LeadReader:
    def __init__(self, task: Task, fields: list[AdaptiveField]) -> None:
        self.words, self.fields, self.n_samples = task.words, fields, task.n_samples
        self.beats = task.beats()
        self.series = task.series()
        self.loudness = task.loudness()
        self.sources, self.field_of_source = self._sources(task)

    def _sources(self, task: Task) -> tuple[list[Source], list[int]]:
        coded, few = task.coded, task.few
        numbered = [(Source(self.series.d, -24, -1), 3)]
        numbered += [(Source(lead.d, -8 if few else -2, 2), 4) for lead in coded[-12:]]
        if task.has_beats:
            numbered.append((Source(self.series.y, -8, 2), 5))
            numbered += [(Source(lead.y, -2, 2), 7) for lead in coded if few]
            numbered.append((Source(self.beats.h, -2, 2), 6))
        return [source for source, _ in numbered], [number for _, number in numbered]

    def _model(self) -> _Model:
        words, fields = self.words, self.fields
        scales = [fields[1].number(words) / 64 for _ in range(8)]
        blocks = []
        for _ in range(max(self.n_samples // BLOCK, 1)):
            c: list[float] = []
            for source, number in zip(self.sources, self.field_of_source, strict=True):
                exponent = fields[2].number(words)
                check(exponent <= 30, f"an exponent of {exponent}")
                for _ in range(source.last - source.first + 1):
                    coefficient = fields[number].signed(words)
                    check(abs(coefficient) <= 2**24, f"a coefficient of {coefficient}")
                    c.append(coefficient / 2**exponent)
            blocks.append(c)
        return _Model(scales[:7], scales[7], blocks)

    def read(self) -> list[int]:
        model = self._model()
        averages = [model.average] * 3
        x = [self.fields[0].signed(self.words)]
        _check_sample(x[0])
        series = self.series
        for t in range(1, self.n_samples):
            self._prepare(t)
            c = model.blocks[min(t // BLOCK, len(model.blocks) - 1)]
            fourths = floor(4 * self._guess(c, t) + 0.5)
            whole, quarter = divmod(fourths, 4)
            s = self._scale(model.a, averages, t)
            v = _read_value(self.words, *_step(s), quarter)
            x.append(x[-1] + whole + v)
            _check_sample(x[-1])
            k = abs(4 * v - quarter) * 0.25
            series.d[t + MARGIN], series.k[t + MARGIN] = float(x[t] - x[t - 1]), k
            for i, rate in enumerate(RATES):
                averages[i] += (k - averages[i]) * rate
        return x

    def _prepare(self, t: int) -> None:
        series, beats = self.series, self.beats
        while beats.next_start is not None and max(beats.next_start - 4, 1) <= t:
            b = max(beats.next_start - 4, 1)
            beats.prepare(b, series.d, series.y, series.k)

    def _guess(self, c: list[float], t: int) -> float:
        z = columns_at(self.sources, t)
        known = 0.0
        for i in range(24, len(z)):
            known += c[i] * z[i]
        rest = known + dot(c, z, 20)
        guess = (((rest + c[20] * z[20]) + c[21] * z[21]) + c[22] * z[22]) + c[23] * z[23]
        return guess if abs(guess) < SANE else 0.0

    def _scale(self, a: list[float], m: list[float], t: int) -> float:
        near, around = self.loudness.near(t), self.loudness.around(t)
        calm = ((a[6] + a[3] * self.beats.loud[t + MARGIN]) + a[4] * near) + a[5] * around
        return ((calm + a[2] * m[2]) + a[1] * m[1]) + a[0] * m[0]


def _check_sample(x: int) -> None:
    check(-(2**31) <= x < 2**31, "a sample beyond 32 bits")


def _step(s: float) -> tuple[int, int]:
    """Give the step of the ladder of a scale, and the number of plain low bits."""
    try:
        (pattern,) = struct.unpack("<i", struct.pack("<f", s))
    except OverflowError:
        pattern = 0x7F800000
    j = (pattern >> 20) - 968
    if j < 0:
        return 0, 0
    if j < 72:
        return j, 0
    if j < 328:
        return 64 + j % 8, (j - 72) // 8 + 1
    return 71, 32


@cache
def _edges(step: int, quarter: int) -> tuple[int, list[int]]:
    """Give the reach of a table, and the edges of its symbols, that of the escape included."""
    T = read_table("density.npy")
    scale = 2.0 ** (step // 8 - 6) * (1 + (step % 8 + 0.5) / 8)
    reach = min(int(20 * scale) + 2, 127)
    room = 2**16 - 2 * reach - 2
    edges = []
    for u in range(-reach, reach + 2):
        z = min(max((u - quarter / 4 - 0.5) / scale * 64 + 1280, 0.0), 2560.0)
        left = min(int(z), 2559)
        g = int((z - left) * 4096)
        F = T[left] + ((T[left + 1] - T[left]) * g >> 12)
        edges.append(F * room // WHOLE + u + reach)
    edges[0] = 0
    edges.append(2**16)
    assert all(low < high for low, high in pairwise(edges))
    return reach, edges


def _read_value(words: Words, step: int, shift: int, quarter: int) -> int:
    reach, edges = _edges(step, 0 if shift else quarter)
    u = words.symbol(edges, 16) - reach
    if u <= reach:
        return (u << shift) + words.plain(shift) - (1 << (shift - 1)) if shift else u
    n_bits = words.plain(6)
    f = words.plain(min(n_bits, 41))
    return -(f + 1) // 2 if f & 1 else f // 2
