"""Density of points in the plane, by Gaussian kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Points of one activation can all but coincide: their density stays finite.
_LEAST_DEVIATION = 0.01


def density(
    points: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Estimate the density of points on a grid.

    Each point spreads as a normal distribution with the covariance of all points times
    n^(-1/3), which is the rule of Scott in two dimensions, and at least 0.01 wide.

    Parameters
    ----------
    points : (2, n) float64
    x : (n_columns,) float64
    y : (n_rows,) float64

    Returns
    -------
    (n_rows, n_columns) float64
    """
    n = points.shape[1]
    covariance = np.cov(points) if n > 1 else np.zeros((2, 2))
    covariance = covariance * n ** (-1 / 3) + _LEAST_DEVIATION**2 * np.eye(2)
    inverse = np.linalg.inv(covariance)
    heights = np.zeros((y.size, x.size))
    for a, b in points.T:
        dx, dy = x[None] - a, y[:, None] - b
        power = inverse[0, 0] * dx**2 + 2 * inverse[0, 1] * dx * dy + inverse[1, 1] * dy**2
        heights += np.exp(-power / 2)
    scale = 2 * np.pi * np.sqrt(np.linalg.det(covariance)) * n
    return np.asarray(heights / scale)
