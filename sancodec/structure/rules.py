"""Leads that are combinations of others, rounded: III = II - I, aVF = trunc((II + III) / 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.structure.rounding import FLOOR, MODES, divide

MAX_TERMS = 8
MAX_COEFFICIENT = 1 << 15
MAX_OFFSET = 1 << 46


@dataclass(frozen=True, kw_only=True)
class Term:
    """``whole`` times a lead, and ``part`` times it in what is divided."""

    lead: int
    whole: int = 0
    part: int = 0


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The sum of whole parts, plus (sum of parts + offset) / divisor, rounded, plus shift."""

    terms: tuple[Term, ...] = ()
    offset: int = 0
    divisor: int = 1
    mode: int = FLOOR
    shift: int = 0

    def values(self, leads: NDArray[np.int64], n_samples: int) -> NDArray[np.int64]:
        """Give (n_samples,) values from the (n_leads, n_samples) leads that the terms name."""
        whole = np.full(n_samples, self.shift, np.int64)
        parts = np.full(n_samples, self.offset, np.int64)
        for term in self.terms:
            if term.whole:
                whole += term.whole * leads[term.lead]
            if term.part:
                parts += term.part * leads[term.lead]
        return whole + (parts if self.divisor == 1 else divide(parts, self.divisor, self.mode))


@dataclass(frozen=True, kw_only=True)
class Derivation:
    """Leads that are left out, each with the rule that gives it back from those that stay."""

    n_outside: int
    rules: Mapping[int, Rule]

    @property
    def n_inside(self) -> int:
        """Number of leads that stay."""
        return self.n_outside - len(self.rules)

    @property
    def kept(self) -> list[int]:
        """Numbers of the leads that stay."""
        return [i for i in range(self.n_outside) if i not in self.rules]

    def n_samples_inside(self, n_samples: int) -> int:
        """Give the samples of a lead inside: as many as outside."""
        return n_samples

    def enter(self, leads: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the leads that stay."""
        return leads[self.kept]

    def gains(self) -> NDArray[np.float64]:
        """Give by how much each lead outside moves with each inside, (n_outside, n_inside)."""
        gains = np.zeros((self.n_outside, self.n_outside))
        gains[self.kept, self.kept] = 1.0
        for lead, rule in self.rules.items():
            for term in rule.terms:
                gains[lead, term.lead] += term.whole + term.part / rule.divisor
        return gains[:, self.kept]

    def leave(self, leads: NDArray[np.int64], n_samples: int) -> NDArray[np.int64]:
        """Give all leads, from those that stay."""
        outside = np.zeros((self.n_outside, n_samples), np.int64)
        outside[self.kept] = leads
        for lead, rule in self.rules.items():
            outside[lead] = rule.values(outside, n_samples)
        return outside


def put_derivation(writer: ByteWriter, stage: Derivation) -> None:
    """Write the rules in the order of their leads."""
    writer.varint(len(stage.rules))
    last = -1
    for lead, rule in sorted(stage.rules.items()):
        writer.varint(lead - last - 1).varint(len(rule.terms))
        last = lead
        for term in rule.terms:
            writer.varint(term.lead).zigzag(term.whole).zigzag(term.part)
        writer.zigzag(rule.offset).varint(rule.divisor)
        if rule.divisor > 1:
            writer.u8(rule.mode).zigzag(rule.shift)


def take_derivation(reader: ByteReader, n_leads: int) -> Derivation:
    """Read what ``put_derivation`` wrote for ``n_leads``; CorruptError where it contradicts."""
    rules: dict[int, Rule] = {}
    last = -1
    for _ in range(reader.varint("number of rules", n_leads)):
        last += 1 + reader.varint("derived lead", n_leads)
        if last >= n_leads:
            raise reader.corrupt("derived lead", f"{last} of {n_leads}")
        rules[last] = _take_rule(reader, n_leads)
    for lead, rule in rules.items():
        if any(term.lead in rules for term in rule.terms):
            raise reader.corrupt("rule", f"lead {lead} is derived from a derived lead")
    return Derivation(n_outside=n_leads, rules=rules)


def _take_rule(reader: ByteReader, n_leads: int) -> Rule:
    terms = []
    for _ in range(reader.varint("number of terms", MAX_TERMS)):
        lead = reader.varint("lead of a term", n_leads - 1)
        whole, part = reader.zigzag("whole"), reader.zigzag("part")
        if max(abs(whole), abs(part)) > MAX_COEFFICIENT:
            raise reader.corrupt("coefficient", f"{whole}, {part}")
        terms.append(Term(lead=lead, whole=whole, part=part))
    offset = reader.zigzag("offset")
    divisor = reader.varint("divisor", MAX_COEFFICIENT)
    mode, shift = FLOOR, 0
    if divisor > 1:
        mode, shift = reader.u8("rounding"), reader.zigzag("shift")
    if divisor < 1 or mode not in MODES or max(abs(offset), abs(shift)) > MAX_OFFSET:
        raise reader.corrupt("rule", f"offset {offset}, divisor {divisor}, rounding {mode}")
    return Rule(terms=tuple(terms), offset=offset, divisor=divisor, mode=mode, shift=shift)
