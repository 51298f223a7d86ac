"""What ``sancodec train`` says in the end: a table for people, or one line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from sancodec.cli._terminal import printable

if TYPE_CHECKING:
    from sancodec.training.job import TrainJob
    from sancodec.training.results import TrainResult


def figures_of(job: TrainJob, records: list[str], result: TrainResult) -> dict[str, Any]:
    """Give the figures of a training, for JSON."""
    return {
        "model": str(job.output),
        "signal_type": job.signal_type,
        "digest": result.bank.digest,
        "records": records,
        "device": result.device,
        "n_learned": result.n_learned,
        "n_rows": result.bank.n_kernels,
        "best": asdict(result.best),
        "epochs": [asdict(epoch) for epoch in result.epochs],
        "stopped_early": len(result.epochs) < job.config.n_epochs,
        "held_back": asdict(result.figures),
        "growth": [asdict(step) for step in result.growth],
        "base_flithos": result.base_flithos,
        "settings": asdict(job.config),
    }


def print_json(figures: dict[str, Any], n_skipped: int) -> None:
    """Print figures as one line of JSON."""
    click.echo(json.dumps({**figures, "n_skipped": n_skipped}))


def print_table(figures: dict[str, Any], result: TrainResult) -> None:
    """Print a table of epochs, and what was kept."""
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
    for step in result.growth:
        verdict = "kept" if step.kept else "not kept"
        console.print(f"{_kernels(step.n_kernels)}: flithos {step.flithos:.4f}, {verdict}.")
    console.print(
        f"Kept epoch {result.best.epoch}: the lowest mean flithos on held-back windows, "
        f"{result.best.flithos:.4f}, over {len(figures['records'])} records."
    )
    if result.base_flithos is not None:
        console.print(f"With the kernels of the extended model alone: {result.base_flithos:.4f}.")
    shares = ", ".join(f"{100 * share:.0f} %" for share in result.figures.row_shares)
    console.print(f"Activations of each row of the model: {shares}.")
    console.print(f"{printable(figures['model'])}: digest {figures['digest']}", soft_wrap=True)


def _kernels(n_kernels: int) -> str:
    return f"{n_kernels} kernel" + ("s" if n_kernels > 1 else "")
