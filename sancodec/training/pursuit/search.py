"""The search for the activations of one signal that make its flithos smallest.

Greedy pursuit, then sweeps in which each activation may move, then a common refit of all
amplitudes, then pruning; and again, as long as flithos falls.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from sancodec.entropy.compiled import compiled
from sancodec.training.pursuit.amplitudes import refit_amplitudes
from sancodec.training.pursuit.terms import (
    Bank,
    Box,
    Code,
    Place,
    Scratch,
    best_amplitude,
    box_of,
    loss_without,
    scan,
    sum_abs,
    take_off,
)

PATIENCE = 4
"""Activations that a pursuit tries after the last that lowered flithos: two may pay together."""

_REACH_OF_SIGNAL, _REACH_OF_IMAGE = 3, 1
# Of the gain that pays for an activation; less is not looked for even in patience.
_WORTH_A_LOOK = 0.25
_NOTHING = 1e-12
_SMALL_FALL = 1e-4


class Cost(NamedTuple):
    """What flithos counts.

    ``weights`` is W / n, ``activation`` (dim + 1) / n, ``level`` the sum of the absolute signal.
    """

    weights: float
    activation: float
    level: float


class Task(NamedTuple):
    """One signal to encode.

    ``code`` are its activations so far; ``grown`` the best of one pursuit, ``kept`` the best of
    all that were seen.
    """

    bank: Bank
    code: Code
    grown: Code
    kept: Code
    scratch: Scratch
    cost: Cost


@compiled
def flithos_of(cost: Cost, n_activations: int, error: float) -> float:
    """Give phi of a sum of absolute residuals with so many activations."""
    return math.hypot(cost.weights + cost.activation * n_activations, error / cost.level)


@compiled
def paying_gain(cost: Cost, n_activations: int, error: float) -> float:
    """Give what one more activation has to take off the error, so that phi does not rise."""
    before = cost.weights + cost.activation * n_activations
    after = before + cost.activation
    left = (error / cost.level) ** 2 - (after**2 - before**2)
    return error - cost.level * math.sqrt(max(left, 0.0))


@compiled
def copy_code(source: Code, target: Code) -> None:
    """Make ``target`` the same as ``source``."""
    n = source.n_used[0]
    target.residual[:] = source.residual
    target.places[:n] = source.places[:n]
    target.amplitudes[:n] = source.amplitudes[:n]
    target.n_used[0] = n


@compiled
def place_at(code: Code, i: int) -> Place:
    """Give where activation ``i`` stands."""
    return code.places[i, 0], code.places[i, 1], code.places[i, 2]


@compiled
def index_of(code: Code, place: Place) -> int:
    """Give which activation stands there already; the number of them when none does."""
    for i in range(code.n_used[0]):
        if place_at(code, i) == place:
            return i
    return int(code.n_used[0])


@compiled
def put(task: Task, place: Place, amplitude: float) -> None:
    """Add an activation, or its amplitude to the one that stands there."""
    code = task.code
    i = index_of(code, place)
    if i == code.n_used[0]:
        code.places[i, 0], code.places[i, 1], code.places[i, 2] = place
        code.amplitudes[i] = 0.0
        code.n_used[0] += 1
    code.amplitudes[i] += amplitude
    take_off(task.bank, code.residual, place, amplitude)


@compiled
def settle(task: Task, place: Place, n_rounds: int) -> Box:
    """Give each activation that overlaps one at ``place`` its best amplitude, one by one.

    Gives the box in which residuals changed, that of ``place`` included.
    """
    bank, code = task.bank, task.code
    box = box_of(bank, place)
    changed = box
    for _ in range(n_rounds):
        for i in range(code.n_used[0]):
            other = place_at(code, i)
            near = box_of(bank, other)
            if near[0] >= box[1] or near[1] <= box[0] or near[2] >= box[3] or near[3] <= box[2]:
                continue
            amplitude, gain = best_amplitude(bank, code.residual, task.scratch, other, 0.0)
            if gain > _NOTHING * task.cost.level:
                code.amplitudes[i] += amplitude
                take_off(bank, code.residual, other, amplitude)
                changed = (
                    min(changed[0], near[0]),
                    max(changed[1], near[1]),
                    min(changed[2], near[2]),
                    max(changed[3], near[3]),
                )
    return changed


@compiled
def grow(task: Task) -> None:
    """Add the activation that gains most, as long as phi falls or may soon do."""
    bank, code, scratch, cost = task.bank, task.code, task.scratch, task.cost
    n_rows, n_columns = code.signal.shape
    changed = (0, n_rows, 0, n_columns)
    error = sum_abs(code.residual)
    lowest = flithos_of(cost, code.n_used[0], error)
    copy_code(code, task.grown)
    n_in_vain = 0
    while n_in_vain <= PATIENCE and code.n_used[0] < code.amplitudes.size:
        needed = _WORTH_A_LOOK * paying_gain(cost, code.n_used[0], error)
        scan(bank, code.residual, scratch, changed, needed)
        best = int(scratch.gains.argmax())
        kernel, position = best // code.signal.size, best % code.signal.size
        place = (kernel, position // n_columns, position % n_columns)
        if scratch.gains[place] <= needed:
            break
        put(task, place, scratch.amplitudes[place])
        changed = settle(task, place, 2)
        error = sum_abs(code.residual)
        phi = flithos_of(cost, code.n_used[0], error)
        n_in_vain += 1
        if phi < lowest:
            lowest, n_in_vain = phi, 0
            copy_code(code, task.grown)
    copy_code(task.grown, code)


@compiled
def prune(task: Task) -> None:
    """Take away the activation that is missed least, as long as phi falls."""
    bank, code, cost = task.bank, task.code, task.cost
    while code.n_used[0] > 0:
        least, smallest = 0, math.inf
        for i in range(code.n_used[0]):
            rise = loss_without(bank, code.residual, place_at(code, i), code.amplitudes[i])
            if rise < smallest:
                least, smallest = i, rise
        error, last = sum_abs(code.residual), code.n_used[0] - 1
        if flithos_of(cost, last, error + smallest) >= flithos_of(cost, last + 1, error):
            break
        place = place_at(code, least)
        take_off(bank, code.residual, place, -code.amplitudes[least])
        code.places[least], code.amplitudes[least] = code.places[last], code.amplitudes[last]
        code.n_used[0] = last
        settle(task, place, 1)


@compiled
def move(task: Task) -> None:
    """Let each activation in turn go where it gains most, near by, of whichever kernel."""
    code = task.code
    for i in range(code.n_used[0]):
        origin = place_at(code, i)
        take_off(task.bank, code.residual, origin, -code.amplitudes[i])
        place, amplitude = best_near(task, origin, i)
        code.places[i, 0], code.places[i, 1], code.places[i, 2] = place
        code.amplitudes[i] = amplitude
        take_off(task.bank, code.residual, place, amplitude)
        settle(task, place, 1)


@compiled
def best_near(task: Task, origin: Place, i: int) -> tuple[Place, float]:
    """Give the free place around ``origin`` where activation ``i`` gains most, and how strong."""
    bank, code = task.bank, task.code
    n_rows, n_columns = code.signal.shape
    reach = _REACH_OF_SIGNAL if n_rows == 1 else _REACH_OF_IMAGE
    place = origin
    amplitude, most = best_amplitude(bank, code.residual, task.scratch, origin, 0.0)
    for kernel in range(bank.shapes.shape[0]):
        for row in range(max(origin[1] - reach, 0), min(origin[1] + reach + 1, n_rows)):
            for column in range(max(origin[2] - reach, 0), min(origin[2] + reach + 1, n_columns)):
                there = (kernel, row, column)
                best, gain = best_amplitude(bank, code.residual, task.scratch, there, most)
                if gain > most + _NOTHING * task.cost.level:
                    taken = index_of(code, there)
                    if taken == i or taken == code.n_used[0]:
                        place, amplitude, most = there, best, gain
    return place, amplitude


@compiled
def search(task: Task, n_sweeps: int) -> None:
    """Improve the activations of a signal that is not zero.

    They end as those with the lowest phi of all that were found on the way, none among them.
    """
    code, kept, cost = task.code, task.kept, task.cost
    kept.n_used[0], kept.residual[:] = 0, code.signal
    lowest = flithos_of(cost, 0, cost.level)
    for sweep in range(n_sweeps + 1):
        if sweep:
            move(task)
        grow(task)
        refit_amplitudes(task.bank, code)
        prune(task)
        phi = flithos_of(cost, code.n_used[0], sum_abs(code.residual))
        fall = lowest - phi
        if fall > 0.0:
            lowest = phi
            copy_code(code, kept)
        if fall < _SMALL_FALL:
            break
    copy_code(kept, code)
