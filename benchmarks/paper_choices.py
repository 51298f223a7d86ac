"""Which choice of protocol paper moves which cell of table I, and by how much; and how far chance.

Example: python benchmarks/paper_choices.py data -o choices --seeds 10
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from sancodec.experiments.cells import Cell
from sancodec.experiments.choices import BY_NAME, PROTOCOLS
from sancodec.experiments.comparison import Row, make_rows
from sancodec.experiments.job import Job, finish_cells
from sancodec.experiments.plan import Plan, scale_of

PAPER, _ = PROTOCOLS
# Each beside the defaults of the protocol, the last one all that the text says otherwise.
VARIANTS = {
    "start=constant": {"start": "constant"},
    "keep=best": {"keep": "best"},
    "choose-on=validation": {"choose-on": "validation"},
    "synthesis=matched": {"synthesis": "matched"},
    "keep=best, choose-on=validation": {"keep": "best", "choose-on": "validation"},
}
TOLERANCE = 0.05

Rows = dict[tuple[str, str], Row]


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR")
@click.option("--seeds", default=10, show_default=True, help="Number of seeds, from 0.")
@click.option("--datasets", help="Some of the rows of table I, as in mitdb,bidmc.")
@click.option(
    "--leave-out",
    type=click.Choice(list(VARIANTS)),
    multiple=True,
    help="A variant that is not trained. May be repeated.",
)
def main(
    data: Path, output: Path, seeds: int, datasets: str | None, leave_out: tuple[str, ...]
) -> None:
    plan = Plan(
        experiment="physionet",
        scale=scale_of("physionet", quick=False),
        datasets=tuple(datasets.split(",")) if datasets else (),
        activations=("relu", "topk_absolutes", "extrema_pool_indices", "extrema"),
    )
    by_seed = [_rows(replace(plan, seed=seed), data, output) for seed in range(seeds)]
    by_variant = {
        name: _rows(replace(plan, given=given), data, output)
        for name, given in VARIANTS.items()
        if name not in leave_out
    }
    text = _seeds_table(by_seed) + "\n" + _variants_table(by_seed[0], by_variant)
    (output / "choices.md").write_text(text, encoding="utf-8")
    click.echo(text)


def _rows(plan: Plan, data: Path, output: Path) -> Rows:
    # Which part a size is chosen on changes nothing in training: the same cells serve for both.
    given = {name: value for name, value in plan.given.items() if name != "choose-on"}
    job = Job(plan=replace(plan, given=given), folder=data, output=output)
    cells = [_chosen_on(plan.choices["choose-on"], cell) for cell in finish_cells(job).cells]
    rows = make_rows(plan, cells, {})
    return {(row.dataset, row.activation): row for row in rows}


def _chosen_on(part: str, cell: Cell) -> Cell:
    judged = cell.flithos if part == "test" else cell.validation_flithos
    return replace(cell, chosen=np.array(np.argmin(judged)))


def _seeds_table(by_seed: list[Rows]) -> str:
    """Write the spread of mean flithos over seeds, and how often it is near the paper's."""
    lines = [
        f"## Chance: {len(by_seed)} seeds of protocol paper\n",
        "| data set | activation | paper | mean | least | greatest | sizes chosen | within "
        f"{TOLERANCE} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for key, first in by_seed[0].items():
        phi = np.array([rows[key].mean_flithos for rows in by_seed])
        sizes = sorted(int(rows[key].sizes) for rows in by_seed)
        paper = first.paper.mean_flithos if first.paper else np.nan
        near = int(np.count_nonzero(np.abs(phi - paper) <= TOLERANCE + 0.005))
        lines.append(
            f"| {key[0]} | {key[1]} | {paper:.2f} | {phi.mean():.2f} | {phi.min():.2f} | "
            f"{phi.max():.2f} | {sizes[0]} to {sizes[-1]} | {near} of {len(by_seed)} |"
        )
    return "\n".join(lines) + "\n"


def _variants_table(plain: Rows, by_variant: dict[str, Rows]) -> str:
    """Write mean flithos of each variant less that of the protocol, with the same seed."""
    lines = [
        "## Choices: mean flithos less that of protocol paper, seed 0\n",
        "\n".join(
            f"- {name}: {BY_NAME[name].question}, {BY_NAME[name].values[value]}"
            for variant in by_variant
            for name, value in VARIANTS[variant].items()
            if len(VARIANTS[variant]) == 1
        )
        + "\n",
        f"| data set | activation | paper | protocol paper | {' | '.join(by_variant)} |",
        "|---|---|---|---|" + "---|" * len(by_variant),
    ]
    for key, row in plain.items():
        moved = [
            f"{rows[key].mean_flithos - row.mean_flithos:+.2f}" for rows in by_variant.values()
        ]
        paper = row.paper.mean_flithos if row.paper else np.nan
        head = f"| {key[0]} | {key[1]} | {paper:.2f} | {row.mean_flithos:.2f} | "
        lines.append(head + " | ".join(moved) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
