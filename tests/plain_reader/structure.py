"""What the samples follow from: derived leads, grids, a resampling ("Structure")."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import isqrt

from .header import Header
from .wire import Fields, check

Leads = list[list[int]]
INT32 = 2**31


def divide(n: int, d: int, mode: int) -> int:
    if mode == 0:
        return n // d
    if mode == 1:
        return n // d if n >= 0 else -(-n // d)
    if mode == 2:
        halves = (2 * abs(n) + d) // (2 * d)
        return halves if n >= 0 else -halves
    quotient, rest = divmod(n, d)
    return quotient + (2 * rest > d or (2 * rest == d and quotient % 2 == 1))


def _mode(fields: Fields) -> int:
    mode = fields.u8()
    check(mode <= 3, f"mode of rounding {mode}")
    return mode


@dataclass
class Ratio:
    a: int
    b: int
    d: int
    mode: int = 0
    shift: int = 0

    def value(self, n: int, d: int = 1) -> int:
        """Give value(k) of k = n / d."""
        return divide(self.a * n + self.b * d, self.d * d, self.mode) + self.shift


def _read_ratio(
    fields: Fields, whole: bool, a: int = 2**44, b: int = 2**60, d: int = 2**30
) -> Ratio:
    ratio = Ratio(fields.varint(a, 1), fields.zigzag(b), fields.varint(d, 1))
    if not whole or ratio.d != 1:
        ratio.mode, ratio.shift = _mode(fields), fields.zigzag(2**32)
    return ratio


@dataclass
class Rule:
    lead: int
    terms: list[tuple[int, int, int]]
    b: int
    d: int
    mode: int
    shift: int

    def value(self, sample: list[int]) -> int:
        n = sum(p * sample[lead] for lead, _, p in self.terms) + self.b
        linear = sum(w * sample[lead] for lead, w, _ in self.terms)
        return linear + divide(n, self.d, self.mode) + self.shift


class Derivation:
    """Leads that were left out, given back by rules."""

    def __init__(self, fields: Fields, n_leads: int) -> None:
        self.n_outside = n_leads
        self.rules = []
        lead = -1
        for _ in range(fields.varint(n_leads)):
            lead += 1 + fields.varint(n_leads)
            check(lead < n_leads, "a rule of a lead that is not there")
            self.rules.append(self._rule(fields, lead))
        derived = {rule.lead for rule in self.rules}
        self.kept = [i for i in range(n_leads) if i not in derived]
        for rule in self.rules:
            for lead, _, _ in rule.terms:
                check(lead not in derived, "a rule that names a derived lead")
        self.n_inside = len(self.kept)

    def _rule(self, fields: Fields, lead: int) -> Rule:
        terms = []
        for _ in range(fields.varint(8)):
            term = fields.varint(self.n_outside - 1), fields.zigzag(2**15), fields.zigzag(2**15)
            terms.append(term)
        rule = Rule(lead, terms, fields.zigzag(2**46), fields.varint(2**15, 1), 0, 0)
        if rule.d != 1:
            rule.mode, rule.shift = _mode(fields), fields.zigzag(2**46)
        return rule

    def outside(self, inside: Leads, n_outside: int) -> Leads:
        leads: Leads = [[] for _ in range(self.n_outside)]
        for i, lead in zip(self.kept, inside, strict=True):
            leads[i] = lead
        for rule in self.rules:
            known = [leads[i] or [0] * n_outside for i in range(self.n_outside)]
            leads[rule.lead] = [rule.value(list(sample)) for sample in zip(*known, strict=True)]
        return leads


class Grids:
    """Leads whose values are those of a ratio."""

    def __init__(self, fields: Fields, n_leads: int) -> None:
        self.n_inside = n_leads
        self.ratios = [_read_ratio(fields, whole=True) for _ in range(fields.varint(n_leads))]
        self.of_lead = [fields.varint(len(self.ratios)) for _ in range(n_leads)]

    def outside(self, inside: Leads, n_outside: int) -> Leads:
        return [
            lead if number == 0 else self._values(self.ratios[number - 1], lead)
            for number, lead in zip(self.of_lead, inside, strict=True)
        ]

    @staticmethod
    def _values(ratio: Ratio, lead: list[int]) -> list[int]:
        most = (2**62 - 1 - abs(ratio.b)) // ratio.a
        check(all(abs(k) <= most for k in lead), "a step that its grid does not have")
        return [ratio.value(k) for k in lead]


class Resampling:
    """Leads that were brought to a higher sampling frequency."""

    def __init__(self, fields: Fields, n_leads: int) -> None:
        self.n_inside = n_leads
        self.up = fields.varint(64, 1)
        self.down = fields.varint(self.up - 1, 1)
        self.first = fields.varint(self.up - 1)
        self.degree = fields.u8()
        check(self.degree in (0, 1, 3), f"degree {self.degree}")
        self.ratio = _read_ratio(fields, whole=False, a=2**20, b=2**20, d=2**20)

    def n_samples_inside(self, n_outside: int) -> int:
        return (self.first + (n_outside - 1) * self.down) // self.up + 1

    def outside(self, inside: Leads, n_outside: int) -> Leads:
        most = 2**18 // self.ratio.a
        for lead in inside:
            check(all(abs(value) <= most for value in lead), "a sample inside of a resampling")
        return [self._lead(lead, n_outside) for lead in inside]

    def _lead(self, lead: list[int], n_outside: int) -> list[int]:
        up, w = self.up, Extended(lead)
        c = [] if self.degree != 3 else [_smoothed(w, i - 1) for i in range(len(lead) + 3)]
        samples = []
        for t in range(n_outside):
            start, phase = divmod(self.first + t * self.down, up)
            q = up - phase
            if phase == 0 or self.degree == 0:
                samples.append(self.ratio.value(w[start]))
            elif self.degree == 1:
                samples.append(self.ratio.value(q * w[start] + phase * w[start + 1], up))
            else:
                near, far = (3 * p**3 - 6 * p**2 * up + 4 * up**3 for p in (phase, q))
                weights = (q**3, near, far, phase**3)
                total = sum(x * y for x, y in zip(weights, c[start : start + 4], strict=True))
                samples.append(self.ratio.value(total, 6 * up**3 * 2**20))
        return samples


class Extended:
    """A lead that goes on beyond its ends, point-symmetric to them."""

    def __init__(self, lead: list[int]) -> None:
        self.lead, self.last = lead, len(lead) - 1

    def __getitem__(self, i: int) -> int:
        w, last = self.lead, self.last
        if i < 0:
            return 2 * w[0] - w[min(-i, last)]
        if i > last:
            return 2 * w[last] - w[last - min(i - last, last)]
        return w[i]


def _smoothed(w: Extended, i: int) -> int:
    h = spline_filter()
    total = h[0] * w[i] + sum(h[j] * (w[i - j] + w[i + j]) for j in range(1, 22))
    return (total + 2**19) >> 20


@cache
def spline_filter() -> list[int]:
    """Give the integers nearest to 2^40 sqrt(3) (sqrt(3) - 2)^j, j = 0 .. 21."""
    scale = 2**400
    root = isqrt(3 * scale**2)
    power, filtered = scale, []
    for _ in range(22):
        exact = 2**40 * root * power
        filtered.append((2 * exact + scale**2) // (2 * scale**2))
        power = power * (root - 2 * scale) // scale
    return filtered


@dataclass
class Structure:
    stages: list[Derivation | Grids | Resampling]
    n_base: int

    def fs_inside(self, fs: float) -> float:
        for stage in self.stages:
            if isinstance(stage, Resampling):
                fs = fs * stage.down / stage.up
        return fs

    def n_samples_inside(self, n_outside: int) -> int:
        for stage in self.stages:
            if isinstance(stage, Resampling):
                n_outside = stage.n_samples_inside(n_outside)
        return n_outside

    def undo(self, leads: Leads, n_outside: int) -> Leads:
        check_int32(leads)
        counts = [n_outside]
        for stage in self.stages:
            inside = counts[-1]
            if isinstance(stage, Resampling):
                inside = stage.n_samples_inside(inside)
            counts.append(inside)
        for stage, count in zip(self.stages[::-1], counts[-2::-1], strict=True):
            leads = stage.outside(leads, count)
            check_int32(leads)
        return leads


def check_int32(leads: Leads) -> None:
    for lead in leads:
        check(all(-INT32 <= x < INT32 for x in lead), "a sample beyond 32 bits")


def read_structure(content: bytes, n_leads: int, header: Header) -> Structure:
    fields = Fields(content, "structure")
    stages: list[Derivation | Grids | Resampling] = []
    for _ in range(fields.varint(8)):
        kind = fields.u8()
        check(kind in (1, 2, 3), f"stage of kind {kind}")
        stage = (Derivation, Grids, Resampling)[kind - 1](fields, n_leads)
        stages.append(stage)
        n_leads = stage.n_inside
    fields.end()
    n_resamplings = sum(isinstance(stage, Resampling) for stage in stages)
    check(n_resamplings <= 1, "two resamplings")
    check(n_resamplings == 0 or header.n_chunks <= 1, "a resampling of several chunks")
    return Structure(stages, n_leads)
