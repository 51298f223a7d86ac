"""The L1 refit of kernels to signals whose activations are given, and of their extents.

Each sample of a reconstruction is linear in the taps of all kernels: a sparse system with one row
for each sample, solved for the least sum of absolute residuals by least squares that are
reweighted. A tap at the end of a kernel costs every signal one weight, whatever it is worth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sancodec.training.pursuit.encoding import Activations, Encoding

Floats = NDArray[np.float64]
Extent = tuple[tuple[int, int], ...]
"""Along each axis, the first tap and the one behind the last, as seen from the position."""

N_SOLUTIONS = 12

_STEPS = (1, 2, 4, 8, 16)
_N_RESIZINGS = 3
_SMALL_FALL = 1e-5
# Smallest residual that is told from others, as a share of the mean one.
_SMALLEST = 1e-3
_RIDGE = 1e-7


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Signals, the activations found in them, and what one error costs in each.

    ``signals`` is (n_signals, ...) float64; ``n_activations``, ``level`` (the sum of absolute
    samples) are (n_signals,).
    """

    signals: Floats
    activations: Activations
    n_activations: NDArray[np.int64]
    level: Floats

    @classmethod
    def of(cls, signals: Floats, encoding: Encoding) -> Fit:
        """Take the activations of an encoding of these signals."""
        level = np.abs(signals).reshape(len(signals), -1).sum(axis=1)
        return cls(
            signals=signals,
            activations=encoding.activations,
            n_activations=encoding.n_activations,
            level=np.where(level > 0, level, np.inf),
        )

    def mean_flithos(self, residual: Floats, n_weights: int) -> float:
        """Give the mean phi with these (n_signals * n_samples,) residuals."""
        loss = np.abs(residual).reshape(len(self.signals), -1).sum(axis=1) / self.level
        inverse_cr = (n_weights + self.signals.ndim * self.n_activations) / self.signals[0].size
        return float(np.hypot(inverse_cr, loss).mean())


def refit_kernels(fit: Fit, kernels: Sequence[Floats]) -> list[Floats]:
    """Give kernels of the same sizes that leave a smaller mean absolute error, or the same."""
    if fit.activations.signal.size == 0:
        return list(kernels)
    extents = [extent_of(kernel.shape) for kernel in kernels]
    problem = _Problem(fit, extents)
    taps = problem.solve(np.concatenate([kernel.ravel() for kernel in kernels]))
    return _split(taps, extents)


def resize_kernels(
    fit: Fit, kernels: Sequence[Floats], max_size: int
) -> tuple[list[Floats], Activations]:
    """Refit kernels of one dimension and let their ends grow or shrink where phi falls.

    The centre of a kernel goes with its ends, so the activations are given again; those whose
    position would leave the signal are dropped.
    """
    extents = [extent_of(kernel.shape) for kernel in kernels]
    kernels = list(kernels)
    for _ in range(_N_RESIZINGS):
        if fit.activations.signal.size == 0:
            break
        wide = [((low - _STEPS[-1], stop + _STEPS[-1]),) for ((low, stop),) in extents]
        problem = _Problem(fit, wide)
        inside = _mask(extents, wide)
        taps = np.zeros(inside.size)
        taps[inside] = np.concatenate(kernels)
        taps = problem.solve(taps, inside)
        resizings = _resizings(extents, max_size)
        resized = _best_resizing(problem, taps, int(inside.sum()), resizings)
        kernels = _split(taps[inside], extents)
        if resized is None:
            break
        extents, taps = resized
        kernels = _split(taps[_mask(extents, wide)], extents)
    return kernels, _recentred(fit, extents)


def extent_of(shape: tuple[int, ...]) -> Extent:
    """Give the extent of a kernel of this shape around the position of its activation."""
    return tuple((-((size - 1) // 2), size - (size - 1) // 2) for size in shape)


class _Problem:
    """The sparse system of all samples of all signals, with all taps of all kernels."""

    def __init__(self, fit: Fit, extents: Sequence[Extent]) -> None:
        self.fit = fit
        self._design = _design(fit, extents)
        self._target = fit.signals.ravel()
        self._weights = np.repeat(1.0 / fit.level, fit.signals[0].size)
        self.extents = extents

    def residual(self, taps: Floats) -> Floats:
        """Give what these taps leave of the signals, flat."""
        left: Floats = self._target - self._design @ taps
        return left

    def solve(self, taps: Floats, inside: NDArray[np.bool_] | None = None) -> Floats:
        """Give taps with a smaller weighted sum of absolute residuals; those not inside stay."""
        inside = np.ones(taps.size, bool) if inside is None else inside
        best = taps
        residual = self.residual(taps)
        lowest = float(self._weights @ np.abs(residual))
        mean = floor = float(np.abs(residual).mean())
        for _ in range(N_SOLUTIONS):
            floor = max(0.6 * floor, _SMALLEST * mean)
            products, right = self.equations(taps, floor)
            taps = taps.copy()
            taps[inside] += np.linalg.solve(products[np.ix_(inside, inside)], right[inside])
            error = float(self._weights @ np.abs(self.residual(taps)))
            if error < lowest:
                lowest, best = error, taps
        return best

    def equations(self, taps: Floats, floor: float) -> tuple[Floats, Floats]:
        """Give the reweighted normal equations for a change of the taps."""
        residual = self.residual(taps)
        weights = self._weights / np.maximum(np.abs(residual), max(floor, np.finfo(float).tiny))
        weighted = self._design.multiply(weights[:, None]).tocsr()
        products: Floats = (self._design.T @ weighted).toarray()
        # A tap that no activation brings onto a signal stays as it is.
        ridge = _RIDGE * float(np.trace(products)) / len(products) + np.finfo(float).tiny
        products[np.diag_indices_from(products)] += ridge
        return products, weighted.T @ residual


def _design(fit: Fit, extents: Sequence[Extent]) -> sparse.csr_array:
    """Give the (n_signals * n_samples, n_taps) matrix of amplitudes that each tap meets."""
    shape = fit.signals.shape
    found = fit.activations
    rows, columns, values = [], [], []
    first = 0
    for kernel, extent in enumerate(extents):
        chosen = found.kernel == kernel
        axes = [np.arange(low, stop) for low, stop in extent]
        offsets = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
        samples = found.position[chosen][:, None, :] + offsets
        on_signal = ((samples >= 0) & (samples < shape[1:])).all(axis=2)
        signal = np.broadcast_to(found.signal[chosen][:, None], on_signal.shape)[on_signal]
        rows.append(np.ravel_multi_index((signal, *samples[on_signal].T), shape))
        columns.append(first + np.nonzero(on_signal)[1])
        amplitude = found.amplitude[chosen][:, None]
        values.append(np.broadcast_to(amplitude, on_signal.shape)[on_signal])
        first += len(offsets)
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_array(entries, shape=(fit.signals.size, first))


def _resizings(extents: Sequence[Extent], max_size: int) -> Iterator[list[Extent]]:
    """Give each way to move one end of one kernel."""
    for kernel, ((low, stop),) in enumerate(extents):
        for step in (sign * step for step in _STEPS for sign in (1, -1)):
            for moved in ((low - step, stop), (low, stop + step)):
                if 1 <= moved[1] - moved[0] <= max_size:
                    yield [(moved,) if k == kernel else extents[k] for k in range(len(extents))]


def _best_resizing(
    problem: _Problem, taps: Floats, n_weights: int, resizings: Iterator[list[Extent]]
) -> tuple[list[Extent], Floats] | None:
    """Give the extents and taps with the lowest phi, if below that of these ``n_weights`` taps.

    Each is solved for with the weights of the residuals as they are, once: a bound from above.
    """
    residual = problem.residual(taps)
    lowest = problem.fit.mean_flithos(residual, n_weights) - _SMALL_FALL
    products, right = problem.equations(taps, 0.02 * float(np.abs(residual).mean()))
    right += products @ taps
    best = None
    for extents in resizings:
        inside = _mask(extents, problem.extents)
        solved = np.zeros(taps.size)
        solved[inside] = np.linalg.solve(products[np.ix_(inside, inside)], right[inside])
        for candidate in (solved, np.where(inside, taps, 0.0)):
            phi = problem.fit.mean_flithos(problem.residual(candidate), int(inside.sum()))
            if phi < lowest:
                lowest, best = phi, (extents, candidate)
    return best


def _mask(extents: Sequence[Extent], wide: Sequence[Extent]) -> NDArray[np.bool_]:
    """Say of each tap of the wide extents whether it is within the others."""
    parts = []
    for ((low, stop),), ((first, last),) in zip(extents, wide, strict=True):
        taps = np.arange(first, last)
        parts.append((taps >= low) & (taps < stop))
    return np.concatenate(parts)


def _split(taps: Floats, extents: Sequence[Extent]) -> list[Floats]:
    shapes = [tuple(stop - low for low, stop in extent) for extent in extents]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    parts = np.split(taps, ends[:-1])
    return [part.reshape(shape).copy() for part, shape in zip(parts, shapes, strict=True)]


def _recentred(fit: Fit, extents: Sequence[Extent]) -> Activations:
    """Move positions to where the centre of a kernel with these extents is."""
    found = fit.activations
    shifts = [low + (stop - low - 1) // 2 for ((low, stop),) in extents]
    position = found.position + np.array(shifts, np.int64)[found.kernel][:, None]
    moved = Activations(
        signal=found.signal, kernel=found.kernel, position=position, amplitude=found.amplitude
    )
    return moved.where(((position >= 0) & (position < fit.signals.shape[1])).all(axis=1))
