"""Batches that are killed and run again, and what they come to: run by test_batch_kills.py.

``python killed_batch.py FOLDER N`` kills N batches at random moments, and one at each step of
writing or deleting, runs each again until it ends by itself, and prints a line of JSON.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from archives import decode_tree, encode_tree, entries, hashes, make_archive

Run = Callable[[], None]


def main(folder: Path, n_random: int) -> None:
    source = make_archive(folder / "source", 3)
    encode_tree(source, folder / "target")
    expected = state_of(source, folder / "target")
    deleted = state_of(*deleting(folder, "deleted"))
    found = {"n_killed": 0, "n_again": 0, "differ": 0}

    started = time.perf_counter()
    end(partial(encode_tree, source, folder / "warm"), None)
    seconds = time.perf_counter() - started
    moments = random.Random(3)
    round_ = 0
    while found["n_killed"] < n_random:
        round_ += 1
        target = folder / f"random{round_}"
        run = partial(encode_tree, source, target)
        while end(run, lambda: time.sleep(moments.uniform(0, seconds / 2))):
            found["n_killed"] += 1
        found["differ"] += state_of(source, target) != expected
        back = folder / f"back{round_}"
        while end(
            partial(decode_tree, target, back), lambda: time.sleep(moments.uniform(0, seconds))
        ):
            found["n_killed"] += 1
        found["differ"] += hashes(back) != hashes(source)
    for step in range(1000):
        own, target = copies(folder, f"step{step}")
        if not killed_at(step, partial(encode_tree, own, target, remove_originals=True)):
            break
        found["n_again"] += 1
        encode_tree(own, target, remove_originals=True)
        found["differ"] += state_of(own, target) != deleted
    print(json.dumps(found))


def copies(folder: Path, name: str) -> tuple[Path, Path]:
    """Give a copy of the source, and the name of a target for it."""
    return Path(shutil.copytree(folder / "source", folder / f"{name}-source")), folder / name


def deleting(folder: Path, name: str) -> tuple[Path, Path]:
    own, target = copies(folder, name)
    encode_tree(own, target, remove_originals=True)
    return own, target


def state_of(source: Path, target: Path) -> object:
    """Give all files with their digests, and what the manifest says but for times."""
    said = [asdict(entry) | {"seconds": 0} for _, entry in sorted(entries(target).items())]
    return hashes(source), hashes(target), said


def end(run: Run, moment: Callable[[], None] | None) -> bool:
    """Run in a child that is killed after a moment; tell whether it was, before its end."""
    child = os.fork()
    if child == 0:
        run()
        os._exit(0)
    if moment is not None:
        moment()
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return os.WIFSIGNALED(status)


def killed_at(step: int, run: Run) -> bool:
    """Run in a child that ends before the step of this number: a sync, renaming, or deletion."""

    def work() -> None:
        taken = 0

        def counted(call: Callable[..., object]) -> Callable[..., object]:
            def stepped(*arguments: object, **settings: object) -> object:
                nonlocal taken
                if taken == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                taken += 1
                return call(*arguments, **settings)

            return stepped

        for name in ("fsync", "replace", "unlink"):
            setattr(os, name, counted(getattr(os, name)))
        run()

    return end(work, None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
