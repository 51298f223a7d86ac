"""sancodec inspect: what .san files hold."""

from __future__ import annotations

import click

from sancodec.cli._report import print_json, print_report, print_spans
from sancodec.cli._source import opened
from sancodec.cli._terminal import for_each
from sancodec.inspection import inspect_file


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE.san...")
@click.option("--json", "as_json", is_flag=True, help="Report one line of JSON for each file.")
@click.option(
    "--bytes", "with_bytes", is_flag=True, help="Account for every byte: offset, size, meaning."
)
@click.pass_context
def inspect(
    context: click.Context, sources: tuple[str, ...], as_json: bool, with_bytes: bool
) -> None:
    """Report what .san files hold, without decoding a sample.

    FILE.san may be - for stdin, a URL, or PACK.sanpack::NAME. Sizes are in bytes; every
    ratio names its base.

    \b
    Example:
      sancodec inspect 100.san
      sancodec inspect --bytes 100.san
    """

    def work(source: str) -> None:
        with opened(source) as stream:
            report, found = inspect_file(stream)
        spans = [(span.offset, span.n_bytes, span.what) for span in found] if with_bytes else []
        if as_json:
            keys = ("offset", "n_bytes", "what")
            listed = {"spans": [dict(zip(keys, span, strict=True)) for span in spans]}
            print_json(report.to_json() | (listed if with_bytes else {}))
            return
        print_report(report, as_json=False)
        if with_bytes:
            print_spans(spans, report.n_bytes)

    for_each(context, sources, work)
