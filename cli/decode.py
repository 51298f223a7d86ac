"""sancodec decode: .san files back to the original files, or a part of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, BinaryIO

import click

from sancodec.cli._options import (
    decoder_model_option,
    force_option,
    frame_of,
    jobs_option,
    parse_position,
    provider_option,
)
from sancodec.cli._source import is_in_pack, opened, rewound
from sancodec.cli._terminal import for_each, printable, progress_bar
from sancodec.errors import CorruptError
from sancodec.files import decode_file, open_file
from sancodec.formats.exports import FORMATS, ORIGINAL
from sancodec.formats.remote import is_url
from sancodec.salvaged import Salvaged, salvage_file


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE.san...")
@click.option(
    "-o",
    "--output",
    "directory",
    metavar="DIR|-",
    help="Folder to write to, or - for one file to stdout.  [default: beside FILE.san; of stdin, "
    "a URL, or a pack, the working folder]",
)
@click.option(
    "--layer",
    type=click.Choice(["signal", "san"]),
    default="signal",
    show_default=True,
    help="All of the signal, or the SAN layer's reconstruction alone, as a preview.",
)
@click.option(
    "--format",
    "fmt",
    type=click.Choice(FORMATS),
    default=ORIGINAL,
    show_default=True,
    help="The original files; WFDB files; an array (n_samples, n_channels) of int32 in ADC units; "
    "a table of physical values; an EDF file, its last data record filled up with the last sample.",
)
@click.option(
    "--start", callback=parse_position, metavar="N|Ns", help="First sample (3600) or second (10s)."
)
@click.option(
    "--stop",
    callback=parse_position,
    metavar="N|Ns",
    help="Sample (7200) or second (20s) to end before.",
)
@click.option(
    "--salvage",
    is_flag=True,
    help="Of a damaged file write what is left, as NAME_salvaged; lost samples are marked.",
)
@provider_option
@decoder_model_option
@jobs_option
@force_option
@click.pass_context
def decode(
    context: click.Context,
    *,
    sources: tuple[str, ...],
    directory: str | None,
    layer: str,
    fmt: str,
    start: tuple[float, bool] | None,
    stop: tuple[float, bool] | None,
    salvage: bool,
    provider: str,
    model: str | None,
    jobs: int | None,
    force: bool,
) -> None:
    """Give back the original files of .san files byte for byte, or a part of their signal.

    FILE.san may be - for stdin, a URL, or PACK.sanpack::NAME. With --salvage, of a damaged file
    each lost part is named, what is left becomes a new record with WFDB's value for invalid samples
    in the lost parts, and the exit code is 3 all the same.

    \b
    Example:
      sancodec decode 100.san -o restored
      sancodec decode 100.san --start 60s --stop 70s --format npy
      sancodec decode damaged.san --salvage
      sancodec decode 100.san --format csv -o - > 100.csv
    """
    if salvage and layer != "signal":
        raise click.UsageError("--salvage gives the signal; leave --layer out")
    if directory == "-" and (salvage or len(sources) > 1):
        raise click.UsageError("-o -: stdout takes one whole file; give a folder")

    def work(source: str) -> None:
        salvaged: Salvaged | None = None
        with opened(source) as stream, progress_bar(source) as progress:
            settings: dict[str, Any] = {
                "provider": provider,
                "force": force,
                "fmt": fmt,
                "model": model,
                "progress": progress,
            }
            target = _directory(source, directory)
            try:
                span = _span(stream, start, stop, damaged=salvage)
                paths = decode_file(
                    rewound(stream), target, layer=layer, jobs=jobs, **span, **settings
                )
            except CorruptError:
                if not salvage or not isinstance(target, Path):
                    raise
                salvaged = salvage_file(rewound(stream), target, **span, **settings)
                paths = salvaged.paths
        for path in paths:
            click.echo(printable(str(path)))
        if salvaged is not None:
            _say_salvaged(source, salvaged)

    for_each(context, sources, work)


def _span(
    stream: Path | BinaryIO,
    start: tuple[float, bool] | None,
    stop: tuple[float, bool] | None,
    *,
    damaged: bool,
) -> dict[str, Any]:
    """Give the frames between two positions."""
    fs = 0.0
    if any(place is not None and place[1] for place in (start, stop)):
        with open_file(stream, damaged=damaged) as file:
            fs = file.header.fs
    return {"start": frame_of(start, fs) or 0, "stop": frame_of(stop, fs)}


def _directory(source: str, directory: str | None) -> Path | BinaryIO:
    if directory == "-":
        if sys.stdout.isatty():
            raise click.UsageError("-o -: stdout is a terminal; redirect it, or give a folder")
        return sys.stdout.buffer
    if directory is not None:
        return Path(directory)
    nowhere = source == "-" or is_url(source) or is_in_pack(source)
    return Path() if nowhere else Path(source).parent


def _say_salvaged(source: str, salvaged: Salvaged) -> None:
    """Name what is lost on stderr.

    Raises
    ------
    CorruptError
        Always: a file that had to be salvaged is no good one.
    """
    lost = [span.reason for span in salvaged.lost]
    for reason in filter(None, [salvaged.problem, *lost]):
        click.echo(f"sancodec: lost: {printable(reason)}", err=True)
    n_frames = sum(span.stop - span.start for span in salvaged.lost)
    where = ", ".join(str(path) for path in salvaged.paths if path.suffix != ".dat")
    raise CorruptError(
        f"{source}: damaged; {n_frames} of {salvaged.n_frames} samples of each lead are lost and "
        f"marked, the others are in {where}"
    )
