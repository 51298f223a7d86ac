"""Leads of a group, one after the other: what each of them is read with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .beats import Beats
from .parameters import Group
from .primers import LeadStart
from .san import Lead
from .series import Coded, Loudness, differences_of_r, padded
from .symbols import Words


@dataclass
class Task:
    """A lead to be read: its words, what its SAN layer says, and what was coded before."""

    words: Words
    clock: float
    lead: Lead
    coded: list[Coded]
    start: list[float]
    primed: list[LeadStart]
    n_samples: int

    def beats(self) -> Beats:
        return Beats(self.lead, self.clock, self.n_samples)

    def series(self) -> Coded:
        y = differences_of_r(self.lead.r)
        return Coded(padded(self.n_samples), y, padded(self.n_samples))

    def loudness(self) -> Loudness:
        return Loudness(self.n_samples, self.coded)

    @property
    def has_beats(self) -> bool:
        return bool(self.lead.activations)

    @property
    def few(self) -> bool:
        """Whether fewer than three leads were coded before."""
        return len(self.coded) < 3


class LeadReader(Protocol):
    series: Coded

    def read(self) -> list[int]:
        """Give the samples."""


def read_leads(
    payload: bytes,
    group: Group,
    leads: list[Lead],
    n_samples: int,
    reader_of: Callable[[Task], LeadReader],
) -> list[list[int]]:
    """Read all leads from one payload of words, in the order of coding."""
    words = Words(payload)
    coded: list[Coded] = []
    samples = []
    starts = group.starts or [[] for _ in leads]
    for lead, start, own in zip(leads, starts, group.primed(), strict=True):
        reader = reader_of(Task(words, group.clock, lead, coded, start, own, n_samples))
        samples.append(reader.read())
        coded.append(reader.series)
    words.end()
    return samples
