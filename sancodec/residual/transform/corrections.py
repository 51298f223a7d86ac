"""What brings samples that are off by too much within their bound: seldom, and in large steps.

A correction of c moves a sample by c (2 e + 1), e being the bound. Whether there is one is
foretold from those before it, from those of the lead before, and from the phase of the beat.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.entropy.mixer import DecisionCoder, decisions_of, payload_of, room_for
from sancodec.entropy.rans import at_end
from sancodec.errors import CorruptError
from sancodec.residual.template import Beats
from sancodec.residual.transform.model import Model, decide, new_model

MAX_CORRECTION = 32
"""Samples that need larger ones are not for the transform."""

_STRETCH = 1 << 12
_IS_ONE, _IS_NEGATIVE, _IS_LARGER = range(3)
_N_KINDS = 3
_SIZE = 1 << 11
_N_RATES = 16
_N_AGES = 64
_LATELY = 1.0 / 24.0


@compiled
def _choose(model: Model, kind: int, near: NDArray[np.int64]) -> None:
    """Choose contexts by what ``_look`` found."""
    context, chosen = model.context, model.chosen
    before, that, other, around, rate, age = near[0], near[1], near[2], near[3], near[4], near[5]
    context[0] = (before * 5 + that) * 5 + other
    context[1] = rate * 5 + before
    context[2] = age * 5 + before
    context[3] = (other * 4 + around) * 5 + before
    context[4] = (rate * 4 + around) * 5 + other
    context[5] = (rate * 5 + before) * 5 + that
    context[6] = (age >> 1) * _N_RATES + rate
    for k in range(context.size):
        context[k] += (k * _N_KINDS + kind) * _SIZE
    chosen[0] = kind
    chosen[1] = _N_KINDS + kind * 4 + around
    chosen[2] = _N_KINDS * 5 + kind * _N_RATES + rate


@compiled
def _class_of(correction: int) -> int:
    return min(max(correction, -2), 2) + 2


@compiled
def _look(  # noqa: PLR0917
    row: NDArray[np.int64],
    other: NDArray[np.int64],
    t: int,
    lately: float,
    age: int,
    near: NDArray[np.int64],
) -> None:
    """Find the two corrections before, those of the other lead around, their rate, the phase."""
    near[0] = _class_of(row[t - 1]) if t > 0 else 2
    near[1] = _class_of(row[t - 2]) if t > 1 else 2
    near[2] = _class_of(other[t])
    around = 0
    for k in range(max(t - 1, 0), min(t + 2, other.size)):
        around += 1 if other[k] else 0
    near[3] = around
    near[4] = min(int(lately * 32.0), _N_RATES - 1)
    near[5] = age


@compiled
def _age_of(beats: Beats, next_beat: int, t: int, unit: int) -> int:
    if next_beat == 0:
        return 0
    return int(min((t - beats.start[next_beat - 1]) // unit + 1, _N_AGES - 1))


@compiled
def _code_rest(
    decoding: bool, correction: int, near: NDArray[np.int64], model: Model, coder: DecisionCoder
) -> int:
    """Code or decode a correction of which it is known that it is not 0; give it."""
    _choose(model, _IS_NEGATIVE, near)
    negative = decide(decoding, 1 if correction < 0 else 0, model, coder)
    goal = abs(correction)
    size = 1
    while size < MAX_CORRECTION:
        _choose(model, _IS_LARGER, near)
        if not decide(decoding, 1 if goal > size else 0, model, coder):
            break
        size += 1
    return -size if negative else size


@compiled
def _code_stretch(  # noqa: PLR0917
    decoding: bool,
    row: NDArray[np.int64],
    other: NDArray[np.int64],
    at: NDArray[np.float64],
    begin: int,
    end: int,
    beats: Beats,
    unit: int,
    model: Model,
    coder: DecisionCoder,
) -> None:
    """Code or decode samples ``begin`` to ``end``; ``at`` holds the rate and the beats begun."""
    near = np.zeros(6, np.int64)
    next_beat = int(at[1])
    for t in range(begin, end):
        while next_beat < beats.start.size and beats.start[next_beat] <= t:
            next_beat += 1
        _look(row, other, t, at[0], _age_of(beats, next_beat, t, unit), near)
        _choose(model, _IS_ONE, near)
        correction = 0
        if decide(decoding, 1 if row[t] else 0, model, coder):
            correction = _code_rest(decoding, row[t], near, model, coder)
        row[t] = correction
        at[0] += ((1.0 if correction else 0.0) - at[0]) * _LATELY
        if decoding and coder.cursor[2]:
            return
    at[1] = float(next_beat)


def _walk(
    rows: NDArray[np.int64], coder: DecisionCoder, beats: Beats, clock: float, decoding: bool
) -> list[NDArray[np.uint32]]:
    """Code or decode (n_leads, n_samples) corrections in place; give the decisions put."""
    model = new_model(7 * _N_KINDS * _SIZE, _N_KINDS * (5 + _N_RATES))
    unit = max(int(min(clock, 1e6) / 48.0), 1)
    other = np.zeros(rows.shape[1], np.int64)
    decisions = []
    for row in rows:
        at = np.zeros(2)
        for begin in range(0, row.size, _STRETCH):
            coder.n_decisions[0] = 0
            end = min(begin + _STRETCH, row.size)
            _code_stretch(decoding, row, other, at, begin, end, beats, unit, model, coder)
            decisions.append(coder.decisions[: coder.n_decisions[0]].copy())
            if coder.cursor[2]:
                return decisions
        other = row
    return decisions


def encode_corrections(corrections: NDArray[np.int64], beats: Beats, clock: float) -> bytes:
    """Code (n_leads, n_samples) corrections of magnitudes up to MAX_CORRECTION.

    Parameters
    ----------
    beats : Beats
        Those of all leads.
    clock : float
        Sampling frequency, in Hz; sets how finely phases are told apart.
    """
    rows = corrections.copy()
    room = (MAX_CORRECTION + 2) * min(_STRETCH, rows.shape[1])
    coder = room_for(room)
    decisions = _walk(rows, coder, beats, clock, False)
    return payload_of(decisions)


def decode_corrections(
    payload: bytes, shape: tuple[int, int], beats: Beats, clock: float
) -> NDArray[np.int64]:
    """Give back the (n_leads, n_samples) corrections of ``encode_corrections``.

    Raises
    ------
    CorruptError
        The payload does not end where its corrections do.
    """
    coder = decisions_of(payload, "corrections")
    rows = np.zeros(shape, np.int64)
    _walk(rows, coder, beats, clock, True)
    if not at_end(coder.words, coder.cursor):
        raise CorruptError("corrections: the payload does not end where they do")
    return rows
