"""Fractions that a step may be exactly: short decimals, and the simplest that serve all values."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from sancodec.structure.periods import MIN_STEP
from sancodec.structure.rounding import FLOOR, TRUNC

_DECIMALS = (1, 10, 100, 1000)
_N_THIRDS, _N_HALVES = 50, 40
_WIDE = 16.0
"""Steps from here on are told to so many digits that narrowing them down takes twice as long."""


def likely_fractions(step: float, distinct: NDArray[np.int64]) -> list[Fraction]:
    """Give fractions near a step by which the values seem to repeat.

    Parameters
    ----------
    distinct : (n_values,) int64
        The different values of a lead, rising.
    """
    reach = max(float(distinct[-1] - distinct[0]) / step, 1.0)
    # Phases tell a step to an eighth of a turn over all values; rounding tells one far better.
    doubt = max(8.0, step / 2.0) / reach
    found = list(_decimals(step, 2.0 / reach))
    for mode in (FLOOR, TRUNC):
        low, high = intervals(distinct, mode)
        phase = float(np.angle(np.exp(2j * np.pi * low / step).sum())) / (2 * np.pi)
        between = _feasible(np.rint(low / step - phase), low, high, (step, doubt))
        if between is None:
            continue
        middle, half = sum(between) / 2.0, (between[1] - between[0]) / 2.0
        found += _decimals(middle, half)
        # Once more off the ends, which may be too near for one value or other.
        found += [_simplest(middle - part * half, middle + part * half) for part in (1.0, 0.9)]
    return [fraction for fraction in dict.fromkeys(found) if fraction >= MIN_STEP]


def intervals(
    distinct: NDArray[np.int64], mode: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give between what each value was before it was rounded down, or towards zero."""
    low, high = distinct.astype(np.float64), distinct.astype(np.float64) + 1.0
    if mode == TRUNC:
        low[distinct <= 0] -= 1.0
        high[distinct < 0] -= 1.0
    return low, high


def _feasible(
    index: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    around: tuple[float, float],
) -> tuple[float, float] | None:
    """Give between what steps one offset serves all values, if it does near one, within doubt."""

    def excess(candidate: float) -> float:
        return float((low - candidate * index).max() - (high - candidate * index).min())

    step, doubt = around
    below, above = step - doubt, step + doubt
    n_times = 1 if step < _WIDE else 2
    for _ in range(n_times * _N_THIRDS):
        left, right = below + (above - below) / 3.0, above - (above - below) / 3.0
        if excess(left) <= excess(right):
            above = right
        else:
            below = left
    best = (below + above) / 2.0
    # A value that needed no rounding stands at the closed end of its interval.
    largest = max(float(np.abs(low).max()), 1.0)
    slack = max(min(1e-12 * largest, 1e-7), 1e-15 * largest)
    if excess(best) >= slack:
        return None
    edges = []
    for outside in (best - doubt, best + doubt):
        inside, beyond = best, outside
        for _ in range(n_times * _N_HALVES):
            middle = (inside + beyond) / 2.0
            if excess(middle) < slack:
                inside = middle
            else:
                beyond = middle
        edges.append(inside)
    return edges[0], edges[1]


def _decimals(middle: float, doubt: float) -> Iterator[Fraction]:
    """Give the decimals nearest to a number, of up to three digits, that are within doubt."""
    for power in _DECIMALS:
        nearest = Fraction(round(middle * power), power)
        if abs(float(nearest) - middle) <= doubt:
            yield nearest


def _simplest(low: float, high: float) -> Fraction:
    """Give the fraction with the smallest divisor between two positive numbers."""
    whole = ceil(low)
    if whole <= high:
        return Fraction(whole)
    below = floor(low)
    return below + 1 / _simplest(1.0 / (high - below), 1.0 / (low - below))
