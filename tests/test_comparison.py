"""Tables beside the paper's: the right cell is compared with the right one, and nothing is lost."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from sancodec.errors import ConfigError
from sancodec.experiments.cells import Cell, CellStore, stack_kernels
from sancodec.experiments.comparison import lowest_of_groups, make_rows
from sancodec.experiments.paper import ACTIVATIONS, EXPERIMENTS, paper_table
from sancodec.experiments.plan import PURSUIT, Plan, scale_of
from sancodec.experiments.tables import Results, as_csv, as_json, as_markdown


def make_cell(
    dataset: str, activation: str, sizes: list[list[int]], flithos: list[float], chosen: int = 0
) -> Cell:
    """Give a cell with some figures and kernels of ones."""
    n = len(sizes)
    phi = np.array(flithos)
    line = np.zeros(40, np.float32)
    return Cell(
        dataset=dataset,
        activation=activation,
        sizes=np.array(sizes),
        kernels=stack_kernels([[np.ones(m, np.float32) for m in network] for network in sizes]),
        epoch_flithos=np.tile(phi, (3, 1)),
        epoch_flithos_std=np.full((3, n), 0.1),
        kept_epoch=np.zeros(n, np.int64),
        validation_flithos=phi,
        inverse_cr=phi / 2,
        normalized_loss=phi / 3,
        flithos=phi,
        flithos_std=np.full(n, 0.1),
        accuracy=np.full(n, 80.0),
        chosen=np.array(chosen),
        example=line,
        example_reconstruction=line,
        example_similarity=np.stack([line] * len(sizes[0])),
        example_activation=np.stack([line] * len(sizes[0])),
        example_parts=np.stack([line] * len(sizes[0])),
        seconds=np.array(1.0),
    )


def _plan(experiment: str, **settings: object) -> Plan:
    return Plan(experiment=experiment, scale=scale_of(experiment, quick=False), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("experiment", "n_cells"),
    [("physionet", 75), ("uci-epilepsy", 40), ("mnist", 30), ("fashion-mnist", 30)],
)
def test_the_tables_of_the_paper_are_whole(experiment: str, n_cells: int) -> None:
    cells = paper_table(experiment)
    assert len(cells) == n_cells
    assert {cell.activation for cell in cells} == set(ACTIVATIONS)
    for cell in cells:
        # Mean flithos is the mean of phi, so it is near phi of the means and not below it.
        phi = np.hypot(cell.inverse_cr, cell.normalized_loss)
        assert cell.mean_flithos == pytest.approx(phi, abs=0.04)
        assert (cell.accuracy_change is None) == (experiment == "physionet")


def test_there_is_no_table_of_another_experiment() -> None:
    with pytest.raises(ConfigError, match="expected one of physionet"):
        paper_table("cifar")
    assert len(EXPERIMENTS) == 4


def test_the_chosen_size_stands_beside_table_one() -> None:
    plan = _plan("physionet")
    cell = make_cell("mitdb", "extrema", [[9], [229], [230]], [0.6, 0.46, 0.5], chosen=1)
    (row,) = make_rows(plan, [cell], {})
    assert (row.sizes, row.mean_flithos) == ("229", 0.46)
    assert row.paper is not None
    assert (row.paper.kernel_size, row.paper.mean_flithos) == (229, 0.45)
    assert row.difference("mean_flithos") == pytest.approx(0.01)
    assert row.difference("accuracy_change") is None


def test_every_size_stands_beside_the_other_tables() -> None:
    cells = [make_cell("mnist", name, [[3, 3], [2, 2]], [0.5, 0.7]) for name in ("relu", "extrema")]
    rows = make_rows(_plan("mnist"), cells, {"mnist": 92.0})
    assert [(row.sizes, row.activation) for row in rows] == [
        ("2", "relu"),
        ("2", "extrema"),
        ("3", "relu"),
        ("3", "extrema"),
    ]
    assert rows[3].accuracy_change == -12
    assert rows[3].difference("accuracy_change") == pytest.approx(-12 + 7.3)


def test_pursuit_stands_beside_the_best_of_the_row() -> None:
    cell = make_cell("ctu-uhb-ctgdb", PURSUIT, [[15, 40]], [0.3])
    (row,) = make_rows(_plan("physionet", protocol="sancodec"), [cell], {})
    assert row.sizes == "15+40"
    assert row.paper is not None
    assert row.paper.activation == "extrema_pool_indices"
    assert row.difference("mean_flithos") == pytest.approx(0.3 - 0.49)


def test_a_size_that_the_paper_does_not_have_stands_alone() -> None:
    (row,) = make_rows(_plan("mnist"), [make_cell("mnist", "relu", [[9, 9]], [0.4])], {})
    assert row.paper is None
    assert row.difference("mean_flithos") is None


def test_the_lowest_of_the_five_is_told_with_ties_to_two_decimals() -> None:
    phi = dict(zip(ACTIVATIONS, [2.0, 0.9, 0.6, 0.322, 0.318], strict=True))
    cells = [make_cell("bidmc", name, [[7]], [phi[name]]) for name in ACTIVATIONS]
    plan = _plan("physionet")
    (group,) = lowest_of_groups(plan, make_rows(plan, cells, {}))
    assert group.group == "bidmc"
    assert group.ours == group.paper == ("extrema_pool_indices", "extrema")
    assert lowest_of_groups(plan, make_rows(plan, cells[:4], {})) == []


def _results() -> Results:
    plan = _plan("uci-epilepsy")
    cells = [make_cell("uci-epilepsy", name, [[8, 8]], [0.625]) for name in ACTIVATIONS]
    baselines = {"uci-epilepsy": 90.5}
    return Results(
        plan=plan,
        rows=make_rows(plan, cells, baselines),
        notes={"uci-epilepsy": ("split by recording",)},
        skipped={"other": "other: not there"},
        baselines=baselines,
    )


def test_the_csv_file_has_ours_the_papers_and_the_difference() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(_results()))))
    assert len(rows) == 5
    row = rows[ACTIVATIONS.index("extrema")]
    assert (row["mean_flithos"], row["paper_mean_flithos"]) == ("0.625", "0.59")
    assert float(row["difference_mean_flithos"]) == pytest.approx(0.035)
    assert (row["accuracy_change"], row["paper_accuracy_change"]) == ("-10.5", "2.8")
    assert row["paper_kernel_size"] == "8"


def test_the_markdown_says_every_choice_and_what_was_not_run() -> None:
    results = _results()
    text = as_markdown(results)
    for name, value in results.plan.choices.items():
        assert f"[{name}={value}]" in text
    assert "- NOT RUN: other: not there" in text
    assert "- uci-epilepsy: split by recording" in text
    assert "90.5 % on the original data" in text
    assert "| 0.59 / 0.62 (+0.04) |" in text
    assert "+2.8 / -10.5 (-13.3)" in text


def test_the_json_document_says_the_same() -> None:
    found = json.loads(as_json(_results()))
    assert found["settings"]["choices"]["scaling"] == "symmetric"
    assert found["skipped"] == {"other": "other: not there"}
    row = found["rows"][4]
    assert row["paper"]["mean_flithos"] == 0.59
    assert row["difference"]["mean_flithos"] == pytest.approx(0.035)


def test_a_cell_comes_back_from_the_disk_and_only_for_its_settings(tmp_path: Path) -> None:
    store = CellStore(tmp_path / "cells")
    cell = make_cell("mitdb", "extrema", [[3], [5]], [0.5, 0.25], chosen=1)
    store.checkpoint("mitdb-extrema", {"seed": 0}).parent.mkdir()
    store.checkpoint("mitdb-extrema", {"seed": 0}).write_text("half done")
    path = store.save("mitdb-extrema", {"seed": 0}, cell)
    assert list((tmp_path / "cells").iterdir()) == [path]
    found = store.load("mitdb-extrema", {"seed": 0})
    assert found is not None
    assert (found.dataset, found.activation, found.size_label(1)) == ("mitdb", "extrema", "5")
    np.testing.assert_array_equal(found.kernels, cell.kernels)
    np.testing.assert_array_equal(found.kernels_of(0)[0], np.ones(3))
    assert store.load("mitdb-extrema", {"seed": 1}) is None


@pytest.mark.parametrize("n_bytes", [0, 1, 100, -1])
def test_a_cell_that_is_not_whole_is_computed_anew(n_bytes: int, tmp_path: Path) -> None:
    store = CellStore(tmp_path)
    path = store.save("a", {}, make_cell("a", "relu", [[3]], [0.5]))
    path.write_bytes(path.read_bytes()[:n_bytes])
    assert store.load("a", {}) is None


def test_a_cell_under_the_name_of_another_is_not_believed(tmp_path: Path) -> None:
    store = CellStore(tmp_path)
    path = store.save("a", {"seed": 0}, make_cell("a", "relu", [[3]], [0.5]))
    path.rename(store.path("a", {"seed": 1}))
    assert store.load("a", {"seed": 1}) is None


def test_a_number_is_computed_once(tmp_path: Path) -> None:
    store = CellStore(tmp_path)
    assert store.number("a", {}, lambda: 0.1) == 0.1
    assert store.number("a", {}, lambda: 0.2) == 0.1
    store.path("a", {}).with_suffix(".json").write_text("{")
    assert store.number("a", {}, lambda: 0.3) == 0.3
