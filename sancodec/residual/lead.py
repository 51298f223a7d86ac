"""What a decoder knows of a lead: before its first sample, and as its samples become known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.residual.template import Beats, TemplateState

PAD = 32
"""Zeros on either side of a series, so that look-back and look-ahead need no bounds."""
N_OWN = 16
LOOK_AHEAD = 2
SAN_BACK = 8
EXPECTED_BACK = 2
FEW_BACK, MANY_BACK = 5, 2
"""Samples back of each lead coded before: where these are few, and from MANY_LEADS on."""
MANY_LEADS = 3
MAX_LEADS_BEFORE = 12


class LeadContext(NamedTuple):
    """What the decoder knows of a lead before its first sample.

    ``others`` and ``others_san`` (leads coded before, n_samples + 2 PAD), ``san`` and
    ``expected`` (n_samples + 2 PAD) are first differences in ADC units, sample t at index
    t + PAD; ``near`` and ``around`` (n_samples) are magnitudes of leads coded before;
    ``expected`` and ``loud`` (n_samples) fill up as beats are learned.
    """

    others: NDArray[np.float64]
    n_back: int
    others_san: NDArray[np.float64]
    san: NDArray[np.float64]
    expected: NDArray[np.float64]
    near: NDArray[np.float64]
    around: NDArray[np.float64]
    loud: NDArray[np.float64]
    beats: Beats
    template: TemplateState


class LeadTrace(NamedTuple):
    """What is known of a lead once its samples are; it grows as they become known.

    ``difference`` (n_samples + PAD) has sample t at t + PAD; ``left`` (n_samples) is what the SAN
    reconstruction leaves of it; ``error`` (n_samples + N_OWN) what the least squares leave, at
    t + N_OWN; ``magnitude`` (n_samples) that of the whole residual.
    """

    difference: NDArray[np.float64]
    left: NDArray[np.float64]
    error: NDArray[np.float64]
    magnitude: NDArray[np.float64]


def new_trace(n_samples: int) -> LeadTrace:
    """Give the trace of a lead of which nothing is known."""
    return LeadTrace(
        difference=np.zeros(n_samples + PAD),
        left=np.zeros(n_samples),
        error=np.zeros(n_samples + N_OWN),
        magnitude=np.zeros(n_samples),
    )


def differences(signal: NDArray[np.int64], scale: float, pad: int = PAD) -> NDArray[np.float64]:
    """Give scaled first differences with ``pad`` zeros on either side; that of sample 0 is 0."""
    padded = np.zeros(signal.size + 2 * pad)
    padded[pad + 1 : pad + signal.size] = np.diff(signal) * scale
    return padded


def near_and_around(
    magnitudes: list[NDArray[np.float64]], n_samples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average the magnitudes of leads coded before: at t and its neighbours, and two away."""
    total = np.zeros(n_samples + 4)
    for magnitude in magnitudes:
        total[2:-2] += magnitude
    total = total / max(len(magnitudes), 1)
    near = (0.25 * total[1:-3] + 0.5 * total[2:-2]) + 0.25 * total[3:-1]
    around = 0.5 * total[:-4] + 0.5 * total[4:]
    return near, around


def count_regressors(context: LeadContext) -> int:
    """Count the lead's own past and what ``fill_known`` writes."""
    n = N_OWN + len(context.others) * (LOOK_AHEAD + context.n_back + 1)
    if context.beats.start.size > 0:
        n += 2 * (LOOK_AHEAD + 1) + SAN_BACK + EXPECTED_BACK
        n += len(context.others_san) * (2 * LOOK_AHEAD + 1)
    return n


@compiled
def fill_known(context: LeadContext, rows: NDArray[np.float64], begin: int, stop: int) -> None:
    """Write the regressors that do not depend on the lead's own samples from ``begin`` on."""
    n_other = LOOK_AHEAD + context.n_back + 1
    for k in range(stop - begin):
        row = rows[k]
        column = N_OWN
        first = begin + k + PAD - context.n_back
        for lead in range(context.others.shape[0]):
            for j in range(n_other):
                row[column + j] = context.others[lead, first + j]
            column += n_other
        if context.beats.start.size > 0:
            first = begin + k + PAD - SAN_BACK
            for j in range(LOOK_AHEAD + SAN_BACK + 1):
                row[column + j] = context.san[first + j]
            column += LOOK_AHEAD + SAN_BACK + 1
            first = begin + k + PAD - EXPECTED_BACK
            for j in range(LOOK_AHEAD + EXPECTED_BACK + 1):
                row[column + j] = context.expected[first + j]
            column += LOOK_AHEAD + EXPECTED_BACK + 1
            first = begin + k + PAD - LOOK_AHEAD
            for lead in range(context.others_san.shape[0]):
                for j in range(2 * LOOK_AHEAD + 1):
                    row[column + j] = context.others_san[lead, first + j]
                column += 2 * LOOK_AHEAD + 1
