"""Which originals can be deleted when: not before all records that a file belongs to are done."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from sancodec.batch.encoding_job import RemoveJob
from sancodec.batch.job import is_same
from sancodec.batch.manifest import DONE, RECORD, Entry, InputFile, Manifest
from sancodec.batch.trees import Tree
from sancodec.batch.walk import Archive


def without_rest(archive: Archive, manifest: Manifest, source: Tree) -> Archive:
    """Give an archive without what is left of records whose deletion was killed half way.

    The segments of a record whose header is gone would be taken for records of their own.
    """
    rest: set[str] = set()
    for entry in manifest.records():
        if entry.state == DONE and entry.name not in archive.states:
            rest.update(file.name for file in entry.files if _is_left(file, archive, source))
    records = tuple(own for own in archive.records if not rest.issuperset(own.files))
    return replace(archive, records=records)


def _is_left(file: InputFile, archive: Archive, source: Tree) -> bool:
    state = archive.states.get(file.name)
    return state is not None and is_same(file, state, partial(source.digest, file.name))


class Removals:
    """The records whose originals wait to be deleted.

    Parameters
    ----------
    source : Tree
    archive : Archive
    manifest : Manifest
        Its entries grow while this is used.
    provider : str
        Where the .san files are decoded.
    """

    def __init__(
        self, source: Tree, archive: Archive, manifest: Manifest, *, provider: str
    ) -> None:
        self._source = source
        self._archive = archive
        self._manifest = manifest
        self._provider = provider
        self._waiting: deque[Entry] = deque()
        self._given: set[str] = set()
        self._done: set[str] = set()
        self._owners: dict[str, set[str]] = {}
        for record in archive.records:
            for name in record.files:
                self._owners.setdefault(name, set()).add(record.name)

    def done(self, entry: Entry) -> None:
        """Enter a record that is done and whose files are those that were read."""
        if entry.state != DONE or entry.removed or entry.name in self._done:
            return
        self._done.add(entry.name)
        sharing = {own for file in entry.files for own in self._owners.get(file.name, ())}
        for name in sorted({entry.name, *sharing}):
            known = self._manifest.entries.get((RECORD, name))
            if known is not None and name in self._done and self._are_done(known):
                self._waiting.append(known)

    def rest_of(self, entry: Entry) -> None:
        """Enter a record of which a killed process deleted a part: its header is gone."""
        if entry.name not in self._archive.states and entry.state == DONE:
            there = [file for file in entry.files if file.name in self._archive.states]
            if all(_is_left(file, self._archive, self._source) for file in there):
                self.done(entry)

    def jobs(self, target: str) -> Iterator[RemoveJob]:
        """Give what can be deleted by now; every file once."""
        while self._waiting:
            entry = self._waiting.popleft()
            there = [file.name for file in entry.files if self._is_there(file.name)]
            self._given.update(there)
            yield RemoveJob(
                source=self._source.root,
                target=target,
                n_bytes=0,
                done=entry,
                names=tuple(there),
                provider=self._provider,
            )

    def _is_there(self, name: str) -> bool:
        return name not in self._given and self._source.state(name) is not None

    def _are_done(self, entry: Entry) -> bool:
        """Tell whether all records that have a file of this one are done."""
        owners = (self._owners.get(file.name, set()) for file in entry.files)
        return all(own <= self._done for own in owners)
