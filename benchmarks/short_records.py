"""Folders of records of seconds: sancodec beside FLAC and pcodec, record by record.

Our bytes are those of the whole file, which gives back every original file; those of the others are
of the samples alone. Example: python benchmarks/short_records.py extra/georgia extra/cpsc2018
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import click
import numpy as np
from _peers import Peer, Workload, all_peers
from lossless import OURS, excerpt
from rich.console import Console
from rich.table import Table

from sancodec.errors import SancodecError
from sancodec.files import decode_file, encode_file
from sancodec.formats.wfdb import WfdbRecord

FLAC, PCODEC = "flac -8", "pcodec 12"
FLAC_SPLITS = (8, 6, 4, 2, 1)
"""Channels to a stream; of twelve in one each, and of joint ones, the smallest is taken."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One record: its samples, and the bytes that each codec takes."""

    folder: str
    record: str
    n_samples: int
    n_bytes: dict[str, int]

    def bits(self, codec: str) -> float:
        """Bits of what was written for each sample."""
        return 8 * self.n_bytes[codec] / self.n_samples


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--seconds", type=float, help="Take only the first part of each record, in seconds.")
@click.option("--level", "levels", multiple=True, type=click.Choice(["fast", "default", "max"]))
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each record.")
def main(
    folders: tuple[Path, ...], seconds: float | None, levels: tuple[str, ...], as_json: bool
) -> None:
    """Print the mean bits per sample of folders of WFDB records, ours beside those of peers."""
    peers = {peer.name: peer for peer in all_peers() if peer.name in {FLAC, PCODEC}}
    missing = [peer.needs for peer in peers.values() if peer.needs]
    if missing:
        raise click.ClickException(f"missing: {', '.join(missing)}")
    codecs = [_codec_of(level) for level in levels or ("default",)]
    results = list(_measure_all(folders, seconds, codecs, peers))
    if not results:
        click.echo("no record could be read", err=True)
        sys.exit(1)
    if as_json:
        for result in results:
            print(json.dumps(asdict(result)))
    else:
        _print_table(results, codecs)


def _codec_of(level: str) -> str:
    return "sancodec" if level == "default" else f"sancodec --level {level}"


def _measure_all(
    folders: tuple[Path, ...], seconds: float | None, codecs: list[str], peers: dict[str, Peer]
) -> Iterator[Measured]:
    for folder in folders:
        headers = sorted(folder.glob("*.hea")) if folder.is_dir() else [folder]
        for header in headers:
            with tempfile.TemporaryDirectory() as place:
                try:
                    path = header.with_suffix("")
                    path = excerpt(path, seconds, Path(place)) if seconds else path
                    yield _measure(folder, path, codecs, peers)
                except SancodecError as error:
                    click.echo(f"left out: {error}", err=True)


def _measure(folder: Path, path: Path, codecs: list[str], peers: dict[str, Peer]) -> Measured:
    work = _workload(path)
    n_bytes = {codec: _measure_ours(codec, path) for codec in codecs}
    splits = {min(size, work.samples.shape[1]) for size in FLAC_SPLITS}
    n_bytes[FLAC] = min(_measure_split(peers[FLAC], work, size) for size in splits)
    n_bytes[PCODEC] = _measure_peer(peers[PCODEC], work)
    said = ", ".join(f"{name} {size}" for name, size in n_bytes.items())
    click.echo(f"{path.name}: {said}", err=True)
    name = f"{folder.parent.name}/{folder.name}" if folder.is_dir() else folder.stem
    return Measured(folder=name, record=path.name, n_samples=work.samples.size, n_bytes=n_bytes)


def _workload(path: Path) -> Workload:
    source = WfdbRecord.open(path)
    baselines = np.array([channel.baseline for channel in source.channels], np.int32)
    samples = source.read(0, source.n_frames).samples
    return Workload(name=path.name, fs=source.fs, samples=samples, baselines=baselines, raw=b"")


def _measure_ours(codec: str, path: Path) -> int:
    """Give the bytes of the file, having decoded its record to the same files."""
    stream = io.BytesIO()
    encode_file(path, stream, OURS[codec], verify=False, jobs=1)
    with tempfile.TemporaryDirectory() as place:
        stream.seek(0)
        for file in decode_file(stream, Path(place), jobs=1):
            if file.read_bytes() != (path.parent / file.name).read_bytes():
                raise click.ClickException(f"{path.name}: {file.name} differs")
    return len(stream.getbuffer())


def _measure_split(peer: Peer, work: Workload, size: int) -> int:
    """Give the bytes of streams of ``size`` channels each."""
    total = 0
    for first in range(0, work.samples.shape[1], size):
        part = slice(first, first + size)
        samples = np.ascontiguousarray(work.samples[:, part])
        total += _measure_peer(peer, replace(work, samples=samples, baselines=work.baselines[part]))
    return total


def _measure_peer(peer: Peer, work: Workload) -> int:
    stored = peer.encode(work)
    back = peer.decode(stored, cast(tuple[int, int], work.samples.shape))
    if isinstance(back, bytes) or not np.array_equal(back, work.samples):
        raise click.ClickException(f"{work.name}: {peer.name} gives other samples")
    return len(stored)


def _print_table(results: list[Measured], codecs: list[str]) -> None:
    columns = [*codecs, FLAC, PCODEC]
    table = Table(title="Bits per sample, mean over records")
    for title in ("folder", "records", *columns, "peer smaller"):
        table.add_column(title, justify="left" if title == "folder" else "right")
    for folder in dict.fromkeys(result.folder for result in results):
        mine = [result for result in results if result.folder == folder]
        means = [f"{np.mean([result.bits(codec) for result in mine]):.3f}" for codec in columns]
        beaten = sum(min(r.n_bytes[FLAC], r.n_bytes[PCODEC]) < r.n_bytes[codecs[0]] for r in mine)
        table.add_row(folder, str(len(mine)), *means, str(beaten))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
