"""Sizes and speeds of sancodec beside general and audio codecs, on WFDB records, in one run.

Example: python benchmarks/lossless.py data/mitdb --seconds 300
"""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from _memory import PeakMemory
from _peers import Peer, Workload, all_peers
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from sancodec.config import CodecConfig
from sancodec.errors import SancodecError
from sancodec.files import decode_file, encode_file
from sancodec.formats.wfdb import WfdbRecord

OURS = {
    "sancodec": CodecConfig(),
    "sancodec --level fast": CodecConfig(level="fast"),
    "sancodec --level max": CodecConfig(level="max"),
    "sancodec --model none": CodecConfig(model="none"),
    "sancodec --level fast --model none": CodecConfig(level="fast", model="none"),
    "sancodec --level max --model none": CodecConfig(level="max", model="none"),
}
REFERENCE = "flac -8"


@dataclass(frozen=True, kw_only=True)
class Result:
    """One codec on one record; bytes are real ones, seconds those of one thread.

    ``encode_peak`` and ``decode_peak`` are bytes of memory, None where they are not known.
    """

    record: str
    codec: str
    n_samples: int
    n_bytes: int
    encode_seconds: float
    decode_seconds: float
    encode_peak: int | None
    decode_peak: int | None
    exact: bool

    @property
    def bits_per_sample(self) -> float:
        """Bits of what was written, everything counted, for each sample."""
        return 8 * self.n_bytes / self.n_samples


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="RECORD|FOLDER...")
@click.option("--seconds", type=float, help="Take only the first part of each record, in seconds.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Print every result as a line of JSON.")
def main(paths: tuple[str, ...], seconds: float | None, markdown: bool, as_json: bool) -> None:
    """Compare sancodec with other lossless codecs on WFDB records."""
    peers = [peer for peer in all_peers() if not peer.needs]
    for peer in all_peers():
        if peer.needs:
            click.echo(f"missing, not compared: {peer.name} (needs {peer.needs})", err=True)
    results: list[Result] = []
    warm = False
    for record in _find_records(paths):
        with tempfile.TemporaryDirectory() as folder:
            try:
                path = excerpt(record, seconds, Path(folder)) if seconds else record
                if not warm:
                    # Compilation happens once for a machine; it is no part of the speed.
                    _measure_ours("sancodec", path)
                    warm = True
                results += _measure_all(path, peers)
            except SancodecError as error:
                click.echo(f"left out: {error}", err=True)
                continue
        click.echo(f"{record.name}: {_line(results, record.name)}", err=True)
    if not results:
        click.echo("no record could be read", err=True)
        sys.exit(1)
    _print_results(results, markdown=markdown, as_json=as_json)
    if not all(result.exact for result in results):
        click.echo("NOT EXACT: see the table", err=True)
        sys.exit(1)


def _find_records(paths: tuple[str, ...]) -> Iterator[Path]:
    for path in map(Path, paths):
        headers = sorted(path.rglob("*.hea")) if path.is_dir() else [path]
        yield from (header.with_suffix("") for header in headers)


def excerpt(record: Path, seconds: float, folder: Path) -> Path:
    """Write the first part of a record as WFDB, in the narrowest of the formats 212, 16 and 32."""
    import wfdb

    source = WfdbRecord.open(record)
    samples = source.read(0, min(source.n_frames, round(seconds * source.fs))).samples
    largest = int(np.abs(samples).max(initial=0))
    wfdb.wrsamp(
        source.name,
        fs=source.fs,
        units=[channel.units for channel in source.channels],
        sig_name=[channel.name for channel in source.channels],
        d_signal=samples.astype(np.int64),
        fmt=["212" if largest < 1 << 11 else "16" if largest < 1 << 15 else "32"]
        * samples.shape[1],
        adc_gain=[channel.adc_gain for channel in source.channels],
        baseline=[channel.baseline for channel in source.channels],
        write_dir=str(folder),
    )
    return folder / source.name


def _measure_all(path: Path, peers: list[Peer]) -> list[Result]:
    groups = _workloads(path)
    ours = [_measure_ours(name, path) for name in OURS]
    theirs = []
    for peer in peers:
        try:
            theirs.append(_measure_peer(peer, path.name, groups))
        except (OverflowError, RuntimeError, ValueError) as error:
            click.echo(f"{path.name}: {peer.name} cannot: {error}", err=True)
    return ours + theirs


def _workloads(path: Path) -> list[Workload]:
    """Give the channels of each sampling frequency; the signal files stand with the first."""
    source = WfdbRecord.open(path)
    recording = source.read(0, source.n_frames)
    raw = b"".join(file.path.read_bytes() for file in source.files[1:])
    groups = []
    for n_per_frame in dict.fromkeys(channel.samples_per_frame for channel in source.channels):
        members = [
            (channel, signal)
            for channel, signal in zip(source.channels, recording.signals, strict=True)
            if channel.samples_per_frame == n_per_frame
        ]
        groups.append(
            Workload(
                name=path.name,
                fs=source.fs * n_per_frame,
                samples=np.stack([signal for _, signal in members], axis=1),
                baselines=np.array([channel.baseline for channel, _ in members], np.int32),
                raw=b"" if groups else raw,
            )
        )
    return groups


def _measure_ours(codec: str, path: Path) -> Result:
    """Measure from files to files: our sizes hold the header, the names and all checksums."""
    stream = io.BytesIO()
    with PeakMemory() as encode_memory:
        started = time.perf_counter()
        report = encode_file(path, stream, OURS[codec], verify=False, jobs=1)
        encoded = time.perf_counter()
    stream.seek(0)
    with tempfile.TemporaryDirectory() as folder:
        with PeakMemory() as decode_memory:
            began = time.perf_counter()
            written = decode_file(stream, Path(folder), jobs=1)
            decoded = time.perf_counter()
        same = [file.read_bytes() == (path.parent / file.name).read_bytes() for file in written]
    return Result(
        record=path.name,
        codec=codec,
        n_samples=report.n_samples,
        n_bytes=len(stream.getbuffer()),
        encode_seconds=encoded - started,
        decode_seconds=decoded - began,
        encode_peak=encode_memory.n_bytes,
        decode_peak=decode_memory.n_bytes,
        exact=len(same) > 1 and all(same),
    )


def _measure_peer(peer: Peer, name: str, groups: list[Workload]) -> Result:
    """Measure a peer, which codes the channels of each sampling frequency on their own."""
    with PeakMemory() as encode_memory:
        started = time.perf_counter()
        stored = [peer.encode(group) for group in groups]
        encoded = time.perf_counter()
    with PeakMemory() as decode_memory:
        began = time.perf_counter()
        restored = [
            peer.decode(part, group.samples.shape)
            for part, group in zip(stored, groups, strict=True)
        ]
        decoded = time.perf_counter()
    return Result(
        record=name,
        codec=peer.name,
        n_samples=sum(group.samples.size for group in groups),
        n_bytes=sum(map(len, stored)),
        encode_seconds=encoded - started,
        decode_seconds=decoded - began,
        encode_peak=encode_memory.n_bytes,
        decode_peak=decode_memory.n_bytes,
        exact=all(map(_same, restored, groups)),
    )


def _same(restored: NDArray[np.int32] | bytes, group: Workload) -> bool:
    if isinstance(restored, bytes):
        return restored == group.raw
    return np.array_equal(restored, group.samples)


def _line(results: list[Result], record: str) -> str:
    mine = [result for result in results if result.record == record]
    return ", ".join(f"{result.codec} {result.bits_per_sample:.3f}" for result in mine)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One codec over all records.

    Bits per sample are the mean over records; a ratio is its base over that mean. Speeds, in
    samples per second, are of all records together; peaks of memory, in bytes, are the largest.
    """

    codec: str
    n_records: int
    bits_per_sample: float
    cr_12_bits: float
    cr_16_bits: float
    encode_speed: float
    decode_speed: float
    encode_peak: int | None
    decode_peak: int | None
    exact: bool


def summarise(results: list[Result]) -> list[Summary]:
    """Give one summary for each codec, in the order of the results."""
    summaries = []
    for codec in dict.fromkeys(result.codec for result in results):
        mine = [result for result in results if result.codec == codec]
        bits = float(np.mean([result.bits_per_sample for result in mine]))
        n_samples = sum(result.n_samples for result in mine)
        summaries.append(
            Summary(
                codec=codec,
                n_records=len(mine),
                bits_per_sample=bits,
                cr_12_bits=12 / bits,
                cr_16_bits=16 / bits,
                encode_speed=n_samples / sum(result.encode_seconds for result in mine),
                decode_speed=n_samples / sum(result.decode_seconds for result in mine),
                encode_peak=_largest([result.encode_peak for result in mine]),
                decode_peak=_largest([result.decode_peak for result in mine]),
                exact=all(result.exact for result in mine),
            )
        )
    return summaries


def _largest(peaks: list[int | None]) -> int | None:
    return max((peak for peak in peaks if peak is not None), default=None)


def _print_results(results: list[Result], *, markdown: bool, as_json: bool) -> None:
    summaries = summarise(results)
    if as_json:
        for result in results:
            print(json.dumps(asdict(result) | {"bits_per_sample": result.bits_per_sample}))
        for summary in summaries:
            print(json.dumps({"mean": asdict(summary)}))
        return
    if markdown:
        print(f"```\n{_command()}\n```\n")
    for header, rows in (_summary_table(summaries), _record_table(results)):
        if markdown:
            lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
            print("\n".join(f"| {' | '.join(line)} |" for line in lines), end="\n\n")
            continue
        table = Table(*header)
        for row in rows:
            table.add_row(*row)
        Console(width=max(120, Console().width)).print(table)


_Table = tuple[list[str], list[list[str]]]


def _record_table(results: list[Result]) -> _Table:
    codecs = list(dict.fromkeys(result.codec for result in results))
    bits = {(result.record, result.codec): result.bits_per_sample for result in results}
    records = dict.fromkeys(result.record for result in results)
    rows = []
    for name in records:
        sizes = (bits.get((name, codec)) for codec in codecs)
        rows.append([name, *("-" if size is None else f"{size:.3f}" for size in sizes)])
    return ["bits/sample", *codecs], rows


def _summary_table(summaries: list[Summary]) -> _Table:
    header = ["mean", "bits/sample", "CR, 12 bits", "CR, 16 bits"]
    for verb in ("enc.", "dec."):
        header += [f"{verb} Msamples/s", f"of {REFERENCE}"]
    header += ["enc. peak MB", "dec. peak MB"]
    flac = next((summary for summary in summaries if summary.codec == REFERENCE), None)
    rows = []
    for summary in summaries:
        row = [summary.codec, f"{summary.bits_per_sample:.3f}"]
        row += [f"{summary.cr_12_bits:.3f}", f"{summary.cr_16_bits:.3f}"]
        row += _speed(summary.encode_speed, flac.encode_speed if flac else None)
        row += _speed(summary.decode_speed, flac.decode_speed if flac else None)
        row += [_megabytes(summary.encode_peak), _megabytes(summary.decode_peak)]
        rows.append([*row, "yes" if summary.exact else "NO"])
    return [*header, "exact"], rows


def _speed(speed: float, reference: float | None) -> list[str]:
    return [f"{speed / 1e6:.2f}", f"{speed / reference:.3f}" if reference else "-"]


def _megabytes(n_bytes: int | None) -> str:
    return "-" if n_bytes is None else f"{n_bytes / 1e6:.0f}"


def _command() -> str:
    """Give the command that made the table, with the folder of the recordings by its name."""
    data = os.environ.get("SANCODEC_DATA", "")
    arguments = [
        argument.replace(data, "$SANCODEC_DATA") if data else argument for argument in sys.argv[1:]
    ]
    quoted = (word if word.startswith("$") else shlex.quote(word) for word in arguments)
    return f"python benchmarks/lossless.py {' '.join(quoted)}"


if __name__ == "__main__":
    main()
