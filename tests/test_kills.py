"""A process that is killed while it writes leaves no file, or a whole one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WRITER = Path(__file__).parent / "killed_writer.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_moment_a_writer_leaves_nothing_half_written(
    simulated_folder: Path, tmp_path: Path
) -> None:
    for path in simulated_folder.iterdir():
        shutil.copy(path, tmp_path)
    done = subprocess.run(
        [sys.executable, str(WRITER), str(tmp_path), "50"],
        capture_output=True,
        text=True,
        check=True,
    )
    left = json.loads(done.stdout)
    assert left["damaged"] == 0
    # Some came before the end and some after it, or nothing was tried.
    assert left["nothing"] > 10
    assert left["whole"] > 2
    assert left["n_killed"] > 50
