"""sancodec decode: .san files back to the original files, or a part of them."""

from __future__ import annotations

from pathlib import Path

import click

from sancodec.cli._options import (
    decoder_model_option,
    force_option,
    frame_of,
    jobs_option,
    parse_position,
    provider_option,
)
from sancodec.cli._source import opened, rewound
from sancodec.cli._terminal import for_each, printable, progress_bar
from sancodec.files import decode_file, inspect_file


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE.san...")
@click.option(
    "-o",
    "--output",
    "directory",
    metavar="DIR",
    help="Folder to write to.  [default: beside FILE.san; of stdin, the working folder]",
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
    type=click.Choice(["wfdb", "npy"]),
    default="wfdb",
    show_default=True,
    help="WFDB files, or an array (n_samples, n_channels) of int32 in ADC units.",
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
    provider: str,
    model: str | None,
    jobs: int | None,
    force: bool,
) -> None:
    """Give back the original files of .san files byte for byte, or a part of their signal.

    FILE.san may be - for stdin.

    \b
    Example:
      sancodec decode 100.san -o restored
      sancodec decode 100.san --start 60s --stop 70s --format npy
    """

    def work(source: str) -> None:
        with opened(source) as stream, progress_bar(source) as progress:
            in_seconds = any(place is not None and place[1] for place in (start, stop))
            fs = inspect_file(stream)[0].fs if in_seconds else 0.0
            paths = decode_file(
                rewound(stream),
                _directory(source, directory),
                provider=provider,
                force=force,
                layer=layer,
                start=frame_of(start, fs) or 0,
                stop=frame_of(stop, fs),
                fmt=fmt,
                model=model,
                jobs=jobs,
                progress=progress,
            )
        for path in paths:
            click.echo(printable(str(path)))

    for_each(context, sources, work)


def _directory(source: str, directory: str | None) -> Path:
    if directory is not None:
        return Path(directory)
    return Path() if source == "-" else Path(source).parent
