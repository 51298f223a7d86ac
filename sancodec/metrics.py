"""Figures of merit: those of the SAN paper over numbers, and those of the field over samples.

The paper is Bizopoulos and Koutsouris, *Sparsely Activated Networks*, IEEE TNNLS 2020
(arXiv 1907.06592), section II.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sancodec.errors import ConfigError

Numbers = NDArray[Any]
"""int64 for integers, float64 for all others."""


def n_weights(kernel_shapes: Sequence[tuple[int, ...]]) -> int:
    """Count the weights of all kernels: W in section II of the paper.

    Parameters
    ----------
    kernel_shapes : sequence of tuple of int
        Size of each kernel; (m,) for a signal, (m, m) for an image.
    """
    return sum(int(np.prod(shape)) for shape in kernel_shapes)


def n_activations(activation_maps: ArrayLike) -> int:
    """Count the non-zero activations, summed over all activation maps: A in section II."""
    return int(np.count_nonzero(np.asarray(activation_maps)))


def compression_ratio(
    n_samples: int, n_weights: int, n_activations: int, n_dimensions: int = 1
) -> float:
    """Give CR = n / (W + (dim + 1) A), section II of the paper; infinite without numbers.

    Raises
    ------
    ConfigError
        There is no sample.
    """
    inverse = inverse_compression_ratio(n_samples, n_weights, n_activations, n_dimensions)
    return 1 / inverse if inverse else float("inf")


def inverse_compression_ratio(
    n_samples: int, n_weights: int, n_activations: int, n_dimensions: int = 1
) -> float:
    """Give CR^-1 = (W + (dim + 1) A) / n, section II of the paper; it may exceed 1.

    Each activation is ``n_dimensions`` coordinates and an amplitude.

    Raises
    ------
    ConfigError
        There is no sample.
    """
    if n_samples < 1:
        raise ConfigError(f"compression ratio: {n_samples} samples, expected at least 1")
    return (n_weights + (n_dimensions + 1) * n_activations) / n_samples


def normalized_loss(reconstruction: ArrayLike, signal: ArrayLike) -> float:
    """Give L(x^, x) / L(0, x) with L the mean absolute error, section II of the paper.

    A signal of zeros has a loss of 0 when it is reconstructed exactly, and else infinity.
    """
    error, level = _sum_abs(_difference(reconstruction, signal)), _sum_abs(_wide(signal))
    return _ratio(error, level)


def flithos(inverse_cr: float, loss: float) -> float:
    """Give phi = sqrt(CR^-2 + L~^2), section II of the paper."""
    return float(np.hypot(inverse_cr, loss))


def mean_flithos(inverse_crs: ArrayLike, losses: ArrayLike) -> float:
    """Give the mean of phi over the observations of a data set, not phi of the means."""
    return float(np.mean(np.hypot(_wide(inverse_crs), _wide(losses))))


def prdn(reconstruction: ArrayLike, signal: ArrayLike) -> float:
    """Give the root-mean-square difference in percent of the signal's deviation from its mean.

    The distortion of one lead. A constant signal has 0 when it is reconstructed exactly, and
    else infinity.
    """
    x = _wide(signal)
    deviation = float(np.square(x - x.mean()).sum()) if x.size else 0.0
    return 100 * float(np.sqrt(_ratio(_sum_squares(_difference(reconstruction, x)), deviation)))


def prd(reconstruction: ArrayLike, signal: ArrayLike) -> float:
    """Give the root-mean-square difference in percent of the raw signal, its offset included.

    It flatters by the ADC's offset: report it only beside :func:`prdn`, and labelled.
    """
    error = _sum_squares(_difference(reconstruction, signal))
    return 100 * float(np.sqrt(_ratio(error, _sum_squares(_wide(signal)))))


def rmse(reconstruction: ArrayLike, signal: ArrayLike) -> float:
    """Give the root-mean-square error, in the unit of the signal; 0 without samples."""
    difference = _difference(reconstruction, signal)
    return float(np.sqrt(_sum_squares(difference) / max(difference.size, 1)))


def snr(reconstruction: ArrayLike, signal: ArrayLike) -> float:
    """Give the signal-to-noise ratio in dB, mean removed; infinite without error."""
    percent = prdn(reconstruction, signal)
    return float("inf") if percent == 0 else -20 * float(np.log10(percent / 100))


def max_error(reconstruction: ArrayLike, signal: ArrayLike) -> float:
    """Give the largest absolute error, in the unit of the signal; 0 without samples."""
    difference = _difference(reconstruction, signal)
    return float(np.abs(difference).max()) if difference.size else 0.0


def _wide(values: ArrayLike) -> Numbers:
    """Give integers as int64, so that differences of int32 are exact, and others as float64."""
    array = np.asarray(values)
    return array.astype(np.int64 if np.issubdtype(array.dtype, np.integer) else np.float64)


def _difference(reconstruction: ArrayLike, signal: ArrayLike) -> Numbers:
    first, second = _wide(reconstruction), _wide(signal)
    if first.shape != second.shape:
        raise ConfigError(f"reconstruction is {first.shape}, the signal is {second.shape}")
    difference: Numbers = first - second
    return difference


def _sum_abs(values: Numbers) -> float:
    return float(np.abs(values).sum())


def _sum_squares(values: Numbers) -> float:
    # Squares of int64 differences may wrap; the sum is a figure, not a decision.
    return float(np.square(values.astype(np.float64)).sum())


def _ratio(error: float, level: float) -> float:
    if level > 0:
        return error / level
    return 0.0 if error == 0 else float("inf")
