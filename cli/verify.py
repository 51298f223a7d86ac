"""sancodec verify: check that .san files are whole."""

from __future__ import annotations

import click

from sancodec.cli._options import decoder_model_option, jobs_option, provider_option
from sancodec.cli._source import opened, rooted
from sancodec.cli._terminal import Failures, for_each, printable, progress_bar
from sancodec.errors import CorruptError
from sancodec.files import verify_file
from sancodec.pack import PACK_SUFFIX, open_pack, select
from sancodec.unpacking import verify_members


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

    FILE.san may be - for stdin, a URL, or PACK.sanpack::NAME; of a pack all records
    are checked. Writes nothing; the exit code is 3 for a corrupt file.

    \b
    Example:
      sancodec verify *.san
    """

    def work(source: str) -> None:
        if source.endswith(PACK_SUFFIX):
            _verify_pack(context, source, provider, model, jobs)
            return
        with opened(source) as stream, progress_bar(source) as progress:
            verify_file(stream, provider=provider, model=model, jobs=jobs, progress=progress)
        click.echo(f"{printable(source)}: whole")

    for_each(context, sources, work)


def _verify_pack(
    context: click.Context, source: str, provider: str, model: str | None, jobs: int | None
) -> None:
    """Check all records of a pack, and that its parts are all of it."""
    failures = Failures(context)
    with open_pack(rooted(source), provider=provider, model=model) as pack:
        members = select(pack, failed=failures)
        n_whole = sum(1 for _ in verify_members(pack, members, jobs=jobs, failed=failures))
        if failures.n_failed:
            raise CorruptError(f"{source}: {failures.n_failed} records or parts are damaged")
        pack.reader.account()
    click.echo(f"{printable(source)}: whole, {n_whole:,} records")
