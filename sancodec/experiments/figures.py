"""The figures of the paper, drawn from finished cells; the only module that draws them.

Each is written as a PNG. Same cells, same pictures: no version is written into a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sancodec.experiments.cells import Cell
from sancodec.experiments.density import density
from sancodec.experiments.plan import PURSUIT
from sancodec.experiments.tables import NAMES

_LIMIT = 2.5
_DPI = 85
_ORDER = {name: place for place, name in enumerate(NAMES)}
_WITHOUT_VERSION: dict[str, Any] = {"Software": None}


def draw_plane(cells: Sequence[Cell], target: Path) -> None:
    """Draw CR^-1 against normalized loss for every size, with the chosen kernels as insets.

    Parameters
    ----------
    cells : sequence of Cell
        Of one data set.
    target : Path
    """
    figure = _figure(8.5, 6.2)
    axes = figure.add_axes((0.08, 0.1, 0.66, 0.82))
    highest = max(_LIMIT, 1.05 * max(float(cell.inverse_cr.max()) for cell in cells))
    _shade(axes, highest)
    axes.set_title(cells[0].dataset)
    for place, cell in enumerate(cells):
        colour = _colour(cell)
        axes.plot(cell.normalized_loss, cell.inverse_cr, ".", color=colour, markersize=4)
        chosen = int(cell.chosen)
        best = (float(cell.normalized_loss[chosen]), float(cell.inverse_cr[chosen]))
        axes.plot(*best, "o", color=colour, markeredgecolor="black", markersize=8)
        inset = figure.add_axes((0.78, 0.78 - 0.175 * place, 0.19, 0.11))
        _draw_kernels(inset, cell.kernels_of(chosen), colour)
        inset.set_title(f"{NAMES[cell.activation]}, m = {cell.size_label(chosen)}", fontsize=8)
        axes.annotate(
            "",
            best,
            xytext=(1.04, 0.89 - 0.213 * place),
            textcoords="axes fraction",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8},
        )
    _save(figure, target)


def draw_density(cells: Sequence[Cell], target: Path) -> None:
    """Draw the density of the points of all data sets and sizes, activation by activation."""
    figure = _figure(6.4, 6.0)
    axes = figure.add_axes((0.11, 0.09, 0.86, 0.86))
    _shade(axes, _LIMIT)
    grid = np.linspace(0, _LIMIT, 161)
    for activation in _activations(cells):
        own = [cell for cell in cells if cell.activation == activation]
        points = np.stack(
            [
                np.concatenate([cell.normalized_loss for cell in own]),
                np.concatenate([cell.inverse_cr for cell in own]),
            ]
        )
        heights = density(points, grid, grid)
        levels = heights.max() * np.array([0.05, 0.2, 0.5, 1.0])
        colour = _colour(own[0])
        axes.contourf(grid, grid, heights, levels, colors=[colour], alpha=0.45)
        axes.contour(grid, grid, heights, levels, colors=[colour], linewidths=0.6)
        axes.plot([], [], "s", color=colour, label=NAMES[activation])
    axes.legend(loc="upper right", fontsize=9)
    _save(figure, target)


def draw_epochs(cells: Sequence[Cell], target: Path) -> None:
    """Draw mean flithos on the validation part against the epoch, for the chosen sizes.

    The band is one standard deviation over data sets, or over observations where there is one.
    """
    curves = {
        activation: [
            (cell.epoch_flithos[:, int(cell.chosen)], cell.epoch_flithos_std[:, int(cell.chosen)])
            for cell in cells
            if cell.activation == activation
        ]
        for activation in _activations(cells)
    }
    n_epochs = max(len(cell.epoch_flithos) for cell in cells)
    searched = any(cell.activation == PURSUIT for cell in cells)
    label = "iteration" if searched else "epoch"
    _draw_bands(curves, np.arange(1, n_epochs + 1), label, target)


def draw_sizes(cells: Sequence[Cell], target: Path) -> None:
    """Draw mean flithos on the test part against the size of the kernels, as in draw_epochs."""
    curves = {
        activation: [
            (cell.flithos, cell.flithos_std) for cell in cells if cell.activation == activation
        ]
        for activation in _activations(cells)
    }
    _draw_bands(curves, cells[0].sizes[:, 0], "kernel size m, in samples", target)


def draw_kernels(cells: Sequence[Cell], target: Path) -> None:
    """Draw the learned kernels: a row for each activation.

    The columns are the data sets with their chosen size; of one data set alone, all sizes.
    """
    names = list(dict.fromkeys(cell.dataset for cell in cells))
    activations = _activations(cells)
    alone = len(names) == 1
    n_columns = len(cells[0].sizes) if alone else len(names)
    if alone and n_columns > 12:
        alone, n_columns = False, 1
    figure = _figure(1.0 + 1.5 * n_columns, 0.6 + 1.25 * len(activations))
    grid = figure.subplots(len(activations), n_columns, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for cell in cells:
        row = activations.index(cell.activation)
        for column in range(n_columns) if alone else [names.index(cell.dataset)]:
            number = column if alone else int(cell.chosen)
            axes = grid[row, column]
            axes.set_axis_on()
            _draw_kernels(axes, cell.kernels_of(number), _colour(cell))
            head = f"m = {cell.size_label(number)}"
            axes.set_title(head if alone else f"{cell.dataset}\n{head}", fontsize=7)
            if column == 0:
                axes.set_ylabel(NAMES[cell.activation], fontsize=7)
    _adjust(figure, above=0.55, hspace=0.75, wspace=0.15)
    _save(figure, target)


def draw_chain(cells: Sequence[Cell], target: Path) -> None:
    """Draw for one observation input, similarity, activations, parts and reconstruction.

    Parameters
    ----------
    cells : sequence of Cell
        Of one data set; a row for each.
    """
    n_kernels = max(len(cell.example_parts) for cell in cells)
    heads = ["input", *["similarity", "activations", "part"] * n_kernels, "reconstruction"]
    width, height = (2.6, 1.35) if cells[0].example.ndim == 1 else (1.35, 1.35)
    figure = _figure(0.6 + width * len(heads), 0.5 + height * len(cells))
    grid = figure.subplots(len(cells), len(heads), squeeze=False)
    for row, cell in zip(grid, cells, strict=True):
        maps = [cell.example]
        for i in range(n_kernels):
            for stage in (cell.example_similarity, cell.example_activation, cell.example_parts):
                maps.append(stage[i] if i < len(stage) else np.zeros_like(cell.example))
        maps.append(cell.example_reconstruction)
        for axes, head, values in zip(row, heads, maps, strict=True):
            _draw_map(axes, head, values, cell)
        row[0].set_ylabel(f"{NAMES[cell.activation]}\nm = {cell.size_label(int(cell.chosen))}")
        row[0].yaxis.label.set_fontsize(7)
    for axes, head in zip(grid[0], heads, strict=True):
        axes.set_title(head, fontsize=8)
    _adjust(figure, above=0.3, hspace=0.08, wspace=0.06)
    _save(figure, target)


def _draw_map(axes: Axes, head: str, values: NDArray[np.float32], cell: Cell) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    if values.ndim == 2:
        largest = max(float(np.abs(values).max()), 1e-12)
        axes.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest)
        return
    colour = _colour(cell)
    axes.margins(x=0)
    if head == "activations":
        kept = np.flatnonzero(values)
        axes.vlines(kept, 0, values[kept], color=colour, linewidth=0.7)
        axes.axhline(0, color="0.8", linewidth=0.5)
        axes.set_xlim(0, values.size)
        return
    if head == "reconstruction":
        axes.plot(cell.example, color="0.7", linewidth=0.7)
    axes.plot(values, color="black" if head == "input" else colour, linewidth=0.7)


def _draw_kernels(axes: Axes, kernels: Sequence[NDArray[np.float32]], colour: str) -> None:
    """Draw the kernels of one network over each other, or in 2-D beside each other."""
    axes.set_xticks([])
    axes.set_yticks([])
    if kernels[0].ndim == 1:
        for kernel, style in zip(kernels, ("-", "--", ":", "-."), strict=False):
            axes.plot(kernel, style, color=colour, linewidth=1.0, marker="." * (len(kernel) == 1))
        return
    gap = np.full((len(kernels[0]), 1), np.nan, np.float32)
    beside = np.hstack([part for kernel in kernels for part in (kernel, gap)][:-1])
    largest = max(float(np.nanmax(np.abs(beside))), 1e-12)
    axes.imshow(beside, cmap="RdBu_r", vmin=-largest, vmax=largest)


def _draw_bands(
    curves: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]],
    places: NDArray[np.int64],
    label: str,
    target: Path,
) -> None:
    figure = _figure(6.4, 5.0)
    axes = figure.add_axes((0.11, 0.11, 0.86, 0.85))
    for activation, pairs in curves.items():
        # A search that ended earlier than others stays where it is.
        means = np.stack([np.pad(m, (0, len(places) - len(m)), mode="edge") for m, _ in pairs])
        spread = means.std(axis=0) if len(pairs) > 1 else pairs[0][1]
        mean = means.mean(axis=0)
        colour = f"C{_ORDER[activation]}"
        axes.plot(places, mean, color=colour, label=NAMES[activation])
        axes.fill_between(places, mean - spread, mean + spread, color=colour, alpha=0.25)
    axes.set_xlabel(label)
    axes.set_ylabel("mean flithos")
    axes.margins(x=0)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9)
    _save(figure, target)


def _shade(axes: Axes, highest: float) -> None:
    """Draw the regions of the paper: flithos below 1, worse than the data, worse than nothing."""
    axes.axhspan(1, min(2, highest), color="orange", alpha=0.2, linewidth=0)
    axes.axhspan(2, highest, color="red", alpha=0.2, linewidth=0)
    axes.axvspan(1, _LIMIT, color="grey", alpha=0.2, linewidth=0)
    angle = np.linspace(0, np.pi / 2, 91)
    axes.fill([0, *np.cos(angle)], [0, *np.sin(angle)], color="green", alpha=0.15, linewidth=0)
    axes.set_xlim(0, _LIMIT)
    axes.set_ylim(0, highest)
    axes.set_xlabel("normalized loss")
    axes.set_ylabel("CR$^{-1}$")
    axes.grid(alpha=0.3)


def _activations(cells: Sequence[Cell]) -> list[str]:
    return sorted({cell.activation for cell in cells}, key=_ORDER.__getitem__)


def _colour(cell: Cell) -> str:
    return f"C{_ORDER[cell.activation]}"


def _adjust(figure: Figure, *, above: float, hspace: float, wspace: float) -> None:
    """Leave room for titles, ``above`` inches, and for what stands at the left."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(
        left=0.55 / width,
        right=1 - 0.1 / width,
        bottom=0.1 / height,
        top=1 - above / height,
        hspace=hspace,
        wspace=wspace,
    )


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, target: Path) -> None:
    figure.savefig(target, format="png", dpi=_DPI, metadata=_WITHOUT_VERSION)
