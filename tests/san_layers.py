"""SAN layers of records that are made up, as the decoder has ONNX Runtime add them up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sancodec import models
from sancodec.placement import Placement
from sancodec.san.synthesis import Activations, expand, placement_of, resample

FS = 500.0
_BEATS_PER_SECOND = 1.2


def many_layers(
    n_records: int, *, n_leads: int = 12, seconds: float = 10.0, seed: int = 8
) -> Iterator[Placement]:
    """Give what is to be added up for records of the shipped ECG model: a beat every 0.8 s or so.

    Parameters
    ----------
    n_records, n_leads : int
    seconds : float
        Length of each record, at 500 Hz.
    seed : int
        Of the beats' positions, kernels and amplitudes.
    """
    generator = np.random.default_rng(seed)
    bank = expand(resample(models.load("ecg")[0], FS))
    n_samples, n_beats = int(seconds * FS), max(1, int(seconds * _BEATS_PER_SECOND))
    for _ in range(n_records):
        activations = Activations(
            position=np.sort(generator.integers(0, 4 * n_samples, n_beats)),
            kernel=generator.integers(0, bank.n_kernels, n_beats),
            amplitude=generator.integers(-2000, 2001, (n_beats, n_leads)).astype(np.int32),
        )
        yield placement_of(bank, activations, n_samples, np.zeros(n_leads, np.int64))
