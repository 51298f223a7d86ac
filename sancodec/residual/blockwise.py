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
from numpy.typing import NDArray

from sancodec.entropy.adaptive import SYMBOLS_PER_NUMBER, new_contexts
from sancodec.entropy.ladder import MAX_SYMBOLS, ladder
from sancodec.entropy.rans import at_end, encode_symbols, words_of
from sancodec.errors import CorruptError
from sancodec.residual.blockfit import Target, fit_predictor, fit_scale
from sancodec.residual.blockwalk import (
    BLOCK,
    EXPECTED,
    N_FEATURES,
    N_FIELDS,
    N_OWN,
    OTHER,
    OTHER_SAN,
    OWN,
    PAD,
    SAN,
    WEIGHT_BITS,
    Coder,
    LeadContext,
    LeadModel,
    LeadTrace,
    Work,
    code_lead,
    put_model,
    rehearse,
    take_model,
)
from sancodec.residual.coder import Extent, lengths_until
from sancodec.residual.taps import Taps
from sancodec.residual.template import Beats, TemplateState, new_template_state

FRACTION_BITS = 4
"""The SAN reconstruction comes in units of 2**-FRACTION_BITS ADC units."""

LOOK_AHEAD = 2
SAN_BACK = 8
EXPECTED_BACK = 2
MANY_LEADS = 3
"""From this number of leads coded before on, fewer samples of each are regressors."""
MAX_LEADS_BEFORE = 12

# Coefficients, exponents and weights of a block, with room to spare.
_MAX_NUMBERS = 256


class _Kind(NamedTuple):
    """One source of regressors: its neighbours from ``-back`` to ``ahead``, and its field."""

    source: NDArray[np.float64]
    back: int
    ahead: int
    field: int


def _differences(signal: NDArray[np.int64], scale: float) -> NDArray[np.float64]:
    """Give scaled first differences with PAD zeros on either side; that of sample 0 is 0."""
    padded = np.zeros(signal.size + 2 * PAD)
    padded[PAD + 1 : PAD + signal.size] = np.diff(signal) * scale
    return padded


def _work(model: LeadModel, context: LeadContext, n_samples: int) -> Work:
    """Give the coefficients and weights that the model's integers stand for, exactly."""
    exponents = np.repeat(model.exponents, context.taps.n_taps, axis=1)
    weights = model.scale / float(1 << WEIGHT_BITS)
    return Work(
        coefficients=model.integers / (np.int64(1) << exponents).astype(np.float64),
        weights=weights[:N_FEATURES],
        averages=np.full(3, weights[N_FEATURES]),
        step=np.empty(n_samples),
        scale=np.empty(n_samples),
    )


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
        self.n_blocks = max(n_samples // BLOCK, 1)
        self._n_samples = n_samples
        self._fs = fs
        self._san = san
        self._beats = beats
        self._n_kernels = n_kernels
        self._differences: list[NDArray[np.float64]] = []
        self._san_differences: list[NDArray[np.float64]] = []
        self._loudest = np.zeros(n_samples + 4)

    def encode(self, lead: int, samples: NDArray[np.int64], n_symbols: int, coder: Coder) -> int:
        """Put the symbols of one lead; give the number of symbols put so far."""
        context = self._context(lead, _differences(samples, 1.0))
        model = self._fit(context)
        n_symbols = put_model(model, context, coder, n_symbols)
        return self._walk(None, samples, n_symbols, context, model, coder)

    def decode(
        self, words: NDArray[np.uint32], lead: int, samples: NDArray[np.int64], coder: Coder
    ) -> bool:
        """Fill ``samples``; False if they cannot be what was encoded."""
        context = self._context(lead, np.zeros(self._n_samples + 2 * PAD))
        model = self._empty_model(context)
        if not take_model(words, model, context, coder):
            return False
        self._walk(words, samples, 0, context, model, coder)
        return not coder.cursor[2]

    def _walk(  # noqa: PLR0917
        self,
        words: NDArray[np.uint32] | None,
        samples: NDArray[np.int64],
        n_symbols: int,
        context: LeadContext,
        model: LeadModel,
        coder: Coder,
    ) -> int:
        # The decoder's own differences are regressors as they come to be known.
        trace = self._trace(context.taps.sources[0])
        work = _work(model, context, self._n_samples)
        n_symbols = code_lead(
            words, samples, n_symbols, context, self._template(), work, trace, coder
        )
        # A copy: the view would keep all regressors of the lead in memory.
        self._differences.append(trace.difference.copy())
        self._san_differences.append(context.san)
        self._loudest[2:-2] += trace.magnitude
        return n_symbols

    def _context(self, lead: int, own: NDArray[np.float64]) -> LeadContext:
        beats = self._beats[lead]
        before = self._differences[-MAX_LEADS_BEFORE:]
        few = len(before) < MANY_LEADS
        back = SAN_BACK if few else LOOK_AHEAD
        san = _differences(self._san[lead].astype(np.int64), 1.0 / (1 << FRACTION_BITS))
        kinds = [_Kind(own, N_OWN, -1, OWN)]
        kinds += [_Kind(other, back, LOOK_AHEAD, OTHER) for other in before]
        if beats.start.size > 0:
            kinds.append(_Kind(san, SAN_BACK, LOOK_AHEAD, SAN))
            kinds += [
                _Kind(other, LOOK_AHEAD, LOOK_AHEAD, OTHER_SAN)
                for other in (self._san_differences if few else [])
            ]
        # Last, and there without beats too: the walk writes into it.
        kinds.append(_Kind(np.zeros_like(san), EXPECTED_BACK, LOOK_AHEAD, EXPECTED))
        sources = np.stack([kind.source for kind in kinds])
        n_kinds = len(kinds) if beats.start.size > 0 else len(kinds) - 1
        total = self._loudest / max(len(self._differences), 1)
        return LeadContext(
            taps=Taps(
                sources=sources[:n_kinds],
                first=np.array([-kind.back for kind in kinds[:n_kinds]]),
                n_taps=np.array([kind.back + kind.ahead + 1 for kind in kinds[:n_kinds]]),
            ),
            fields=np.array([kind.field for kind in kinds[:n_kinds]]),
            san=san,
            expected=sources[-1],
            loud=np.zeros(self._n_samples),
            near=(0.25 * total[1:-3] + 0.5 * total[2:-2]) + 0.25 * total[3:-1],
            around=0.5 * total[:-4] + 0.5 * total[4:],
            beats=beats,
        )

    def _template(self) -> TemplateState:
        return new_template_state(max(self._n_kernels, 1), self._fs)

    def _trace(self, difference: NDArray[np.float64]) -> LeadTrace:
        return LeadTrace(difference, np.zeros(self._n_samples), np.zeros(self._n_samples))

    def _empty_model(self, context: LeadContext) -> LeadModel:
        return LeadModel(
            exponents=np.zeros((self.n_blocks, len(context.fields)), np.int64),
            integers=np.zeros((self.n_blocks, int(context.taps.n_taps.sum())), np.int64),
            scale=np.zeros(N_FEATURES + 1, np.int64),
        )

    def _fit(self, context: LeadContext) -> LeadModel:
        """Choose the model of a lead whose samples are known."""
        n = self._n_samples
        trace = self._trace(context.taps.sources[0])
        difference = trace.difference[PAD : PAD + n]
        trace.left[:] = difference - context.san[PAD : PAD + n]
        rehearse(context, self._template(), trace)
        miss = trace.left - context.expected[PAD : PAD + n]
        model, weights = self._empty_model(context), np.zeros(n)
        for block in range(self.n_blocks):
            stop = n if block == self.n_blocks - 1 else (block + 1) * BLOCK
            target = Target(difference, miss, weights, max(block * BLOCK, 1), stop)
            model.exponents[block], model.integers[block] = fit_predictor(context.taps, target)
        trace.magnitude[1:] = np.abs(miss[1:])
        # Once more, now that it is known how loud the beats will be.
        rehearse(context, self._template(), trace)
        start = float(trace.magnitude.sum()) / max(n, 1)
        model.scale[:N_FEATURES] = fit_scale(trace.magnitude, context, start)
        model.scale[N_FEATURES] = round(start * (1 << WEIGHT_BITS))
        context.expected[:] = 0.0
        context.loud[:] = 0.0
        return model


def _symbols_of(
    samples: NDArray[np.int32],
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
) -> tuple[NDArray[np.int64], int]:
    """Give the (3, capacity) symbols of a chunk, and their number."""
    n_leads, n_samples = samples.shape
    leads = _Leads(n_samples, fs, san, beats, n_kernels)
    per_lead = MAX_SYMBOLS * n_samples + _MAX_NUMBERS * SYMBOLS_PER_NUMBER * leads.n_blocks
    symbols = np.empty((3, n_leads * per_lead), np.int64)
    coder = Coder(ladder(), new_contexts(N_FIELDS), symbols, np.zeros(3, np.int64))
    n_symbols = 0
    for lead in range(n_leads):
        n_symbols = leads.encode(lead, samples[lead].astype(np.int64), n_symbols, coder)
    return symbols, n_symbols


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
    symbols, n_symbols = _symbols_of(samples, fs, san, beats, n_kernels)
    words = encode_symbols(symbols[0], symbols[1], symbols[2], n_symbols)
    return words.astype("<u4").tobytes()


def decode_blockwise(  # noqa: PLR0917
    payload: bytes,
    n_samples: int,
    fs: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
    until: Extent | None = None,
) -> NDArray[np.int32]:
    """Give back the (n_leads, n_samples) int32 samples of ``encode_blockwise``, or until an extent.

    Raises
    ------
    CorruptError
        The payload does not end where its samples do, or a sample leaves the range of int32.
    """
    words, cursor = words_of(payload, "residual")
    coder = Coder(ladder(), new_contexts(N_FIELDS), np.zeros((3, 0), np.int64), cursor)
    leads = _Leads(n_samples, fs, san, beats, n_kernels)
    decoded = np.zeros((san.shape[0], n_samples), np.int32)
    for lead, length in enumerate(lengths_until(decoded.shape, until)):
        samples = np.zeros(length, np.int64)
        if not leads.decode(words, lead, samples, coder):
            raise CorruptError(f"residual: lead {lead} does not decode to its samples")
        decoded[lead, :length] = samples
    if until is None and not at_end(words, cursor):
        raise CorruptError("residual: words are left after the last sample")
    return decoded
