"""How much a decoded record may differ from its original, and in what that is measured."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sancodec.errors import ConfigError
from sancodec.recording import Channel


@dataclass(frozen=True)
class Lossless:
    """Every sample, and every original file, comes back as it was."""


@dataclass(frozen=True)
class TargetPrdn:
    """Each lead comes back with a PRDN of at most ``percent`` over the whole record.

    PRDN is the root-mean-square error in percent of the lead's deviation from its mean.
    """

    percent: float

    def __post_init__(self) -> None:
        _check_percent(self.percent)


@dataclass(frozen=True)
class MeanPrdn:
    """The PRDN of the leads that are not flat is at most ``percent`` in the mean.

    No lead has a bound of its own: small or noisy ones, which are dear, lose more than others.
    """

    percent: float

    def __post_init__(self) -> None:
        _check_percent(self.percent)


@dataclass(frozen=True)
class MaxError:
    """No sample comes back off by more than its channel's bound.

    ``bounds`` are texts: a number of ADC units ("3"), or a number and a unit ("10uV"); one for
    all channels, or one for each.
    """

    bounds: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.bounds:
            raise ConfigError("largest error: no bound given")
        for bound in self.bounds:
            _parse_bound(bound)

    def in_adc_units(self, channels: Sequence[Channel]) -> tuple[int, ...]:
        """Give the bound of each channel in whole ADC units, rounded down.

        Raises
        ------
        ConfigError
            There is neither one bound nor one for each channel, or a unit is not the channel's.
        """
        bounds = self.bounds * len(channels) if len(self.bounds) == 1 else self.bounds
        if len(bounds) != len(channels):
            raise ConfigError(
                f"largest error: {len(bounds)} bounds for {len(channels)} channels, expected one "
                "or one for each"
            )
        return tuple(_adc_units(b, c) for b, c in zip(bounds, channels, strict=True))


@dataclass(frozen=True)
class TargetSize:
    """The file takes at most so many bits for each sample, and is as good as that allows.

    ``bits_per_sample`` or ``ratio`` is given; a ratio is against the bits that a sample takes in
    the signal files, 16 for an array.
    """

    bits_per_sample: float | None = None
    ratio: float | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.bits_per_sample, self.ratio) if value is not None]
        if len(given) != 1 or not (math.isfinite(given[0]) and given[0] > 0.0):
            raise ConfigError(
                f"size: {self.bits_per_sample} bits a sample, ratio {self.ratio}; expected one of "
                "them, above 0"
            )

    def bits(self, source_bits_per_sample: float) -> float:
        """Give the bits that a sample may take."""
        if self.bits_per_sample is not None:
            return self.bits_per_sample
        assert self.ratio is not None
        return source_bits_per_sample / self.ratio


@dataclass(frozen=True)
class SanOnly:
    """The SAN layer alone, as in the paper: kernels and activations around a level of each lead."""


Fidelity = Lossless | TargetPrdn | MeanPrdn | MaxError | TargetSize | SanOnly

_KINDS: dict[str, type[Fidelity]] = {
    "lossless": Lossless,
    "prdn": TargetPrdn,
    "mean-prdn": MeanPrdn,
    "max-error": MaxError,
    "size": TargetSize,
    "san-only": SanOnly,
}

_BOUND = re.compile(r"(\d+\.?\d*|\.\d+)\s*([^\W\d]*)")
_VOLTS = {"nV": 1e-9, "uV": 1e-6, "µV": 1e-6, "μV": 1e-6, "mV": 1e-3, "V": 1.0}
_MAX_BOUND = 1 << 32


def kind_of(fidelity: Fidelity) -> str:
    """Give the name of a kind of fidelity."""
    return next(name for name, own in _KINDS.items() if isinstance(fidelity, own))


def fidelity_to_json(fidelity: Fidelity) -> dict[str, Any]:
    """Give a fidelity as plain JSON values."""
    return {"kind": kind_of(fidelity), **dataclasses.asdict(fidelity)}


def fidelity_from_json(settings: dict[str, Any]) -> Fidelity:
    """Take a fidelity from ``fidelity_to_json``; ConfigError for what is none."""
    fields = dict(settings)
    kind = _KINDS.get(fields.pop("kind", ""))
    names = set() if kind is None else {field.name for field in dataclasses.fields(kind)}
    if kind is None or set(fields) != names:
        raise ConfigError(f"fidelity: {settings}, expected a kind of {', '.join(_KINDS)}")
    if kind is MaxError:
        fields["bounds"] = tuple(fields["bounds"])
    return kind(**fields)


def _check_percent(percent: float) -> None:
    if not (math.isfinite(percent) and 0.0 < percent <= 100.0):
        raise ConfigError(f"PRDN: {percent} %, expected above 0 and at most 100")


def _parse_bound(bound: str) -> tuple[Fraction, str]:
    found = _BOUND.fullmatch(bound.strip())
    if found is None:
        raise ConfigError(
            f"largest error: {bound!r}, expected ADC units (3) or a number and its unit (10uV)"
        )
    value = Fraction(found[1])
    if not found[2] and value.denominator != 1:
        raise ConfigError(f"largest error: {bound!r}, expected a whole number of ADC units")
    return value, found[2]


def _adc_units(bound: str, channel: Channel) -> int:
    value, unit = _parse_bound(bound)
    if not unit:
        return min(math.floor(value), _MAX_BOUND)
    own = channel.units.strip()
    if unit != own and not {unit, own} <= set(_VOLTS):
        raise ConfigError(
            f"largest error: {bound!r} for channel {channel.name.strip()!r}, which is in {own}"
        )
    scale = Fraction(1)
    if unit != own:
        scale = Fraction(str(_VOLTS[unit])) / Fraction(str(_VOLTS[own]))
    return min(math.floor(value * scale * abs(Fraction(channel.adc_gain))), _MAX_BOUND)
