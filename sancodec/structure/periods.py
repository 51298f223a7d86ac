"""The steps by which the values of a lead may repeat, told from the values alone.

Values on a grid agree on their phase at the frequency of the grid, as teeth of a comb do.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import numpy as np
from numpy.typing import NDArray

MIN_VALUES = 16
"""Fewer different values tell nothing."""
MIN_STEP = 1.1

_SPAN = 512
"""Width of the middle of the values in which a period is looked for first."""
_SIZE = 8 * _SPAN
_WEAKEST, _WIDE = 0.22, 0.6
"""A period counts if the values agree on its phase at least so far, from 0 to 1; a wide one."""
_OF_TRUE = 0.5
"""And at least this part of what they would agree to on a true grid of its step, rounded."""
_MAX_PEAKS = 3
_MAX_PARTS = 8
_MAX_TRIALS = 256
_MAX_POINTS = 1024
_MIN_PART = 3.0
_MAX_GAIN = 2.0**60


def likely_steps(distinct: NDArray[np.int64]) -> Iterator[float]:
    """Give steps that the values repeat by, the most telling first, as exactly as they say.

    Parameters
    ----------
    distinct : (n_values,) int64
        The different values of a lead, rising; two or more.
    """
    gaps = np.unique(np.diff(distinct))
    wide = [_part_of_gap(gaps, distinct), _between_gaps(gaps, distinct)]
    if any(wide):
        yield from filter(None, wide)
        return
    if distinct.size < MIN_VALUES:
        return
    middle = int(distinct[distinct.size // 2])
    near = distinct[np.abs(distinct - middle) <= _SPAN // 2]
    if near.size < MIN_VALUES:
        return
    strength = np.zeros(_SIZE // 2 + 1)
    for side in _sides(near):
        present = np.zeros(_SIZE)
        present[side - near[0]] = 1.0
        strength += np.abs(np.fft.rfft(present)) / near.size
    # Below lies what the width of the distribution alone makes.
    lobe = max(8 * _SIZE // max(int(near[-1] - near[0]), 1), _SIZE // 64)
    strength[:lobe] = 0.0
    for _ in range(_MAX_PEAKS):
        peak = int(strength.argmax())
        if strength[peak] < max(_WEAKEST, 4.0 / np.sqrt(near.size)):
            return
        # Whole numbers cannot tell a frequency from its mirror image.
        for frequency in (peak / _SIZE, 1.0 - peak / _SIZE):
            step = 1.0 / _refine(distinct, frequency, 1.0 / _SIZE, _SPAN)
            if step >= MIN_STEP and _is_telling(step, distinct):
                yield step
        strength[max(peak - lobe // 2, 0) : peak + lobe // 2] = 0.0


def _is_telling(step: float, distinct: NDArray[np.int64]) -> bool:
    """Tell whether the values agree on the phase of a step as rounded ones may be expected to."""
    values = distinct[:: distinct.size // _MAX_POINTS + 1]
    # Rounding spreads the phases evenly over a part 1 / step of the circle.
    return bool(_agreement(np.array([1.0 / step]), values)[0] >= _OF_TRUE * np.sinc(1.0 / step))


def _sides(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the values below 0, and the others.

    Rounding towards zero moves the grid by one between them: together they would blur it.
    """
    return values[values < 0], values[values >= 0]


def round_parts(gain: float, distinct: NDArray[np.int64]) -> list[float]:
    """Give the decimal and binary parts of a gain that the values agree on the phase of.

    A writer that scales a lead to the full range of its integers leaves physical values of few
    decimals, or of few bits, on such a grid.
    """
    if not MIN_STEP <= gain < _MAX_GAIN:
        return []
    range_ = float(distinct[-1] - distinct[0])
    parts = gain / np.unique(np.concatenate([10.0 ** np.arange(9), 2.0 ** np.arange(25)]))
    steps = parts[(parts >= _MIN_PART) & (parts <= range_)]
    values = distinct[:: distinct.size // _MAX_POINTS + 1]
    agreed = _agreement(1.0 / steps, values) if steps.size else np.zeros(0)
    return [float(step) for step in steps[agreed >= _WIDE]]


def _part_of_gap(gaps: NDArray[np.int64], distinct: NDArray[np.int64]) -> float | None:
    """Give the step of which the narrowest gap is a few, where no two values are neighbours."""
    smallest = int(gaps[0])
    if smallest < _MIN_PART:
        return None
    for parts in range(1, _MAX_PARTS):
        if smallest / parts < 2.0:
            break
        # The smallest gap is off by less than a unit.
        frequency = _refine(distinct, parts / smallest, parts / smallest**2, 2 * smallest)
        if _agreement(np.array([frequency]), distinct)[0] > _WIDE:
            return 1.0 / frequency
    return None


def _between_gaps(gaps: NDArray[np.int64], distinct: NDArray[np.int64]) -> float | None:
    """Give the step, where no gap is as narrow as a few, but two of them differ by one.

    So do gaps of values that were on a wide grid already when they were put on this one.
    """
    apart = np.nonzero(np.diff(gaps) >= _MIN_PART)[0]
    centres = (gaps[np.append(0, apart + 1)] + gaps[np.append(apart, -1)]) / 2.0
    between = np.diff(centres)
    if not between.size or between.min() * _MAX_PARTS > gaps[0]:
        return None
    step = float(between[between < between.min() + _MIN_PART].mean())
    # Gaps are on the grid, too, and so much smaller than values that they tell it from afar.
    smallest = int(gaps[0])
    frequency = _refine(gaps, 1.0 / step, 0.5 / step**2, smallest)
    frequency = _refine(distinct, frequency, 0.125 / smallest, 2 * smallest)
    agreed = _agreement(np.array([frequency]), distinct)[0] > _WIDE
    return 1.0 / frequency if agreed else None


def _refine(distinct: NDArray[np.int64], frequency: float, doubt: float, span: int) -> float:
    """Give the frequency at which the phases of the values agree best, over wider and wider spans.

    ``doubt`` is how far off the frequency may be; a span of n values tells it to a part of 1 / n.
    """
    offset = np.abs(distinct - distinct[distinct.size // 2])
    nearest = min(MIN_VALUES, offset.size) - 1
    span = max(span, int(np.partition(offset, nearest)[nearest]))
    furthest = int(offset.max())
    while True:
        near = distinct[offset <= span]
        near = near[:: near.size // _MAX_POINTS + 1]
        step = 0.125 / span
        n_steps = min(ceil(doubt / step), _MAX_TRIALS)
        trials: NDArray[np.float64] = frequency + step * np.arange(-n_steps, n_steps + 1.0)
        frequency = float(trials[_agreement(trials, near).argmax()])
        if span >= furthest:
            return frequency
        doubt = 1.5 * step
        span = min(span * 4, furthest)


def _agreement(frequencies: NDArray[np.float64], values: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give how far the values agree on their phase at each frequency, from 0 to 1."""
    total = np.zeros(frequencies.size)
    # Each of a few values would agree with itself.
    for side in _sides(values) if values.size >= MIN_VALUES else (values,):
        phases = np.exp(2j * np.pi * frequencies[:, None] * side[None])
        total += np.abs(phases.sum(axis=1))
    return total / values.size
