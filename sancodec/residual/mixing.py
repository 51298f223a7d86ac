"""Lossless residual layer of the highest level: many predictions, mixed decision by decision.

The regressors are those of ``wide``: a lead's own past, leads coded before it and the SAN
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
from sancodec.entropy.mixer import DecisionCoder, decisions_of, payload_of, room_for
from sancodec.entropy.rans import at_end
from sancodec.errors import CorruptError
from sancodec.residual.binarisation import (
    MAX_DECISIONS,
    N_PHASES,
    ValueCoder,
    code_value,
    new_value_coder,
    set_experts,
)
from sancodec.residual.coder import Extent, lengths_until
from sancodec.residual.context import PAD, Contexts, WideContext
from sancodec.residual.experts import (
    FIRST_SHARES,
    N_EXPERTS,
    Experts,
    learn_block,
    new_experts,
    observe,
    predict,
    prepare_experts,
)
from sancodec.residual.loudness import (
    Loudness,
    learn_loudness,
    new_loudness,
    observe_magnitudes,
    predict_scales,
    prepare_loudness,
)
from sancodec.residual.template import MARGIN, Beats, prepare_beats
from sancodec.residual.widepredictor import (
    BLOCK,
    CALM,
    FIRST_BLOCK,
    FIRST_SAMPLES,
    SHOCK,
    scale_decay,
)

_FIRST_SCALE = 1024.0
_LOWEST, _HIGHEST = -float(1 << 31), float((1 << 31) - 1)
_RATE, _FIRST_RATE, _RATE_FADES = 0.03, 0.02, 0.02
_PHASE_SECONDS = 16 / 360
# Most samples of a lead that are walked through at once, so that memory stays small.
_STRETCH = 1 << 13


class MixedLead(NamedTuple):
    """All that the walk through one lead reads and changes.

    ``left`` and ``magnitude`` are (n_samples,) float64: what the SAN reconstruction leaves of the
    differences, and how far the last expert missed; ``at`` (2,) is the first sample not yet
    coded, and the first beat not yet prepared.
    """

    samples: NDArray[np.int64]
    context: WideContext
    left: NDArray[np.float64]
    magnitude: NDArray[np.float64]
    experts: Experts
    loudness: Loudness
    values: ValueCoder
    at: NDArray[np.int64]
    phase_samples: int


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
def _code_block(decoding: bool, lead: MixedLead, begin: int, n_rows: int) -> float:
    """Code or decode ``n_rows`` samples; give the block's loudness, as ``wide`` does."""
    experts, loudness, samples, total = lead.experts, lead.loudness, lead.samples, 0.0
    past, san = lead.context.taps.sources[-1], lead.context.san
    for k in range(n_rows):
        t = begin + k
        predict(experts, k, t, past)
        predict_scales(loudness, k, experts.predictions)
        before = float(samples[t - 1])
        phase = _phase(lead.context.beats, lead.at[1], t, lead.phase_samples)
        predictions, scales = experts.predictions, loudness.scales
        _code_sample(decoding, samples, t, before, predictions, scales, phase, lead.values)
        if lead.values.coder.cursor[2]:
            return total
        difference = float(samples[t]) - before
        past[t + PAD] = difference
        lead.left[t] = difference - san[t + PAD]
        missed = observe_magnitudes(loudness, k, difference, predictions)
        lead.magnitude[t] = missed
        observe(experts, k, t, n_rows, difference, scales)
        scale = scales[scales.size - 1]
        total += (scale * scale + SHOCK * (missed * missed)) + CALM
    return total


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
        lead.at[1] = prepare_beats(context, lead.left, lead.magnitude, lead.at[1], begin, PAD)
        stop = min(begin + (BLOCK if begin >= FIRST_SAMPLES else FIRST_BLOCK), end)
        if lead.at[1] < beats.start.size:
            stop = min(stop, beats.start[lead.at[1]] - MARGIN)
        n_rows = stop - begin
        prepare_experts(lead.experts, context.taps, begin, n_rows)
        prepare_loudness(lead.loudness, context, begin, n_rows)
        total = _code_block(decoding, lead, begin, n_rows)
        if not cursor[2]:
            learn_loudness(lead.loudness, n_rows, scale_decay(n_rows))
            learn_block(lead.experts, context.taps, begin, n_rows, n_rows / total)
        begin = stop
    lead.at[0] = begin


class _MixedLeads:
    """The walk through the leads of one chunk."""

    def __init__(self, contexts: Contexts, fs: float) -> None:
        self._contexts = contexts
        self._phase_samples = max(int(min(_PHASE_SECONDS * fs, 65536.0)), 1)

    def mix(
        self, lead: int, samples: NDArray[np.int64], coder: DecisionCoder, decoding: bool
    ) -> list[NDArray[np.uint32]]:
        """Code or decode one lead in place; give the decisions that were put."""
        context = self._contexts.of(lead)
        state = MixedLead(
            samples=samples,
            context=context,
            left=np.zeros(samples.size),
            magnitude=np.zeros(samples.size),
            experts=new_experts(context, samples.size),
            loudness=new_loudness(N_EXPERTS, BLOCK),
            values=new_value_coder(FIRST_SHARES, logistic_tables(), coder),
            at=np.zeros(2, np.int64),
            phase_samples=self._phase_samples,
        )
        decisions = []
        for begin in range(0, samples.size, _STRETCH):
            coder.n_decisions[0] = 0
            _code_stretch(decoding, state, min(begin + _STRETCH, samples.size))
            decisions.append(coder.decisions[: coder.n_decisions[0]].copy())
            if coder.cursor[2]:
                break
        self._contexts.add(context, state.magnitude)
        return decisions


def encode_mixing(  # noqa: PLR0917
    samples: NDArray[np.int32],
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
    starts: Sequence[Sequence[int]] = (),
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
    starts : sequence of n_leads sequences of int, optional
        Coefficients to begin with, in 1 / START_UNIT.
    """
    n_leads, n_samples = samples.shape
    stretch = min(_STRETCH, n_samples)
    coder = room_for(MAX_DECISIONS * stretch)
    leads = _MixedLeads(Contexts(n_samples, fs, san, beats, n_kernels, starts), fs)
    decisions: list[NDArray[np.uint32]] = []
    for lead in range(n_leads):
        decisions += leads.mix(lead, samples[lead].astype(np.int64), coder, False)
    return payload_of(decisions)


def decode_mixing(  # noqa: PLR0917
    payload: bytes,
    n_samples: int,
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
    starts: Sequence[Sequence[int]] = (),
    until: Extent | None = None,
) -> NDArray[np.int32]:
    """Give back the (n_leads, n_samples) int32 samples of ``encode_mixing``, or until an extent.

    Raises
    ------
    CorruptError
        The payload does not end where its samples do, or a sample leaves the range of int32.
    """
    coder = decisions_of(payload, "residual")
    leads = _MixedLeads(Contexts(n_samples, fs, san, beats, n_kernels, starts), fs)
    decoded = np.zeros((san.shape[0], n_samples), np.int32)
    for lead, length in enumerate(lengths_until(decoded.shape, until)):
        samples = np.zeros(length, np.int64)
        leads.mix(lead, samples, coder, True)
        if coder.cursor[2]:
            raise CorruptError(f"residual: lead {lead} does not decode to its samples")
        decoded[lead, :length] = samples
    if until is None and not at_end(coder.words, coder.cursor):
        raise CorruptError("residual: words are left after the last sample")
    return decoded
