"""The wavelet gives every signal back, and an error keeps its energy: else no promise is cheap."""

from __future__ import annotations

import numpy as np
import pytest

from sancodec.residual.transform.rotation import find_angles, rotate, turns, unrotate
from sancodec.residual.transform.wavelet import analyse, bands_of, most_levels, synthesise


@pytest.mark.parametrize("n_samples", [1, 2, 3, 4, 5, 9, 16, 31, 100, 1001])
def test_every_length_and_depth_comes_back(n_samples: int) -> None:
    leads = np.random.default_rng(1).normal(0, 100, (2, n_samples))
    for n_levels in range(most_levels(n_samples) + 1):
        back = synthesise(analyse(leads, n_levels), n_levels)
        np.testing.assert_allclose(back, leads, atol=1e-9)


def test_there_are_as_many_coefficients_as_samples_in_bands_without_gaps() -> None:
    bands = bands_of(1001, 5)
    assert [band.begin for band in bands] == [0, *[band.stop for band in bands[:-1]]]
    assert bands[-1].stop == 1001
    assert [band.level for band in bands] == [5, 5, 4, 3, 2, 1]


def test_an_error_of_a_coefficient_is_one_of_samples_of_about_the_same_energy() -> None:
    for band in bands_of(4096, 6):
        coefficients = np.zeros((1, 4096))
        coefficients[0, (band.begin + band.stop) // 2] = 1.0
        assert 0.9 < np.square(synthesise(coefficients, 6)).sum() < 1.1


def test_a_slow_wave_is_in_the_low_band() -> None:
    wave = np.cos(np.arange(4096)[None] * (2 * np.pi / 2000))
    coefficients = analyse(wave, 5)
    low = bands_of(4096, 5)[0]
    assert np.square(coefficients[:, : low.stop]).sum() > 0.999 * np.square(wave).sum()


def test_turns_are_cosines_and_sines() -> None:
    angles = np.arange(256) * (2 * np.pi / 256)
    np.testing.assert_allclose(turns(), np.stack([np.cos(angles), np.sin(angles)], 1), atol=1e-9)


@pytest.mark.parametrize("n_leads", [1, 2, 3, 12])
def test_rotation_keeps_energy_and_is_undone(n_leads: int) -> None:
    leads = np.random.default_rng(2).normal(0, 10, (n_leads, 500))
    angles = np.random.default_rng(3).integers(0, 256, n_leads * (n_leads - 1) // 2)
    turned = leads.copy()
    rotate(turned, angles.astype(np.uint8))
    np.testing.assert_allclose(np.square(turned).sum(), np.square(leads).sum())
    unrotate(turned, angles.astype(np.uint8))
    np.testing.assert_allclose(turned, leads, atol=1e-6)


def test_two_leads_of_one_source_become_one_lead() -> None:
    source = np.random.default_rng(4).normal(0, 10, 2000)
    leads = np.stack([source, -0.7 * source])
    rotate(leads, find_angles(leads))
    energies = np.square(leads).sum(axis=1)
    assert energies[1] < 1e-3 * energies[0]
