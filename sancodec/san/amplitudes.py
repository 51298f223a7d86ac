"""Amplitudes of activations: least squares with overlaps, then integers.

They are fitted where the baseline does not count: to first differences, or to what a moving mean
leaves. The first serves what predicts sample from sample, the second an error in all frequencies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.san.analysis import Found
from sancodec.san.kernels import UNIT
from sancodec.san.synthesis import N_PHASES, Activations, ExpandedBank

MAX_AMPLITUDE = 1 << 12
NOMINAL_BITS = 4
MIN_EXPONENT, MAX_EXPONENT = -21, 27
"""As formats/parameters.py bounds them: shifts stay within what synthesis allows."""

_PASSES = 2


def fit_amplitudes(
    samples: NDArray[np.int32], found: Found, bank: ExpandedBank, n_mean: int = 0
) -> NDArray[np.float64]:
    """Give the (n_activations, n_leads) amplitudes, in ADC units for a kernel value of UNIT.

    Parameters
    ----------
    samples : (n_leads, n_samples) int32
    n_mean : int
        Samples of the moving mean that is taken off; 0 to fit first differences instead.
    """
    n_leads = len(samples)
    kernel_rows = bank.rows.astype(np.float64) / UNIT
    values = samples.astype(np.float64)
    if n_mean:
        rows, left = _less_mean(kernel_rows, n_mean), _less_mean(values, n_mean)
    else:
        rows = np.diff(kernel_rows, axis=1, prepend=0.0)
        left = np.diff(values, axis=1, prepend=values[:, :1])
    lead = np.arange(n_leads) if bank.n_kernel_leads > 1 else np.zeros(n_leads, np.int64)
    row = (found.kernel[:, None] * bank.n_kernel_leads + lead) * N_PHASES
    kernels = rows[row + (found.position & 3)[:, None]]
    start = (found.position >> 2) - bank.centre
    amplitudes = np.zeros((len(start), n_leads))
    order = np.argsort(-found.strength, kind="stable")
    _share(left, kernels, start, np.tile(order, _PASSES), amplitudes)
    return amplitudes


def _less_mean(leads: NDArray[np.float64], n_mean: int) -> NDArray[np.float64]:
    """Take the mean of ``n_mean`` samples around each off; beyond the ends the last ones go on."""
    before = n_mean // 2
    padded = np.pad(leads, ((0, 0), (before + 1, n_mean - 1 - before)), mode="edge")
    sums = np.cumsum(padded, axis=1)
    return np.asarray(leads - (sums[:, n_mean:] - sums[:, :-n_mean]) / n_mean)


@compiled
def _share(
    left: NDArray[np.float64],
    kernels: NDArray[np.float64],
    start: NDArray[np.int64],
    order: NDArray[np.int64],
    amplitudes: NDArray[np.float64],
) -> None:
    """Fit one activation after the other to what the others leave, in place.

    Strongest first and twice over, so that overlapping kernels share what both explain.
    """
    n_leads, n_samples = left.shape
    for i in order:
        begin = max(start[i], 0)
        stop = min(start[i] + kernels.shape[2], n_samples)
        for lead in range(n_leads):
            kernel = kernels[i, lead]
            product = energy = 0.0
            for t in range(begin, stop):
                tap = kernel[t - start[i]]
                product += left[lead, t] * tap
                energy += tap * tap
            if energy > 0.0:
                step = product / energy
                amplitudes[i, lead] += step
                for t in range(begin, stop):
                    left[lead, t] -= step * kernel[t - start[i]]


def choose_exponents(amplitudes: NDArray[np.float64]) -> list[int]:
    """Give for each lead the exponent by which its median amplitude is about 2**NOMINAL_BITS."""
    medians = np.median(np.abs(amplitudes), axis=0)
    exponents = np.floor(np.log2(np.maximum(medians, 1e-9))) - NOMINAL_BITS
    return [int(e) for e in np.clip(exponents, MIN_EXPONENT, MAX_EXPONENT)]


def quantise(
    found: Found, amplitudes: NDArray[np.float64], exponents: NDArray[np.int64]
) -> Activations:
    """Round (n_activations, n_leads) amplitudes to units of ``2 ** exponents`` ADC units."""
    units = np.rint(amplitudes / 2.0**exponents)
    return Activations(
        position=found.position,
        kernel=found.kernel,
        amplitude=np.clip(units, -MAX_AMPLITUDE, MAX_AMPLITUDE).astype(np.int32),
    )
