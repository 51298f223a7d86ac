"""Windows of the paper's table I: a record that is short, damaged or missing is never guessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from experiment_data import beats, write_record

from sancodec.errors import ConfigError, RecordError
from sancodec.experiments.paper import paper_table
from sancodec.experiments.physionet import (
    BY_NAME,
    SOURCES,
    WindowChoice,
    cut_windows,
    read_physionet,
)

MITDB = BY_NAME["mitdb"]


def test_every_row_of_table_one_has_its_source() -> None:
    assert [source.name for source in SOURCES] == list(
        dict.fromkeys(cell.dataset for cell in paper_table("physionet"))
    )


@pytest.mark.parametrize("place", ["physionet/mitdb", "mitdb"])
def test_the_first_twelve_thousand_samples_become_six_two_and_four_windows(
    place: str, tmp_path: Path
) -> None:
    signal = beats(12_345)
    write_record(tmp_path / place, "100", signal, "MLII")
    dataset = read_physionet(tmp_path, MITDB, WindowChoice())
    assert [len(part.signals) for part in dataset.parts] == [6, 2, 4]
    window = signal[7_000:8_000] - signal[7_000:8_000].mean()
    np.testing.assert_allclose(
        dataset.validation.signals[1], window / window.std(ddof=1), rtol=1e-5, atol=1e-6
    )


def test_choices_move_the_windows_and_their_scale(tmp_path: Path) -> None:
    write_record(tmp_path / "mitdb", "100", beats(13_000), "MLII")
    plain = read_physionet(tmp_path, MITDB, WindowChoice())
    later = read_physionet(tmp_path, MITDB, WindowChoice(start=1_000))
    np.testing.assert_array_equal(later.training.signals[:5], plain.training.signals[1:])
    wider = read_physionet(tmp_path, MITDB, WindowChoice(deviation="population"))
    np.testing.assert_allclose(wider.test.signals.std(axis=1), 1, rtol=1e-5)
    assert len({dataset.digest() for dataset in (plain, later, wider)}) == 3


def test_another_record_is_taken_and_said(tmp_path: Path) -> None:
    write_record(tmp_path / "mitdb", "101", beats(12_000, seed=1), "MLII")
    dataset = read_physionet(tmp_path, MITDB, WindowChoice(record="101"))
    assert "not the record that the paper used" in dataset.notes


def test_a_missing_database_and_a_missing_record_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="neither physionet/mitdb nor mitdb"):
        read_physionet(tmp_path, MITDB, WindowChoice())
    (tmp_path / "mitdb").mkdir()
    with pytest.raises(RecordError, match="record 100 is not there"):
        read_physionet(tmp_path, MITDB, WindowChoice())


def test_the_record_that_the_list_names_first_is_taken_where_none_is_known(tmp_path: Path) -> None:
    folder = tmp_path / "bpssrat"
    for name in ("b", "a"):
        write_record(folder, name, beats(12_000), "ABP")
    (folder / "RECORDS").write_text("b\na\n")
    assert read_physionet(tmp_path, BY_NAME["bpssrat"], WindowChoice()).notes == ("record b",)
    (folder / "RECORDS").unlink()
    assert read_physionet(tmp_path, BY_NAME["bpssrat"], WindowChoice()).notes == ("record a",)


def test_a_short_record_is_refused_with_its_length(tmp_path: Path) -> None:
    write_record(tmp_path / "mitdb", "100", beats(11_999), "MLII")
    with pytest.raises(RecordError, match="too short, 11,999 samples"):
        read_physionet(tmp_path, MITDB, WindowChoice())


def test_the_invalid_value_of_a_format_is_no_sample(tmp_path: Path) -> None:
    signal = beats(12_000)
    signal[[5, 11_999]] = -(1 << 15)
    write_record(tmp_path / "mitdb", "100", signal, "MLII")
    with pytest.raises(RecordError, match="NaN in 2 of its first 12,000"):
        read_physionet(tmp_path, MITDB, WindowChoice())


def test_a_constant_window_is_refused() -> None:
    signal = beats(12_000).astype(np.float64)
    signal[3_000:4_000] = 7
    with pytest.raises(RecordError, match="window 4 of 12 is constant"):
        cut_windows("here", signal, WindowChoice())


def _write_csv(folder: Path, rows: list[str]) -> None:
    place = folder / "bidmc"
    place.mkdir()
    (place / "bidmc_01_Signals.csv").write_text("\n".join(["Time [s], RESP, II", *rows]) + "\n")


def test_a_table_stands_in_for_a_record_that_is_not_there(tmp_path: Path) -> None:
    signal = beats(12_500) / 1023
    _write_csv(tmp_path, [f"{i / 125},{value:.5f},0" for i, value in enumerate(signal)])
    dataset = read_physionet(tmp_path, BY_NAME["bidmc"], WindowChoice())
    window = signal[:1_000] - signal[:1_000].mean()
    np.testing.assert_allclose(dataset.training.signals[0], window / window.std(ddof=1), atol=1e-4)


@pytest.mark.parametrize("field", ["", "nan", "inf"])
def test_a_gap_in_a_table_is_no_sample(field: str, tmp_path: Path) -> None:
    rows = [f"0,{value},0" for value in beats(12_000)]
    rows[77] = f"0,{field},0"
    _write_csv(tmp_path, rows)
    with pytest.raises(RecordError, match="NaN in 1 of"):
        read_physionet(tmp_path, BY_NAME["bidmc"], WindowChoice())


def test_a_word_in_a_table_is_refused_with_its_line(tmp_path: Path) -> None:
    _write_csv(tmp_path, ["0,1,2", "0,many,2"])
    with pytest.raises(RecordError, match="line 3: 'many' is no number"):
        read_physionet(tmp_path, BY_NAME["bidmc"], WindowChoice())


def test_choices_are_checked() -> None:
    with pytest.raises(ConfigError, match="start"):
        WindowChoice(start=-1)
    with pytest.raises(ConfigError, match="deviation"):
        WindowChoice(deviation="none")
