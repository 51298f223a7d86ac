"""Lossless residual layer: adaptive linear prediction with the SAN reconstruction as a regressor.

The first difference of a lead is predicted from its own past, from leads coded before it and from
the SAN reconstruction, both with look-ahead, and from what past beats of the same class left. One
function walks through the samples in both directions, so encoder and decoder cannot drift apart.
All arithmetic that the decoder repeats is binary64 with + - * / in the order written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.entropy.rans import at_end, encode_symbols, open_words
from sancodec.entropy.tables import density_table, guess_table
from sancodec.entropy.values import MAX_SYMBOLS, put_value, take_value
from sancodec.errors import CorruptError
from sancodec.residual.regression import UNROLL, accumulate, padded_width, solve
from sancodec.residual.scale import (
    AROUND,
    NEAR,
    PHASE,
    ScaleState,
    new_scale_state,
    observe_magnitude,
    predict_scale,
    update_weights,
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

BLOCK = 32
PAD = 32
N_OWN = 16
N_CASCADE = 16
LOOK_AHEAD = 2
SAN_BACK = 8
EXPECTED_BACK = 2
MANY_LEADS = 3
"""From this number of leads coded before on, fewer samples of each are regressors."""
MAX_LEADS_BEFORE = 12

_FORGETTING = 0.9995
_SCALE_FORGETTING = 0.98
_RIDGE = 10.0
_STEP = 0.01
_SOLVE_EVERY = 64
_WARM_UP = 4096
_LIMIT = float(1 << 34)
_FIRST_SCALE = 1024.0
_LOWEST, _HIGHEST = -(1 << 31), (1 << 31) - 1


class LeadContext(NamedTuple):
    """What the decoder knows of a lead before its first sample.

    ``others`` and ``others_san`` (leads coded before, n_samples + 2 PAD), ``san`` and
    ``expected`` (n_samples + 2 PAD) are first differences in ADC units, sample t at index
    t + PAD; ``near`` and ``around`` (n_samples) are magnitudes of leads coded before; ``loud``
    (n_samples) is filled by phase.
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
    """What is known of a lead once its samples are; it grows as they become known."""

    difference: NDArray[np.float64]
    left: NDArray[np.float64]
    error: NDArray[np.float64]
    magnitude: NDArray[np.float64]


class Fit(NamedTuple):
    """State of the least-squares predictor and of the cascade behind it."""

    rows: NDArray[np.float64]
    weights: NDArray[np.float64]
    products: NDArray[np.float64]
    work: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    cascade: NDArray[np.float64]


class Coder(NamedTuple):
    """Symbols to append to (encoding) or words to take from (decoding)."""

    table: NDArray[np.int32]
    guesses: NDArray[np.float32]
    symbols: NDArray[np.int64]
    words: NDArray[np.uint32]
    cursor: NDArray[np.int64]


@compiled
def _dot(a: NDArray[np.float64], b: NDArray[np.float64], n: int) -> float:
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    whole = n - n % 4
    for i in range(0, whole, 4):
        s0 += a[i] * b[i]
        s1 += a[i + 1] * b[i + 1]
        s2 += a[i + 2] * b[i + 2]
        s3 += a[i + 3] * b[i + 3]
    for i in range(whole, n):
        s0 += a[i] * b[i]
    return (s0 + s1) + (s2 + s3)


@compiled
def _fill_known(context: LeadContext, rows: NDArray[np.float64], begin: int, stop: int) -> None:
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


@compiled
def _adapt_cascade(
    cascade: NDArray[np.float64], past: NDArray[np.float64], miss: float, scale: float
) -> None:
    """Move the cascade's weights towards what it missed (normalised least mean squares)."""
    power = _dot(past, past, N_CASCADE)
    gain = _STEP * miss / ((power + 1.0) + scale * scale)
    for i in range(N_CASCADE):
        cascade[i] += gain * past[i]


@compiled
def _code_block(  # noqa: PLR0917
    decoding: bool,
    samples: NDArray[np.int64],
    begin: int,
    stop: int,
    n_symbols: int,
    context: LeadContext,
    trace: LeadTrace,
    fit: Fit,
    loudness: ScaleState,
    coder: Coder,
) -> int:
    """Code or decode samples ``begin`` to ``stop``; give the number of symbols put so far."""
    n = fit.coefficients.size
    features = loudness.features
    for k in range(stop - begin):
        t = begin + k
        row = fit.rows[k]
        for i in range(N_OWN):
            row[i] = trace.difference[t + PAD - N_OWN + i]
        step = _dot(fit.coefficients, row, n)
        if not abs(step) < _LIMIT:
            step = 0.0
        past = trace.error[t : t + N_CASCADE]
        correction = _dot(fit.cascade, past, N_CASCADE)
        if not abs(correction) < _LIMIT:
            correction = 0.0
        before = float(samples[t - 1])
        prediction = (before + step) + correction
        features[PHASE] = context.loud[t]
        features[NEAR] = context.near[t]
        features[AROUND] = context.around[t]
        scale = predict_scale(loudness)
        if decoding:
            samples[t] = take_value(
                coder.table, coder.guesses, prediction, scale, coder.words, coder.cursor
            )
            if coder.cursor[2] or not _LOWEST <= samples[t] <= _HIGHEST:
                # What follows would be made of garbage, which arithmetic need not survive.
                coder.cursor[2] = 1
                return n_symbols
        else:
            n_symbols = put_value(
                coder.table, samples[t], prediction, scale, coder.symbols, n_symbols
            )
        value = float(samples[t])
        difference = value - before
        trace.difference[t + PAD] = difference
        trace.left[t] = difference - context.san[t + PAD]
        trace.error[t + N_CASCADE] = difference - step
        trace.magnitude[t] = abs(value - prediction)
        _adapt_cascade(fit.cascade, past, (difference - step) - correction, scale)
        observe_magnitude(loudness, trace.magnitude[t], scale)
        row[n] = difference
        fit.weights[k] = 1.0 / (scale * scale)
    return n_symbols


@compiled
def _code_first(decoding: bool, samples: NDArray[np.int64], n_symbols: int, coder: Coder) -> int:
    """Code or decode sample 0, of which nothing is known but that it is near zero or not."""
    if decoding:
        samples[0] = take_value(
            coder.table, coder.guesses, 0.0, _FIRST_SCALE, coder.words, coder.cursor
        )
        return n_symbols
    return put_value(coder.table, samples[0], 0.0, _FIRST_SCALE, coder.symbols, n_symbols)


@compiled
def _learn_block(fit: Fit, n_rows: int, decays: NDArray[np.float64]) -> None:
    """Add the block's rows to the least-squares problem, older ones weighing less."""
    for k in range(n_rows):
        fit.weights[k] *= decays[n_rows - 1 - k]
    padded = (n_rows + UNROLL - 1) // UNROLL * UNROLL
    for k in range(n_rows, padded):
        fit.weights[k] = 0.0
    accumulate(fit.products, fit.rows, fit.weights, padded, decays[n_rows])


@compiled
def _code_lead(  # noqa: PLR0917
    decoding: bool,
    samples: NDArray[np.int64],
    n_symbols: int,
    context: LeadContext,
    trace: LeadTrace,
    fit: Fit,
    loudness: ScaleState,
    coder: Coder,
    decays: NDArray[np.float64],
) -> int:
    """Walk through one lead, block by block; a block ends where a beat has to be prepared."""
    n_samples = samples.size
    beats = context.beats
    next_beat = 0
    since_solved = 0
    n_symbols = _code_first(decoding, samples, n_symbols, coder)
    # Not the literal 1: for that numba would compile everything below a second time.
    begin = min(1, n_samples)
    while begin < n_samples:
        while next_beat < beats.start.size and beats.start[next_beat] - MARGIN <= begin:
            if next_beat > 0:
                learn_beat(
                    context.template, beats, next_beat - 1, begin, trace.left, trace.magnitude
                )
            expect_beat(context.template, beats, next_beat, context.expected, context.loud, PAD)
            next_beat += 1
        stop = min(begin + BLOCK, n_samples)
        if next_beat < beats.start.size:
            stop = min(stop, beats.start[next_beat] - MARGIN)
        _fill_known(context, fit.rows, begin, stop)
        n_symbols = _code_block(
            decoding, samples, begin, stop, n_symbols, context, trace, fit, loudness, coder
        )
        if coder.cursor[2]:
            return n_symbols
        _learn_block(fit, stop - begin, decays[0])
        update_weights(loudness, decays[1, stop - begin])
        since_solved += stop - begin
        if since_solved >= _SOLVE_EVERY or (begin < _WARM_UP and since_solved >= BLOCK):
            solve(fit.products, fit.work, fit.coefficients, _RIDGE)
            since_solved = 0
        begin = stop
    return n_symbols


def _decays() -> NDArray[np.float64]:
    """Give the two forgetting factors to the power of 0 .. BLOCK, by repeated multiplication."""
    decays = np.ones((2, BLOCK + 1))
    for k in range(1, BLOCK + 1):
        decays[0, k] = decays[0, k - 1] * _FORGETTING
    # The scale forgets by its factor once for every full block.
    decays[1] = 1.0 - (1.0 - _SCALE_FORGETTING) * (np.arange(BLOCK + 1) / BLOCK)
    return decays


def _new_fit(n_regressors: int) -> Fit:
    width = padded_width(n_regressors)
    return Fit(
        rows=np.zeros((BLOCK, width)),
        weights=np.zeros(BLOCK),
        products=np.zeros((n_regressors + 1, width)),
        work=np.zeros((n_regressors + 1, width)),
        coefficients=np.zeros(n_regressors),
        cascade=np.zeros(N_CASCADE),
    )


def _new_trace(n_samples: int) -> LeadTrace:
    return LeadTrace(
        difference=np.zeros(n_samples + PAD),
        left=np.zeros(n_samples),
        error=np.zeros(n_samples + N_CASCADE),
        magnitude=np.zeros(n_samples),
    )


def _differences(signal: NDArray[np.int64], scale: float) -> NDArray[np.float64]:
    """Give scaled first differences with PAD zeros on either side; that of sample 0 is 0."""
    padded = np.zeros(signal.size + 2 * PAD)
    padded[PAD + 1 : PAD + signal.size] = np.diff(signal) * scale
    return padded


def _near_and_around(
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


def _stack(rows: list[NDArray[np.float64]], width: int) -> NDArray[np.float64]:
    return np.stack(rows) if rows else np.zeros((0, width))


def _n_regressors(context: LeadContext) -> int:
    """Count what ``_fill_known`` writes, and the lead's own past."""
    n = N_OWN + len(context.others) * (LOOK_AHEAD + context.n_back + 1)
    if context.beats.start.size > 0:
        n += 2 * (LOOK_AHEAD + 1) + SAN_BACK + EXPECTED_BACK
        n += len(context.others_san) * (2 * LOOK_AHEAD + 1)
    return n


class _Leads:
    """Leads of one chunk in the order of coding, and what each leaves to the next."""

    def __init__(
        self,
        n_samples: int,
        fs: float,
        san: NDArray[np.int32],
        beats: Sequence[Beats],
        n_kernels: int,
    ) -> None:
        self._n_samples = n_samples
        self._fs = fs
        self._san = san
        self._beats = beats
        self._n_kernels = n_kernels
        self._differences: list[NDArray[np.float64]] = []
        self._san_differences: list[NDArray[np.float64]] = []
        self._magnitudes: list[NDArray[np.float64]] = []
        self._decays = _decays()

    def _context(self, lead: int) -> LeadContext:
        before = self._differences[-MAX_LEADS_BEFORE:]
        few = len(before) < MANY_LEADS
        san_before = self._san_differences if few and self._beats[lead].start.size > 0 else []
        near, around = _near_and_around(self._magnitudes, self._n_samples)
        width = self._n_samples + 2 * PAD
        return LeadContext(
            others=_stack(before, width),
            n_back=SAN_BACK if few else LOOK_AHEAD,
            others_san=_stack(san_before, width),
            san=_differences(self._san[lead].astype(np.int64), 1.0 / (1 << FRACTION_BITS)),
            expected=np.zeros(width),
            near=near,
            around=around,
            loud=np.zeros(self._n_samples),
            beats=self._beats[lead],
            template=new_template_state(max(self._n_kernels, 1), self._fs),
        )

    def code(
        self, lead: int, samples: NDArray[np.int64], n_symbols: int, coder: Coder, decoding: bool
    ) -> int:
        """Code or decode one lead in place; give the number of symbols put so far."""
        context = self._context(lead)
        trace = _new_trace(self._n_samples)
        n_symbols = _code_lead(
            decoding,
            samples,
            n_symbols,
            context,
            trace,
            _new_fit(_n_regressors(context)),
            new_scale_state(),
            coder,
            self._decays,
        )
        self._differences.append(_differences(samples, 1.0))
        self._san_differences.append(context.san)
        self._magnitudes.append(trace.magnitude)
        return n_symbols


def _symbols_of(
    samples: NDArray[np.int32],
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
) -> tuple[NDArray[np.int64], list[int]]:
    """Give the symbols of all leads, and how many there are after each lead."""
    n_leads, n_samples = samples.shape
    symbols = np.empty((3, MAX_SYMBOLS * n_samples * n_leads), np.int64)
    coder = Coder(
        density_table(), guess_table(), symbols, np.zeros(0, np.uint32), np.zeros(3, np.int64)
    )
    leads = _Leads(n_samples, fs, san, beats, n_kernels)
    counts = [0]
    for lead in range(n_leads):
        signal = samples[lead].astype(np.int64)
        counts.append(leads.code(lead, signal, counts[-1], coder, False))
    return symbols, counts


def predictive_bits(
    samples: NDArray[np.int32],
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
) -> NDArray[np.float64]:
    """Give the (n_leads,) bits that ``encode_predictive`` would spend, to choose by."""
    symbols, counts = _symbols_of(samples, fs, san, beats, n_kernels)
    bits = symbols[2, : counts[-1]] - np.log2(symbols[1, : counts[-1]])
    totals = np.concatenate([[0.0], np.cumsum(bits)])
    return np.diff(totals[counts])


def encode_predictive(
    samples: NDArray[np.int32],
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
) -> bytes:
    """Code the leads of one chunk so that ``decode_predictive`` gives them back exactly.

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


def decode_predictive(  # noqa: PLR0917
    payload: bytes,
    n_samples: int,
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
) -> NDArray[np.int32]:
    """Give back the (n_leads, n_samples) int32 samples of ``encode_predictive``.

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
    coder = Coder(density_table(), guess_table(), np.zeros((3, 0), np.int64), words, cursor)
    leads = _Leads(n_samples, fs, san, beats, n_kernels)
    decoded = np.zeros((san.shape[0], n_samples), np.int32)
    for lead in range(san.shape[0]):
        samples = np.zeros(n_samples, np.int64)
        leads.code(lead, samples, 0, coder, True)
        limits = np.iinfo(np.int32)
        if cursor[2] or samples.min() < limits.min or samples.max() > limits.max:
            raise CorruptError(f"residual: lead {lead} does not decode to its samples")
        decoded[lead] = samples
    if not at_end(words, cursor):
        raise CorruptError("residual: words are left after the last sample")
    return decoded
