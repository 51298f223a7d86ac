"""sancodec encode: WFDB records to .san files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

import click

from sancodec.cli._options import force_option, jobs_option, level_option, provider_option
from sancodec.cli._report import print_report
from sancodec.cli._terminal import for_each, progress_bar
from sancodec.config import CodecConfig
from sancodec.fidelity import (
    Fidelity,
    Lossless,
    MaxError,
    SanOnly,
    TargetPrdn,
    TargetSize,
)
from sancodec.files import encode_file
from sancodec.formats import edf

_SUFFIXES = (".hea", ".dat", ".mat", *edf.SUFFIXES)


@click.command()
@click.argument("records", nargs=-1, required=True, metavar="RECORD...")
@click.option(
    "-o",
    "--output",
    metavar="FILE|DIR|-",
    help="File or folder to write, - for stdout.  [default: RECORD.san beside the record]",
)
@click.option(
    "--model",
    default="auto",
    show_default=True,
    metavar="auto|none|NAME|FILE.onnx",
    help="Model of the SAN layer: for each signal by its type and by trial, no SAN layer, a "
    "shipped one, a file.",
)
@click.option(
    "--kernels",
    type=click.Choice(["auto", "model", "fit"]),
    default="auto",
    show_default=True,
    help="Kernels from the model, or fitted to the record and kept in its file.",
)
@level_option
@click.option(
    "--chunk",
    type=float,
    metavar="SECONDS",
    help="Length of the chunks that decode alone, in seconds.  [default: about a minute]",
)
@click.option(
    "--prdn",
    type=click.FloatRange(0, 100, min_open=True),
    metavar="PERCENT",
    help="Lose as much as this allows: root-mean-square error of each channel, in percent of its "
    "deviation from its mean.",
)
@click.option(
    "--max-error",
    metavar="N|NuV[,...]",
    help="No sample off by more than this: ADC units (3), or a unit of the channel (10uV); one "
    "for all channels, or one for each.",
)
@click.option(
    "--ratio",
    type=float,
    metavar="N",
    help="As good as N times fewer bits than in the signal files allow.",
)
@click.option(
    "--bits-per-sample",
    type=float,
    metavar="BITS",
    help="As good as so many bits a sample, everything counted, allow.",
)
@click.option(
    "--san-only",
    is_flag=True,
    help="Keep the SAN layer alone, as the paper does: kernels and activations.",
)
@click.option(
    "--with-annotations",
    is_flag=True,
    help="Take the annotation files of the record (100.atr) into its file, too.",
)
@click.option(
    "--attach",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take this file in, too; may be given several times.",
)
@click.option("--no-verify", is_flag=True, help="Do not decode and compare before saying done.")
@provider_option
@jobs_option
@force_option
@click.option("--json", "as_json", is_flag=True, help="Report one line of JSON for each record.")
@click.pass_context
def encode(
    context: click.Context,
    /,
    *,
    records: tuple[str, ...],
    output: str | None,
    model: str,
    kernels: str,
    level: str,
    chunk: float | None,
    with_annotations: bool,
    attach: tuple[Path, ...],
    no_verify: bool,
    provider: str,
    jobs: int | None,
    force: bool,
    as_json: bool,
    **loss: Any,
) -> None:
    """Compress WFDB records, each to one .san file.

    Nothing is lost, and a file gives back all files of its record, unless --prdn, --max-error,
    --ratio, --bits-per-sample or --san-only says how much may be lost: then it decodes to a new
    record of the signals as they come back.

    RECORD is a record as WFDB names it (100), or its header (100.hea) or signal file (100.dat).

    \b
    Example:
      sancodec encode 100.dat
      sancodec encode mitdb/*.hea -o compressed --json
      sancodec encode 100.dat --prdn 5
    """
    config = CodecConfig(
        model=model,
        kernels=kernels,
        level=level,
        chunk_seconds=chunk,
        fidelity=_fidelity(**loss),
    )
    targets = _targets(records, output)

    def work(record: str) -> None:
        target = targets[record]
        with progress_bar(record) as progress:
            report = encode_file(
                Path(record),
                target,
                config,
                verify=not no_verify,
                force=force,
                provider=provider,
                jobs=jobs,
                progress=progress,
                with_annotations=with_annotations,
                attach=attach,
            )
        print_report(report, as_json=as_json, to_stderr=not isinstance(target, Path))

    for_each(context, records, work)


def _fidelity(
    *,
    prdn: float | None,
    max_error: str | None,
    ratio: float | None,
    bits_per_sample: float | None,
    san_only: bool,
) -> Fidelity:
    """Give the one fidelity that was asked for."""
    asked: list[Fidelity] = []
    if prdn is not None:
        asked.append(TargetPrdn(prdn))
    if max_error is not None:
        asked.append(MaxError(tuple(max_error.split(","))))
    if ratio is not None:
        asked.append(TargetSize(ratio=ratio))
    if bits_per_sample is not None:
        asked.append(TargetSize(bits_per_sample=bits_per_sample))
    if san_only:
        asked.append(SanOnly())
    if len(asked) > 1:
        raise click.UsageError(
            "--prdn, --max-error, --ratio, --bits-per-sample, --san-only: choose one of them"
        )
    return asked[0] if asked else Lossless()


def _targets(records: tuple[str, ...], output: str | None) -> dict[str, Path | BinaryIO]:
    if output == "-":
        if len(records) > 1:
            raise click.UsageError("-o -: stdout takes one record; give a folder for several")
        if sys.stdout.isatty():
            raise click.UsageError("-o -: stdout is a terminal; redirect it, or give a file")
        return {records[0]: sys.stdout.buffer}
    if output is None:
        targets = {record: _san_name(Path(record)) for record in records}
    elif len(records) > 1 or output.endswith(os.sep) or Path(output).is_dir():
        targets = {record: Path(output) / _san_name(Path(record)).name for record in records}
    else:
        targets = {records[0]: Path(output)}
    _refuse_collisions(targets)
    return dict(targets)


def _san_name(record: Path) -> Path:
    # The name of a record may hold dots of its own: only known endings are taken off.
    stem = record.stem if record.suffix.lower() in _SUFFIXES else record.name
    return record.with_name(f"{stem}.san")


def _refuse_collisions(targets: dict[str, Path]) -> None:
    owners: dict[Path, str] = {}
    for record, target in targets.items():
        other = owners.setdefault(target.resolve(), record)
        if other != record:
            raise click.UsageError(
                f"{other} and {record} would both be written to {target}; "
                "encode them to different folders"
            )
