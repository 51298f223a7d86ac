"""An archive of .san files back to the tree that it was."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from sancodec.batch.copying_job import CopyJob
from sancodec.batch.decoding_job import DecodeJob
from sancodec.batch.job import Job, Scheduler
from sancodec.batch.manifest import DONE
from sancodec.batch.places import read_manifest, refuse_overlap, writing
from sancodec.batch.summary import Progress, Summary, Tally
from sancodec.batch.trees import Listing, Tree
from sancodec.batch.walk import SAN, Choice, is_reserved


@dataclass(frozen=True, kw_only=True)
class DecodeSettings:
    """What is done with an archive of .san files.

    Attributes
    ----------
    choice : Choice
        Which files of it are meant.
    others : bool
        Whether files that are no records are carried back.
    force : bool
        Whether files of the target with another content are overwritten.
    provider, model : str, str or None
        As of ``decode_file``.
    """

    choice: Choice = field(default_factory=Choice)
    others: bool = True
    force: bool = False
    provider: str = "auto"
    model: str | None = None


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """What is in a tree of .san files.

    Attributes
    ----------
    records, others : tuple of str
        The .san files, and all others that belong to the archive.
    listing : Listing
    """

    records: tuple[str, ...]
    others: tuple[str, ...]
    listing: Listing


def find_encoded(source: Tree, settings: DecodeSettings) -> Encoded:
    """Give the .san files of a tree, and what is beside them.

    What a manifest says was carried along is no record, whatever its name.

    Raises
    ------
    RecordError
        There is no such tree, or its manifest cannot be read.
    """
    listing = source.list()
    carried = {entry.name for entry in read_manifest(source).files() if entry.state == DONE}
    takes = settings.choice.takes
    names = [name for name in sorted(listing.files) if takes(name) and not is_reserved(name)]
    records = [name for name in names if name.endswith(SAN) and name not in carried]
    others = sorted(set(names).difference(records)) if settings.others else []
    return Encoded(records=tuple(records), others=tuple(others), listing=listing)


def decode_archive(
    source: Tree,
    target: Tree,
    settings: DecodeSettings,
    scheduler: Scheduler,
    progress: Progress | None = None,
) -> Summary:
    """Decode all .san files of a tree into another one, and carry all other files back.

    What is there already, byte for byte, is left as it is.

    Raises
    ------
    RecordError, OutputError
        There is no source; another batch is at work on the target, or it cannot be written.
    """
    refuse_overlap(source, target)
    started = time.perf_counter()
    found = find_encoded(source, settings)
    tally = Tally(progress)
    tally.summary = Summary(source=source.root, target=target.root, n_records=len(found.records))
    tally.summary.failures.update(found.listing.problems)
    files = found.listing.files
    tally.total = sum(files[name].n_bytes for name in (*found.records, *found.others))
    with writing(target):
        for outcome in scheduler.run(_jobs(source, target, settings, found)):
            tally.count(outcome)
            if outcome.is_full:
                tally.summary.stopped = outcome.error
                break
        else:
            for name in found.listing.folders if settings.others else ():
                target.make_folder(name)
    tally.summary.seconds = round(time.perf_counter() - started, 3)
    return tally.summary


def _jobs(source: Tree, target: Tree, settings: DecodeSettings, found: Encoded) -> Iterator[Job]:
    for name in found.records:
        yield DecodeJob(
            source=source.root,
            target=target.root,
            n_bytes=found.listing.files[name].n_bytes,
            name=name,
            overwrite=settings.force,
            provider=settings.provider,
            model=settings.model,
        )
    for name in found.others:
        yield CopyJob(
            source=source.root,
            target=target.root,
            n_bytes=found.listing.files[name].n_bytes,
            name=name,
            overwrite=settings.force,
        )
