"""The L1 arithmetic of one activation: its best amplitude, what it gains, its place.

Signals are (n_rows, n_columns); one of a single dimension has one row. The tap of a kernel that
falls on the position of its activation is ``(size - 1) // 2`` along each axis, as with torch's
padding "same"; taps beyond the border are cut off.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled

Place = tuple[int, int, int]
"""Kernel, row, column."""
Box = tuple[int, int, int, int]
"""First row, row behind the last, first column, column behind the last."""


class Bank(NamedTuple):
    """The taps of all kernels one after the other.

    ``shapes`` is (n_kernels, 2), ``starts`` (n_kernels,) where the taps of each begin.
    """

    taps: NDArray[np.float64]
    shapes: NDArray[np.int64]
    starts: NDArray[np.int64]


class Code(NamedTuple):
    """The activations of one signal and what they leave of it.

    ``signal`` and ``residual`` are (n_rows, n_columns). ``places`` is (capacity, 3), kernel, row
    and column; it and ``amplitudes`` are in use up to ``n_used[0]``.
    """

    signal: NDArray[np.float64]
    residual: NDArray[np.float64]
    places: NDArray[np.int64]
    amplitudes: NDArray[np.float64]
    n_used: NDArray[np.int64]


class Scratch(NamedTuple):
    """Room to work in: two lists of as many taps as the largest kernel has, and maps.

    ``gains`` and ``amplitudes`` are (n_kernels, n_rows, n_columns): what an activation there
    takes off the sum of absolute residuals, and with which amplitude. ``sums`` is
    (n_rows + 1, n_columns + 1), sums of absolute residuals above and left of each corner.
    """

    ratios: NDArray[np.float64]
    weights: NDArray[np.float64]
    gains: NDArray[np.float64]
    amplitudes: NDArray[np.float64]
    sums: NDArray[np.float64]


@compiled
def box_of(bank: Bank, place: Place) -> Box:
    """Give the box that an activation covers; it may hang over the border."""
    height, width = bank.shapes[place[0]]
    top, left = place[1] - (height - 1) // 2, place[2] - (width - 1) // 2
    return top, top + height, left, left + width


@compiled
def inside(box: Box, residual: NDArray[np.float64]) -> Box:
    """Give what of a box lies on the signal."""
    n_rows, n_columns = residual.shape
    return max(box[0], 0), min(box[1], n_rows), max(box[2], 0), min(box[3], n_columns)


@compiled
def sum_abs(values: NDArray[np.float64]) -> float:
    """Give the sum of absolute values of a (n_rows, n_columns) array."""
    total = 0.0
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            total += abs(values[row, column])
    return total


@compiled
def weighted_median(
    ratios: NDArray[np.float64], weights: NDArray[np.float64], first: int, stop: int, wanted: float
) -> float:
    """Give the smallest ratio up to which the weights sum to ``wanted`` or more.

    Looks at entries ``first`` to ``stop - 1``, and reorders them; their weights sum to
    ``wanted`` at least.
    """
    last = stop - 1
    while first < last:
        a, b, c = ratios[first], ratios[(first + last) // 2], ratios[last]
        pivot = max(min(a, b), min(max(a, b), c))
        below, at = 0.0, 0.0
        n_below, i, n_up_to = first, first, last + 1
        while i < n_up_to:
            ratio, weight = ratios[i], weights[i]
            if ratio < pivot:
                below += weight
                ratios[i], weights[i] = ratios[n_below], weights[n_below]
                ratios[n_below], weights[n_below] = ratio, weight
                n_below += 1
                i += 1
            elif ratio > pivot:
                n_up_to -= 1
                ratios[i], weights[i] = ratios[n_up_to], weights[n_up_to]
                ratios[n_up_to], weights[n_up_to] = ratio, weight
            else:
                at += weight
                i += 1
        if below >= wanted and n_below > first:
            last = n_below - 1
        elif below + at >= wanted or n_up_to > last:
            return float(pivot)
        else:
            wanted -= below + at
            first = n_up_to
    return float(ratios[first])


@compiled
def best_amplitude(
    bank: Bank, residual: NDArray[np.float64], scratch: Scratch, place: Place, needed: float
) -> tuple[float, float]:
    """Give the amplitude that leaves the smallest sum of absolute residuals, and what it gains.

    The sum is convex in the amplitude with kinks at residual / tap, so the best is the weighted
    median of these, and of one sign: only taps that agree with it can gain, the others lose in
    proportion. Gives zeros when the gain cannot exceed ``needed``.
    """
    box = box_of(bank, place)
    top, bottom, left, right = inside(box, residual)
    width, start = bank.shapes[place[0], 1], bank.starts[place[0]]
    n_same, n_other = 0, scratch.ratios.size
    weight_same, weight_other, weight_none, bound_same, bound_other = 0.0, 0.0, 0.0, 0.0, 0.0
    for row in range(top, bottom):
        line = start + (row - box[0]) * width - box[2]
        for column in range(left, right):
            tap, value = bank.taps[line + column], residual[row, column]
            weight, product = abs(tap), tap * value
            if product > 0.0:
                scratch.ratios[n_same], scratch.weights[n_same] = value / tap, weight
                n_same += 1
                weight_same += weight
                bound_same += abs(value)
            elif product < 0.0:
                n_other -= 1
                scratch.ratios[n_other], scratch.weights[n_other] = -value / tap, weight
                weight_other += weight
                bound_other += abs(value)
            else:
                weight_none += weight
    if weight_same > weight_other + weight_none and bound_same > needed:
        sign, first, stop, against = 1.0, 0, n_same, weight_other + weight_none
        wanted = 0.5 * (weight_same - against)
    elif weight_other > weight_same + weight_none and bound_other > needed:
        sign, first, stop, against = -1.0, n_other, scratch.ratios.size, weight_same + weight_none
        wanted = 0.5 * (weight_other - against)
    else:
        return 0.0, 0.0
    best = weighted_median(scratch.ratios, scratch.weights, first, stop, wanted)
    gain = -best * against
    for i in range(first, stop):
        gain += scratch.weights[i] * (scratch.ratios[i] - abs(scratch.ratios[i] - best))
    return sign * best, gain


@compiled
def take_off(bank: Bank, residual: NDArray[np.float64], place: Place, amplitude: float) -> None:
    """Subtract an activation from the residual; one of opposite amplitude adds it again."""
    box = box_of(bank, place)
    top, bottom, left, right = inside(box, residual)
    width, start = bank.shapes[place[0], 1], bank.starts[place[0]]
    for row in range(top, bottom):
        line = start + (row - box[0]) * width - box[2]
        for column in range(left, right):
            residual[row, column] -= amplitude * bank.taps[line + column]


@compiled
def loss_without(
    bank: Bank, residual: NDArray[np.float64], place: Place, amplitude: float
) -> float:
    """Give by how much the sum of absolute residuals rises without an activation."""
    box = box_of(bank, place)
    top, bottom, left, right = inside(box, residual)
    width, start = bank.shapes[place[0], 1], bank.starts[place[0]]
    rise = 0.0
    for row in range(top, bottom):
        line = start + (row - box[0]) * width - box[2]
        for column in range(left, right):
            value = residual[row, column]
            rise += abs(value + amplitude * bank.taps[line + column]) - abs(value)
    return rise


@compiled
def scan(
    bank: Bank, residual: NDArray[np.float64], scratch: Scratch, changed: Box, needed: float
) -> None:
    """Bring the gains up to date of all activations that touch the box that was changed.

    What cannot gain more than ``needed`` gets 0.
    """
    n_rows, n_columns = residual.shape
    for row in range(n_rows):
        total = 0.0
        for column in range(n_columns):
            total += abs(residual[row, column])
            scratch.sums[row + 1, column + 1] = scratch.sums[row, column + 1] + total
    for kernel in range(bank.shapes.shape[0]):
        height, width = bank.shapes[kernel]
        above, before = (height - 1) // 2, (width - 1) // 2
        first_row, first_column = changed[0] + above - height + 1, changed[2] + before - width + 1
        for row in range(max(first_row, 0), min(changed[1] + above, n_rows)):
            for column in range(max(first_column, 0), min(changed[3] + before, n_columns)):
                place = (kernel, row, column)
                top, bottom, left, right = inside(box_of(bank, place), residual)
                bound = scratch.sums[bottom, right] - scratch.sums[top, right]
                bound += scratch.sums[top, left] - scratch.sums[bottom, left]
                amplitude, gain = 0.0, 0.0
                if bound > needed:
                    amplitude, gain = best_amplitude(bank, residual, scratch, place, needed)
                scratch.gains[kernel, row, column] = gain
                scratch.amplitudes[kernel, row, column] = amplitude
