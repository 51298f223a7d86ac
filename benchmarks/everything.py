"""Every record of a folder of data: encoded, decoded, compared byte for byte; beside FLAC in WFDB.

Takes WFDB records (every .hea), and text of whole numbers in zip archives, of which the samples
are compared.
Our bytes are those of the whole file, FLAC's those of WFDB's files with a header each. Example:
SANCODEC_DATA=data python benchmarks/everything.py --lines lines.jsonl > benchmarks/everything.md
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import click
import numpy as np
from _peers import Samples, Workload, all_peers

import sancodec
from sancodec.config import CodecConfig
from sancodec.errors import SancodecError
from sancodec.files import decode_file, encode_file
from sancodec.formats.segmented import SegmentedRecord, open_record
from sancodec.formats.text import members_of, read_text
from sancodec.formats.wfdb import WfdbRecord
from sancodec.recording import Channel, Recording
from sancodec.signal_types import identify

FLAC = next(peer for peer in all_peers() if peer.name == "flac in WFDB")
TEXT_FS = 173.61
"""Of the Bonn recordings, the only text in the folder that is of whole numbers."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """What became of one record.

    ``flac`` is None where FLAC cannot hold the samples; ``problem`` says why there is no file, or
    how what came back differs.
    """

    folder: str
    record: str
    kind: str = ""
    n_samples: int = 0
    n_files: int = 0
    n_bytes: int = 0
    flac: int | None = None
    seconds: float = 0.0
    problem: str = ""
    differs: bool = False


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=os.environ.get("SANCODEC_DATA"))
@click.option("--level", type=click.Choice(["fast", "default", "max"]), default="default")
@click.option("--only", default="", help="Only records whose path has this in it.")
@click.option(
    "--lines",
    type=click.Path(path_type=Path),
    help="Keep a line of JSON for each record here, and go on after those it has.",
)
def main(data: Path, level: str, only: str, lines: Path | None) -> None:
    """Encode and decode everything, and print a table by kind of signal."""
    known = lines.read_text().splitlines() if lines and lines.exists() else []
    done = [Line(**json.loads(line)) for line in known]
    seen = {(line.folder, line.record) for line in done}
    config = CodecConfig(level=level)
    with open(lines or os.devnull, "a") as journal:
        for line in _measure_all(data, only, config, seen):
            done.append(line)
            _note(line, journal)
    print("\n".join(_report([line for line in done if only in f"{line.folder}/{line.record}"])))
    sys.exit(any(line.differs for line in done))


def _note(line: Line, journal: TextIO) -> None:
    print(json.dumps(asdict(line)), file=journal, flush=True)
    said = line.problem or f"{line.n_bytes}, flac {line.flac}, {line.seconds:.1f} s"
    click.echo(f"{line.folder}/{line.record}: {said}", err=True)


def _measure_all(
    data: Path, only: str, config: CodecConfig, seen: set[tuple[str, str]]
) -> Iterator[Line]:
    headers = sorted(data.rglob("*.hea"))
    texts = [text for archive in sorted(data.rglob("*.zip")) for text in members_of(archive)]
    for path in [*headers, *texts]:
        folder = str(path.parent.relative_to(data))
        key = folder, path.name
        if key in seen or only not in f"{folder}/{path.name}":
            continue
        measure = _measure_record if path.suffix == ".hea" else _measure_text
        try:
            yield measure(path, key, config)
        except SancodecError as error:
            said = str(error).replace(f"{path.parent}{os.sep}", "")
            yield Line(folder=folder, record=path.name, problem=said)


def _measure_record(path: Path, key: tuple[str, str], config: CodecConfig) -> Line:
    started = time.perf_counter()
    stream = io.BytesIO()
    report = encode_file(path, stream, config, verify=False)
    with tempfile.TemporaryDirectory() as place:
        stream.seek(0)
        files = decode_file(stream, Path(place))
        wrong = [f.name for f in files if f.read_bytes() != (path.parent / f.name).read_bytes()]
    source = open_record(path)
    return Line(
        folder=key[0],
        record=key[1],
        kind=_kind(source.channels, source.fs),
        n_samples=report.n_samples,
        n_files=len(files),
        n_bytes=report.n_bytes,
        flac=_flac_bytes(_parts(source)),
        seconds=time.perf_counter() - started,
        problem=", ".join(f"{name} differs" for name in wrong),
        differs=bool(wrong),
    )


def _measure_text(path: Path, key: tuple[str, str], config: CodecConfig) -> Line:
    started = time.perf_counter()
    columns = read_text(path).columns
    samples = columns.T.astype(np.int32)
    if not np.array_equal(samples, columns.T):
        return Line(folder=key[0], record=key[1], problem="not of whole numbers")
    channels = (Channel(name="EEG", units="uV", adc_gain=1.0),) * samples.shape[1]
    encoded = sancodec.encode(
        samples, fs=TEXT_FS, channels=channels, name=path.stem, config=config, verify=False
    )
    wrong = not np.array_equal(sancodec.decode(encoded).samples, samples)
    recording = Recording(name="", fs=TEXT_FS, channels=channels, signals=tuple(samples.T.copy()))
    return Line(
        folder=key[0],
        record=key[1],
        kind=_kind(channels, TEXT_FS),
        n_samples=samples.size,
        n_bytes=len(encoded),
        flac=_flac_bytes([recording]),
        seconds=time.perf_counter() - started,
        problem="samples differ" if wrong else "",
        differs=wrong,
    )


def _kind(channels: Sequence[Channel], fs: float) -> str:
    kinds = {identify(channel, fs * channel.samples_per_frame).kind for channel in channels}
    return kinds.pop() if len(kinds) == 1 else "several kinds"


def _parts(source: WfdbRecord | SegmentedRecord) -> list[Recording]:
    if isinstance(source, WfdbRecord):
        return [source.read(0, source.n_frames)]
    return [part for member in source.members for part in _parts(member)]


def _flac_bytes(parts: Iterable[Recording]) -> int | None:
    """Give the bytes of WFDB's FLAC files, those of each sampling frequency in a record."""
    total = 0
    for part in parts:
        for n in sorted({channel.samples_per_frame for channel in part.channels}):
            own = [i for i, c in enumerate(part.channels) if c.samples_per_frame == n]
            samples: Samples = np.stack([part.signals[i] for i in own], axis=1)
            work = Workload(
                name=part.name,
                fs=part.fs * n,
                samples=samples,
                baselines=np.array([part.channels[i].baseline for i in own], np.int32),
                raw=b"",
            )
            try:
                total += len(FLAC.encode(work))
            except OverflowError:
                return None
    return total


def _report(lines: Sequence[Line]) -> Iterator[str]:
    """Give the table and the counts, as Markdown."""
    good = [line for line in lines if not line.problem]
    n_files = sum(line.n_files for line in good)
    n_different = sum(line.differs for line in lines)
    yield (
        f"{len(good)} of {len(lines)} records and recordings came back, {n_files} files byte for "
        f"byte; {n_different} differ; {len(lines) - len(good) - n_different} could not be read."
    )
    yield ""
    yield "| kind | records | samples | sancodec | flac in WFDB | smaller by | records larger |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for kind in sorted({line.kind for line in good}):
        own = [line for line in good if line.kind == kind and line.n_samples]
        both = [line for line in own if line.flac is not None]
        yield from _rows(kind, both)
        yield from _rows(
            f"{kind}, of more than 24 bits", [line for line in own if line.flac is None]
        )
    yield ""
    yield from (f"- {line.folder}/{line.record}: {line.problem}" for line in lines if line.problem)


def _rows(kind: str, lines: Sequence[Line]) -> Iterator[str]:
    if not lines:
        return
    n_samples = sum(line.n_samples for line in lines)
    ours, flac = sum(line.n_bytes for line in lines), sum(line.flac or 0 for line in lines)
    said = ("-", "-", "-")
    if flac:
        larger = sum(line.n_bytes > (line.flac or 0) for line in lines)
        said = f"{8 * flac / n_samples:.3f}", f"{1 - ours / flac:.1%}", str(larger)
    yield (
        f"| {kind} | {len(lines)} | {n_samples:,} | {8 * ours / n_samples:.3f} | "
        + " | ".join(said)
        + " |"
    )


if __name__ == "__main__":
    main()
