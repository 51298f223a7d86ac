"""The records of an archive, the files of each, and the files that belong to none."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import PurePosixPath

from sancodec.batch.headers import HEADER, HeaderFacts, is_edf_file, kinds_of_edf, read_header
from sancodec.batch.trees import FileState, Listing, Tree
from sancodec.errors import EmptyRecordError, RecordError
from sancodec.formats.originals import MAX_SIDE_FILE_BYTES
from sancodec.formats.side_files import is_annotation, may_annotate

SAN = ".san"
RESERVED = "sancodec-"
"""How names begin of what a batch writes beside the archive, in its topmost folder."""
_MAX_LISTED = 3


@dataclass(frozen=True, kw_only=True)
class SourceRecord:
    """A record that is to be encoded; all names are relative to the archive.

    Attributes
    ----------
    name : str
        Of its header or EDF file.
    files : tuple of str
        Its files, those that travel along last.
    target : str
        Name of its .san file.
    annotations : tuple of str
        Those of its files that are annotations.
    problem : str
        Why it cannot be encoded; empty where nothing is known that says so.
    note : str
        What is to be said of it.
    kinds : tuple of str
        Of its signals, each once, as far as its header tells.
    """

    name: str
    files: tuple[str, ...]
    target: str = ""
    annotations: tuple[str, ...] = ()
    problem: str = ""
    note: str = ""
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Archive:
    """What was found in a tree.

    Attributes
    ----------
    records : tuple of SourceRecord
    others : tuple of str
        Files of no record.
    states : dict of str to FileState
        Of all files.
    folders : tuple of str
        Those without files.
    problems : dict of str to str
        What cannot be taken along, and why.
    """

    records: tuple[SourceRecord, ...]
    others: tuple[str, ...]
    states: dict[str, FileState]
    folders: tuple[str, ...] = ()
    problems: dict[str, str] = field(default_factory=dict)

    def n_bytes(self, names: Iterable[str]) -> int:
        """Give the bytes of files, as far as they are there."""
        return sum(self.states[name].n_bytes for name in names if name in self.states)


def is_reserved(name: str) -> bool:
    """Tell whether a file is one that a batch writes beside the archive."""
    return name.startswith(RESERVED) and "/" not in name


@dataclass(frozen=True)
class Choice:
    """Which files of an archive are meant.

    Attributes
    ----------
    include, exclude : tuple of str
        Patterns of names, or of paths below the archive; without any to include, all are meant.
        The files of a record go with its header or EDF file.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, name: str) -> bool:
        """Tell whether a file is meant."""
        included = not self.include or _fits(name, self.include)
        return included and not _fits(name, self.exclude)


def _fits(name: str, patterns: Sequence[str]) -> bool:
    # With a / before it, too: what fits in every folder fits in the topmost one.
    forms = (name, f"/{name}", PurePosixPath(name).name)
    return any(fnmatch.fnmatchcase(own, pattern) for pattern in patterns for own in forms)


def find_records(tree: Tree, choice: Choice, *, with_annotations: bool = False) -> Archive:
    """Give the records of a tree, and what else is in it.

    Parameters
    ----------
    tree : Tree
    choice : Choice
    with_annotations : bool
        Whether the annotation files of a record are files of it.

    Raises
    ------
    RecordError, OSError
        There is no such tree, or it cannot be read.
    """
    listing = tree.list()
    problems = dict(listing.problems)
    for name in [own for own in listing.files if is_reserved(own)]:
        del listing.files[name]
        problems[name] = f"names that begin with {RESERVED} are those of a batch; rename it"
    records = _with_targets(_Finding(tree, listing).records(), listing)
    if with_annotations:
        records = _with_annotations(tree, records, listing)
    owned = {name for record in records for name in record.files}
    others = (name for name in sorted(listing.files) if name not in owned)
    return Archive(
        records=tuple(record for record in records if choice.takes(record.name)),
        others=tuple(name for name in others if choice.takes(name)),
        states=listing.files,
        folders=tuple(name for name in listing.folders if choice.takes(f"{name}/")),
        problems={name: why for name, why in problems.items() if choice.takes(name)},
    )


class _Finding:
    """Reads the headers of a tree: those of several segments first, which say whose others are."""

    def __init__(self, tree: Tree, listing: Listing) -> None:
        self._tree = tree
        self._files = listing.files
        self._facts: dict[str, HeaderFacts] = {}
        self._problems: dict[str, str] = {}

    def records(self) -> list[SourceRecord]:
        """Give all records, sorted by name, headers before EDF files of the same name."""
        for name in self._files:
            if name.endswith(HEADER):
                self._read(name)
        found = [self._whole(name) for name, own in self._facts.items() if own.is_segmented]
        # Segments of a record that is not complete are records of their own.
        whole = [self._facts[record.name].names for record in found if not record.problem]
        parts = set(chain.from_iterable(whole))
        for name, own in self._facts.items():
            # A layout has no samples: without its record it is a file as any other.
            if not own.is_segmented and own.names and name not in parts:
                found.append(self._checked(name, own.names, own.kinds))
        for name, problem in self._problems.items():
            if name not in parts:
                found.append(SourceRecord(name=name, files=(name,), problem=problem))
        for name in self._files:
            if is_edf_file(self._tree, name):
                kinds = kinds_of_edf(self._tree, name)
                found.append(SourceRecord(name=name, files=(name,), kinds=kinds))
        return sorted(found, key=_order)

    def _read(self, name: str) -> None:
        """Enter what a header says; one without signals is a file as any other."""
        try:
            self._facts[name] = read_header(self._tree, name)
        except EmptyRecordError:
            return
        except (RecordError, OSError) as error:
            self._problems[name] = str(error)

    def _whole(self, name: str) -> SourceRecord:
        """Give a record of several segments with the files of all of them."""
        segments = self._facts[name].names
        facts = [self._facts[own] for own in segments if own in self._facts]
        files = dict.fromkeys([*segments, *chain.from_iterable(own.names for own in facts)])
        kinds = dict.fromkeys(chain.from_iterable(own.kinds for own in facts))
        record = self._checked(name, tuple(files), tuple(kinds))
        bad = [own for own in segments if own in self._problems]
        if bad and not record.problem:
            return replace(record, problem=f"{name}: {self._problems[bad[0]]}")
        return record

    def _checked(self, name: str, files: tuple[str, ...], kinds: tuple[str, ...]) -> SourceRecord:
        """Give a record with the files that are there, and say which are not."""
        there = tuple(own for own in files if own in self._files)
        lacking = [PurePosixPath(own).name for own in files if own not in self._files]
        more = f" and {len(lacking) - _MAX_LISTED} more" if len(lacking) > _MAX_LISTED else ""
        listed = ", ".join(lacking[:_MAX_LISTED]) + more
        problem = f"{name}: {listed} not found beside it" if lacking else ""
        return SourceRecord(name=name, files=(name, *there), problem=problem, kinds=kinds)


def _order(record: SourceRecord) -> tuple[str, str, bool, str]:
    path = PurePosixPath(record.name)
    return str(path.parent), path.stem, path.suffix != HEADER, path.name


def _with_targets(records: Sequence[SourceRecord], listing: Listing) -> list[SourceRecord]:
    """Give each record the name of its .san file: one that nothing else has."""
    taken = {name.casefold() for name in listing.files}
    named = []
    for record in records:
        path = PurePosixPath(record.name)
        wanted, other = str(path.with_suffix(SAN)), f"{path}{SAN}"
        target = next((own for own in (wanted, other) if own.casefold() not in taken), "")
        note = problem = ""
        if not target:
            problem = f"{record.name}: both {wanted} and {other} are names of other files"
        elif target != wanted:
            note = f"{record.name} is written to {target}: another file has the name {wanted}"
        taken.add(target.casefold())
        named.append(replace(record, target=target, note=note, problem=record.problem or problem))
    return named


def _with_annotations(
    tree: Tree, records: Sequence[SourceRecord], listing: Listing
) -> list[SourceRecord]:
    """Give each record its annotation files as well."""
    owned = {name for record in records for name in record.files}
    beside: dict[str, list[str]] = {}
    for name, state in listing.files.items():
        path = PurePosixPath(name)
        if name not in owned and may_annotate(path.suffix) and state.n_bytes <= MAX_SIDE_FILE_BYTES:
            beside.setdefault(str(path.with_suffix("")), []).append(name)
    complete = []
    for record in records:
        # Of two records of one name the first has the annotations.
        candidates = beside.pop(str(PurePosixPath(record.name).with_suffix("")), [])
        found = tuple(name for name in sorted(candidates) if is_annotation(tree.read(name)))
        complete.append(replace(record, files=(*record.files, *found), annotations=found))
    return complete
