"""Analysis: beats that are there are found where they are, once, and noise is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sancodec.san import activations
from sancodec.san.analysis import (
    BITS_PER_ACTIVATION,
    MINIMUM_DISTANCE_SECONDS,
    Found,
    compete,
    find,
    refine,
    similarities,
    spectra_of,
)
from sancodec.san.kernels import KernelBank
from sancodec.san.whitening import Whitener

FS = 360.0
CENTRE = 60


def shape(at: NDArray[np.float64], kernel: int) -> NDArray[np.float64]:
    """A narrow beat, or a broader one of the other sign, around ``at`` = 0."""
    if kernel == 0:
        return 300 * np.exp(-((at / 5) ** 2)) - 80 * np.exp(-(((at - 11) / 6) ** 2))
    return -500 * np.exp(-((at / 8) ** 2)) + 300 * np.exp(-(((at - 22) / 9) ** 2))


def bank() -> KernelBank:
    taps = np.arange(150.0) - CENTRE
    kernels = np.rint([[shape(taps, 0)], [shape(taps, 1)]]).astype(np.int16)
    return KernelBank(kernels=kernels, centre=CENTRE, fs=FS)


def planted(
    position: NDArray[np.float64],
    kernel: NDArray[np.int64],
    n_samples: int,
    noise: float = 3.0,
    seed: int = 0,
) -> NDArray[np.int32]:
    """Two leads with beats at fractions of a sample, over noise."""
    samples = np.random.default_rng(seed).normal(0, noise, (2, n_samples))
    t = np.arange(n_samples)
    for at, number in zip(position, kernel, strict=True):
        beat = shape(t - at, int(number))
        samples += np.stack([beat, -0.5 * beat])
    return np.rint(samples).astype(np.int32)


def search(samples: NDArray[np.int32]) -> Found:
    return find(samples, bank(), Whitener.fit(samples), BITS_PER_ACTIVATION)


@pytest.mark.parametrize("seed", range(4))
def test_planted_beats_are_found_to_within_half_a_sample(seed: int) -> None:
    generator = np.random.default_rng(seed)
    position = np.cumsum(generator.uniform(180, 420, 40))
    kernel = generator.integers(0, 2, 40)
    found = search(planted(position, kernel, int(position[-1]) + 300, seed=seed))
    assert len(found.position) == 40
    np.testing.assert_array_equal(found.kernel, kernel)
    assert np.abs(found.position / 4 - position).max() <= 0.5
    # The sign and size of a lead do not matter; the finer the beat, the finer its place.
    assert np.abs(found.position / 4 - position)[kernel == 0].max() <= 0.3


def test_beats_cut_by_the_ends_are_found() -> None:
    position, kernel = np.array([4.0, 500.0, 992.0]), np.zeros(3, np.int64)
    found = search(planted(position, kernel, 1000))
    np.testing.assert_allclose(found.position / 4, position, atol=0.5)


def test_noise_alone_activates_almost_nothing() -> None:
    nothing = np.zeros(0)
    samples = planted(nothing, nothing.astype(np.int64), 60_000, noise=20.0)
    whitener = Whitener.fit(samples)
    assert len(find(samples, bank(), whitener, BITS_PER_ACTIVATION).position) <= 3


def test_no_two_activations_are_nearer_than_the_minimum_distance() -> None:
    position = np.arange(200.0, 9000.0, 45.0)
    samples = planted(position, np.arange(position.size) % 2, 9500)
    found = search(samples)
    # Positions may move by half a sample after they have competed.
    assert np.diff(found.position).min() >= 4 * int(MINIMUM_DISTANCE_SECONDS * FS) - 4
    assert len(found.position) > 30


@pytest.mark.parametrize("n_samples", [1, 2, 3, 10, 149, 150, 151])
def test_spans_shorter_than_a_kernel_are_searched(n_samples: int) -> None:
    samples = np.random.default_rng(1).integers(-99, 99, (2, n_samples)).astype(np.int32)
    found = search(samples)
    assert ((found.position >= 0) & (found.position < 4 * n_samples)).all()


@given(st.integers(0, 1000), st.integers(1, 4), st.integers(1, 300), st.integers(1, 40))
@settings(max_examples=80, deadline=None)
def test_the_strongest_win_their_territory_as_in_the_paper(
    seed: int, n_kernels: int, n_samples: int, distance: int
) -> None:
    generator = np.random.default_rng(seed)
    maps = generator.integers(0, 9, (n_kernels, n_samples)).astype(np.float64)
    position, kernel = compete(maps, distance, 3.5)
    np.testing.assert_array_equal(kernel, maps.argmax(axis=0)[position])
    assert (np.diff(position) > distance).all()
    # The greedy order, plainly: strongest first, of equals the lower index.
    strength = np.pad(maps.max(axis=0), 1)
    peaks = [
        i
        for i in range(n_samples)
        if strength[i + 1] > 3.5 and strength[i] < strength[i + 1] >= strength[i + 2]
    ]
    kept: list[int] = []
    for i in sorted(peaks, key=lambda i: (-strength[i + 1], i)):
        if all(abs(i - other) > distance for other in kept):
            kept.append(i)
    assert position.tolist() == sorted(kept)


def test_competition_agrees_with_the_activation_function_of_training() -> None:
    maps = np.random.default_rng(3).uniform(0.1, 1.0, (1, 2000))
    position, _ = compete(maps, 30, 0.0)
    other, _ = activations.compete(maps, 30)
    np.testing.assert_array_equal(position, other)


def test_a_similarity_is_the_correlation_with_the_kernel() -> None:
    generator = np.random.default_rng(4)
    white = generator.normal(0, 1, (2, 400))
    kernels = generator.normal(0, 1, (3, 2, 31))
    spectra = spectra_of(white, 31)
    maps = similarities(spectra, kernels, 12, signed=True)
    for t in (50, 200, 340):
        span = white[:, t - 12 : t + 19]
        expected = (span * kernels).sum(axis=(1, 2)) / np.sqrt((kernels**2).sum(axis=(1, 2)))
        np.testing.assert_allclose(maps[:, t], np.maximum(expected, 0.0), atol=1e-4)
    assert (similarities(spectra, kernels, 12, signed=False) >= 0).all()


@given(st.floats(-0.49, 0.49))
def test_a_parabola_is_followed_to_its_top(top: float) -> None:
    strength = 9.0 - (np.arange(9.0) - 4 - top) ** 2
    assert abs(refine(strength, np.array([4]))[0] / 4 - 4 - top) <= 0.125 + 1e-9
