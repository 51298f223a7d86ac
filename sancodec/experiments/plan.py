"""What one run of an experiment is to do: validated before anything is read or trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sancodec.errors import ConfigError
from sancodec.experiments.choices import resolve
from sancodec.experiments.paper import ACTIVATIONS, EXPERIMENTS
from sancodec.experiments.physionet import BY_NAME

PURSUIT = "pursuit"
"""What stands in the place of an activation function in protocol ``sancodec``."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much an experiment trains: section IV of the paper, or a small version of it."""

    kernel_sizes: tuple[int, ...]
    n_kernels: int
    n_epochs: int
    batch_size: int
    border_tolerance: int
    n_observations: int | None = None


_FULL = {
    "physionet": Scale(
        kernel_sizes=tuple(range(1, 251)),
        n_kernels=1,
        n_epochs=30,
        batch_size=2,
        border_tolerance=3,
    ),
    "uci-epilepsy": Scale(
        kernel_sizes=tuple(range(8, 16)),
        n_kernels=2,
        n_epochs=5,
        batch_size=64,
        border_tolerance=2,
    ),
    "mnist": Scale(
        kernel_sizes=tuple(range(1, 7)),
        n_kernels=2,
        n_epochs=5,
        batch_size=64,
        border_tolerance=2,
    ),
}
_FULL["fashion-mnist"] = _FULL["mnist"]
_QUICK_SIZES = {"physionet": (4, 8, 16), "uci-epilepsy": (8, 15), "mnist": (2, 4)}
_QUICK_SIZES["fashion-mnist"] = _QUICK_SIZES["mnist"]
_QUICK_EPOCHS = 2
_QUICK_OBSERVATIONS = 256


def scale_of(experiment: str, *, quick: bool) -> Scale:
    """Give the paper's scale of an experiment, or a small one that takes seconds."""
    full = _FULL[experiment]
    if not quick:
        return full
    return Scale(
        kernel_sizes=_QUICK_SIZES[experiment],
        n_kernels=full.n_kernels,
        n_epochs=_QUICK_EPOCHS,
        batch_size=full.batch_size,
        border_tolerance=full.border_tolerance,
        n_observations=_QUICK_OBSERVATIONS,
    )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run.

    Attributes
    ----------
    experiment, protocol : str
    scale : Scale
    given : mapping of str
        The choices that were made; those left out have the protocol's values.
    datasets : tuple of str
        Rows of table I; empty for all. The other experiments have one data set each.
    activations : tuple of str
        Empty for all.
    records : mapping of str
        Other records than the first, by data set; of experiment physionet alone.
    start_sample : int
        The first sample that is taken; of experiment physionet alone.
    seed : int
    device : str
        ``"cpu"``, ``"cuda"``, or ``"auto"``: CUDA where there is some. Not among the settings:
        it says where is computed, not what.

    Raises
    ------
    ConfigError
        Something is out of range, unknown, or does not act here.
    """

    experiment: str
    scale: Scale
    protocol: str = "paper"
    given: Mapping[str, str] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    activations: tuple[str, ...] = ()
    records: Mapping[str, str] = field(default_factory=dict)
    start_sample: int = 0
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.experiment not in EXPERIMENTS:
            raise ConfigError(
                f"experiment: {self.experiment!r}, expected one of {', '.join(EXPERIMENTS)}"
            )
        _ = self.choices
        if self.experiment != "physionet" and (self.datasets or self.records or self.start_sample):
            raise ConfigError(f"{self.experiment} has no data sets, records and samples to choose")
        for name in (*self.datasets, *self.records):
            if name not in BY_NAME:
                raise ConfigError(f"data set: {name!r}, expected one of {', '.join(BY_NAME)}")
        for name in self.activations:
            if name not in ACTIVATIONS:
                raise ConfigError(f"activation: {name!r}, expected one of {', '.join(ACTIVATIONS)}")
        if self.protocol == "sancodec" and self.activations:
            raise ConfigError("activations: protocol sancodec has none to choose from")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ConfigError(f"device: {self.device!r}, expected auto, cpu or cuda")
        if self.protocol == "sancodec" and self.device == "cuda":
            raise ConfigError("device: protocol sancodec searches on the CPU")
        if self.seed < 0:
            raise ConfigError(f"seed: {self.seed}, expected 0 or more")
        if self.start_sample < 0:
            raise ConfigError(f"start sample: {self.start_sample}, expected 0 or more")

    @property
    def choices(self) -> dict[str, str]:
        """Every choice, by name."""
        return resolve(self.experiment, self.protocol, self.given)

    @property
    def rows(self) -> tuple[str, ...]:
        """The data sets of this run, in the order of the paper."""
        if self.experiment != "physionet":
            return (self.experiment,)
        return tuple(name for name in BY_NAME if not self.datasets or name in self.datasets)

    @property
    def columns(self) -> tuple[str, ...]:
        """The activation functions of this run, in the order of the paper."""
        if self.protocol == "sancodec":
            return (PURSUIT,)
        return tuple(
            name for name in ACTIVATIONS if not self.activations or name in self.activations
        )

    def settings(self) -> dict[str, Any]:
        """Give what must be the same for results to stand in one table, as plain JSON values."""
        scale = {**vars(self.scale), "kernel_sizes": list(self.scale.kernel_sizes)}
        return {
            "experiment": self.experiment,
            "protocol": self.protocol,
            "choices": self.choices,
            "scale": scale,
            "records": dict(self.records),
            "start_sample": self.start_sample,
            "seed": self.seed,
        }
