"""Data sets of the experiments, generated, in the layout of the real ones."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from sancodec.experiments import images

RHYTHM = 93
"""Samples from beat to beat of a generated signal."""


def beats(n_samples: int, seed: int = 0) -> NDArray[np.int64]:
    """Give a signal of equal beats and a little noise, in ADC units."""
    generator = np.random.default_rng(seed)
    phase = np.arange(n_samples) % RHYTHM
    shape = 400 * np.exp(-(((phase - 40) / 4) ** 2)) - 90 * np.exp(-(((phase - 60) / 9) ** 2))
    return np.rint(shape + generator.normal(0, 6, n_samples)).astype(np.int64)


def write_record(folder: Path, name: str, signal: NDArray[np.int64], signal_name: str) -> None:
    """Write a one-lead WFDB record in format 16."""
    folder.mkdir(parents=True, exist_ok=True)
    wfdb.wrsamp(
        name,
        fs=360,
        units=["mV"],
        sig_name=[signal_name],
        d_signal=signal[:, None],
        fmt=["16"],
        adc_gain=[200.0],
        baseline=[0],
        write_dir=str(folder),
    )


def write_epilepsy(folder: Path, *, in_uci_order: bool = False) -> Path:
    """Write 11,500 segments of five classes that differ in their amplitude and frequency."""
    generator = np.random.default_rng(3)
    place = folder / "uci-epilepsy"
    place.mkdir(parents=True, exist_ok=True)
    time = np.arange(178)
    lines = []
    for kind, letter in enumerate("SFNOZ", start=1):
        for recording in range(1, 101):
            wave = (900 / kind) * np.sin(2 * np.pi * kind * time / 90 + recording)
            segments = np.rint(wave + generator.normal(0, 20, (23, 178))).astype(int)
            for number, segment in enumerate(segments, start=1):
                name = f"{letter}{recording:03}.{number:02}"
                if in_uci_order:
                    name = f"X{number}.V1.{100 * kind + recording}"
                lines.append(f"{name},{','.join(map(str, segment))},{kind}")
    if in_uci_order:
        lines = [lines[i] for i in generator.permutation(len(lines))]
    titles = ["", *(f"X{i}" for i in range(1, 179)), "y"]
    path = place / "data.csv"
    path.write_text("\n".join([",".join(titles), *lines]) + "\n")
    return path


def pack_idx(values: NDArray[np.uint8]) -> bytes:
    """Give an IDX file of unsigned bytes, packed by gzip."""
    header = bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
    return gzip.compress(header + values.tobytes(), compresslevel=1)


def write_images(folder: Path, name: str) -> Path:
    """Write 60,000 and 10,000 images: a bar at a place that tells the class, and some specks."""
    generator = np.random.default_rng(4)
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    for image_file, label_file, n in zip(
        images.FILES[::2], images.FILES[1::2], (60_000, 10_000), strict=True
    ):
        labels = generator.integers(0, 10, n).astype(np.uint8)
        pictures = np.zeros((n, 28, 28), np.uint8)
        for kind in range(10):
            pictures[labels == kind, 2 * kind + 4 : 2 * kind + 6, 4 + kind : 20] = 200
        specks = generator.integers(0, 28, (n, 3, 2))
        pictures[np.arange(n)[:, None], specks[..., 0], specks[..., 1]] = 90
        (place / image_file).write_bytes(pack_idx(pictures))
        (place / label_file).write_bytes(pack_idx(labels))
    return place
