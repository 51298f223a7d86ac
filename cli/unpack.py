"""sancodec unpack: records of a pack, as .san files or as their original files."""

from __future__ import annotations

from pathlib import Path

import click

from sancodec.cli._options import (
    decoder_model_option,
    force_option,
    jobs_option,
    provider_option,
)
from sancodec.cli._source import rooted
from sancodec.cli._terminal import Failures, printable
from sancodec.errors import CorruptError
from sancodec.pack import open_pack, select
from sancodec.unpacking import unpack_files


@click.command()
@click.argument("source", metavar="FILE.sanpack")
@click.argument("names", nargs=-1, metavar="[NAME|FOLDER...]")
@click.option("--include", "patterns", multiple=True, metavar="GLOB", help="Names to take: 'a/*'.")
@click.option(
    "-o",
    "--output",
    "directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=".",
    help="Folder to write to.  [default: the working folder]",
)
@click.option("--originals", is_flag=True, help="Decode: write the original files of the records.")
@click.option(
    "--salvage", is_flag=True, help="Where the index is lost, look for records in the whole file."
)
@provider_option
@decoder_model_option
@jobs_option
@force_option
@click.pass_context
def unpack(
    context: click.Context,
    *,
    source: str,
    names: tuple[str, ...],
    patterns: tuple[str, ...],
    directory: Path,
    originals: bool,
    salvage: bool,
    provider: str,
    model: str | None,
    jobs: int | None,
    force: bool,
) -> None:
    """Give back the records of a pack, all or those that are named, in the folders of their names.

    What comes out are the .san files that were packed, byte for byte. FILE.sanpack may be a URL. A
    record that is damaged is named, and the others come out.

    \b
    Example:
      sancodec unpack many.sanpack -o encoded
      sancodec unpack many.sanpack records500/00000 --originals -o restored
    """
    failures = Failures(context)
    with open_pack(rooted(source), provider=provider, model=model, damaged=salvage) as pack:
        members = select(pack, names, patterns, failures)
        n_done = 0
        for paths in unpack_files(
            pack,
            directory,
            members,
            originals=originals,
            force=force,
            jobs=jobs,
            failed=failures,
        ):
            n_done += 1
            for path in paths:
                click.echo(printable(str(path)))
        failures.finish(n_done + failures.n_failed)
        if pack.reader.problem:
            raise CorruptError(f"{pack.reader.problem}; {n_done} records were found without it")
