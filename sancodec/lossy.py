"""Lossy encoding of a record: chunks are coded again and again until what was promised holds.

Each pass codes all chunks with the same steps, decodes what it wrote and counts the errors, in
integers. Steps then move until every lead is as close to the target as they can bring it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sancodec.chunk import EncodedChunk, decode_chunk, encode_chunk
from sancodec.distortion import Tallies
from sancodec.errors import ConfigError
from sancodec.fidelity import SanOnly, TargetPrdn
from sancodec.formats.promise import Promise
from sancodec.layer_search import LayerSearch
from sancodec.layers import SanLayer
from sancodec.parallel import map_in_order
from sancodec.parameters import header_kernels
from sancodec.planning import EncodingPlan, context_frames
from sancodec.recording import Recording, RecordSource
from sancodec.report import SignalReport
from sancodec.residual.loss import Loss
from sancodec.runtime import SynthesisSession
from sancodec.san.synthesis import Activations
from sancodec.spans import WideSpan, wide_spans

_MAX_PASSES, _MAX_QUICK_PASSES, _FEW_SAMPLES = 8, 20, 1 << 18
# The pass that settles what else there is to choose, and those that play it safe.
_CHOOSE_AT, _LATE_PASSES = 2, 3
_CLOSE = 0.996
_AIM = 0.9985
# Of a step, in PRDN of the lead: where most coefficients become 0 and few are coded.
_FIRST_STEP = 3.0
# How steps go with the error, as exponents: at first, and what passes may say it is.
_EXPONENT, _LEAST_EXPONENT, _MOST_EXPONENT = 1.3, 0.5, 3.0
_TOLD_APART = 0.003
_SHRINK = 0.8
_MOST_GROWTH = math.log(64.0)
_MAX_SHRINKS = 60
# Above so many bits for each sample the lossless modes may be as small.
_LOSSLESS_FROM = 1.5


@dataclass(frozen=True)
class Coded:
    """The chunks of a record, and how much they differ from it."""

    plan: EncodingPlan
    chunks: list[EncodedChunk]
    tallies: Tallies

    @property
    def n_bytes(self) -> int:
        """Bytes of the chunks and of the kernels that they need."""
        _, embedded = header_kernels(self.plan.chunks, self.plan.names)
        return len(embedded) + sum(len(chunk.payload) for chunk in self.chunks)

    @property
    def signals(self) -> tuple[SignalReport, ...]:
        """Of each channel what was chosen, and how much it differs."""
        return tuple(
            replace(signal, prdn=tally.prdn, max_error=tally.max_error)
            for signal, tally in zip(self.plan.signals, self.tallies.channels, strict=True)
        )

    def promise(self, wanted: tuple[float, ...]) -> Promise:
        """Give what the file says of its samples."""
        return Promise(wanted, tuple(tally.distortion() for tally in self.tallies.channels))


@dataclass(frozen=True)
class _Piece:
    """One chunk coded: without its arrays, and what it decodes to."""

    original: Recording
    chunk: EncodedChunk
    decoded: Recording


class LossyEncoder:
    """Codes a record with loss, as often as it takes.

    Parameters
    ----------
    source : RecordSource
        Read once for each pass.
    session : SynthesisSession
    chunk_frames : int
    jobs : int
        Threads that work on chunks.
    """

    def __init__(
        self, source: RecordSource, session: SynthesisSession, chunk_frames: int, jobs: int
    ) -> None:
        self._source = source
        self._session = session
        self._chunk_frames = chunk_frames
        self._jobs = jobs
        self._missing = source.missing
        self.n_samples = source.n_frames * sum(c.samples_per_frame for c in source.channels)
        self._searches: tuple[LayerSearch, ...] = ()
        self._found: dict[int, list[Activations]] = {}

    def encode(self, plan: EncodingPlan, fidelity: TargetPrdn | SanOnly) -> Coded:
        """Give the smallest coding that was found to keep what the fidelity promises.

        Raises
        ------
        ConfigError
            The SAN layer alone was asked for, and the plan has none.
        """
        if isinstance(fidelity, SanOnly):
            if not plan.searches:
                raise ConfigError(
                    f"{self._source.name}: no kernels fit it, so nothing but a level would be "
                    "left of the SAN layer alone; give a model, or a PRDN"
                )
            return self.run(plan, [0.0] * len(self._source.channels))
        return _PrdnSearch(self, plan, fidelity.percent, self._deviations()).best()

    def pieces(self, coded: Coded) -> Iterator[tuple[Recording, EncodedChunk]]:
        """Decode what was coded once more: give each span as it comes back, and its chunk."""
        for wide, chunk in zip(self._spans(0), coded.chunks, strict=True):
            decoded, layers = self._decode(coded.plan, chunk, wide.chunk)
            yield decoded, replace(chunk, layers=layers, coded=wide.chunk)

    def run(self, plan: EncodingPlan, steps: Sequence[float], *, rotate: bool = True) -> Coded:
        """Code all chunks with these steps; those of 0 leave the SAN layer alone."""
        return self._run(plan, Loss(tuple(steps), self._missing, rotate))

    def run_lossless(self, plan: EncodingPlan) -> Coded:
        """Code all chunks without loss."""
        return self._run(plan, None)

    def _run(self, plan: EncodingPlan, loss: Loss | None) -> Coded:
        plan = replace(plan, chunks=replace(plan.chunks, loss=loss))
        tallies = Tallies(self._missing)
        chunks = []
        numbered = enumerate(self._spans(context_frames(plan.chunks)))

        def work(item: tuple[int, WideSpan]) -> _Piece:
            return self._code(plan, *item)

        for piece in map_in_order(work, numbered, self._jobs):
            tallies.add(piece.original, piece.decoded)
            chunks.append(piece.chunk)
        return Coded(plan, chunks, tallies)

    def _spans(self, context: int) -> Iterator[WideSpan]:
        return wide_spans(self._source, self._source, self._chunk_frames, context)

    def _code(self, plan: EncodingPlan, number: int, wide: WideSpan) -> _Piece:
        span = wide.chunk
        activations = self._activations(plan, number, wide)
        chunk = encode_chunk(span, plan.chunks, activations, self._session)
        decoded, _ = self._decode(plan, chunk, span)
        # Arrays of all chunks together would take as much memory as the record.
        return _Piece(span, replace(chunk, layers=(), coded=_nothing(span)), decoded)

    def _activations(self, plan: EncodingPlan, number: int, wide: WideSpan) -> list[Activations]:
        """Give the activations of a chunk; a plan's are found once."""
        if not plan.searches:
            return []
        if self._searches is not plan.searches:
            self._searches, self._found = plan.searches, {}
        if number not in self._found:
            self._found[number] = plan.activations(wide.recording, wide.lead_in, wide.n_frames)
        return self._found[number]

    def _decode(
        self, plan: EncodingPlan, chunk: EncodedChunk, span: Recording
    ) -> tuple[Recording, tuple[SanLayer, ...]]:
        return decode_chunk(
            chunk.payload, _nothing(span), plan.chunks, span.n_frames, self._session
        )

    def _deviations(self) -> NDArray[np.float64]:
        """Give the standard deviation of each channel, 1 where there is none, in ADC units."""
        tallies = Tallies(self._missing)
        for wide in self._spans(0):
            tallies.add(wide.chunk, wide.chunk)
        variances = [float(t.deviation) / max(t.n_samples, 1) for t in tallies.channels]
        return np.array([math.sqrt(variance) or 1.0 for variance in variances])


class _PrdnSearch:
    """The steps with which every lead is just below a PRDN."""

    def __init__(
        self,
        encoder: LossyEncoder,
        plan: EncodingPlan,
        percent: float,
        deviations: NDArray[np.float64],
    ) -> None:
        self._encoder = encoder
        self._plan = plan
        self._rotate = True
        self._percent = percent
        self._steps = np.log(deviations * (_FIRST_STEP * percent / 100.0))
        # A lead that is exact, or all zeros, says nothing of what a larger step would do.
        self._largest = self._steps + _MOST_GROWTH
        self._best: Coded | None = None
        n_samples = encoder.n_samples
        self._n_passes = _MAX_PASSES if n_samples > _FEW_SAMPLES else _MAX_QUICK_PASSES

    def best(self) -> Coded:
        """Search, and give the smallest coding that keeps the promise."""
        self._approach()
        for _ in range(_MAX_SHRINKS):
            if self._best is not None:
                break
            self._steps += math.log(_SHRINK)
            self._try()
        return self._or_lossless()

    def _approach(self) -> None:
        """Move the steps of all leads until each is close below the target."""
        bracket = _Bracket(self._steps)
        for number in range(self._n_passes):
            if number == _CHOOSE_AT:
                self._choose()
            ratios = self._ratios(self._try())
            if np.all((ratios <= 1.0) & (ratios >= _CLOSE)):
                return
            late = number >= self._n_passes - _LATE_PASSES and self._best is None
            moved = bracket.next(self._steps, np.log(np.maximum(ratios, 1e-3)), late)
            self._steps = np.minimum(moved, self._largest)

    def _choose(self) -> None:
        """Choose at these steps whether leads are turned and have SAN layers: the fewest bytes."""
        steps = np.exp(self._steps)
        self._best = None
        layered = self._plan.for_steps(steps)
        plans = [layered, self._plan.without_layers()] if self._plan.searches else [layered]
        sizes = {}
        for i, plan in enumerate(plans):
            sizes[i, True] = self._encoder.run(plan, steps.tolist()).n_bytes
        chosen = min(sizes, key=sizes.__getitem__)
        self._plan = plans[chosen[0]]
        if steps.size > 1:
            straight = self._encoder.run(self._plan, steps.tolist(), rotate=False)
            self._rotate = straight.n_bytes > sizes[chosen]

    def _try(self) -> Coded:
        steps = np.exp(self._steps).tolist()
        coded = self._encoder.run(self._plan, steps, rotate=self._rotate)
        kept = all(tally.within(self._percent) for tally in coded.tallies.channels)
        if kept and (self._best is None or coded.n_bytes < self._best.n_bytes):
            self._best = coded
        return coded

    def _ratios(self, coded: Coded) -> NDArray[np.float64]:
        """Give each channel's PRDN over the target; what is exact has reached it."""
        ratios = [
            min(tally.prdn / self._percent, 1e3) if tally.deviation else _AIM
            for tally in coded.tallies.channels
        ]
        return np.array(ratios)

    def _or_lossless(self) -> Coded:
        """Give the best coding, or one without loss where that is no larger."""
        best = self._best
        n_samples = 0 if best is None else sum(t.n_samples for t in best.tallies.channels)
        if best is not None and 8 * best.n_bytes < _LOSSLESS_FROM * n_samples:
            return best
        exact = self._encoder.run_lossless(self._plan)
        return exact if best is None or exact.n_bytes <= best.n_bytes else best


class _Bracket:
    """What passes have said of each lead: how its error goes with its step, in logarithms.

    Parameters
    ----------
    steps : (n_leads,) float64
        Where the search begins.
    """

    def __init__(self, steps: NDArray[np.float64]) -> None:
        self._last: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        self._exponents = np.full(steps.size, _EXPONENT)
        self._kept = np.full(steps.size, -np.inf)

    def next(
        self, steps: NDArray[np.float64], errors: NDArray[np.float64], late: bool
    ) -> NDArray[np.float64]:
        """Give the steps to try next, from the logarithms of errors over the target.

        ``late`` asks for steps with which every lead was below the target once.
        """
        if self._last is not None:
            self._learn(steps - self._last[0], errors - self._last[1])
        self._last = steps, errors
        self._kept = np.where(errors <= 0.0, np.maximum(self._kept, steps), self._kept)
        moved = steps + self._exponents * (math.log(_AIM) - errors)
        if not late:
            return moved
        known = np.where(np.isfinite(self._kept), self._kept, moved)
        return np.minimum(moved, known)

    def _learn(self, steps: NDArray[np.float64], errors: NDArray[np.float64]) -> None:
        told = (np.abs(errors) > _TOLD_APART) & (steps * errors > 0.0)
        found = np.divide(steps, errors, out=np.full_like(steps, _EXPONENT), where=told)
        self._exponents = np.clip(found, _LEAST_EXPONENT, _MOST_EXPONENT)


def _nothing(span: Recording) -> Recording:
    empty = tuple(np.zeros(0, np.int32) for _ in span.channels)
    return replace(span, signals=empty)
