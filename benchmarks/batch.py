"""An archive of thousands of records, with one worker and with several: throughput and memory.

Records are made from the 12-lead folders of ``$SANCODEC_DATA/extra``, each real one many times
with its samples turned. They are encoded with each number of workers, and decoded; what is written
has to be the same, and what comes back the original. FLAC and zstd then encode the same files on
one thread.

Example: python benchmarks/batch.py --records 200 --level fast
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
from _archive import make_archive
from _peers import Workload, all_peers

from sancodec.batch.decoding import DecodeSettings, decode_archive
from sancodec.batch.encoding import ArchiveSettings, encode_archive
from sancodec.batch.encoding_job import EncodeSettings
from sancodec.batch.pool import LocalPool
from sancodec.batch.summary import Summary
from sancodec.batch.trees import LocalTree
from sancodec.config import CodecConfig
from sancodec.formats.wfdb import WfdbRecord

_INTERVAL_SECONDS = 0.5
_N_PARTS = 4


@dataclass
class Memory:
    """The largest memory of any worker, in each quarter of a run."""

    seen: list[tuple[float, int]] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)

    def watch(self, pool: LocalPool) -> Callable[[], list[int]]:
        """Look at the workers until what is given is called; it gives bytes of each quarter."""
        watching = threading.Thread(target=self._look, args=(pool,), daemon=True)
        watching.start()

        def end() -> list[int]:
            self._done.set()
            watching.join()
            first, last = self.seen[0][0], self.seen[-1][0]
            quarters = [0] * _N_PARTS
            for moment, n_bytes in self.seen:
                share = (moment - first) / max(last - first, 1e-9)
                i = min(int(share * _N_PARTS), _N_PARTS - 1)
                quarters[i] = max(quarters[i], n_bytes)
            return quarters

        return end

    def _look(self, pool: LocalPool) -> None:
        while not self._done.wait(_INTERVAL_SECONDS):
            sizes = [_resident(process) for process in pool.processes()]
            self.seen.append((time.perf_counter(), max(sizes, default=0)))


def _resident(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(own.split()[1]) for own in lines if own.startswith("VmRSS:")), 0)


@dataclass(frozen=True)
class Run:
    """One direction with a number of workers."""

    what: str
    n_workers: int
    seconds: float
    cpu_seconds: float
    memory: list[int]
    digest: str


@click.command()
@click.option("--records", "n_records", default=5000, show_default=True)
@click.option("--workers", default="1,2", show_default=True, help="Numbers of workers.")
@click.option("--level", default="default", show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--peers/--no-peers", default=True, show_default=True)
def main(n_records: int, workers: str, level: str, seed: int, peers: bool) -> None:
    """Print tables of throughput, memory, and peers."""
    extra = Path(os.environ["SANCODEC_DATA"]) / "extra"
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "source"
        n_bytes = make_archive(extra, source, n_records, seed)
        print(f"{n_records:,} records, {n_bytes:,} bytes of signal files, level {level}\n")
        settings = EncodeSettings(config=CodecConfig(level=level), provider="cpu")
        runs = list(_runs(Path(place), source, settings, [int(n) for n in workers.split(",")]))
        _print_runs(runs, n_bytes, n_records)
        encoded = Path(place, f"encoded{runs[0].n_workers}")
        written = sum(path.stat().st_size for path in encoded.rglob("*.san"))
        rows = [(f"sancodec --level {level}, verified", runs[0].cpu_seconds, written)]
        _print_peers(rows + (list(_peer_rows(source)) if peers else []), n_bytes)


def _runs(place: Path, source: Path, settings: EncodeSettings, workers: list[int]) -> Iterator[Run]:
    encoding = ArchiveSettings(encode=settings)
    decoding = DecodeSettings(provider="cpu")
    for n in workers:
        there, back = place / f"encoded{n}", place / f"decoded{n}"
        from_, to, last = LocalTree(source), LocalTree(there), LocalTree(back)
        yield _measured(
            "encode", n, there, lambda pool, a=from_, b=to: encode_archive(a, b, encoding, pool)[0]
        )
        yield _measured(
            "decode", n, back, lambda pool, a=to, b=last: decode_archive(a, b, decoding, pool)
        )
        if _digest(back) != _digest(source):
            raise click.ClickException("what was decoded is not what was encoded")


def _measured(what: str, n_workers: int, written: Path, run: Callable[[LocalPool], Summary]) -> Run:
    before = _cpu_of_children()
    with closing(LocalPool(n_workers)) as pool:
        pool.start()
        end = Memory().watch(pool)
        started = time.perf_counter()
        summary = run(pool)
        seconds = time.perf_counter() - started
        memory = end()
    if summary.failures:
        raise click.ClickException(f"failed: {summary.failures}")
    click.echo(f"{what}, {n_workers} workers: {seconds:.1f} s", err=True)
    cpu = _cpu_of_children() - before
    return Run(what, n_workers, seconds, cpu, memory, _digest(written))


def _cpu_of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".jsonl":
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _print_runs(runs: list[Run], n_bytes: int, n_records: int) -> None:
    heads = ("", "workers", "seconds", "records/s", "MB/s", "times the first", "CPU seconds")
    print(f"\n| {' | '.join(heads)} | MB of a worker, by quarter |")
    print("|---|---:|---:|---:|---:|---:|---:|---|")
    for run in runs:
        first = next(own for own in runs if own.what == run.what)
        memory = ", ".join(f"{own / 1e6:.0f}" for own in run.memory)
        print(
            f"| {run.what} | {run.n_workers} | {run.seconds:.1f} | {n_records / run.seconds:.2f} "
            f"| {n_bytes / run.seconds / 1e6:.3f} | {first.seconds / run.seconds:.2f} "
            f"| {run.cpu_seconds:.1f} | {memory} |"
        )
    n_results = len({(run.what, run.digest) for run in runs})
    said = "the same" if n_results == len({run.what for run in runs}) else "NOT THE SAME"
    print(f"\nThe files are {said} with every number of workers.")


def _peer_rows(source: Path) -> Iterator[tuple[str, float, int]]:
    """Encode all records on one thread, each to a file of its own; give names, seconds, bytes."""
    peers = {peer.name: peer for peer in all_peers()}
    asked = {"flac -8, samples alone": "flac -8", "zstd -19, signal files": "zstd -19 of .dat"}
    works = list(_workloads(source))
    for name, peer in asked.items():
        started = time.process_time()
        size = sum(len(peers[peer].encode(work)) for work in works)
        yield name, time.process_time() - started, size


def _workloads(source: Path) -> Iterator[Workload]:
    for header in sorted(source.rglob("*.hea")):
        record = WfdbRecord.open(header)
        yield Workload(
            name=record.name,
            fs=record.fs,
            samples=record.read(0, record.n_frames).samples,
            baselines=np.array([channel.baseline for channel in record.channels], np.int32),
            raw=record.files[1].path.read_bytes(),
        )


def _print_peers(rows: list[tuple[str, float, int]], n_bytes: int) -> None:
    print("\n| one thread | MB of signal files a CPU second | bytes | CR of the signal files |")
    print("|---|---:|---:|---:|")
    for name, seconds, size in rows:
        print(f"| {name} | {n_bytes / seconds / 1e6:.2f} | {size:,} | {n_bytes / size:.3f} |")


if __name__ == "__main__":
    main()
