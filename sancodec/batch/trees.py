"""A folder with all that is in it, as an archive is read from and written to."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from sancodec.errors import RecordError

UNFINISHED = ".sancodec-"
"""How names begin of files that are being written, and of what a killed process left of them."""


@dataclass(frozen=True)
class FileState:
    """What tells cheaply whether a file is still the one that was read.

    Attributes
    ----------
    n_bytes : int
    stamp : str
        Changes when the file is written to: the time of that, or what a server says instead.
    """

    n_bytes: int
    stamp: str


@dataclass
class Listing:
    """What is in a tree; names are relative to it, with / between folders.

    Attributes
    ----------
    files : dict of str to FileState
    folders : list of str
        Those without files.
    problems : dict of str to str
        What is neither file nor folder, or cannot be read, and why.
    """

    files: dict[str, FileState] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


class Tree(Protocol):
    """Where an archive stands; names are relative to it, with / between folders."""

    @property
    def root(self) -> str:
        """The path or URL of the tree."""

    @property
    def is_shared(self) -> bool:
        """Whether other processes see it."""

    def list(self) -> Listing:
        """Give all that is in the tree; OSError or RecordError where there is none."""

    def read(self, name: str) -> bytes:
        """Give the content of a file."""

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading."""

    def state(self, name: str) -> FileState | None:
        """Give the state of a file; None where there is no file of that name."""

    def digest(self, name: str) -> str:
        """Give the SHA-256 of a file, in hexadecimal."""

    def local(self, names: Sequence[str]) -> AbstractContextManager[Path]:
        """Give a folder on this machine that has these files of one folder of the tree."""

    def staged(self, name: str) -> AbstractContextManager[Path]:
        """Give a path on this machine; what is there in the end becomes the file of this name.

        It has to be put there complete or not at all.
        """

    def staged_folder(self, name: str) -> AbstractContextManager[Path]:
        """Give a folder on this machine; what is there in the end becomes files of this one."""

    def remove(self, name: str) -> None:
        """Delete a file."""

    def make_folder(self, name: str) -> None:
        """Make a folder, where the tree has folders without files."""

    def clear_unfinished(self) -> None:
        """Delete what a killed process left; nothing may be writing to the tree."""


class LocalTree:
    """A folder on this machine.

    Parameters
    ----------
    root : Path
    """

    is_shared = True

    def __init__(self, root: Path) -> None:
        # Workers elsewhere have another working folder.
        self._root = root.absolute()
        self.root = str(self._root)

    def list(self) -> Listing:
        """Give all that is in the folder; what unfinished writing left is not in it.

        Raises
        ------
        RecordError
            There is no such folder.
        """
        if not self._root.is_dir():
            raise RecordError(f"{self._root}: no such folder")
        listing = Listing()

        def complain(error: OSError) -> None:
            listing.problems[self._name(Path(error.filename))] = error.strerror or str(error)

        for folder, folders, files in os.walk(self._root, onerror=complain):
            folders[:] = sorted(own for own in folders if not own.startswith(UNFINISHED))
            here = Path(folder)
            for own in folders:
                if (here / own).is_symlink():
                    listing.problems[self._name(here / own)] = "a link to a folder; not followed"
            own_files = sorted(own for own in files if not own.startswith(UNFINISHED))
            for own in own_files:
                self._enter(here / own, listing)
            if not folders and not own_files and here != self._root:
                listing.folders.append(self._name(here))
        return listing

    def _enter(self, path: Path, listing: Listing) -> None:
        name = self._name(path)
        try:
            found = path.stat()
        except OSError as error:
            listing.problems[name] = error.strerror or str(error)
            return
        if path.is_file():
            listing.files[name] = FileState(found.st_size, str(found.st_mtime_ns))
        else:
            listing.problems[name] = "neither a file nor a folder"

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def path(self, name: str) -> Path:
        """Give the path of a file."""
        return self._root / PurePosixPath(name)

    def read(self, name: str) -> bytes:
        """Give the content of a file."""
        return self.path(name).read_bytes()

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading."""
        return self.path(name).open("rb")

    def state(self, name: str) -> FileState | None:
        """Give the state of a file; None where there is no file of that name."""
        path = self.path(name)
        if not path.is_file():
            return None
        found = path.stat()
        return FileState(found.st_size, str(found.st_mtime_ns))

    def digest(self, name: str) -> str:
        """Give the SHA-256 of a file, in hexadecimal."""
        return digest_of(self.path(name))

    @contextmanager
    def local(self, names: Sequence[str]) -> Iterator[Path]:
        """Give the folder of these files."""
        yield self.path(names[0]).parent

    @contextmanager
    def staged(self, name: str) -> Iterator[Path]:
        """Give the path of a file."""
        yield self.path(name)

    @contextmanager
    def staged_folder(self, name: str) -> Iterator[Path]:
        """Give the path of a folder."""
        yield self.path(name)

    def remove(self, name: str) -> None:
        """Delete a file."""
        self.path(name).unlink()

    def make_folder(self, name: str) -> None:
        """Make a folder."""
        self.path(name).mkdir(parents=True, exist_ok=True)

    def clear_unfinished(self) -> None:
        """Delete what a killed process left; nothing may be writing to the tree."""
        for folder, folders, files in os.walk(self._root):
            for own in [own for own in folders if own.startswith(UNFINISHED)]:
                shutil.rmtree(Path(folder) / own)
                folders.remove(own)
            for own in files:
                if own.startswith(UNFINISHED) and own.endswith(".part"):
                    (Path(folder) / own).unlink()


def digest_of(path: Path) -> str:
    """Give the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
