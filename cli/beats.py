"""sancodec beats: what .san files know of beats, as WFDB annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sancodec.activation_beats import Beats, beats_of
from sancodec.beat_comparison import say_agreement
from sancodec.beats import Agreement, compare_beats, reference_beats
from sancodec.cli._options import force_option
from sancodec.cli._report import print_json
from sancodec.cli._source import opened
from sancodec.cli._terminal import for_each, printable
from sancodec.errors import ConfigError, OutputError, RecordError
from sancodec.files import open_file
from sancodec.formats.hea import safe_name
from sancodec.formats.wfdb_objects import write_annotation
from sancodec.record_file import RecordFile


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE.san...")
@click.option(
    "-a",
    "--annotator",
    default="beats",
    show_default=True,
    metavar="NAME",
    help="Ending of the annotation file, letters only. With san, name another folder (-o): the "
    "file RECORD.san is the compressed one.",
)
@click.option(
    "-o",
    "--output",
    "directory",
    metavar="DIR",
    help="Folder to write to.  [default: that of FILE.san]",
)
@click.option(
    "--against",
    metavar="RECORD.EXT",
    help="Compare with an annotation file (mitdb/100.atr), or, where this is a folder, with "
    "RECORD.atr in it: beats within 150 ms are the same one.",
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each file.")
@force_option
@click.pass_context
def beats(
    context: click.Context,
    *,
    sources: tuple[str, ...],
    annotator: str,
    directory: str | None,
    against: str | None,
    as_json: bool,
    force: bool,
) -> None:
    """Write the beats of .san files as WFDB annotations, without decoding a sample.

    Beats are the activations of the SAN layer of ECG leads, less those that are no QRS complex.
    Each stands at the largest deflection of its QRS complex, labelled N, with its class (the number
    of its kernel) in the field num. A file without such a layer is refused: it knows of no beats.

    \b
    Example:
      sancodec beats 100.san                          writes 100.beats beside it
      sancodec beats 100.san --against mitdb/100.atr
      sancodec beats *.san -a san -o annotations      annotations/100.san, an annotation file
    """

    def work(source: str) -> None:
        folder = _folder_for(source, directory)
        with opened(source) as stream, open_file(stream) as file:
            target = folder / f"{safe_name(file.record_name)}.{annotator}"
            _refuse_encoded(target)
            found = beats_of(file)
            agreement = None if against is None else _compare(file, found, Path(against))
        write_annotation(target, found.frame, found.kernel, force=force)
        said = {"file": str(target), "n_beats": found.frame.size} | _say(agreement)
        if as_json:
            print_json(said)
            return
        click.echo(f"{printable(str(target))}: {found.frame.size:,} beats{_in_words(agreement)}")

    for_each(context, sources, work)


def _folder_for(source: str, directory: str | None) -> Path:
    if directory is not None:
        return Path(directory)
    if source == "-" or "://" in source:
        raise ConfigError(f"{source}: has no folder to write beside it; name one with -o DIR")
    return Path(source).parent


def _refuse_encoded(target: Path) -> None:
    """Raise OutputError where a compressed file would be overwritten, forced or not."""
    try:
        with target.open("rb") as file:
            encoded = file.read(4) == b"\x89SAN"
    except FileNotFoundError:
        return
    if encoded:
        raise OutputError(
            f"{target}: is a compressed record, and is not overwritten; name another annotator "
            "(-a beats), or another folder (-o DIR)"
        )


def _compare(file: RecordFile, found: Beats, against: Path) -> Agreement:
    path = against / f"{safe_name(file.record_name)}.atr" if against.is_dir() else against
    reference = reference_beats(path.with_suffix(""), file.n_frames, path.suffix[1:])
    if reference is None:
        raise RecordError(f"{path}: not found, or marks no beats")
    return compare_beats(reference, found.frame, file.fs)


def _say(agreement: Agreement | None) -> dict[str, Any]:
    return {} if agreement is None else {"agreement": say_agreement(agreement)}


def _in_words(agreement: Agreement | None) -> str:
    if agreement is None:
        return ""
    said = f", {agreement.n_missed:,} missed, {agreement.n_extra:,} extra"
    ratios = {
        "sensitivity": agreement.sensitivity,
        "positive predictivity": agreement.positive_predictivity,
    }
    return said + "".join(
        f", {name} {100 * ratio:.2f} %" for name, ratio in ratios.items() if ratio is not None
    )
