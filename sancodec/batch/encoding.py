"""An archive to one of .san files, again and again until all of it is done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from sancodec.batch.copying_job import CopyJob
from sancodec.batch.encoding_job import EncodeJob, EncodeSettings
from sancodec.batch.fitting import ArchiveModels
from sancodec.batch.job import Job, Outcome, Scheduler, is_same
from sancodec.batch.manifest import DONE, DROPPED, FAILED, FILE, RECORD, Entry, Manifest
from sancodec.batch.places import manifest_of, read_manifest, refuse_overlap, writing
from sancodec.batch.plan import Plan, Planner
from sancodec.batch.removals import Removals, without_rest
from sancodec.batch.summary import Progress, Summary, Tally
from sancodec.batch.trees import LocalTree, Tree
from sancodec.batch.walk import Archive, Choice, find_records
from sancodec.errors import ConfigError
from sancodec.fidelity import Lossless


@dataclass(frozen=True, kw_only=True)
class ArchiveSettings:
    """What is done with an archive.

    Attributes
    ----------
    encode : EncodeSettings
        For every record.
    choice : Choice
        Which files are meant.
    with_annotations : bool
        Whether annotation files go into the .san file of their record.
    others : bool
        Whether files of no record, and of those that fail, are carried along.
    remove_originals : bool
        Whether the files of a record are deleted when its .san file has given them back.
    check : bool
        Whether what was done before is compared by digests, and not by size and time alone.
    force : bool
        Whether files of the target are overwritten that no manifest knows.
    fit : int or None
        Records that kernels of each signal type are trained on first; None: some, of the types
        that no shipped model is for; 0: none, and what was trained before is not used.

    Raises
    ------
    ConfigError
        Originals are to be deleted that would not come back.
    """

    encode: EncodeSettings
    choice: Choice = field(default_factory=Choice)
    with_annotations: bool = False
    others: bool = True
    remove_originals: bool = False
    check: bool = False
    force: bool = False
    fit: int | None = None

    def __post_init__(self) -> None:
        if self.fit and self.encode.config.model != "auto":
            raise ConfigError(f"fit: model {self.encode.config.model} leaves nothing to train for")
        lossless = isinstance(self.encode.config.fidelity, Lossless)
        if self.remove_originals and not (lossless and self.encode.verify):
            raise ConfigError("originals are only deleted of what is lossless and verified")


def encode_archive(
    source: Tree,
    target: Tree,
    settings: ArchiveSettings,
    scheduler: Scheduler,
    progress: Progress | None = None,
) -> tuple[Summary, list[Entry]]:
    """Encode all records of a tree into another one, but for those that are done.

    Gives what came of it, and the newest entry of each record of the archive: those that are done
    name the .san files, which may be handed on.

    Raises
    ------
    RecordError, OutputError
        There is no source; another batch is at work on the target, or it cannot be written.
    """
    refuse_overlap(source, target)
    are_here = isinstance(source, LocalTree) and isinstance(target, LocalTree)
    if settings.remove_originals and not are_here:
        raise ConfigError("originals are deleted of folders on this machine alone")
    archive = _find(source, settings)
    with writing(target), manifest_of(target) as manifest:
        archive = without_rest(archive, manifest, source)
        summary = _Encoding(source, target, settings, archive, manifest).run(scheduler, progress)
        names = {record.name for record in archive.records}
        return summary, [
            entry for entry in manifest.records() if entry.name in names or entry.removed
        ]


def plan_encoding(source: Tree, target: Tree, settings: ArchiveSettings) -> tuple[Archive, Plan]:
    """Give what would be done, and do nothing; errors as of ``encode_archive``."""
    refuse_overlap(source, target)
    archive = _find(source, settings)
    manifest = read_manifest(target)
    archive = without_rest(archive, manifest, source)
    planner = Planner(source, target, archive, manifest, check=settings.check)
    kernels = ArchiveModels(source, target, archive, settings.fit)
    return archive, planner.plan(partial(kernels.settings_of, settings.encode))


def _find(source: Tree, settings: ArchiveSettings) -> Archive:
    return find_records(source, settings.choice, with_annotations=settings.with_annotations)


class _Encoding:
    """One run over an archive."""

    def __init__(
        self,
        source: Tree,
        target: Tree,
        settings: ArchiveSettings,
        archive: Archive,
        manifest: Manifest,
    ) -> None:
        self._source, self._target = source, target
        self._settings = settings
        self._archive = archive
        self._manifest = manifest
        self._planner = Planner(source, target, archive, manifest, check=settings.check)
        self._removals = Removals(source, archive, manifest, provider=settings.encode.provider)
        self._tally = Tally()

    def run(self, scheduler: Scheduler, progress: Progress | None) -> Summary:
        """Encode, delete originals where that was asked for, and carry the other files along."""
        started = time.perf_counter()
        kernels = ArchiveModels(self._source, self._target, self._archive, self._settings.fit)
        notes = kernels.fit(progress) if self._settings.encode.config.model == "auto" else []
        plan = self._planner.plan(partial(kernels.settings_of, self._settings.encode))
        self._tally = Tally(progress)
        self._begin(plan, notes)
        for phase in (partial(self._encoding_jobs, plan), self._removal_jobs, self._copying_jobs):
            for outcome in scheduler.run(phase()):
                self._take(outcome)
                if outcome.is_full:
                    return self._end(started, stopped=outcome.error)
        self._finish_tree()
        return self._end(started)

    def _begin(self, plan: Plan, notes: list[str]) -> None:
        """Count what is done already, and say what cannot be."""
        archive, tally = self._archive, self._tally
        tally.summary = Summary(
            source=self._source.root,
            target=self._target.root,
            n_records=len(archive.records),
            notes=[*notes, *(record.note for record in archive.records if record.note)],
        )
        tally.total = sum(archive.n_bytes(step.record.files) for step in plan.steps)
        if self._settings.others:
            tally.total += archive.n_bytes(archive.others)
            tally.summary.failures.update(archive.problems)
        for entry in plan.done:
            tally.count(Outcome(entry=entry, n_bytes=0, skipped=True))
            self._removals.done(entry)
        for entry in plan.failed:
            self._take(Outcome(entry=entry, n_bytes=0, error=entry.error))
        for entry in self._manifest.records():
            self._removals.rest_of(entry)

    def _encoding_jobs(self, plan: Plan) -> Iterator[Job]:
        for step in plan.steps:
            yield from self._removal_jobs()
            known = self._manifest.entries.get((RECORD, step.record.name))
            yield EncodeJob(
                source=self._source.root,
                target=self._target.root,
                n_bytes=self._archive.n_bytes(step.record.files),
                record=step.record,
                settings=step.settings,
                overwrite=self._settings.force
                or (known is not None and known.target == step.record.target),
            )

    def _removal_jobs(self) -> Iterator[Job]:
        if self._settings.remove_originals:
            yield from self._removals.jobs(self._target.root)

    def _copying_jobs(self) -> Iterator[Job]:
        """Carry along what no record gives back; what one does by now is taken out again."""
        if not self._settings.others:
            return
        given = self._given_back()
        for known in self._manifest.files():
            if known.state == DONE and known.name in given:
                self._drop(known)
        for name in self._left_over(given):
            if self._planner.is_kept(name):
                known = self._manifest.entries[FILE, name]
                n_bytes = self._archive.n_bytes([name])
                self._tally.count(Outcome(entry=known, n_bytes=n_bytes, skipped=True))
                continue
            yield CopyJob(
                source=self._source.root,
                target=self._target.root,
                n_bytes=self._archive.n_bytes([name]),
                name=name,
                overwrite=self._settings.force or (FILE, name) in self._manifest.entries,
            )

    def _given_back(self) -> set[str]:
        """Give the files that come out of .san files as they are now, or were when deleted."""
        found = set()
        for entry in self._manifest.records():
            for file in entry.files if entry.state == DONE else ():
                state = self._archive.states.get(file.name)
                digest = partial(self._source.digest, file.name)
                if state is None or is_same(file, state, digest):
                    found.add(file.name)
        return found

    def _left_over(self, given: set[str]) -> list[str]:
        """Give the files that are carried along: those of no record, and of those that failed."""
        names = dict.fromkeys(self._archive.others)
        for record in self._archive.records:
            known = self._manifest.entries[RECORD, record.name]
            # Of a record that was done once, the .san file stays as it is.
            if known.state != DONE and not known.target:
                names.update(dict.fromkeys(record.files))
        return [name for name in names if name in self._archive.states and name not in given]

    def _drop(self, known: Entry) -> None:
        if self._target.state(known.target) is not None:
            self._target.remove(known.target)
        self._manifest.add(Entry(kind=FILE, name=known.name, state=DROPPED))

    def _finish_tree(self) -> None:
        for name in self._archive.folders if self._settings.others else ():
            self._target.make_folder(name)

    def _take(self, outcome: Outcome) -> None:
        """Write down what came of a job."""
        entry = outcome.entry
        known = self._manifest.entries.get((entry.kind, entry.name))
        if entry.state == FAILED and known is not None:
            entry = replace(entry, target=known.target)
        if entry != known:
            self._manifest.add(entry)
        self._tally.count(outcome)
        if entry.kind == RECORD and entry.state == DONE:
            self._removals.done(entry)

    def _end(self, started: float, *, stopped: str = "") -> Summary:
        summary = self._tally.summary
        summary.seconds = round(time.perf_counter() - started, 3)
        summary.stopped = stopped
        return summary
