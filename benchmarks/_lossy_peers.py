"""SZ3, zfp and JPEG 2000 on the leads of a record, each as coarse as a target allows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import sancodec
from sancodec.fidelity import SanOnly
from sancodec.recording import Recording

Lead = NDArray[np.float64]
Coder = Callable[[Lead, float], tuple[int, Lead]]
"""Codes a lead with a setting, the coarser the larger it is: its bytes, and what comes back."""
Keeps = Callable[[Lead, Lead], bool]

_HALVINGS = 14
_COARSEST = 4096.0
# Of each record they are the same at every target.
_BEATS: dict[tuple[str, int], NDArray[np.int64]] = {}


def coarsest(record: Recording, coder: Coder, keeps: Keeps) -> float:
    """Give the bytes of all channels, each with the coarsest setting that keeps the target.

    Infinite where none does.
    """
    total = 0.0
    for signal in record.signals:
        # Around 0: none of them knows of offsets.
        lead = signal.astype(np.float64) - np.rint(signal.mean())
        fine, coarse = 0.0, float(np.log2(_COARSEST))
        best = math.inf
        for _ in range(_HALVINGS):
            middle = (fine + coarse) / 2
            size, decoded = coder(lead, 2.0**middle / 16)
            if keeps(lead, np.rint(decoded)):
                fine, best = middle, size
            else:
                coarse = middle
        total += best
    return total


def sz3(lead: Lead, setting: float) -> tuple[int, Lead]:
    from pysz import sz, szConfig, szErrorBoundMode

    config = szConfig()
    config.errorBoundMode = szErrorBoundMode.ABS
    config.absErrorBound = setting
    values = lead.astype(np.float32)
    config.setDims(values.size)
    encoded, _ = sz.compress(values, config)
    decoded, _ = sz.decompress(encoded, np.float32, values.shape)
    return encoded.size, decoded.astype(np.float64)


def zfp(lead: Lead, setting: float) -> tuple[int, Lead]:
    import zfpy

    encoded = zfpy.compress_numpy(lead.astype(np.float32), tolerance=setting)
    return len(encoded), zfpy.decompress_numpy(encoded).astype(np.float64)


def jpeg2000(beats: NDArray[np.int64]) -> Coder:
    """Give the coder of leads that are cut at these samples."""

    def code(lead: Lead, setting: float) -> tuple[int, Lead]:
        import imagecodecs

        edges = np.concatenate([[0], beats[(beats > 0) & (beats < lead.size)], [lead.size]])
        rows = [lead[a:b] for a, b in itertools.pairwise(edges)]
        width = max(row.size for row in rows)
        low = lead.min()
        image = np.stack([np.pad(row, (0, width - row.size), mode="edge") for row in rows]) - low
        options: dict[str, Any] = {"codecformat": "j2k", "reversible": False}
        # In decibels below the largest sample of 16 bits.
        quality = 20.0 * np.log10(65_535.0 / setting)
        encoded = imagecodecs.jpeg2k_encode(image.astype(np.uint16), level=quality, **options)
        decoded = imagecodecs.jpeg2k_decode(encoded).astype(np.float64) + low
        back = [row[: own.size] for row, own in zip(decoded, rows, strict=True)]
        return len(encoded) + 2 * len(rows), np.concatenate(back)

    return code


def beats_of(record: Recording) -> NDArray[np.int64]:
    """Give the samples at which rows begin: beats that the SAN layer has, else every second."""
    key = record.name, record.n_frames
    if key not in _BEATS:
        _BEATS[key] = _find_beats(record)
    return _BEATS[key]


def _find_beats(record: Recording) -> NDArray[np.int64]:
    try:
        encoded = sancodec.encode(record, config=sancodec.CodecConfig(fidelity=SanOnly()))
    except sancodec.SancodecError:
        return np.arange(0, record.n_frames, max(round(record.fs), 1), dtype=np.int64)
    found = []
    with sancodec.open(encoded) as file:
        for i, entry in enumerate(file.container.chunks):
            layer = file.layers(i)[0]
            found.append(entry.start + (layer.activations.position >> 2))
    before = round(0.25 * record.fs)
    return np.unique(np.concatenate(found) - before)
