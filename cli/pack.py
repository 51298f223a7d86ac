"""sancodec pack: many .san files into one."""

from __future__ import annotations

from pathlib import Path

import click

from sancodec.cli._options import force_option
from sancodec.cli._report import print_json
from sancodec.cli._terminal import Failures, printable, progress_bar
from sancodec.packing import find_members, pack_files, shared_model


@click.command()
@click.argument(
    "sources",
    nargs=-1,
    required=True,
    metavar="FILE.san|FOLDER...",
    type=click.Path(path_type=Path),
)
@click.option(
    "-o",
    "--output",
    "target",
    required=True,
    metavar="FILE.sanpack",
    type=click.Path(path_type=Path),
    help="The pack to write.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="FILE.onnx|FILE.primer",
    type=click.Path(path_type=Path),
    help="A model or primer that the files need and the package does not ship: it goes along.",
)
@click.option("--json", "as_json", is_flag=True, help="Report one line of JSON.")
@force_option
@click.pass_context
def pack(
    context: click.Context,
    *,
    sources: tuple[Path, ...],
    target: Path,
    models: tuple[Path, ...],
    as_json: bool,
    force: bool,
) -> None:
    """Put many .san files, and those of folders, into one file, from which single ones come out.

    Records have the names of their paths from the folder that all of them have in common. What
    short records say again and again is in the pack once. It is read again before it is kept; the
    files stay. Sizes are in bytes.

    \b
    Example:
      sancodec pack encoded -o many.sanpack
      sancodec list many.sanpack
      sancodec decode many.sanpack::records500/00000/00001_hr
    """
    members = find_members(sources)
    failures = Failures(context)
    with progress_bar(str(target)) as progress:
        packed = pack_files(
            members,
            target,
            shared=map(shared_model, models),
            force=force,
            failed=failures,
            progress=progress,
        )
    if as_json:
        print_json(
            {
                "pack": str(target),
                "n_members": packed.n_members,
                "n_failed": packed.n_failed,
                "n_san_bytes": packed.n_san_bytes,
                "n_bytes": packed.n_bytes,
            }
        )
    else:
        click.echo(
            f"{printable(str(target))}: {packed.n_members:,} records, {packed.n_bytes:,} bytes "
            f"({packed.n_san_bytes:,} as single files)"
        )
    failures.finish(len(members))
