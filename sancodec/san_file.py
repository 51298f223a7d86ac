"""A .san file that is open for reading: spans of samples, decoded chunk by chunk, as asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import BinaryIO, TypeVar

import numpy as np

from sancodec import models
from sancodec.activation_table import ActivationTable, Kernel, kernels_of, tabulate
from sancodec.base import (
    base_of,
    decode_base,
    decode_base_layers,
    read_base_activations,
    take_base_parts,
)
from sancodec.carried import CarriedSignals
from sancodec.chunk import (
    ChunkPart,
    Wanted,
    decode_chunk,
    decode_layers,
    read_activations,
    take_parts,
)
from sancodec.errors import ChecksumError, ConfigError, CorruptError
from sancodec.formats.container import ContainerReader
from sancodec.formats.damaged import DamagedReader
from sancodec.formats.header import Header
from sancodec.formats.originals import Originals, RecordShape
from sancodec.formats.primers import Primer
from sancodec.formats.restoration import describe
from sancodec.inspection import report_of
from sancodec.layers import SanLayer, to_adc_units
from sancodec.parallel import jobs_of, map_in_order
from sancodec.parameters import plan_of
from sancodec.record_file import RecordFile
from sancodec.recording import Channel, Recording, lacking
from sancodec.report import Report
from sancodec.runtime import SynthesisSession, open_session
from sancodec.sample_hash import SampleHash
from sancodec.san.kernels import KernelBank
from sancodec.san.synthesis import Activations

LAYERS = ("signal", "san")

_MAX_NAMES = 12
# Who looks at a part of a record often looks beside it next.
_N_REMEMBERED, _MAX_REMEMBERED = 4, 1 << 20
# Below this many samples, threads take longer to begin than they spare.
_WORTH_A_THREAD = 1 << 16


_Kept = TypeVar("_Kept")


class SanFile(RecordFile):
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
    find_primer : callable, optional
        Gives the primer for a digest, where the file names one that is not shipped.
    jobs : int or None
        Threads that decode chunks; None for one on each processor.
    damaged : bool
        Whether chunks are looked for in the whole file where its index is lost.

    Raises
    ------
    CorruptError
        The file is damaged, or not a .san file.
    """

    header: Header

    def __init__(
        self,
        source: BinaryIO,
        name: str = "<bytes>",
        *,
        provider: str = "auto",
        find_model: Callable[[str], KernelBank] | None = None,
        find_primer: Callable[[str], Primer] | None = None,
        jobs: int | None = 1,
        damaged: bool = False,
    ) -> None:
        self.name = name
        self._jobs = jobs_of(jobs)
        self.container = (DamagedReader if damaged else ContainerReader)(source, name)
        self.header = self.container.header
        self.summary = self.container.summary
        self._source = source
        self._provider = provider
        self._session: SynthesisSession | None = None
        self._recent: dict[int, Recording] = {}
        self._touched_once: dict[int, bytes] = {}
        self._all_channels = frozenset(range(len(self.header.channels)))
        self._carried: CarriedSignals | None = None
        finders = find_model or models.find, find_primer or models.find_primer
        self.plan = plan_of(self.header, name, *finders)

    @property
    def n_frames(self) -> int:
        """Number of frames of the record."""
        return self.header.n_frames

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels, in the order of the record."""
        return self.header.channels

    @property
    def report(self) -> Report:
        """The figures of the file, as ``sancodec inspect`` gives them."""
        n_bytes = sum(span.n_bytes for span in self.container.account())
        return report_of(self.container, n_bytes, self.name)

    @cached_property
    def activations(self) -> ActivationTable:
        """The activations of the whole record as a table, read without decoding a sample.

        Empty where the file has no SAN layer. Principal amplitudes of lossy files are left out.

        Raises
        ------
        CorruptError
            A chunk is damaged; the message names it.
        """
        chunks = self.container.chunks
        found = ((entry.start, self._activations(i)) for i, entry in enumerate(chunks))
        return tabulate(self.plan, self.channels, self.fs, found if self.plan.layers else ())

    @cached_property
    def kernels(self) -> tuple[Kernel, ...]:
        """The kernels of the record, numbered as the table of activations has it."""
        return kernels_of(self.plan, self.channels, self.activations)

    @property
    def originals(self) -> Originals:
        """The original files that the file stands for, none where it was made of an array."""
        if not self.summary.restoration:
            return Originals()
        return describe(self.summary.restoration, RecordShape.of(self.header), self.name)

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
        return self.read_channels(*self._check_span(start, stop), self._all_channels)

    def read_channels(self, start: int, stop: int, channels: frozenset[int]) -> Recording:
        """Give frames as ``read`` does; other channels than these may be 0 everywhere."""
        start, stop = self._check_span(start, stop)
        touched = self._touched(start, stop)
        if channels == self._all_channels and (start, stop) == (0, self.n_frames):
            spans = self.hashed(self.spans())
        else:
            self._open()
            # Prepared here: streams take one reader at a time.
            decoders = (self._near(i, stop, channels) for i in touched)
            small = len(touched) * self._chunk_samples < _WORTH_A_THREAD
            jobs = 1 if small else max(min(self._jobs, len(touched)), 1)
            spans = self._parts(start, stop, map_in_order(_call, decoders, jobs))
        return join(self._empty(), list(spans))

    def _near(self, i: int, stop: int, channels: frozenset[int]) -> Callable[[], Recording]:
        """Give what decodes chunk ``i`` as far as is needed for the frames before ``stop``.

        Who looks at a part of a chunk for the second time will look at more of it: then it is
        decoded whole, and remembered.
        """
        found = self._recent.get(i)
        if found is not None:
            return lambda: found
        entry = self.container.chunks[i]
        n_frames = min(stop - entry.start, entry.n_frames)
        part = n_frames < entry.n_frames or channels != self._all_channels
        payload = self._touched_once.get(i)
        if part and payload is None:
            payload = self._payload(i)
            _remember(self._touched_once, i, payload)
            return partial(self._until, i, payload, Wanted(n_frames, channels))
        return partial(self._whole, i, self._payload(i) if payload is None else payload)

    def _until(self, i: int, payload: bytes, wanted: Wanted) -> Recording:
        return self._decode(i, payload, wanted)[0]

    def _whole(self, i: int, payload: bytes) -> Recording:
        decoded = self._signal((i, payload))
        if self._chunk_samples <= _MAX_REMEMBERED:
            _remember(self._recent, i, decoded)
        return decoded

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
        decode = self._preview if layer == "san" else self._signal
        payloads = ((i, self._payload(i)) for i in self._touched(start, stop))
        return self._parts(start, stop, map_in_order(decode, payloads, self._jobs))

    def _touched(self, start: int, stop: int) -> range:
        """Give the numbers of the chunks that hold these frames."""
        size = self.header.chunk_frames
        return range(start // size, -(-stop // size) if stop > start else start // size)

    def _parts(self, start: int, stop: int, chunks: Iterator[Recording]) -> Iterator[Recording]:
        """Give of each of the chunks that were touched what is between two frames."""
        for i, decoded in zip(self._touched(start, stop), chunks, strict=True):
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
        return self._decode(i, self._payload(i))

    def layers(self, i: int) -> tuple[SanLayer, ...]:
        """Decode the SAN layers of chunk ``i`` alone; ConfigError where the record has none."""
        return self._decode_layers(i, self._payload(i))

    def parts(self, i: int) -> list[ChunkPart]:
        """Give the parts of chunk ``i``, or of its base leads; residuals as coded.

        None where the original files hold the samples, or samples are raw beside a structure.
        """
        n_frames, payload = self.container.chunks[i].n_frames, self._payload(i)
        if not payload:
            return []
        session = self._open()
        with self._naming(i):
            if self.plan.structure is not None:
                n_channels = len(self.channels)
                return take_base_parts(payload, n_channels, self.plan, n_frames, session)
            return list(take_parts(payload, self.header.name, self.plan, n_frames, session))

    def _decode(
        self, i: int, payload: bytes, wanted: Wanted | None = None
    ) -> tuple[Recording, tuple[SanLayer, ...]]:
        if not payload:
            return self._carried_chunk(i), ()
        chunk = payload, self._empty(), self.plan, self.container.chunks[i].n_frames, self._open()
        with self._naming(i):
            if self.plan.structure is not None:
                return decode_base(*chunk)
            return decode_chunk(*chunk, wanted)

    def _carried_chunk(self, i: int) -> Recording:
        header, entry = self.header, self.container.chunks[i]
        if self._carried is None:
            self._carried = CarriedSignals(self.originals, self.name)
        span = range(entry.start, entry.start + entry.n_frames)
        with self._naming(i):
            return self._carried.read(header.name, header.fs, header.channels, span)

    def _activations(self, i: int) -> tuple[Activations, ...]:
        """Give the activations of chunk ``i``, layer by layer, or of none where it has none."""
        n_frames, payload = self.container.chunks[i].n_frames, self._payload(i)
        if not payload:
            return ()
        name, plan = self.header.name, self.plan
        with self._naming(i):
            if plan.structure is not None:
                return read_base_activations(payload, name, plan, len(self.channels), n_frames)
            return read_activations(payload, name, plan, n_frames)

    def _decode_layers(self, i: int, payload: bytes) -> tuple[SanLayer, ...]:
        session = self._open()
        if session is None:
            raise ConfigError(f"{self.name}: has no SAN layer; it was encoded without one")
        n_frames = self.container.chunks[i].n_frames
        with self._naming(i):
            if self.plan.structure is not None:
                return decode_base_layers(payload, self._empty(), self.plan, n_frames, session)
            return decode_layers(payload, self.header.name, self.plan, n_frames, session)

    def _payload(self, i: int) -> bytes:
        with self._naming(i):
            return self.container.read_chunk(i)

    @contextmanager
    def _naming(self, i: int) -> Iterator[None]:
        """Let a CorruptError say which chunk of which file it is about."""
        try:
            yield
        except CorruptError as error:
            said = str(error).removeprefix(f"{self.name}: ")
            raise type(error)(f"{self.name}: {self.say_chunk(i)}: {said}") from error

    @property
    def _chunk_samples(self) -> int:
        header = self.header
        return min(header.chunk_frames, header.n_frames) * header.frame_samples

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

    def use(self, session: SynthesisSession) -> None:
        """Reconstruct SAN layers with this session from now on."""
        self._session = session

    def _open(self) -> SynthesisSession | None:
        if self.plan.layers and self._session is None:
            self._session = open_session(self._provider)
        return self._session

    def _empty(self) -> Recording:
        return lacking(self.header.name, self.header.fs, self.header.channels, 0)

    def say_chunk(self, i: int) -> str:
        """Say which part of the record chunk ``i`` is: seconds and leads."""
        entry, fs = self.container.chunks[i], self.header.fs
        first, last = entry.start / fs, (entry.start + entry.n_frames) / fs
        names = [channel.name for channel in self.header.channels if channel.name]
        leads = ", ".join(names[:_MAX_NAMES] + ["..."] * (len(names) > _MAX_NAMES))
        of = f" of {leads}" if leads else ""
        return f"chunk {i} (record {self.header.name}, {first:.1f} s to {last:.1f} s{of})"


def _call(decode: Callable[[], Recording]) -> Recording:
    return decode()


def _remember(memory: dict[int, _Kept], key: int, value: _Kept) -> None:
    """Keep a value, and no more than the last few."""
    memory[key] = value
    for old in list(memory)[:-_N_REMEMBERED]:
        memory.pop(old, None)


def join(empty: Recording, spans: list[Recording]) -> Recording:
    """Give spans as one recording; ``empty`` where there are none."""
    if not spans:
        return empty
    signals = tuple(
        np.concatenate([span.signals[i] for span in spans]) for i in range(len(empty.channels))
    )
    return Recording(name=empty.name, fs=empty.fs, channels=empty.channels, signals=signals)
