"""Lossless residual layer of the highest level: many predictions, mixed decision by decision.

The regressors are those of ``predictive``: a lead's own past, leads coded before it and the SAN
reconstruction, both with look-ahead, and what past beats of the same class left. Here several
experts predict from them (``experts``), each says with its own density how the sample will fall
(``binarisation``), and what they say is mixed by weights that adapt. One function walks through
the samples in both directions, so encoder and decoder cannot drift apart. All arithmetic that the
decoder repeats is binary64 with + - * / sqrt in the order written here, or a table of integers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled
from sancodec.entropy.logistic import logistic_tables
from sancodec.entropy.mixer import DecisionCoder, encode_decisions
from sancodec.entropy.rans import at_end, open_words
from sancodec.errors import CorruptError
from sancodec.residual.binarisation import (
    MAX_DECISIONS,
    N_PHASES,
    ValueCoder,
    code_value,
    new_value_coder,
    set_experts,
)
from sancodec.residual.experts import (
    N_EXPERTS,
    Experts,
    learn_block,
    new_experts,
    observe,
    predict,
    prepare_experts,
)
from sancodec.residual.lead import PAD, LeadContext, LeadTrace, differences, new_trace
from sancodec.residual.loudness import (
    Loudness,
    learn_loudness,
    new_loudness,
    observe_magnitudes,
    predict_scales,
    prepare_loudness,
)
from sancodec.residual.predictive import _Leads
from sancodec.residual.predictor import BLOCK, decay_powers
from sancodec.residual.template import MARGIN, Beats, expect_beat, learn_beat

_FIRST_SCALE = 1024.0
_LOWEST, _HIGHEST = -float(1 << 31), float((1 << 31) - 1)
_RATE, _FIRST_RATE, _RATE_FADES = 0.03, 0.02, 0.02
_PHASE_SECONDS = 16 / 360
# Most samples of a lead that are walked through at once, so that memory stays small.
_STRETCH = 1 << 13


class MixedLead(NamedTuple):
    """All that the walk through one lead reads and changes.

    ``at`` (2,) is the first sample not yet coded, and the first beat not yet prepared.
    """

    samples: NDArray[np.int64]
    context: LeadContext
    trace: LeadTrace
    experts: Experts
    loudness: Loudness
    values: ValueCoder
    at: NDArray[np.int64]
    phase_samples: int
    scale_decays: NDArray[np.float64]


@compiled
def _code_sample(  # noqa: PLR0917
    decoding: bool,
    samples: NDArray[np.int64],
    t: int,
    before: float,
    predictions: NDArray[np.float64],
    scales: NDArray[np.float64],
    phase: int,
    values: ValueCoder,
) -> None:
    """Code or decode sample ``t`` from the predictions of its difference to ``before``."""
    expected = min(max(before + predictions[predictions.size - 1], _LOWEST), _HIGHEST)
    centre = math.floor(expected)
    rate = _RATE + _FIRST_RATE / (1.0 + _RATE_FADES * t)
    set_experts(values, predictions, scales, float(centre) - before)
    value = code_value(decoding, samples[t], centre, scales[scales.size - 1], phase, rate, values)
    # What follows a value out of range would be made of garbage, which arithmetic need not survive.
    if _LOWEST <= value <= _HIGHEST:
        samples[t] = value
    else:
        values.coder.cursor[2] = 1


@compiled
def _phase(beats: Beats, next_beat: int, t: int, phase_samples: int) -> int:
    """Give which part of the beat sample ``t`` is in; 0 ahead of the first."""
    if next_beat == 0:
        return 0
    part = (t - beats.start[next_beat - 1]) // phase_samples + 1
    return int(min(max(part, 0), N_PHASES - 1))


@compiled
def _code_block(decoding: bool, lead: MixedLead, begin: int, n_rows: int) -> None:
    """Code or decode ``n_rows`` samples."""
    experts, loudness, trace, samples = lead.experts, lead.loudness, lead.trace, lead.samples
    for k in range(n_rows):
        t = begin + k
        predict(experts, k, t, trace.difference)
        predict_scales(loudness, k)
        before = float(samples[t - 1])
        phase = _phase(lead.context.beats, lead.at[1], t, lead.phase_samples)
        predictions, scales = experts.predictions, loudness.scales
        _code_sample(decoding, samples, t, before, predictions, scales, phase, lead.values)
        if lead.values.coder.cursor[2]:
            return
        difference = float(samples[t]) - before
        trace.difference[t + PAD] = difference
        trace.left[t] = difference - lead.context.san[t + PAD]
        trace.magnitude[t] = observe_magnitudes(loudness, k, difference, predictions)
        observe(experts, k, t, difference, scales)


@compiled
def _prepare_beats(context: LeadContext, trace: LeadTrace, next_beat: int, begin: int) -> int:
    """Learn and expect all beats that begin by ``begin`` + MARGIN; give the first that do not."""
    beats = context.beats
    while next_beat < beats.start.size and beats.start[next_beat] - MARGIN <= begin:
        if next_beat > 0:
            learn_beat(context.template, beats, next_beat - 1, begin, trace.left, trace.magnitude)
        expect_beat(context.template, beats, next_beat, context.expected, context.loud, PAD)
        next_beat += 1
    return next_beat


@compiled
def _code_first(decoding: bool, lead: MixedLead) -> None:
    """Code or decode sample 0, of which nothing is known but that it is near zero or not."""
    predictions, scales = lead.experts.predictions, lead.loudness.scales
    for e in range(scales.size):
        scales[e] = _FIRST_SCALE
    # The zeros are read, not written here: for literals numba would compile it all once more.
    t, phase, before = lead.at[0], lead.at[1], predictions[0]
    _code_sample(decoding, lead.samples, t, before, predictions, scales, phase, lead.values)


@compiled
def _code_stretch(decoding: bool, lead: MixedLead, end: int) -> None:
    """Code or decode up to sample ``end``, block by block; a block ends where a beat begins."""
    context, cursor = lead.context, lead.values.coder.cursor
    beats, begin = context.beats, lead.at[0]
    if begin == 0:
        _code_first(decoding, lead)
        begin += 1
    while begin < end and not cursor[2]:
        lead.at[1] = _prepare_beats(context, lead.trace, lead.at[1], begin)
        stop = min(begin + BLOCK, end)
        if lead.at[1] < beats.start.size:
            stop = min(stop, beats.start[lead.at[1]] - MARGIN)
        n_rows = stop - begin
        prepare_experts(lead.experts.memories, context, begin, n_rows)
        prepare_loudness(lead.loudness, context, begin, n_rows)
        _code_block(decoding, lead, begin, n_rows)
        learn_loudness(lead.loudness, n_rows, lead.scale_decays[n_rows])
        learn_block(lead.experts, n_rows)
        begin = stop
    lead.at[0] = begin


class _MixedLeads(_Leads):
    """Leads of one chunk in the order of coding, and what each leaves to the next."""

    def mix(
        self, lead: int, samples: NDArray[np.int64], coder: DecisionCoder, decoding: bool
    ) -> list[NDArray[np.uint32]]:
        """Code or decode one lead in place; give the decisions that were put."""
        context = self._context(lead)
        state = MixedLead(
            samples=samples,
            context=context,
            trace=new_trace(samples.size),
            experts=new_experts(context, samples.size, len(context.others) < 3),
            loudness=new_loudness(N_EXPERTS, BLOCK),
            values=new_value_coder(N_EXPERTS, logistic_tables(), coder),
            at=np.zeros(2, np.int64),
            phase_samples=max(int(min(_PHASE_SECONDS * self._fs, 65536.0)), 1),
            scale_decays=decay_powers()[1],
        )
        decisions = []
        for begin in range(0, samples.size, _STRETCH):
            coder.n_decisions[0] = 0
            _code_stretch(decoding, state, min(begin + _STRETCH, samples.size))
            decisions.append(coder.decisions[: coder.n_decisions[0]].copy())
            if coder.cursor[2]:
                break
        self._differences.append(differences(samples, 1.0))
        self._magnitudes.append(state.trace.magnitude)
        self._san_differences.append(context.san)
        return decisions


def _new_coder(words: NDArray[np.uint32], n_decisions: int) -> DecisionCoder:
    return DecisionCoder(
        decisions=np.empty(n_decisions, np.uint32),
        n_decisions=np.zeros(1, np.int64),
        words=words,
        cursor=np.zeros(3, np.int64),
    )


def encode_mixing(
    samples: NDArray[np.int32],
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
) -> bytes:
    """Code the leads of one chunk so that ``decode_mixing`` gives them back exactly.

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
    n_leads, n_samples = samples.shape
    stretch = min(_STRETCH, n_samples)
    coder = _new_coder(np.zeros(0, np.uint32), MAX_DECISIONS * stretch)
    leads = _MixedLeads(n_samples, fs, san, beats, n_kernels)
    decisions: list[NDArray[np.uint32]] = []
    for lead in range(n_leads):
        decisions += leads.mix(lead, samples[lead].astype(np.int64), coder, False)
    return encode_decisions(np.concatenate(decisions)).astype("<u4").tobytes()


def decode_mixing(  # noqa: PLR0917
    payload: bytes,
    n_samples: int,
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
) -> NDArray[np.int32]:
    """Give back the (n_leads, n_samples) int32 samples of ``encode_mixing``.

    Raises
    ------
    CorruptError
        The payload does not end where its samples do, or a sample leaves the range of int32.
    """
    if len(payload) % 4:
        raise CorruptError(f"residual: {len(payload)} bytes, expected a multiple of 4")
    coder = _new_coder(np.frombuffer(payload, "<u4").astype(np.uint32), 0)
    if not open_words(coder.words, coder.cursor):
        raise CorruptError("residual: the first state is out of range")
    leads = _MixedLeads(n_samples, fs, san, beats, n_kernels)
    decoded = np.zeros((san.shape[0], n_samples), np.int32)
    for lead in range(san.shape[0]):
        samples = np.zeros(n_samples, np.int64)
        leads.mix(lead, samples, coder, True)
        if coder.cursor[2]:
            raise CorruptError(f"residual: lead {lead} does not decode to its samples")
        decoded[lead] = samples
    if not at_end(coder.words, coder.cursor):
        raise CorruptError("residual: words are left after the last sample")
    return decoded
