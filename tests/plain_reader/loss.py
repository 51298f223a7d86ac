"""What the modes of loss have in common: gaps, bounds, and the beats of a group."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from .parameters import Group
from .san import Lead
from .structure import Leads
from .wire import Fields, check

INT32 = 2**31


def in_int32(number: int) -> int:
    check(-INT32 <= number < INT32, f"{number} does not fit 32 bits")
    return number


@dataclass
class Run:
    lead: int
    value: int
    begin: int
    end: int


def read_gaps(fields: Fields, n_leads: int, n_samples: int) -> list[Run]:
    runs, lead = [], -1
    for _ in range(fields.varint(n_leads)):
        lead += 1 + fields.varint(n_leads)
        check(lead < n_leads, "a gap in a lead that is not there")
        value, end = in_int32(fields.zigzag()), 0
        for _ in range(fields.varint(n_samples)):
            begin = end + fields.varint(n_samples)
            end = begin + fields.varint(n_samples, 1)
            check(end <= n_samples, "a gap behind the end")
            runs.append(Run(lead, value, begin, end))
    return runs


def fill_gaps(leads: Leads, runs: list[Run]) -> None:
    for run in runs:
        leads[run.lead][run.begin : run.end] = [run.value] * (run.end - run.begin)


@dataclass
class Bounds:
    e: int
    low: int
    high: int


def read_bounds(fields: Fields, n_leads: int) -> list[Bounds]:
    bounds = []
    for _ in range(n_leads):
        e, low = fields.varint(2**32), in_int32(fields.zigzag())
        bounds.append(Bounds(e, low, in_int32(low + fields.varint(2**33))))
    return bounds


class GroupBeats:
    """The beats of the lead with most activations, for all leads of a group."""

    def __init__(self, leads: list[Lead], group: Group) -> None:
        most = max(leads, key=lambda lead: len(lead.activations))
        back = int(min(80 / 360 * group.clock, 65536.0))
        self.starts = [a.position // 4 - back for a in most.activations]
        self.kernels = [a.kernel for a in most.activations]

    def at(self, sample: int) -> tuple[int, int] | None:
        """Give the start and the kernel of the last beat that begins by a sample."""
        i = bisect_right(self.starts, sample) - 1
        return None if i < 0 else (self.starts[i], self.kernels[i])
