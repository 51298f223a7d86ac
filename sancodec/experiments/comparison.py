"""Results set beside the paper's numbers, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sancodec.experiments.cells import Cell
from sancodec.experiments.paper import ACTIVATIONS, PaperCell, best_of, paper_table
from sancodec.experiments.plan import PURSUIT, Plan

FIGURES = ("inverse_cr", "normalized_loss", "mean_flithos", "accuracy_change")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One cell of a table of the paper, anew.

    Attributes
    ----------
    dataset, activation : str
    sizes : str
        Of the kernels: one number where they are equal, else all, as in 15+40.
    inverse_cr, normalized_loss, mean_flithos : float
        On the test part.
    accuracy_change : float or None
        In percent points against the same classifier on the original data.
    paper : PaperCell or None
        What it is compared with: the same cell; for pursuit the best of the paper's in the row.
    """

    dataset: str
    activation: str
    sizes: str
    inverse_cr: float
    normalized_loss: float
    mean_flithos: float
    accuracy_change: float | None
    paper: PaperCell | None

    def difference(self, figure: str) -> float | None:
        """Give ours less the paper's, None where one of them is not there."""
        ours = getattr(self, figure)
        theirs = None if self.paper is None else getattr(self.paper, figure)
        return None if ours is None or theirs is None else float(ours - theirs)

    def to_json(self) -> dict[str, Any]:
        """Give the row as plain JSON values."""
        figures = {name: getattr(self, name) for name in FIGURES}
        return {
            "dataset": self.dataset,
            "activation": self.activation,
            "kernel_sizes": self.sizes,
            **figures,
            "paper": None if self.paper is None else vars(self.paper),
            "difference": {name: self.difference(name) for name in FIGURES},
        }


def make_rows(plan: Plan, cells: Iterable[Cell], baselines: Mapping[str, float]) -> list[Row]:
    """Give the rows of an experiment's table, in the order of the paper.

    Parameters
    ----------
    cells : Cells
        Those that there are.
    baselines : mapping of data set to float
        Accuracy of the classifier on the original data, in percent.
    """
    table = paper_table(plan.experiment)
    rows = [
        _row(plan, table, cell, number, baselines.get(cell.dataset))
        for cell in cells
        for number in _numbers(plan, cell)
    ]
    if plan.experiment == "physionet":
        return rows
    return sorted(rows, key=lambda row: [int(size) for size in row.sizes.split("+")])


@dataclass(frozen=True, kw_only=True)
class Lowest:
    """Which activations have the lowest mean flithos in one group, to the paper's two decimals."""

    group: str
    ours: tuple[str, ...]
    paper: tuple[str, ...]


def lowest_of_groups(plan: Plan, rows: Sequence[Row]) -> list[Lowest]:
    """Give that of each group in which all five activations are there.

    A group is a data set of table I, and a kernel size of the other tables.
    """
    groups: dict[str, list[tuple[Row, PaperCell]]] = {}
    for row in rows:
        if row.paper is not None:
            name = row.dataset if plan.experiment == "physionet" else row.sizes
            groups.setdefault(name, []).append((row, row.paper))
    return [
        Lowest(
            group=name,
            ours=_lowest([row for row, _ in group]),
            paper=_lowest([theirs for _, theirs in group]),
        )
        for name, group in groups.items()
        if {row.activation for row, _ in group} == set(ACTIVATIONS)
    ]


def _lowest(rows: Sequence[Row] | Sequence[PaperCell]) -> tuple[str, ...]:
    least = min(round(row.mean_flithos, 2) for row in rows)
    return tuple(row.activation for row in rows if round(row.mean_flithos, 2) == least)


def _numbers(plan: Plan, cell: Cell) -> list[int]:
    """Give the sizes of a cell that stand in the table: the chosen one in table I, else all."""
    return [int(cell.chosen)] if plan.experiment == "physionet" else list(range(len(cell.sizes)))


def _row(
    plan: Plan,
    table: Sequence[PaperCell],
    cell: Cell,
    number: int,
    baseline: float | None,
) -> Row:
    sizes = cell.size_label(number)
    return Row(
        dataset=cell.dataset,
        activation=cell.activation,
        sizes=sizes,
        inverse_cr=float(cell.inverse_cr[number]),
        normalized_loss=float(cell.normalized_loss[number]),
        mean_flithos=float(cell.flithos[number]),
        accuracy_change=None if baseline is None else float(cell.accuracy[number]) - baseline,
        paper=_beside(plan, table, cell, sizes),
    )


def _beside(plan: Plan, table: Sequence[PaperCell], cell: Cell, sizes: str) -> PaperCell | None:
    """Give the paper's cell that one of ours is compared with."""
    group = [
        theirs
        for theirs in table
        if theirs.dataset == cell.dataset
        and (plan.experiment == "physionet" or str(theirs.kernel_size) == sizes)
    ]
    if cell.activation == PURSUIT:
        return best_of(group)
    return next((theirs for theirs in group if theirs.activation == cell.activation), None)
