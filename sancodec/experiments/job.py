"""One run of an experiment, from its data to tables and figures; resumable."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sancodec.errors import OutputError, RecordError, SancodecError
from sancodec.experiments import figures
from sancodec.experiments.cells import Cell, CellStore
from sancodec.experiments.comparison import make_rows
from sancodec.experiments.dataset import Dataset
from sancodec.experiments.epilepsy import EpilepsyChoice, read_epilepsy
from sancodec.experiments.images import ImageChoice, read_images
from sancodec.experiments.physionet import BY_NAME, WindowChoice, read_physionet
from sancodec.experiments.plan import PURSUIT, Plan
from sancodec.experiments.pursuing import pursuit_cell
from sancodec.experiments.sweeping import baseline_accuracy, sweep_cell
from sancodec.experiments.tables import Results, as_csv, as_json, as_markdown
from sancodec.formats.output import PendingFiles

_RESULTS = "results.json"
_STEPS = 1_000

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Where a plan is carried out.

    Attributes
    ----------
    plan : Plan
    folder : Path
        Of the data sets.
    output : Path
        Folder of the results; what is done in it already is not done again.
    fetch : bool
        Fetch what is not in ``folder`` over the network.
    force : bool
        Overwrite results of other settings.
    """

    plan: Plan
    folder: Path
    output: Path
    fetch: bool = False
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a job gave: its results and the files that were written."""

    results: Results
    files: Sequence[Path] = field(default_factory=tuple)


def run(job: Job, on_step: Progress | None = None) -> Outcome:
    """Carry out a job. Data sets that cannot be run are named in the results; the others go on.

    Raises
    ------
    RecordError
        No data set can be run.
    OutputError
        The output holds results of other settings, or cannot be written.
    """
    _refuse_other_settings(job)
    finished = finish_cells(job, on_step)
    results = Results(
        plan=job.plan,
        rows=make_rows(job.plan, finished.cells, finished.baselines),
        notes=finished.notes,
        skipped=finished.skipped,
        baselines=finished.baselines,
    )
    return Outcome(results=results, files=_write(job, results, finished.cells))


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The cells of a job, without tables and figures; the rest as in Results."""

    cells: list[Cell]
    baselines: dict[str, float]
    notes: Mapping[str, Sequence[str]]
    skipped: dict[str, str]


def finish_cells(job: Job, on_step: Progress | None = None) -> Finished:
    """Train and test whatever of a job is not done yet, and give all of it.

    Raises
    ------
    RecordError
        No data set can be run.
    OutputError
        The output cannot be written.
    """
    store = CellStore(job.output / "cells")
    datasets, skipped = _read(job)
    cells: list[Cell] = []
    baselines: dict[str, float] = {}
    for dataset in datasets:
        for activation in job.plan.columns:
            tell = _part_of(on_step, len(cells), len(datasets) * len(job.plan.columns))
            cells.append(_cell(job.plan, store, dataset, activation, tell))
        if dataset.n_classes:
            baselines[dataset.name] = _baseline(job.plan, store, dataset)
    notes = {dataset.name: dataset.notes for dataset in datasets if dataset.notes}
    return Finished(cells=cells, baselines=baselines, notes=notes, skipped=skipped)


def read_dataset(plan: Plan, name: str, folder: Path) -> Dataset:
    """Give one data set of a plan, as its choices have it.

    Raises
    ------
    RecordError
        It is not there, not whole, too short, or has NaN.
    """
    choices = plan.choices
    if plan.experiment == "physionet":
        window = WindowChoice(
            record=plan.records.get(name),
            start=plan.start_sample,
            deviation=choices["deviation"],
        )
        return read_physionet(folder, BY_NAME[name], window)
    if plan.experiment == "uci-epilepsy":
        table = EpilepsyChoice(scaling=choices["scaling"], split=choices["split"])
        return read_epilepsy(folder, table).thinned(plan.scale.n_observations)
    pixels = ImageChoice(pixels=choices["pixels"])
    return read_images(folder, name, pixels).thinned(plan.scale.n_observations)


def _read(job: Job) -> tuple[list[Dataset], dict[str, str]]:
    """Give the data sets that can be run, and of each other one why it cannot."""
    datasets: list[Dataset] = []
    skipped: dict[str, str] = {}
    for name in job.plan.rows:
        try:
            if job.fetch:
                _fetch(job, name)
            datasets.append(read_dataset(job.plan, name, job.folder))
        except SancodecError as error:
            if len(job.plan.rows) == 1:
                raise
            skipped[name] = str(error)
    if not datasets:
        raise RecordError(
            f"none of {len(skipped)} data sets can be run: {'; '.join(skipped.values())}"
        )
    return datasets, skipped


def _fetch(job: Job, name: str) -> None:
    # Imported here: wfdb takes a second, and most runs fetch nothing.
    from sancodec.experiments import fetch  # noqa: PLC0415

    if job.plan.experiment == "physionet":
        fetch.fetch_physionet(job.folder, BY_NAME[name])
    elif job.plan.experiment == "uci-epilepsy":
        fetch.fetch_epilepsy(job.folder)
    else:
        fetch.fetch_images(job.folder, name)


def _cell(
    plan: Plan, store: CellStore, dataset: Dataset, activation: str, on_step: Progress | None
) -> Cell:
    name = f"{dataset.name}-{activation}"
    settings = {**plan.settings(), "activation": activation, "data": dataset.digest()}
    found = store.load(name, settings)
    if found is None:
        store.folder.mkdir(parents=True, exist_ok=True)
        if activation == PURSUIT:
            found = pursuit_cell(dataset, plan, on_step)
        else:
            checkpoint = store.checkpoint(name, settings)
            found = sweep_cell(dataset, activation, plan, checkpoint, on_step)
        store.save(name, settings, found)
    if on_step:
        on_step(1, 1)
    return found


def _baseline(plan: Plan, store: CellStore, dataset: Dataset) -> float:
    settings = {**plan.settings(), "data": dataset.digest()}
    name = f"{dataset.name}-baseline"
    return store.number(name, settings, lambda: baseline_accuracy(dataset, plan))


def _refuse_other_settings(job: Job) -> None:
    path = job.output / _RESULTS
    if job.force or not path.exists():
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{path}: no results of this command; choose another folder") from error
    if found != json.loads(json.dumps(job.plan.settings())):
        raise OutputError(
            f"{path}: results of other settings; choose another folder, or overwrite them with "
            "--force"
        )


def _write(job: Job, results: Results, cells: Sequence[Cell]) -> list[Path]:
    name = job.plan.experiment
    texts = {
        job.output / _RESULTS: as_json(results),
        job.output / f"{name}.csv": as_csv(results),
        job.output / f"{name}.md": as_markdown(results),
    }
    with PendingFiles(list(texts), force=True) as pending:
        for file, text in zip(pending.files, texts.values(), strict=True):
            file.write(text.encode())
        written = pending.commit()
    return written + _draw(job, cells)


def _draw(job: Job, cells: Sequence[Cell]) -> list[Path]:
    folder = job.output / "figures"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        drawn = []
        for name in dict.fromkeys(cell.dataset for cell in cells):
            own = [cell for cell in cells if cell.dataset == name]
            drawn += [folder / f"plane-{name}.png", folder / f"chain-{name}.png"]
            figures.draw_plane(own, drawn[-2])
            figures.draw_chain(own, drawn[-1])
        everything = [figures.draw_kernels, figures.draw_epochs]
        if all(len(cell.sizes) > 1 for cell in cells):
            everything.append(figures.draw_sizes)
            if job.plan.experiment == "physionet":
                everything.append(figures.draw_density)
        for draw in everything:
            drawn.append(folder / f"{draw.__name__.removeprefix('draw_')}.png")
            draw(cells, drawn[-1])
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from error
    return drawn


def _part_of(on_step: Progress | None, n_done: int, n_all: int) -> Progress | None:
    """Give a callback for one of several parts of equal length."""
    if on_step is None:
        return None
    return lambda done, of: on_step(round(_STEPS * (n_done + done / of)), _STEPS * n_all)
