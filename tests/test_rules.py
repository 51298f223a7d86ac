from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sancodec.errors import CorruptError
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.structure.combinations import find_rules
from sancodec.structure.rounding import FLOOR, HALF_AWAY, HALF_EVEN, MODES, TRUNC, divide
from sancodec.structure.rules import Derivation, Rule, Term, put_derivation, take_derivation


def limb_leads(spread: float = 40.0) -> NDArray[np.int64]:
    generator = np.random.default_rng(3)
    walk = np.cumsum(generator.normal(0, spread, (2, 3000)), axis=1)
    return np.rint(walk).astype(np.int64)


def written(stage: Derivation) -> ByteReader:
    writer = ByteWriter()
    put_derivation(writer, stage)
    return ByteReader(writer.getvalue())


def assert_derived(leads: NDArray[np.int64], lead: int) -> Rule:
    rules = find_rules(leads, range(len(leads)))
    assert lead in rules
    np.testing.assert_array_equal(rules[lead].values(leads, leads.shape[1]), leads[lead])
    return rules[lead]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("factors", "divisor"),
    [((-1, 1), 1), ((-1, -1), 2), ((2, -1), 2), ((1, 1), 3), ((-2, 1), 3), ((3, 5), 4)],
)
def test_a_rounded_combination_is_found(factors: tuple[int, int], divisor: int, mode: int) -> None:
    first, second = limb_leads()
    made = divide(factors[0] * first + factors[1] * second, divisor, mode)
    assert_derived(np.stack([first, second, made]), 2)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_divided_need_not_be_all_of_it(mode: int) -> None:
    """aVR of PTB-XL is trunc(III / 2) - II: not trunc(-(I + II) / 2)."""
    first, second = limb_leads()
    third = second - first
    leads = np.stack(
        [first, second, divide(third, 2, mode) - second, divide(second + third, 2, mode)]
    )
    assert_derived(leads, 2)
    assert_derived(leads, 3)


@pytest.mark.parametrize("shift", [-30, 4])
def test_a_mean_taken_off_after_rounding_towards_zero_is_found(shift: int) -> None:
    first, second = limb_leads()
    made = divide(-first - second, 2, TRUNC) + shift
    assert_derived(np.stack([first, second, made]), 2)


def test_copies_and_constants_and_sums_of_three_are_found() -> None:
    leads = np.concatenate([limb_leads(), limb_leads(25.0)[:1]])
    third = leads.sum(axis=0)
    made = np.stack([leads[0], -leads[1] + 5, np.full(3000, -9), divide(third, 3, FLOOR)])
    rules = find_rules(np.concatenate([leads, made]), range(7))
    assert sorted(rules) == [3, 4, 5, 6]
    assert rules[5].terms == ()


def test_leads_that_are_needed_stay() -> None:
    first, second = limb_leads()
    leads = np.stack([first, second, second - first])
    assert sorted(find_rules(leads, range(3), needed={2})) == [1]


def test_leads_rounded_one_by_one_have_no_rule() -> None:
    generator = np.random.default_rng(4)
    first, second = np.cumsum(generator.normal(0, 40, (2, 3000)), axis=1)
    leads = np.rint(np.stack([first, second, second - first])).astype(np.int64)
    assert find_rules(leads, range(3)) == {}


def test_rules_survive_their_bytes() -> None:
    terms = (Term(lead=0, whole=-3, part=1), Term(lead=2, part=-1))
    rules = {
        1: Rule(terms=terms, offset=-5, divisor=2, mode=HALF_AWAY, shift=7),
        3: Rule(offset=-8),
        4: Rule(terms=terms, divisor=3, mode=HALF_EVEN),
    }
    stage = Derivation(n_outside=5, rules=rules)
    taken = take_derivation(written(stage), 5)
    assert taken == stage
    leads = np.arange(20).reshape(2, 10)
    np.testing.assert_array_equal(taken.enter(taken.leave(leads, 10)), leads)


@pytest.mark.parametrize(
    "rules",
    [
        {3: Rule()},
        {0: Rule(terms=(Term(lead=3, part=1),))},
        {0: Rule(terms=(Term(lead=0, part=1),))},
        {0: Rule(terms=(Term(lead=1, part=1),)), 1: Rule()},
        {0: Rule(terms=(Term(lead=1, part=1 << 16),))},
        {0: Rule(terms=(Term(lead=1, whole=-(1 << 16)),))},
        {0: Rule(terms=tuple(Term(lead=1, part=1) for _ in range(9)))},
        {0: Rule(divisor=0)},
        {0: Rule(divisor=1 << 16)},
        {0: Rule(offset=1 << 50)},
        {0: Rule(divisor=2, mode=4)},
        {0: Rule(divisor=2, shift=1 << 50)},
    ],
)
def test_rules_that_cannot_be_are_refused(rules: dict[int, Rule]) -> None:
    with pytest.raises(CorruptError):
        take_derivation(written(Derivation(n_outside=3, rules=rules)), 3)


def test_a_lead_that_follows_from_few_of_very_many_is_found() -> None:
    leads = np.random.default_rng(7).integers(-500, 500, (60, 400))
    leads[59] = leads[3] - leads[41]
    rules = find_rules(leads, range(60))
    assert list(rules) == [59]
    assert {term.lead for term in rules[59].terms} == {3, 41}
