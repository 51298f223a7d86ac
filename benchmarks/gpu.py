"""The SAN layer of many records on the processor and on a CUDA device: the same bits, how fast.

The records are made up, at 500 Hz: kernels of the shipped ECG model, and a beat every 0.8 s.
Where there is no device its part did not run, which is said, and the exit code is 77.
Example: python benchmarks/gpu.py --markdown
"""

from __future__ import annotations

import ctypes
import hashlib
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from sancodec.errors import ProviderError
from sancodec.placement import Placement, place_in_numpy
from sancodec.runtime import SynthesisSession, open_session

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from san_layers import many_layers

Way = Callable[[], Iterable[NDArray[np.int32]]]
"""Gives the sums of all records."""

COUNTS = (1, 64, 4096)
DID_NOT_RUN = 77
"""What test programs exit with that were skipped."""
_SECONDS = 0.5
_MAX_REPEATS = 200


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Some records in one way: samples of all leads in a second, and the digest of all sums."""

    way: str
    n_records: int
    samples_per_second: float
    digest: str


@click.command()
@click.option("--leads", type=click.IntRange(min=1), default=12, show_default=True)
@click.option("--seconds", type=click.FloatRange(min=0.1), default=10.0, show_default=True)
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
def main(leads: int, seconds: float, markdown: bool) -> None:
    """Print samples a second for 1, 64 and 4,096 records; fail where bits differ."""
    cpu = open_session("cpu")
    sessions = {"cpu": cpu}
    problem = ""
    try:
        # Its self-test, with sums where providers have erred, is part of opening it.
        sessions["cuda"] = open_session("cuda")
    except ProviderError as error:
        problem = str(error)
    print(f"processor: {_processor()}; ONNX Runtime {_version()}")
    print(f"cuda: {'did not run: ' + problem if problem else _device() + ', self-test held'}")

    def cases(n_records: int) -> list[Placement]:
        return list(many_layers(n_records, n_leads=leads, seconds=seconds))

    measured = [found for n in COUNTS for found in _measure(cases(n), sessions)]
    _print(measured, markdown=markdown)
    differing = [n for n in COUNTS if len({m.digest for m in measured if m.n_records == n}) > 1]
    if differing:
        raise click.ClickException(f"bits differ, of {differing} records")
    print(
        f"the same bits in all ways that ran: {', '.join(dict.fromkeys(m.way for m in measured))}"
    )
    if problem:
        print("CUDA did not run; nothing is said of it")
        sys.exit(DID_NOT_RUN)


def _measure(
    cases: Sequence[Placement], sessions: dict[str, SynthesisSession]
) -> Iterator[Measured]:
    n_samples = sum(case.n_records * (case.n_samples - case.n_taps) for case in cases)
    ways: dict[str, Way] = {"numpy": lambda: map(place_in_numpy, cases)}
    for name, session in sessions.items():
        ways[f"{name}, one by one"] = partial(map, session.place, cases)
        ways[f"{name}, together"] = partial(session.place_all, cases)
    for name, way in ways.items():
        yield Measured(
            way=name,
            n_records=len(cases),
            # The digest first: a device is slow when it meets something for the first time.
            digest=_digest(way()),
            samples_per_second=n_samples / _seconds(way),
        )


def _seconds(way: Way) -> float:
    """Give the least of several times, whatever else the machine does."""
    times: list[float] = []
    while sum(times) < _SECONDS and len(times) < _MAX_REPEATS:
        started = time.perf_counter()
        for _ in way():
            pass
        times.append(time.perf_counter() - started)
    return min(times)


def _digest(placed: Iterable[NDArray[np.int32]]) -> str:
    digest = hashlib.sha256()
    for sums in placed:
        digest.update(np.ascontiguousarray(sums, "<i4"))
    return digest.hexdigest()


def _print(measured: Sequence[Measured], *, markdown: bool) -> None:
    found = {(own.way, own.n_records): own.samples_per_second for own in measured}
    head = ["million samples/s", *(f"{n:,} records" for n in COUNTS)]
    rows = [
        [way, *(f"{found[way, n] / 1e6:,.1f}" for n in COUNTS)]
        for way in dict.fromkeys(own.way for own in measured)
    ]
    if markdown:
        for row in (head, ["---", *["---:"] * len(COUNTS)], *rows):
            print(f"| {' | '.join(row)} |")
        return
    for row in (head, *rows):
        print(f"{row[0]:20}" + "".join(f"{value:>16}" for value in row[1:]))


def _version() -> str:
    for package in ("onnxruntime-gpu", "onnxruntime"):
        try:
            return f"{metadata.version(package)} ({package})"
        except metadata.PackageNotFoundError:
            continue
    return "of unknown version"


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _device() -> str:
    """Give the name of the first device, as its driver has it."""
    driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    failed = (
        driver.cuInit(0)
        or driver.cuDeviceGet(ctypes.byref(device), 0)
        or driver.cuDeviceGetName(name, len(name), device)
    )
    return "a device without a name" if failed else name.value.decode(errors="replace")


if __name__ == "__main__":
    main()
