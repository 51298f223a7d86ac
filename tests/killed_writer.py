"""Write files in children that are killed, and say what they leave: run by test_kills.py.

``python killed_writer.py FOLDER N`` kills N children at random moments and as many as it takes,
one at each step of writing, and prints a line of JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sancodec.config import CodecConfig
from sancodec.errors import CorruptError
from sancodec.files import decode_file, encode_file, verify_file
from sancodec.formats import output

FAST = CodecConfig(model="none", level="fast", chunk_seconds=2.0)


def main(folder: Path, n_random: int) -> None:
    record, whole = folder / "demo", folder / "whole.san"
    encode_file(record, whole, FAST, jobs=1)
    originals = {path.name: path.read_bytes() for path in folder.glob("demo.*")}
    left = {"nothing": 0, "whole": 0, "damaged": 0, "n_killed": 0}

    def encode(target: Path) -> None:
        encode_file(record, target / "demo.san", FAST, force=True, jobs=1)

    def decode(target: Path) -> None:
        decode_file(whole, target, force=True, jobs=1)

    for work in (encode, decode):
        started = time.perf_counter()
        _child(partial(work, folder / "warm"))
        seconds = time.perf_counter() - started
        moments = random.Random(7)
        for i in range(n_random):
            target = folder / f"{work.__name__}-{i}"
            killed = _child(partial(work, target), moments.uniform(0, seconds))
            _count(left, target, originals, killed)
        step, killed = 0, True
        while killed:
            target = folder / f"{work.__name__}-step-{step}"
            killed = _child(partial(_kill_at, step, partial(work, target)))
            _count(left, target, originals, killed)
            step += 1
    print(json.dumps(left))


def _child(work: Callable[[], None], seconds: float | None = None) -> bool:
    """Run work in a child, killed after so many seconds; tell whether a signal ended it."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return os.WIFSIGNALED(status)


def _kill_at(step: int, work: Callable[[], None]) -> None:
    """Let the process end before the step of writing with this number: a sync, or a renaming."""
    taken = 0

    def counted(call: Callable[..., object]) -> Callable[..., object]:
        def stepped(*arguments: object) -> object:
            nonlocal taken
            if taken == step:
                os.kill(os.getpid(), signal.SIGKILL)
            taken += 1
            return call(*arguments)

        return stepped

    output.os.fsync, output.os.replace = counted(os.fsync), counted(os.replace)
    work()


def _count(left: dict[str, int], target: Path, originals: dict[str, bytes], killed: bool) -> None:
    left["n_killed"] += killed
    found = [path for path in target.glob("*") if not path.name.startswith(".")]
    if not found:
        left["nothing"] += 1
    for path in found:
        left["whole" if _is_whole(path, originals) else "damaged"] += 1


def _is_whole(path: Path, originals: dict[str, bytes]) -> bool:
    if path.suffix != ".san":
        return path.read_bytes() == originals[path.name]
    try:
        verify_file(path, jobs=1)
    except CorruptError:
        return False
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
