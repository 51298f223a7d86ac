"""Finding the leads that are combinations of others, with the rounding that made them.

Only an encoder does this, in floating point; what it finds is checked in integers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from sancodec.structure.rounding import HALF_AWAY, HALF_EVEN, TRUNC, divide
from sancodec.structure.rules import Rule, Term

_MAX_SAMPLES, _FEW_SAMPLES = 1024, 100
_MAX_CANDIDATES = 24
_MAX_TERMS = 3
_MAX_DIVISOR = 6
_MAX_COEFFICIENT = 64
_LEFT = 2.0
"""A lead is only looked at if the others leave less power of it than this."""
_NEARLY_WHOLE = 0.04
_MAX_SHARE_OFF = 0.002


def find_rules(
    leads: NDArray[np.int64], order: Sequence[int], needed: Collection[int] = ()
) -> dict[int, Rule]:
    """Give rules for leads that follow from others, which have none themselves.

    Parameters
    ----------
    leads : (n_leads, n_samples) int64
    order : sequence of int
        Leads that may take part, those that should rather stay first.
    needed : collection of int
        Leads that have to stay.
    """
    n_samples = leads.shape[1]
    sparse = np.ascontiguousarray(leads[:, :: n_samples // _MAX_SAMPLES + 1])
    rules: dict[int, Rule] = {}
    basis = _Basis(sparse)

    def off(rule: Rule, lead: int) -> NDArray[np.int64]:
        return np.nonzero(rule.values(leads, n_samples) != leads[lead])[0]

    for lead in sorted(order, key=lambda lead: lead not in needed):
        if lead in needed:
            basis.add(lead)
            continue
        if leads[lead].min() == leads[lead].max():
            rules[lead] = Rule(offset=int(leads[lead, 0]))
            continue
        rule = basis.rule_for(lead)
        if rule is not None and off(rule, lead).size:
            # Once more with the samples that it got wrong.
            wrong = leads[:, off(rule, lead)[:_FEW_SAMPLES]]
            rule = basis.over(np.concatenate([wrong, sparse], axis=1)).rule_for(lead) or rule
        if rule is not None and off(rule, lead).size <= _MAX_SHARE_OFF * n_samples:
            rules[lead] = rule
        else:
            basis.add(lead)
    return rules


class _Basis:
    """Leads that stay, and directions that span them."""

    def __init__(self, leads: NDArray[np.int64]) -> None:
        self._leads = leads
        self._few = leads[:, :_FEW_SAMPLES]
        self._centred = leads - leads.mean(axis=1, keepdims=True)
        self._kept: list[int] = []
        self._directions = np.zeros((0, leads.shape[1]))

    def _left(self, lead: int) -> NDArray[np.float64]:
        signal = self._centred[lead]
        for _ in range(2):
            signal = signal - (self._directions @ signal) @ self._directions
        return np.asarray(signal)

    def add(self, lead: int) -> None:
        """Let a lead stay."""
        self._kept.append(lead)
        left = self._left(lead)
        length = float(np.sqrt(left @ left))
        if length > 1e-6:
            self._directions = np.concatenate([self._directions, left[None] / length])

    def over(self, leads: NDArray[np.int64]) -> _Basis:
        """Give the same leads over other samples."""
        other = _Basis(leads)
        for lead in self._kept:
            other.add(lead)
        return other

    def rule_for(self, lead: int) -> Rule | None:
        """Give the rule that makes a lead from those that stay, if there is one."""
        left = self._left(lead)
        if not self._kept or left @ left > _LEFT * left.size:
            return None
        near = False
        candidates = self._candidates(lead)
        for n_terms in range(1, _MAX_TERMS + 1):
            for chosen in combinations(candidates, n_terms):
                for divisor, factors in self._ratios(lead, chosen):
                    near = True
                    if _exact_rule(self._few, lead, chosen, factors, divisor) is None:
                        continue
                    rule = _exact_rule(self._leads, lead, chosen, factors, divisor)
                    if rule is not None:
                        return rule
            if near:
                # What few leads come near to but do not make, more of them do not make either.
                return None
        return None

    def _candidates(self, lead: int) -> list[int]:
        """Give the leads that a rule may be of: of very many those that weigh most together."""
        if len(self._kept) <= _MAX_CANDIDATES:
            return self._kept
        rows = self._centred[self._kept]
        weights = np.abs(np.linalg.lstsq(rows.T, self._centred[lead], rcond=None)[0])
        heaviest = np.argsort(-weights, kind="stable")[:_MAX_CANDIDATES]
        return [self._kept[i] for i in sorted(heaviest)]

    def _ratios(self, lead: int, chosen: tuple[int, ...]) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Give the divisor and the factors of the chosen leads that come near a lead, if any do."""
        rows, signal = self._centred[list(chosen)], self._centred[lead]
        products = rows @ rows.T
        # Leads that are copies of one another are no failure.
        diagonal = products.ravel()[:: len(rows) + 1]
        diagonal[:] = diagonal * (1.0 + 1e-12) + 1e-3
        coefficients = np.linalg.solve(products, rows @ signal)
        left = signal - coefficients @ rows
        if left @ left > _LEFT * left.size or np.abs(coefficients).max() > _MAX_COEFFICIENT:
            return
        for divisor in range(1, _MAX_DIVISOR + 1):
            factors = np.rint(divisor * coefficients)
            if np.abs(divisor * coefficients - factors).max() < _NEARLY_WHOLE and factors.all():
                yield divisor, tuple(int(factor) for factor in factors)
                return


def _exact_rule(
    leads: NDArray[np.int64],
    lead: int,
    chosen: tuple[int, ...],
    factors: tuple[int, ...],
    divisor: int,
) -> Rule | None:
    """Give the rounding of sum(factor * chosen) / divisor that gives the lead on every sample."""
    signal, rows = leads[lead], leads[list(chosen)]
    total = np.array(factors) @ rows
    over = divisor * signal - total
    if np.ptp(over) < divisor:
        terms = tuple(_term(*pair, divisor, pair[1]) for pair in zip(chosen, factors, strict=True))
        return Rule(terms=terms, offset=int(over.max()), divisor=divisor)
    # Rounding to the nearest is off by half a divisor either way, towards zero by all but one.
    if np.ptp(over) > max(divisor, 2 * divisor - 2):
        return None
    for parts in product(*(_parts(factor, divisor) for factor in factors)):
        terms = tuple(
            _term(number, factor, divisor, part)
            for number, factor, part in zip(chosen, factors, parts, strict=True)
        )
        whole = np.array([term.whole for term in terms]) @ rows
        scale = 2 if divisor == 1 else 1
        found = _towards_zero(signal - whole, np.array(parts) @ rows * scale, divisor * scale)
        if found is not None:
            offset, mode, shift = found
            scaled = tuple(Term(lead=t.lead, whole=t.whole, part=t.part * scale) for t in terms)
            return Rule(
                terms=scaled, offset=offset, divisor=divisor * scale, mode=mode, shift=shift
            )
    return None


def _term(lead: int, factor: int, divisor: int, part: int) -> Term:
    return Term(lead=lead, whole=(factor - part) // divisor, part=part)


def _parts(factor: int, divisor: int) -> tuple[int, ...]:
    """Give what may be divided of a factor, the rest being whole: whose signs matter."""
    if divisor == 1:
        return (factor,)
    least = factor % divisor
    near = (least, least - divisor, factor, least + divisor if least == 0 else factor)
    return tuple(dict.fromkeys(near))


def _towards_zero(
    wanted: NDArray[np.int64], parts: NDArray[np.int64], divisor: int
) -> tuple[int, int, int] | None:
    """Give offset, rounding and shift that turn parts / divisor into what is wanted."""
    shift = wanted - divide(parts, divisor, HALF_EVEN)
    if np.ptp(shift) == 0:
        return 0, HALF_EVEN, int(shift[0])
    over = divisor * wanted - parts
    order = np.argsort(parts, kind="stable")
    by_part = over[order]
    below = np.maximum.accumulate(by_part) - np.minimum.accumulate(by_part)
    back = by_part[::-1]
    above = (np.maximum.accumulate(back) - np.minimum.accumulate(back))[::-1]
    # Behind the crossing one window holds, before it another.
    fits = np.nonzero((below[:-1] < divisor) & (above[1:] < divisor))[0]
    if not fits.size:
        return None
    crossing = parts[order[fits[fits.size // 2]]]
    near = sorted(
        {0, *range(-int(crossing) - 2 * divisor, -int(crossing) + 2 * divisor + 1)}, key=abs
    )
    for mode in (TRUNC, HALF_AWAY):
        for offset in near:
            shift = wanted - divide(parts + offset, divisor, mode)
            if shift[0] == shift[-1] and np.ptp(shift) == 0:
                return offset, mode, int(shift[0])
    return None
