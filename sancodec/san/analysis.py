"""Analysis: where which kernel is activated, one position and kernel for all leads.

Similarities are matched filters on whitened leads; the kernels compete for territory with one
minimum extrema distance over all of them, and an activation has to be worth its bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sancodec.san.kernels import KernelBank
from sancodec.san.whitening import Whitener

MINIMUM_DISTANCE_SECONDS = 0.2
BITS_PER_ACTIVATION = 20.0


@dataclass(frozen=True, kw_only=True)
class Found:
    """Activations before their amplitudes are known.

    ``position`` (n,) int64 in quarters of a sample, ``kernel`` (n,) int64, ``strength`` (n,)
    float64 in standard deviations of the whitened noise.
    """

    position: NDArray[np.int64]
    kernel: NDArray[np.int64]
    strength: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Spectra:
    """Whitened leads, transformed once for many kernels.

    ``leads`` is (n_leads, n_fft // 2 + 1) complex64: single precision steers the search only.
    """

    leads: NDArray[np.complex64]
    n_samples: int
    n_fft: int


def spectra_of(white: NDArray[np.float64], n_taps: int) -> Spectra:
    """Transform (n_leads, n_samples) whitened leads, with room for ``n_taps``."""
    n_samples = white.shape[1]
    n_fft = 1 << int(n_samples + n_taps - 1).bit_length()
    leads = np.fft.rfft(white.astype(np.float32), n_fft)
    return Spectra(leads=leads.astype(np.complex64), n_samples=n_samples, n_fft=n_fft)


def similarities(
    spectra: Spectra, kernels: NDArray[np.float64], centre: int, *, signed: bool
) -> NDArray[np.float64]:
    """Give how well each whitened kernel fits at each sample, over all leads.

    Parameters
    ----------
    spectra : Spectra
        Of the whitened leads.
    kernels : (n_kernels, n_leads, n_taps) float64
        Whitened.
    centre : int
        Tap at the position.
    signed : bool
        Whether each lead has kernels of its own, which fit with one common positive amplitude;
        otherwise every lead has an amplitude of its own, of either sign.

    Returns
    -------
    (n_kernels, n_samples) float64
        In standard deviations of the noise; 0 or above.
    """
    norms = np.sqrt((kernels**2).sum(axis=2)) + 1e-9
    n_fft = spectra.n_fft
    maps = np.empty((len(kernels), spectra.n_samples))
    for k, kernel in enumerate(kernels):
        turned = np.conj(np.fft.rfft(kernel.astype(np.float32), n_fft))
        products = (spectra.leads * turned).astype(np.complex64)
        if signed:
            fit = np.fft.irfft(products.sum(axis=0), n_fft) / np.sqrt((norms[k] ** 2).sum())
            joint = np.maximum(fit, 0.0)
        else:
            fits = np.fft.irfft(products, n_fft) / norms[k][:, None]
            # Noise alone gives each lead's amplitude an energy of 1.
            joint = np.sqrt(np.maximum((fits**2).sum(axis=0) - len(fits), 0.0))
        maps[k] = np.roll(joint, centre)[: spectra.n_samples]
    return maps


def compete(
    maps: NDArray[np.float64], distance: int, threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give positions (in samples, rising) and kernels of the extrema that win their territory.

    Strongest first, each suppresses every weaker one of any kernel within ``distance`` samples;
    on a tie the lower index wins. Nothing at or below ``threshold`` is kept.
    """
    kernel = maps.argmax(axis=0)
    strength = maps.max(axis=0)
    padded = np.pad(strength, 1)
    peaks = np.nonzero(
        (strength > threshold) & (strength > padded[:-2]) & (strength >= padded[2:])
    )[0]
    order = peaks[np.argsort(-strength[peaks], kind="stable")]
    free = np.ones(strength.size + 2 * distance, bool)
    kept = []
    for peak in order:
        if free[peak + distance]:
            kept.append(peak)
            free[peak : peak + 2 * distance + 1] = False
    position = np.sort(np.array(kept, np.int64))
    return position, kernel[position].astype(np.int64)


def refine(strength: NDArray[np.float64], position: NDArray[np.int64]) -> NDArray[np.int64]:
    """Move (n,) sample positions to the top of a parabola, in quarters of a sample."""
    inner = np.clip(position, 1, strength.size - 2)
    left, top, right = strength[inner - 1], strength[inner], strength[inner + 1]
    bend = left - 2.0 * top + right
    shift = np.divide(0.5 * (left - right), bend, out=np.zeros_like(bend), where=bend < -1e-12)
    return inner * 4 + np.rint(4.0 * np.clip(shift, -0.5, 0.5)).astype(np.int64)


def overlaps(kernels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give how alike (n_kernels, n_leads, n_taps) whitened kernels are at each distance.

    Returns
    -------
    (n_kernels, n_kernels, 2 * n_taps - 1) float64
        Entry ``j, k, n_taps - 1 + d``: the similarity that kernel ``k`` has, ``d`` samples after
        an activation of kernel ``j``, for each unit of the latter's.
    """
    n_kernels, _, n_taps = kernels.shape
    norms = np.sqrt((kernels**2).sum(axis=(1, 2))) + 1e-9
    n_fft = 1 << int(2 * n_taps - 1).bit_length()
    spectra = np.fft.rfft(kernels, n_fft)
    table = np.empty((n_kernels, n_kernels, 2 * n_taps - 1))
    for j in range(n_kernels):
        for k in range(n_kernels):
            products = (spectra[j] * np.conj(spectra[k])).sum(axis=0)
            lags = np.roll(np.fft.irfft(products, n_fft), n_taps - 1)[: 2 * n_taps - 1]
            table[j, k] = lags / (norms[j] * norms[k])
    return table


def find(
    samples: NDArray[np.int32],
    bank: KernelBank,
    whitener: Whitener,
    minimum_bits: float,
    *,
    clock: float | None = None,
) -> Found:
    """Find the activations of ``bank`` in (n_leads, n_samples) samples at the bank's frequency.

    Parameters
    ----------
    minimum_bits : float
        What an activation has to save, in bits over all leads.
    clock : float, optional
        What the minimum distance is measured in, in Hz; the bank's frequency, unless the signal
        does not have the pace of an ECG.
    """
    kernels = whitener.apply_to_kernels(bank.kernels.astype(np.float64))
    spectra = spectra_of(whitener.apply(samples), kernels.shape[2])
    maps = similarities(spectra, kernels, bank.centre, signed=bank.n_kernel_leads > 1)
    return select(maps, overlaps(kernels), bank.fs if clock is None else clock, minimum_bits)


def select(
    maps: NDArray[np.float64], table: NDArray[np.float64], fs: float, minimum_bits: float
) -> Found:
    """Let the extrema of (n_kernels, n_samples) similarities compete, and place them finely.

    An extremum has to be worth its bits beyond what stronger ones near it explain already, by
    the ``overlaps`` of their kernels.
    """
    threshold = float(np.sqrt(2.0 * np.log(2.0) * minimum_bits))
    distance = max(int(MINIMUM_DISTANCE_SECONDS * fs), 1)
    if maps.shape[1] < 3:
        nothing = np.zeros(0, np.int64)
        return Found(position=nothing, kernel=nothing, strength=np.zeros(0))
    sample, kernel = compete(maps, distance, threshold)
    strength = _unexplained(maps[kernel, sample], sample, kernel, table)
    worth = strength > threshold
    sample, kernel, strength = sample[worth], kernel[worth], strength[worth]
    position = sample * 4
    for k in range(len(maps)):
        chosen = kernel == k
        position[chosen] = refine(maps[k], sample[chosen])
    # Moving apart within a sample can cross only where two kernels meet at the distance of one.
    order = np.argsort(position, kind="stable")
    return Found(position=position[order], kernel=kernel[order], strength=strength[order])


def _unexplained(
    strength: NDArray[np.float64],
    sample: NDArray[np.int64],
    kernel: NDArray[np.int64],
    table: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Give the (n,) strengths less what stronger extrema explain of them (matching pursuit)."""
    reach = table.shape[2] // 2
    left = strength.copy()
    first = np.searchsorted(sample, sample - reach)
    last = np.searchsorted(sample, sample + reach, side="right")
    for i in np.argsort(-strength, kind="stable"):
        near = np.arange(first[i], last[i])
        near = near[strength[near] > strength[i]]
        apart = sample[i] - sample[near]
        explained = (left[near] * table[kernel[near], kernel[i], reach + apart]).sum()
        left[i] = max(strength[i] - max(explained, 0.0), 0.0)
    return left
