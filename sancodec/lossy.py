"""Passes of a lossy encoder: all chunks of a record coded alike, decoded, and their errors counted.

What is promised is judged by these counts alone, which are integers.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sancodec.base import BaseSource, decode_base, encode_base
from sancodec.chunk import EncodedChunk, decode_chunk, encode_chunk
from sancodec.distortion import Tallies
from sancodec.errors import VerifyError
from sancodec.formats.parameters import MAX_DETAILS_BYTES
from sancodec.formats.promise import Promise
from sancodec.layer_search import LayerSearch
from sancodec.layers import SanLayer, leads_of
from sancodec.parallel import map_in_order
from sancodec.planning import EncodingPlan, context_frames
from sancodec.principal import BeatsLeft
from sancodec.progress import Progress
from sancodec.recording import Recording, RecordSource
from sancodec.report import SignalReport
from sancodec.residual.loss import Loss
from sancodec.runtime import SynthesisSession
from sancodec.san.synthesis import Activations
from sancodec.spans import WideSpan, wide_span, wide_spans

# Principal kernels are fitted to so many chunks: those of a day would not fit into memory.
_N_FIT_CHUNKS = 4


@dataclass(frozen=True)
class Coded:
    """The chunks of a record, and how much they differ from it."""

    plan: EncodingPlan
    chunks: list[EncodedChunk]
    tallies: Tallies

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
    progress : callable, optional
        Told of each pass.
    """

    def __init__(
        self,
        source: RecordSource,
        session: SynthesisSession,
        chunk_frames: int,
        jobs: int,
        progress: Progress | None = None,
    ) -> None:
        self._source = source
        self._base = source
        self._gains = np.eye(len(source.channels))
        self.session = session
        self.chunk_frames = chunk_frames
        self._jobs = jobs
        self._progress = progress
        self._n_passes = 0
        self._missing = source.missing
        self.n_samples = source.n_frames * sum(c.samples_per_frame for c in source.channels)
        self._searches: tuple[LayerSearch, ...] = ()
        self._found: dict[int, list[Activations]] = {}

    def on_base(self, base: BaseSource) -> LossyEncoder:
        """Give an encoder of the same record that codes its base leads.

        Errors are those of the record all the same.
        """
        own = copy.copy(self)
        own._base, own._gains = base, base.gains()
        own._searches, own._found = (), {}
        return own

    def is_whole(self) -> bool:
        """Tell whether no sample is missing."""
        return sum(tally.n_samples for tally in self._originals.channels) == self.n_samples

    def loss(
        self,
        steps: NDArray[np.float64],
        turning: NDArray[np.float64] | None = None,
        max_errors: tuple[int, ...] | None = None,
    ) -> Loss:
        """Give the loss of a pass."""
        turned = None if turning is None or turning.size < 2 else tuple(turning.tolist())
        return Loss(tuple(steps.tolist()), self._base.missing, turned, max_errors)

    def pieces(self, coded: Coded) -> Iterator[tuple[Recording, EncodedChunk]]:
        """Decode what was coded: give each span as it comes back, and its chunk.

        Raises
        ------
        VerifyError
            The spans differ from the record in another way than was promised.
        """
        tallies = Tallies(self._missing)
        for wide, chunk in zip(self._spans(0), coded.chunks, strict=True):
            decoded, layers = self._decode(coded.plan, chunk, _samples_of(wide))
            tallies.add(_samples_of(wide), decoded)
            yield decoded, replace(chunk, layers=layers, coded=wide.chunk)
        if tallies.channels != coded.tallies.channels:
            raise VerifyError(
                f"{self._source.name}: the chunks do not decode to what was promised; "
                "please report this"
            )

    def run(self, plan: EncodingPlan, loss: Loss | None) -> Coded:
        """Code all chunks with this loss, None for none, and count what it does."""
        plan = replace(plan, chunks=replace(plan.chunks, loss=loss))
        tallies = Tallies(self._missing)
        chunks = []
        done = 0
        self._n_passes += 1
        numbered = enumerate(self._spans(context_frames(plan.chunks)))

        def work(item: tuple[int, WideSpan]) -> _Piece:
            return self._code(plan, *item)

        for piece in map_in_order(work, numbered, self._jobs):
            tallies.add(piece.original, piece.decoded)
            chunks.append(piece.chunk)
            done += piece.original.n_frames
            if self._progress is not None:
                self._progress(done, self._source.n_frames, f"pass {self._n_passes}")
        return Coded(plan, chunks, tallies)

    def detailed(self, plan: EncodingPlan) -> list[EncodingPlan]:
        """Give a plan, made for steps, with principal kernels: several, or none, to be tried."""
        left: list[list[BeatsLeft]] = [[] for _ in plan.searches]
        n_chunks = -(-self._source.n_frames // self.chunk_frames)
        fitted_to = {n_chunks * i // _N_FIT_CHUNKS for i in range(_N_FIT_CHUNKS)}
        context = context_frames(plan.chunks)
        for number in sorted(fitted_to):
            wide = wide_span(self._source, self._base, self.chunk_frames, context, number)
            found = self._activations(plan, number, wide)
            span = wide.recording.frames(wide.lead_in, wide.lead_in + wide.n_frames)
            for search, own, spans in zip(plan.searches, found, left, strict=True):
                samples = leads_of(span, plan.chunks.groups[search.san.group])
                spans.append(search.left_by(samples, own))
        many, share = plan.chunks.level == "max", n_chunks / len(fitted_to)
        sets = [
            search.with_details(own, share, many=many)
            for search, own in zip(plan.searches, left, strict=True)
        ]
        plans = []
        for i in range(max(map(len, sets), default=0)):
            pairs = zip(plan.searches, sets, strict=True)
            chosen = [own[min(i, len(own) - 1)] if own else search for search, own in pairs]
            if _details_bytes(chosen) <= MAX_DETAILS_BYTES:
                plans.append(plan.with_searches(chosen))
        return plans

    def _spans(self, context: int) -> Iterator[WideSpan]:
        return wide_spans(self._source, self._base, self.chunk_frames, context)

    def _code(self, plan: EncodingPlan, number: int, wide: WideSpan) -> _Piece:
        span = _samples_of(wide)
        activations = self._activations(plan, number, wide)
        encode = encode_chunk if wide.samples is None else encode_base
        chunk = encode(span, plan.chunks, activations, self.session)
        decoded = chunk.decoded or self._decode(plan, chunk, span)[0]
        # Arrays of all chunks together would take as much memory as the record.
        bare = replace(chunk, layers=(), coded=_nothing(span), decoded=None)
        return _Piece(span, bare, decoded)

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
        decode = decode_chunk if plan.chunks.structure is None else decode_base
        return decode(chunk.payload, _nothing(span), plan.chunks, span.n_frames, self.session)

    def deviations(self) -> NDArray[np.float64]:
        """Give the standard deviation of each lead that is coded, 1 where there is none.

        Where channels follow from others, it is that of the channel that allows least of an error
        of the lead; in ADC units, or in steps of the grid that the lead is on.
        """
        tallies = self._originals.channels
        variances = [float(tally.deviation) / max(tally.n_samples, 1) for tally in tallies]
        allowed = np.array([math.sqrt(variance) or np.inf for variance in variances])
        allowed /= np.maximum(np.sqrt(np.square(self._gains).sum(axis=1)), 1e-9)
        least = -self.worst_of(-allowed)
        return np.where(np.isfinite(least), least, 1.0)

    @cached_property
    def _originals(self) -> Tallies:
        """The tally of the record against itself."""
        tallies = Tallies(self._missing)
        for wide in wide_spans(self._source, self._source, self.chunk_frames, 0):
            tallies.add(wide.chunk, wide.chunk)
        return tallies

    def base_bounds(self, bounds: tuple[int, ...], share: float) -> tuple[int, ...]:
        """Give what leads that are coded may be off by, as a share of the channels' bounds."""
        allowed = (np.array(bounds) + 0.5) / np.maximum(np.abs(self._gains).sum(axis=1), 1e-9)
        least = -self.worst_of(-allowed)
        return tuple(int(min(share * bound, 1 << 31)) for bound in least)

    def worst_of(self, errors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give for each lead that is coded the largest (n_channels,) error that it is a part of."""
        parts = np.where(self._gains != 0.0, errors[:, None], -np.inf)
        return np.asarray(parts.max(axis=0))


def _details_bytes(searches: Sequence[LayerSearch]) -> int:
    """Give the bytes of all principal kernels, or a few more."""
    coded = [s.san.details.coded if s.san.details is not None else b"" for s in searches]
    return sum(map(len, coded)) + sum(s.san.bank.n_kernels + 4 for s in searches)


def _samples_of(wide: WideSpan) -> Recording:
    return wide.chunk if wide.samples is None else wide.samples


def _nothing(span: Recording) -> Recording:
    empty = tuple(np.zeros(0, np.int32) for _ in span.channels)
    return replace(span, signals=empty)
