"""What ``sancodec train --primer`` does: a primer of records, instead of kernels."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sancodec.cli._terminal import printable, progress_bar

if TYPE_CHECKING:
    from sancodec.training.priming import EntryReport

_RESIDUALS = {1: "lossless", 2: "lossy"}


def train_primer(
    records: tuple[Path, ...], signal_type: str, output: Path, licence: str, *, as_json: bool
) -> int:
    """Write a primer and say what is in it; give how many records were left out."""
    from sancodec.formats.output import write_whole  # noqa: PLC0415
    from sancodec.training.lessons import study_all  # noqa: PLC0415
    from sancodec.training.priming import make_primer  # noqa: PLC0415
    from sancodec.training.sources import find_records  # noqa: PLC0415

    with progress_bar("encoding records") as on_record:
        lessons, skipped = study_all(find_records(records), signal_type, on_record)
    for problem in skipped:
        click.echo(f"sancodec: skipped: {printable(problem)}", err=True)
    primer, reports = make_primer(lessons, signal_type, licence)
    write_whole(output, primer)
    if as_json:
        entries = [asdict(report) | {"kept": report.kept} for report in reports]
        figures = {"primer": str(output), "n_bytes": len(primer), "entries": entries}
        click.echo(json.dumps({**figures, "n_skipped": len(skipped)}))
    else:
        for report in reports:
            click.echo(_say(report))
        click.echo(f"{printable(str(output))}: {len(primer)} bytes")
    return len(skipped)


def _say(report: EntryReport) -> str:
    key = report.key
    leads = str(key.fewest_leads)
    if key.most_leads > key.fewest_leads:
        leads += f" to {key.most_leads}"
    verdict = "kept" if report.kept else "not kept"
    return (
        f"{_RESIDUALS[key.residual]}, {leads} leads at {key.lowest_fs:g} Hz: saves "
        f"{report.saved:.1%} of the other half of {report.n_records} records, {verdict}"
    )
