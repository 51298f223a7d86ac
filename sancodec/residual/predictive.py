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
from sancodec.entropy.values import put_value, take_value
from sancodec.residual.coder import (
    FRACTION_BITS,
    HIGHEST,
    LOWEST,
    Coder,
    bits_of_leads,
    code_first,
    decode_leads,
    encode_leads,
)
from sancodec.residual.lead import (
    FEW_BACK,
    MANY_BACK,
    MANY_LEADS,
    MAX_LEADS_BEFORE,
    N_OWN,
    PAD,
    LeadContext,
    LeadTrace,
    count_regressors,
    differences,
    fill_known,
    near_and_around,
    new_trace,
)
from sancodec.residual.predictor import (
    BLOCK,
    Predictor,
    adapt_cascade,
    cascade_step,
    decay_powers,
    learn_block,
    new_predictor,
    pad_rows,
    predict_error,
    predict_step,
    prepare_block,
)
from sancodec.residual.regression import accumulate
from sancodec.residual.scale import (
    ScaleState,
    new_scale_state,
    observe_magnitude,
    predict_scale,
    prepare_scales,
    update_weights,
)
from sancodec.residual.template import (
    MARGIN,
    Beats,
    new_template_state,
    prepare_beats,
)

_SHOCK = 0.01


class Lead(NamedTuple):
    """All that the walk through one lead reads and changes."""

    samples: NDArray[np.int64]
    context: LeadContext
    trace: LeadTrace
    predictor: Predictor
    loudness: ScaleState


@compiled
def _code_block(  # noqa: PLR0917
    decoding: bool, lead: Lead, begin: int, n_rows: int, gain: float, n_symbols: int, coder: Coder
) -> tuple[float, int]:
    """Code or decode ``n_rows`` samples; give the cascade's next gain and the number of symbols."""
    samples, trace, predictor, loudness = lead.samples, lead.trace, lead.predictor, lead.loudness
    for k in range(n_rows):
        t = begin + k
        step = predict_step(predictor, k, trace.difference, t + PAD - N_OWN)
        correction = predict_error(predictor, trace.error, t)
        adapt_cascade(predictor, trace.error, t - 1, gain)
        before = float(samples[t - 1])
        prediction = (before + step) + correction
        scale = predict_scale(loudness, k)
        gain = cascade_step(trace.error, t, scale)
        if decoding:
            samples[t] = take_value(
                coder.table, coder.guesses, prediction, scale, coder.words, coder.cursor
            )
            if coder.cursor[2] or not LOWEST <= samples[t] <= HIGHEST:
                # What follows would be made of garbage, which arithmetic need not survive.
                coder.cursor[2] = 1
                return gain, n_symbols
        else:
            n_symbols = put_value(
                coder.table, samples[t], prediction, scale, coder.symbols, n_symbols
            )
        value = float(samples[t])
        difference = value - before
        error = difference - step
        trace.difference[t + PAD] = difference
        trace.left[t] = difference - lead.context.san[t + PAD]
        trace.error[t + N_OWN] = error
        trace.magnitude[t] = abs(value - prediction)
        observe_magnitude(loudness, k, trace.magnitude[t])
        gain *= error - correction
        predictor.rows[k, predictor.coefficients.size] = difference
        # What came far louder than expected would otherwise weigh on the fit for ever.
        shock = trace.magnitude[t] * trace.magnitude[t]
        predictor.weights[k] = 1.0 / (scale * scale + _SHOCK * shock)
    return gain, n_symbols


@compiled
def _learn(lead: Lead, begin: int, n_rows: int, decays: NDArray[np.float64]) -> None:
    """Let scale and predictor learn from a block, which has its weights from the scales."""
    loudness, predictor = lead.loudness, lead.predictor
    padded = pad_rows(predictor.weights, n_rows)
    accumulate(loudness.products, loudness.rows, predictor.weights, padded, decays[1, n_rows])
    update_weights(loudness)
    learn_block(predictor, begin, n_rows, decays[0])


@compiled
def _code_lead(
    decoding: bool, lead: Lead, n_symbols: int, coder: Coder, decays: NDArray[np.float64]
) -> int:
    """Walk through one lead, block by block; a block ends where a beat has to be prepared."""
    context, trace, n_samples = lead.context, lead.trace, lead.samples.size
    n_symbols = code_first(decoding, lead.samples, n_symbols, coder)
    # Not the literal 1: for that numba would compile everything below a second time.
    next_beat, begin, gain = 0, min(1, n_samples), 0.0
    while begin < n_samples and not coder.cursor[2]:
        next_beat = prepare_beats(context, trace.left, trace.magnitude, next_beat, begin, PAD)
        stop = min(begin + BLOCK, n_samples)
        if next_beat < context.beats.start.size:
            stop = min(stop, context.beats.start[next_beat] - MARGIN)
        n_rows = stop - begin
        fill_known(context, lead.predictor.rows, begin, stop)
        prepare_block(lead.predictor, n_rows)
        prepare_scales(lead.loudness, context.loud, context.near, context.around, begin, n_rows)
        gain, n_symbols = _code_block(decoding, lead, begin, n_rows, gain, n_symbols, coder)
        _learn(lead, begin, n_rows, decays)
        begin = stop
    return n_symbols


def _stack(rows: list[NDArray[np.float64]], width: int) -> NDArray[np.float64]:
    return np.stack(rows) if rows else np.zeros((0, width))


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
        self._decays = decay_powers()

    def _context(self, lead: int) -> LeadContext:
        before = self._differences[-MAX_LEADS_BEFORE:]
        few = len(before) < MANY_LEADS
        san_before = self._san_differences if few and self._beats[lead].start.size > 0 else []
        near, around = near_and_around(self._magnitudes, self._n_samples)
        width = self._n_samples + 2 * PAD
        return LeadContext(
            others=_stack(before, width),
            n_back=FEW_BACK if few else MANY_BACK,
            others_san=_stack(san_before, width),
            san=differences(self._san[lead].astype(np.int64), 1.0 / (1 << FRACTION_BITS)),
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
        state = Lead(
            samples=samples,
            context=context,
            trace=new_trace(self._n_samples),
            predictor=new_predictor(count_regressors(context)),
            loudness=new_scale_state(BLOCK),
        )
        n_symbols = _code_lead(decoding, state, n_symbols, coder, self._decays)
        self._differences.append(differences(samples, 1.0))
        self._magnitudes.append(state.trace.magnitude)
        self._san_differences.append(context.san)
        return n_symbols


def predictive_bits(
    samples: NDArray[np.int32],
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
) -> NDArray[np.float64]:
    """Give the (n_leads,) bits that ``encode_predictive`` would spend, to choose by."""
    return bits_of_leads(_Leads(samples.shape[1], fs, san, beats, n_kernels), samples)


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
    return encode_leads(_Leads(samples.shape[1], fs, san, beats, n_kernels), samples)


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
    leads = _Leads(n_samples, fs, san, beats, n_kernels)
    return decode_leads(leads, payload, san.shape)
