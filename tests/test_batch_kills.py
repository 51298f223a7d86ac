"""A batch that is killed and run again comes to what it would have come to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from archives import encode_tree, hashes, make_archive, write_record

BATCHES = Path(__file__).parent / "killed_batch.py"

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def test_killed_at_any_moment_and_run_again_a_batch_ends_as_if_undisturbed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(BATCHES), str(tmp_path), "20"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["differ"] == 0
    assert found["n_killed"] >= 20
    # Two syncs and a renaming for each of 3 records and 2 files, and 6 originals deleted.
    assert found["n_again"] >= 5 * 3 + 6


def _children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(number) for number in text.split()]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
def test_workers_end_with_the_batch_that_is_killed(tmp_path: Path) -> None:
    source, target = make_archive(tmp_path / "source", 2), tmp_path / "target"
    for i in range(16):
        write_record(source / f"long{i}.hea", seed=i, n_frames=40_000)
    arguments = ["batch", "encode", str(source), str(target), "--level", "fast", "--jobs", "2"]
    batch = subprocess.Popen([sys.executable, "-m", "sancodec.cli.main", *arguments])
    with batch:
        while not list(target.rglob("*.san")):
            assert batch.poll() is None
            time.sleep(0.02)
        workers = _children(batch.pid)
        batch.send_signal(signal.SIGKILL)
    assert len(workers) >= 2
    deadline = time.monotonic() + 20
    while any(_is_running(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # No later batch has to wait for anything.
    encode_tree(source, target)
    assert not list(target.rglob(".sancodec*"))
    assert len([name for name in hashes(target) if name.endswith(".san")]) == 18


def _is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
