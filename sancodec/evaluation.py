"""Rate against distortion of the modes on a record, and what becomes of its beats.

Everything is coded into memory as ``encode`` would write it, decoded again, and compared.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sancodec.beat_comparison import judge_of
from sancodec.codec import encode_stream
from sancodec.config import CodecConfig
from sancodec.distortion import Tallies
from sancodec.errors import ConfigError, RecordError
from sancodec.fidelity import Fidelity, Lossless, MaxError, TargetPrdn, TargetSize, kind_of
from sancodec.formats.edf import EdfRecord
from sancodec.formats.segmented import SegmentedRecord, open_record
from sancodec.formats.wfdb import WfdbRecord
from sancodec.outcomes import Outcome
from sancodec.progress import Progress
from sancodec.records import RecordEncoder
from sancodec.runtime import SynthesisSession, open_session
from sancodec.san_file import SanFile


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an evaluation is made with.

    Attributes
    ----------
    config : CodecConfig
        Its fidelity does not matter.
    seconds : float or None
        Taken from the start of each record; None for all of it.
    beats : bool
        Whether beats are compared.
    provider : str
    jobs : int or None
        Threads that work on chunks, None for one on each processor.
    """

    config: CodecConfig
    seconds: float | None = None
    beats: bool = True
    provider: str = "auto"
    jobs: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not (math.isfinite(self.seconds) and self.seconds > 0):
            raise ConfigError(f"seconds: {self.seconds}, expected above 0")


def say_target(fidelity: Fidelity) -> str:
    """Give a fidelity in a few words."""
    if isinstance(fidelity, TargetPrdn):
        return f"PRDN {fidelity.percent:g} %"
    if isinstance(fidelity, MaxError):
        return f"error {','.join(fidelity.bounds)}"
    if isinstance(fidelity, TargetSize):
        if fidelity.ratio is not None:
            return f"ratio {fidelity.ratio:g}"
        return f"{fidelity.bits_per_sample:g} bits/sample"
    return "lossless" if isinstance(fidelity, Lossless) else "SAN layer alone"


def evaluate_record(
    record: Path,
    targets: Sequence[Fidelity],
    settings: Settings,
    progress: Progress | None = None,
) -> Iterator[Outcome]:
    """Encode a record to each target, decode it, and compare: give outcomes as they are found.

    Parameters
    ----------
    record : Path
        The record's name, its header, or its signal file.
    progress : callable, optional
        Called with frames done and frames in all, of each target anew.

    Raises
    ------
    RecordError
        The record is missing, incomplete or contradicts itself.
    ConfigError
        A target cannot be kept, or contradicts the record.
    ModelError, ProviderError
        The model or the provider cannot be had.
    """
    coder = _Coder.of(record, settings)
    source = coder.source
    judge, no_beats = judge_of(source) if settings.beats else (None, "not asked for")
    for fidelity in targets:
        started = time.perf_counter()
        encoded = coder.encode(fidelity, _naming(say_target(fidelity), progress))
        encode_seconds = time.perf_counter() - started
        decoded = coder.decode(encoded, None if judge is None else judge.channel)
        yield Outcome(
            record=source.name,
            target=say_target(fidelity),
            kind=kind_of(fidelity),
            n_bytes=len(encoded),
            n_samples=source.n_frames * sum(c.samples_per_frame for c in source.channels),
            source_bits_per_sample=source.source_bits_per_sample,
            channels=tuple(channel.name for channel in source.channels),
            prdn=tuple(tally.prdn for tally in decoded.tallies.channels),
            max_error=tuple(tally.max_error for tally in decoded.tallies.channels),
            encode_seconds=encode_seconds,
            decode_seconds=decoded.seconds,
            beats=None if judge is None else judge.report(decoded.lead),
            no_beats=no_beats,
        )


def _naming(target: str, progress: Progress | None) -> Progress | None:
    """Give a progress that says the target with every step."""
    if progress is None:
        return None
    return lambda done, total, step="": progress(done, total, f"{target} {step}".strip())


@dataclass(frozen=True)
class _Decoded:
    """The errors of all channels, the samples of one lead, and the seconds it took."""

    tallies: Tallies
    lead: NDArray[np.int32]
    seconds: float


@dataclass(frozen=True)
class _Coder:
    """Codes a record, or its start, into memory and back."""

    source: WfdbRecord | EdfRecord
    whole: bool
    settings: Settings
    session: SynthesisSession

    @classmethod
    def of(cls, record: Path, settings: Settings) -> _Coder:
        source = open_record(record)
        if isinstance(source, SegmentedRecord):
            raise RecordError(f"{record}: has several segments; name those that you want")
        n_frames = source.n_frames
        if settings.seconds is not None:
            n_frames = min(n_frames, max(1, round(settings.seconds * source.fs)))
        whole = n_frames == source.n_frames
        session = open_session(settings.provider)
        return cls(replace(source, n_frames=n_frames), whole, settings, session)

    def encode(self, fidelity: Fidelity, progress: Progress | None) -> bytes:
        """Give the file that ``encode`` writes; of a part of a record without original files."""
        config = replace(self.settings.config, fidelity=fidelity)
        session, jobs, stream = self.session, self.settings.jobs, io.BytesIO()
        if self.whole:
            encoder = RecordEncoder(config=config, session=session, jobs=jobs)
            encoder.encode(self.source, (), stream, progress)
        else:
            encode_stream(
                self.source, stream, config, session=session, progress=progress, jobs=jobs
            )
        return stream.getvalue()

    def decode(self, encoded: bytes, channel: int | None) -> _Decoded:
        """Decode a file, count its errors, and keep one channel."""
        tallies = Tallies(self.source.missing)
        pieces = [np.zeros(0, np.int32)]
        start, seconds, before = 0, 0.0, time.perf_counter()
        provider, jobs = self.session.provider, self.settings.jobs
        with SanFile(io.BytesIO(encoded), self.source.name, provider=provider, jobs=jobs) as file:
            for span in file.hashed(file.spans()):
                seconds += time.perf_counter() - before
                stop = start + span.n_frames
                tallies.add(self.source.read(start, stop), span)
                if channel is not None:
                    pieces.append(span.signals[channel])
                start, before = stop, time.perf_counter()
        return _Decoded(tallies, np.concatenate(pieces), seconds)
