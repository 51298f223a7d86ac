"""What every experiment runs on: observations to train on, to validate with and to test with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import RecordError


@dataclass(frozen=True, kw_only=True)
class Part:
    """The observations of one part of a data set.

    Attributes
    ----------
    signals : (n_observations, n_samples) or (n_observations, n_rows, n_columns) float32
    labels : (n_observations,) int64 or None
        Class of each, from 0; None where nothing is classified.
    """

    signals: NDArray[np.float32]
    labels: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.signals).all():
            raise RecordError("observations: NaN or infinite values")
        if self.labels is not None and len(self.labels) != len(self.signals):
            raise RecordError(
                f"{len(self.signals)} observations, but {len(self.labels)} labels for them"
            )

    def thinned(self, n_observations: int) -> Part:
        """Give at most so many of the observations, evenly spread."""
        n = len(self.signals)
        chosen = np.unique(np.linspace(0, n - 1, min(n, n_observations)).astype(np.int64))
        labels = None if self.labels is None else self.labels[chosen]
        return Part(signals=self.signals[chosen], labels=labels)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set, split. ``notes`` say what a reader of its results must know."""

    name: str
    training: Part
    validation: Part
    test: Part
    notes: tuple[str, ...] = ()

    @property
    def n_dimensions(self) -> int:
        """1 for signals, 2 for images."""
        return self.training.signals.ndim - 1

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 where nothing is classified."""
        labels = self.training.labels
        return 0 if labels is None else int(labels.max()) + 1

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        """Training, validation, test."""
        return self.training, self.validation, self.test

    def thinned(self, n_observations: int | None) -> Dataset:
        """Give the data set with at most so many observations in each part; None for all."""
        if n_observations is None:
            return self
        training, validation, test = (part.thinned(n_observations) for part in self.parts)
        return replace(self, training=training, validation=validation, test=test)

    def digest(self) -> str:
        """Give the SHA-256 of all values and labels, part by part."""
        found = hashlib.sha256()
        for part in self.parts:
            found.update(repr(part.signals.shape).encode())
            found.update(np.ascontiguousarray(part.signals, "<f4").data)
            if part.labels is not None:
                found.update(np.ascontiguousarray(part.labels, "<i8").data)
        return found.hexdigest()
