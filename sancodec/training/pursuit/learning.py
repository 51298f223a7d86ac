"""Kernels learned for pursuit encoding: encode, refit the kernels, and again.

The alternation finds the minimum next to where it starts, so it is started often: many candidates
are carried on for a little, the better ones for longer. Unless the sizes of the kernels are given,
they follow the data, and so does the number of kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sancodec.errors import ConfigError, RecordError
from sancodec.training.pursuit.encoding import (
    Activations,
    EncodeConfig,
    Encoding,
    checked_signals,
    encode,
)
from sancodec.training.pursuit.kernels import Fit, Floats, refit_kernels, resize_kernels
from sancodec.training.pursuit.starts import start_kernel


@dataclass(frozen=True, kw_only=True)
class LearnConfig:
    """What is learned, and how hard it is tried.

    Attributes
    ----------
    sizes : tuple of int, or None
        Size of each kernel along each axis; when None, numbers and sizes of kernels are chosen
        (signals of one dimension only).
    n_kernels : tuple of int
        Numbers of kernels that are tried when ``sizes`` is None.
    max_size : int
        Largest size that is tried when ``sizes`` is None.
    n_starts : int
        Candidates to begin with, for each number of kernels.
    max_signals : int
        Of more training or validation signals than this, a random part is used.
    seed : int
        Of the starts and of that part.
    encoding : EncodeConfig
        How signals are encoded while kernels are learned.
    """

    sizes: tuple[int, ...] | None = None
    n_kernels: tuple[int, ...] = (1, 2, 3)
    max_size: int = 250
    n_starts: int = 40
    max_signals: int = 500
    seed: int = 0
    encoding: EncodeConfig = field(default_factory=lambda: EncodeConfig(n_sweeps=1))

    def __post_init__(self) -> None:
        if self.sizes is not None and (not self.sizes or min(self.sizes) < 1):
            raise ConfigError(f"kernel sizes: {self.sizes}, expected at least one, all above 0")
        if not self.n_kernels or min(self.n_kernels) < 1:
            raise ConfigError(f"numbers of kernels: {self.n_kernels}, expected 1 or more")
        for name in ("max_size", "n_starts", "max_signals"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: {getattr(self, name)}, expected at least 1")
        if self.seed < 0:
            raise ConfigError(f"seed: {self.seed}, expected 0 or more")


@dataclass(frozen=True, kw_only=True)
class Iteration:
    """The mean flithos after one iteration, over training and over validation signals."""

    sizes: tuple[int, ...]
    training_flithos: float
    validation_flithos: float


@dataclass(frozen=True, kw_only=True)
class Learned:
    """Kernels, and how they came about.

    Attributes
    ----------
    kernels : tuple of (size,) or (size, size) float64
        Each with a largest absolute weight of 1.
    history : tuple of Iteration
        Of the candidate that was chosen, once it was among the last.
    best : int
        The iteration of ``history`` whose kernels these are.
    rivals : tuple of Iteration
        The best iteration of the last candidates that were not chosen.
    """

    kernels: tuple[Floats, ...]
    history: tuple[Iteration, ...]
    best: int
    rivals: tuple[Iteration, ...]


# Iterations, the share of candidates that is carried on after them, the signals that are used.
_RUNGS = ((1, 0.4, 50), (2, 0.4, 100), (4, 0.4, 200))
_N_FINALISTS = 2
_MAX_ITERATIONS = 16
_SMALL_FALL = 2e-4
_PATIENCE = 3


def learn(training: ArrayLike, validation: ArrayLike, config: LearnConfig | None = None) -> Learned:
    """Learn kernels from training signals, and choose among them with validation signals too.

    What is chosen, of iterations, sizes and numbers of kernels, is what has the lowest mean
    flithos over training and validation signals together: two validation windows alone, as in
    the paper's experiments on PhysioNet, would decide by chance. The same input and seed give
    the same kernels.

    Parameters
    ----------
    training, validation : (n_signals, n_samples) or (n_signals, n_rows, n_columns)
        Of the same size; finite.

    Raises
    ------
    RecordError
        Signals are empty, not finite, all zero, or of different sizes.
    ConfigError
        Images without kernel sizes.
    """
    config = config or LearnConfig()
    rng = np.random.default_rng(config.seed)
    signals = [_part(checked_signals(part), config, rng) for part in (training, validation)]
    if signals[0].shape[1:] != signals[1].shape[1:]:
        shapes = [part.shape for part in signals]
        raise RecordError(f"training and validation signals: {shapes} differ in size")
    if not signals[0].any():
        raise RecordError("training signals: all samples are 0, there is nothing to learn from")
    if config.sizes is None and signals[0].ndim != 2:
        raise ConfigError("kernel sizes: expected for images, they are chosen for signals only")
    learner = _Learner(signals[0], signals[1], config, rng)
    finalists: list[_Candidate] = []
    numbers = config.n_kernels if config.sizes is None else (len(config.sizes),)
    for n_kernels in numbers:
        finalists += learner.finalists(n_kernels, finalists)
    finalists.sort(key=lambda candidate: candidate.score)
    chosen = finalists[0]
    return Learned(
        kernels=tuple(chosen.best_kernels),
        history=tuple(chosen.history),
        best=chosen.best,
        rivals=tuple(candidate.history[candidate.best] for candidate in finalists[1:]),
    )


@dataclass
class _Candidate:
    """Kernels on their way, and the best that they were since they are a finalist."""

    kernels: list[Floats]
    encoding: Encoding | None = None
    history: list[Iteration] = field(default_factory=list)
    score: float = np.inf
    best: int = -1
    best_kernels: list[Floats] = field(default_factory=list)


class _Learner:
    def __init__(
        self,
        training: Floats,
        validation: Floats,
        config: LearnConfig,
        rng: np.random.Generator,
    ) -> None:
        self._training = training
        self._validation = validation
        self._config = config
        self._rng = rng

    def finalists(self, n_kernels: int, before: Sequence[_Candidate]) -> list[_Candidate]:
        """Give the best candidates with so many kernels.

        A third of them set out from the best of those with one kernel less, and one more.
        """
        candidates = [_Candidate(self._start(n_kernels)) for _ in range(self._config.n_starts)]
        parents = [parent for parent in before if len(parent.kernels) == n_kernels - 1]
        if parents:
            parent = min(parents, key=lambda candidate: candidate.score)
            for candidate in candidates[::3]:
                candidate.kernels[:-1] = parent.best_kernels
        for n_iterations, share, n_signals in _RUNGS:
            signals = self._training[:n_signals]
            for candidate in candidates:
                candidate.encoding = None
                for _ in range(n_iterations):
                    self._iterate(candidate, signals)
            candidates.sort(key=_phi)
            candidates = candidates[: max(round(share * len(candidates)), _N_FINALISTS)]
        candidates = candidates[:_N_FINALISTS]
        for candidate in candidates:
            self._finish(candidate)
        return candidates

    def _start(self, n_kernels: int) -> list[Floats]:
        config = self._config
        sizes = config.sizes or (None,) * n_kernels
        return [start_kernel(self._training, size, config.max_size, self._rng) for size in sizes]

    def _iterate(self, candidate: _Candidate, signals: Floats) -> None:
        """Refit the kernels to the activations, and the activations to the kernels."""
        config = self._config
        encoding = candidate.encoding or encode(signals, candidate.kernels, config.encoding)
        fit = Fit.of(signals, encoding)
        if config.sizes is None:
            kernels, found = resize_kernels(fit, candidate.kernels, config.max_size)
        else:
            kernels, found = refit_kernels(fit, candidate.kernels), fit.activations
        candidate.kernels, found = _scaled(kernels, found)
        candidate.encoding = encode(signals, candidate.kernels, config.encoding, found)

    def _finish(self, candidate: _Candidate) -> None:
        """Iterate until the flithos of the training signals falls no more; keep the best."""
        lowest, n_in_vain = np.inf, 0
        candidate.encoding = None
        while len(candidate.history) < _MAX_ITERATIONS and n_in_vain < _PATIENCE:
            self._iterate(candidate, self._training)
            training = _phi(candidate)
            n_in_vain = 0 if training < lowest - _SMALL_FALL else n_in_vain + 1
            lowest = min(lowest, training)
            self._record(candidate)

    def _record(self, candidate: _Candidate) -> None:
        validation = encode(self._validation, candidate.kernels, self._config.encoding)
        assert candidate.encoding is not None
        candidate.history.append(
            Iteration(
                sizes=tuple(len(kernel) for kernel in candidate.kernels),
                training_flithos=candidate.encoding.mean_flithos,
                validation_flithos=validation.mean_flithos,
            )
        )
        score = float(np.concatenate([candidate.encoding.flithos, validation.flithos]).mean())
        if score < candidate.score:
            candidate.score, candidate.best = score, len(candidate.history) - 1
            candidate.best_kernels = candidate.kernels


def _phi(candidate: _Candidate) -> float:
    assert candidate.encoding is not None
    return candidate.encoding.mean_flithos


def _scaled(
    kernels: Sequence[Floats], activations: Activations
) -> tuple[list[Floats], Activations]:
    """Scale each kernel to a largest absolute weight of 1, and its amplitudes against it."""
    scales = np.array([np.abs(kernel).max() for kernel in kernels])
    scales[scales == 0] = 1.0
    scaled = [kernel / scale for kernel, scale in zip(kernels, scales, strict=True)]
    amplitude = activations.amplitude * scales[activations.kernel]
    return scaled, replace(activations, amplitude=amplitude)


def _part(signals: Floats, config: LearnConfig, rng: np.random.Generator) -> Floats:
    if len(signals) <= config.max_signals:
        return signals
    chosen: NDArray[np.int64] = rng.choice(len(signals), config.max_signals, replace=False)
    return signals[chosen]
