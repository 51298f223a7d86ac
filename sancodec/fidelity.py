"""How much a decoded record may differ from its original, and in what that is measured."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from sancodec.errors import ConfigError


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
        if not (math.isfinite(self.percent) and 0.0 < self.percent <= 100.0):
            raise ConfigError(f"PRDN: {self.percent} %, expected above 0 and at most 100")


@dataclass(frozen=True)
class SanOnly:
    """The SAN layer alone, as in the paper: kernels and activations around a level of each lead."""


Fidelity = Lossless | TargetPrdn | SanOnly

_KINDS: dict[str, type[Fidelity]] = {
    "lossless": Lossless,
    "prdn": TargetPrdn,
    "san-only": SanOnly,
}


def fidelity_to_json(fidelity: Fidelity) -> dict[str, Any]:
    """Give a fidelity as plain JSON values."""
    kind = next(name for name, own in _KINDS.items() if isinstance(fidelity, own))
    return {"kind": kind, **dataclasses.asdict(fidelity)}


def fidelity_from_json(settings: dict[str, Any]) -> Fidelity:
    """Take a fidelity from ``fidelity_to_json``; ConfigError for what is none."""
    fields = dict(settings)
    kind = _KINDS.get(fields.pop("kind", ""))
    names = set() if kind is None else {field.name for field in dataclasses.fields(kind)}
    if kind is None or set(fields) != names:
        raise ConfigError(f"fidelity: {settings}, expected a kind of {', '.join(_KINDS)}")
    return kind(**fields)
