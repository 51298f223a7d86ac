"""The table of EEG segments: its splits keep recordings together, and damage is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from experiment_data import write_epilepsy

from sancodec.errors import ConfigError, RecordError
from sancodec.experiments.epilepsy import (
    EpilepsyChoice,
    Table,
    find_table,
    make_dataset,
    read_epilepsy,
    read_table,
)


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return read_table(write_epilepsy(tmp_path_factory.mktemp("rebuilt")))


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return read_table(write_epilepsy(tmp_path_factory.mktemp("shuffled"), in_uci_order=True))


def _rows(table: Table, signals: np.ndarray) -> list[int]:
    """Give the rows of a table whose scaled values are these."""
    low, high = table.values.min(), table.values.max()
    scaled = ((table.values - low) / (high - low)).astype(np.float32)
    places = {row.tobytes(): i for i, row in enumerate(scaled)}
    return [places[row.tobytes()] for row in signals]


def test_no_recording_is_in_two_parts_and_classes_are_balanced(rebuilt: Table) -> None:
    dataset = make_dataset(rebuilt, EpilepsyChoice())
    assert [len(part.signals) for part in dataset.parts] == [8_740, 1_380, 1_380]
    recordings = rebuilt.recordings()
    seen = [{recordings[row] for row in _rows(rebuilt, part.signals)} for part in dataset.parts]
    assert [len(part) for part in seen] == [380, 60, 60]
    assert not seen[0] & seen[1]
    assert not seen[2] & (seen[0] | seen[1])
    for part in dataset.parts:
        assert part.labels is not None
        shares = np.bincount(part.labels) / len(part.labels)
        np.testing.assert_allclose(shares, [0.2, 0.4, 0.4])
    assert "by recording" in dataset.notes[0]


def test_ucis_rows_are_split_in_their_order(shuffled: Table) -> None:
    dataset = make_dataset(shuffled, EpilepsyChoice())
    assert _rows(shuffled, dataset.validation.signals) == list(range(8_740, 10_120))
    assert "in the order of UCI's rows" in dataset.notes[0]


def test_ucis_rows_can_be_split_by_recording(shuffled: Table) -> None:
    dataset = make_dataset(shuffled, EpilepsyChoice(split="recording"))
    recordings = shuffled.recordings()
    seen = [{recordings[row] for row in _rows(shuffled, part.signals)} for part in dataset.parts]
    assert not seen[0] & (seen[1] | seen[2])


def test_rows_in_another_order_are_not_split_as_if_they_were_ucis(rebuilt: Table) -> None:
    with pytest.raises(RecordError, match="not in UCI's order"):
        make_dataset(rebuilt, EpilepsyChoice(split="order"))


def test_the_digest_of_the_rows_does_not_depend_on_their_order(
    rebuilt: Table, shuffled: Table
) -> None:
    assert rebuilt.content_digest() == shuffled.content_digest()
    changed = shuffled.values.copy()
    changed[17, 3] += 1
    other = Table(names=shuffled.names, values=changed, classes=shuffled.classes)
    assert other.content_digest() != shuffled.content_digest()


def test_scaling_reaches_both_ends(rebuilt: Table) -> None:
    for scaling, low in (("unit", 0), ("symmetric", -1)):
        dataset = make_dataset(rebuilt, EpilepsyChoice(scaling=scaling))
        values = np.concatenate([part.signals.ravel() for part in dataset.parts])
        assert (values.min(), values.max()) == (low, 1)


def test_a_packed_table_is_the_same(tmp_path: Path, rebuilt: Table) -> None:
    path = write_epilepsy(tmp_path)
    packed = path.with_name("data.csv.gz")
    packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    path.unlink()
    assert find_table(tmp_path) == packed
    assert read_table(packed).content_digest() == rebuilt.content_digest()
    packed.write_bytes(packed.read_bytes()[:-9_000])
    with pytest.raises(RecordError, match="damaged"):
        read_table(packed)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="not there"):
        read_epilepsy(tmp_path, EpilepsyChoice())


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("Z001.01,1,2", "3 fields, expected 180"),
        (",".join(["Z001.01", *["1"] * 177, "1.5", "1"]), "must be an integer"),
        (",".join(["Z001.01", *["1"] * 177, "nan", "1"]), "must be an integer"),
        (",".join(["Z001.01", *["1"] * 178, "6"]), "class 6"),
        (",".join(["Z001.01", *["1"] * 177, "40000", "2"]), "beyond 16 bits"),
        (",".join(["Z001.01", *["1"] * 178, "2"]), "1 rows, expected 11,500"),
    ],
)
def test_a_damaged_line_is_refused(line: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(",".join(["", *(f"X{i}" for i in range(1, 179)), "y"]) + f"\n{line}\n")
    with pytest.raises(RecordError, match=problem):
        read_table(path)


def test_a_table_of_other_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("id,a,b,y\n")
    with pytest.raises(RecordError, match="expected the columns"):
        read_table(path)


def test_a_row_that_names_no_recording_cannot_be_split_by_it(rebuilt: Table) -> None:
    table = Table(names=("1", *rebuilt.names[1:]), values=rebuilt.values, classes=rebuilt.classes)
    with pytest.raises(RecordError, match="does not name its recording"):
        make_dataset(table, EpilepsyChoice())


def test_choices_are_checked() -> None:
    with pytest.raises(ConfigError, match="scaling"):
        EpilepsyChoice(scaling="none")
    with pytest.raises(ConfigError, match="split"):
        EpilepsyChoice(split="none")
