"""sancodec list: the records of a pack."""

from __future__ import annotations

from dataclasses import asdict

import click

from sancodec.cli._report import print_json
from sancodec.cli._source import rooted
from sancodec.cli._terminal import Failures, printable
from sancodec.pack import PackFile, open_pack, select


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE.sanpack...")
@click.option("--include", "patterns", multiple=True, metavar="GLOB", help="Names to list: 'a/*'.")
@click.option("--json", "as_json", is_flag=True, help="Report one line of JSON for each record.")
@click.option(
    "--bytes", "with_bytes", is_flag=True, help="Account for every byte of the pack instead."
)
@click.pass_context
def list(  # noqa: A001
    context: click.Context,
    *,
    sources: tuple[str, ...],
    patterns: tuple[str, ...],
    as_json: bool,
    with_bytes: bool,
) -> None:
    """List the records of packs: bytes of their own, channels, seconds, frames per second, name.

    FILE.sanpack may be a URL. No record is read.

    \b
    Example:
      sancodec list many.sanpack
      sancodec list many.sanpack --include 'records500/*' --json
    """
    failures = Failures(context)
    n_listed = 0
    for source in sources:
        with open_pack(rooted(source)) as pack:
            if with_bytes:
                _print_bytes(pack, as_json=as_json)
                continue
            for member in select(pack, patterns=patterns, failed=failures):
                listed = pack.describe(member)
                n_listed += 1
                if as_json:
                    print_json({"pack": source} | asdict(listed))
                else:
                    click.echo(
                        f"{listed.n_bytes:>10,}  {listed.n_channels:>3}  {listed.seconds:>9.1f}  "
                        f"{listed.fs:>8g}  {printable(listed.name)}"
                    )
    failures.finish(n_listed + failures.n_failed)


def _print_bytes(pack: PackFile, *, as_json: bool) -> None:
    account = pack.reader.account()
    if as_json:
        print_json({"pack": pack.name, "n_members": len(pack), "n_bytes": account})
        return
    for what, n_bytes in account.items():
        click.echo(f"{n_bytes:>14,}  {what}")
    click.echo(f"{sum(account.values()):>14,}  of {len(pack):,} records in {printable(pack.name)}")
