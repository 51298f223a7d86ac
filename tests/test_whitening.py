"""Whitening: what is left is what no predictor could have known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sancodec.san.whitening import ORDER, Whitener


def coloured(seed: int = 0, n_leads: int = 2, n_samples: int = 20_000) -> NDArray[np.int32]:
    """Noise through a resonance, on a baseline, of another loudness on each lead."""
    noise = np.random.default_rng(seed).normal(0, 1, (n_leads, n_samples))
    signal = np.zeros_like(noise)
    for t in range(2, n_samples):
        signal[:, t] = 1.6 * signal[:, t - 1] - 0.8 * signal[:, t - 2] + noise[:, t]
    loudness = 20.0 * 4.0 ** np.arange(n_leads)[:, None]
    return np.rint(signal * loudness + 1024).astype(np.int32)


def test_coloured_noise_becomes_white_with_a_deviation_of_one() -> None:
    samples = coloured()
    white = Whitener.fit(samples).apply(samples)
    np.testing.assert_allclose(white.std(axis=1), 1.0, atol=0.1)
    for lag in range(1, 12):
        correlation = (white[:, lag:] * white[:, :-lag]).mean(axis=1)
        # Differences have a zero at frequency 0, which ten taps cannot quite undo.
        assert np.abs(correlation).max() < 0.15


def test_a_baseline_does_not_matter() -> None:
    samples = coloured()
    whitener = Whitener.fit(samples)
    np.testing.assert_array_equal(whitener.apply(samples), whitener.apply(samples + 5000))


def test_rare_beats_do_not_change_what_counts_as_noise() -> None:
    samples = coloured(n_leads=1)
    beats = samples.copy()
    for start in range(300, 19_000, 400):
        beats[0, start : start + 6] += 8000
    quiet, loud = Whitener.fit(samples), Whitener.fit(beats)
    assert 0.4 < loud.scales[0] / quiet.scales[0] < 4


def test_kernels_are_whitened_as_the_samples_are() -> None:
    whitener = Whitener.fit(coloured())
    kernel = np.rint(300 * np.hanning(40))
    samples = np.zeros((2, 200), np.int32)
    samples[:, 50:90] = kernel.astype(np.int32)
    white = whitener.apply(samples)
    found = whitener.apply_to_kernels(kernel[None, None])
    assert found.shape == (1, 2, 40 + ORDER + 1)
    np.testing.assert_allclose(found[0], white[:, 50 : 50 + found.shape[2]], atol=1e-9)


@pytest.mark.parametrize("n_samples", range(1, 2 * ORDER))
def test_the_shortest_signals_are_whitened(n_samples: int) -> None:
    samples = np.random.default_rng(n_samples).integers(-50, 50, (2, n_samples)).astype(np.int32)
    white = Whitener.fit(samples).apply(samples)
    assert white.shape == samples.shape
    assert np.isfinite(white).all()


@pytest.mark.parametrize("height", [0, 1, (1 << 31) - 1])
def test_constants_and_full_scale_give_finite_numbers(height: int) -> None:
    samples = np.full((2, 400), height, np.int32)
    samples[1, ::2] = -height
    white = Whitener.fit(samples).apply(samples)
    assert np.isfinite(white).all()
