"""sancodec encode: records to .san files."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click

from sancodec.cli._encode_options import (
    coding_options,
    no_verify_option,
    remove_original_option,
    take_config,
    with_annotations_option,
)
from sancodec.cli._options import force_option, jobs_option, provider_option
from sancodec.cli._report import print_report
from sancodec.cli._terminal import for_each, progress_bar
from sancodec.config import CodecConfig
from sancodec.fidelity import Lossless
from sancodec.files import delete_originals, encode_file
from sancodec.formats.sources import SUFFIXES, suffix_of

_START_BYTES = 16
_SUFFIXES = (".hea", ".dat", ".mat", *SUFFIXES)


@click.command()
@click.argument("records", nargs=-1, required=True, metavar="RECORD...")
@click.option(
    "-o",
    "--output",
    metavar="FILE|DIR|-",
    help="File or folder to write, - for stdout.  [default: RECORD.san beside the record]",
)
@coding_options
@with_annotations_option
@click.option(
    "--attach",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take this file in, too; may be given several times.",
)
@remove_original_option
@click.option(
    "--fs",
    type=click.FloatRange(0, min_open=True),
    metavar="HZ",
    help="Sampling frequency of a table (.csv), an array (.npy) or a matrix (.mat).",
)
@click.option(
    "--keep-time",
    is_flag=True,
    help="Keep the column of time of a table as a channel, instead of following it from --fs.",
)
@no_verify_option
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
    remove_original: bool,
    no_verify: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Compress records, each to one .san file.

    Nothing is lost, and a file gives back all files of its record, unless --prdn, --mean-prdn,
    --max-error, --ratio, --bits-per-sample or --san-only says how much may be lost: then it decodes
    to a new record of the signals as they come back.

    RECORD is a record as WFDB names it (100), or its header (100.hea) or signal file (100.dat); an
    EDF, EDF+ or BDF file (night.edf), whose gaps (EDF+D) come back but are not put into the signal;
    a table of decimal numbers (.csv), an integer array (.npy), or a MATLAB file of one matrix that
    is no WFDB record (.mat): of these three the samples come back, not the bytes of the file. - is
    an EDF file, a table or an array from stdin.

    \b
    Example:
      sancodec encode night.edf
      sancodec encode lead.csv --fs 250
      sancodec encode 100.dat
      sancodec encode mitdb/*.hea -o compressed --json
      sancodec encode 100.dat --prdn 5
    """
    config = take_config(options)
    targets = _targets(records, output)
    _check_removal(
        config, wanted=remove_original, verify=not no_verify, piped="-" in (output, *records)
    )

    def work(record: str) -> None:
        target = targets[record]
        with _named(record) as path, progress_bar(record) as progress:
            report = encode_file(
                path,
                target,
                config,
                verify=not no_verify,
                progress=progress,
                **options,
            )
        if remove_original and isinstance(target, Path):
            delete_originals(path, target, with_annotations=options["with_annotations"])
        print_report(report, as_json=as_json, to_stderr=not isinstance(target, Path))

    for_each(context, records, work)


@contextmanager
def _named(record: str) -> Iterator[Path]:
    """Give the path of a record; of stdin that of a temporary file with all of it."""
    if record != "-":
        yield Path(record)
        return
    with tempfile.TemporaryDirectory() as folder:
        start = sys.stdin.buffer.read(_START_BYTES)
        path = Path(folder) / f"stdin{suffix_of(start)}"
        with path.open("wb") as spooled:
            spooled.write(start)
            shutil.copyfileobj(sys.stdin.buffer, spooled)
        yield path


def _check_removal(config: CodecConfig, *, wanted: bool, verify: bool, piped: bool) -> None:
    """Refuse to delete originals that would not come back."""
    if wanted and (piped or not verify or not isinstance(config.fidelity, Lossless)):
        raise click.UsageError(
            "--remove-original needs a file that is lossless, verified, and no pipe"
        )


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
    if str(record) == "-":
        return Path("stdin.san")
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
