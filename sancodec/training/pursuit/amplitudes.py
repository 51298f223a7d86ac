"""The L1 refit of all amplitudes of a signal at once, by least squares that are reweighted.

Few activations overlap: ordered by place, the normal equations are zero outside of an envelope,
and so is their Cholesky factor.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.training.pursuit.terms import Bank, Code, Place, box_of, inside, sum_abs, take_off

N_SOLUTIONS = 12

# Smallest residual that is told from others, halved each time from the mean one on.
_SMALLEST = 1e-6
_RIDGE = 1e-9
_DEPENDENT = 1e-12


class System(NamedTuple):
    """Weighted normal equations for changes of the amplitudes.

    ``order`` are the activations by place, ``weights`` those of the samples. Of ``products`` the
    lower triangle counts, from ``first`` on in each row; ``right`` becomes the solution.
    """

    order: NDArray[np.int64]
    weights: NDArray[np.float64]
    products: NDArray[np.float64]
    first: NDArray[np.int64]
    right: NDArray[np.float64]


@compiled
def refit_amplitudes(bank: Bank, code: Code) -> None:
    """Change all amplitudes so that the sum of absolute residuals falls, or leave them."""
    n = code.n_used[0]
    if n == 0:
        return
    places, residual, amplitudes = code.places, code.residual.copy(), code.amplitudes[:n].copy()
    order = np.argsort(places[:n, 1] * residual.shape[1] + places[:n, 2])
    weights = np.empty_like(residual)
    system = System(order, weights, np.zeros((n, n)), np.zeros(n, np.int64), np.zeros(n))
    lowest = sum_abs(residual)
    mean = lowest / residual.size
    floor = mean
    for _ in range(N_SOLUTIONS):
        floor = max(0.5 * floor, _SMALLEST * mean)
        for row in range(residual.shape[0]):
            for column in range(residual.shape[1]):
                weights[row, column] = floor / max(abs(residual[row, column]), floor)
        _set_up(system, bank, places, residual)
        _solve(system)
        for i in range(n):
            place = (places[order[i], 0], places[order[i], 1], places[order[i], 2])
            amplitudes[order[i]] += system.right[i]
            take_off(bank, residual, place, system.right[i])
        error = sum_abs(residual)
        if error < lowest:
            lowest = error
            code.residual[:], code.amplitudes[:n] = residual, amplitudes


@compiled
def _set_up(
    system: System, bank: Bank, places: NDArray[np.int64], residual: NDArray[np.float64]
) -> None:
    """Write the equations for the weights and the residual as they are."""
    order, weights = system.order, system.weights
    for i in range(order.size):
        place = (places[order[i], 0], places[order[i], 1], places[order[i], 2])
        top, bottom, left, right = inside(box_of(bank, place), residual)
        system.first[i] = i
        for j in range(i, -1, -1):
            other = (places[order[j], 0], places[order[j], 1], places[order[j], 2])
            above, below, before, behind = inside(box_of(bank, other), residual)
            overlap = (
                max(top, above),
                min(bottom, below),
                max(left, before),
                min(right, behind),
            )
            system.products[i, j] = 0.0
            if overlap[0] < overlap[1] and overlap[2] < overlap[3]:
                system.products[i, j] = _product(bank, place, other, overlap, weights)
                system.first[i] = j
        system.right[i] = _projection(bank, place, residual, weights)
        system.products[i, i] *= 1.0 + _RIDGE


@compiled
def _product(
    bank: Bank,
    place: Place,
    other: Place,
    overlap: tuple[int, int, int, int],
    weights: NDArray[np.float64],
) -> float:
    """Give the weighted product of two kernels where they overlap."""
    box, other_box = box_of(bank, place), box_of(bank, other)
    width, other_width = bank.shapes[place[0], 1], bank.shapes[other[0], 1]
    total = 0.0
    for row in range(overlap[0], overlap[1]):
        line = bank.starts[place[0]] + (row - box[0]) * width - box[2]
        other_line = bank.starts[other[0]] + (row - other_box[0]) * other_width - other_box[2]
        for column in range(overlap[2], overlap[3]):
            tap, other_tap = bank.taps[line + column], bank.taps[other_line + column]
            total += tap * other_tap * weights[row, column]
    return total


@compiled
def _projection(
    bank: Bank, place: Place, residual: NDArray[np.float64], weights: NDArray[np.float64]
) -> float:
    """Give the weighted product of a kernel and the residual."""
    box = box_of(bank, place)
    top, bottom, left, right = inside(box, residual)
    total = 0.0
    for row in range(top, bottom):
        line = bank.starts[place[0]] + (row - box[0]) * bank.shapes[place[0], 1] - box[2]
        for column in range(left, right):
            total += bank.taps[line + column] * residual[row, column] * weights[row, column]
    return total


@compiled
def _solve(system: System) -> None:
    """Turn the right side into the solution; what depends on others before it gets 0."""
    products, first, right = system.products, system.first, system.right
    for i in range(right.size):
        for j in range(first[i], i):
            value = products[i, j]
            for k in range(max(first[i], first[j]), j):
                value -= products[i, k] * products[j, k]
            products[i, j] = value / products[j, j]
        value = products[i, i]
        for k in range(first[i], i):
            value -= products[i, k] * products[i, k]
        if value > _DEPENDENT * products[i, i]:
            products[i, i] = math.sqrt(value)
        else:
            products[i, i] = math.inf
        for k in range(first[i], i):
            right[i] -= products[i, k] * right[k]
        right[i] /= products[i, i]
    for i in range(right.size - 1, -1, -1):
        right[i] /= products[i, i]
        for k in range(first[i], i):
            right[k] -= products[i, k] * right[i]
