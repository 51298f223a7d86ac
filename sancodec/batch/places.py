"""Trees by their path or URL, and the lock and the manifest of those that are written to."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.request import url2pathname

from sancodec.batch.lock import LOCK, locked
from sancodec.batch.manifest import MANIFEST, Entry, Manifest
from sancodec.batch.remote import RemoteTree
from sancodec.batch.trees import LocalTree, Tree
from sancodec.errors import OutputError
from sancodec.formats.output import write_whole
from sancodec.formats.remote import is_url

_FILE_URL = "file://"
_UPLOAD_SECONDS = 20.0


def open_tree(root: str) -> Tree:
    """Give the tree at a path or a URL; RecordError where nothing opens such URLs."""
    if root.startswith(_FILE_URL):
        return LocalTree(Path(url2pathname(root.removeprefix(_FILE_URL))))
    return RemoteTree(root) if is_url(root) else LocalTree(Path(root))


@dataclass
class UploadedManifest(Manifest):
    """A manifest that is written on this machine, and uploaded every so often and in the end.

    What a killed batch did not upload is done again, and comes to the same files.
    """

    target: Tree | None = None
    _uploaded: float = 0.0

    @classmethod
    def of(cls, target: Tree, path: Path) -> UploadedManifest:
        """Give the manifest at a path, to be uploaded to a target; errors as of ``read``."""
        return cls(path, Manifest.read(path).entries, target=target, _uploaded=time.monotonic())

    def add(self, entry: Entry) -> None:
        """Write an entry to the disk, and upload all of them once in a while."""
        super().add(entry)
        if time.monotonic() - self._uploaded > _UPLOAD_SECONDS:
            self._upload()

    def close(self) -> None:
        """Upload the file, and close it."""
        super().close()
        if self.path.exists():
            self._upload()

    def _upload(self) -> None:
        assert self.target is not None
        with self.target.staged(MANIFEST) as place:
            write_whole(place, self.path.read_bytes())
        self._uploaded = time.monotonic()


def _work_path(target: Tree, what: str) -> Path:
    """Give a path on this machine for what belongs to a target at a URL."""
    digest = hashlib.sha256(target.root.encode()).hexdigest()
    return Path(tempfile.gettempdir(), f"sancodec-{digest[:20]}.{what}")


def _fetch_manifest(target: Tree) -> Path:
    """Give the path of a copy of the manifest at a URL, which is nothing where there is none."""
    path = _work_path(target, f"{os.getpid()}.jsonl")
    path.unlink(missing_ok=True)
    if target.state(MANIFEST) is not None:
        write_whole(path, target.read(MANIFEST))
    return path


@contextmanager
def writing(target: Tree) -> Iterator[None]:
    """Hold the lock of a target, having cleared away what a killed process left there.

    Raises
    ------
    OutputError
        Another batch is at work there, or it cannot be written. Of what is at a URL, batches of
        this machine alone know of one another.
    """
    path = target.path(LOCK) if isinstance(target, LocalTree) else _work_path(target, "lock")
    with locked(path, target.root):
        try:
            target.clear_unfinished()
        except FileNotFoundError:
            # Nothing was written there yet.
            pass
        except OSError as error:
            raise OutputError(f"{error.filename}: cannot be deleted ({error.strerror})") from error
        yield


@contextmanager
def manifest_of(target: Tree) -> Iterator[Manifest]:
    """Give the manifest of a target, to be read and added to."""
    if isinstance(target, LocalTree):
        with closing(read_manifest(target)) as manifest:
            yield manifest
        return
    path = _fetch_manifest(target)
    try:
        with closing(UploadedManifest.of(target, path)) as uploaded:
            yield uploaded
    finally:
        path.unlink(missing_ok=True)


def read_manifest(target: Tree) -> Manifest:
    """Give the manifest of a target; without entries where there is none.

    Raises
    ------
    RecordError
        It cannot be read.
    """
    if isinstance(target, LocalTree):
        return Manifest.read(target.path(MANIFEST))
    path = _fetch_manifest(target)
    try:
        return Manifest.read(path)
    finally:
        path.unlink(missing_ok=True)


def refuse_overlap(source: Tree, target: Tree) -> None:
    """Refuse a target that is in the source, or the other way round.

    Raises
    ------
    OutputError
        It is.
    """
    from_path, to_path = (
        Path(tree.root).resolve() if isinstance(tree, LocalTree) else PurePosixPath(tree.root)
        for tree in (source, target)
    )
    if from_path.is_relative_to(to_path) or to_path.is_relative_to(from_path):
        raise OutputError(
            f"{target.root}: is within {source.root}, or the other way round; choose another target"
        )
