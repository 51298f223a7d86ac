"""What a primer saves of records that it was not made of: two halves of each folder, both ways.

Every second record of each folder makes the primer for the others. Bytes are those of whole files;
each is decoded and compared. Example: python benchmarks/priming.py ptb-xl/records100 georgia
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from sancodec.config import CodecConfig
from sancodec.fidelity import Fidelity, Lossless, MeanPrdn
from sancodec.files import encode_file
from sancodec.formats.wfdb import WfdbRecord
from sancodec.training.lessons import Lessons, study
from sancodec.training.priming import make_primer


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The bytes of one record's file, with the primer of the other half and without."""

    folder: str
    record: str
    residual: str
    n_samples: int
    primed: int
    plain: int


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--signal-type", default="ecg", show_default=True)
@click.option("--prdn", type=float, help="Mean PRDN of lossy files, in percent; none without.")
@click.option("--measure", multiple=True, help="Only folders whose path ends so; all make primers.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each record.")
def main(
    *,
    folders: tuple[Path, ...],
    signal_type: str,
    prdn: float | None,
    measure: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print what primers made of one half of the records of folders save of the other half."""
    halves: tuple[list[Path], list[Path]] = ([], [])
    for folder in folders:
        for i, header in enumerate(sorted(folder.glob("*.hea"))):
            halves[i % 2].append(header)
    fidelity = Lossless() if prdn is None else MeanPrdn(prdn)
    lessons = [[_study(path, signal_type) for path in half] for half in halves]
    results = []
    with tempfile.TemporaryDirectory() as place:
        for i, half in enumerate(halves):
            primer = Path(place) / f"{i}.primer"
            primer.write_bytes(make_primer(lessons[1 - i], signal_type)[0])
            for path in half:
                if not measure or str(path.parent).endswith(measure):
                    results.append(_measure(path, fidelity, primer))
                    if as_json:
                        print(json.dumps(asdict(results[-1])), flush=True)
    if not results:
        click.echo("no record could be read", err=True)
        sys.exit(1)
    if not as_json:
        _print_table(results)


def _study(path: Path, signal_type: str) -> Lessons:
    click.echo(f"learning from {path.stem}", err=True)
    return study(path, signal_type)


def _measure(path: Path, fidelity: Fidelity, primer: Path) -> Measured:
    source = WfdbRecord.open(path.with_suffix(""))
    sizes = []
    for setting in (str(primer), "none"):
        stream = io.BytesIO()
        encode_file(path, stream, CodecConfig(fidelity=fidelity, primer=setting), jobs=1)
        sizes.append(len(stream.getbuffer()))
    click.echo(f"{path.stem}: {sizes[0]}, without {sizes[1]}", err=True)
    return Measured(
        folder=f"{path.parent.parent.name}/{path.parent.name}",
        record=path.stem,
        residual="lossless" if isinstance(fidelity, Lossless) else "lossy",
        n_samples=source.n_frames * len(source.channels),
        primed=sizes[0],
        plain=sizes[1],
    )


def _print_table(results: list[Measured]) -> None:
    table = Table(title="Bits per sample and CR at 16 bits, means over records")
    for title in ("folder", "records", "bits", "without", "CR", "without", "saved", "larger"):
        table.add_column(title, justify="left" if title == "folder" else "right")
    for row in _rows(results):
        table.add_row(*row)
    Console(width=120).print(table)


def _rows(results: list[Measured]) -> Iterator[tuple[str, ...]]:
    for folder in dict.fromkeys(result.folder for result in results):
        mine = [result for result in results if result.folder == folder]
        sizes = np.array([(own.n_samples, own.primed, own.plain) for own in mine], np.float64)
        n_samples, primed, plain = sizes.T
        bits = [f"{(8 * size / n_samples).mean():.3f}" for size in (primed, plain)]
        ratios = [f"{(2 * n_samples / size).mean():.1f}" for size in (primed, plain)]
        saved = f"{1 - primed.sum() / plain.sum():.1%}"
        yield folder, str(len(mine)), *bits, *ratios, saved, str(int((primed > plain).sum()))


if __name__ == "__main__":
    main()
