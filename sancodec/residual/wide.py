"""Lossless residual layer: one wide adaptive least-squares predictor for each lead.

As in ``predictive``, the first difference of a lead is predicted from its own past, from leads
coded before it and from the SAN reconstruction, both with look-ahead, and from what past beats of
the same class left; but from several times as many samples of each. That is affordable because
their products need not be summed up one by one (``taps``). One function walks through the samples
in both directions, so encoder and decoder cannot drift apart. All arithmetic that the decoder
repeats is binary64 with + - * / in the order written here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.entropy.values import put_value, take_value
from sancodec.formats.primers import WideStart
from sancodec.residual.coder import (
    HIGHEST,
    LOWEST,
    Coder,
    Extent,
    bits_of_leads,
    code_first,
    decode_leads,
    encode_leads,
)
from sancodec.residual.context import PAD, Contexts, WideContext
from sancodec.residual.predictor import pad_rows
from sancodec.residual.regression import accumulate
from sancodec.residual.scale import (
    PRIOR_WEIGHTS,
    SCALE_SHOCK,
    ScaleState,
    begin_primed,
    new_scale_state,
    observe_magnitude,
    predict_wide_scale,
    prepare_scales,
    update_weights,
)
from sancodec.residual.template import MARGIN, Beats, prepare_beats
from sancodec.residual.widepredictor import (
    BLOCK,
    CALM,
    FIRST_BLOCK,
    FIRST_SAMPLES,
    SHOCK,
    WidePredictor,
    correct,
    expect_block,
    learn_block,
    learn_sample,
    new_predictor,
    scale_decay,
    start_of,
    take_difference,
)

Span = tuple[NDArray[np.int32], float, NDArray[np.int32], Sequence[Beats], int]


class WideLead(NamedTuple):
    """All that the walk through one lead reads and changes.

    ``left`` and ``magnitude`` are (n_samples,) float64: what the SAN reconstruction leaves of the
    differences, and how far the predictions missed.
    """

    samples: NDArray[np.int64]
    context: WideContext
    left: NDArray[np.float64]
    magnitude: NDArray[np.float64]
    predictor: WidePredictor
    loudness: ScaleState
    scale_weights: NDArray[np.float64]


@compiled
def _code_block(  # noqa: PLR0917
    decoding: bool, lead: WideLead, begin: int, n_rows: int, n_symbols: int, coder: Coder
) -> tuple[int, float]:
    """Code or decode ``n_rows`` samples; give the number of symbols and the block's loudness.

    That is the sum, over its samples, of the squared scale with some of what came.
    """
    samples, predictor, loudness = lead.samples, lead.predictor, lead.loudness
    difference, san = lead.context.taps.sources[-1], lead.context.san
    left, magnitude, total = lead.left, lead.magnitude, 0.0
    for k in range(n_rows):
        t = begin + k
        before = float(samples[t - 1])
        step = take_difference(predictor, k)
        correction = correct(predictor)
        prediction = (before + step) + correction
        scale = predict_wide_scale(loudness, k, step, correction)
        if decoding:
            samples[t] = take_value(
                coder.table, coder.guesses, prediction, scale, coder.words, coder.cursor
            )
            if coder.cursor[2] or not LOWEST <= samples[t] <= HIGHEST:
                # What follows would be made of garbage, which arithmetic need not survive.
                coder.cursor[2] = 1
                return n_symbols, total
        else:
            n_symbols = put_value(
                coder.table, samples[t], prediction, scale, coder.symbols, n_symbols
            )
        value = float(samples[t])
        came = value - before
        difference[t + PAD] = came
        learn_sample(predictor, k, n_rows, came, came - step, correction, scale)
        left[t] = came - san[t + PAD]
        missed = abs(value - prediction)
        magnitude[t] = missed
        observe_magnitude(loudness, k, missed)
        square, shock = scale * scale, missed * missed
        lead.scale_weights[k] = 1.0 / (square + SCALE_SHOCK * shock)
        # What came far louder than expected would otherwise weigh on the fit for ever.
        total += (square + SHOCK * shock) + CALM
    return n_symbols, total


@compiled
def _learn(lead: WideLead, begin: int, n_rows: int, total: float) -> None:
    """Let scale and predictor learn from a block."""
    loudness = lead.loudness
    padded = pad_rows(lead.scale_weights, n_rows)
    accumulate(loudness.products, loudness.rows, lead.scale_weights, padded, scale_decay(n_rows))
    update_weights(loudness)
    learn_block(lead.predictor, lead.context.taps, begin, n_rows, n_rows / total)


@compiled
def _code_lead(decoding: bool, lead: WideLead, n_symbols: int, coder: Coder) -> int:
    """Walk through one lead, block by block; a block ends where a beat has to be prepared."""
    context, n_samples = lead.context, lead.samples.size
    n_symbols = code_first(decoding, lead.samples, n_symbols, coder)
    # Not the literal 1: for that numba would compile everything below a second time.
    next_beat, begin = 0, min(1, n_samples)
    while begin < n_samples and not coder.cursor[2]:
        next_beat = prepare_beats(context, lead.left, lead.magnitude, next_beat, begin, PAD)
        size = BLOCK if begin >= FIRST_SAMPLES else FIRST_BLOCK
        stop = min(begin + size, n_samples)
        if next_beat < context.beats.start.size:
            stop = min(stop, context.beats.start[next_beat] - MARGIN)
        n_rows = stop - begin
        expect_block(lead.predictor, context.taps, begin, n_rows)
        prepare_scales(lead.loudness, context.loud, context.near, context.around, begin, n_rows)
        n_symbols, total = _code_block(decoding, lead, begin, n_rows, n_symbols, coder)
        if not coder.cursor[2]:
            _learn(lead, begin, n_rows, total)
        begin = stop
    return n_symbols


class _Leads:
    """The walk through the leads of one chunk."""

    def __init__(self, contexts: Contexts) -> None:
        self._contexts = contexts
        self.predictors: list[WidePredictor] = []
        self.scales: list[ScaleState] = []
        """Of each lead, what it was left with."""

    def code(
        self, lead: int, samples: NDArray[np.int64], n_symbols: int, coder: Coder, decoding: bool
    ) -> int:
        """Code or decode one lead in place; give the number of symbols put so far."""
        context = self._contexts.of(lead)
        primed = self._contexts.primed(lead, context)
        state = WideLead(
            samples=samples,
            context=context,
            left=np.zeros(samples.size),
            magnitude=np.zeros(samples.size),
            predictor=new_predictor(context.taps, context.start, primed),
            loudness=new_scale_state(BLOCK, (*PRIOR_WEIGHTS, 0.0, 0.0)),
            scale_weights=np.zeros(BLOCK),
        )
        if primed is not None:
            begin_primed(state.loudness, primed)
        n_symbols = _code_lead(decoding, state, n_symbols, coder)
        self._contexts.add(context, state.magnitude)
        self.predictors.append(state.predictor)
        self.scales.append(state.loudness)
        return n_symbols


def wide_bits(  # noqa: PLR0917
    samples: NDArray[np.int32],
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
    starts: Sequence[Sequence[int]] = (),
    primer: WideStart = (),
) -> NDArray[np.float64]:
    """Give the (n_leads,) bits that ``encode_wide`` would spend, to choose by."""
    return bits_of_leads(
        _Leads(Contexts(samples.shape[1], fs, san, beats, n_kernels, starts, primer)), samples
    )


class Lesson(NamedTuple):
    """What a lead of ``n_samples`` taught, products as of a ``LeadStart`` but in no unit."""

    products: NDArray[np.float64]
    loud: NDArray[np.float64]
    magnitude: float
    n_samples: int


def lessons_of(span: Span) -> list[Lesson]:
    """Give what each lead of a span teaches."""
    samples, fs, san, beats, n_kernels = span
    leads = _Leads(Contexts(samples.shape[1], fs, san, beats, n_kernels))
    bits_of_leads(leads, samples)
    lessons = []
    for predictor, scale in zip(leads.predictors, leads.scales, strict=True):
        products, loud = predictor.products.total, scale.products
        lessons.append(
            Lesson(
                products=np.triu(products[:, : len(products)]),
                loud=np.triu(loud[:, : len(loud)]),
                magnitude=float(scale.moving[-2]),
                n_samples=samples.shape[1],
            )
        )
    return lessons


def learn_starts(spans: Iterable[Span]) -> tuple[tuple[int, ...], ...]:
    """Give, of each lead, the coefficients for chunks to begin with, learned from spans.

    Parameters
    ----------
    spans : iterable of tuple
        The first five arguments of ``encode_wide`` for each, of the same leads.
    """
    learned: list[WidePredictor] = []
    for samples, fs, san, beats, n_kernels in spans:
        leads = _Leads(Contexts(samples.shape[1], fs, san, beats, n_kernels))
        bits_of_leads(leads, samples)
        learned = list(map(_together, learned or leads.predictors, leads.predictors))
    return tuple(start_of(predictor) for predictor in learned)


def _together(learned: WidePredictor, other: WidePredictor) -> WidePredictor:
    """Add what another span taught; where one has no beats, the one with beats counts alone."""
    if learned is other or learned.coefficients.size > other.coefficients.size:
        return learned
    if learned.coefficients.size < other.coefficients.size:
        return other
    learned.products.total[:] += other.products.total
    return learned


def encode_wide(  # noqa: PLR0917
    samples: NDArray[np.int32],
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
    starts: Sequence[Sequence[int]] = (),
    primer: WideStart = (),
) -> bytes:
    """Code the leads of one chunk so that ``decode_wide`` gives them back exactly.

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
    starts : sequence of n_leads sequences of int, optional
        Coefficients to begin with, in 1 / START_UNIT.
    primer : WideStart, optional
        What other records taught.
    """
    return encode_leads(
        _Leads(Contexts(samples.shape[1], fs, san, beats, n_kernels, starts, primer)), samples
    )


def decode_wide(  # noqa: PLR0917
    payload: bytes,
    n_samples: int,
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
    starts: Sequence[Sequence[int]] = (),
    primer: WideStart = (),
    until: Extent | None = None,
) -> NDArray[np.int32]:
    """Give back the (n_leads, n_samples) int32 samples of ``encode_wide``, or until an extent.

    Raises
    ------
    CorruptError
        The payload does not end where its samples do, or a sample leaves the range of int32.
    """
    leads = _Leads(Contexts(n_samples, fs, san, beats, n_kernels, starts, primer))
    return decode_leads(leads, payload, (len(san), n_samples), until)
