"""What is listed of models is what they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sancodec import models
from sancodec.cli.main import main
from sancodec.errors import ModelError
from sancodec.models.index import entry_of, shipped_entries
from sancodec.signal_types import TYPES

FOLDER = Path(models.__file__).parent


def test_the_index_says_what_the_models_say() -> None:
    """A model that was trained anew is listed as it was: python -m sancodec.models.index."""
    assert shipped_entries() == tuple(entry_of(name) for name in models.list_models())


def test_every_model_is_of_a_type_that_encode_looks_for() -> None:
    assert {entry.signal_type for entry in shipped_entries()} <= set(TYPES)


def test_every_model_has_its_picture_and_a_card_with_its_figures() -> None:
    for entry in shipped_entries():
        card = (FOLDER / f"{entry.name}.md").read_text()
        assert f"{entry.name}.png" in card
        assert (FOLDER / f"{entry.name}.png").stat().st_size < 40_000
        assert f"{entry.n_kernels} of {entry.n_taps} taps at {entry.fs:g} Hz" in card
        assert f"{entry.flithos:.3f}" in card
        assert entry.licence in card


def test_models_are_listed_for_people_and_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    table = capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [entry["name"] for entry in listed] == list(models.list_models())
    for entry in listed:
        assert entry["digest"][:12] in table
        assert entry["seconds"] == entry["n_taps"] / entry["fs"]


def test_a_file_is_listed_like_a_shipped_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.onnx"
    shutil.copy(FOLDER / "ecg.onnx", own)
    assert main(["models", "ecg", str(own), "--json"]) == 0
    shipped, copied = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert copied.pop("name") == str(own)
    assert shipped.pop("name") == "ecg"
    assert copied == shipped


def test_a_model_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "none"]) == 1
    assert "not shipped" in capsys.readouterr().err


def test_a_file_that_does_not_say_how_it_was_trained_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from sancodec.training.export import write_model

    bank, _ = models.load("ecg")
    write_model(tmp_path / "mute.onnx", bank, {"signal_type": "ecg"})
    with pytest.raises(ModelError, match=r"mute\.onnx: its metadata lacks or garbles 'flithos'"):
        entry_of(str(tmp_path / "mute.onnx"))


def test_the_picture_of_a_model_is_the_same_every_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = [tmp_path / "one.png", tmp_path / "two.png"]
    for path in drawn:
        assert main(["models", "ecg", "--picture", str(path)]) == 0
    assert drawn[0].read_bytes() == drawn[1].read_bytes()
    assert drawn[0].read_bytes()[:4] == b"\x89PNG"
    assert main(["models", "ecg", "--picture", str(drawn[0])]) == 1
    assert "--force" in capsys.readouterr().err
    assert main(["models", "ecg", "--picture", str(drawn[0]), "--force"]) == 0
    assert main(["models", "ecg", "--picture", str(tmp_path / "no" / "x.png")]) == 1
    assert main(["models", "ecg", "--picture", str(tmp_path / "x.what")]) == 1
    assert main(["models", "--picture", str(tmp_path / "x.png")]) == 2
