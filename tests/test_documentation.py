"""What the documentation says works: every command and every example on its pages is run."""

from __future__ import annotations

import filecmp
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
import wfdb

from sancodec.cli.main import cli, main
from sancodec.simulate import Simulation, simulate_record, write_wfdb

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _blocks(page: Path, *kinds: str) -> list[str]:
    return [block for kind, block in _FENCE.findall(page.read_text("utf-8")) if kind in kinds]


def _commands() -> Iterator[tuple[str, str]]:
    """Give every command of sancodec that stands on a page, and where."""
    for page in PAGES:
        for block in _blocks(page, "", "sh"):
            for line in block.splitlines():
                for command in line.split("&&"):
                    if command.strip().startswith("sancodec "):
                        yield page.name, command.strip()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of the names that the pages use; not to be written to."""
    folder = tmp_path_factory.mktemp("pages")
    simulated = simulate_record(Simulation(duration_seconds=21.0), np.random.default_rng(5))
    channels = tuple(
        replace(own, name=name)
        for own, name in zip(simulated.channels, ("MLII", "V5"), strict=False)
    )
    write_wfdb(
        replace(simulated, name="100", channels=channels, signals=simulated.signals[:2]), folder
    )
    beats = np.arange(200, 7500, 330)
    wfdb.wrann("100", "atr", beats, symbol=["N"] * len(beats), write_dir=str(folder))
    samples = np.random.default_rng(0).integers(-9, 10, (30_000, 2)).cumsum(axis=0)
    np.save(folder / "ecg.npy", samples.astype(np.int16))
    return folder


@pytest.fixture
def desk(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shelf, to work in."""
    desk = tmp_path / "desk"
    shutil.copytree(shelf, desk)
    monkeypatch.chdir(desk)
    return desk


def _run(line: str) -> None:
    """Run a line of a page: sancodec, cmp, and > for stdout."""
    words = shlex.split(line, comments=True)
    if not words:
        return
    if words[0] == "cmp":
        assert filecmp.cmp(words[1], words[2], shallow=False), line
        return
    assert words[0] == "sancodec", line
    target = Path(words[words.index(">") + 1]) if ">" in words else Path("stdout.txt")
    arguments = words[1 : words.index(">")] if ">" in words else words[1:]
    with target.open("w") as file, redirect_stdout(file):
        code = main(arguments)
    assert code == 0, f"{line}: exit code {code}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_of_a_page_run(page: Path, desk: Path) -> None:
    if page.name == "README.md":
        assert main(["encode", "100.dat", "--model", "ecg"]) == 0
    for kind, block in _FENCE.findall(page.read_text("utf-8")):
        if kind == "sh":
            for line in block.replace("\\\n", " ").splitlines():
                _run(line)
        elif kind == "python":
            exec(compile(block, f"{page.name}", "exec"), {"__name__": "example"})


@pytest.mark.parametrize(("page", "command"), list(_commands()))
def test_commands_of_a_page_have_their_verbs_and_options(page: str, command: str) -> None:
    words = [word for word in shlex.split(command, comments=True) if word not in {">", "|"}]
    verb = cli.get_command(click.Context(cli), words[1])
    assert verb is not None, f"{page}: {command}"
    if isinstance(verb, click.Group):
        verb = verb.get_command(click.Context(verb), words[2])
        assert verb is not None, f"{page}: {command}"
    known = {
        option
        for parameter in verb.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for word in words:
        if word.startswith("-") and not re.fullmatch(r"-|-\d.*", word):
            assert word.split("=")[0] in known, f"{page}: {command}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"
