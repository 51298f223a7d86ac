"""sancodec train: WFDB records to the kernels of a signal type, as an ONNX model."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sancodec.cli._options import force_option
from sancodec.cli._terminal import SOME_FAILED, printable, progress_bar
from sancodec.errors import ConfigError, OutputError, SancodecError

if TYPE_CHECKING:
    from sancodec.training.job import TrainJob
    from sancodec.training.trainer import TrainConfig, TrainResult
    from sancodec.training.windows import WindowConfig

_NEEDED = ("torch", "onnx", "scipy")
_SIGNAL_TYPE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


@click.command()
@click.argument("records", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--signal-type",
    required=True,
    metavar="NAME",
    help="Name of the kind of signal, e.g. ecg: lower-case letters, digits, - and _.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE.onnx",
    help="Model to write.",
)
@click.option("--kernels", default=4, show_default=True, help="Number of kernels.")
@click.option("--epochs", default=12, show_default=True, help="Number of epochs.")
@click.option(
    "--starts",
    default=6,
    show_default=True,
    help="Sets of kernels tried for an epoch; the best one is trained on.",
)
@click.option("--seed", default=0, show_default=True, help="Same seed, same records, same bytes.")
@click.option("--fs", default=360.0, show_default=True, metavar="HZ", help="Of the model, in Hz.")
@click.option(
    "--before",
    default=0.267,
    show_default=True,
    metavar="SECONDS",
    help="Length of the kernels before their centre, in seconds.",
)
@click.option(
    "--after",
    default=0.444,
    show_default=True,
    metavar="SECONDS",
    help="Length of the kernels from their centre on, in seconds.",
)
@click.option(
    "--distance",
    default=0.3,
    show_default=True,
    metavar="SECONDS",
    help="Minimum extrema distance across all kernels, in seconds.",
)
@click.option(
    "--baseline",
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Running mean that is taken off as baseline, in seconds; 0 takes off the mean alone.",
)
@click.option(
    "--window",
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Length of the windows that are trained on, in seconds.",
)
@click.option(
    "--windows", default=60, show_default=True, help="Windows of each record, evenly spread."
)
@click.option("--licence", default="", help="Licence of the records, kept in the model.")
@force_option
@click.option("--json", "as_json", is_flag=True, help="Report the result as one line of JSON.")
def train(
    *,
    records: tuple[Path, ...],
    signal_type: str,
    output: Path,
    licence: str,
    force: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train the kernels of a signal type on WFDB records, and write them as an ONNX model.

    RECORDS are records as WFDB names them (100), headers (100.hea), or folders, which stand for
    every record below them. The epoch kept is the one with the lowest mean flithos on windows
    that were held back.

    \b
    Example:
      sancodec train mitdb --signal-type ecg -o ecg.onnx
    """
    _check_output(signal_type, output, force=force)
    _check_installed()
    from sancodec.training.job import TrainJob, fit, read_records  # noqa: PLC0415

    config, windows = _configs(settings)
    job = TrainJob(
        sources=records,
        signal_type=signal_type,
        output=output,
        licence=licence,
        config=config,
        windows=windows,
    )
    with progress_bar("reading records") as on_record:
        read, skipped = read_records(job, on_record)
    for problem in skipped:
        click.echo(f"sancodec: skipped: {printable(problem)}", err=True)
    with progress_bar("training") as on_batch:
        result = fit(job, read, on_batch)
    figures = _figures(job, [record.name for record in read], result)
    _print_json(figures, len(skipped)) if as_json else _print_table(figures, result)
    if skipped:
        click.get_current_context().exit(SOME_FAILED)


def _configs(settings: dict[str, Any]) -> tuple[TrainConfig, WindowConfig]:
    from sancodec.training.trainer import TrainConfig  # noqa: PLC0415
    from sancodec.training.windows import WindowConfig  # noqa: PLC0415

    config = TrainConfig(
        n_kernels=settings["kernels"],
        n_epochs=settings["epochs"],
        n_starts=settings["starts"],
        seed=settings["seed"],
        fs=settings["fs"],
        before_seconds=settings["before"],
        after_seconds=settings["after"],
        distance_seconds=settings["distance"],
    )
    windows = WindowConfig(
        fs=settings["fs"],
        seconds=settings["window"],
        baseline_seconds=settings["baseline"],
        n_per_record=settings["windows"],
    )
    return config, windows


def _check_output(signal_type: str, output: Path, *, force: bool) -> None:
    """Refuse before minutes of training what would be refused after them."""
    if not _SIGNAL_TYPE.fullmatch(signal_type):
        raise ConfigError(
            f"--signal-type {signal_type}: expected up to 32 lower-case letters, digits, - and _"
        )
    if output.is_dir():
        raise OutputError(f"{output}: is a folder; name the file to write in it")
    if output.exists() and not force:
        raise OutputError(f"{output}: exists already; name another file, or give --force")
    if not output.parent.is_dir():
        raise OutputError(f"{output.parent}: no such folder; make it first")


def _check_installed() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SancodecError(
            f"training needs {', '.join(missing)}; install with: pip install 'sancodec[train]'"
        )


def _figures(job: TrainJob, records: list[str], result: TrainResult) -> dict[str, Any]:
    return {
        "model": str(job.output),
        "signal_type": job.signal_type,
        "digest": result.bank.digest,
        "records": records,
        "best": asdict(result.best),
        "epochs": [asdict(epoch) for epoch in result.epochs],
    }


def _print_json(figures: dict[str, Any], n_skipped: int) -> None:
    click.echo(json.dumps({**figures, "n_skipped": n_skipped}))


def _print_table(figures: dict[str, Any], result: TrainResult) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    columns = ("epoch", "training loss", "1/CR", "normalized loss", "flithos", "")
    table = Table(*columns, box=None, header_style="bold")
    for epoch in result.epochs:
        numbers = (epoch.training_loss, epoch.inverse_cr, epoch.normalized_loss, epoch.flithos)
        kept = "kept" if epoch.epoch == result.best.epoch else ""
        table.add_row(str(epoch.epoch), *(f"{number:.4f}" for number in numbers), kept)
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"Kept epoch {result.best.epoch}: the lowest mean flithos on held-back windows, "
        f"{result.best.flithos:.4f}, over {len(figures['records'])} records."
    )
    console.print(f"{printable(figures['model'])}: digest {figures['digest']}", soft_wrap=True)
