"""One file of an archive, carried along as it is."""

from __future__ import annotations

import hashlib
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from sancodec.batch.job import Inputs, Job, Outcome, has_content, refuse_other
from sancodec.batch.manifest import FILE, Entry
from sancodec.batch.places import open_tree
from sancodec.errors import RecordError
from sancodec.formats.output import PendingFiles

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class CopyJob(Job):
    """Copy a file.

    Attributes
    ----------
    name : str
    overwrite : bool
        Whether another file in its place is overwritten.
    """

    name: str
    overwrite: bool

    @property
    def entry(self) -> Entry:
        """The entry of it, before anything is done."""
        return Entry(kind=FILE, name=self.name)

    def do(self) -> Outcome:
        """Copy the file; the copy is kept only if the file did not change."""
        started = time.perf_counter()
        source, target = open_tree(self.source), open_tree(self.target)
        inputs = Inputs(source, [self.name])
        with inputs as folder:
            (file,) = inputs.files
            skipped = has_content(target, self.name, file)
            if not skipped:
                refuse_other(target, self.name, file.sha256, overwrite=self.overwrite)
                with target.staged(self.name) as place:
                    _copy(folder / PurePosixPath(self.name).name, place, inputs)
        entry = replace(
            self.entry,
            files=inputs.files,
            target=self.name,
            n_bytes=file.n_bytes,
            sha256=file.sha256,
            seconds=round(time.perf_counter() - started, 3),
        )
        return Outcome(entry=entry, n_bytes=self.n_bytes, skipped=skipped)


def _copy(path: Path, place: Path, inputs: Inputs) -> None:
    (file,) = inputs.files
    digest = hashlib.sha256()
    with path.open("rb") as stream, PendingFiles([place], force=True) as pending:
        (copy,) = pending.files
        while piece := stream.read(_PIECE_BYTES):
            digest.update(piece)
            copy.write(piece)
        copy.flush()
        inputs.check()
        if digest.hexdigest() != file.sha256:
            raise RecordError(f"{file.name}: changed while it was read; nothing of it was kept")
        pending.commit()
    shutil.copystat(path, place)
