"""One lead of a block-wise predicted chunk, walked through in either direction.

Where ``words`` is None a function encodes, otherwise it decodes from them: Numba compiles the two
apart, and neither waits for branches of the other. Coefficients are multiples of powers of two;
all other arithmetic that the decoder repeats is binary64 with + - * / in the order written here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.adaptive import put_number, put_signed, take_number, take_signed
from sancodec.entropy.compiled import compiled
from sancodec.entropy.ladder import Ladder, put_step, step_of, take_step
from sancodec.residual.taps import Taps, add_tap
from sancodec.residual.template import MARGIN, Beats, TemplateState, expect_beat, learn_beat

BLOCK = 32_768
PAD = 32
N_OWN = 24
N_FEATURES = 7
"""Three moving averages, phase, leads before at this sample and around it, and 1."""
SPEEDS = (0.25, 0.0625, 0.0078125)
WEIGHT_BITS = 6
MAX_EXPONENT = 30
MAX_COEFFICIENT = 1 << 24
N_FIELDS = 8
"""Fields of the numbers that are sent; each kind of regressor has one for its coefficients."""
FIRST_SAMPLE, SCALE, EXPONENT, OWN, OTHER, SAN, EXPECTED, OTHER_SAN = range(N_FIELDS)

_RECENT = 4
_SEGMENT = 1024
_LIMIT = float(1 << 34)
_LOWEST, _HIGHEST = -(1 << 31), (1 << 31) - 1


class LeadContext(NamedTuple):
    """What is known of a lead before its first sample.

    ``taps`` has the lead's own differences first and, of leads with beats, what is expected at
    ``expected``; ``near`` and ``around`` are mean magnitudes of leads coded before, ``loud``
    (all (n_samples,) float64) is filled by phase, like what is expected.
    """

    taps: Taps
    fields: NDArray[np.int64]
    san: NDArray[np.float64]
    expected: NDArray[np.float64]
    loud: NDArray[np.float64]
    near: NDArray[np.float64]
    around: NDArray[np.float64]
    beats: Beats


class LeadModel(NamedTuple):
    """What is sent of a lead ahead of its residuals.

    ``exponents`` is (n_blocks, n_sources), ``integers`` (n_blocks, n_regressors), ``scale``
    (N_FEATURES + 1,) the weights and the moving averages' start in units of 2**-WEIGHT_BITS.
    """

    exponents: NDArray[np.int64]
    integers: NDArray[np.int64]
    scale: NDArray[np.int64]


class LeadTrace(NamedTuple):
    """What is known of a lead once its samples are; it grows as they become known."""

    difference: NDArray[np.float64]
    left: NDArray[np.float64]
    magnitude: NDArray[np.float64]


class Work(NamedTuple):
    """Numbers that a walk needs besides: float64, each filled as the walk comes to it.

    ``coefficients`` is (n_blocks, n_regressors), ``weights`` (N_FEATURES,), ``averages`` (3,);
    ``step`` and ``scale`` (n_samples) are the parts that the lead's own samples have no part in.
    """

    coefficients: NDArray[np.float64]
    weights: NDArray[np.float64]
    averages: NDArray[np.float64]
    step: NDArray[np.float64]
    scale: NDArray[np.float64]


class Coder(NamedTuple):
    """Tables, contexts of the numbers, symbols to append to, and the decoder's cursor."""

    tables: Ladder
    contexts: NDArray[np.int64]
    symbols: NDArray[np.int64]
    cursor: NDArray[np.int64]


@compiled
def put_model(model: LeadModel, context: LeadContext, coder: Coder, n_symbols: int) -> int:
    """Append what is sent of a lead; give the new number of symbols."""
    contexts, symbols = coder.contexts, coder.symbols
    for i in range(model.scale.size):
        n_symbols = put_number(symbols, n_symbols, contexts, SCALE, model.scale[i])
    for block in range(model.exponents.shape[0]):
        column = 0
        for i in range(model.exponents.shape[1]):
            exponent = model.exponents[block, i]
            n_symbols = put_number(symbols, n_symbols, contexts, EXPONENT, exponent)
            for j in range(column, column + context.taps.n_taps[i]):
                n_symbols = put_signed(
                    symbols, n_symbols, contexts, context.fields[i], model.integers[block, j]
                )
            column += context.taps.n_taps[i]
    return n_symbols


@compiled
def take_model(
    words: NDArray[np.uint32], model: LeadModel, context: LeadContext, coder: Coder
) -> bool:
    """Fill ``model``; False if a number is out of range."""
    contexts, cursor = coder.contexts, coder.cursor
    for i in range(model.scale.size):
        model.scale[i] = take_number(words, cursor, contexts, SCALE)
    for block in range(model.exponents.shape[0]):
        column = 0
        for i in range(model.exponents.shape[1]):
            exponent = take_number(words, cursor, contexts, EXPONENT)
            model.exponents[block, i] = exponent
            if exponent > MAX_EXPONENT or cursor[2]:
                return False
            for j in range(column, column + context.taps.n_taps[i]):
                integer = take_signed(words, cursor, contexts, context.fields[i])
                if abs(integer) > MAX_COEFFICIENT:
                    return False
                model.integers[block, j] = integer
            column += context.taps.n_taps[i]
    return True


@compiled
def _prepare(
    context: LeadContext, template: TemplateState, trace: LeadTrace, next_beat: int, begin: int
) -> int:
    """Learn from the beats that ended and expect those that begin; give the next one."""
    beats = context.beats
    while next_beat < beats.start.size and beats.start[next_beat] - MARGIN <= begin:
        if next_beat > 0:
            learn_beat(template, beats, next_beat - 1, begin, trace.left, trace.magnitude)
        expect_beat(template, beats, next_beat, context.expected, context.loud, PAD)
        next_beat += 1
    return next_beat


@compiled
def _stop_of(beats: Beats, next_beat: int, begin: int, limit: int) -> int:
    stop = min(begin + _SEGMENT, limit)
    if next_beat < beats.start.size:
        stop = min(stop, beats.start[next_beat] - MARGIN)
    return stop


@compiled
def rehearse(context: LeadContext, template: TemplateState, trace: LeadTrace) -> None:
    """Fill what is expected, and how loud, from samples that are all known (encoder)."""
    begin, next_beat = 1, 0
    while begin < trace.left.size:
        next_beat = _prepare(context, template, trace, next_beat, begin)
        begin = _stop_of(context.beats, next_beat, begin, trace.left.size)


@compiled
def _sum_known(context: LeadContext, work: Work, block: int, begin: int, stop: int) -> None:
    """Sum the parts of prediction and scale that the lead's own samples have no part in."""
    taps, coefficients, weights = context.taps, work.coefficients[block], work.weights
    for t in range(begin, stop):
        work.step[t] = 0.0
    column = taps.n_taps[0]
    for i in range(1, taps.n_taps.size):
        part = coefficients[column : column + taps.n_taps[i]]
        add_tap(work.step, taps.sources[i], PAD + taps.first[i], part, begin, stop)
        column += taps.n_taps[i]
    for t in range(begin, stop):
        known = weights[6] + weights[3] * context.loud[t]
        work.scale[t] = (known + weights[4] * context.near[t]) + weights[5] * context.around[t]


@compiled
def _older(coefficients: NDArray[np.float64], difference: NDArray[np.float64], first: int) -> float:
    """Sum the own past from ``first`` on but for the last _RECENT samples, which are not stored."""
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    for i in range(0, N_OWN - _RECENT, 4):
        s0 += coefficients[i] * difference[first + i]
        s1 += coefficients[i + 1] * difference[first + i + 1]
        s2 += coefficients[i + 2] * difference[first + i + 2]
        s3 += coefficients[i + 3] * difference[first + i + 3]
    return (s0 + s1) + (s2 + s3)


@compiled
def _code_segment(  # noqa: PLR0917
    words: NDArray[np.uint32] | None,
    samples: NDArray[np.int64],
    begin: int,
    stop: int,
    n_symbols: int,
    coefficients: NDArray[np.float64],
    work: Work,
    trace: LeadTrace,
    coder: Coder,
) -> int:
    """Code or decode samples ``begin`` to ``stop``; give the number of symbols put so far."""
    # Looked up once: every look-up of an array counts its references.
    difference, magnitudes, averages = trace.difference, trace.magnitude, work.averages
    known_step, known_scale = work.step, work.scale
    tables, symbols = coder.tables, coder.symbols
    c1, c2 = coefficients[N_OWN - 1], coefficients[N_OWN - 2]
    c3, c4 = coefficients[N_OWN - 3], coefficients[N_OWN - 4]
    at = begin + PAD
    d1, d2 = difference[at - 1], difference[at - 2]
    d3, d4 = difference[at - 3], difference[at - 4]
    w0, w1, w2 = work.weights[0], work.weights[1], work.weights[2]
    m0, m1, m2 = averages[0], averages[1], averages[2]
    state, word = coder.cursor[0], coder.cursor[1]
    before = samples[begin - 1]
    for t in range(begin, stop):
        rest = known_step[t] + _older(coefficients, difference, t + PAD - N_OWN)
        guess = (((rest + c4 * d4) + c3 * d3) + c2 * d2) + c1 * d1
        if not abs(guess) < _LIMIT:
            guess = 0.0
        quarters = int(np.floor(guess * 4.0 + 0.5))
        base, quarter = before + (quarters >> 2), quarters & 3
        step, shift = step_of(((known_scale[t] + w2 * m2) + w1 * m1) + w0 * m0)
        if words is None:
            sample = samples[t]
            value = sample - base
            n_symbols = put_step(tables, step, shift, quarter, value, symbols, n_symbols)
        else:
            value, state, word = take_step(tables, step, shift, quarter, words, state, word)
            sample = base + value
            if not _LOWEST <= sample <= _HIGHEST:
                # What follows would be made of garbage, which arithmetic need not survive.
                coder.cursor[2] = 1
                return n_symbols
            samples[t] = sample
        magnitude = abs(value * 4 - quarter) * 0.25
        magnitudes[t] = magnitude
        m0 += (magnitude - m0) * SPEEDS[0]
        m1 += (magnitude - m1) * SPEEDS[1]
        m2 += (magnitude - m2) * SPEEDS[2]
        d4, d3, d2, d1 = d3, d2, d1, float(sample - before)
        difference[t + PAD] = d1
        before = sample
    averages[0], averages[1], averages[2] = m0, m1, m2
    if words is not None:
        coder.cursor[0], coder.cursor[1] = state, word
        if word > words.size:
            coder.cursor[2] = 1
    return n_symbols


@compiled
def code_lead(  # noqa: PLR0917
    words: NDArray[np.uint32] | None,
    samples: NDArray[np.int64],
    n_symbols: int,
    context: LeadContext,
    template: TemplateState,
    work: Work,
    trace: LeadTrace,
    coder: Coder,
) -> int:
    """Walk through one lead; a segment ends with its block or where a beat has to be prepared.

    Gives the number of symbols put so far; ``coder.cursor[2]`` is set if decoding failed.
    """
    n_samples, n_blocks = samples.size, work.coefficients.shape[0]
    if n_samples == 0:
        return n_symbols
    if words is None:
        n_symbols = put_signed(coder.symbols, n_symbols, coder.contexts, FIRST_SAMPLE, samples[0])
    else:
        samples[0] = take_signed(words, coder.cursor, coder.contexts, FIRST_SAMPLE)
        if not _LOWEST <= samples[0] <= _HIGHEST:
            coder.cursor[2] = 1
    begin, next_beat = 1, 0
    while begin < n_samples and not coder.cursor[2]:
        next_beat = _prepare(context, template, trace, next_beat, begin)
        block = min(begin // BLOCK, n_blocks - 1)
        limit = n_samples if block == n_blocks - 1 else (block + 1) * BLOCK
        stop = _stop_of(context.beats, next_beat, begin, limit)
        _sum_known(context, work, block, begin, stop)
        n_symbols = _code_segment(
            words, samples, begin, stop, n_symbols, work.coefficients[block], work, trace, coder
        )
        for t in range(begin, stop):
            trace.left[t] = trace.difference[t + PAD] - context.san[t + PAD]
        begin = stop
    return n_symbols
