"""Which records of an archive are to be encoded, and which are done already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sancodec.batch.encoding_job import EncodeSettings
from sancodec.batch.job import is_same
from sancodec.batch.manifest import DONE, EMPTY, FAILED, FILE, RECORD, Entry, Manifest
from sancodec.batch.trees import FileState, Tree
from sancodec.batch.walk import Archive, SourceRecord
from sancodec.fidelity import Lossless

NEW = "new"


@dataclass(frozen=True, kw_only=True)
class Step:
    """A record that is to be encoded, how, and why."""

    record: SourceRecord
    settings: EncodeSettings
    reason: str


@dataclass(kw_only=True)
class Plan:
    """What is to be done with the records of an archive.

    Attributes
    ----------
    steps : list of Step
    done : list of Entry
        Of records that are done, or have no samples, and are unchanged.
    failed : list of Entry
        Of records that cannot be encoded.
    """

    steps: list[Step] = field(default_factory=list)
    done: list[Entry] = field(default_factory=list)
    failed: list[Entry] = field(default_factory=list)


def _find_shared(record: SourceRecord, settings: EncodeSettings, owners: dict[str, str]) -> str:
    """Say why a record cannot be encoded with loss after others; nothing where it can."""
    if isinstance(settings.config.fidelity, Lossless):
        return ""
    for name in record.files:
        owner = owners.setdefault(name, record.name)
        if owner != record.name:
            return (
                f"{record.name}: {name} is a file of {owner} as well; with loss each would give "
                "another one back, encode one of them elsewhere"
            )
    return ""


class Planner:
    """Compares an archive with what a manifest says of it.

    Parameters
    ----------
    source, target : Tree
    archive : Archive
        What is in the source.
    manifest : Manifest
        Of the target.
    check : bool
        Whether files are compared by their digests, and not by size and stamp alone.
    """

    def __init__(
        self, source: Tree, target: Tree, archive: Archive, manifest: Manifest, *, check: bool
    ) -> None:
        self._source = source
        self._target = target
        self._archive = archive
        self._manifest = manifest
        self._check = check

    def plan(self, settings_of: Callable[[SourceRecord], EncodeSettings]) -> Plan:
        """Give what is to be done."""
        plan = Plan()
        owners: dict[str, str] = {}
        for record in self._archive.records:
            settings = settings_of(record)
            problem = record.problem or _find_shared(record, settings, owners)
            if problem:
                entry = Entry(kind=RECORD, name=record.name, state=FAILED, error=problem)
                plan.failed.append(entry)
                continue
            known = self._manifest.entries.get((RECORD, record.name))
            reason = NEW if known is None else self._why_again(known, record, settings)
            if known is not None and not reason:
                plan.done.append(known)
            else:
                plan.steps.append(Step(record=record, settings=settings, reason=reason))
        return plan

    def is_kept(self, name: str) -> bool:
        """Tell whether a file of no record is in the target already, and unchanged."""
        known = self._manifest.entries.get((FILE, name))
        if known is None or known.state != DONE or len(known.files) != 1:
            return False
        return self._are_same(known, (name,)) and self._is_written(known)

    def _why_again(self, known: Entry, record: SourceRecord, settings: EncodeSettings) -> str:
        """Say why a record that was worked on is to be encoded again; nothing where it is not."""
        if known.state == FAILED or not self._are_same(known, record.files):
            return "failed before" if known.state == FAILED else "changed"
        if known.settings != settings.digest():
            return "other settings"
        if known.state == EMPTY:
            return ""
        if settings.verify and not known.verified:
            return "not verified"
        is_there = known.target == record.target and self._is_written(known)
        return "" if is_there else "not in the target"

    def _are_same(self, known: Entry, names: tuple[str, ...]) -> bool:
        """Tell whether an entry is of these files, as they are now."""
        if [file.name for file in known.files] != list(names):
            return False
        for file in known.files:
            state = self._archive.states.get(file.name)
            if self._check and state is not None:
                state = FileState(state.n_bytes, "")
            if not is_same(file, state, partial(self._source.digest, file.name)):
                return False
        return True

    def _is_written(self, known: Entry) -> bool:
        found = self._target.state(known.target)
        if found is None or found.n_bytes != known.n_bytes:
            return False
        return not self._check or self._target.digest(known.target) == known.sha256
