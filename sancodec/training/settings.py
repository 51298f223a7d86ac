"""How kernels are trained: the settings that decide which kernels come out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from sancodec.errors import ConfigError
from sancodec.san.kernels import MAX_KERNELS, MAX_TAPS
from sancodec.training.network import Shape
from sancodec.training.scaling import NO_SCALING

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mae": functional.l1_loss,
    "mse": functional.mse_loss,
}
"""What training lowers, by name: the mean absolute error, or the mean squared error."""

_MIN_TAPS = 8
_MIN_SCALE, _MAX_SCALE = 0.25, 4.0
_MAX_SEED = (1 << 63) - 1


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a SAN is trained; every time is in seconds. The defaults suit ECG.

    Every field acts on the kernels, and so on the bytes of the model.

    Attributes
    ----------
    n_kernels : int
        Kernels to learn; with ``grow`` the most that are learned.
    n_epochs : int
        Epochs of one training; with ``grow`` each number of kernels has one.
    before_seconds, after_seconds : float
        Length of a kernel before its centre and from it on.
    distance_seconds : float
        Minimum extrema distance.
    n_starts : int
        Sets of kernels that are tried for an epoch.
    loss : str
        ``"mae"`` or ``"mse"``.
    compete : bool
        Whether the distance holds across the maps of all kernels, or in each map alone.
    annealing_seconds : float, optional
        Extrema distance that training starts from; it goes to ``distance_seconds`` by a cosine.
    dropout : float
        Chance of each activation to be left out of a training step.
    time_scales : tuple of float
        Scales in time at which each kernel may be activated; 1 is one of them.
    grow : bool
        Whether kernels are added one by one, as long as the held-back flithos falls.
    patience : int, optional
        Epochs without a lower held-back flithos after which training stops.
    """

    n_kernels: int = 4
    n_epochs: int = 12
    seed: int = 0
    fs: float = 360.0
    before_seconds: float = 96 / 360
    after_seconds: float = 160 / 360
    distance_seconds: float = 0.3
    n_starts: int = 6
    learning_rate: float = 0.02
    batch_size: int = 10
    loss: str = "mae"
    compete: bool = True
    annealing_seconds: float | None = None
    dropout: float = 0.0
    time_scales: tuple[float, ...] = NO_SCALING
    grow: bool = False
    patience: int | None = None

    def __post_init__(self) -> None:
        _check_count("kernels", self.n_kernels, MAX_KERNELS)
        for name in ("epochs", "starts"):
            _check_count(name, getattr(self, f"n_{name}"))
        _check_count("batch", self.batch_size)
        _check_count("patience", 1 if self.patience is None else self.patience)
        if not 0 <= self.seed <= _MAX_SEED:
            raise ConfigError(f"seed: {self.seed}, expected 0 to 2**63 - 1")
        if not (math.isfinite(self.fs) and self.fs > 0):
            raise ConfigError(f"fs: {self.fs} Hz, expected above 0")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ConfigError(f"learning rate: {self.learning_rate}, expected above 0")
        if self.loss not in LOSSES:
            raise ConfigError(f"loss: {self.loss!r}, expected one of {', '.join(LOSSES)}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout: {self.dropout}, expected 0 or more and below 1")
        self._check_scales()
        self._check_times()

    @property
    def shape(self) -> Shape:
        """Sizes of the kernels, in samples."""
        centre = round(self.before_seconds * self.fs)
        return Shape(
            n_kernels=self.n_kernels,
            n_taps=centre + round(self.after_seconds * self.fs),
            centre=centre,
            distance=_samples(self.distance_seconds, self.fs),
            scales=self.time_scales,
            compete=self.compete,
        )

    @property
    def first_distance(self) -> int:
        """Minimum extrema distance that training starts from, in samples."""
        annealed = self.annealing_seconds is not None
        seconds = self.annealing_seconds if annealed else self.distance_seconds
        assert seconds is not None
        return _samples(seconds, self.fs)

    def _check_scales(self) -> None:
        scales = self.time_scales
        if not all(_MIN_SCALE <= scale <= _MAX_SCALE for scale in scales) or 1.0 not in scales:
            raise ConfigError(
                f"time scales: {', '.join(f'{scale:g}' for scale in scales) or 'none'}; "
                f"expected numbers from {_MIN_SCALE} to {_MAX_SCALE:g}, 1 among them"
            )
        if len(set(scales)) < len(scales):
            raise ConfigError("time scales: one is given twice")
        if self.n_kernels * len(scales) > MAX_KERNELS:
            raise ConfigError(
                f"time scales: {self.n_kernels} kernels at {len(scales)} scales are "
                f"{self.n_kernels * len(scales)} rows, expected at most {MAX_KERNELS}"
            )

    def _check_times(self) -> None:
        times = (self.before_seconds, self.after_seconds, self.distance_seconds)
        if not all(math.isfinite(time) and time >= 0 for time in times):
            raise ConfigError("before, after, distance: expected 0 s or more")
        if self.annealing_seconds is not None and not 0 <= self.annealing_seconds < math.inf:
            raise ConfigError(
                f"distance annealing: from {self.annealing_seconds} s, expected 0 s or more"
            )
        longest = (self.before_seconds + self.after_seconds) * self.fs * max(self.time_scales)
        # First as a float: it may be infinite.
        if (
            not longest <= MAX_TAPS
            or self.shape.row_taps > MAX_TAPS
            or self.shape.n_taps < _MIN_TAPS
        ):
            raise ConfigError(
                f"before, after: kernels of {longest:.0f} samples at their largest scale, "
                f"expected {_MIN_TAPS} to {MAX_TAPS}"
            )
        if self.shape.centre == self.shape.n_taps:
            raise ConfigError("after: the kernels have no tap at their centre; expected above 0 s")
        if max(self.distance_seconds, self.annealing_seconds or 0) * self.fs > MAX_TAPS:
            raise ConfigError(f"distance: expected at most {MAX_TAPS} samples at {self.fs:g} Hz")


def _check_count(name: str, count: int, largest: int | None = None) -> None:
    if count < 1 or (largest is not None and count > largest):
        expected = "at least 1" if largest is None else f"1 to {largest}"
        raise ConfigError(f"{name}: {count}, expected {expected}")


def _samples(seconds: float, fs: float) -> int:
    return max(1, round(seconds * fs))
