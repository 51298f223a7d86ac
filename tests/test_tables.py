"""The integer tables: a decoder elsewhere must read exactly these."""

from __future__ import annotations

import hashlib

import numpy as np

from sancodec.entropy import make_tables
from sancodec.entropy.tables import (
    CDF_BITS,
    GUESS_BITS,
    STEPS_PER_UNIT,
    UNITS,
    density_table,
    guess_table,
)


def test_the_table_shipped_is_the_one_that_its_script_makes() -> None:
    assert (make_tables.STEPS_PER_UNIT, make_tables.UNITS, make_tables.CDF_BITS) == (
        STEPS_PER_UNIT,
        UNITS,
        CDF_BITS,
    )
    # Exponentials may differ in their last bit between machines, and so a count by one.
    assert np.abs(make_tables.density_table() - density_table()).max() <= 1


def test_the_density_is_a_distribution() -> None:
    table = density_table()
    assert table.shape == (2 * UNITS * STEPS_PER_UNIT + 1,)
    assert (table[0], table[-1]) == (0, 1 << CDF_BITS)
    assert (np.diff(table) >= 0).all()


def test_the_density_is_symmetric_with_a_mean_magnitude_of_about_one() -> None:
    table = density_table()
    assert np.abs(table + table[::-1] - (1 << CDF_BITS)).max() <= 1
    middle = (np.arange(table.size - 1) + 0.5) / STEPS_PER_UNIT - UNITS
    magnitude = (np.diff(table) * np.abs(middle)).sum() / (1 << CDF_BITS)
    assert 0.9 < magnitude < 1.2


def test_a_guess_is_near_where_the_cumulative_value_lies() -> None:
    table, guesses = density_table(), guess_table()
    cells = (np.arange(1 << GUESS_BITS) + 0.5) * (1 << (CDF_BITS - GUESS_BITS))
    exact = np.interp(cells, table, np.arange(table.size) / STEPS_PER_UNIT - UNITS)
    assert np.abs(guesses - exact).max() <= 2 / STEPS_PER_UNIT


def test_the_table_is_pinned() -> None:
    digest = hashlib.sha256(density_table().astype("<i4").tobytes()).hexdigest()
    assert digest == PINNED


PINNED = "0cfaffae05b91d0a5271eb17e69223f67ce7d8907caa04adf541a067d8b2465c"
