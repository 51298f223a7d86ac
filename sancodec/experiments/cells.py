"""Results of one data set and one activation function, kept on disk so that a run can go on."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sancodec.formats.output import PendingFiles

# Counts up when the meaning of a stored result changes: older ones are then computed anew.
_VERSION = 1
_SETTINGS = "settings"
_NAMES = ("dataset", "activation")

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What one data set gave with one activation function, for S sizes of kernels and E epochs.

    Attributes
    ----------
    dataset, activation : str
    sizes : (S, q) int64
        Samples of each of the q kernels, of one side of them in 2-D.
    kernels : (S, q, M) or (S, q, M, M) float32
        Of the kept epoch; NaN beyond the size of each.
    epoch_flithos, epoch_flithos_std : (E, S) float64
        Mean flithos on the validation part after each epoch, and its standard deviation.
    kept_epoch : (S,) int64
        From 0.
    validation_flithos : (S,) float64
        Of the kept epoch.
    inverse_cr, normalized_loss, flithos, flithos_std : (S,) float64
        Means on the test part, and the standard deviation of flithos.
    accuracy : (S,) float64
        Of the classifier on the reconstructions of the test part, in percent; NaN without one.
    chosen : () int64
        The size that stands for all of them: a row of the arrays above.
    example, example_reconstruction : (n_samples,) or (n_rows, n_columns) float32
        The first observation of the test part, and what the chosen size makes of it.
    example_similarity, example_activation, example_parts : (q, ...) float32
    seconds : () float64
        That it took.
    """

    dataset: str
    activation: str
    sizes: NDArray[np.int64]
    kernels: NDArray[np.float32]
    epoch_flithos: Floats
    epoch_flithos_std: Floats
    kept_epoch: NDArray[np.int64]
    validation_flithos: Floats
    inverse_cr: Floats
    normalized_loss: Floats
    flithos: Floats
    flithos_std: Floats
    accuracy: Floats
    chosen: NDArray[np.int64]
    example: NDArray[np.float32]
    example_reconstruction: NDArray[np.float32]
    example_similarity: NDArray[np.float32]
    example_activation: NDArray[np.float32]
    example_parts: NDArray[np.float32]
    seconds: Floats

    def kernels_of(self, row: int) -> list[NDArray[np.float32]]:
        """Give the q kernels of one size, each of its own shape."""
        kernels: list[NDArray[np.float32]] = []
        for kernel, size in zip(self.kernels[row], self.sizes[row].tolist(), strict=True):
            inside: tuple[slice, ...] = (slice(0, size),) * kernel.ndim
            kernels.append(kernel[inside])
        return kernels

    def size_label(self, row: int) -> str:
        """Write the sizes of one row: 15 when all kernels have it, else 15+40."""
        sizes = self.sizes[row].tolist()
        return str(sizes[0]) if len(set(sizes)) == 1 else "+".join(map(str, sizes))


def stack_kernels(networks: list[list[NDArray[np.float32]]]) -> NDArray[np.float32]:
    """Give the kernels of S networks of up to q as one array, NaN beyond the size of each.

    A network of fewer kernels than others has kernels of size 0 in their place.
    """
    largest = max(len(kernel) for network in networks for kernel in network)
    n_kernels = max(map(len, networks))
    frame = (largest,) * networks[0][0].ndim
    stacked = np.full((len(networks), n_kernels, *frame), np.nan, np.float32)
    for i, network in enumerate(networks):
        for j, kernel in enumerate(network):
            inside: tuple[slice, ...] = tuple(slice(0, n) for n in kernel.shape)
            stacked[i, j][inside] = kernel
    return stacked


class CellStore:
    """The folder of finished cells: each a file named by what it is of and by its settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str, settings: Mapping[str, Any]) -> Path:
        """Give the file of a cell, there or not."""
        key = hashlib.sha256(_canonical(settings).encode()).hexdigest()[:16]
        return self.folder / f"{name}-{key}.npz"

    def checkpoint(self, name: str, settings: Mapping[str, Any]) -> Path:
        """Give the file of what is half done."""
        return self.path(name, settings).with_suffix(".partial")

    def number(self, name: str, settings: Mapping[str, Any], compute: Callable[[], float]) -> float:
        """Give a number that is kept here, computed where it is not there yet.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        path = self.path(name, settings).with_suffix(".json")
        try:
            return float(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            value = compute()
        with PendingFiles([path], force=True) as pending:
            pending.files[0].write(json.dumps(value).encode())
            pending.commit()
        return value

    def load(self, name: str, settings: Mapping[str, Any]) -> Cell | None:
        """Give a finished cell; None where there is none, or a file that is not whole."""
        path = self.path(name, settings)
        try:
            # Opened here: numpy leaves the file open where it is not whole.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                if str(stored[_SETTINGS]) != _canonical(settings):
                    return None
                values = {field.name: stored[field.name] for field in fields(Cell)}
                return Cell(**{**values, **{name: str(values[name]) for name in _NAMES}})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, name: str, settings: Mapping[str, Any], cell: Cell) -> Path:
        """Write a finished cell beside its place and move it there; drop what was half done.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        path = self.path(name, settings)
        stored: dict[str, Any] = {_SETTINGS: np.array(_canonical(settings))}
        stored.update({field.name: getattr(cell, field.name) for field in fields(Cell)})
        with PendingFiles([path], force=True) as pending:
            np.savez_compressed(pending.files[0], **stored)
            pending.commit()
        self.checkpoint(name, settings).unlink(missing_ok=True)
        return path


def _canonical(settings: Mapping[str, Any]) -> str:
    return json.dumps({"version": _VERSION, **settings}, sort_keys=True)
