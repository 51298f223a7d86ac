"""Lossless residual layer of the fast level: predictors that are solved per block and sent.

The regressors are those of the default level, but the encoder solves for their coefficients once
per block and lead, rounds and sends them. So everything that does not depend on the lead's own
past is summed outside of the serial loop, and what is left in it is short. Coefficients are
multiples of powers of two; all other arithmetic that the decoder repeats is binary64 with + - * /
in the order written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sancodec.entropy.adaptive import (
    MAX_NUMBER,
    SYMBOLS_PER_NUMBER,
    new_contexts,
    put_number,
    put_signed,
    take_number,
    take_signed,
)
from sancodec.entropy.ladder import MAX_SYMBOLS, Ladder, ladder, put_step, step_of, take_step
from sancodec.entropy.rans import at_end, encode_symbols, open_words
from sancodec.errors import CorruptError
from sancodec.residual.blockfit import (
    MAX_COEFFICIENT,
    MAX_EXPONENT,
    N_FEATURES,
    SPEEDS,
    WEIGHT_BITS,
    Taps,
    add_tap,
    fit_predictor,
    fit_scale,
)
from sancodec.residual.template import (
    MARGIN,
    Beats,
    TemplateState,
    expect_beat,
    learn_beat,
    new_template_state,
)

FRACTION_BITS = 4
"""The SAN reconstruction comes in units of 2**-FRACTION_BITS ADC units."""

BLOCK = 32_768
PAD = 32
N_OWN = 24
_RECENT = 4
LOOK_AHEAD = 2
SAN_BACK = 8
EXPECTED_BACK = 2
MANY_LEADS = 3
"""From this number of leads coded before on, fewer samples of each are regressors."""
MAX_LEADS_BEFORE = 12

_SEGMENT = 1024
_LIMIT = float(1 << 34)
_LOWEST, _HIGHEST = -(1 << 31), (1 << 31) - 1
_MAX_WEIGHT = 1 << 40
# Fields of the numbers that are sent; each kind of regressor has one for its coefficients.
_FIRST_SAMPLE, _SCALE, _EXPONENT, _OWN, _OTHER, _SAN, _EXPECTED, _OTHER_SAN = range(8)
_N_FIELDS = 8


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


class Coder(NamedTuple):
    """Symbols to append to (encoding) or words to take from (decoding)."""

    tables: Ladder
    contexts: NDArray[np.int64]
    symbols: NDArray[np.int64]
    words: NDArray[np.uint32]
    cursor: NDArray[np.int64]


@njit(cache=True)
def _put_model(model: LeadModel, context: LeadContext, coder: Coder, n_symbols: int) -> int:
    contexts, symbols = coder.contexts, coder.symbols
    for i in range(model.scale.size):
        n_symbols = put_number(symbols, n_symbols, contexts, _SCALE, model.scale[i])
    for block in range(model.exponents.shape[0]):
        column = 0
        for i in range(model.exponents.shape[1]):
            exponent = model.exponents[block, i]
            n_symbols = put_number(symbols, n_symbols, contexts, _EXPONENT, exponent)
            for j in range(column, column + context.taps.count[i]):
                n_symbols = put_signed(
                    symbols, n_symbols, contexts, context.fields[i], model.integers[block, j]
                )
            column += context.taps.count[i]
    return n_symbols


@njit(cache=True)
def _take_model(model: LeadModel, context: LeadContext, coder: Coder) -> bool:
    """Fill ``model``; False if a number is out of range."""
    contexts, words, cursor = coder.contexts, coder.words, coder.cursor
    for i in range(model.scale.size):
        model.scale[i] = take_number(words, cursor, contexts, _SCALE)
    for block in range(model.exponents.shape[0]):
        column = 0
        for i in range(model.exponents.shape[1]):
            exponent = take_number(words, cursor, contexts, _EXPONENT)
            model.exponents[block, i] = exponent
            if exponent > MAX_EXPONENT or cursor[2]:
                return False
            for j in range(column, column + context.taps.count[i]):
                integer = take_signed(words, cursor, contexts, context.fields[i])
                if abs(integer) > MAX_COEFFICIENT:
                    return False
                model.integers[block, j] = integer
            column += context.taps.count[i]
    return True


@njit(cache=True)
def _prepare(  # noqa: PLR0917
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


@njit(cache=True)
def _stop_of(beats: Beats, next_beat: int, begin: int, limit: int) -> int:
    stop = min(begin + _SEGMENT, limit)
    if next_beat < beats.start.size:
        stop = min(stop, beats.start[next_beat] - MARGIN)
    return stop


@njit(cache=True)
def _rehearse(context: LeadContext, template: TemplateState, trace: LeadTrace) -> None:
    """Fill what is expected, and how loud, from samples that are all known (encoder)."""
    begin, next_beat = 1, 0
    while begin < trace.left.size:
        next_beat = _prepare(context, template, trace, next_beat, begin)
        begin = _stop_of(context.beats, next_beat, begin, trace.left.size)


@njit(cache=True)
def _sum_known(  # noqa: PLR0917
    context: LeadContext,
    coefficients: NDArray[np.float64],
    weights: NDArray[np.float64],
    begin: int,
    stop: int,
    step: NDArray[np.float64],
    scale: NDArray[np.float64],
) -> None:
    """Sum the parts of prediction and scale that the lead's own samples have no part in."""
    taps = context.taps
    for t in range(begin, stop):
        step[t] = 0.0
    column = N_OWN
    for i in range(1, taps.count.size):
        n = taps.count[i]
        add_tap(
            step,
            taps.sources[i],
            PAD + taps.first[i],
            coefficients[column : column + n],
            begin,
            stop,
        )
        column += n
    for t in range(begin, stop):
        known = weights[6] + weights[3] * context.loud[t]
        scale[t] = (known + weights[4] * context.near[t]) + weights[5] * context.around[t]


@njit(cache=True)
def _older(coefficients: NDArray[np.float64], difference: NDArray[np.float64], t: int) -> float:
    """Sum the own past but for the last _RECENT samples, which are not in memory yet."""
    past = difference[t + PAD - N_OWN :]
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    for i in range(0, N_OWN - _RECENT, 4):
        s0 += coefficients[i] * past[i]
        s1 += coefficients[i + 1] * past[i + 1]
        s2 += coefficients[i + 2] * past[i + 2]
        s3 += coefficients[i + 3] * past[i + 3]
    return (s0 + s1) + (s2 + s3)


@njit(cache=True)
def _code_segment(  # noqa: PLR0917
    decoding: bool,
    samples: NDArray[np.int64],
    begin: int,
    stop: int,
    n_symbols: int,
    coefficients: NDArray[np.float64],
    weights: NDArray[np.float64],
    known_step: NDArray[np.float64],
    known_scale: NDArray[np.float64],
    averages: NDArray[np.float64],
    trace: LeadTrace,
    coder: Coder,
) -> int:
    """Code or decode samples ``begin`` to ``stop``; give the number of symbols put so far."""
    difference, words = trace.difference, coder.words
    c1, c2 = coefficients[N_OWN - 1], coefficients[N_OWN - 2]
    c3, c4 = coefficients[N_OWN - 3], coefficients[N_OWN - 4]
    at = begin + PAD
    d1, d2 = difference[at - 1], difference[at - 2]
    d3, d4 = difference[at - 3], difference[at - 4]
    w0, w1, w2 = weights[0], weights[1], weights[2]
    m0, m1, m2 = averages[0], averages[1], averages[2]
    state, word = coder.cursor[0], coder.cursor[1]
    before = samples[begin - 1]
    for t in range(begin, stop):
        rest = known_step[t] + _older(coefficients, difference, t)
        guess = (((rest + c4 * d4) + c3 * d3) + c2 * d2) + c1 * d1
        if not abs(guess) < _LIMIT:
            guess = 0.0
        quarters = np.int64(np.floor(guess * 4.0 + 0.5))
        base, quarter = before + (quarters >> 2), quarters & 3
        step, shift = step_of(((known_scale[t] + w2 * m2) + w1 * m1) + w0 * m0)
        if decoding:
            value, state, word = take_step(coder.tables, step, shift, quarter, words, state, word)
            sample = base + value
            if not _LOWEST <= sample <= _HIGHEST:
                # What follows would be made of garbage, which arithmetic need not survive.
                coder.cursor[2] = 1
                return n_symbols
            samples[t] = sample
        else:
            sample = samples[t]
            value = sample - base
            n_symbols = put_step(
                coder.tables, step, shift, quarter, value, coder.symbols, n_symbols
            )
        magnitude = abs(value * 4 - quarter) * 0.25
        trace.magnitude[t] = magnitude
        m0 += (magnitude - m0) * SPEEDS[0]
        m1 += (magnitude - m1) * SPEEDS[1]
        m2 += (magnitude - m2) * SPEEDS[2]
        d4, d3, d2, d1 = d3, d2, d1, float(sample - before)
        difference[t + PAD] = d1
        before = sample
    averages[0], averages[1], averages[2] = m0, m1, m2
    coder.cursor[0], coder.cursor[1] = state, word
    if word > words.size:
        coder.cursor[2] = 1
    return n_symbols


@njit(cache=True)
def _code_lead(  # noqa: PLR0917
    decoding: bool,
    samples: NDArray[np.int64],
    n_symbols: int,
    context: LeadContext,
    template: TemplateState,
    coefficients: NDArray[np.float64],
    scale: NDArray[np.float64],
    trace: LeadTrace,
    coder: Coder,
) -> int:
    """Walk through one lead; a segment ends with its block or where a beat has to be prepared."""
    n_samples = samples.size
    n_blocks = coefficients.shape[0]
    known_step, known_scale = np.empty(n_samples), np.empty(n_samples)
    averages = np.array([scale[N_FEATURES], scale[N_FEATURES], scale[N_FEATURES]])
    if decoding:
        samples[0] = take_signed(coder.words, coder.cursor, coder.contexts, _FIRST_SAMPLE)
        if not _LOWEST <= samples[0] <= _HIGHEST:
            coder.cursor[2] = 1
    else:
        n_symbols = put_signed(coder.symbols, n_symbols, coder.contexts, _FIRST_SAMPLE, samples[0])
    begin, next_beat = 1, 0
    while begin < n_samples and not coder.cursor[2]:
        next_beat = _prepare(context, template, trace, next_beat, begin)
        block = min(begin // BLOCK, n_blocks - 1)
        limit = min((block + 1) * BLOCK, n_samples)
        stop = _stop_of(context.beats, next_beat, begin, limit)
        own = coefficients[block]
        _sum_known(context, own, scale, begin, stop, known_step, known_scale)
        n_symbols = _code_segment(
            decoding,
            samples,
            begin,
            stop,
            n_symbols,
            own,
            scale,
            known_step,
            known_scale,
            averages,
            trace,
            coder,
        )
        for t in range(begin, stop):
            trace.left[t] = trace.difference[t + PAD] - context.san[t + PAD]
        begin = stop
    return n_symbols


def _differences(signal: NDArray[np.int64], scale: float) -> NDArray[np.float64]:
    """Give scaled first differences with PAD zeros on either side; that of sample 0 is 0."""
    padded = np.zeros(signal.size + 2 * PAD)
    padded[PAD + 1 : PAD + signal.size] = np.diff(signal) * scale
    return padded


def _values(model: LeadModel, context: LeadContext) -> tuple[NDArray[np.float64], ...]:
    """Give (n_blocks, n_regressors) coefficients and (N_FEATURES + 1,) weights, exactly."""
    exponents = np.repeat(model.exponents, context.taps.count, axis=1)
    units = (np.int64(1) << exponents).astype(np.float64)
    return model.integers / units, model.scale / float(1 << WEIGHT_BITS)


class _Leads:
    """Leads of one chunk in the order of coding, and what each leaves to the next."""

    def __init__(
        self,
        n_samples: int,
        fs: float,
        san: NDArray[np.int32],
        beats: Sequence[Beats],
        n_kernels: int,
        coder: Coder,
    ) -> None:
        self._n_samples = n_samples
        self._fs = fs
        self._san = san
        self._beats = beats
        self._n_kernels = n_kernels
        self._coder = coder
        self._n_blocks = max(n_samples // BLOCK, 1)
        self._differences: list[NDArray[np.float64]] = []
        self._san_differences: list[NDArray[np.float64]] = []
        self._loudest = np.zeros(n_samples + 4)

    def _context(self, lead: int, own: NDArray[np.float64]) -> LeadContext:
        """Set up the regressors of a lead, whose own differences may still be zeros."""
        beats = self._beats[lead]
        before = self._differences[-MAX_LEADS_BEFORE:]
        few = len(before) < MANY_LEADS
        back = SAN_BACK if few else LOOK_AHEAD
        san = _differences(self._san[lead].astype(np.int64), 1.0 / (1 << FRACTION_BITS))
        expected = np.zeros(self._n_samples + 2 * PAD)
        plan = [(own, N_OWN, -1, _OWN)] + [(d, back, LOOK_AHEAD, _OTHER) for d in before]
        if beats.start.size > 0:
            plan.append((san, SAN_BACK, LOOK_AHEAD, _SAN))
            plan.append((expected, EXPECTED_BACK, LOOK_AHEAD, _EXPECTED))
            others = self._san_differences if few else []
            plan += [(d, LOOK_AHEAD, LOOK_AHEAD, _OTHER_SAN) for d in others]
        sources = np.stack([source for source, *_ in plan])
        if beats.start.size > 0:
            expected = sources[2 + len(before)]
        total = self._loudest / max(len(self._differences), 1)
        return LeadContext(
            taps=Taps(
                sources=sources,
                first=np.array([-p[1] for p in plan]),
                count=np.array([p[1] + p[2] + 1 for p in plan]),
            ),
            fields=np.array([p[3] for p in plan]),
            san=san,
            expected=expected,
            loud=np.zeros(self._n_samples),
            near=(0.25 * total[1:-3] + 0.5 * total[2:-2]) + 0.25 * total[3:-1],
            around=0.5 * total[:-4] + 0.5 * total[4:],
            beats=beats,
        )

    def _template(self) -> TemplateState:
        return new_template_state(max(self._n_kernels, 1), self._fs)

    def _trace(self) -> LeadTrace:
        n = self._n_samples
        return LeadTrace(np.zeros(n + PAD), np.zeros(n), np.zeros(n))

    def _fit(self, context: LeadContext) -> LeadModel:
        """Choose the model of a lead whose samples are known."""
        n = self._n_samples
        target = context.taps.sources[0, PAD : PAD + n]
        trace = self._trace()
        trace.left[:] = target - context.san[PAD : PAD + n]
        _rehearse(context, self._template(), trace)
        miss = trace.left - context.expected[PAD : PAD + n]
        model = self._empty_model(context)
        for block in range(self._n_blocks):
            stop = n if block == self._n_blocks - 1 else (block + 1) * BLOCK
            begin = max(block * BLOCK, 1)
            model.exponents[block], model.integers[block] = fit_predictor(
                context.taps, PAD, target, miss, begin, stop
            )
        trace.magnitude[1:] = np.abs(miss[1:])
        context.expected[:] = 0.0
        _rehearse(context, self._template(), trace)
        start = float(trace.magnitude.mean())
        model.scale[:N_FEATURES] = fit_scale(
            trace.magnitude, context.loud, context.near, context.around, start
        )
        model.scale[N_FEATURES] = round(start * (1 << WEIGHT_BITS))
        np.minimum(model.scale, _MAX_WEIGHT, out=model.scale)
        context.expected[:] = 0.0
        context.loud[:] = 0.0
        return model

    def _empty_model(self, context: LeadContext) -> LeadModel:
        return LeadModel(
            exponents=np.zeros((self._n_blocks, len(context.fields)), np.int64),
            integers=np.zeros((self._n_blocks, int(context.taps.count.sum())), np.int64),
            scale=np.zeros(N_FEATURES + 1, np.int64),
        )

    def encode(self, lead: int, samples: NDArray[np.int64], n_symbols: int) -> int:
        """Put the symbols of one lead; give the number of symbols put so far."""
        context = self._context(lead, _differences(samples, 1.0))
        model = self._fit(context)
        n_symbols = _put_model(model, context, self._coder, n_symbols)
        return self._walk(False, samples, n_symbols, context, model)

    def decode(self, lead: int, samples: NDArray[np.int64]) -> bool:
        """Fill ``samples``; False if they cannot be what was encoded."""
        context = self._context(lead, np.zeros(self._n_samples + 2 * PAD))
        model = self._empty_model(context)
        if not _take_model(model, context, self._coder):
            return False
        self._walk(True, samples, 0, context, model)
        return not self._coder.cursor[2]

    def _walk(
        self,
        decoding: bool,
        samples: NDArray[np.int64],
        n_symbols: int,
        context: LeadContext,
        model: LeadModel,
    ) -> int:
        trace = self._trace()
        coefficients, scale = _values(model, context)
        n_symbols = _code_lead(
            decoding,
            samples,
            n_symbols,
            context,
            self._template(),
            coefficients,
            scale,
            trace,
            self._coder,
        )
        self._differences.append(np.concatenate([trace.difference, np.zeros(PAD)]))
        self._san_differences.append(context.san)
        self._loudest[2:-2] += trace.magnitude
        return n_symbols


def _symbols_of(
    samples: NDArray[np.int32],
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
) -> tuple[NDArray[np.int64], list[int]]:
    """Give the symbols of a chunk, and how many there were before each lead and in all."""
    n_leads, n_samples = samples.shape
    per_lead = MAX_SYMBOLS * n_samples + 400 * SYMBOLS_PER_NUMBER * max(n_samples // BLOCK, 1)
    symbols = np.empty((3, n_leads * per_lead), np.int64)
    coder = Coder(
        ladder(), new_contexts(_N_FIELDS), symbols, np.zeros(0, np.uint32), np.zeros(3, np.int64)
    )
    leads = _Leads(n_samples, fs, san, beats, n_kernels, coder)
    counts = [0]
    for lead in range(n_leads):
        counts.append(leads.encode(lead, samples[lead].astype(np.int64), counts[-1]))
    return symbols, counts


def encode_blockwise(
    samples: NDArray[np.int32],
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
) -> bytes:
    """Code the leads of one chunk so that ``decode_blockwise`` gives them back exactly.

    Parameters
    ----------
    samples : (n_leads, n_samples) int32
        In ADC units.
    fs : float
        Sampling frequency, in Hz; sets the length of the learned templates.
    san : (n_leads, n_samples) int32
        SAN reconstruction, in 2**-FRACTION_BITS ADC units; zeros where there is none.
    beats : sequence of n_leads Beats
        The activations behind ``san``; a lead with none goes without the SAN regressors.
    n_kernels : int
        Number of classes that ``beats.kernel`` may name.
    """
    symbols, counts = _symbols_of(samples, fs, san, beats, n_kernels)
    words = encode_symbols(symbols[0], symbols[1], symbols[2], counts[-1])
    return words.astype("<u4").tobytes()


def decode_blockwise(  # noqa: PLR0917
    payload: bytes,
    n_samples: int,
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
) -> NDArray[np.int32]:
    """Give back the (n_leads, n_samples) int32 samples of ``encode_blockwise``.

    Raises
    ------
    CorruptError
        The payload does not end where its samples do, or a sample leaves the range of int32.
    """
    if len(payload) % 4:
        raise CorruptError(f"residual: {len(payload)} bytes, expected a multiple of 4")
    words = np.frombuffer(payload, "<u4").astype(np.uint32)
    cursor = np.zeros(3, np.int64)
    if not open_words(words, cursor):
        raise CorruptError("residual: the first state is out of range")
    coder = Coder(ladder(), new_contexts(_N_FIELDS), np.zeros((3, 0), np.int64), words, cursor)
    leads = _Leads(n_samples, fs, san, beats, n_kernels, coder)
    decoded = np.zeros((san.shape[0], n_samples), np.int32)
    for lead in range(san.shape[0]):
        samples = np.zeros(n_samples, np.int64)
        if not leads.decode(lead, samples):
            raise CorruptError(f"residual: lead {lead} does not decode to its samples")
        decoded[lead] = samples
    if not at_end(words, cursor):
        raise CorruptError("residual: words are left after the last sample")
    return decoded
