"""Mode 5, transform: coefficients of a wavelet ("Transform residual")."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, getcontext

from .coefficients import Band, read_band
from .contexts import Decider
from .loss import GroupBeats, Run, in_int32, read_gaps
from .parameters import Group
from .san import Lead
from .structure import Leads
from .symbols import Words
from .wire import Fields, check

COEFFICIENTS, SAN_ALONE = 0, 2
A = (
    0.8259229974584023,
    0.4207962846098268,
    -0.09405920349573646,
    -0.07726317316720414,
    0.04973290349094079,
    0.01193456527972926,
    -0.016990639867602342,
    -0.0019142861290887667,
    0.0019088317364812906,
)
B = (
    0.7589077294536541,
    -0.41784910915027457,
    -0.04036797903033992,
    0.07872200106262882,
    0.014467504896790148,
    -0.014426282505624435,
    0.0,
    0.0,
    0.0,
)
Signal = list[float]


@dataclass
class Shape:
    """A lead's offset and bounds, and the step of its coefficients."""

    offset: int
    lowest: int
    highest: int
    step: float = 0.0

    @property
    def moving(self) -> bool:
        return self.lowest < self.highest


def read_transform(
    payload: bytes, group: Group, leads: list[Lead], n_samples: int
) -> tuple[Leads, list[Run]]:
    """Give the samples, and the gaps that are to be filled when all else is done."""
    fields = Fields(payload, "transform residual")
    form = fields.u8()
    check(form in (COEFFICIENTS, SAN_ALONE), f"a transform of form {form}")
    shapes = [_read_shape(fields, form) for _ in leads]
    gaps = read_gaps(fields, len(leads), n_samples)
    moving = [i for i, shape in enumerate(shapes) if shape.moving]
    signals = [[0.0] * n_samples for _ in leads]
    if form == COEFFICIENTS and moving:
        beats = GroupBeats(leads, group)
        read = _read_signals(fields, len(moving), n_samples, beats, group)
        for i, signal in zip(moving, read, strict=True):
            signals[i] = signal
    fields.end()
    samples = [
        _samples(shape, signal, lead.r)
        for shape, signal, lead in zip(shapes, signals, leads, strict=True)
    ]
    return samples, gaps


def _read_shape(fields: Fields, form: int) -> Shape:
    offset = fields.zigzag()
    lowest = in_int32(offset - fields.varint(2**33))
    shape = Shape(offset, lowest, in_int32(offset + fields.varint(2**33)))
    if shape.moving and form == COEFFICIENTS:
        shape.step = fields.f32()
        check(math.isfinite(shape.step) and shape.step > 0, f"a step of {shape.step}")
    return shape


def _samples(shape: Shape, y: Signal, r: list[int]) -> list[int]:
    if not shape.moving:
        return [shape.offset] * len(r)
    values = (
        math.floor(((v * shape.step + s / 16) + shape.offset) + 0.5)
        for v, s in zip(y, r, strict=True)
    )
    return [min(max(value, shape.lowest), shape.highest) for value in values]


def _read_signals(
    fields: Fields, n_moving: int, n_samples: int, beats: GroupBeats, group: Group
) -> list[Signal]:
    n_levels = fields.u8()
    check(n_levels <= min(n_samples.bit_length() - 1, 20), f"{n_levels} levels")
    turned = fields.u8()
    check(turned in (0, 1), f"turned: {turned}")
    angles = fields.take(n_moving * (n_moving - 1) // 2) if turned else b""
    centroids = _read_centroids(fields, n_levels + 1)
    start = group.entry.transform if group.entry else None
    primed = start is not None and start.levels == n_levels
    decider = Decider(Words(fields.rest()), start if primed else None)
    bands: list[Band] = []
    for number, (level, size) in enumerate(_bands(n_samples, n_levels)):
        band = Band(number, level, size, [[0] * size for _ in range(n_moving)])
        read_band(decider, band, bands[-1] if bands else None, beats, group.clock)
        bands.append(band)
    decider.words.end()
    leads = [
        [_centred(band.values[lead], c) for band, c in zip(bands, centroids, strict=True)]
        for lead in range(n_moving)
    ]
    if turned:
        _turn_back(leads, angles)
    return [_put_together(lead) for lead in leads]


def _read_centroids(fields: Fields, n_bands: int) -> list[list[float]]:
    """Give for each band what is added to magnitudes of 1, of 2 and of more."""
    kind = fields.u8()
    check(kind in (0, 1, 2), f"centroids of kind {kind}")
    sets = [[(byte - 128) / 256 for byte in fields.take(3)] for _ in range((0, 1, n_bands)[kind])]
    return sets if kind == 2 else (sets or [[1 / 32] * 3]) * n_bands


def _bands(n_samples: int, n_levels: int) -> list[tuple[int, int]]:
    """Give the level and the size of each band."""
    bands, n_low = [], n_samples
    for level in range(1, n_levels + 1):
        bands.append((level, n_low // 2))
        n_low = (n_low + 1) // 2
    return [(n_levels, n_low), *bands[::-1]]


def _centred(values: list[int], centroids: list[float]) -> Signal:
    """Give v + sign(v) c."""
    return [v and v + ((v > 0) - (v < 0)) * centroids[min(abs(v), 3) - 1] for v in values]


def _turn_back(leads: list[list[Signal]], angles: bytes) -> None:
    pairs = [(i, j) for i in range(len(leads)) for j in range(i + 1, len(leads))]
    for (i, j), angle in list(zip(pairs, angles, strict=True))[::-1]:
        C, S = _cosine(angle), _cosine(angle - 64)
        for x, y in zip(leads[i], leads[j], strict=True):
            for k, (own, other) in enumerate(zip(x, y, strict=True)):
                x[k] = C * own + (-S) * other
                y[k] = C * other - (-S) * own


def _cosine(angle: int) -> float:
    """Give the cosine of 2 pi angle / 256, to 2^-30."""
    getcontext().prec = 60
    pi = Decimal("3.14159265358979323846264338327950288419716939937510582097494")
    x = pi * angle / 128
    term = total = Decimal(1)
    for n in range(2, 100, 2):
        term = -term * x * x / (n * (n - 1))
        total += term
    return int((total * 2**30).to_integral_value()) / 2**30


def _put_together(bands: list[Signal]) -> Signal:
    low = bands[0]
    for high in bands[1:]:
        w = [0.0] * (len(low) + len(high))
        w[0::2], w[1::2] = low, high
        low = _filtered(w)
    return low


def _filtered(w: Signal) -> Signal:
    last = len(w) - 1

    def at(i: int) -> float:
        while not 0 <= i <= last:
            i = -i if i < 0 else 2 * last - i
        return w[i]

    x = []
    for t in range(len(w)):
        total = (A if t % 2 else B)[0] * w[t]
        for j in range(1, 9):
            h = (A if (t + j) % 2 else B)[j] * (-1) ** j
            total += h * (at(t - j) + at(t + j))
        x.append(total)
    return x
