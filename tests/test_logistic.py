"""Logarithm, squashing and shares of residuals from integer tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sancodec.entropy import make_logistic
from sancodec.entropy.logistic import (
    LOG_BITS,
    MAX_STRETCH,
    SQUASH_BITS,
    SURVIVAL_BITS,
    SURVIVAL_STEPS,
    SURVIVAL_UNITS,
    logarithm,
    logistic_tables,
    squash,
    survive,
)

TABLES = logistic_tables()


def test_the_tables_shipped_are_those_that_their_script_makes() -> None:
    made = make_logistic.logistic_integers()
    n_survival = 2 * SURVIVAL_UNITS * SURVIVAL_STEPS + 1
    bits = np.full(made.size, LOG_BITS)
    bits[:n_survival] = SURVIVAL_BITS
    bits[n_survival + (made.size - n_survival) // 2 :] = SQUASH_BITS
    # Libraries may differ in the last bits of binary64, and LOG_BITS and SQUASH_BITS are alike.
    assert LOG_BITS == SQUASH_BITS
    np.testing.assert_allclose(made / np.exp2(bits), TABLES, rtol=0, atol=2.0**-49)


def test_the_tables_are_whole_numbers_of_their_unit() -> None:
    scaled = TABLES * 2.0**SURVIVAL_BITS
    np.testing.assert_array_equal(scaled, np.rint(scaled))


@given(st.floats(1e-290, 1e290))
def test_the_logarithm_is_close(x: float) -> None:
    assert abs(logarithm(TABLES, x) - math.log(x)) < 2e-7 + 1e-15 * abs(math.log(x))


@given(st.floats(-MAX_STRETCH, MAX_STRETCH))
def test_squashing_is_close_and_undone_by_the_logarithm(x: float) -> None:
    probability = squash(TABLES, x)
    assert abs(probability - 1 / (1 + math.exp(-x))) < 4e-6
    back = logarithm(TABLES, probability) - logarithm(TABLES, 1.0 - probability)
    assert abs(back - x) < 1e-4


@given(st.floats(-1e300, 1e300), st.floats(-30, 30))
def test_shares_fall_from_one_to_nothing_and_mirror(far: float, z: float) -> None:
    assert 0.0 <= survive(TABLES, far) <= 1.0
    assert survive(TABLES, z) >= survive(TABLES, z + 0.01)
    assert abs(survive(TABLES, z) + survive(TABLES, -z) - 1.0) < 1e-12


@pytest.mark.parametrize("z", [0.0, 1.0, 5.0, 15.0, 23.0])
def test_shares_are_exact_far_into_the_tail(z: float) -> None:
    assert survive(TABLES, z) == pytest.approx(make_logistic._survival(z), rel=1e-3)
