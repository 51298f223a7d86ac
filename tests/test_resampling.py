from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from structure_chains import smooth_leads

from sancodec.errors import CorruptError
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.structure.grids import Grid
from sancodec.structure.resampling import (
    CUBIC,
    DEGREES,
    FILTER_BITS,
    LINEAR,
    MAX_MAGNITUDE,
    N_FILTER,
    REPEATED,
    Resampling,
    put_resampling,
    spline_filter,
    take_resampling,
)
from sancodec.structure.rounding import FLOOR, HALF_AWAY, MODES, TRUNC
from sancodec.structure.splines import annihilator, candidates, detect, spline_matrix, unit_of
from sancodec.structure.stages import outwards
from sancodec.structure.unresampling import undo_resampling

NEAREST = Grid(multiplier=1, mode=HALF_AWAY)


def inside_of(stage: Resampling, n_samples: int, spread: int = 500) -> NDArray[np.int64]:
    generator = np.random.default_rng(n_samples)
    size = stage.n_samples_inside(n_samples)
    return generator.integers(-spread, spread + 1, (stage.n_leads, size))


def test_the_filter_is_the_one_of_its_formula() -> None:
    j = np.arange(N_FILTER)
    exact = np.sqrt(3.0) * (np.sqrt(3.0) - 2.0) ** j * 2.0**FILTER_BITS
    np.testing.assert_allclose(spline_filter(), exact, atol=1.0, rtol=1e-12)


@pytest.mark.parametrize(("up", "down", "first"), [(5, 4, 0), (5, 4, 3), (2, 1, 1), (64, 63, 60)])
@pytest.mark.parametrize("n_samples", [40, 501])
def test_the_cubic_spline_is_the_natural_one(
    up: int, down: int, first: int, n_samples: int
) -> None:
    stage = Resampling(n_leads=3, up=up, down=down, first=first, values=NEAREST)
    inside = inside_of(stage, n_samples)
    knots = np.arange(inside.shape[1])
    times = (first + np.arange(n_samples) * down) / up
    exact = CubicSpline(knots, inside, axis=1, bc_type="natural")(times)
    away = np.abs(stage.leave(inside, n_samples) - exact)
    assert away.max() <= 0.5 + 1e-5
    fine, unit = stage.spline(inside, n_samples)
    # Short signals go on point-symmetric once, not for ever: their ends are a little different.
    np.testing.assert_allclose(fine / unit, exact, atol=1e-4)


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("n_samples", [1, 2, 3, 5, 6, 30, 333])
def test_the_matrix_is_what_the_integers_do(degree: int, n_samples: int) -> None:
    stage = Resampling(n_leads=2, up=5, down=3, first=2, degree=degree)
    inside = inside_of(stage, n_samples)
    fine, unit = stage.spline(inside, n_samples)
    exact = inside @ spline_matrix(unit_of(stage), n_samples).T
    # The shortest signals have no room for the filter: only integers say what they are.
    if inside.shape[1] >= 40 or degree != CUBIC:
        np.testing.assert_allclose(fine / unit, exact, atol=1e-4)
    assert fine.shape == (2, n_samples)


@pytest.mark.parametrize("degree", DEGREES)
def test_where_the_times_meet_the_samples_are_those_inside(degree: int) -> None:
    stage = Resampling(n_leads=2, up=5, down=4, first=1, degree=degree, values=NEAREST)
    inside = inside_of(stage, 200)
    meets = stage.meets(200)
    times = (1 + meets * 4) // 5
    np.testing.assert_array_equal(stage.leave(inside, 200)[:, meets], inside[:, times])


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("multiplier", [1, 1 << 10])
def test_the_largest_samples_do_not_wrap(sign: int, multiplier: int) -> None:
    values = Grid(multiplier=multiplier, offset=sign * (1 << 20), divisor=1, mode=HALF_AWAY)
    stage = Resampling(n_leads=1, up=64, down=63, values=values)
    size = stage.n_samples_inside(400)
    inside = sign * stage.limit * np.where(np.arange(size) % 2, 1, -1)[None]
    exact = spline_matrix(unit_of(stage), 400) @ inside[0] * multiplier + values.offset
    np.testing.assert_allclose(stage.leave(inside, 400)[0], exact, atol=2.0 * multiplier)
    with pytest.raises(CorruptError, match="outwards"):
        outwards([stage], inside + sign, 400)
    assert stage.limit * multiplier <= MAX_MAGNITUDE


@pytest.mark.parametrize("degree", [LINEAR, CUBIC])
def test_annihilating_weights_leave_nothing_of_a_spline(degree: int) -> None:
    for fs in (100.0, 360.0, 500.0):
        for up, down in candidates(fs):
            stage = Resampling(n_leads=1, up=up, down=down, degree=degree)
            weights = annihilator(up, down, degree)
            spline, unit = stage.spline(inside_of(stage, 40 * up), 40 * up)
            left = np.correlate(spline[0] / unit, weights)[::up]
            # Far from the ends, where the spline is not only a natural one.
            assert np.abs(left[10:-10]).max() < 1e-3


@pytest.mark.parametrize("mode", [FLOOR, TRUNC, HALF_AWAY])
@pytest.mark.parametrize("degree", [LINEAR, CUBIC])
@pytest.mark.parametrize(("up", "down", "first"), [(5, 4, 2), (2, 1, 0), (3, 2, 1), (25, 18, 7)])
def test_a_resampling_is_detected_and_undone(
    up: int, down: int, first: int, degree: int, mode: int
) -> None:
    values = Grid(multiplier=1, mode=mode)
    stage = Resampling(n_leads=2, up=up, down=down, first=first, degree=degree, values=values)
    n_samples = 3000
    inside = smooth_leads(np.random.default_rng(9), 2, stage.n_samples_inside(n_samples))
    outside = stage.leave(inside, n_samples)
    found = detect(outside[0, 17:], 500.0, 17)
    assert (up, down, first, degree) in {(s.up, s.down, s.first, s.degree) for s in found}
    back = outwards([stage], undo_resampling([stage], outside), n_samples)
    assert np.count_nonzero(back != outside) <= 0.01 * outside.size


def test_repeated_samples_are_detected() -> None:
    stage = Resampling(n_leads=1, up=8, down=1, first=5, degree=REPEATED, values=NEAREST)
    outside = stage.leave(inside_of(stage, 900), 900)
    (found,) = detect(outside[0, 3:], 32.0, 3)
    assert (found.up, found.down, found.first, found.degree) == (8, 1, 5, REPEATED)
    np.testing.assert_array_equal(
        outwards([stage], undo_resampling([stage], outside), 900), outside
    )


@pytest.mark.parametrize("spread", [2.0, 300.0])
def test_noise_was_not_resampled(spread: float) -> None:
    generator = np.random.default_rng(10)
    signal = np.cumsum(np.rint(generator.normal(0, spread, 4000))).astype(np.int64)
    for fs in (100.0, 250.0, 360.0, 500.0):
        assert detect(signal, fs, 0) == []


def test_a_resampling_survives_its_bytes() -> None:
    for mode in MODES:
        values = Grid(multiplier=122, offset=-3, divisor=25, mode=mode, shift=2)
        stage = Resampling(n_leads=4, up=25, down=18, first=7, degree=LINEAR, values=values)
        writer = ByteWriter()
        put_resampling(writer, stage)
        assert take_resampling(ByteReader(writer.getvalue()), 4) == stage


@pytest.mark.parametrize(
    "stage",
    [
        Resampling(n_leads=1, up=65, down=4),
        Resampling(n_leads=1, up=4, down=4),
        Resampling(n_leads=1, up=4, down=5),
        Resampling(n_leads=1, up=4, down=0),
        Resampling(n_leads=1, up=4, down=3, first=4),
        Resampling(n_leads=1, up=4, down=3, degree=2),
        Resampling(n_leads=1, up=4, down=3, values=Grid(multiplier=1 << 21)),
        Resampling(n_leads=1, up=4, down=3, values=Grid(multiplier=1, mode=7)),
    ],
)
def test_a_resampling_that_cannot_be_is_refused(stage: Resampling) -> None:
    writer = ByteWriter()
    put_resampling(writer, stage)
    with pytest.raises(CorruptError):
        take_resampling(ByteReader(writer.getvalue()), 1)
