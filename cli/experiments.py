"""sancodec experiments: section IV of the SAN paper, run anew and set beside its numbers."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sancodec.cli._options import force_option
from sancodec.cli._terminal import SOME_FAILED, printable, progress_bar
from sancodec.errors import ConfigError, SancodecError
from sancodec.experiments.choices import PROTOCOLS, Choice, choices_of
from sancodec.experiments.paper import ACTIVATIONS, EXPERIMENTS

if TYPE_CHECKING:
    from sancodec.experiments.job import Outcome
    from sancodec.experiments.plan import Plan

_NEEDED = ("torch", "scipy")
# The length of the longest observations, the windows of PhysioNet.
_LARGEST_SIZE = 1_000
_ABOUT = {
    "physionet": "Table I: one kernel on one signal of each of 15 PhysioNet databases.",
    "uci-epilepsy": "Table II: two kernels on EEG segments, and a CNN on their reconstructions.",
    "mnist": "Table III: two kernels on MNIST, and one layer on their reconstructions.",
    "fashion-mnist": "Table IV: the same on Fashion-MNIST.",
}


@click.group(subcommand_metavar="EXPERIMENT ...")
def experiments() -> None:
    """Run an experiment of the SAN paper, and set its results beside the paper's.

    Trains and tests as section IV of Bizopoulos and Koutsouris, Sparsely Activated Networks
    (IEEE TNNLS 2020), and writes tables (CSV, Markdown, JSON) and figures to a folder. A run
    that was stopped goes on where it was when it is started again.

    \b
    Example:
      sancodec experiments physionet --data data -o table1
      sancodec experiments mnist --data data --fetch -o table3
    """


def _parse_names(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[str, ...]:
    return () if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def _parse_sizes(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int, ...] | None:
    """Read sizes as in 8-15 or 4,8,16."""
    if text is None:
        return None
    sizes: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            sizes += range(int(first), min(int(last or first), _LARGEST_SIZE + 1) + 1)
    except ValueError:
        sizes = []
    whole = sizes and min(sizes) >= 1 and max(sizes) <= _LARGEST_SIZE
    if not whole or len(set(sizes)) != len(sizes):
        raise click.BadParameter(
            f"{text[:40]!r}, expected sizes as in 8-15 or 4,8,16, none above {_LARGEST_SIZE}",
            context,
            parameter,
        )
    return tuple(sorted(sizes))


def _parse_records(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, str]:
    records = dict(text.split("=", maxsplit=1) for text in given if "=" in text)
    if len(records) != len(given):
        raise click.BadParameter("expected DATASET=RECORD", context, parameter)
    return records


_SHARED = (
    click.Option(
        ["--data"],
        type=click.Path(path_type=Path),
        envvar="SANCODEC_DATA",
        show_envvar=True,
        metavar="DIR",
        help="Folder of the data sets.",
    ),
    click.Option(
        ["-o", "--output"],
        required=True,
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Folder for the results.",
    ),
    click.Option(
        ["--fetch"], is_flag=True, help="Fetch what is not in --data over the network, checked."
    ),
    click.Option(
        ["--protocol"],
        type=click.Choice(PROTOCOLS),
        default="paper",
        show_default=True,
        help="paper: as its tables were made. sancodec: the best that this project knows, with "
        "nothing chosen on test data.",
    ),
    click.Option(
        ["--activations"],
        callback=_parse_names,
        metavar="NAME,...",
        help=f"Some of {', '.join(ACTIVATIONS)}.  [default: all]",
    ),
    click.Option(
        ["--kernel-sizes"],
        callback=_parse_sizes,
        metavar="SIZES",
        help="Sizes of the kernels in samples, as in 8-15 or 4,8,16.  [default: the paper's]",
    ),
    click.Option(
        ["--epochs"],
        type=click.IntRange(min=1),
        metavar="N",
        help="Number of epochs.  [default: the paper's]",
    ),
    click.Option(["--seed"], default=0, show_default=True, help="Same seed, same results."),
    click.Option(
        ["--device"],
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Where torch trains.",
    ),
    click.Option(["--quick"], is_flag=True, help="A small version that takes seconds."),
    click.Option(["--json", "as_json"], is_flag=True, help="Report as one line of JSON."),
)
_OF_PHYSIONET = (
    click.Option(
        ["--datasets"],
        callback=_parse_names,
        metavar="NAME,...",
        help="Some of the rows of table I, as in mitdb,bidmc.  [default: all 15]",
    ),
    click.Option(
        ["--record", "records"],
        multiple=True,
        callback=_parse_records,
        metavar="DATASET=RECORD",
        help="Another record than the first of a database. May be repeated.",
    ),
    click.Option(
        ["--start-sample"],
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        metavar="N",
        help="The first sample that is taken.",
    ),
)


def _option(choice: Choice) -> click.Option:
    default = choice.paper
    if choice.sancodec not in (choice.paper, None):
        default += f"; {choice.sancodec} in protocol sancodec"
    meanings = "; ".join(f"{value}: {text}" for value, text in choice.values.items())
    question = choice.question[0].upper() + choice.question[1:]
    return click.Option(
        [f"--{choice.name}", f"choice_{choice.name.replace('-', '_')}"],
        type=click.Choice(list(choice.values)),
        help=f"{question}. {meanings}.  [default: {default}]",
    )


def _command(experiment: str) -> click.Command:
    def run(**settings: Any) -> None:
        _run(experiment, settings)

    own = _OF_PHYSIONET if experiment == "physionet" else ()
    example = f"sancodec experiments {experiment} --data data -o results"
    command = click.Command(
        experiment,
        callback=run,
        params=[*_SHARED, *own, *(_option(choice) for choice in choices_of(experiment))],
        help=f"{_ABOUT[experiment]}\n\n\b\nExample:\n  {example}",
        short_help=_ABOUT[experiment],
    )
    return force_option(command)


for _name in EXPERIMENTS:
    experiments.add_command(_command(_name))


def _run(experiment: str, settings: dict[str, Any]) -> None:
    _check_installed()
    from sancodec.experiments.job import Job, run  # noqa: PLC0415

    if settings["data"] is None:
        raise ConfigError("--data: give the folder of the data sets, or set SANCODEC_DATA")
    job = Job(
        plan=_plan(experiment, settings),
        folder=settings["data"],
        output=settings["output"],
        fetch=settings["fetch"],
        force=settings["force"],
    )
    with progress_bar(experiment) as on_step:
        outcome = run(job, on_step)
    for problem in outcome.results.skipped.values():
        click.echo(f"sancodec: skipped: {printable(problem)}", err=True)
    if settings["as_json"]:
        figures = {**outcome.results.to_json(), "files": [str(path) for path in outcome.files]}
        click.echo(json.dumps(figures))
    else:
        _print_table(outcome)
    if outcome.results.skipped:
        click.get_current_context().exit(SOME_FAILED)


def _plan(experiment: str, settings: Mapping[str, Any]) -> Plan:
    from sancodec.experiments.plan import Plan, scale_of  # noqa: PLC0415

    scale = scale_of(experiment, quick=settings["quick"])
    if settings["kernel_sizes"] is not None:
        scale = replace(scale, kernel_sizes=settings["kernel_sizes"])
    if settings["epochs"] is not None:
        if (experiment, settings["protocol"]) == ("physionet", "sancodec"):
            raise ConfigError("--epochs: the search of protocol sancodec has none")
        scale = replace(scale, n_epochs=settings["epochs"])
    values = {
        choice.name: settings[f"choice_{choice.name.replace('-', '_')}"]
        for choice in choices_of(experiment)
    }
    return Plan(
        experiment=experiment,
        scale=scale,
        protocol=settings["protocol"],
        given={name: value for name, value in values.items() if value is not None},
        datasets=settings.get("datasets", ()),
        activations=settings["activations"],
        records=settings.get("records", {}),
        start_sample=settings.get("start_sample", 0),
        seed=settings["seed"],
        device=settings["device"],
    )


def _check_installed() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SancodecError(
            f"experiments need {', '.join(missing)}; install with: pip install 'sancodec[train]'"
        )


def _print_table(outcome: Outcome) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    columns = ("data set", "activation", "m", "1/CR", "normalized loss", "flithos", "paper's", "")
    table = Table(*columns, box=None, header_style="bold")
    for row in outcome.results.rows:
        figures = (row.inverse_cr, row.normalized_loss, row.mean_flithos)
        paper = "" if row.paper is None else f"{row.paper.mean_flithos:.2f}"
        difference = row.difference("mean_flithos")
        table.add_row(
            row.dataset,
            row.activation,
            row.sizes,
            *(f"{figure:.3f}" for figure in figures),
            paper,
            "" if difference is None else f"{difference:+.2f}",
        )
    console = Console(highlight=False)
    console.print(table)
    for path in outcome.files[:3]:
        console.print(printable(str(path)), soft_wrap=True)
    folders = {str(path.parent) for path in outcome.files[3:]}
    for folder in sorted(folders):
        console.print(f"{printable(folder)}: figures", soft_wrap=True)
