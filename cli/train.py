"""sancodec train: records to the kernels of a signal type, as an ONNX model."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sancodec.cli._options import force_option
from sancodec.cli._terminal import SOME_FAILED, printable, progress_bar
from sancodec.cli._train_options import training_options
from sancodec.cli._train_primer import train_primer
from sancodec.cli._train_report import figures_of, print_json, print_table
from sancodec.errors import ConfigError, OutputError, SancodecError

if TYPE_CHECKING:
    from sancodec.training.base import Base
    from sancodec.training.job import TrainJob
    from sancodec.training.trainer import TrainConfig

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
@click.option(
    "--primer",
    is_flag=True,
    help="Write a primer instead: what short records begin with. Of the options below it takes "
    "only --licence, --force and --json.",
)
@training_options
@click.option("--licence", default="", help="Licence of the records, kept in the model.")
@force_option
@click.option("--json", "as_json", is_flag=True, help="Report the result as one line of JSON.")
def train(
    *,
    records: tuple[Path, ...],
    signal_type: str,
    output: Path,
    licence: str,
    primer: bool,
    force: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train the kernels of a signal type on records, and write them as an ONNX model.

    RECORDS are records as WFDB names them (100), headers (100.hea), folders, which stand for
    every WFDB record below them, text files with a column for each signal (.csv, .tsv, .txt), or
    zip archives of such. The epoch kept is the one with the lowest mean flithos on windows that
    were held back.

    With --primer, what the records teach of predicting such signals is written instead, for records
    too short to learn it (of one kind, number of leads and sampling frequency): encode --primer
    FILE begins with it, decode --model FILE needs it. Of WFDB records alone; it takes about
    half a minute for each.

    Every time is in seconds. With --checkpoint, the same command takes up a training that was
    interrupted, and ends with the same model.

    \b
    Examples:
      sancodec train mitdb --signal-type ecg -o ecg.onnx
      sancodec train drivedb --channels RESP --signal-type respiration --fs 25 -o resp.onnx
      sancodec train bidmc_01.csv --csv-fs 125 --channels PLETH --signal-type ppg -o ppg.onnx
      sancodec train mitdb --signal-type ecg -o ecg.onnx --grow --kernels 8 --checkpoint ecg.ckpt
      sancodec train ppg --signal-type ppg -o both.onnx --extend ecg --kernels 1
      sancodec train ptb-xl/records100 --signal-type ecg --primer -o short.primer
    """
    _check_output(signal_type, output, force=force)
    context = click.get_current_context()
    if primer:
        if train_primer(records, signal_type, output, licence, as_json=as_json):
            context.exit(SOME_FAILED)
        return
    _check_checkpoint(settings["checkpoint"], output)
    _check_installed()
    from sancodec.training.job import fit, read_records  # noqa: PLC0415

    job = _job(records, signal_type, output, licence, settings)
    with progress_bar("reading records") as on_record:
        read, skipped = read_records(job, on_record)
    for problem in skipped:
        click.echo(f"sancodec: skipped: {printable(problem)}", err=True)
    with progress_bar("training") as on_batch:
        result = fit(job, read, on_batch)
    figures = figures_of(job, [record.name for record in read], result)
    print_json(figures, len(skipped)) if as_json else print_table(figures, result)
    if skipped:
        context.exit(SOME_FAILED)


def _job(
    records: tuple[Path, ...],
    signal_type: str,
    output: Path,
    licence: str,
    settings: dict[str, Any],
) -> TrainJob:
    from sancodec.training.base import Base  # noqa: PLC0415
    from sancodec.training.job import TrainJob  # noqa: PLC0415
    from sancodec.training.resources import Resources  # noqa: PLC0415
    from sancodec.training.windows import InputConfig, WindowConfig  # noqa: PLC0415

    base = Base.of(settings["extend"]) if settings["extend"] else None
    config = _config(settings, base)
    return TrainJob(
        sources=records,
        signal_type=signal_type,
        output=output,
        licence=licence,
        config=config,
        windows=WindowConfig(
            fs=config.fs,
            seconds=settings["window"],
            baseline_seconds=settings["baseline"],
            n_per_record=settings["windows"],
            inputs=InputConfig(
                channels=settings["channels"],
                text_fs=settings["csv_fs"],
                valid_range=settings["valid_range"],
            ),
        ),
        base=base,
        resources=Resources(
            device=settings["device"],
            n_threads=settings["threads"],
            checkpoint=settings["checkpoint"],
        ),
    )


def _config(settings: dict[str, Any], base: Base | None) -> TrainConfig:
    """Give the settings; sizes that are not given are those of the model that is extended."""
    from sancodec.training.trainer import TrainConfig  # noqa: PLC0415

    sizes = base.sizes() if base else {}
    given = {
        "fs": settings["fs"],
        "before_seconds": settings["before"],
        "after_seconds": settings["after"],
        "time_scales": settings["time_scales"],
    }
    sizes |= {name: size for name, size in given.items() if size is not None}
    return TrainConfig(
        n_kernels=settings["kernels"],
        n_epochs=settings["epochs"],
        n_starts=settings["starts"],
        seed=settings["seed"],
        distance_seconds=settings["distance"],
        batch_size=settings["batch"],
        loss=settings["loss"],
        compete=settings["compete"],
        annealing_seconds=settings["distance_annealing"],
        dropout=settings["dropout"],
        grow=settings["grow"],
        patience=settings["patience"],
        **sizes,
    )


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


def _check_checkpoint(checkpoint: Path | None, output: Path) -> None:
    if checkpoint is None:
        return
    if checkpoint.is_dir() or checkpoint.resolve() == output.resolve():
        raise OutputError(f"--checkpoint {checkpoint}: name a file of its own")
    if not checkpoint.parent.is_dir():
        raise OutputError(f"--checkpoint {checkpoint}: no such folder; make it first")


def _check_installed() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SancodecError(
            f"training needs {', '.join(missing)}; install with: pip install 'sancodec[train]'"
        )
