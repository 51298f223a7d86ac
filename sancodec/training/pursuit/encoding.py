"""Pursuit encoding: the activations of given kernels that make the flithos of signals smallest.

Synthesis is matched: an activation adds its amplitude times its kernel, not reversed, the tap
``(size - 1) // 2`` of each axis on its position, and what hangs over the border is cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sancodec.errors import ConfigError, RecordError
from sancodec.training.pursuit.search import Cost, Task, search
from sancodec.training.pursuit.terms import Bank, Code, Scratch, take_off

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class EncodeConfig:
    """How long the search goes on.

    ``n_sweeps`` is how often, at most, activations may move after the first pursuit.
    """

    n_sweeps: int = 4

    def __post_init__(self) -> None:
        if self.n_sweeps < 0:
            raise ConfigError(f"pursuit: {self.n_sweeps} sweeps, expected 0 or more")


@dataclass(frozen=True, kw_only=True)
class Activations:
    """The activations of several signals, one entry each, the signals in order.

    ``signal`` and ``kernel`` are (n,) int64, ``position`` (n, n_dimensions) int64 in samples,
    ``amplitude`` (n,) float64.
    """

    signal: NDArray[np.int64]
    kernel: NDArray[np.int64]
    position: NDArray[np.int64]
    amplitude: Floats

    def of(self, signal: int) -> Activations:
        """Give those of one signal."""
        return self.where(self.signal == signal)

    def where(self, chosen: NDArray[np.bool_]) -> Activations:
        """Give those that are chosen by a (n,) mask."""
        return Activations(
            signal=self.signal[chosen],
            kernel=self.kernel[chosen],
            position=self.position[chosen],
            amplitude=self.amplitude[chosen],
        )


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """What a pursuit made of signals.

    ``reconstruction`` has the shape of the signals, float64; all else is (n_signals,): counts
    int64, CR^-1, normalized loss and phi of the paper float64, every weight charged to each.
    """

    activations: Activations
    reconstruction: Floats
    n_activations: NDArray[np.int64]
    inverse_cr: Floats
    normalized_loss: Floats
    flithos: Floats

    @property
    def mean_flithos(self) -> float:
        """The mean of phi over the signals."""
        return float(self.flithos.mean())


def encode(
    signals: ArrayLike,
    kernels: Sequence[ArrayLike],
    config: EncodeConfig | None = None,
    start: Activations | None = None,
) -> Encoding:
    """Find the activations that make the flithos of each signal small.

    The same input gives the same activations. No phi is above that without any activation; a
    signal of zeros has none.

    Parameters
    ----------
    signals : (n_signals, n_samples) or (n_signals, n_rows, n_columns)
        Finite.
    kernels : sequence of (size,) or (height, width)
        As many dimensions as a signal; not all of one kernel's weights 0.
    start : Activations
        Where the search sets out; from no activation when it is not given.

    Raises
    ------
    RecordError
        Signals are empty or not finite.
    ConfigError
        Kernels are none, empty, not finite, or have another number of dimensions; or an
        activation to start from stands nowhere on the signals, or where another one does.
    """
    signals = checked_signals(signals)
    kernels = checked_kernels(kernels, signals.ndim - 1)
    if start is not None:
        _check(start, len(kernels), signals.shape)
        rows = [start.signal[:, None], start.kernel[:, None], start.position]
        if len(np.unique(np.concatenate(rows, axis=1), axis=0)) < start.kernel.size:
            raise ConfigError("activations: two of one kernel at the same position")
    pursuit = _Pursuit(signals, kernels, (config or EncodeConfig()).n_sweeps)
    codes = [pursuit.run(i, start.of(i) if start else None) for i in range(len(signals))]
    return _encoding(signals, kernels, codes)


def reconstruct(
    activations: Activations, kernels: Sequence[ArrayLike], shape: tuple[int, ...]
) -> Floats:
    """Give the sum of all activations, each its amplitude times its kernel.

    Parameters
    ----------
    shape : tuple of int
        (n_signals, n_samples) or (n_signals, n_rows, n_columns).

    Raises
    ------
    ConfigError
        As :func:`encode` does of kernels and activations.
    """
    kernels = checked_kernels(kernels, len(shape) - 1)
    _check(activations, len(kernels), shape)
    bank, places = bank_of(kernels), _places(activations)
    total = np.zeros(_with_rows(shape))
    for i, signal in enumerate(activations.signal):
        place = (int(places[i, 0]), int(places[i, 1]), int(places[i, 2]))
        take_off(bank, total[signal], place, -float(activations.amplitude[i]))
    return total.reshape(shape)


def activation_maps(
    activations: Activations, n_kernels: int, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Give the maps of the paper, zero but for the activations.

    Parameters
    ----------
    shape : tuple of int
        Of the signals, as in :func:`reconstruct`.

    Returns
    -------
    (n_signals, n_kernels, n_samples) or (n_signals, n_kernels, n_rows, n_columns) float64
    """
    maps = np.zeros((shape[0], n_kernels, *shape[1:]))
    maps[(activations.signal, activations.kernel, *activations.position.T)] = activations.amplitude
    return maps


def checked_signals(signals: ArrayLike) -> Floats:
    """Give signals as float64, if they are what :func:`encode` takes."""
    array = np.asarray(signals, np.float64)
    if array.ndim not in (2, 3) or array.size == 0:
        raise RecordError(f"signals: {array.shape}, expected (n_signals, n_samples) or images")
    if not np.isfinite(array).all():
        which = int(np.nonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))[0][0])
        raise RecordError(f"signals: number {which} has samples that are not finite")
    return array


def checked_kernels(kernels: Sequence[ArrayLike], n_dimensions: int) -> list[Floats]:
    """Give kernels as float64, if they are what :func:`encode` takes."""
    arrays = [np.asarray(kernel, np.float64) for kernel in kernels]
    if not arrays or any(array.ndim != n_dimensions or array.size == 0 for array in arrays):
        shapes = [array.shape for array in arrays]
        raise ConfigError(
            f"kernels: {shapes}, expected at least one, not empty, of {n_dimensions} dimensions"
        )
    if not all(np.isfinite(array).all() for array in arrays):
        raise ConfigError("kernels: weights that are not finite")
    return arrays


def _check(activations: Activations, n_kernels: int, shape: tuple[int, ...]) -> None:
    """Refuse activations outside of the maps: compiled code does not look where it writes."""
    found = activations
    if found.position.shape != (found.kernel.size, len(shape) - 1):
        raise ConfigError(f"activations: positions {found.position.shape} on signals {shape}")
    index = np.concatenate([found.signal[:, None], found.kernel[:, None], found.position], axis=1)
    sizes = (shape[0], n_kernels, *shape[1:])
    if ((index < 0) | (index >= sizes)).any():
        raise ConfigError(f"activations: outside of {n_kernels} maps of signals {shape}")
    if not np.isfinite(found.amplitude).all():
        raise ConfigError("activations: amplitudes that are not finite")


def bank_of(kernels: Sequence[Floats]) -> Bank:
    """Lay kernels out as the search wants them."""
    sizes = [kernel.size for kernel in kernels]
    return Bank(
        taps=np.concatenate([kernel.ravel() for kernel in kernels]),
        shapes=np.array([_with_rows((0, *kernel.shape))[1:] for kernel in kernels], np.int64),
        starts=np.cumsum([0, *sizes[:-1]]).astype(np.int64),
    )


class _Pursuit:
    """The search over many signals of one shape, with room that is made once."""

    def __init__(self, signals: Floats, kernels: Sequence[Floats], n_sweeps: int) -> None:
        self._signals = signals.reshape(_with_rows(signals.shape))
        self._bank = bank_of(kernels)
        self._n_sweeps = n_sweeps
        n_samples = signals[0].size
        self._weights = sum(kernel.size for kernel in kernels) / n_samples
        self._activation = signals.ndim / n_samples
        largest = max(kernel.size for kernel in kernels)
        maps = (len(kernels), *self._signals.shape[1:])
        corners = tuple(size + 1 for size in self._signals.shape[1:])
        self._scratch = Scratch(
            np.empty(largest), np.empty(largest), np.zeros(maps), np.zeros(maps), np.zeros(corners)
        )

    def run(self, i: int, start: Activations | None) -> Code:
        """Give the activations of signal ``i``."""
        signal = np.ascontiguousarray(self._signals[i])
        level = float(np.abs(signal).sum())
        if level == 0:
            return _empty(signal, 0)
        # Every place of every map, and one to try.
        capacity = signal.size * len(self._bank.starts) + 1
        code, grown, kept = (_empty(signal, capacity) for _ in range(3))
        if start is not None:
            n = start.kernel.size
            code.places[:n], code.amplitudes[:n] = _places(start), start.amplitude
            code.n_used[0] = n
            for place, amplitude in zip(code.places[:n].tolist(), start.amplitude, strict=True):
                take_off(self._bank, code.residual, tuple(place), float(amplitude))
        cost = Cost(self._weights, self._activation, level)
        search(Task(self._bank, code, grown, kept, self._scratch, cost), self._n_sweeps)
        return code


def _empty(signal: Floats, capacity: int) -> Code:
    places = np.zeros((capacity, 3), np.int64)
    return Code(signal, signal.copy(), places, np.zeros(capacity), np.zeros(1, np.int64))


def _with_rows(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Give (n_signals, n_rows, n_columns): one row for signals of one dimension."""
    return shape if len(shape) == 3 else (shape[0], 1, shape[1])


def _places(activations: Activations) -> NDArray[np.int64]:
    """Give (n, 3) kernel, row and column."""
    n, n_dimensions = activations.position.shape
    row = activations.position[:, 0] if n_dimensions == 2 else np.zeros(n, np.int64)
    return np.stack([activations.kernel, row, activations.position[:, -1]], axis=1)


def _encoding(signals: Floats, kernels: Sequence[Floats], codes: Sequence[Code]) -> Encoding:
    counts = np.array([code.n_used[0] for code in codes])
    places = np.concatenate([code.places[: code.n_used[0]] for code in codes])
    amplitudes = np.concatenate([code.amplitudes[: code.n_used[0]] for code in codes])
    activations = Activations(
        signal=np.repeat(np.arange(len(codes)), counts),
        kernel=places[:, 0],
        position=places[:, 4 - signals.ndim :],
        amplitude=amplitudes,
    )
    reconstruction = reconstruct(activations, kernels, signals.shape)
    axes = tuple(range(1, signals.ndim))
    level = np.abs(signals).sum(axis=axes)
    error = np.abs(signals - reconstruction).sum(axis=axes)
    n_weights = sum(kernel.size for kernel in kernels)
    inverse_cr = (n_weights + signals.ndim * counts) / signals[0].size
    loss = np.divide(error, level, out=np.zeros(len(signals)), where=level > 0)
    return Encoding(
        activations=activations,
        reconstruction=reconstruction,
        n_activations=counts,
        inverse_cr=inverse_cr,
        normalized_loss=loss,
        flithos=np.hypot(inverse_cr, loss),
    )
