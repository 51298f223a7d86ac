"""Signals of known shapes that the tests of training share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sancodec.training.trainer import TrainConfig
from sancodec.training.windows import RecordWindows, normalise


def beats(n_samples: int, seed: int) -> Tensor:
    """Two leads of beats of two shapes, of both signs, at irregular places."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_samples, dtype=np.float64)
    signal = np.zeros((2, n_samples))
    for i, place in enumerate(np.arange(25, n_samples - 30, 45) + rng.integers(-4, 5)):
        late = t - place - rng.integers(-3, 4)
        narrow = np.exp(-(late**2) / 6)
        wide = np.exp(-((late - 4) ** 2) / 30) - 0.5 * np.exp(-((late - 14) ** 2) / 30)
        signal += np.array([[1.0], [-0.6]]) * (wide if i % 3 == 0 else narrow)
    return torch.from_numpy(signal + rng.normal(0, 0.02, signal.shape)).float()


def records(n_records: int = 3) -> list[RecordWindows]:
    return [
        RecordWindows(name=f"r{r}", windows=np.stack([window(10 * r + i) for i in range(10)]))
        for r in range(n_records)
    ]


def window(seed: int) -> NDArray[np.float32]:
    return normalise(beats(400, seed).double().numpy(), 100.0, 0.0)


CONFIG = TrainConfig(
    n_kernels=2, n_epochs=4, fs=100.0, before_seconds=0.15, after_seconds=0.25,
    distance_seconds=0.12, n_starts=2,
)  # fmt: skip


def write_record(folder: Path, name: str, n_seconds: int = 60, fs: int = 100) -> None:
    import wfdb

    folder.mkdir(exist_ok=True)
    leads = beats(n_seconds * fs, len(name)).numpy().T
    wfdb.wrsamp(
        name, fs=fs, units=["mV"] * 2, sig_name=["I", "II"], fmt=["16"] * 2,
        d_signal=np.rint(200 * leads).astype(np.int64), adc_gain=[200] * 2, baseline=[0] * 2,
        write_dir=str(folder),
    )  # fmt: skip


SIZES = "--fs 100 --before 0.15 --after 0.25 --distance 0.12 --window 4 --windows 10"
QUICK = f"--signal-type beats --kernels 2 --epochs 2 --starts 1 {SIZES}".split()
