"""What the decoder learns of each class of beat on top of the kernels that were sent.

A beat holds from ``before`` samples ahead of its position until the next beat begins. For each
class of beat the running mean of what the SAN reconstruction left of past beats (in first
differences, so that baseline does not matter) predicts the next one, and the running mean of the
residual's magnitude at the same phase tells how loud it will be.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled

BEFORE_SECONDS = 80 / 360
LENGTH_SECONDS = 480 / 360
MARGIN = 4
"""Samples ahead of a beat by which it is prepared: its regressors look that far ahead."""

_SLOWEST_RATE = 0.05
# Of signals far faster than any biosignal a beat is cut short, so that memory stays bounded.
_MAX_SAMPLES = float(1 << 16)

# Cubic interpolation at a quarter, a half and three quarters between the middle two of four
# samples; multiples of 1/128, so exact in binary.
_CUBIC = (
    np.array(
        [
            [0.0, 128.0, 0.0, 0.0],
            [-9.0, 111.0, 29.0, -3.0],
            [-8.0, 72.0, 72.0, -8.0],
            [-3.0, 29.0, 111.0, -9.0],
        ]
    )
    / 128.0
)


class Beats(NamedTuple):
    """Beats of one chunk, in the order of their positions."""

    start: NDArray[np.int64]
    """(n_beats,) first sample that the beat explains; may be negative."""
    quarter: NDArray[np.int64]
    """(n_beats,) the position's quarters of a sample, 0 to 3."""
    kernel: NDArray[np.int64]
    """(n_beats,) the class: which kernel was activated."""


class Beating(Protocol):
    """What a walk knows of a lead's beats; arrays as of ``learn_beat`` and ``expect_beat``."""

    @property
    def template(self) -> TemplateState:
        """What was learned."""

    @property
    def beats(self) -> Beats:
        """Those of the lead."""

    @property
    def expected(self) -> NDArray[np.float64]:
        """Fills up beat by beat."""

    @property
    def loud(self) -> NDArray[np.float64]:
        """Fills up beat by beat."""


class TemplateState(NamedTuple):
    """Running means by class and phase; ``n_seen`` is the number of beats seen of each class."""

    shape: NDArray[np.float64]
    magnitude: NDArray[np.float64]
    n_seen: NDArray[np.float64]


def beats_of(position: NDArray[np.int64], kernel: NDArray[np.int64], fs: float) -> Beats:
    """Give the beats of activations at ``position`` (quarter samples, not decreasing)."""
    before = int(min(BEFORE_SECONDS * fs, _MAX_SAMPLES))
    return Beats(start=(position >> 2) - before, quarter=position & 3, kernel=kernel)


def new_template_state(n_kernels: int, fs: float) -> TemplateState:
    """Give the state at the start of a lead: nothing learned."""
    length = max(int(min(LENGTH_SECONDS * fs, _MAX_SAMPLES)), 8)
    return TemplateState(
        shape=np.zeros((n_kernels, length)),
        magnitude=np.zeros((n_kernels, length)),
        n_seen=np.zeros(n_kernels),
    )


@compiled
def learn_beat(  # noqa: PLR0917
    state: TemplateState,
    beats: Beats,
    i: int,
    stop: int,
    left: NDArray[np.float64],
    magnitude: NDArray[np.float64],
) -> None:
    """Let the class of beat ``i`` learn from the samples before ``stop``.

    Parameters
    ----------
    left : (n_samples,) float64
        First differences of the signal less those of the SAN reconstruction.
    magnitude : (n_samples,) float64
        Magnitudes of the residual.
    """
    kernel, start, quarter = beats.kernel[i], beats.start[i], beats.quarter[i]
    state.n_seen[kernel] += 1.0
    rate = max(1.0 / state.n_seen[kernel], _SLOWEST_RATE)
    shape, loudness = state.shape[kernel], state.magnitude[kernel]
    first = max(0, 1 - start)
    last = min(shape.size, stop - start - 3)
    c0, c1, c2, c3 = _CUBIC[quarter]
    for phase in range(first, last):
        t = start + phase
        seen = ((c0 * left[t - 1] + c1 * left[t]) + c2 * left[t + 1]) + c3 * left[t + 2]
        shape[phase] += rate * (seen - shape[phase])
        loud = (0.25 * magnitude[t - 1] + 0.5 * magnitude[t]) + 0.25 * magnitude[t + 1]
        loudness[phase] += rate * (loud - loudness[phase])


@compiled
def expect_beat(  # noqa: PLR0917
    state: TemplateState,
    beats: Beats,
    i: int,
    expected: NDArray[np.float64],
    loud: NDArray[np.float64],
    pad: int,
) -> None:
    """Write what is expected of beat ``i`` into ``expected`` and ``loud``.

    Parameters
    ----------
    expected : (n_samples + 2 * pad,) float64
        First differences that the kernels will leave; sample t stands at ``t + pad``.
    loud : (n_samples,) float64
        Mean magnitude of the residual.
    """
    kernel, start, quarter = beats.kernel[i], beats.start[i], beats.quarter[i]
    if state.n_seen[kernel] == 0.0:
        return
    shape, loudness = state.shape[kernel], state.magnitude[kernel]
    stop = loud.size
    if i + 1 < beats.start.size:
        stop = min(stop, beats.start[i + 1])
    offset = 1 if quarter == 0 else 2
    c0, c1, c2, c3 = _CUBIC[(4 - quarter) & 3]
    for phase in range(max(offset, -start), min(shape.size - 2, stop - start)):
        j = phase - offset
        expected[start + phase + pad] = (
            (c0 * shape[j] + c1 * shape[j + 1]) + c2 * shape[j + 2]
        ) + c3 * shape[j + 3]
        loud[start + phase] = loudness[phase]


@compiled
def prepare_beats(  # noqa: PLR0917
    context: Beating,
    left: NDArray[np.float64],
    magnitude: NDArray[np.float64],
    next_beat: int,
    begin: int,
    pad: int,
) -> int:
    """Learn and expect all beats that begin by ``begin`` + MARGIN; give the first that do not."""
    beats = context.beats
    while next_beat < beats.start.size and beats.start[next_beat] - MARGIN <= begin:
        if next_beat > 0:
            learn_beat(context.template, beats, next_beat - 1, begin, left, magnitude)
        expect_beat(context.template, beats, next_beat, context.expected, context.loud, pad)
        next_beat += 1
    return next_beat
