"""What a training gives back."""

from __future__ import annotations

from dataclasses import dataclass

from sancodec.san.kernels import KernelBank
from sancodec.training.judging import EpochResult, Figures


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Whether another kernel was kept: with it, ``flithos`` on the windows held back."""

    n_kernels: int
    flithos: float
    kept: bool


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """The kernels of the best epoch, and the figures of all epochs.

    Attributes
    ----------
    bank : KernelBank
        Kernels of a model that was extended come first, then each learned kernel at each scale.
    best : EpochResult
    epochs : tuple of EpochResult
        Of the number of kernels that was kept.
    figures : Figures
        Of the best epoch on the windows held back, with the use of each row of the bank.
    n_learned : int
        Kernels learned now, each counted once whatever its scales.
    growth : tuple of Growth
        Each number of learned kernels that was tried, when they are added one by one.
    base_flithos : float, optional
        Flithos of the extended model alone, on the windows held back.
    device : str
        What it was trained on: ``"cpu"`` or ``"cuda"``.
    """

    bank: KernelBank
    best: EpochResult
    epochs: tuple[EpochResult, ...]
    figures: Figures
    n_learned: int
    growth: tuple[Growth, ...]
    base_flithos: float | None
    device: str
