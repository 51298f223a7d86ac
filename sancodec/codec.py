"""Records to .san streams and back, chunk by chunk, so that length does not cost memory."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from sancodec.base import BaseSource, encode_base, find_structure
from sancodec.carried import CHUNK_SAMPLES
from sancodec.chunk import EncodedChunk, encode_chunk
from sancodec.config import CodecConfig
from sancodec.errors import RecordError
from sancodec.fidelity import Lossless, MaxError, SanOnly
from sancodec.formats.container import ContainerWriter, Header, Summary
from sancodec.formats.header import FIDELITY_LOSSLESS, LEVELS
from sancodec.formats.parameters import encode_parameters
from sancodec.layers import ChunkPlan, Group, SanLayer, groups_of, regressors, to_adc_units
from sancodec.lossy import Coded, LossyEncoder
from sancodec.lossy_file import LossyFile
from sancodec.parallel import jobs_of, map_in_order
from sancodec.parameters import header_kernels, parameters_of
from sancodec.planning import EncodingPlan, chunk_frames_of, context_frames, plan_record
from sancodec.progress import Progress, told
from sancodec.recording import Recording, RecordSource
from sancodec.report import SignalReport
from sancodec.runtime import SynthesisSession, open_session
from sancodec.sample_hash import SampleHash
from sancodec.spans import WideSpan, wide_spans
from sancodec.structure.record import with_derived
from sancodec.structure.structure import Structure

LOSS_WINDOW = 1000


class SpanObserver(Protocol):
    """Sees every span that is encoded, in order; gives the restoration at the end."""

    @property
    def n_bytes(self) -> int:
        """Bytes that ``finish`` will give, or a few more; 0 where that is not known before."""

    def feed(self, span: Recording) -> None:
        """See the next span, as it will be decoded."""

    def finish(self) -> bytes:
        """Give the restoration of the original files."""


@dataclass
class _Tally:
    """What adds up over the chunks of a record."""

    n_activations: int = 0
    n_amplitudes: int = 0
    san_bytes: int = 0
    residual_bytes: int = 0
    san_error: int = 0
    san_reference: int = 0

    def add(self, chunk: EncodedChunk, plan: EncodingPlan) -> None:
        self.san_bytes += chunk.san_bytes
        self.residual_bytes += chunk.residual_bytes
        for number, group in enumerate(plan.chunks.groups):
            layers = [layer for layer in chunk.layers if layer.plan.group == number]
            if layers:
                error, reference = _losses(layers, chunk.coded, group)
                self.san_error += error
                self.san_reference += reference
        for layer in chunk.layers:
            self.n_activations += layer.activations.n_activations
            self.n_amplitudes += int(np.count_nonzero(layer.activations.amplitude))
            if layer.activations.details is not None:
                self.n_amplitudes += int(np.count_nonzero(layer.activations.details))


def _losses(layers: Sequence[SanLayer], span: Recording, group: Group) -> tuple[int, int]:
    """Give the sums of |x - r| and of |x|, each less its mean, over the leads of the group."""
    error = reference = 0
    _, reconstruction, _, _ = regressors(layers[0].reconstruction.shape, group, layers)
    for lead, channel in enumerate(group.channels):
        signal = span.signals[channel].astype(np.int64)
        error += _spread(signal - to_adc_units(reconstruction[lead]))
        reference += _spread(signal)
    return error, reference


def _spread(signal: NDArray[np.int64]) -> int:
    """Give the sum of absolute deviations from the rounded mean of each window.

    Windows of 1,000 samples, as in the paper (section IV): over a longer one the wander of the
    baseline would count for more than the beats.
    """
    whole = signal.size - signal.size % LOSS_WINDOW
    windows = [signal[:whole].reshape(-1, LOSS_WINDOW), signal[None, whole:]]
    total = 0
    for window in windows:
        if window.size:
            mean = np.floor(window.mean(axis=1, keepdims=True) + 0.5).astype(np.int64)
            total += int(np.abs(window - mean).sum())
    return total


def encode_stream(
    source: RecordSource,
    target: BinaryIO,
    config: CodecConfig,
    *,
    session: SynthesisSession | None = None,
    restorer: SpanObserver | None = None,
    progress: Progress | None = None,
    jobs: int | None = 1,
    carried: bool = False,
) -> tuple[SignalReport, ...]:
    """Encode a record into ``target``, reading it once for the plan and once for the chunks.

    Gives what was chosen for each channel, and why.

    Parameters
    ----------
    target : BinaryIO
        Only written to, from the first byte to the last.
    restorer : SpanObserver, optional
        Learns how to give back the original files.
    jobs : int or None
        Threads that encode chunks, None for one on each processor; the bytes are the same.
    carried : bool
        Whether the samples are in files that the restorer keeps as they are: then no chunk has any.

    Raises
    ------
    RecordError
        The record has no samples or no channels, or changed while it was read.
    ModelError, ConfigError
        The model or the settings are not there or contradict one another.
    """
    if source.n_frames < 1 or not source.channels:
        raise RecordError(f"{source.name}: no samples; there is nothing to encode")
    session = session or open_session("cpu")
    if carried:
        header, plan, pieces = _carried_pieces(source, config)
    elif isinstance(config.fidelity, Lossless):
        header, plan, pieces = _exact_pieces(source, config, session, jobs_of(jobs))
    else:
        chunk_frames = chunk_frames_of(source, config)
        encoder = LossyEncoder(source, session, chunk_frames, jobs_of(jobs), progress)
        n_beside = 0 if restorer is None else restorer.n_bytes
        header, plan, pieces = _lossy_pieces(source, config, encoder, n_beside)
    writer = ContainerWriter(target, header)
    tally, samples_hash = _Tally(), SampleHash()
    for span, chunk in told(pieces, lambda own: own[0].n_frames, source.n_frames, progress):
        writer.add_chunk(chunk.payload)
        tally.add(chunk, plan)
        samples_hash.add(span)
        if restorer is not None:
            restorer.feed(span)
    restoration = restorer.finish() if restorer is not None else b""
    writer.finish(
        Summary(sample_hash=samples_hash.digest(), restoration=restoration, **vars(tally))
    )
    return plan.signals


_Pieces = Iterator[tuple[Recording, EncodedChunk]]
"""Spans as they will be decoded, each with its chunk."""


def _carried_pieces(
    source: RecordSource, config: CodecConfig
) -> tuple[Header, EncodingPlan, _Pieces]:
    """Give chunks without samples; as few as there may be."""
    frame_samples = sum(channel.samples_per_frame for channel in source.channels)
    step = max(1, CHUNK_SAMPLES // frame_samples)
    chunks = ChunkPlan(groups=groups_of(source.channels, source.fs), layers=(), level=config.level)
    plan = EncodingPlan(chunks=chunks, searches=(), signals=())
    spans = (
        source.read(start, min(start + step, source.n_frames))
        for start in range(0, source.n_frames, step)
    )
    empty = (
        (span, EncodedChunk(payload=b"", san_bytes=0, residual_bytes=0, layers=(), coded=span))
        for span in spans
    )
    return _header(source, plan, step), plan, empty


def _exact_pieces(
    source: RecordSource, config: CodecConfig, session: SynthesisSession, n_jobs: int
) -> tuple[Header, EncodingPlan, _Pieces]:
    chunk_frames = chunk_frames_of(source, config)
    base, plan = _plan(source, config, session, chunk_frames)
    if source.n_frames <= chunk_frames and config.level != "fast":
        begun = plan.begun(base.channels, config.primer, lossless=True)
        if begun is not None:
            return _smaller_of((plan, begun), source, base, session, chunk_frames)
    spans = wide_spans(source, base, chunk_frames, context_frames(plan.chunks))
    encode = functools.partial(_encode_span, plan, session)
    return _header(source, plan, chunk_frames), plan, map_in_order(encode, spans, n_jobs)


def _smaller_of(
    plans: Sequence[EncodingPlan],
    source: RecordSource,
    base: RecordSource,
    session: SynthesisSession,
    chunk_frames: int,
) -> tuple[Header, EncodingPlan, _Pieces]:
    """Give the smallest coding of a record of one chunk, of equal ones the first."""
    coded = []
    for plan in plans:
        (wide,) = wide_spans(source, base, chunk_frames, context_frames(plan.chunks))
        writer = ContainerWriter(io.BytesIO(), _header(source, plan, chunk_frames))
        piece = _encode_span(plan, session, wide)
        writer.add_chunk(piece[1].payload)
        coded.append((writer.n_bytes, plan, piece))
    _, plan, piece = min(coded, key=lambda own: own[0])
    return _header(source, plan, chunk_frames), plan, iter([piece])


def _lossy_pieces(
    source: RecordSource, config: CodecConfig, encoder: LossyEncoder, n_beside: int
) -> tuple[Header, EncodingPlan, _Pieces]:
    chunk_frames = encoder.chunk_frames
    plan = _begun(plan_record(source, config, encoder.session, chunk_frames), source, config)
    header_of = functools.partial(_header, source, chunk_frames=chunk_frames)
    file = LossyFile(source, config.fidelity, encoder, header_of, n_beside)
    coded = file.search(plan)
    if not isinstance(config.fidelity, SanOnly) and encoder.is_whole():
        encoder, coded = _with_structure(source, config, file, coded)
    coded = replace(file, encoder=encoder).also_unprimed(coded)
    file.check(coded)
    plan = replace(coded.plan, signals=coded.signals)
    return file.header(coded), plan, encoder.pieces(coded)


def _with_structure(
    source: RecordSource, config: CodecConfig, file: LossyFile, coded: Coded
) -> tuple[LossyEncoder, Coded]:
    """Give the best coding, that of all leads or one of base leads, and what made it."""
    encoder = file.encoder
    structure = find_structure(source, encoder.chunk_frames)
    if structure is None:
        return encoder, coded
    # What is exact, or in steps, keeps to the grids of the leads; coefficients do not.
    stepped = isinstance(config.fidelity, MaxError)
    ways = [(structure, LossyFile.exact_beside)] if file.is_large(coded) else []
    searched = structure if stepped else structure.without_grids()
    for own, search in [*ways, (searched, LossyFile.search_beside)]:
        base, plan = _base_plan(source, own, config, encoder.session, encoder.chunk_frames)
        plan = _begun(plan, base, config)
        way = replace(file, encoder=file.encoder.on_base(base))
        better = search(way, plan, coded)
        if better is not coded:
            encoder, coded = way.encoder, better
    return encoder, coded


def _begun(plan: EncodingPlan, source: RecordSource, config: CodecConfig) -> EncodingPlan:
    """Give the plan of a lossy record with what a primer has for its groups."""
    if isinstance(config.fidelity, SanOnly):
        return plan
    return plan.begun(source.channels, config.primer, lossless=False) or plan


def _plan(
    source: RecordSource, config: CodecConfig, session: SynthesisSession, chunk_frames: int
) -> tuple[RecordSource, EncodingPlan]:
    """Give the base leads of a record, which are its own without a structure, and their plan."""
    structure = find_structure(source, chunk_frames)
    if structure is None:
        return source, plan_record(source, config, session, chunk_frames)
    return _base_plan(source, structure, config, session, chunk_frames)


def _base_plan(
    source: RecordSource,
    structure: Structure,
    config: CodecConfig,
    session: SynthesisSession,
    chunk_frames: int,
) -> tuple[BaseSource, EncodingPlan]:
    """Give the base leads of a structure, and their plan."""
    base = BaseSource(source, structure)
    plan = plan_record(base, config, session, structure.n_samples_base(chunk_frames))
    signals = with_derived(plan.signals, source.channels, structure, source.fs)
    return base, replace(plan, chunks=replace(plan.chunks, structure=structure), signals=signals)


def _encode_span(
    plan: EncodingPlan, session: SynthesisSession, wide: WideSpan
) -> tuple[Recording, EncodedChunk]:
    span = wide.chunk
    activations = plan.activations(wide.recording, wide.lead_in, wide.n_frames)
    encode = encode_chunk
    if wide.samples is not None:
        span, encode = wide.samples, encode_base
    chunk = encode(span, plan.chunks, activations, session)
    fewer = plan.without_optional(activations)
    if fewer is not None:
        without = encode(span, plan.chunks, fewer, session)
        chunk = min(chunk, without, key=lambda own: len(own.payload))
    return span, chunk


def _header(source: RecordSource, plan: EncodingPlan, chunk_frames: int) -> Header:
    digest, embedded = header_kernels(plan.chunks, plan.names)
    return Header(
        name=source.name,
        fs=source.fs,
        channels=source.channels,
        n_frames=source.n_frames,
        chunk_frames=chunk_frames,
        fidelity=FIDELITY_LOSSLESS,
        level=LEVELS[plan.chunks.level],
        parameters=encode_parameters(parameters_of(plan.chunks, plan.names)),
        model_digest=digest,
        kernels=embedded,
    )
