"""One training from records to model file: what ``sancodec train`` does."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from sancodec.errors import RecordError
from sancodec.training.base import Base
from sancodec.training.export import write_model
from sancodec.training.resources import Resources
from sancodec.training.trainer import TrainConfig, TrainResult, train
from sancodec.training.windows import RecordWindows, WindowConfig, find_records, read_windows

Progress = Callable[[int, int], None]
"""Called with how many are done and how many there are."""


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """What to train on, how, and what to write.

    ``base`` is a model whose kernels are kept, to be written with the new ones after them.
    """

    sources: tuple[Path, ...]
    signal_type: str
    output: Path
    licence: str
    config: TrainConfig
    windows: WindowConfig
    base: Base | None = None
    resources: Resources = field(default_factory=Resources)


def read_records(
    job: TrainJob, on_record: Progress | None = None
) -> tuple[list[RecordWindows], list[str]]:
    """Give the windows of every record, and of each record that is left out why.

    Raises
    ------
    RecordError
        No record can be trained on.
    """
    paths = find_records(job.sources)
    records: list[RecordWindows] = []
    skipped: list[str] = []
    for n_done, path in enumerate(paths, start=1):
        try:
            records.append(read_windows(path, job.windows))
        except RecordError as error:
            skipped.append(str(error))
        if on_record:
            on_record(n_done, len(paths))
    if not records:
        more = f" (and {len(skipped) - 1} more)" if len(skipped) > 1 else ""
        raise RecordError(f"no record can be trained on: {skipped[0]}{more}")
    return records, skipped


def fit(
    job: TrainJob, records: Sequence[RecordWindows], on_batch: Progress | None = None
) -> TrainResult:
    """Train on the windows of records, and write the model.

    Raises
    ------
    ConfigError
        The records hold too few windows for the settings, or the base or the checkpoint does
        not fit them.
    OutputError
        The model or the checkpoint cannot be written.
    SancodecError
        The device or the memory that it takes is not there, or training diverged.
    """
    result = train(records, job.config, on_batch, job.base, job.resources)
    write_model(job.output, result.bank, _metadata(job, records, result))
    return result


def _metadata(
    job: TrainJob, records: Sequence[RecordWindows], result: TrainResult
) -> dict[str, str]:
    """Give the metadata of the model: nothing that differs from run to run, no path, no time."""
    best, config = result.best, job.config
    n_new = result.n_learned * len(config.time_scales)
    types = [*(job.base.row_types if job.base else ()), (job.signal_type, n_new)]
    about_rows = {
        "row_types": json.dumps(types),
        "time_scales": json.dumps(config.time_scales),
        "n_taps": str(config.shape.n_taps),
        "n_taps_before": str(config.shape.centre),
    }
    if job.base:
        about_rows["extends"] = job.base.bank.digest
    return about_rows | {
        "signal_type": job.signal_type,
        "records": json.dumps([record.name for record in records]),
        "n_windows": str(sum(len(record.windows) for record in records)),
        "flithos": f"{best.flithos:.4f}",
        "inverse_cr": f"{best.inverse_cr:.4f}",
        "normalized_loss": f"{best.normalized_loss:.4f}",
        "epoch": f"{best.epoch} of {config.n_epochs}",
        "seed": str(config.seed),
        "loss": config.loss,
        "compete": json.dumps(config.compete),
        "dropout": f"{config.dropout:g}",
        "distance_seconds": f"{config.distance_seconds:g}",
        "annealing_seconds": json.dumps(config.annealing_seconds),
        "grow": json.dumps(config.grow),
        "device": result.device,
        "window_seconds": f"{job.windows.seconds:g}",
        "baseline_seconds": f"{job.windows.baseline_seconds:g}",
        "channels": json.dumps(job.windows.inputs.channels),
        "valid_range": json.dumps(job.windows.inputs.valid_range),
        "licence": job.licence or "unknown",
        "sancodec_version": _version(),
    }


def _version() -> str:
    """Give the version of sancodec: that of the installed package, or of the checkout."""
    try:
        return metadata.version("sancodec")
    except metadata.PackageNotFoundError:
        project = Path(__file__).resolve().parents[2] / "pyproject.toml"
        return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])
