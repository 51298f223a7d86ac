"""The original files of one .san file of an archive."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from sancodec.batch.job import Inputs, Job, Outcome, refuse_other
from sancodec.batch.manifest import RECORD, Entry
from sancodec.batch.places import open_tree
from sancodec.batch.trees import UNFINISHED, Tree, digest_of
from sancodec.errors import OutputError
from sancodec.files import decode_file, open_file
from sancodec.formats.originals import OriginalFile
from sancodec.records import files_of


@dataclass(frozen=True, kw_only=True)
class DecodeJob(Job):
    """Decode a .san file.

    Attributes
    ----------
    name : str
    overwrite : bool
        Whether files with another content are overwritten.
    provider : str
    model : str or None
        As of ``decode_file``.
    """

    name: str
    overwrite: bool
    provider: str
    model: str | None

    @property
    def entry(self) -> Entry:
        """The entry of it, before anything is done."""
        return Entry(kind=RECORD, name=self.name)

    def do(self) -> Outcome:
        """Write the original files of the record; none where all of them are there already."""
        started = time.perf_counter()
        source, target = open_tree(self.source), open_tree(self.target)
        inside = PurePosixPath(self.name).parent
        inputs = Inputs(source, [self.name])
        with inputs as folder:
            path = folder / PurePosixPath(self.name).name
            with open_file(path, provider=self.provider, model=self.model) as file:
                originals = {str(inside / name): own for name, own in files_of(file).items()}
                is_whole = bool(file.originals.record_files)
            there = [name for name, own in originals.items() if _is_there(target, name, own)]
            skipped = is_whole and len(there) == len(originals)
            if is_whole and not skipped:
                self._refuse_others(target, set(originals).difference(there))
                with target.staged_folder(str(inside)) as place:
                    self._decode(path, place, force=True)
            n_bytes = sum(own.n_bytes for own in originals.values())
            if not is_whole:
                n_bytes = self._decode_anew(path, target, inside)
        entry = replace(
            self.entry,
            files=inputs.files,
            target=str(inside),
            n_bytes=n_bytes,
            seconds=round(time.perf_counter() - started, 3),
        )
        return Outcome(entry=entry, n_bytes=self.n_bytes, skipped=skipped)

    def _decode(self, path: Path, place: Path, *, force: bool) -> list[Path]:
        return decode_file(
            path, place, provider=self.provider, model=self.model, jobs=1, force=force
        )

    def _refuse_others(self, target: Tree, names: Iterable[str]) -> None:
        for name in sorted(names):
            if not self.overwrite and target.state(name) is not None:
                raise OutputError(
                    f"{name}: exists already in {target.root}, with another content; use --force "
                    "to overwrite it"
                )

    def _decode_anew(self, path: Path, target: Tree, inside: PurePosixPath) -> int:
        """Write a new record, of a file that knows no original ones; give its size."""
        with target.staged_folder(str(inside)) as place:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=place) as folder:
                made = self._decode(path, Path(folder), force=False)
                for own in made:
                    name, digest = str(inside / own.name), digest_of(own)
                    refuse_other(target, name, digest, overwrite=self.overwrite)
                n_bytes = sum(own.stat().st_size for own in made)
                for own in made:
                    os.replace(own, place / own.name)
        return n_bytes


def _is_there(target: Tree, name: str, own: OriginalFile) -> bool:
    """Tell whether an original file is in its place already, byte for byte."""
    found = target.state(name)
    if found is None or found.n_bytes != own.n_bytes:
        return False
    return bytes.fromhex(target.digest(name)).startswith(own.sha256)
