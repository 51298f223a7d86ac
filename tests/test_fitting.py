"""Kernels fitted to a record: one for each class of beats, and none for noise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sancodec.san.analysis import BITS_PER_ACTIVATION, Found, find
from sancodec.san.fitting import MAX_KERNELS, FittedBank, fit_bank
from sancodec.san.kernels import UNIT
from sancodec.san.whitening import Whitener

FS = 250.0


def normal(at: NDArray[np.float64]) -> NDArray[np.float64]:
    return 260 * np.exp(-((at / 3.5) ** 2)) - 70 * np.exp(-(((at - 8) / 4) ** 2))


def ectopic(at: NDArray[np.float64]) -> NDArray[np.float64]:
    return -380 * np.exp(-((at / 8) ** 2)) + 240 * np.exp(-(((at - 22) / 9) ** 2))


def rhythm(
    seed: int, seconds: float, share_ectopic: float
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int64]]:
    """Two leads of normal and ectopic beats; their positions; and their classes."""
    generator = np.random.default_rng(seed)
    n_samples = int(seconds * FS)
    position = np.cumsum(generator.uniform(150, 240, int(n_samples / 150)))
    position = position[position < n_samples - 100]
    classes = (generator.random(position.size) < share_ectopic).astype(np.int64)
    samples = generator.normal(0, 2.0, (2, n_samples))
    t = np.arange(n_samples)
    for at, number in zip(position, classes, strict=True):
        beat = (normal, ectopic)[number](t - at) * generator.uniform(0.95, 1.05)
        samples += np.stack([beat, 0.6 * beat])
    return np.rint(samples).astype(np.int32), position, classes


def fit(samples: NDArray[np.int32], minutes: float = 30.0) -> FittedBank | None:
    return fit_bank(samples, FS, Whitener.fit(samples), minutes_coded=minutes)


def search(samples: NDArray[np.int32], fitted: FittedBank) -> Found:
    return find(samples, fitted.bank, Whitener.fit(samples), BITS_PER_ACTIVATION)


@pytest.mark.parametrize("seed", [0, 1])
def test_two_planted_classes_are_told_apart(seed: int) -> None:
    samples, position, classes = rhythm(seed, 120.0, 0.3)
    fitted = fit(samples)
    assert fitted is not None
    found = search(samples, fitted)
    nearest = np.abs(found.position[:, None] / 4 - position).argmin(axis=1)
    offset = found.position / 4 - position[nearest]
    # A class's own centre is arbitrary by a constant: the same for all of its beats.
    n_right = 0
    for kernel in range(fitted.bank.n_kernels):
        own = classes[nearest[found.kernel == kernel]]
        if own.size:
            n_right += int(np.bincount(own).max())
            assert np.abs(offset[found.kernel == kernel]).max() < 0.12 * FS
    assert len(np.unique(nearest)) >= 0.98 * position.size
    assert n_right >= 0.98 * len(found.position)


def test_one_class_gets_one_kernel_of_its_shape() -> None:
    samples, position, _ = rhythm(3, 120.0, 0.0)
    fitted = fit(samples)
    assert fitted is not None
    assert fitted.bank.n_kernels == 1
    assert fitted.bank.n_kernel_leads == 2
    found = search(samples, fitted)
    offset = float(np.median(found.position / 4 - position))
    scale = 2.0**fitted.exponent * 8 / UNIT
    taps = np.arange(fitted.bank.n_taps) - fitted.bank.centre
    expected = normal(taps + offset)
    kernel = fitted.bank.kernels[0, 0] * scale
    assert np.corrcoef(kernel, expected)[0, 1] > 0.99
    assert 0.85 < np.ptp(kernel) / np.ptp(expected) < 1.1


def test_noise_gets_no_kernels() -> None:
    noise = np.random.default_rng(0).normal(0, 40, (2, 30_000))
    assert fit(np.rint(noise).astype(np.int32)) is None


def test_a_record_too_short_for_its_kernels_gets_none() -> None:
    samples, _, _ = rhythm(1, 4.0, 0.0)
    assert fit(samples, minutes=4 / 60) is None
    assert fit(samples[:, :300]) is None


def test_no_more_kernels_than_allowed_are_fitted() -> None:
    generator = np.random.default_rng(5)
    samples, _, _ = rhythm(5, 60.0, 0.0)
    for at in range(400, samples.shape[1] - 200, 331):
        width = generator.uniform(3, 20)
        beat = generator.choice([-900, 900]) * np.hanning(int(width) + 4)
        samples[:, at : at + beat.size] += np.rint(beat).astype(np.int32)
    fitted = fit(samples, minutes=600.0)
    assert fitted is not None
    assert 1 <= fitted.bank.n_kernels <= MAX_KERNELS


@pytest.mark.parametrize("gain", [1, 50, 40_000, 4_000_000])
def test_kernels_of_any_loudness_fit_int16(gain: int) -> None:
    samples, _, _ = rhythm(7, 60.0, 0.0)
    fitted = fit(samples * gain)
    assert fitted is not None
    assert 1_00 < np.abs(fitted.bank.kernels.astype(np.int32)).max() <= 32_000
