"""sancodec verify: check that .san files are whole."""

from __future__ import annotations

import click

from sancodec.cli._options import decoder_model_option, jobs_option, provider_option
from sancodec.cli._source import opened
from sancodec.cli._terminal import for_each, printable, progress_bar
from sancodec.files import verify_file


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE.san...")
@provider_option
@decoder_model_option
@jobs_option
@click.pass_context
def verify(
    context: click.Context,
    *,
    sources: tuple[str, ...],
    provider: str,
    model: str | None,
    jobs: int | None,
) -> None:
    """Check .san files: every checksum, then decode all samples and compare their hash.

    FILE.san may be - for stdin, or a URL. Writes nothing; the exit code is 3 for a corrupt file.

    \b
    Example:
      sancodec verify *.san
    """

    def work(source: str) -> None:
        with opened(source) as stream, progress_bar(source) as progress:
            verify_file(stream, provider=provider, model=model, jobs=jobs, progress=progress)
        click.echo(f"{printable(source)}: whole")

    for_each(context, sources, work)
