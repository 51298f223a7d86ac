"""What the README shows of Python runs as it stands there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import sancodec
from sancodec.config import CodecConfig
from sancodec.simulate import Simulation, simulate_record

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated record as ecg.npy and 100.san, its leads those of MIT-BIH."""
    folder = tmp_path_factory.mktemp("readme")
    simulated = simulate_record(Simulation(duration_seconds=60.0), np.random.default_rng(3))
    names = ("MLII", "V2", "V5")
    channels = [
        replace(channel, name=name) for channel, name in zip(simulated.channels, names, strict=True)
    ]
    record = replace(simulated, channels=tuple(channels))
    np.save(folder / "ecg.npy", record.samples)
    config = CodecConfig(level="fast")
    (folder / "100.san").write_bytes(sancodec.encode(record, config=config, name="100"))
    return folder


def test_there_are_examples() -> None:
    assert sum("sancodec." in block for block in BLOCKS) >= 2


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_an_example_runs(number: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    exec(compile(BLOCKS[number], f"README.md, example {number}", "exec"), {})
