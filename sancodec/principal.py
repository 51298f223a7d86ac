"""Principal kernels fitted: what beats of a class have in common beyond their kernel.

They are fitted to what a quantiser would have to code: coefficients of what the layer leaves, in
steps, that are not worth leaving out. Each has to save more bits than it costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.layers import SanPlan
from sancodec.parameters import code_details
from sancodec.residual.transform.coding import levels_for
from sancodec.residual.transform.wavelet import analyse, bands_of, synthesise
from sancodec.san.details import Details
from sancodec.san.fitting import Window
from sancodec.san.kernels import UNIT
from sancodec.san.synthesis import N_PHASES, Activations

MAX_OF_A_CLASS, MAX_DETAILS = 32, 64
"""Principal kernels of a class, and of a layer."""

_MAX_BEATS, _MAX_VALUES = 1500, 1 << 21
_MIN_BEATS = 24
# An amplitude of 1 is so many steps: larger than 1, as few beats have any.
_UNIT_STEPS = 1.6
_ROUND_UP = 0.35
_ITERATIONS = 24
_TAPER_SECONDS = 0.04
# Bands slower than a beat say nothing of its shape.
_N_SLOW = 3
# Coefficients below become 0; what a bit is worth, in squared steps; what one beyond costs.
_DEAD = 0.2
_SLOPE, _FIRST_BITS, _OCTAVE_BITS = 0.11, 5.0, 2.0
# Of the bits that coefficients seem to save, what may be true: the trial tells.
_TRUSTS = (0.65, 0.4)
_MANY_TRUSTS = (0.8, 0.65, 0.5, 0.4, 0.3)
_KERNEL_BITS = 320.0
_KERNEL_FINENESS = 1.6
_MAX_TAP = 32_000.0


@dataclass(frozen=True, kw_only=True)
class BeatsLeft:
    """What a layer leaves of a span, for its principal kernels to be fitted to.

    ``left`` and ``coded`` are (n_leads, n_samples) float64, in steps: without the slowest bands,
    and what a quantiser would code of that. ``activations`` are the layer's.
    """

    left: NDArray[np.float64]
    coded: NDArray[np.float64]
    activations: Activations


class _Principal(NamedTuple):
    """A (n_leads, n_taps) kernel, the energy of its amplitudes, bits that it saves and costs."""

    kernel: NDArray[np.float64]
    energy: float
    saved: float
    cost: float


def left_by(
    samples: NDArray[np.int32], activations: Activations, san: SanPlan, steps: NDArray[np.float64]
) -> BeatsLeft:
    """Give what a layer's kernels leave of (n_leads of the layer, n_samples) samples."""
    left = samples - np.median(samples, axis=1, keepdims=True)
    rows, units = _rows_in_units(san)
    start = (activations.position >> 2) - san.expanded.centre
    row = activations.kernel * san.expanded.n_kernel_leads * N_PHASES + (activations.position & 3)
    lead_step = N_PHASES if san.expanded.n_kernel_leads > 1 else 0
    _subtract(left, rows, row, lead_step, start, activations.amplitude * units)
    return _without_slow(left / steps[:, None], activations, san.clock)


def _rows_in_units(san: SanPlan) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return san.expanded.rows / UNIT, 2.0 ** np.array(san.exponents, np.float64)


@compiled
def _subtract(  # noqa: PLR0917
    left: NDArray[np.float64],
    rows: NDArray[np.float64],
    row: NDArray[np.int64],
    lead_step: int,
    start: NDArray[np.int64],
    amplitude: NDArray[np.float64],
) -> None:
    n_leads, n_samples = left.shape
    for i in range(row.size):
        begin, stop = max(start[i], 0), min(start[i] + rows.shape[1], n_samples)
        for lead in range(n_leads):
            kernel = rows[row[i] + lead * lead_step]
            for t in range(begin, stop):
                left[lead, t] -= amplitude[i, lead] * kernel[t - start[i]]


def _without_slow(left: NDArray[np.float64], activations: Activations, clock: float) -> BeatsLeft:
    n_levels = levels_for(left.shape[1], clock)
    coefficients = analyse(left, n_levels)
    bands = bands_of(left.shape[1], n_levels)
    coefficients[:, : bands[min(_N_SLOW, n_levels)].begin] = 0.0
    coded = np.where(np.abs(coefficients) > _DEAD, coefficients, 0.0)
    return BeatsLeft(
        left=synthesise(coefficients, n_levels),
        coded=synthesise(coded, n_levels),
        activations=activations,
    )


def fit_details(
    spans: Sequence[BeatsLeft],
    san: SanPlan,
    steps: NDArray[np.float64],
    share: float,
    *,
    many: bool = False,
) -> list[Details]:
    """Give sets of principal kernels that may pay for themselves in these spans, to be tried.

    Parameters
    ----------
    steps : (n_leads of the layer,) float64
        Of the quantiser, in ADC units.
    share : float
        How much longer than the spans the record is, in which the kernels are paid for.
    many : bool
        Whether more sets are to be tried.
    """
    trusts = _MANY_TRUSTS if many else _TRUSTS
    window = Window(san.bank.centre, san.bank.n_taps)
    classes = []
    for k in range(san.bank.n_kernels):
        places = [own.activations.position[own.activations.kernel == k] for own in spans]
        every = -(-sum(map(len, places)) // _most_beats(len(steps) * window.size)) or 1
        beats = [
            window.cut(own.coded, position[::every])
            for own, position in zip(spans, places, strict=True)
        ]
        rows = np.concatenate(beats, axis=1).transpose(1, 0, 2)
        classes.append(_principal(rows, san.clock, share * every, trusts[0]))
    sets: dict[tuple[int, ...], Details] = {}
    for trust in trusts:
        counts = tuple(_n_worth(found, trust) for found in classes)
        if any(counts) and sum(counts) <= MAX_DETAILS and counts not in sets:
            chosen = [p for found, n in zip(classes, counts, strict=True) for p in found[:n]]
            sets[counts] = _details(chosen, counts, san, steps)
    return list(sets.values())


def _most_beats(size: int) -> int:
    """Give how many beats of ``size`` values are looked at."""
    return max(min(_MAX_BEATS, _MAX_VALUES // size), 1)


def _details(
    chosen: list[_Principal], counts: tuple[int, ...], san: SanPlan, steps: NDArray[np.float64]
) -> Details:
    units = steps * (UNIT / 2.0 ** np.array(san.exponents, np.float64))
    taps = np.stack([own.kernel for own in chosen]) * (_UNIT_STEPS * units[:, None])
    taps *= min(1.0, _MAX_TAP / np.abs(taps).max())
    fineness = _KERNEL_FINENESS / np.sqrt(np.mean([own.energy for own in chosen]))
    return code_details(counts, np.rint(taps).astype(np.int16), san.bank, units * fineness)


def _n_worth(found: list[_Principal], trust: float) -> int:
    """Give how many kernels, from the first on, each save more than they cost."""
    for n, own in enumerate(found):
        if trust * own.saved < own.cost:
            return n
    return len(found)


def _principal(
    beats: NDArray[np.float64], clock: float, share: float, trust: float
) -> list[_Principal]:
    """Give the kernels of (n_beats, n_leads, n_taps) beats that may pay, the strongest first."""
    n_beats, n_leads, n_taps = beats.shape
    found: list[_Principal] = []
    if n_beats < _MIN_BEATS:
        return found
    rows = (beats * _taper(n_taps, clock)).reshape(n_beats, -1)
    bits = _bits(rows.reshape(-1, n_taps), clock)
    while len(found) < MAX_OF_A_CLASS:
        kernel = _strongest(rows)
        amplitudes = _quantised((rows * kernel).sum(axis=1) / _UNIT_STEPS)
        rows = rows - _UNIT_STEPS * amplitudes[:, None] * kernel
        left = _bits(rows.reshape(-1, n_taps), clock)
        own = _Principal(
            kernel=kernel.reshape(n_leads, n_taps),
            energy=float(np.square(amplitudes).sum()) * share,
            saved=(bits - left) * share,
            cost=_amplitude_bits(amplitudes) * share + _KERNEL_BITS,
        )
        if trust * own.saved < own.cost:
            break
        bits = left
        found.append(own)
    return found


def _taper(n_taps: int, clock: float) -> NDArray[np.float64]:
    """Give weights that go to 0 at both ends."""
    size = min(max(int(_TAPER_SECONDS * clock), 1), n_taps // 2)
    rise = np.minimum(np.arange(n_taps) + 0.5, n_taps - 0.5 - np.arange(n_taps)) / size
    return np.asarray(np.minimum(rise, 1.0))


def _strongest(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the unit vector that (n_rows, n) rows have most of, by power iteration."""
    vector = rows[np.square(rows).sum(axis=1).argmax()].copy()
    for _ in range(_ITERATIONS):
        vector /= np.sqrt(np.square(vector).sum()) + 1e-30
        # Not by @: threads of a linear algebra library would split the sum, each time elsewhere.
        vector = np.einsum("it,i->t", rows, np.einsum("it,t->i", rows, vector))
    return np.asarray(vector / (np.sqrt(np.square(vector).sum()) + 1e-30))


def _quantised(amplitudes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sign(amplitudes) * np.floor(np.abs(amplitudes) + _ROUND_UP)


def _bits(rows: NDArray[np.float64], clock: float) -> float:
    """Guess the bits that rows take as coefficients, with what their errors cost."""
    n_levels = min(levels_for(rows.shape[1], clock), 5)
    size = np.abs(analyse(rows, n_levels))
    cheap = np.square(size) / _SLOPE
    dear = _FIRST_BITS + _OCTAVE_BITS * np.log2(np.maximum(size, 1.0))
    return float(np.minimum(cheap, dear).sum())


def _amplitude_bits(amplitudes: NDArray[np.float64]) -> float:
    """Give the entropy of quantised amplitudes."""
    _, counts = np.unique(amplitudes, return_counts=True)
    return float(-(counts * np.log2(counts / amplitudes.size)).sum())


def detail_amplitudes(
    beats: BeatsLeft, details: Details, san: SanPlan, steps: NDArray[np.float64]
) -> NDArray[np.int32]:
    """Give the (n_activations, largest count) amplitudes of principal kernels, by projection."""
    activations = beats.activations
    units = 2.0 ** np.array(san.exponents, np.float64) / steps
    rows = details.expanded.rows.reshape(-1, len(steps), N_PHASES, details.expanded.n_taps)
    scaled = rows * (units[:, None, None] / UNIT)
    amplitudes = np.zeros((activations.n_activations, max(details.counts)), np.int64)
    _project(
        beats.left.copy(),
        scaled,
        activations.kernel,
        activations.position & 3,
        (activations.position >> 2) - details.expanded.centre,
        np.array(details.counts, np.int64),
        details.firsts,
        amplitudes,
    )
    return amplitudes.astype(np.int32)


@compiled
def _project(  # noqa: PLR0917
    left: NDArray[np.float64],
    rows: NDArray[np.float64],
    kernel: NDArray[np.int64],
    phase: NDArray[np.int64],
    start: NDArray[np.int64],
    counts: NDArray[np.int64],
    firsts: NDArray[np.int64],
    amplitudes: NDArray[np.int64],
) -> None:
    """Take one principal kernel after the other off what is left of each beat."""
    n_leads, n_samples = left.shape
    for i in range(kernel.size):
        begin, stop = max(start[i], 0), min(start[i] + rows.shape[3], n_samples)
        for j in range(counts[kernel[i]]):
            own = rows[firsts[kernel[i]] + j]
            product = energy = 0.0
            for lead in range(n_leads):
                taps = own[lead, phase[i]]
                for t in range(begin, stop):
                    product += left[lead, t] * taps[t - start[i]]
                    energy += taps[t - start[i]] * taps[t - start[i]]
            size = min(int(abs(product) / energy + _ROUND_UP), 2048) if energy > 0.0 else 0
            amplitude = -size if product < 0.0 else size
            amplitudes[i, j] = amplitude
            if amplitude:
                for lead in range(n_leads):
                    taps = own[lead, phase[i]]
                    for t in range(begin, stop):
                        left[lead, t] -= amplitude * taps[t - start[i]]
