"""How far a batch is, and what came of it, on the terminal."""

from __future__ import annotations

import click

from sancodec.batch.decoding import Encoded
from sancodec.batch.plan import Plan
from sancodec.batch.summary import Summary
from sancodec.batch.walk import Archive
from sancodec.cli._report import print_json
from sancodec.cli._terminal import SOME_FAILED, printable


def print_plan(archive: Archive, plan: Plan, *, as_json: bool) -> None:
    """Say what would be encoded, and why."""
    if as_json:
        print_json(
            {
                "encode": {step.record.name: step.reason for step in plan.steps},
                "targets": {step.record.name: step.record.target for step in plan.steps},
                "skip": [entry.name for entry in plan.done],
                "fail": {entry.name: entry.error for entry in plan.failed} | archive.problems,
                "others": list(archive.others),
            }
        )
        return
    for step in plan.steps:
        said = f"{step.record.name} -> {step.record.target} ({step.reason})"
        click.echo(printable(said))
    for entry in plan.failed:
        click.echo(f"cannot be encoded: {printable(entry.error)}", err=True)
    for name, problem in archive.problems.items():
        click.echo(f"cannot be carried along: {printable(f'{name}: {problem}')}", err=True)
    click.echo(
        f"{len(plan.steps):,} records to encode, {len(plan.done):,} done, "
        f"{len(plan.failed):,} that cannot be; {len(archive.others):,} other files",
        err=True,
    )


def print_decoding_plan(found: Encoded, *, as_json: bool) -> None:
    """Say what would be decoded."""
    if as_json:
        print_json({"decode": list(found.records), "others": list(found.others)})
        return
    for name in found.records:
        click.echo(printable(name))
    click.echo(
        f"{len(found.records):,} records to decode; {len(found.others):,} other files", err=True
    )


def print_summary(context: click.Context, summary: Summary, *, as_json: bool) -> None:
    """Say what came of a batch.

    Raises
    ------
    click.exceptions.Exit
        Something failed; exit code 4.
    """
    for note in summary.notes:
        click.echo(f"sancodec: note: {printable(note)}", err=True)
    for name, why in summary.failures.items():
        said = why if why.startswith(name) else f"{name}: {why}"
        click.echo(f"sancodec: failed: {printable(said)}", err=True)
    if summary.stopped:
        click.echo(f"sancodec: stopped: {printable(summary.stopped)}", err=True)
    if as_json:
        print_json(summary.to_json())
    else:
        click.echo(_say(summary))
    if summary.failures or summary.stopped:
        context.exit(SOME_FAILED)


def _say(summary: Summary) -> str:
    said = f"{summary.n_done:,} of {summary.n_records:,} records done"
    if summary.n_skipped:
        said += f", {summary.n_skipped:,} were before"
    if summary.n_copied or summary.n_kept:
        said += f", {summary.n_copied + summary.n_kept:,} other files carried along"
    if summary.n_removed:
        said += f", originals of {summary.n_removed:,} deleted"
    if summary.failures:
        said += f", {summary.n_failed:,} failed"
    said += f" in {summary.seconds:,.1f} s"
    if summary.n_written:
        said += f"; {summary.n_read:,} bytes became {summary.n_written:,}"
    return said
