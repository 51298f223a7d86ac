"""Shells complete verbs, options and file names; each verb's help shows an example."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sancodec
from sancodec.cli.main import VERBS, main

ROOT = Path(sancodec.__file__).resolve().parent.parent
_COMPLETE = "import sys; from sancodec.cli.main import main; sys.exit(main([]))"


def _completed(words: str, folder: Path) -> list[tuple[str, str]]:
    """Give kind and value of what click offers bash for the last of these words."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "PATH": "",
        "_SANCODEC_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    run = subprocess.run(
        [sys.executable, "-c", _COMPLETE],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
        check=True,
    )
    pairs = (line.partition(",") for line in run.stdout.splitlines())
    return [(kind, value) for kind, _, value in pairs]


def test_verbs_options_choices_and_files_are_completed(tmp_path: Path) -> None:
    assert _completed("sancodec de", tmp_path) == [("plain", "decode"), ("plain", "demo")]
    assert ("plain", "--salvage") in _completed("sancodec decode --sal", tmp_path)
    assert _completed("sancodec completion f", tmp_path) == [("plain", "fish")]
    assert _completed("sancodec inspect 10", tmp_path) == [("file", "10")]
    assert _completed("sancodec decode 100.san -o re", tmp_path)[0][0] in {"file", "dir"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_sancodec(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_SANCODEC_COMPLETE" in script
    assert f"{shell}_complete" in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_a_verb_by_the_script(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", "bash"]) == 0
    program = tmp_path / "sancodec"
    program.write_text(f"#!{sys.executable}\n{_COMPLETE}\n")
    program.chmod(0o755)
    script = capsys.readouterr().out + (
        "COMP_WORDS=(sancodec veri); COMP_CWORD=1\n"
        '_sancodec_completion sancodec veri sancodec\necho "${COMPREPLY[@]}"\n'
    )
    path = f"{tmp_path}:{os.environ['PATH']}"
    run = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        env={"PATH": path, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert run.stdout.split() == ["verify"], run.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_each_verb_has_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, "--help"]) == 0
    said = capsys.readouterr().out
    assert re.search(rf"Examples?:\n(\s.*\n)*?\s+.*sancodec {verb}\b", said), said
