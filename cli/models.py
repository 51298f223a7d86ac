"""sancodec models: the models that are shipped, and what any model is."""

from __future__ import annotations

import json
from pathlib import Path

import click

from sancodec.cli._options import force_option
from sancodec.cli._terminal import printable
from sancodec.models.index import ModelEntry, entry_of, shipped_entries


@click.command()
@click.argument("names", nargs=-1, metavar="[MODEL...]")
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    metavar="FILE.png",
    help="Draw the kernels of the one MODEL that is named, as PNG or SVG.",
)
@force_option
@click.option("--json", "as_json", is_flag=True, help="List each model as one line of JSON.")
def models(*, names: tuple[str, ...], picture: Path | None, force: bool, as_json: bool) -> None:
    """List the models that are shipped, or those named.

    MODEL is the name of a shipped model, or an .onnx file. The flithos is the mean over windows
    held back from training, sqrt(CR^-2 + normalized loss^2): the smaller the better. fs is in Hz;
    records are those trained on. encode takes the model of each signal's type.

    \b
    Example:
      sancodec models
      sancodec models ecg --picture ecg.png
    """
    if picture is not None and len(names) != 1:
        raise click.UsageError("--picture: name the one model to draw")
    shipped = {entry.name: entry for entry in shipped_entries()}
    entries = [shipped.get(name) or entry_of(name) for name in names or shipped]
    if picture is not None:
        _draw(names[0], picture, force=force)
    if as_json:
        for entry in entries:
            click.echo(json.dumps(entry.to_json()))
        return
    _print_table(entries)


def _draw(name: str, picture: Path, *, force: bool) -> None:
    # Imported here: listing must start at once.
    from sancodec import models as shipped  # noqa: PLC0415
    from sancodec.errors import OutputError  # noqa: PLC0415
    from sancodec.picture import draw_kernels  # noqa: PLC0415

    if picture.exists() and not force:
        raise OutputError(f"{picture}: exists already; use --force to overwrite it")
    bank, _ = shipped.load(name)
    plural = "s" if bank.n_kernels > 1 else ""
    draw_kernels(bank, f"{name}: {bank.n_kernels} kernel{plural}", picture)


def _print_table(entries: list[ModelEntry]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, header_style="bold", padding=(0, 1), pad_edge=False)
    # Shipped models have the name of their signal.
    with_signal = any(entry.name != entry.signal_type for entry in entries)
    for title in ("model", "signal") if with_signal else ("model",):
        table.add_column(title, no_wrap=True)
    for title in ("kernels", "taps", "fs", "seconds", "flithos", "records"):
        table.add_column(title, justify="right")
    table.add_column("digest", no_wrap=True)
    for entry in entries:
        table.add_row(
            printable(entry.name),
            *([printable(entry.signal_type)] if with_signal else []),
            str(entry.n_kernels),
            str(entry.n_taps),
            f"{entry.fs:g}",
            f"{entry.seconds:.3g}",
            f"{entry.flithos:.3f}",
            str(entry.n_records),
            entry.digest[:12],
        )
    Console(highlight=False).print(table)
