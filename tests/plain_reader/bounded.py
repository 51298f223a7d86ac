"""Modes 5 to 7: coefficients, corrections of them, and steps ("Bounded", "Stepped residual")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .contexts import Decider
from .loss import GroupBeats, fill_gaps, read_bounds, read_gaps
from .parameters import Group
from .san import Lead
from .structure import Leads
from .symbols import Words
from .transform import read_transform
from .wire import Fields, check

NONZERO, NEGATIVE, LARGER = 0, 1, 2


def read_coefficients(payload: bytes, group: Group, leads: list[Lead], n_samples: int) -> Leads:
    samples, gaps = read_transform(payload, group, leads, n_samples)
    fill_gaps(samples, gaps)
    return samples


def read_bounded(payload: bytes, group: Group, leads: list[Lead], n_samples: int) -> Leads:
    fields = Fields(payload, "bounded residual")
    inner = fields.counted()
    bounds = read_bounds(fields, len(leads))
    decider = Decider(Words(fields.rest()))
    beats = GroupBeats(leads, group)
    corrections = _read_corrections(decider, beats, group.clock, len(leads), n_samples)
    decider.words.end()
    samples, gaps = read_transform(inner, group, leads, n_samples)
    for lead, own, ks in zip(samples, bounds, corrections, strict=True):
        for t, k in enumerate(ks):
            if k:
                lead[t] = min(max(lead[t] + k * (2 * own.e + 1), own.low), own.high)
    fill_gaps(samples, gaps)
    return samples


def _class(k: int) -> int:
    return min(max(k, -2), 2) + 2


def _read_corrections(
    decider: Decider, beats: GroupBeats, clock: float, n_leads: int, n_samples: int
) -> Leads:
    u = max(int(min(clock, 10.0**6) / 48), 1)
    leads: Leads = []
    for _ in range(n_leads):
        before = leads[-1] if leads else [0] * n_samples
        lately, ks = 0.0, []
        for t in range(n_samples):
            b1 = _class(ks[t - 1]) if t > 0 else 2
            b2 = _class(ks[t - 2]) if t > 1 else 2
            o, around = _class(before[t]), sum(k != 0 for k in before[max(t - 1, 0) : t + 2])
            rate = min(int(32 * lately), 15)
            beat = beats.at(t)
            age = 0 if beat is None else min((t - beat[0]) // u + 1, 63)
            contexts = (
                (b1, b2, o),
                (rate, b1),
                (age, b1),
                (o, around, b1),
                (rate, around, o),
                (rate, b1, b2),
                (age // 2, rate),
            )
            ks.append(_read_correction(decider, contexts, around, rate))
            lately += ((1 if ks[t] else 0) - lately) * (1.0 / 24.0)
        leads.append(ks)
    return leads


def _read_correction(
    decider: Decider, contexts: tuple[tuple[int, ...], ...], around: int, rate: int
) -> int:
    def decide(kind: int) -> int:
        vectors = (("A", kind), ("B", kind, around), ("G", kind, rate))
        return decider.decide([(kind, *context) for context in contexts], vectors)

    if not decide(NONZERO):
        return 0
    negative = decide(NEGATIVE)
    size = 1
    while size < 32 and decide(LARGER):
        size += 1
    return -size if negative else size


Lossless = Callable[[int, bytes, Group, list[Lead], int], Leads]


def read_stepped(
    payload: bytes, group: Group, leads: list[Lead], n_samples: int, read_residual: Lossless
) -> Leads:
    fields = Fields(payload, "stepped residual")
    bounds = read_bounds(fields, len(leads))
    gaps = read_gaps(fields, len(leads), n_samples)
    mode = fields.u8()
    check(mode in (0, 1, 2, 3, 4, 8), f"steps in mode {mode}")
    stepped = [
        replace(lead, r=[(r + own.e) // (2 * own.e + 1) for r in lead.r])
        for lead, own in zip(leads, bounds, strict=True)
    ]
    read = read_residual(mode, fields.rest(), group, stepped, n_samples)
    samples = [
        [min(max(x * (2 * own.e + 1), own.low), own.high) for x in lead]
        for lead, own in zip(read, bounds, strict=True)
    ]
    fill_gaps(samples, gaps)
    return samples
