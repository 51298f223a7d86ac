"""Settings and results of a sweep over kernel sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import ConfigError
from sancodec.training.san import ActivationName, SanConfig, SynthesisName

LossName = Literal["mae", "mse"]
StartName = Literal["normal", "constant"]
KeepName = Literal["best", "last"]
DeviceName = Literal["auto", "cpu", "cuda"]

_CHOICES = {
    "loss": ("mae", "mse"),
    "start": ("normal", "constant"),
    "keep": ("best", "last"),
    "device": ("auto", "cpu", "cuda"),
}


@dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """How SANs of some kernel sizes are trained. The defaults are the text of the paper.

    Attributes
    ----------
    activation, border_tolerance, synthesis
        As in :class:`sancodec.training.san.SanConfig`.
    kernel_sizes : tuple of int
        Each the m of a network of its own; an image has kernels of m x m.
    n_kernels : int
        Number of kernels of each network, q in the paper.
    n_epochs, batch_size : int
    learning_rate : float
        Of Adam.
    loss : str
        ``"mae"``, or ``"mse"``.
    start : str
        ``"normal"``: the first kernels are drawn from N(0, 0.1), as the paper says.
        ``"constant"``: all are 0.1, as in the authors' released code.
    keep : str
        ``"best"``: the kernels of the epoch with the lowest mean flithos on the validation
        part, as the paper says. ``"last"``: those of the last epoch, as in the released code.
    seed : int
    device : str
        ``"cpu"``, ``"cuda"``, or ``"auto"``: CUDA where there is some.
    patience : int or None
        Stop a size that has had no lower mean flithos for so many epochs.
    """

    activation: ActivationName
    kernel_sizes: tuple[int, ...]
    n_kernels: int = 1
    n_epochs: int = 30
    batch_size: int = 2
    border_tolerance: int = 3
    learning_rate: float = 0.01
    loss: LossName = "mae"
    start: StartName = "normal"
    synthesis: SynthesisName = "paper"
    keep: KeepName = "best"
    seed: int = 0
    device: DeviceName = "auto"
    patience: int | None = None

    def __post_init__(self) -> None:
        _ = self.san
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                found = getattr(self, name)
                raise ConfigError(f"{name}: {found!r}, expected one of {', '.join(choices)}")
        sizes = self.kernel_sizes
        if not sizes or min(sizes) < 1 or len(set(sizes)) != len(sizes):
            raise ConfigError(f"kernel sizes: {sizes}, expected different ones, each at least 1")
        counts = {"kernels": self.n_kernels, "epochs": self.n_epochs, "batch": self.batch_size}
        if self.patience is not None:
            counts["patience"] = self.patience
        for name, count in counts.items():
            if count < 1:
                raise ConfigError(f"{name}: {count}, expected at least 1")
        if not (np.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ConfigError(f"learning rate: {self.learning_rate}, expected above 0")
        if self.seed < 0:
            raise ConfigError(f"seed: {self.seed}, expected 0 or more")

    @property
    def san(self) -> SanConfig:
        """What each network does apart from its kernels."""
        return SanConfig(
            activation=self.activation,
            border_tolerance=self.border_tolerance,
            synthesis=self.synthesis,
        )


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """Kernels of each size, and the figures of each epoch (rows) and size (columns).

    Attributes
    ----------
    kernel_sizes : tuple of int
    flithos, flithos_std, inverse_cr, normalized_loss : (n_epochs, n_sizes) float64
        Mean, and standard deviation of flithos, over the validation part; nan after a stop.
    training_loss : (n_epochs, n_sizes) float64
        Mean over the windows of the epoch, in the unit of the signals; nan after a stop.
    kernels : list of (q, m) or (q, m, m) float32
        Of the kept epoch.
    kept_epoch : (n_sizes,) int64
        A row of the figures.
    """

    kernel_sizes: tuple[int, ...]
    flithos: NDArray[np.float64]
    flithos_std: NDArray[np.float64]
    inverse_cr: NDArray[np.float64]
    normalized_loss: NDArray[np.float64]
    training_loss: NDArray[np.float64]
    kernels: list[NDArray[np.float32]]
    kept_epoch: NDArray[np.int64]
