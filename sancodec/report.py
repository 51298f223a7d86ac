"""What an encoder reports of one file: sizes, ratios with their base, and the paper's metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sancodec.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class SignalReport:
    """What was made of one signal of a record, in words.

    Attributes
    ----------
    name : str
        Name of the channel.
    kind : str
        One of ``signal_types.TYPES``.
    told_by : str
        What told the kind: "name RESP"; empty where it is unknown.
    kernels : str
        Where its kernels come from; empty where it has none.
    decided_by : str
        Why it has these kernels or none; empty where that is not known: files do not say.
    prdn : float or None
        Of the decoded samples, in percent, to three digits; None in a lossless file.
    max_error : int or None
        Largest absolute error of a decoded sample, in ADC units; None in a lossless file.
    """

    name: str
    kind: str
    told_by: str
    kernels: str
    decided_by: str = ""
    prdn: float | None = None
    max_error: int | None = None


def say_kernels(n_kernels: int, model: str, digest: str = "") -> str:
    """Say in words where kernels come from: the name of a model, or none when they were fitted."""
    kernels = f"{n_kernels} kernel" + ("s" if n_kernels > 1 else "")
    if not model:
        return f"{kernels} fitted to the record"
    return f"{kernels} of model {model} ({digest[:12] or 'embedded'})"


@dataclass(frozen=True, kw_only=True)
class Report:
    """Figures of one .san file; the ratios derive from what is counted here and from nothing else.

    Attributes
    ----------
    record : str
        Name of the record.
    n_channels, n_frames : int
    n_samples : int
        Samples of all channels together.
    fs : float
        Frames per second, in Hz.
    duration_seconds : float
    n_bytes : int
        Size of the .san file.
    original_n_bytes : int
        Size of the original signal files, without the header; 0 when encoded from an array.
    source_bits_per_sample : float
        Bits of a sample in the original storage format (12 for format 212); 0 when unknown.
    layers : dict of str to int
        Bytes by layer, summing to ``n_bytes``.
    level : str
        "fast", "default" or "max".
    model : str
        Where the kernels come from, in words.
    n_kernels, n_activations : int
        One activation is one position and kernel, shared by all leads.
    n_amplitudes : int
        Activations of all leads that are not zero: A of the paper.
    kernel_numbers : int
        Kernel values charged to the record: W of the paper.
    san_error, san_reference : int
        Sum of absolute values, in ADC units: of what the SAN layer leaves, and of the signal.
    encode_seconds : float or None
        None when the file was not encoded just now.
    verified : bool or None
        True when the file was decoded and compared, False when that was left out, None when
        it is not known.
    signals : tuple of SignalReport
        One for each channel.
    structure : str
        What the samples were found to follow from, in words; empty where they are coded as they
        are.
    primer : str
        The primer that the record begins with, by name where it is shipped, or the first bytes of
        its digest; empty without.
    fidelity : str
        What the file promises of its samples, in words.
    n_segments, n_gaps : int
        Of a record of several segments, those with samples and those without; else 0.
    side_files : dict of str to int
        Bytes of the files that travel along, before they were compressed, by their names.
    note : str
        What an encoder has to say of the record beside all this.
    """

    record: str
    n_channels: int
    n_samples: int
    n_frames: int
    fs: float
    duration_seconds: float
    n_bytes: int
    original_n_bytes: int
    source_bits_per_sample: float
    layers: dict[str, int]
    level: str
    model: str
    n_kernels: int
    n_activations: int
    n_amplitudes: int
    kernel_numbers: int
    san_error: int
    san_reference: int
    encode_seconds: float | None = None
    verified: bool | None = None
    signals: tuple[SignalReport, ...] = ()
    structure: str = ""
    primer: str = ""
    fidelity: str = "lossless"
    n_segments: int = 0
    n_gaps: int = 0
    side_files: dict[str, int] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        total = sum(self.layers.values())
        if total != self.n_bytes:
            raise ConfigError(
                f"{self.record}: layers sum to {total} bytes, expected the file's {self.n_bytes}"
            )

    @property
    def bits_per_sample(self) -> float | None:
        """Bits of the whole file for each sample; None for a record without samples."""
        return _ratio(8 * self.n_bytes, self.n_samples)

    @property
    def cr_original(self) -> float | None:
        """Compression ratio against the original signal files; None when there were none."""
        return _ratio(self.original_n_bytes, self.n_bytes) if self.original_n_bytes else None

    @property
    def cr_source_bits(self) -> float | None:
        """Compression ratio against the bits of the storage format; None when unknown."""
        source_bits = self.source_bits_per_sample * self.n_samples
        return _ratio(source_bits, 8 * self.n_bytes) if source_bits else None

    @property
    def cr_int16(self) -> float | None:
        """Compression ratio against 16 bits a sample; None for a record without samples."""
        return _ratio(16 * self.n_samples, 8 * self.n_bytes) if self.n_samples else None

    @property
    def inverse_cr(self) -> float | None:
        """CR^-1 of the SAN layer, (W + 2 A) / n as in the paper; None without a SAN layer."""
        if not self.n_kernels:
            return None
        return _ratio(self.kernel_numbers + 2 * self.n_amplitudes, self.n_samples)

    @property
    def normalized_loss(self) -> float | None:
        """L(r, x) / L(0, x) of the SAN layer with L the mean absolute error; None without one."""
        return _ratio(self.san_error, self.san_reference) if self.n_kernels else None

    @property
    def flithos(self) -> float | None:
        """Phi of the SAN layer, sqrt(CR^-2 + L~^2); None without one."""
        inverse_cr, loss = self.inverse_cr, self.normalized_loss
        return None if inverse_cr is None or loss is None else math.hypot(inverse_cr, loss)

    @property
    def activations_per_minute(self) -> float | None:
        """Activations (positions) a minute; None without a SAN layer."""
        return _ratio(60 * self.n_activations, self.duration_seconds) if self.n_kernels else None

    @property
    def samples_per_second(self) -> float | None:
        """Samples of all channels that were encoded in a second; None when not encoded now."""
        return _ratio(self.n_samples, self.encode_seconds) if self.encode_seconds else None

    def to_json(self) -> dict[str, Any]:
        """Give all figures, counted and derived, as plain JSON values."""
        derived = {name: getattr(self, name) for name in _DERIVED}
        return {**asdict(self), **derived}


_DERIVED = (
    "bits_per_sample",
    "cr_original",
    "cr_source_bits",
    "cr_int16",
    "inverse_cr",
    "normalized_loss",
    "flithos",
    "activations_per_minute",
    "samples_per_second",
)


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator else None


_ADDED = (
    "n_kernels",
    "n_activations",
    "n_amplitudes",
    "kernel_numbers",
    "san_error",
    "san_reference",
    "original_n_bytes",
)


def combine(
    reports: Sequence[Report],
    segments: Sequence[int],
    *,
    n_bytes: int,
    restoration: int,
    **record: Any,
) -> Report:
    """Give the report of a record of several segments from those of what its file holds.

    Parameters
    ----------
    reports : sequence of Report
    segments : sequence of int
        Of each segment with samples, the number of its report.
    n_bytes : int
        Size of the file.
    restoration : int
        Bytes of it that restore files of no single segment.
    **record
        Further fields, those of the record as a whole.
    """
    n_samples = [reports[i].n_samples for i in segments]
    source_bits = sum(reports[i].source_bits_per_sample * reports[i].n_samples for i in segments)
    layers: dict[str, int] = {"container": 0}
    for report in reports:
        for name, size in report.layers.items():
            layers[name] = layers.get(name, 0) + size
    layers["restoration"] = layers.get("restoration", 0) + restoration
    layers["container"] += n_bytes - sum(layers.values())
    return Report(
        **record,
        n_samples=sum(n_samples),
        n_bytes=n_bytes,
        duration_seconds=record["n_frames"] / record["fs"],
        source_bits_per_sample=source_bits / sum(n_samples) if n_samples else 0.0,
        layers=layers,
        level=reports[0].level if reports else "default",
        fidelity=reports[0].fidelity if reports else "lossless",
        model="; ".join(dict.fromkeys(report.model for report in reports)) or "none",
        n_segments=len(segments),
        **{name: sum(getattr(report, name) for report in reports) for name in _ADDED},
    )
