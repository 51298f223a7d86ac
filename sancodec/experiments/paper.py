"""The tables of the SAN paper, shipped as they are printed: two decimals, accuracy to one.

Bizopoulos and Koutsouris, *Sparsely Activated Networks*, IEEE TNNLS 2020 (arXiv 1907.06592),
tables I to IV. In the text of the paper the minus signs of the accuracy changes are lost; here
they are back.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

from sancodec.errors import ConfigError

ACTIVATIONS = ("identity", "relu", "topk_absolutes", "extrema_pool_indices", "extrema")
"""In the order of the paper's columns."""

TITLES = {
    "identity": "Identity",
    "relu": "ReLU",
    "topk_absolutes": "top-k absolutes",
    "extrema_pool_indices": "Extrema-Pool indices",
    "extrema": "Extrema",
}

_TABLES = {
    "physionet": "table1_physionet.csv",
    "uci-epilepsy": "table2_uci_epilepsy.csv",
    "mnist": "table3_mnist.csv",
    "fashion-mnist": "table4_fashion_mnist.csv",
}
EXPERIMENTS = tuple(_TABLES)


@dataclass(frozen=True, kw_only=True)
class PaperCell:
    """One cell of a table.

    Attributes
    ----------
    dataset : str
        A row of table I, else the name of the experiment.
    activation : str
    kernel_size : int
        The best one in table I; in the others that of the row.
    inverse_cr, normalized_loss, mean_flithos : float
    accuracy_change : float or None
        In percent points; None in table I.
    """

    dataset: str
    activation: str
    kernel_size: int
    inverse_cr: float
    normalized_loss: float
    mean_flithos: float
    accuracy_change: float | None = None


def paper_table(experiment: str) -> tuple[PaperCell, ...]:
    """Give the cells of an experiment's table, in the order of the paper.

    Raises
    ------
    ConfigError
        There is no such experiment.
    """
    if experiment not in _TABLES:
        raise ConfigError(f"experiment: {experiment!r}, expected one of {', '.join(EXPERIMENTS)}")
    source = resources.files("sancodec.experiments").joinpath(_TABLES[experiment])
    with source.open(encoding="utf-8") as file:
        return tuple(_cell(experiment, row) for row in csv.DictReader(file))


def best_of(cells: Iterable[PaperCell]) -> PaperCell | None:
    """Give the cell of lowest mean flithos; None of none."""
    return min(cells, key=lambda cell: cell.mean_flithos, default=None)


def _cell(experiment: str, row: dict[str, str]) -> PaperCell:
    accuracy = row.get("accuracy_change_percent")
    return PaperCell(
        dataset=row.get("dataset", experiment),
        activation=row["activation"],
        kernel_size=int(row["kernel_size"]),
        inverse_cr=float(row["inverse_cr"]),
        normalized_loss=float(row["normalized_loss"]),
        mean_flithos=float(row["mean_flithos"]),
        accuracy_change=None if accuracy is None else float(accuracy),
    )
