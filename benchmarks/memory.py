"""Peak memory of encoding and decoding a record of many hours, each in a process of its own.

The record repeats a real one (or a simulated one) and perturbs every sample a little, so that no
two minutes are the same. Prints a line of JSON for each direction.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

import sancodec
from sancodec.formats.arrays import write_wfdb
from sancodec.formats.wfdb import WfdbRecord
from sancodec.recording import Recording
from sancodec.simulate import Simulation, simulate_record

_SPAN_SECONDS = 60


def _spans(source: Recording, n_frames: int, rng: np.random.Generator):
    span = int(_SPAN_SECONDS * source.fs)
    for start in range(0, n_frames, span):
        size = min(span, n_frames - start)
        index = np.arange(start, start + size) % source.n_frames
        signals = tuple(
            np.clip(signal[index] + rng.integers(-1, 2, size), -2047, 2047).astype(np.int32)
            for signal in source.signals
        )
        yield Recording(name="long", fs=source.fs, channels=source.channels, signals=signals)


def _run(direction: str, arguments: list[str]) -> None:
    """Do one direction in this process, and print what it took."""
    from sancodec.cli.main import main

    started = time.perf_counter()
    code = main([direction, *arguments])
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {"direction": direction, "code": code, "seconds": round(seconds, 1)}
            | {"peak_mb": round(peak)}
        ),
        file=sys.stderr,
    )


@click.command()
@click.argument("record", required=False, type=click.Path(path_type=Path))
@click.option("--hours", default=24.0, show_default=True, help="Length of the record.")
def main(record: Path | None, hours: float) -> None:
    """Measure on RECORD, repeated; on a simulated one when none is named."""
    rng = np.random.default_rng(0)
    if record is None:
        source = simulate_record(Simulation(), rng)
    else:
        wfdb = WfdbRecord.open(record)
        source = wfdb.read(0, wfdb.n_frames)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n_frames = int(hours * 3600 * source.fs)
        spans = _spans(source, n_frames, rng)
        write_wfdb(folder, "long", source.fs, source.channels, spans)
        del source
        for direction, arguments in (
            ("encode", [str(folder / "long"), "--no-verify", "--json"]),
            ("decode", [str(folder / "long.san"), "-o", str(folder / "out")]),
        ):
            root = str(Path(sancodec.__file__).resolve().parent.parent)
            code = f"import sys; sys.path[:0] = [{root!r}]; sys.argv = ['memory.py']; "
            code += f"from benchmarks.memory import _run; _run({direction!r}, {arguments!r})"
            subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        same = (folder / "long.dat").read_bytes() == (folder / "out" / "long.dat").read_bytes()
        click.echo(json.dumps({"hours": hours, "identical": same}))


if __name__ == "__main__":
    main()
