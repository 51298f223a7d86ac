"""Files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from sancodec.errors import OutputError

_RESERVED_NAMES = frozenset(
    ["CON", "PRN", "AUX", "NUL", *(f"{port}{i}" for port in ("COM", "LPT") for i in range(1, 10))]
)
_MAX_NAME_BYTES = 255
_COPY_BYTES = 1 << 20


def find_name_problem(name: str) -> str:
    """Say why ``name`` is no plain file name on every system, or give an empty string."""
    if not name or name.startswith(".") or name[-1] in ". ":
        return "is empty, begins with a dot, or ends with a dot or a space"
    if len(name.encode("utf-8", "surrogatepass")) > _MAX_NAME_BYTES:
        return f"is longer than {_MAX_NAME_BYTES} bytes"
    if not name.isprintable() or set(name) & set('/\\:*?"<>|'):
        return 'has a control character or one of / \\ : * ? " < > |'
    if name.split(".", maxsplit=1)[0].upper() in _RESERVED_NAMES:
        return "is the name of a device on Windows"
    return ""


class PendingFiles:
    """New files, written beside their targets and moved there together by ``commit``.

    A context manager: what was not committed when it ends is removed. Existing targets are
    refused on entry, before any work, unless ``force``.

    Raises
    ------
    OutputError
        A target exists, or its folder cannot be written.
    """

    def __init__(self, targets: Sequence[Path], *, force: bool) -> None:
        self._targets = list(targets)
        self._force = force
        self._waiting: list[Path] = []
        self.files: list[BinaryIO] = []

    def __enter__(self) -> PendingFiles:
        refuse_existing(self._targets, force=self._force)
        try:
            for i, target in enumerate(self._targets):
                target.parent.mkdir(parents=True, exist_ok=True)
                # Not the target's name: a name of the greatest length has no room for a suffix.
                waiting = target.parent / f".sancodec-{os.getpid()}-{id(self):x}-{i}.part"
                self.files.append(waiting.open("xb+"))
                self._waiting.append(waiting)
        except OSError as error:
            self._remove()
            raise _explain(error, self._targets[i]) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._remove()
        if isinstance(error, OSError):
            raise _explain(error, self._targets[0]) from error

    def commit(self) -> list[Path]:
        """Flush everything to the disk, move it to its place, and give the targets."""
        for file in self.files:
            file.flush()
            os.fsync(file.fileno())
            file.close()
        refuse_existing(self._targets, force=self._force)
        _place(self._waiting, self._targets)
        self._waiting.clear()
        return list(self._targets)

    def _remove(self) -> None:
        for file in self.files:
            # On a full disk what is still to be written has no room; it is not wanted any more.
            with contextlib.suppress(OSError):
                file.close()
        for waiting in self._waiting:
            waiting.unlink(missing_ok=True)


@contextmanager
def staged(targets: Sequence[Path], *, force: bool) -> Iterator[Path]:
    """Give a new folder for files of the targets' names, which all are moved there at the end.

    For more files than can be open together. Nothing of it is left where anything was raised.

    Raises
    ------
    OutputError
        A target exists and ``force`` is not set, or cannot be written.
    """
    refuse_existing(targets, force=force)
    try:
        targets[0].parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".sancodec-", dir=targets[0].parent))
    except OSError as error:
        raise _explain(error, targets[0]) from error
    try:
        yield folder
        refuse_existing(targets, force=force)
        _place([folder / target.name for target in targets], targets)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def pending(target: Path | BinaryIO, force: bool) -> Iterator[BinaryIO]:
    """Give a stream whose content reaches the target only when nothing was raised."""
    if isinstance(target, Path):
        with PendingFiles([target], force=force) as waiting:
            yield waiting.files[0]
            waiting.commit()
        return
    with tempfile.TemporaryFile() as spooled:
        yield spooled
        spooled.seek(0)
        while piece := spooled.read(_COPY_BYTES):
            target.write(piece)
        target.flush()


def _place(waiting: Sequence[Path], targets: Sequence[Path]) -> None:
    """Move files to their places; those already moved are taken back if one cannot be."""
    placed: list[Path] = []
    for path, target in zip(waiting, targets, strict=True):
        try:
            was_there = target.exists()
            os.replace(path, target)
        except OSError as error:
            for done in placed:
                done.unlink(missing_ok=True)
            raise _explain(error, target) from error
        if not was_there:
            placed.append(target)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its target, which may be there, and then in its place.

    Raises
    ------
    OutputError
        The file cannot be written; its folder has to be there.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def refuse_existing(targets: Sequence[Path], *, force: bool) -> None:
    """Raise OutputError for the first target that exists, unless ``force`` and it is a file."""
    for target in targets:
        if target.is_dir():
            raise OutputError(f"{target}: is a folder; choose another output")
        if not force and (target.exists() or target.is_symlink()):
            raise OutputError(f"{target}: exists already; use --force to overwrite it")


def _explain(error: OSError, target: Path) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(
        f"{target}: cannot be written ({reason}); choose another folder or make room"
    )
