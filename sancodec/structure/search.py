"""Finding the structure of a record: grids, a resampling, leads made of others, and their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from sancodec.recording import Channel
from sancodec.structure.combinations import find_rules
from sancodec.structure.grids import Grid, Grids
from sancodec.structure.lattices import find_grid
from sancodec.structure.resampling import MAX_MAGNITUDE, Resampling
from sancodec.structure.rules import Derivation, Rule
from sancodec.structure.splines import detect
from sancodec.structure.stages import Stage
from sancodec.structure.structure import Structure
from sancodec.structure.unresampling import with_rounding

_PART = 4096
_N_PARTS = 6
_MIN_SAMPLES = 64
_MAX_ROUNDS = 2
_LEAD_BITS = 0.1
_MAX_SHARE_OFF, _MOST_OFF = 0.005, 0.015
_PER_MISFIT = 12.0
"""Samples that need not be coded at all make up for one that is told apart."""


def find(
    samples: NDArray[np.int32],
    fs: float,
    *,
    resampling: bool = True,
    channels: Sequence[Channel] = (),
) -> Structure | None:
    """Give what the samples hide, checked on every one of them; None where it is nothing.

    Parameters
    ----------
    samples : (n_leads, n_samples) int32
        In ADC units.
    fs : float
        In Hz.
    resampling : bool
        Whether to look for a resampling too.
    channels : sequence of Channel, optional
        One for each lead: grids are looked for by what they say of its physical values, too.
    """
    if samples.shape[1] < _MIN_SAMPLES:
        return None
    leads = samples.astype(np.int64)
    for structure in _candidates(leads, fs if resampling else None, channels):
        if holds(structure, samples):
            return structure
    return None


def holds(structure: Structure, samples: NDArray[np.int32]) -> bool:
    """Tell whether (n_leads, n_samples) samples follow from a structure, but for a few."""
    apart = structure.forward(samples)
    if apart is None:
        return False
    n_saved = samples.size - apart[0].size
    return len(apart[1]) <= max(
        _MAX_SHARE_OFF * samples.size, min(n_saved / _PER_MISFIT, _MOST_OFF * samples.size)
    )


def _candidates(
    leads: NDArray[np.int64], fs: float | None, channels: Sequence[Channel]
) -> Iterator[Structure]:
    """Give what may be, the best first; each is worked out only when the one before was wrong."""
    outer = _grids_and_rules(leads, channels)
    inside = leads
    for stage in outer:
        inside = stage.enter(inside)
    for resampling in _resamplings(inside, fs) if fs is not None else ():
        inner = _grids_and_rules(inside[:, resampling.meets(inside.shape[1])], ())
        best = with_rounding(resampling, inner, inside)
        if best is not None:
            yield Structure(n_leads=len(leads), stages=(*outer, *best))
    if outer:
        yield Structure(n_leads=len(leads), stages=tuple(outer))


def _grid_stages(leads: NDArray[np.int64], channels: Sequence[Channel]) -> list[Grids]:
    """Give grids of the leads, and grids of the indices of these."""
    stages: list[Grids] = []
    for _ in range(_MAX_ROUNDS):
        known: list[Grid] = []
        grids = [
            _grid_of(lead, known, channel)
            for lead, channel in zip_longest(leads, channels[: len(leads)])
        ]
        if not any(grids):
            break
        stages.append(Grids(grids=tuple(grids)))
        leads = stages[-1].enter(leads)
        channels = ()
    return stages


def _grid_of(lead: NDArray[np.int64], known: list[Grid], channel: Channel | None) -> Grid | None:
    start = max((lead.size - _PART) // 2, 0)
    part = lead[start : start + _PART]
    grid = find_grid(part, known, channel)
    if grid is not None and part.size < lead.size:
        off = np.count_nonzero(grid.values(grid.index_of(lead)) != lead)
        if off:
            # A few values that are on no grid may hide it from all of the lead, not from each part.
            parts = np.array_split(lead, _N_PARTS)
            others = (find_grid(part[:_PART]) for part in parts)
            grid = find_grid(lead, [grid, *filter(None, others), *known], channel)
    if grid is not None and grid not in known:
        known.append(grid)
        known.sort(key=lambda other: -other.step)
    return grid


def _grids_and_rules(
    leads: NDArray[np.int64], channels: Sequence[Channel]
) -> list[Derivation | Grids]:
    """Give grids, and rules before and behind them, so that the least is left to be coded."""
    grids, levels = _grid_stages(leads, channels), [leads]
    for stage in grids:
        levels.append(stage.enter(levels[-1]))
    file_order = list(range(len(leads)))
    coarse_first = sorted(file_order, key=lambda i: -_step(grids, i))
    orders = [file_order] if coarse_first == file_order else [coarse_first, file_order]
    n_levels = range(len(levels))
    plans = [
        _derive(levels, order, depths)
        for order in orders
        for depths in ([*reversed(n_levels)], [*n_levels])[: 2 if grids else 1]
    ]
    if len(plans) == 1:
        return _stages_of(grids, plans[0], len(leads))
    # Of two that leave the same, the one that is told in fewer bytes.
    candidates = [
        (round(_cost(levels[-1], plan), 1), _stages_of(grids, plan, len(leads))) for plan in plans
    ]
    return min(candidates, key=lambda each: (each[0], _n_bytes(each[1])))[1]


def _n_bytes(stages: Sequence[Stage]) -> int:
    return len(Structure(n_leads=0, stages=tuple(stages)).to_bytes())


def _step(grids: Sequence[Grids], lead: int) -> float:
    step = 1.0
    for stage in grids:
        grid = stage.grids[lead]
        step *= 1.0 if grid is None else grid.step
    return step


def _derive(
    levels: list[NDArray[np.int64]], order: list[int], depths: Sequence[int]
) -> list[dict[int, Rule]]:
    """Give the rules of each level, looking at the levels in the order of ``depths``."""
    plan: list[dict[int, Rule]] = [{} for _ in levels]
    left = order
    for depth in depths:
        # What a rule further inside is made of has to be there before the rules outside are used.
        needed = {
            term.lead
            for rules in plan[depth + 1 :]
            for rule in rules.values()
            for term in rule.terms
        }
        plan[depth] = find_rules(levels[depth], left, needed)
        left = [lead for lead in left if lead not in plan[depth]]
    return plan


def _cost(innermost: NDArray[np.int64], plan: list[dict[int, Rule]]) -> float:
    """Estimate the bits a sample of the leads that stay, from their differences."""
    derived = {lead for rules in plan for lead in rules}
    steps = np.diff(innermost[:, :2048].astype(np.float64), axis=1)
    directions = np.zeros((0, steps.shape[1]))
    bits = 0.0
    for lead in range(len(innermost)):
        if lead in derived:
            continue
        rest = steps[lead] - (directions @ steps[lead]) @ directions
        power = float(rest @ rest)
        bits += 0.5 * np.log2(1.0 + 17.0 * power / rest.size)
        # And what a lead costs that tells nothing.
        bits += _LEAD_BITS
        if power > 1e-6:
            directions = np.concatenate([directions, rest[None] / np.sqrt(power)])
    return bits


def _stages_of(
    grids: list[Grids], plan: list[dict[int, Rule]], n_leads: int
) -> list[Derivation | Grids]:
    stages: list[Derivation | Grids] = []
    left = list(range(n_leads))
    for depth, rules in enumerate(plan):
        if rules:
            number = {lead: i for i, lead in enumerate(left)}
            renumbered = {number[lead]: _renumbered(rule, number) for lead, rule in rules.items()}
            stages.append(Derivation(n_outside=len(left), rules=renumbered))
            left = [lead for lead in left if lead not in rules]
        if depth < len(grids):
            stage = Grids(grids=tuple(grids[depth].grids[lead] for lead in left))
            if any(stage.grids):
                stages.append(stage)
    return stages


def _renumbered(rule: Rule, number: dict[int, int]) -> Rule:
    return replace(rule, terms=tuple(replace(term, lead=number[term.lead]) for term in rule.terms))


def _resamplings(leads: NDArray[np.int64], fs: float) -> list[Resampling]:
    """Give the ways in which the leads may have been resampled, the likeliest first."""
    if not leads.size or np.abs(leads).max() > MAX_MAGNITUDE:
        return []
    busiest = int(np.count_nonzero(np.diff(leads), axis=1).argmax())
    start = max((leads.shape[1] - _PART) // 2, 0)
    found = detect(leads[busiest, start : start + _PART], fs, start)
    return [replace(stage, n_leads=len(leads)) for stage in found]
