"""sancodec batch: whole archives, record by record, to .san files and back."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from sancodec.batch.cluster import Cluster
from sancodec.batch.decoding import DecodeSettings, decode_archive, find_encoded
from sancodec.batch.encoding import ArchiveSettings, encode_archive, plan_encoding
from sancodec.batch.encoding_job import EncodeSettings
from sancodec.batch.inline import Inline
from sancodec.batch.job import Scheduler
from sancodec.batch.places import open_tree
from sancodec.batch.pool import LocalPool
from sancodec.batch.trees import Tree
from sancodec.batch.walk import Choice
from sancodec.cli._batch_options import batch_options
from sancodec.cli._batch_report import (
    print_decoding_plan,
    print_plan,
    print_summary,
)
from sancodec.cli._encode_options import (
    coding_options,
    no_verify_option,
    remove_original_option,
    take_config,
    with_annotations_option,
)
from sancodec.cli._options import decoder_model_option, provider_option
from sancodec.cli._terminal import progress_bar
from sancodec.parallel import jobs_of

_LOCAL = "local"


@click.group()
def batch() -> None:
    """Encode whole archives to trees of .san files, and decode them.

    \b
    Example:
      sancodec batch encode mitdb compressed
      sancodec batch decode compressed restored
    """


@batch.command()
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@batch_options
@coding_options
@with_annotations_option
@remove_original_option
@no_verify_option
@click.option(
    "--check",
    is_flag=True,
    help="Compare what was done before by SHA-256, and not by size and time of change alone.",
)
@click.option(
    "--fit",
    type=click.IntRange(min=0),
    metavar="N",
    help="First train kernels of each type of signal on N of the records, unless DST has them "
    "already; 0 leaves them out.  [default: 16, for types that no shipped model is for]",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.html",
    help="Write a page of all records: totals, failures, folders. It needs no network.",
)
@provider_option
@click.pass_context
def encode(
    context: click.Context,
    /,
    *,
    source: str,
    target: str,
    jobs: int | None,
    scheduler: str,
    no_verify: bool,
    provider: str,
    remove_original: bool,
    report: Path | None,
    as_json: bool,
    dry_run: bool,
    **options: Any,
) -> None:
    """Compress every record in SRC to a .san file at the same place in DST: folders, or URLs.

    Records are WFDB records of one or several segments, and EDF and BDF files; all other files are
    carried along as they are, and so are the files of records that fail. What became of each is in
    DST/sancodec-manifest.jsonl. Run it again to go on: what is done and unchanged is skipped; what
    is new, changed, or failed is done.

    \b
    Example:
      sancodec batch encode mitdb compressed
      sancodec batch encode physionet compressed --jobs 4 --exclude '*/drafts/*' --report page.html
      sancodec batch encode mitdb lossy --prdn 5 --no-others
      sancodec batch encode s3://archive/mitdb s3://archive/compressed --scheduler tcp://host:8786
    """
    settings = ArchiveSettings(
        encode=EncodeSettings(config=take_config(options), verify=not no_verify, provider=provider),
        choice=Choice(include=options.pop("include"), exclude=options.pop("exclude")),
        remove_originals=remove_original,
        **options,
    )
    trees = open_tree(source), open_tree(target)
    if dry_run:
        print_plan(*plan_encoding(*trees, settings), as_json=as_json)
        return
    with (
        closing(_open_scheduler(scheduler, jobs, *trees)) as workers,
        progress_bar("encoding", in_bytes=True) as progress,
    ):
        summary, entries = encode_archive(*trees, settings, workers, progress)
    if report is not None:
        from sancodec.batch.page import write_page  # noqa: PLC0415

        write_page(report, summary, entries)
    print_summary(context, summary, as_json=as_json)


@batch.command()
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@batch_options
@decoder_model_option
@provider_option
@click.pass_context
def decode(
    context: click.Context,
    /,
    *,
    source: str,
    target: str,
    jobs: int | None,
    scheduler: str,
    as_json: bool,
    dry_run: bool,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    **options: Any,
) -> None:
    """Give back the tree that SRC was made of: every .san file decoded, all others carried back.

    SRC and DST are folders or URLs. Run it again to go on: files that are in DST already, byte for
    byte, are skipped.

    \b
    Example:
      sancodec batch decode compressed restored
      sancodec batch decode compressed some --include 'training/*'
    """
    settings = DecodeSettings(choice=Choice(include=include, exclude=exclude), **options)
    trees = open_tree(source), open_tree(target)
    if dry_run:
        print_decoding_plan(find_encoded(trees[0], settings), as_json=as_json)
        return
    with (
        closing(_open_scheduler(scheduler, jobs, *trees)) as workers,
        progress_bar("decoding", in_bytes=True) as progress,
    ):
        summary = decode_archive(*trees, settings, workers, progress)
    print_summary(context, summary, as_json=as_json)


def _open_scheduler(name: str, jobs: int | None, *trees: Tree) -> Scheduler:
    """Give what has the jobs done: processes here, a cluster, or this process alone."""
    are_shared = all(tree.is_shared for tree in trees)
    if name != _LOCAL:
        if jobs is not None:
            raise click.UsageError("--jobs: the workers of a cluster are as many as it has")
        if not are_shared:
            raise click.UsageError("--scheduler: what is in memory no other process sees")
        return Cluster(name)
    return LocalPool(jobs_of(jobs)) if are_shared else Inline()
