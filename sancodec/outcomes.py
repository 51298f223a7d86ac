"""What records come to at one target of loss each, and all of them together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sancodec.beat_comparison import BeatReport, say_agreement
from sancodec.beats import Agreement


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
