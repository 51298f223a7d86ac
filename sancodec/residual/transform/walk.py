"""The walk through the coefficients of a chunk, the same in both directions.

Bands come from the slowest to the fastest, in each the leads one after the other, in each lead
the coefficients in time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.entropy.mixer import PROBABILITY_BITS, DecisionCoder, room_for
from sancodec.formats.primers import TransformStart
from sancodec.residual.template import LENGTH_SECONDS, Beats
from sancodec.residual.transform.contexts import (
    AGE,
    N_CONTEXTS,
    N_SURROUNDINGS,
    N_WEIGHTS,
    Phases,
    _other_leads,
    _own_past,
    _parents,
    _past_beats,
    choose_rank,
    choose_sign,
    past_sign_class,
    set_surroundings,
)
from sancodec.residual.transform.magnitudes import (
    MAX_DECISIONS,
    choose_magnitude,
    code_magnitude,
)
from sancodec.residual.transform.model import Model, begin_primed, decide, new_model
from sancodec.residual.transform.wavelet import Band, bands_of

DEAD_ZONE = 0.55
"""Coefficients below this, in steps, are not worth asking what they would cost."""

_STRETCH = 1 << 12
_NO_PARENT = -1
_NO_AGE = 63
_SLOW_RATE = 1.0 / 16.0
_SLOWEST_PHASE = 0.05
_MAX_BEAT = float(1 << 16)


class Walk(NamedTuple):
    """All that a walk through one lead of one band reads and changes.

    ``quantised`` (n_leads, n) int32 is what is coded; ``wanted`` (n_leads, n) the coefficients in
    steps when encoding, else empty. ``others`` (n,) are the magnitudes of the leads before, added
    up. ``slow`` (1,) is the mean magnitude lately, ``at`` (2,) the next coefficient of the band
    and the number of beats begun.
    """

    quantised: NDArray[np.int32]
    wanted: NDArray[np.float64]
    others: NDArray[np.float64]
    beats: Beats
    phases: Phases
    around: NDArray[np.int64]
    slow: NDArray[np.float64]
    at: NDArray[np.int64]
    model: Model
    coder: DecisionCoder


class Place(NamedTuple):
    """One lead of one band: its number and extent, its parent's begin and size, and the lead."""

    band: int
    begin: int
    stop: int
    parent: int
    n_parents: int
    level: int
    lead: int


@compiled
def _beat_at(walk: Walk, place: Place, i: int) -> tuple[int, int]:
    """Give the class of beat that coefficient ``i`` is in and its phase; -1 ahead of the first."""
    beats = walk.beats
    low = place.band == 0
    t = (i << place.level) + (0 if low else 1 << (place.level - 1))
    n_begun = walk.at[1]
    while n_begun < beats.start.size and beats.start[n_begun] <= t:
        n_begun += 1
    walk.at[1] = n_begun
    if n_begun == 0:
        return -1, 0
    phase = (t - beats.start[n_begun - 1]) >> place.level
    return beats.kernel[n_begun - 1], min(phase, walk.phases.seen.shape[1] - 1)


@compiled
def _look_around(walk: Walk, place: Place, i: int, kernel: int, phase: int) -> None:
    row = walk.quantised[place.lead]
    parent = other = past = 0.0
    if place.parent != _NO_PARENT:
        parent = _parents(row, place.parent, place.n_parents, i)
    if place.lead > 0:
        at = place.begin + i
        other = _other_leads(walk.others, place.lead, at, place.begin, place.stop)
    walk.around[AGE] = _NO_AGE
    if kernel >= 0:
        past = _past_beats(walk.phases, kernel, phase)
        walk.around[AGE] = min(phase, _NO_AGE - 1)
    near = _own_past(row, place.begin, i)
    set_surroundings(walk.around, near, walk.slow[0], parent, other, past)


@compiled
def _sign(value: int) -> int:
    return 0 if value < 0 else 2 if value > 0 else 1


@compiled
def _code_sign(  # noqa: PLR0917
    decoding: bool, negative: int, walk: Walk, place: Place, i: int, kernel: int, phase: int
) -> int:
    row, at = walk.quantised[place.lead], place.begin + i
    other = _sign(walk.quantised[0, at]) if place.lead > 0 else 1
    before = _sign(row[at - 1]) if i > 0 else 1
    before_that = _sign(row[at - 2]) if i > 1 else 1
    past = past_sign_class(walk.phases, kernel, phase) if kernel >= 0 else 3
    choose_sign(walk.model, place.band, other, before, before_that, past)
    return decide(decoding, negative, walk.model, walk.coder)


@compiled
def _learn_phase(phases: Phases, kernel: int, phase: int, value: int) -> None:
    seen = phases.seen[kernel, phase] + 1.0
    phases.seen[kernel, phase] = seen
    rate = max(1.0 / (seen + 0.5), _SLOWEST_PHASE)
    phases.magnitude[kernel, phase] += (abs(value) - phases.magnitude[kernel, phase]) * rate
    phases.value[kernel, phase] += (value - phases.value[kernel, phase]) * rate


@compiled
def _code_stretch(decoding: bool, walk: Walk, place: Place, end: int, slope: float) -> None:
    """Code or decode the coefficients of a place up to ``end``."""
    model, coder, around = walk.model, walk.coder, walk.around
    row = walk.quantised[place.lead]
    for i in range(walk.at[0], end):
        at = place.begin + i
        kernel, phase = _beat_at(walk, place, i)
        _look_around(walk, place, i, kernel, phase)
        magnitude, negative = 0, 0
        if not decoding:
            wanted = walk.wanted[place.lead, at]
            negative = 1 if wanted < 0.0 else 0
            if abs(wanted) > DEAD_ZONE:
                magnitude = choose_magnitude(abs(wanted), slope, around, place.band, model)
        choose_rank(model, around, place.band, 0)
        value = 0
        if decide(decoding, 1 if magnitude else 0, model, coder):
            negative = _code_sign(decoding, negative, walk, place, i, kernel, phase)
            magnitude = code_magnitude(decoding, magnitude, around, place.band, model, coder)
            value = -magnitude if negative else magnitude
        row[at] = value
        walk.slow[0] += (abs(value) - walk.slow[0]) * _SLOW_RATE
        if kernel >= 0:
            _learn_phase(walk.phases, kernel, phase, value)
        if decoding and coder.cursor[2]:
            return
    walk.at[0] = end


def _phases(n_kernels: int, longest: int, level: int) -> Phases:
    shape = (n_kernels, (longest >> level) + 2)
    return Phases(np.zeros(shape), np.zeros(shape), np.zeros(shape))


def walk_through(  # noqa: PLR0917
    coder: DecisionCoder,
    quantised: NDArray[np.int32],
    wanted: NDArray[np.float64] | None,
    n_levels: int,
    beats: Beats,
    n_kernels: int,
    clock: float,
    slope: float = 0.0,
    start: TransformStart | None = None,
) -> list[NDArray[np.uint32]]:
    """Code (n_leads, n_samples) ``wanted`` coefficients, or decode them when there are none.

    Parameters
    ----------
    quantised : (n_leads, n_samples) int32
        Written to.
    wanted : (n_leads, n_samples) float64 or None
        In steps.
    beats : Beats
        Those of all leads; ``n_kernels`` bounds their classes.
    clock : float
        Sampling frequency, in Hz; sets the length of what is learned of a beat.
    slope : float
        What a bit is worth, in squared steps.
    start : TransformStart, optional
        What other records taught, if it is of as many levels.

    Returns
    -------
    list of (n_decisions,) uint32
        The decisions that were put, when encoding.
    """
    model = _begun(n_levels, start)
    layer = beats, n_kernels, clock
    return _walk(model, coder, quantised, wanted, n_levels, layer, slope)


def teach(  # noqa: PLR0917
    model: Model,
    quantised: NDArray[np.int32],
    n_levels: int,
    beats: Beats,
    n_kernels: int,
    clock: float,
) -> float:
    """Let a model see the coefficients of a record; give the bits that they take.

    Parameters as of ``walk_through``.
    """
    coder, coded = room_for_walk(quantised.shape[1]), np.zeros_like(quantised)
    layer = beats, n_kernels, clock
    wanted = quantised.astype(np.float64)
    decisions = np.concatenate(_walk(model, coder, coded, wanted, n_levels, layer, 0.0))
    one = (decisions >> 1) / float(1 << PROBABILITY_BITS)
    return float(-np.log2(np.where(decisions & 1, one, 1.0 - one)).sum())


def _walk(  # noqa: PLR0917
    model: Model,
    coder: DecisionCoder,
    quantised: NDArray[np.int32],
    wanted: NDArray[np.float64] | None,
    n_levels: int,
    layer: tuple[Beats, int, float],
    slope: float,
) -> list[NDArray[np.uint32]]:
    beats, n_kernels, clock = layer
    n_leads, n_samples = quantised.shape
    longest = int(min(LENGTH_SECONDS * clock, _MAX_BEAT))
    bands = bands_of(n_samples, n_levels)
    others = np.zeros(n_samples)
    decisions: list[NDArray[np.uint32]] = []
    for number, band in enumerate(bands):
        for lead in range(n_leads):
            walk = Walk(
                quantised=quantised,
                wanted=np.zeros((0, 0)) if wanted is None else wanted,
                others=others,
                beats=beats,
                phases=_phases(n_kernels, longest, band.level),
                around=np.zeros(N_SURROUNDINGS, np.int64),
                slow=np.zeros(1),
                at=np.zeros(2, np.int64),
                model=model,
                coder=coder,
            )
            decisions += _walk_place(walk, _place(bands, number, lead), wanted is None, slope)
            if coder.cursor[2]:
                return decisions
            row = quantised[lead, band.begin : band.stop]
            others[band.begin : band.stop] += np.abs(row)
    return decisions


def _begun(n_levels: int, start: TransformStart | None) -> Model:
    model = new_model(N_CONTEXTS, N_WEIGHTS)
    if start is not None and start.levels == n_levels:
        begin_primed(model, start)
    return model


def _walk_place(walk: Walk, place: Place, decoding: bool, slope: float) -> list[NDArray[np.uint32]]:
    decisions = []
    size = place.stop - place.begin
    for begin in range(0, size, _STRETCH):
        walk.coder.n_decisions[0] = 0
        _code_stretch(decoding, walk, place, min(begin + _STRETCH, size), slope)
        if not decoding:
            decisions.append(walk.coder.decisions[: walk.coder.n_decisions[0]].copy())
        elif walk.coder.cursor[2]:
            break
    return decisions


def _place(bands: list[Band], number: int, lead: int) -> Place:
    band = bands[number]
    # The two slowest bands have no parent: the low one is of another kind.
    parent = bands[number - 1] if number > 1 else Band(_NO_PARENT, _NO_PARENT, 0, True)
    return Place(
        band=number,
        begin=band.begin,
        stop=band.stop,
        parent=parent.begin,
        n_parents=parent.stop - parent.begin,
        level=band.level,
        lead=lead,
    )


def room_for_walk(n_samples: int) -> DecisionCoder:
    """Give the coder that a walk leaves its decisions in."""
    return room_for(MAX_DECISIONS * min(_STRETCH, n_samples))
