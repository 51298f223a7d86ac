"""Trees by their path or URL, and the lock and the manifest of those that are written to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sancodec.batch.lock import LOCK, locked
from sancodec.batch.manifest import MANIFEST, Manifest
from sancodec.batch.trees import LocalTree, Tree
from sancodec.errors import OutputError


def open_tree(root: str) -> Tree:
    """Give the tree at a path."""
    return LocalTree(Path(root))


@contextmanager
def writing(target: Tree) -> Iterator[None]:
    """Hold the lock of a target, having cleared away what a killed process left there.

    Raises
    ------
    OutputError
        Another batch is at work there, or it cannot be written.
    """
    assert isinstance(target, LocalTree)
    with locked(target.path(LOCK), target.root):
        try:
            target.clear_unfinished()
        except OSError as error:
            raise OutputError(f"{error.filename}: cannot be deleted ({error.strerror})") from error
        yield


@contextmanager
def manifest_of(target: Tree) -> Iterator[Manifest]:
    """Give the manifest of a target, to be read and added to."""
    manifest = read_manifest(target)
    try:
        yield manifest
    finally:
        manifest.close()


def read_manifest(target: Tree) -> Manifest:
    """Give the manifest of a target; without entries where there is none.

    Raises
    ------
    RecordError
        It cannot be read.
    """
    assert isinstance(target, LocalTree)
    return Manifest.read(target.path(MANIFEST))


def refuse_overlap(source: Tree, target: Tree) -> None:
    """Refuse a target that is in the source, or the other way round.

    Raises
    ------
    OutputError
        It is.
    """
    if not isinstance(source, LocalTree) or not isinstance(target, LocalTree):
        return
    from_path, to_path = Path(source.root).resolve(), Path(target.root).resolve()
    if from_path.is_relative_to(to_path) or to_path.is_relative_to(from_path):
        raise OutputError(
            f"{target.root}: is within {source.root}, or the other way round; choose another target"
        )
