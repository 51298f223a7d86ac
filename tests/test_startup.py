"""What a verb imports: the quick ones stay quick, and nothing that decodes needs a trainer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import sancodec

# scipy is not among them: numba looks for it on its own.
TRAINING = {"torch", "onnx", "matplotlib"}
SLOW = TRAINING | {"numba", "scipy", "llvmlite", "wfdb", "pandas", "onnxruntime", "soundfile"}

_PROBE = """
import json, sys
from sancodec.cli.main import main
code = main(json.loads(sys.argv[1]))
print(json.dumps([code, sorted({name.split(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


def _imported_by(arguments: list[str], folder: Path) -> set[str]:
    """Run one command in a fresh interpreter; give the top-level modules it has imported."""
    root = Path(sancodec.__file__).resolve().parent.parent
    run = subprocess.run(
        [sys.executable, "-c", _PROBE, json.dumps(arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PYTHONPATH": str(root), "HOME": str(folder), "PATH": ""},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    code, modules = json.loads(run.stderr.splitlines()[-1])
    assert code == 0, run.stderr
    return set(modules)


@pytest.fixture(scope="module")
def san_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sancodec.cli.main import main

    folder = tmp_path_factory.mktemp("demo")
    assert main(["demo", "-o", str(folder)]) == 0
    return folder / "demo.san"


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["inspect", "--help"], ["experiments", "mnist", "--help"]],
    ids=" ".join,
)
def test_help_imports_nothing_slow(arguments: list[str], tmp_path: Path) -> None:
    assert not _imported_by(arguments, tmp_path) & SLOW


@pytest.mark.parametrize("arguments", [["models"], ["models", "--json"], ["models", "ecg"]])
def test_models_lists_without_opening_one(arguments: list[str], tmp_path: Path) -> None:
    assert not _imported_by(arguments, tmp_path) & SLOW


@pytest.mark.parametrize("option", ["--json", "--bytes"])
def test_inspect_imports_nothing_slow(option: str, san_file: Path, tmp_path: Path) -> None:
    assert not _imported_by(["inspect", option, str(san_file)], tmp_path) & SLOW


def test_a_page_imports_neither_trainer_nor_pictures(san_file: Path, tmp_path: Path) -> None:
    arguments = ["inspect", str(san_file), "--html", str(tmp_path / "demo.html")]
    assert not _imported_by(arguments, tmp_path) & (TRAINING | {"pandas", "wfdb"})


def test_completion_imports_nothing_slow(tmp_path: Path) -> None:
    assert not _imported_by(["completion", "zsh"], tmp_path) & SLOW


def test_list_imports_nothing_slow(tmp_path: Path) -> None:
    pack = Path(__file__).parent / "golden" / "many.sanpack"
    assert not _imported_by(["list", str(pack), "--include", "older/near"], tmp_path) & SLOW


@pytest.mark.parametrize("layer", ["signal", "san"])
def test_decode_imports_neither_trainer_nor_pictures(
    layer: str, san_file: Path, tmp_path: Path
) -> None:
    arguments = ["decode", str(san_file), "-o", str(tmp_path / "out"), "--layer", layer]
    assert not _imported_by(arguments, tmp_path) & TRAINING


def test_encode_imports_neither_trainer_nor_pictures(san_file: Path, tmp_path: Path) -> None:
    record = san_file.parent / "demo.hea"
    arguments = ["encode", str(record), "-o", str(tmp_path / "demo.san")]
    assert not _imported_by(arguments, tmp_path) & TRAINING


def test_evaluate_imports_neither_trainer_nor_pictures(san_file: Path, tmp_path: Path) -> None:
    arguments = ["evaluate", str(san_file.parent / "demo.hea"), "--seconds", "6", "--prdn", "9"]
    assert not _imported_by([*arguments, "--model", "none"], tmp_path) & TRAINING


def test_export_imports_no_maker_of_graphs(san_file: Path, tmp_path: Path) -> None:
    arguments = ["export", str(san_file), "-o", str(tmp_path / "parts")]
    assert not _imported_by(arguments, tmp_path) & TRAINING


def test_the_package_itself_imports_nothing_slow(tmp_path: Path) -> None:
    root = Path(sancodec.__file__).resolve().parent.parent
    script = "import json, sys, sancodec; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(root), "HOME": str(tmp_path), "PATH": ""},
        check=True,
    )
    assert not {name.split(".")[0] for name in json.loads(run.stdout)} & TRAINING
