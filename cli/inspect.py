"""sancodec inspect: what .san files hold."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import click

from sancodec.cli._options import force_option
from sancodec.cli._report import print_json, print_report, print_spans, rows_of
from sancodec.cli._source import opened, rewound
from sancodec.cli._terminal import for_each
from sancodec.formats.output import pending
from sancodec.inspection import inspect_file
from sancodec.report import Report


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE.san...")
@click.option("--json", "as_json", is_flag=True, help="Report one line of JSON for each file.")
@click.option(
    "--bytes", "with_bytes", is_flag=True, help="Account for every byte: offset, size, meaning."
)
@click.option(
    "--html",
    "page",
    metavar="PAGE.html",
    help="Decode the file as well, and write a page for a browser: signals on ECG paper to zoom "
    "into, beats, kernels, and the report. It is one file, and fetches nothing.",
)
@force_option
@click.pass_context
def inspect(
    context: click.Context,
    *,
    sources: tuple[str, ...],
    as_json: bool,
    with_bytes: bool,
    page: str | None,
    force: bool,
) -> None:
    """Report what .san files hold, without decoding a sample.

    FILE.san may be - for stdin, a URL, or PACK.sanpack::NAME. Sizes are in bytes; every
    ratio names its base.

    \b
    Example:
      sancodec inspect 100.san
      sancodec inspect --bytes 100.san
      sancodec inspect 100.san --html 100.html
    """
    if page is not None and len(sources) > 1:
        raise click.UsageError("--html: one page is of one file")

    def work(source: str) -> None:
        with opened(source) as stream:
            report, found = inspect_file(stream)
            if page is not None:
                _write_page(rewound(stream), report, Path(page), force)
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


def _write_page(stream: Path | BinaryIO, report: Report, target: Path, force: bool) -> None:
    # Imported here: a report alone decodes nothing, and is there at once.
    from sancodec.files import open_file  # noqa: PLC0415
    from sancodec.pages.record import record_page  # noqa: PLC0415

    with pending(target, force) as written, open_file(stream) as file:
        written.write(record_page(file, rows_of(report)).encode("utf-8"))
