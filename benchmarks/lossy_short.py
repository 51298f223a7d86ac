"""Folders of records of seconds, with loss: compression ratios at a PRDN, with and without SAN.

Bytes are those of whole files, ratios against 16 bits. What was promised is checked on the decoded
samples. Example: python benchmarks/lossy_short.py ptb-xl/records500 georgia cpsc2018 --records 8
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

import sancodec
from sancodec.config import CodecConfig
from sancodec.errors import SancodecError
from sancodec.fidelity import Fidelity, MeanPrdn, TargetPrdn
from sancodec.files import encode_file
from sancodec.formats.wfdb import WfdbRecord

MODELS = ("auto", "none")
TARGETS: dict[str, type[TargetPrdn | MeanPrdn]] = {"mean": MeanPrdn, "each": TargetPrdn}
_MARGIN = 1 + 1e-9


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is measured of each record."""

    prdn: float
    targets: tuple[str, ...]
    models: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One record at one target: the bytes of its file with SAN where it pays, and without."""

    folder: str
    record: str
    target: str
    n_samples: int
    n_bytes: dict[str, int]
    n_activations: int
    structured: bool
    mean_prdn: float
    largest_prdn: float

    def ratio(self, model: str) -> float:
        """Compression ratio against 16 bits."""
        return 2 * self.n_samples / self.n_bytes[model]


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--prdn", default=5.0, show_default=True, help="In percent.")
@click.option("--records", type=int, help="Of each folder, only the first so many.")
@click.option("--target", "targets", multiple=True, type=click.Choice(list(TARGETS)))
@click.option("--model", "models", multiple=True, type=click.Choice(MODELS))
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each record.")
def main(
    *,
    folders: tuple[Path, ...],
    prdn: float,
    records: int | None,
    targets: tuple[str, ...],
    models: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print ratios at a PRDN, as the mean of the leads and for each, of folders of WFDB records."""
    results = []
    asked = Asked(prdn=prdn, targets=targets or tuple(TARGETS), models=models or MODELS)
    for result in _measure_all(folders, records, asked):
        results.append(result)
        if as_json:
            print(json.dumps(asdict(result)), flush=True)
    if not results:
        click.echo("no record could be read", err=True)
        sys.exit(1)
    if not as_json:
        _print_table(results)


def _measure_all(
    folders: tuple[Path, ...], n_records: int | None, asked: Asked
) -> Iterator[Measured]:
    for folder in folders:
        for header in sorted(folder.glob("*.hea"))[:n_records]:
            for target in asked.targets:
                try:
                    result = _measure(folder, header.with_suffix(""), target, asked)
                except SancodecError as error:
                    click.echo(f"left out: {error}", err=True)
                    continue
                sizes = ", ".join(f"{model} {size}" for model, size in result.n_bytes.items())
                click.echo(f"{header.stem}, {target}: {sizes}", err=True)
                yield result


def _measure(folder: Path, path: Path, target: str, asked: Asked) -> Measured:
    source = WfdbRecord.open(path)
    samples = source.read(0, source.n_frames).samples.astype(np.float64)
    fidelity = TARGETS[target](asked.prdn)
    files = {model: _encode(path, model, fidelity) for model in asked.models}
    for model in reversed(asked.models):
        found = _prdn(samples, sancodec.decode(files[model]).samples)
        reached = found.mean() if target == "mean" else found.max()
        if reached > asked.prdn * _MARGIN:
            raise click.ClickException(f"{path.name}: PRDN of {reached} %, promised {asked.prdn}")
    with sancodec.open(files[asked.models[0]]) as file:
        n_activations = file.summary.n_activations
        structured = file.plan.structure is not None
    return Measured(
        folder=f"{folder.parent.name}/{folder.name}",
        record=path.name,
        target=target,
        n_samples=samples.size,
        n_bytes={model: len(encoded) for model, encoded in files.items()},
        n_activations=n_activations,
        structured=structured,
        mean_prdn=float(found.mean()),
        largest_prdn=float(found.max()),
    )


def _encode(path: Path, model: str, fidelity: Fidelity) -> bytes:
    stream = io.BytesIO()
    encode_file(path, stream, CodecConfig(fidelity=fidelity, model=model), verify=False, jobs=1)
    return stream.getvalue()


def _prdn(original: np.ndarray, decoded: np.ndarray) -> np.ndarray:
    """Give the PRDN of each lead that is not flat, in percent."""
    varied = np.ptp(original, axis=0) > 0
    deviation = np.square(original - original.mean(axis=0)).sum(axis=0)[varied]
    error = np.square(decoded - original).sum(axis=0)[varied]
    return np.asarray(100.0 * np.sqrt(error / deviation))


def _print_table(results: list[Measured]) -> None:
    table = Table(title="CR at 16 bits, mean over records")
    titles = ("folder", "PRDN of", "records", "CR", "without SAN", "structured", "at worst larger")
    for title in titles:
        table.add_column(title, justify="left" if title in titles[:2] else "right")
    for folder, target in dict.fromkeys((own.folder, own.target) for own in results):
        mine = [own for own in results if (own.folder, own.target) == (folder, target)]
        measured = mine[0].n_bytes
        means = [
            f"{np.mean([own.ratio(model) for own in mine]):.1f}" if model in measured else "-"
            for model in MODELS
        ]
        both = [own.n_bytes for own in mine if len(own.n_bytes) > 1]
        worst = max((own["auto"] / own["none"] - 1 for own in both), default=0.0)
        n_structured = str(sum(own.structured for own in mine))
        table.add_row(folder, target, str(len(mine)), *means, n_structured, f"{worst:+.2%}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
