"""Amplitudes: as planted, whatever overlaps, and integers that synthesis can take."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sancodec.runtime import open_session
from sancodec.san.amplitudes import (
    MAX_AMPLITUDE,
    MAX_EXPONENT,
    MIN_EXPONENT,
    NOMINAL_BITS,
    choose_exponents,
    fit_amplitudes,
    quantise,
)
from sancodec.san.analysis import Found
from sancodec.san.kernels import UNIT, KernelBank
from sancodec.san.synthesis import Activations, expand, synthesise

CENTRE = 40


def bank(n_leads: int = 1) -> KernelBank:
    taps = np.arange(120.0) - CENTRE
    narrow = np.exp(-((taps / 6) ** 2))
    broad = np.exp(-((taps / 15) ** 2)) - 0.7 * np.exp(-(((taps - 30) / 12) ** 2))
    kernels = np.rint(UNIT * np.stack([narrow, broad])).astype(np.int16)
    return KernelBank(kernels=np.repeat(kernels[:, None], n_leads, axis=1), centre=CENTRE, fs=360.0)


def found(position: list[int], kernel: list[int]) -> Found:
    return Found(
        position=np.array(position, np.int64),
        kernel=np.array(kernel, np.int64),
        strength=np.ones(len(position)),
    )


def render(where: Found, units: NDArray[np.int32], shift: int, n_samples: int) -> NDArray[np.int32]:
    activations = Activations(position=where.position, kernel=where.kernel, amplitude=units)
    shifts = np.full(units.shape[1], shift, np.int64)
    return synthesise(open_session("cpu"), expand(bank()), activations, n_samples, shifts)


@pytest.mark.parametrize("kernel_leads", [1, 2])
def test_amplitudes_come_out_as_planted(kernel_leads: int) -> None:
    where = found([401, 1203, 2002, 2800], [0, 1, 0, 1])
    planted = np.array([[400, -90], [250, 800], [-333, 120], [77, 0]], np.int32)
    samples = render(where, planted, 14, 900)
    fitted = fit_amplitudes(samples, where, expand(bank(kernel_leads)))
    np.testing.assert_allclose(fitted, planted, atol=1.0)


def test_kernels_that_overlap_share_what_they_explain() -> None:
    where = found([800, 880, 1600, 1712], [0, 1, 1, 0])
    planted = np.array([[500, 90], [300, -400], [250, 333], [-200, 100]], np.int32)
    fitted = fit_amplitudes(render(where, planted, 14, 700), where, expand(bank()))
    np.testing.assert_allclose(fitted, planted, atol=0.25 * 500)
    alone = found([800], [0])
    once = fit_amplitudes(render(where, planted, 14, 700), alone, expand(bank()))
    # One that knows of the other is nearer to the truth than one that does not.
    assert np.abs(fitted[0] - planted[0]).sum() < 0.8 * np.abs(once[0] - planted[0]).sum()


def test_a_baseline_that_wanders_does_not_matter() -> None:
    where = found([1000, 2000], [0, 0])
    planted = np.array([[400], [300]], np.int32)
    wander = np.rint(900 * np.sin(np.arange(800) / 150) + 1024).astype(np.int32)
    fitted = fit_amplitudes(render(where, planted, 14, 800) + wander, where, expand(bank()))
    np.testing.assert_allclose(fitted, planted, atol=12)


def test_beats_cut_by_the_ends_and_beyond_them_get_finite_amplitudes() -> None:
    where = found([-60, 0, 4 * 299, 4 * 330, 4 * 5000], [0, 1, 0, 1, 0])
    samples = render(found([0, 1196], [1, 0]), np.array([[300], [200]], np.int32), 14, 300)
    fitted = fit_amplitudes(samples, where, expand(bank()))
    assert np.isfinite(fitted).all()
    # Nothing of the last one is inside: nothing can be said of it.
    assert fitted[-1, 0] == 0.0


def test_a_median_amplitude_takes_the_nominal_number_of_bits() -> None:
    amplitudes = np.array([[5.0, -3000.0], [6.0, 3500.0], [400.0, 3100.0]])
    exponents = choose_exponents(amplitudes)
    units = np.median(np.abs(amplitudes), axis=0) / 2.0 ** np.array(exponents)
    assert ((units >= 1 << NOMINAL_BITS) & (units < 2 << NOMINAL_BITS)).all()


@pytest.mark.parametrize("amplitude", [0.0, 1e-300, 1e300])
def test_exponents_stay_within_what_a_header_may_say(amplitude: float) -> None:
    (exponent,) = choose_exponents(np.full((3, 1), amplitude))
    assert MIN_EXPONENT <= exponent <= MAX_EXPONENT


def test_amplitudes_are_rounded_in_their_unit_and_limited() -> None:
    amplitudes = np.array([[10.0, -0.3], [11.9, 1e9]])
    units = quantise(found([0, 9], [0, 0]), amplitudes, np.array([2, -3]))
    assert units.amplitude.tolist() == [[2, -2], [3, MAX_AMPLITUDE]]
    assert units.amplitude.dtype == np.int32
