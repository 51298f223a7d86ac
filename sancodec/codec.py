"""Records to .san streams and back, chunk by chunk, so that length does not cost memory."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from sancodec.base import (
    BaseSource,
    base_of,
    decode_base,
    decode_base_layers,
    encode_base,
    find_structure,
)
from sancodec.chunk import EncodedChunk, decode_chunk, decode_layers, encode_chunk
from sancodec.config import CodecConfig
from sancodec.errors import ChecksumError, ConfigError, CorruptError, RecordError
from sancodec.fidelity import Lossless, SanOnly
from sancodec.formats.container import ContainerReader, ContainerWriter, Header, Summary
from sancodec.formats.header import FIDELITY_LOSSLESS, LEVELS
from sancodec.formats.parameters import encode_parameters
from sancodec.layers import Group, SanLayer, regressors
from sancodec.lossy import LossyEncoder
from sancodec.lossy_file import LossyFile
from sancodec.parallel import jobs_of, map_in_order
from sancodec.parameters import header_kernels, parameters_of, plan_of
from sancodec.planning import EncodingPlan, chunk_frames_of, context_frames, plan_record
from sancodec.recording import Recording, RecordSource
from sancodec.report import SignalReport
from sancodec.residual.coder import FRACTION_BITS
from sancodec.runtime import SynthesisSession, open_session
from sancodec.san.kernels import KernelBank
from sancodec.spans import WideSpan, wide_spans
from sancodec.structure.record import with_derived

LAYERS = ("signal", "san")

LOSS_WINDOW = 1000

Progress = Callable[[int, int], None]
"""Called with the frames done, and the frames in all."""


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


def to_adc_units(reconstruction: NDArray[np.int32]) -> NDArray[np.int64]:
    """Round a SAN reconstruction, in 2**-FRACTION_BITS ADC units, half up."""
    return (reconstruction.astype(np.int64) + (1 << (FRACTION_BITS - 1))) >> FRACTION_BITS


class SampleHash:
    """SHA-256 over interleaved samples as little-endian int32, span after span."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, span: Recording) -> None:
        """Add the next span."""
        self._hash.update(np.ascontiguousarray(span.interleaved(), "<i4").data)

    def digest(self) -> bytes:
        """Give the 32 bytes of the hash."""
        return self._hash.digest()


def encode_stream(
    source: RecordSource,
    target: BinaryIO,
    config: CodecConfig,
    *,
    session: SynthesisSession | None = None,
    restorer: SpanObserver | None = None,
    progress: Progress | None = None,
    jobs: int | None = 1,
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
    if isinstance(config.fidelity, Lossless):
        header, plan, pieces = _exact_pieces(source, config, session, jobs_of(jobs))
    else:
        encoder = LossyEncoder(source, session, chunk_frames_of(source, config), jobs_of(jobs))
        n_beside = 0 if restorer is None else restorer.n_bytes
        header, plan, pieces = _lossy_pieces(source, config, encoder, n_beside)
    writer = ContainerWriter(target, header)
    tally, samples_hash = _Tally(), SampleHash()
    done = 0
    for span, chunk in pieces:
        writer.add_chunk(chunk.payload)
        tally.add(chunk, plan)
        samples_hash.add(span)
        if restorer is not None:
            restorer.feed(span)
        done += span.n_frames
        if progress is not None:
            progress(done, source.n_frames)
    restoration = restorer.finish() if restorer is not None else b""
    writer.finish(
        Summary(sample_hash=samples_hash.digest(), restoration=restoration, **vars(tally))
    )
    return plan.signals


_Pieces = Iterator[tuple[Recording, EncodedChunk]]
"""Spans as they will be decoded, each with its chunk."""


def _exact_pieces(
    source: RecordSource, config: CodecConfig, session: SynthesisSession, n_jobs: int
) -> tuple[Header, EncodingPlan, _Pieces]:
    chunk_frames = chunk_frames_of(source, config)
    base, plan = _plan(source, config, session, chunk_frames)
    spans = wide_spans(source, base, chunk_frames, context_frames(plan.chunks))
    encode = functools.partial(_encode_span, plan, session)
    return _header(source, plan, chunk_frames), plan, map_in_order(encode, spans, n_jobs)


def _lossy_pieces(
    source: RecordSource, config: CodecConfig, encoder: LossyEncoder, n_beside: int
) -> tuple[Header, EncodingPlan, _Pieces]:
    chunk_frames = encoder.chunk_frames
    plan = plan_record(source, config, encoder.session, chunk_frames)
    header_of = functools.partial(_header, source, chunk_frames=chunk_frames)
    file = LossyFile(source, config.fidelity, encoder, header_of, n_beside)
    coded = file.search(plan)
    if not isinstance(config.fidelity, SanOnly) and encoder.is_whole():
        base, base_plan = _plan(source, config, encoder.session, chunk_frames)
        if isinstance(base, BaseSource):
            base_encoder = encoder.on_base(base)
            better = replace(file, encoder=base_encoder).search_beside(base_plan, coded)
            encoder, coded = encoder if better is coded else base_encoder, better
    file.check(coded)
    plan = replace(coded.plan, signals=coded.signals)
    return file.header(coded), plan, encoder.pieces(coded)


def _plan(
    source: RecordSource, config: CodecConfig, session: SynthesisSession, chunk_frames: int
) -> tuple[RecordSource, EncodingPlan]:
    """Give the base leads of a record, which are its own without a structure, and their plan."""
    structure = find_structure(source, chunk_frames)
    if structure is None:
        return source, plan_record(source, config, session, chunk_frames)
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


class SanFile:
    """A .san file that is open for reading; samples are decoded chunk by chunk, as asked for.

    Parameters
    ----------
    source : BinaryIO
        Seekable; stays open as long as this is used.
    name : str
        Name of the file, for messages.
    provider : str
        Where the SAN layer is reconstructed: ``"auto"``, ``"cpu"`` or ``"cuda"``.
    find_model : callable, optional
        Gives the kernels for a digest, where the file names a model that is not shipped.
    jobs : int or None
        Threads that decode chunks; None for one on each processor.

    Raises
    ------
    CorruptError
        The file is damaged, or not a .san file.
    """

    def __init__(
        self,
        source: BinaryIO,
        name: str = "<bytes>",
        *,
        provider: str = "auto",
        find_model: Callable[[str], KernelBank] | None = None,
        jobs: int | None = 1,
    ) -> None:
        self.name = name
        self._jobs = jobs_of(jobs)
        self.container = ContainerReader(source, name)
        self.header = self.container.header
        self.summary = self.container.summary
        self._source = source
        self._provider = provider
        self._session: SynthesisSession | None = None
        plan = (self.header, name) if find_model is None else (self.header, name, find_model)
        self.plan = plan_of(*plan)

    def __enter__(self) -> SanFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    @property
    def n_frames(self) -> int:
        """Number of frames of the record."""
        return self.header.n_frames

    def read(self, start: int = 0, stop: int | None = None) -> Recording:
        """Give the frames ``start`` to ``stop`` (exclusive), decoding only their chunks.

        Raises
        ------
        ConfigError
            The span is outside of the record.
        CorruptError
            A chunk is damaged; the message names it. Or, where the whole record was asked for,
            its samples have another hash.
        """
        spans = self.spans(start, stop)
        if start == 0 and stop in {None, self.n_frames}:
            spans = self.hashed(spans)
        return _join(self._empty(), list(spans))

    def spans(
        self, start: int = 0, stop: int | None = None, *, layer: str = "signal"
    ) -> Iterator[Recording]:
        """Give the frames ``start`` to ``stop`` chunk by chunk; errors as of ``read``.

        Parameters
        ----------
        layer : str
            ``"signal"``, or ``"san"`` for the SAN layer's reconstruction alone: baseline plus
            kernels, zeros plus baseline where a channel has none.
        """
        start, stop = self._check_span(start, stop)
        if layer not in LAYERS:
            raise ConfigError(f"layer: {layer!r}, expected one of {', '.join(LAYERS)}")
        self._open()
        touched = [
            i
            for i, entry in enumerate(self.container.chunks)
            if max(start, entry.start) < min(stop, entry.start + entry.n_frames)
        ]
        decode = self._preview if layer == "san" else self._signal
        payloads = ((i, self.container.read_chunk(i)) for i in touched)
        for i, decoded in zip(touched, map_in_order(decode, payloads, self._jobs), strict=True):
            entry = self.container.chunks[i]
            first, last = max(start, entry.start), min(stop, entry.start + entry.n_frames)
            yield decoded.frames(first - entry.start, last - entry.start)

    def hashed(self, spans: Iterable[Recording]) -> Iterator[Recording]:
        """Pass spans of the whole record on; ChecksumError at the end if their hash differs."""
        samples_hash = SampleHash()
        for span in spans:
            samples_hash.add(span)
            yield span
        if not samples_hash.digest().startswith(self.summary.sample_hash):
            raise ChecksumError(f"{self.name}: the hash of all samples differs")

    def chunk(self, i: int) -> tuple[Recording, tuple[SanLayer, ...]]:
        """Decode chunk ``i``: its samples, and its SAN layers in the order of ``plan.layers``."""
        return self._decode(i, self.container.read_chunk(i))

    def layers(self, i: int) -> tuple[SanLayer, ...]:
        """Decode the SAN layers of chunk ``i`` alone; ConfigError where the record has none."""
        return self._decode_layers(i, self.container.read_chunk(i))

    def _decode(self, i: int, payload: bytes) -> tuple[Recording, tuple[SanLayer, ...]]:
        n_frames, session = self.container.chunks[i].n_frames, self._open()
        decode = decode_chunk if self.plan.structure is None else decode_base
        with self._naming(i):
            return decode(payload, self._empty(), self.plan, n_frames, session)

    def _decode_layers(self, i: int, payload: bytes) -> tuple[SanLayer, ...]:
        session = self._open()
        if session is None:
            raise ConfigError(f"{self.name}: has no SAN layer; it was encoded without one")
        n_frames = self.container.chunks[i].n_frames
        with self._naming(i):
            if self.plan.structure is not None:
                return decode_base_layers(payload, self._empty(), self.plan, n_frames, session)
            return decode_layers(payload, self.header.name, self.plan, n_frames, session)

    @contextmanager
    def _naming(self, i: int) -> Iterator[None]:
        """Let a CorruptError say which chunk of which file it is about."""
        try:
            yield
        except CorruptError as error:
            raise type(error)(f"{self.name}: {self._say_chunk(i)}: {error}") from error

    def _signal(self, chunk: tuple[int, bytes]) -> Recording:
        return self._decode(*chunk)[0]

    def _preview(self, chunk: tuple[int, bytes]) -> Recording:
        i, payload = chunk
        layers = self._decode_layers(i, payload)
        entry = self.container.chunks[i]
        signals = []
        for channel in self.header.channels:
            size = entry.n_frames * channel.samples_per_frame
            signals.append(np.full(size, channel.baseline, np.int32))
        structure = self.plan.structure
        if structure is not None:
            calm = Recording(
                name=self.header.name,
                fs=self.header.fs,
                channels=self.header.channels,
                signals=tuple(signals),
            )
            signals = list(base_of(calm, structure).signals)
        limits = np.iinfo(np.int32)
        for layer in layers:
            for lead in layer.plan.leads:
                number = self.plan.groups[layer.plan.group].channels[lead]
                shape = signals[number] + to_adc_units(layer.reconstruction[lead])
                signals[number] = np.clip(shape, limits.min, limits.max).astype(np.int32)
        if structure is not None:
            base = np.stack(signals).astype(np.int64)
            signals = list(structure.preview(base, entry.n_frames))
        return Recording(
            name=self.header.name,
            fs=self.header.fs,
            channels=self.header.channels,
            signals=tuple(signals),
        )

    def _open(self) -> SynthesisSession | None:
        if self.plan.layers and self._session is None:
            self._session = open_session(self._provider)
        return self._session

    def _empty(self) -> Recording:
        channels = self.header.channels
        nothing = tuple(np.zeros(0, np.int32) for _ in channels)
        return Recording(
            name=self.header.name, fs=self.header.fs, channels=channels, signals=nothing
        )

    def _say_chunk(self, i: int) -> str:
        entry = self.container.chunks[i]
        first, last = entry.start, entry.start + entry.n_frames
        fs = self.header.fs
        return f"chunk {i} ({first / fs:.1f} s to {last / fs:.1f} s)"

    def _check_span(self, start: int, stop: int | None) -> tuple[int, int]:
        stop = self.n_frames if stop is None else stop
        if not 0 <= start <= stop <= self.n_frames:
            raise ConfigError(
                f"{self.name}: frames {start} to {stop}, the record has {self.n_frames}"
            )
        return start, stop


def _join(empty: Recording, spans: list[Recording]) -> Recording:
    if not spans:
        return empty
    signals = tuple(
        np.concatenate([span.signals[i] for span in spans]) for i in range(len(empty.channels))
    )
    return Recording(name=empty.name, fs=empty.fs, channels=empty.channels, signals=signals)
