"""The results of a run as JSON, as CSV, and as Markdown beside the paper's numbers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sancodec.experiments.choices import describe
from sancodec.experiments.comparison import FIGURES, Row, lowest_of_groups
from sancodec.experiments.paper import ACTIVATIONS, TITLES, PaperCell
from sancodec.experiments.plan import PURSUIT, Plan

NAMES = {**TITLES, PURSUIT: "pursuit"}
_FORMAT = 1
_HEADS = {
    "inverse_cr": "CR^-1",
    "normalized_loss": "L~",
    "mean_flithos": "flithos",
    "accuracy_change": "A±%",
}
_DECIMALS = {"inverse_cr": 2, "normalized_loss": 2, "mean_flithos": 2, "accuracy_change": 1}
_NUMBERS = {"physionet": "I", "uci-epilepsy": "II", "mnist": "III", "fashion-mnist": "IV"}


@dataclass(frozen=True, kw_only=True)
class Results:
    """What a run gave.

    Attributes
    ----------
    plan : Plan
    rows : sequence of Row
    notes : mapping of str to sequence of str
        What a reader must know, by data set.
    skipped : mapping of str to str
        Data sets that could not be run, and why.
    baselines : mapping of str to float
        Accuracy of the classifier on the original data, in percent.
    """

    plan: Plan
    rows: Sequence[Row]
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    baselines: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        return {
            "format": _FORMAT,
            "settings": self.plan.settings(),
            "choices": describe(self.plan.protocol, self.plan.choices),
            "rows": [row.to_json() for row in self.rows],
            "lowest_flithos": [vars(group) for group in lowest_of_groups(self.plan, self.rows)],
            "notes": {name: list(notes) for name, notes in self.notes.items()},
            "skipped": self.skipped,
            "baseline_accuracy_percent": self.baselines,
        }


def as_json(results: Results) -> str:
    """Write results as an indented JSON document."""
    return json.dumps(results.to_json(), indent=1) + "\n"


def as_csv(results: Results) -> str:
    """Write results as CSV: one line for each cell of the table, ours, the paper's, difference."""
    figures = _figures(results)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ["dataset", "activation", "kernel_sizes", "paper_activation", "paper_kernel_size"]
    writer.writerow(head + [f"{kind}{name}" for name in figures for kind in ("", *_KINDS)])
    for row in results.rows:
        paper = row.paper
        line = [row.dataset, row.activation, row.sizes]
        line += ["", ""] if paper is None else [paper.activation, str(paper.kernel_size)]
        for name in figures:
            line += [_exact(getattr(row, name)), _exact(_of(paper, name))]
            line.append(_exact(row.difference(name)))
        writer.writerow(line)
    return text.getvalue()


def as_markdown(results: Results) -> str:
    """Write results as Markdown: what was run, a table of flithos, and every figure."""
    plan = results.plan
    parts = [
        f"# {plan.experiment}, protocol {plan.protocol}\n",
        f"Beside table {_NUMBERS[plan.experiment]} of the paper{_beside(plan)}. Each cell: the "
        "paper's value, ours, and ours less the paper's. CR^-1, normalized loss L~ and flithos are "
        "means over the test part.\n",
        *_settings(results),
        "## Mean flithos\n",
        *_summary(results),
        *_verdict(results),
        "## All figures\n",
        *_everything(results),
    ]
    return "\n".join(parts)


_KINDS = ("paper_", "difference_")


def _beside(plan: Plan) -> str:
    if plan.protocol == "paper":
        return ""
    line = "data set" if plan.experiment == "physionet" else "kernel size"
    return f", each {line} beside the one of its five activation functions with the lowest flithos"


def _figures(results: Results) -> list[str]:
    supervised = any(row.accuracy_change is not None for row in results.rows)
    return [name for name in FIGURES if supervised or name != "accuracy_change"]


def _settings(results: Results) -> list[str]:
    scale, plan = results.plan.scale, results.plan
    sizes = scale.kernel_sizes
    whole = sizes == tuple(range(sizes[0], sizes[-1] + 1))
    spelled = f"{sizes[0]} to {sizes[-1]}" if whole else ", ".join(map(str, sizes))
    epochs = f"{scale.n_epochs} epochs in batches of {scale.batch_size}"
    if plan.protocol == "paper":
        lines = [
            f"- {scale.n_kernels} kernel(s) of {spelled} samples, {epochs}, border tolerance "
            f"{scale.border_tolerance}, seed {plan.seed}"
        ]
    elif plan.experiment == "physionet":
        lines = [f"- up to three kernels, none longer than {sizes[-1]} samples, seed {plan.seed}"]
    else:
        lines = [
            f"- {scale.n_kernels} kernels of {spelled} samples, classifiers: {epochs}, seed "
            f"{plan.seed}"
        ]
    if scale.n_observations is not None:
        lines.append(f"- QUICK: at most {scale.n_observations} observations of each part")
    lines += [f"- {sentence}" for sentence in describe(plan.protocol, plan.choices)]
    lines += [f"- {name}: {note}" for name, notes in results.notes.items() for note in notes]
    lines += [
        f"- {name}: the classifier has {accuracy:.1f} % on the original data"
        for name, accuracy in results.baselines.items()
    ]
    lines += [f"- NOT RUN: {problem}" for problem in results.skipped.values()]
    return ["\n".join(lines) + "\n"]


def _summary(results: Results) -> list[str]:
    """Give the table of flithos alone: a line for each group, a column for each activation."""
    by_dataset = results.plan.experiment == "physionet"
    groups: dict[str, dict[str, Row]] = {}
    for row in results.rows:
        groups.setdefault(row.dataset if by_dataset else row.sizes, {})[row.activation] = row
    columns = [name for name in (*ACTIVATIONS, PURSUIT) if any(name in g for g in groups.values())]
    lines = [["data set" if by_dataset else "m", *(NAMES[name] for name in columns)]]
    for name, group in groups.items():
        cells = [_triple(group[c], "mean_flithos") if c in group else "" for c in columns]
        lines.append([name, *cells])
    return [_table(lines)]


def _verdict(results: Results) -> list[str]:
    groups = lowest_of_groups(results.plan, results.rows)
    if not groups:
        return []
    ours = [group.group for group in groups if "extrema" not in group.ours]
    paper = [group.group for group in groups if "extrema" not in group.paper]
    return [
        "Extrema has the lowest mean flithos of the five, alone or with others to two decimals, in "
        f"{len(groups) - len(ours)} of "
        f"{len(groups)} lines, in the paper's table in {len(groups) - len(paper)} of them"
        + (f"; not here: {', '.join(ours)}" if ours else "")
        + (f"; not in the paper: {', '.join(paper)}" if paper else "")
        + ".\n"
    ]


def _everything(results: Results) -> list[str]:
    figures = _figures(results)
    lines = [["data set", "activation", "m", *(_HEADS[name] for name in figures)]]
    for row in results.rows:
        theirs = "-" if row.paper is None else str(row.paper.kernel_size)
        if row.paper is not None and row.paper.activation != row.activation:
            theirs += f" ({NAMES[row.paper.activation]})"
        sizes = row.sizes if theirs == row.sizes else f"{theirs} / {row.sizes}"
        cells = [_triple(row, name) for name in figures]
        lines.append([row.dataset, NAMES[row.activation], sizes, *cells])
    return [_table(lines)]


def _triple(row: Row, figure: str) -> str:
    """Write the paper's value, ours, and the difference."""
    n = _DECIMALS[figure]
    ours, theirs, difference = getattr(row, figure), _of(row.paper, figure), row.difference(figure)
    sign = "+" if figure == "accuracy_change" else ""
    first = "-" if theirs is None else f"{theirs:{sign}.{n}f}"
    second = "-" if ours is None else f"{ours:{sign}.{n}f}"
    return f"{first} / {second}" + ("" if difference is None else f" ({difference:+.{n}f})")


def _table(lines: Sequence[Sequence[str]]) -> str:
    head, *rest = ("| " + " | ".join(line) + " |" for line in lines)
    rule = "|" + "---|" * len(lines[0])
    return "\n".join([head, rule, *rest]) + "\n"


def _of(paper: PaperCell | None, figure: str) -> float | None:
    value: float | None = None if paper is None else getattr(paper, figure)
    return value


def _exact(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
