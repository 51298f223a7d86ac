"""sancodec train: WFDB records to the kernels of a signal type, as an ONNX model."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sancodec.cli._options import force_option
from sancodec.errors import ConfigError, OutputError, SancodecError

if TYPE_CHECKING:
    from sancodec.training.job import TrainJob, TrainReport

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
    kernels: int,
    epochs: int,
    seed: int,
    fs: float,
    before: float,
    after: float,
    distance: float,
    baseline: float,
    window: float,
    windows: int,
    licence: str,
    force: bool,
    as_json: bool,
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
    from sancodec.training.job import TrainJob, run  # noqa: PLC0415
    from sancodec.training.trainer import TrainConfig  # noqa: PLC0415
    from sancodec.training.windows import WindowConfig  # noqa: PLC0415

    job = TrainJob(
        sources=records,
        signal_type=signal_type,
        output=output,
        licence=licence,
        config=TrainConfig(
            n_kernels=kernels,
            n_epochs=epochs,
            seed=seed,
            fs=fs,
            before_seconds=before,
            after_seconds=after,
            distance_seconds=distance,
        ),
        windows=WindowConfig(
            fs=fs, seconds=window, baseline_seconds=baseline, n_per_record=windows
        ),
    )
    _print(_run_with_progress(job, run_job=run), as_json=as_json)
