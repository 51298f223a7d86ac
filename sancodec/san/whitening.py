"""Leads made white, so that a matched filter weighs what a predictor could not have known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ORDER = 10
_RIDGE = 1e-4
_CLIP = 40.0
# Of a normal variable, the standard deviation is this times the median magnitude.
_SIGMA_OF_MEDIAN = 1.4826
_LEAST_SCALE = 0.3


@dataclass(frozen=True, kw_only=True)
class Whitener:
    """A linear predictor of first differences for each lead, and the size of its errors.

    Attributes
    ----------
    filters : (n_leads, ORDER + 1) float64
        Error filters; the first tap is 1.
    scales : (n_leads,) float64
        Standard deviation of the errors between beats, in ADC units.
    """

    filters: NDArray[np.float64]
    scales: NDArray[np.float64]

    @classmethod
    def fit(cls, samples: NDArray[np.int32]) -> Whitener:
        """Fit to (n_leads, n_samples) digital samples."""
        differences = _differences(samples)
        filters = np.stack([_error_filter(lead) for lead in differences])
        errors = _filter(differences, filters)
        medians = np.median(np.abs(errors), axis=1)
        return cls(filters=filters, scales=medians * _SIGMA_OF_MEDIAN + _LEAST_SCALE)

    def apply(self, samples: NDArray[np.int32]) -> NDArray[np.float64]:
        """Give (n_leads, n_samples) prediction errors in standard deviations, clipped."""
        errors = _filter(_differences(samples), self.filters) / self.scales[:, None]
        return np.clip(errors, -_CLIP, _CLIP)

    def apply_to_kernels(self, kernels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Whiten (n_kernels, 1 or n_leads, n_taps) kernels for each lead.

        Returns
        -------
        (n_kernels, n_leads, n_taps + ORDER + 1) float64
        """
        n_kernels, _, n_taps = kernels.shape
        n_leads = len(self.scales)
        padded = np.zeros((n_kernels, n_leads, n_taps + ORDER + 1))
        padded[:, :, :n_taps] = kernels
        differences = np.diff(padded, axis=2, prepend=0.0)
        white = np.stack([_filter(kernel, self.filters) for kernel in differences])
        return white / self.scales[:, None]


def _differences(samples: NDArray[np.int32]) -> NDArray[np.float64]:
    return np.diff(samples.astype(np.float64), axis=1, prepend=samples[:, :1])


def _error_filter(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve the Yule-Walker equations of one lead."""
    n_samples = differences.size
    lags = np.arange(ORDER + 1)
    # Not by @: threads of a linear algebra library would split the sum, each time elsewhere.
    products = np.array(
        [(differences[lag:] * differences[: max(n_samples - lag, 0)]).sum() for lag in lags]
    )
    power = products[0] + 1.0
    matrix = products[np.abs(lags[:ORDER, None] - lags[None, :ORDER])]
    solution = np.linalg.solve(matrix + np.eye(ORDER) * power * _RIDGE, products[1:])
    return np.concatenate([[1.0], -solution])


def _filter(leads: NDArray[np.float64], filters: NDArray[np.float64]) -> NDArray[np.float64]:
    filtered = leads * filters[:, :1]
    for lag in range(1, ORDER + 1):
        filtered[:, lag:] += filters[:, lag : lag + 1] * leads[:, :-lag]
    return filtered
