"""Rate against distortion of the modes on a record, and what becomes of its beats.

Everything is coded into memory as ``encode`` would write it, decoded again, and compared.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sancodec.beat_comparison import BeatReport, judge_of, say_agreement
from sancodec.beats import Agreement
from sancodec.codec import SpanObserver, encode_stream
from sancodec.config import CodecConfig
from sancodec.distortion import Tallies
from sancodec.errors import ConfigError
from sancodec.fidelity import Fidelity, Lossless, MaxError, TargetPrdn, TargetSize, kind_of
from sancodec.formats.wfdb import WfdbRecord
from sancodec.progress import Progress
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


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one target came to on one record.

    Attributes
    ----------
    record : str
    target, kind : str
        The target in words, and the name of its kind.
    n_bytes, n_samples : int
        Of the whole file; of all channels.
    source_bits_per_sample : float
        Bits that a sample takes in the signal files.
    channels : tuple of str
    prdn : tuple of float
        Of each channel, in percent.
    max_error : tuple of int
        Largest absolute error of each channel, in ADC units.
    encode_seconds, decode_seconds : float
    beats : BeatReport or None
    no_beats : str
        Why there is no report of beats; empty where there is one.
    """

    record: str
    target: str
    kind: str
    n_bytes: int
    n_samples: int
    source_bits_per_sample: float
    channels: tuple[str, ...]
    prdn: tuple[float, ...]
    max_error: tuple[int, ...]
    encode_seconds: float
    decode_seconds: float
    beats: BeatReport | None
    no_beats: str

    @property
    def bits_per_sample(self) -> float:
        """Bits of the file for each sample."""
        return 8 * self.n_bytes / self.n_samples

    @property
    def cr_source_bits(self) -> float:
        """Compression ratio against the bits that a sample takes in the signal files."""
        return self.source_bits_per_sample / self.bits_per_sample

    @property
    def cr_int16(self) -> float:
        """Compression ratio against 16 bits a sample."""
        return 16 / self.bits_per_sample

    @property
    def prdn_mean(self) -> float:
        """Mean PRDN of all channels, in percent."""
        return sum(self.prdn) / len(self.prdn)

    def to_json(self) -> dict[str, Any]:
        """Give all figures, counted and derived, as plain JSON values."""
        derived = ("bits_per_sample", "cr_source_bits", "cr_int16", "prdn_mean")
        beats = None if self.beats is None else self.beats.to_json()
        return asdict(self) | {name: getattr(self, name) for name in derived} | {"beats": beats}


@dataclass(frozen=True, kw_only=True)
class Total:
    """What one target came to on several records.

    Attributes
    ----------
    target : str
    n_records, n_bytes, n_samples : int
    cr_source_bits, cr_int16 : float
        Geometric means over the records.
    prdn_mean : float
        Mean over the records.
    max_error : int
        The largest.
    encode_seconds, decode_seconds : float
    beats : dict of str to Agreement
        All beats of all records together, by the names that BeatReport has.
    """

    target: str
    n_records: int
    n_bytes: int
    n_samples: int
    cr_source_bits: float
    cr_int16: float
    prdn_mean: float
    max_error: int
    encode_seconds: float
    decode_seconds: float
    beats: dict[str, Agreement]

    @property
    def bits_per_sample(self) -> float:
        """Bits of all files for each sample of all records."""
        return 8 * self.n_bytes / self.n_samples

    def to_json(self) -> dict[str, Any]:
        """Give all figures as plain JSON values."""
        beats = {name: say_agreement(agreement) for name, agreement in self.beats.items()}
        return asdict(self) | {"bits_per_sample": self.bits_per_sample, "beats": beats}


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


def total_of(outcomes: Sequence[Outcome]) -> Total:
    """Give what one target came to on all records; there has to be one."""
    beats: dict[str, Agreement] = {}
    for report in (outcome.beats for outcome in outcomes if outcome.beats is not None):
        for name, agreement in report.agreements.items():
            if agreement is not None:
                beats[name] = beats.get(name, Agreement()) + agreement
    return Total(
        target=outcomes[0].target,
        n_records=len(outcomes),
        n_bytes=sum(own.n_bytes for own in outcomes),
        n_samples=sum(own.n_samples for own in outcomes),
        cr_source_bits=_geometric_mean([own.cr_source_bits for own in outcomes]),
        cr_int16=_geometric_mean([own.cr_int16 for own in outcomes]),
        prdn_mean=sum(own.prdn_mean for own in outcomes) / len(outcomes),
        max_error=max(max(own.max_error) for own in outcomes),
        encode_seconds=sum(own.encode_seconds for own in outcomes),
        decode_seconds=sum(own.decode_seconds for own in outcomes),
        beats=beats,
    )


def _geometric_mean(ratios: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


@dataclass(frozen=True)
class _Decoded:
    """The errors of all channels, the samples of one lead, and the seconds it took."""

    tallies: Tallies
    lead: NDArray[np.int32]
    seconds: float


@dataclass(frozen=True)
class _Coder:
    """Codes a record, or its start, into memory and back."""

    source: WfdbRecord
    whole: bool
    settings: Settings
    session: SynthesisSession

    @classmethod
    def of(cls, record: Path, settings: Settings) -> _Coder:
        source = WfdbRecord.open(record)
        n_frames = source.n_frames
        if settings.seconds is not None:
            n_frames = min(n_frames, max(1, round(settings.seconds * source.fs)))
        whole = n_frames == source.n_frames
        session = open_session(settings.provider)
        return cls(replace(source, n_frames=n_frames), whole, settings, session)

    def encode(self, fidelity: Fidelity, progress: Progress | None) -> bytes:
        """Give the file that ``encode`` writes; of a part of a record without original files."""
        restorer: SpanObserver | None = None
        if self.whole and isinstance(fidelity, Lossless):
            restorer = self.source.restorer()
        elif self.whole:
            restorer = self.source.remaker()
        stream = io.BytesIO()
        encode_stream(
            self.source,
            stream,
            replace(self.settings.config, fidelity=fidelity),
            session=self.session,
            restorer=restorer,
            progress=progress,
            jobs=self.settings.jobs,
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
