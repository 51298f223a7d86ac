"""Settings of the encoder. None of them is needed to decode."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from sancodec.errors import ConfigError
from sancodec.fidelity import Fidelity, Lossless, fidelity_from_json, fidelity_to_json

KERNEL_SOURCES = ("auto", "model", "fit")
LEVELS = ("fast", "default", "max")


@dataclass(frozen=True, kw_only=True)
class CodecConfig:
    """How to encode.

    Attributes
    ----------
    model : str
        ``"auto"`` takes for each signal the shipped model of its type, where that pays;
        ``"none"`` switches the SAN layer off; otherwise the name of a shipped model or the path
        of a model file, for the signals of its type.
    kernels : str
        Where kernels come from: ``"model"``, ``"fit"`` (fitted to the record and stored in the
        file), or ``"auto"``: fitted where that pays, else from the model; from the model where
        that was named.
    primer : str
        What short records begin with that other records taught: ``"auto"`` takes a shipped
        primer where it is for such signals and pays; ``"none"``; or the path of a primer.
    level : str
        ``"default"``; ``"fast"``: about as small, decoded several times as fast; or ``"max"``:
        smaller, at a tenth of the speed of default.
    chunk_seconds : float or None
        Length of an independently decodable chunk, in seconds; None for the default: a minute,
        and longer where that would be few samples; half an hour where there may be loss.
    fidelity : Fidelity
        How much decoded samples may differ: not at all, unless something else is asked for.
    candidates : tuple of str
        Model files that ``"auto"`` tries as well, each on the signals of its type.

    Raises
    ------
    ConfigError
        A setting is out of range.
    """

    model: str = "auto"
    kernels: str = "auto"
    primer: str = "auto"
    level: str = "default"
    chunk_seconds: float | None = None
    fidelity: Fidelity = field(default_factory=Lossless)
    candidates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigError("model: empty, expected auto, none, a name or a path")
        if self.candidates and self.model != "auto":
            raise ConfigError(f"candidates: model {self.model} leaves nothing to try")
        if not self.primer:
            raise ConfigError("primer: empty, expected auto, none, a name or a path")
        if self.kernels not in KERNEL_SOURCES:
            raise ConfigError(
                f"kernels: {self.kernels!r}, expected one of {', '.join(KERNEL_SOURCES)}"
            )
        if self.level not in LEVELS:
            raise ConfigError(f"level: {self.level!r}, expected one of {', '.join(LEVELS)}")
        seconds = self.chunk_seconds
        if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
            raise ConfigError(f"chunk_seconds: {seconds}, expected above 0")

    def to_json(self) -> dict[str, Any]:
        """Give the settings as plain JSON values."""
        return dataclasses.asdict(self) | {"fidelity": fidelity_to_json(self.fidelity)}

    @classmethod
    def from_json(cls, settings: dict[str, Any]) -> CodecConfig:
        """Take settings from ``to_json``; ConfigError where a name is not one of them."""
        unknown = set(settings) - {field.name for field in dataclasses.fields(cls)}
        if unknown:
            raise ConfigError(f"settings: {', '.join(sorted(unknown))} unknown")
        fields = dict(settings)
        if "fidelity" in fields:
            fields["fidelity"] = fidelity_from_json(fields["fidelity"])
        fields["candidates"] = tuple(fields.get("candidates", ()))
        return cls(**fields)
