"""The experiments from end to end, small, on generated data in the layout of the real ones."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from experiment_data import beats, write_epilepsy, write_images, write_record

from sancodec.cli.main import main
from sancodec.experiments import job as jobs
from sancodec.experiments.cells import Cell
from sancodec.experiments.job import Job, run
from sancodec.experiments.paper import ACTIVATIONS
from sancodec.experiments.plan import Plan, scale_of

QUICK = ["--quick", "--device", "cpu"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_record(folder / "mitdb", "100", beats(12_000), "MLII")
    write_record(folder / "physionet" / "emgdb", "emg_healthy", beats(12_000, seed=1), "EMG")
    write_record(folder / "physionet" / "voiced", "voice001", beats(9_000), "voice")
    write_epilepsy(folder)
    write_images(folder, "mnist")
    write_images(folder, "fashion-mnist")
    return folder


def _run(*arguments: str | Path) -> int:
    return main(["experiments", *map(str, arguments)])


def _rows(output: Path, name: str) -> list[dict[str, str]]:
    with (output / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 2_000


def test_physionet_runs_what_is_there_and_names_what_is_not(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    names = "mitdb,emgdb,voiced,slpdb"
    assert _run("physionet", "--data", data, "-o", output, "--datasets", names, *QUICK) == 4
    said = capsys.readouterr()
    assert "skipped: voiced, voice001: too short, 9,000 samples" in said.err
    assert "skipped: slpdb: not there" in said.err
    assert "mitdb" in said.out
    rows = _rows(output, "physionet")
    assert [(row["dataset"], row["activation"]) for row in rows] == [
        (name, activation) for name in ("emgdb", "mitdb") for activation in ACTIVATIONS
    ]
    for row in rows:
        assert row["kernel_sizes"] in ("4", "8", "16")
        assert 0 < float(row["mean_flithos"]) < 3
    assert float(rows[9]["paper_mean_flithos"]) == 0.45
    markdown = (output / "physionet.md").read_text()
    assert "NOT RUN: slpdb: not there" in markdown
    assert str(data) not in markdown
    drawn = {path.name for path in (output / "figures").iterdir() if _is_png(path)}
    everything = {"density.png", "epochs.png", "sizes.png", "kernels.png"}
    assert drawn == everything | {
        f"{kind}-{name}.png" for kind in ("plane", "chain") for name in ("emgdb", "mitdb")
    }


def test_training_lowers_flithos(data: Path, tmp_path: Path) -> None:
    for epochs in (1, 12):
        arguments = ["--datasets", "mitdb", "--activations", "extrema", "--epochs", epochs]
        output = tmp_path / str(epochs)
        assert _run("physionet", "--data", data, "-o", output, *map(str, arguments), *QUICK) == 0
    phi = [float(_rows(tmp_path / n, "physionet")[0]["mean_flithos"]) for n in ("1", "12")]
    assert phi[1] < 0.8 * phi[0]


@pytest.mark.parametrize("experiment", ["uci-epilepsy", "mnist", "fashion-mnist"])
def test_the_supervised_experiments_give_accuracies(
    experiment: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    arguments = ["--activations", "identity,extrema", "--json"]
    assert _run(experiment, "--data", data, "-o", output, *arguments, *QUICK) == 0
    found = json.loads(capsys.readouterr().out)
    baseline = found["baseline_accuracy_percent"][experiment]
    assert 20 < baseline <= 100
    rows = _rows(output, experiment)
    assert len(rows) == 4
    for row in rows:
        assert 0 <= baseline + float(row["accuracy_change"]) <= 100 + 1e-6
        assert row["paper_accuracy_change"]
    assert all(_is_png(path) for path in (output / "figures").iterdir())
    assert {Path(path).name for path in found["files"]} >= {
        "results.json",
        f"{experiment}.csv",
        f"{experiment}.md",
        "kernels.png",
        f"chain-{experiment}.png",
    }


@pytest.mark.parametrize("experiment", ["physionet", "uci-epilepsy", "mnist"])
def test_protocol_sancodec_runs_and_keeps_test_data_out_of_its_choices(
    experiment: str, data: Path, tmp_path: Path
) -> None:
    arguments = ["--protocol", "sancodec"]
    if experiment == "physionet":
        arguments += ["--datasets", "mitdb"]
    else:
        arguments += ["--kernel-sizes", "4"]
    output = tmp_path / "out"
    assert _run(experiment, "--data", data, "-o", output, *arguments, "--quick") == 0
    (row,) = _rows(output, experiment)
    assert row["activation"] == "pursuit"
    # The best of the paper's five, of those sizes that it has.
    best = {"physionet": "extrema", "uci-epilepsy": "", "mnist": "topk_absolutes"}
    assert row["paper_activation"] == best[experiment]
    assert 0 < float(row["mean_flithos"]) < 1
    found = json.loads((output / "results.json").read_text())
    assert "choose-on" not in found["settings"]["choices"]
    assert _is_png(
        output / "figures" / f"chain-{'mitdb' if experiment == 'physionet' else experiment}.png"
    )


def test_pursuit_does_better_than_the_activation_functions(data: Path, tmp_path: Path) -> None:
    phi = {}
    for protocol in ("paper", "sancodec"):
        output = tmp_path / protocol
        arguments = ["--protocol", protocol, "--datasets", "mitdb"]
        assert _run("physionet", "--data", data, "-o", output, *arguments, "--quick") == 0
        phi[protocol] = min(float(row["mean_flithos"]) for row in _rows(output, "physionet"))
    assert phi["sancodec"] < phi["paper"] / 2


def _plan(**settings: Any) -> Plan:
    chosen = {"datasets": ("mitdb",), "activations": ("relu", "extrema"), "device": "cpu"}
    return Plan(
        experiment="physionet",
        scale=scale_of("physionet", quick=True),
        **{**chosen, **settings},
    )


def _tables(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()}


def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(Job(plan=_plan(), folder=data, output=tmp_path / "whole"))
    trained = []
    real = jobs.sweep_cell

    def stopping(dataset: Any, activation: str, *rest: Any) -> Cell:
        trained.append(activation)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return real(dataset, activation, *rest)

    monkeypatch.setattr(jobs, "sweep_cell", stopping)
    parts = Job(plan=_plan(), folder=data, output=tmp_path / "parts")
    with pytest.raises(KeyboardInterrupt):
        run(parts)
    assert not (tmp_path / "parts" / "results.json").exists()
    run(parts)
    run(parts)
    assert trained == ["relu", "extrema", "extrema"]
    assert _tables(tmp_path / "parts") == _tables(tmp_path / "whole")


def test_a_sweep_that_was_stopped_halfway_goes_on_from_its_epoch(
    data: Path, tmp_path: Path
) -> None:
    plan = _plan(activations=("extrema",))
    run(Job(plan=plan, folder=data, output=tmp_path / "whole"))

    def stop_in_the_second_epoch(n_done: int, n_all: int) -> None:
        if 2 * n_done > n_all:
            raise KeyboardInterrupt

    halves = Job(plan=plan, folder=data, output=tmp_path / "halves")
    with pytest.raises(KeyboardInterrupt):
        run(halves, stop_in_the_second_epoch)
    assert [path.suffix for path in (tmp_path / "halves" / "cells").iterdir()] == [".partial"]
    steps: list[float] = []
    run(halves, lambda n_done, n_all: steps.append(n_done / n_all))
    assert steps[0] > 0.5, "the first of two epochs is done again"
    assert _tables(tmp_path / "halves") == _tables(tmp_path / "whole")


def test_other_data_are_trained_on_anew(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    run(Job(plan=_plan(activations=("relu",)), folder=data, output=output))
    before = _tables(output)
    other = tmp_path / "data"
    write_record(other / "mitdb", "100", beats(12_000, seed=9), "MLII")
    run(Job(plan=_plan(activations=("relu",)), folder=other, output=output))
    assert _tables(output)["physionet.csv"] != before["physionet.csv"]


def test_choices_move_the_figures(data: Path, tmp_path: Path) -> None:
    plain = _plan(activations=("extrema",))
    cells = {}
    for name, value in (("start", "constant"), ("synthesis", "matched"), ("keep", "best")):
        plan = _plan(activations=("extrema",), given={name: value})
        assert plan.settings() != plain.settings()
        job = Job(plan=plan, folder=data, output=tmp_path / name)
        cells[name] = run(job).results.rows[0].mean_flithos
    reference = run(Job(plan=plain, folder=data, output=tmp_path / "plain")).results.rows[0]
    assert cells["start"] != reference.mean_flithos
    assert cells["synthesis"] != reference.mean_flithos


def test_results_of_other_settings_are_not_overwritten(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--data", data, "-o", tmp_path, "--datasets", "mitdb", "--activations", "relu"]
    assert _run("physionet", *common, *QUICK) == 0
    before = _tables(tmp_path)
    assert _run("physionet", *common, "--seed", "1", *QUICK) == 1
    assert "results of other settings" in capsys.readouterr().err
    assert _tables(tmp_path) == before
    assert _run("physionet", *common, "--seed", "1", "--force", *QUICK) == 0
    assert _tables(tmp_path) != before


def test_a_file_that_is_no_results_is_not_overwritten(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results.json").write_text("{}")
    assert _run("physionet", "--data", data, "-o", tmp_path, "--datasets", "mitdb", *QUICK) == 1
    assert "no results of this command" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "ending"),
    [
        (["physionet", "--datasets", "slpdb"], (1, "slpdb: not there")),
        (["physionet", "--datasets", "slpdb,prcp"], (1, "none of 2 data sets")),
        (["physionet", "--datasets", "mitbd"], (2, "data set: 'mitbd'")),
        (["physionet", "--activations", "tanh"], (2, "activation: 'tanh'")),
        (["physionet", "--kernel-sizes", "5-3"], (2, "expected sizes as in")),
        (["physionet", "--kernel-sizes", "0-3"], (2, "expected sizes as in")),
        (["physionet", "--kernel-sizes", "1-999999999999"], (2, "none above 1000")),
        (["physionet", "--kernel-sizes", "1,x"], (2, "expected sizes as in")),
        (["physionet", "--record", "mitdb"], (2, "DATASET=RECORD")),
        (
            ["physionet", "--datasets", "mitdb", "--record", "mitdb=999"],
            (1, "record 999 is not there"),
        ),
        (["physionet", "--scaling", "unit"], (2, "No such option")),
        (["mnist", "--datasets", "mitdb"], (2, "No such option")),
        (["mnist", "--protocol", "sancodec", "--weights", "side"], (2, "protocol sancodec fixes")),
        (["mnist", "--protocol", "sancodec", "--device", "cuda"], (2, "searches on the CPU")),
        (["physionet", "--protocol", "sancodec", "--epochs", "3"], (2, "--epochs: the search")),
        (["cifar"], (2, "No such command")),
    ],
)
def test_what_cannot_be_run_is_said_with_its_exit_code(
    arguments: list[str], ending: tuple[int, str], data: Path, tmp_path: Path, capsys: Any
) -> None:
    code, problem = ending
    assert _run(*arguments, "--data", data, "-o", tmp_path / "out", "--quick") == code
    assert problem in capsys.readouterr().err
    assert not (tmp_path / "out" / "results.json").exists()


def test_the_folder_of_the_data_comes_from_the_environment(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    arguments = ["physionet", "-o", tmp_path, "--datasets", "mitdb", "--activations", "relu"]
    monkeypatch.delenv("SANCODEC_DATA", raising=False)
    assert _run(*arguments, *QUICK) == 2
    assert "set SANCODEC_DATA" in capsys.readouterr().err
    monkeypatch.setenv("SANCODEC_DATA", str(data))
    assert _run(*arguments, *QUICK) == 0


def test_another_record_and_other_sizes_are_taken(data: Path, tmp_path: Path) -> None:
    write_record(tmp_path / "data" / "mitdb", "105", beats(12_500, seed=2), "MLII")
    sizes = ["--kernel-sizes", "3-4,9", "--start-sample", "500", "--record", "mitdb=105"]
    arguments = ["--datasets", "mitdb", "--activations", "relu", *sizes]
    output = tmp_path / "out"
    assert _run("physionet", "--data", tmp_path / "data", "-o", output, *arguments, *QUICK) == 0
    found = json.loads((output / "results.json").read_text())
    assert found["settings"]["scale"]["kernel_sizes"] == [3, 4, 9]
    assert found["notes"]["mitdb"] == [
        "record 105",
        "not the record that the paper used",
        "from sample 500",
    ]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--help"], ["physionet", "uci-epilepsy", "mnist", "fashion-mnist", "Example"]),
        (["physionet", "--help"], ["--choose-on", "--datasets", "SANCODEC_DATA", "Example"]),
        (["uci-epilepsy", "--help"], ["--scaling", "--split", "--baseline"]),
        (["mnist", "--help"], ["--pixels", "--weights", "in samples"]),
    ],
)
def test_the_help_shows_every_choice(arguments: list[str], wanted: list[str], capsys: Any) -> None:
    assert _run(*arguments) == 0
    text = capsys.readouterr().out
    for part in wanted:
        assert part in text
    assert max(map(len, text.splitlines())) <= 100


DATA = os.environ.get("SANCODEC_DATA")


@pytest.mark.skipif(DATA is None, reason="SANCODEC_DATA names no folder of real recordings")
def test_a_cell_of_the_papers_table_is_met_on_the_real_record(tmp_path: Path) -> None:
    """Top-k absolutes on mitdb: the one of 250 sizes that the paper found, and its flithos."""
    arguments = ["--datasets", "mitdb", "--activations", "topk_absolutes", "--device", "cpu"]
    sizes = ["--kernel-sizes", "5-9"]
    assert _run("physionet", "--data", DATA or "", "-o", tmp_path, *arguments, *sizes) == 0
    (row,) = _rows(tmp_path, "physionet")
    assert abs(float(row["difference_mean_flithos"])) < 0.02
    assert np.isclose(float(row["inverse_cr"]), 0.29, atol=0.04)
