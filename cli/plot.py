"""sancodec plot: a part of a .san file on ECG paper."""

from __future__ import annotations

from pathlib import Path

import click

from sancodec.cli._options import (
    decoder_model_option,
    force_option,
    frame_of,
    parse_position,
    provider_option,
)
from sancodec.cli._source import opened
from sancodec.cli._terminal import printable
from sancodec.errors import ConfigError
from sancodec.files import open_file
from sancodec.formats.output import staged
from sancodec.paper import draw_paper, paper_of

_SECONDS = 10.0
_SUFFIXES = (".png", ".svg", ".pdf", ".html")


@click.command()
@click.argument("source", metavar="FILE.san")
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE.png|svg|pdf|html",
    help="Picture to write; its ending chooses the format.",
)
@click.option(
    "--start",
    callback=parse_position,
    metavar="N|SECONDSs",
    help="First sample (3600), or time in seconds (10s).  [default: 0]",
)
@click.option(
    "--stop",
    callback=parse_position,
    metavar="N|SECONDSs",
    help=f"Sample or time behind the last.  [default: {_SECONDS:g} s after the start]",
)
@click.option(
    "--lead",
    "leads",
    multiple=True,
    metavar="NAME",
    help="Lead to draw; give the option once for each.  [default: all]",
)
@click.option(
    "--against",
    metavar="RECORD",
    help="The original record of a lossy file, to draw beneath what is decoded.",
)
@provider_option
@decoder_model_option
@force_option
def plot(
    *,
    source: str,
    output: str,
    start: tuple[float, bool] | None,
    stop: tuple[float, bool] | None,
    leads: tuple[str, ...],
    against: str | None,
    provider: str,
    model: str | None,
    force: bool,
) -> None:
    """Draw a part of a .san file on ECG paper, to scale: 25 mm/s and 10 mm/mV where that fits.

    Of up to three leads the signal, its SAN layer, and what the layer leaves have a panel each; of
    more leads the layer is drawn over the signal. Below are the activations as stems, in the unit
    of the first lead, and the kernels. Rate against distortion is drawn by evaluate --plot.

    \b
    Example:
      sancodec plot 100.san -o 100.png
      sancodec plot 100.san -o 100.svg --start 60s --stop 64s --lead MLII
      sancodec plot lossy.san -o lossy.png --against 100.hea
    """
    target = Path(output)
    if target.suffix.lower() not in _SUFFIXES:
        raise click.UsageError(f"{output}: a picture ends in one of {', '.join(_SUFFIXES)}")
    with opened(source) as stream, open_file(stream, provider=provider, model=model) as file:
        first = frame_of(start, file.fs) or 0
        last = frame_of(stop, file.fs)
        if last is None:
            last = min(file.n_frames, first + max(round(_SECONDS * file.fs), 1))
        if first >= last:
            raise ConfigError(f"{source}: nothing from frame {first} to {last}")
        picture = paper_of(
            file, first, last, leads=leads, against=None if against is None else Path(against)
        )
    with staged([target], force=force) as folder:
        draw_paper(picture, folder / target.name)
    click.echo(printable(output))
