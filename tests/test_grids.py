from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structure_chains import filled

from sancodec.errors import CorruptError
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.recording import Channel
from sancodec.structure.grids import Grid, Grids, put_grids, take_grids
from sancodec.structure.lattices import find_grid
from sancodec.structure.periods import likely_steps
from sancodec.structure.rounding import FLOOR, HALF_AWAY, HALF_EVEN, MODES, TRUNC, divide

ROUNDED = {
    FLOOR: [-3, -2, -1, 0, 1, 2],
    TRUNC: [-2, -1, 0, 0, 1, 2],
    HALF_AWAY: [-3, -2, -1, 1, 2, 3],
    HALF_EVEN: [-2, -2, 0, 0, 2, 2],
}


def grids() -> st.SearchStrategy[Grid]:
    """Steps of one and more: below, several indices would have the same value."""
    return st.builds(
        lambda divisor, more, offset, mode, shift: Grid(
            multiplier=divisor + more, offset=offset, divisor=divisor, mode=mode, shift=shift
        ),
        st.integers(1, 5000),
        st.integers(0, 100_000),
        st.integers(-(10**6), 10**6),
        st.sampled_from(MODES),
        st.integers(-100, 100),
    )


@pytest.mark.parametrize("mode", MODES)
def test_halves_are_rounded_as_the_mode_says(mode: int) -> None:
    numerators = np.array([-5, -3, -1, 1, 3, 5])
    assert divide(numerators, 2, mode).tolist() == ROUNDED[mode]


@given(st.lists(st.integers(-(2**61), 2**61), min_size=1), st.integers(1, 2**30))
def test_nearest_is_nearest(numerators: list[int], divisor: int) -> None:
    for mode in (HALF_AWAY, HALF_EVEN):
        quotients = divide(np.array(numerators), divisor, mode).tolist()
        for n, q in zip(numerators, quotients, strict=True):
            assert 2 * abs(n - q * divisor) <= divisor


@given(grids(), st.lists(st.integers(-20_000, 20_000), min_size=1))
def test_every_value_on_a_grid_has_an_index(grid: Grid, indices: list[int]) -> None:
    values = grid.values(np.array(indices))
    np.testing.assert_array_equal(grid.values(grid.index_of(values)), values)


def test_a_value_off_the_grid_has_the_index_of_a_neighbour() -> None:
    grid = Grid(multiplier=122, divisor=25, mode=HALF_AWAY)
    index = grid.index_of(np.array([0, 1, 2, 3, 4, 5, 6]))
    assert np.abs(grid.values(index) - np.arange(7)).max() <= 3


@given(st.lists(st.one_of(st.none(), grids()), min_size=1, max_size=12))
def test_grids_survive_their_bytes(each: list[Grid | None]) -> None:
    writer = ByteWriter()
    put_grids(writer, Grids(grids=tuple(each)))
    taken = take_grids(ByteReader(writer.getvalue()), len(each))
    index = np.arange(-50, 50)[None].repeat(len(each), axis=0)
    np.testing.assert_array_equal(
        taken.leave(index, 100), Grids(grids=tuple(each)).leave(index, 100)
    )


@pytest.mark.parametrize(
    "grid",
    [
        Grid(multiplier=0),
        Grid(multiplier=1, divisor=0),
        Grid(multiplier=(1 << 44) + 1),
        Grid(multiplier=1, divisor=(1 << 30) + 1),
        Grid(multiplier=3, divisor=2, mode=4),
        Grid(multiplier=3, divisor=2, offset=(1 << 60) + 1),
        Grid(multiplier=3, divisor=2, shift=(1 << 32) + 1),
    ],
)
def test_a_grid_out_of_range_is_refused(grid: Grid) -> None:
    writer = ByteWriter()
    put_grids(writer, Grids(grids=(grid,)))
    with pytest.raises(CorruptError):
        take_grids(ByteReader(writer.getvalue()), 1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("multiplier", "divisor"),
    [(488, 100), (244, 100), (5, 2), (3, 1), (25, 1), (34_043_467, 1_000_000), (3000, 1023)],
)
def test_the_step_is_found_from_the_values(multiplier: int, divisor: int, mode: int) -> None:
    generator = np.random.default_rng(5)
    made = Grid(multiplier=multiplier, divisor=divisor, mode=mode)
    values = made.values(np.rint(generator.normal(0, 60, 3000)).astype(np.int64))
    found = find_grid(values)
    assert found is not None
    assert found.step == pytest.approx(made.step, rel=1e-4)
    np.testing.assert_array_equal(found.values(found.index_of(values)), values)


@pytest.mark.parametrize("shift", [-7, 2])
def test_the_zero_of_rounding_towards_zero_may_have_moved(shift: int) -> None:
    generator = np.random.default_rng(6)
    index = np.rint(generator.normal(0, 60, 3000)).astype(np.int64)
    values = Grid(multiplier=3, divisor=2, mode=TRUNC, shift=shift).values(index)
    found = find_grid(values)
    assert found is not None
    assert found.step == 1.5
    np.testing.assert_array_equal(found.values(found.index_of(values)), values)


def test_a_few_values_off_do_not_hide_a_grid() -> None:
    generator = np.random.default_rng(7)
    values = Grid(multiplier=122, divisor=25).values(
        np.rint(generator.normal(0, 60, 3000)).astype(np.int64)
    )
    values[::500] += 1
    found = find_grid(values)
    assert found is not None
    assert found.step == 4.88


@pytest.mark.parametrize("spread", [1.0, 5.0, 50.0, 1e4, 1e9])
def test_noise_has_no_grid(spread: float) -> None:
    generator = np.random.default_rng(8)
    values = np.rint(generator.normal(0, spread, 3000)).astype(np.int64)
    assert find_grid(values) is None


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("n_bits", [16, 32])
@pytest.mark.parametrize("decimals", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_few_decimals_are_found_in_a_lead_that_fills_its_integers(
    seed: int, decimals: int, n_bits: int, told: bool
) -> None:
    generator = np.random.default_rng(seed)
    walk = np.cumsum(generator.normal(0, 3.0 * 10.0**-decimals, 4000))
    values, channel = filled(np.round(walk + 60.0, decimals), n_bits)
    values = values.astype(np.int64)
    found = find_grid(values, channel=channel if told else None)
    assert found is not None
    assert found.step == pytest.approx(channel.adc_gain * 10.0**-decimals, rel=1e-4)
    np.testing.assert_array_equal(found.values(found.index_of(values)), values)


@pytest.mark.parametrize("n_levels", [3, 4, 7, 12])
@pytest.mark.parametrize("n_bits", [16, 32])
def test_few_levels_tell_a_grid_if_it_is_wide(n_bits: int, n_levels: int) -> None:
    levels = np.random.default_rng(n_levels).integers(90, 90 + n_levels, 500)
    values, channel = filled(levels.astype(np.float64), n_bits)
    found = find_grid(values.astype(np.int64))
    assert found is not None
    assert found.step == pytest.approx(channel.adc_gain, rel=1e-4)
    np.testing.assert_array_equal(found.values(found.index_of(values.astype(np.int64))), values)


def test_a_gain_tells_a_grid_that_gaps_do_not() -> None:
    """No two of the levels are as near to one another as a few steps."""
    generator = np.random.default_rng(3)
    levels = np.cumsum(generator.integers(40, 4000, 14)) / 1000.0
    values, channel = filled(levels, 32)
    found = find_grid(values.astype(np.int64), channel=channel)
    assert found is not None
    assert found.step == pytest.approx(channel.adc_gain / 1000.0, rel=1e-6)


@pytest.mark.parametrize("spread", [50.0, 1e4, 1e9])
def test_noise_has_no_grid_whatever_its_gain(spread: float) -> None:
    values = np.rint(np.random.default_rng(8).normal(0, spread, 3000)).astype(np.int64)
    for gain in (0.0, 1.0, 200.0, 4079702243.3775, 1e300):
        assert find_grid(values, channel=Channel(adc_gain=gain, baseline=-(2**40))) is None


@pytest.mark.parametrize(("offset", "multiplier"), [(0, 1 << 44), (-(1 << 60), 3 << 40), (5, 7)])
def test_an_index_up_to_the_limit_stays_within_62_bits(offset: int, multiplier: int) -> None:
    grid = Grid(multiplier=multiplier, offset=offset, divisor=1 << 30)
    assert grid.limit == (1 << 31) or abs(offset) + multiplier * (grid.limit + 1) >= 1 << 62
    for index in (grid.limit, -grid.limit):
        value = (multiplier * index + offset) // (1 << 30)
        assert grid.values(np.array([index])).tolist() == [value]


def test_values_that_only_lean_towards_a_step_are_refused_before_it_is_tried() -> None:
    """Trying a step takes ten times as long as seeing that it cannot be one."""
    generator = np.random.default_rng(5)
    values = np.arange(-700, 700)
    leaning = values[generator.random(values.size) < 0.5 + 0.3 * np.cos(2 * np.pi * values / 2.5)]
    assert max(likely_steps(leaning), default=0.0) < 2.0
    on_grid = Grid(multiplier=5, divisor=2, mode=HALF_AWAY).values(np.arange(-280, 280))
    few = on_grid[generator.random(on_grid.size) < 0.5]
    assert any(abs(step - 2.5) < 0.01 for step in likely_steps(few))


def test_two_values_are_a_grid_and_one_is_none() -> None:
    assert find_grid(np.array([3, 3, 3])) is None
    two = find_grid(np.array([3, 10, 3, 10]))
    assert two is not None
    assert two.multiplier == 7
    np.testing.assert_array_equal(two.values(two.index_of(np.array([3, 10]))), [3, 10])


def test_a_nearly_constant_lead_beside_a_wide_grid_is_no_failure() -> None:
    values = np.full(1000, 14)
    values[500] += 1
    known = (Grid(multiplier=122, divisor=25, mode=TRUNC),)
    found = find_grid(values, known)
    assert found is not None
    assert np.count_nonzero(found.values(found.index_of(values)) != values) <= 1
