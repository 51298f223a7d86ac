"""Archives at a URL, through fsspec: files are fetched to be read, and uploaded when complete."""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from sancodec.batch.trees import UNFINISHED, FileState, Listing, digest_of
from sancodec.errors import OutputError, RecordError

_PIECE_BYTES = 1 << 20
# What servers tell of when a file was written, the surest first.
_STAMPS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")


class RemoteTree:
    """A folder at a URL.

    Parameters
    ----------
    url : str
        Of any kind that fsspec opens: ``s3://bucket/folder``.

    Raises
    ------
    RecordError
        Nothing that is installed reads such URLs.
    """

    def __init__(self, url: str) -> None:
        # Imported here: most archives are on a disk.
        import fsspec  # noqa: PLC0415

        try:
            self._system, path = fsspec.core.url_to_fs(url)
        except (OSError, ValueError, ImportError) as error:
            raise RecordError(f"{url}: cannot be opened ({error})") from error
        self._path = str(path).rstrip("/")
        self.root = url.rstrip("/")
        # What is in the memory of this process no other one sees.
        self.is_shared = "memory" not in _protocols(self._system)

    def list(self) -> Listing:
        """Give all that is at the URL; what unfinished writing left is not in it.

        Raises
        ------
        RecordError
            There is nothing.
        """
        self._system.invalidate_cache()
        found = self._system.find(self._path, detail=True)
        if not found:
            raise RecordError(f"{self.root}: no such folder, or nothing in it")
        files = {}
        for path, about in sorted(found.items()):
            name = str(path)[len(self._path) :].lstrip("/")
            if name and not any(part.startswith(UNFINISHED) for part in name.split("/")):
                files[name] = _state_of(about)
        return Listing(files=files)

    def read(self, name: str) -> bytes:
        """Give the content of a file."""
        return cast(bytes, self._system.cat_file(self._at(name)))

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading."""
        return cast(BinaryIO, self._system.open(self._at(name), "rb"))

    def state(self, name: str) -> FileState | None:
        """Give the state of a file; None where there is no file of that name."""
        path = self._at(name)
        self._system.invalidate_cache(str(PurePosixPath(path).parent))
        try:
            about = self._system.info(path)
        except FileNotFoundError:
            return None
        return _state_of(about) if about.get("type") == "file" else None

    def digest(self, name: str) -> str:
        """Give the SHA-256 of a file, in hexadecimal."""
        return self._digest_at(self._at(name))

    @contextmanager
    def local(self, names: Sequence[str]) -> Iterator[Path]:
        """Fetch files of one folder, and give the folder where they are."""
        with tempfile.TemporaryDirectory(prefix=UNFINISHED) as folder:
            for name in names:
                self._system.get_file(self._at(name), str(Path(folder, PurePosixPath(name).name)))
            yield Path(folder)

    @contextmanager
    def staged(self, name: str) -> Iterator[Path]:
        """Give a path; what is there in the end is uploaded."""
        with tempfile.TemporaryDirectory(prefix=UNFINISHED) as folder:
            place = Path(folder, PurePosixPath(name).name)
            yield place
            if place.exists():
                self._upload(place, name)

    @contextmanager
    def staged_folder(self, name: str) -> Iterator[Path]:
        """Give a folder; the files that are there in the end are uploaded."""
        with tempfile.TemporaryDirectory(prefix=UNFINISHED) as folder:
            yield Path(folder)
            for path in sorted(own for own in Path(folder).iterdir() if own.is_file()):
                self._upload(path, str(PurePosixPath(name) / path.name))

    def remove(self, name: str) -> None:
        """Delete a file."""
        self._system.rm_file(self._at(name))

    def make_folder(self, name: str) -> None:
        """Make a folder; where folders are but parts of names, there is none to make."""
        self._system.makedirs(self._at(name), exist_ok=True)

    def clear_unfinished(self) -> None:
        """Delete what a killed process left; nothing may be writing to the tree."""
        for path in self._system.find(self._path):
            if PurePosixPath(path).name.startswith(UNFINISHED):
                self._system.rm_file(path)

    def _at(self, name: str) -> str:
        return f"{self._path}/{name}"

    def _upload(self, place: Path, name: str) -> None:
        """Upload a file beside its place, compare what arrived, and move it there."""
        path = self._at(name)
        folder = str(PurePosixPath(path).parent)
        beside = f"{folder}/{UNFINISHED}{uuid.uuid4().hex}.part"
        self._system.makedirs(folder, exist_ok=True)
        self._system.put_file(str(place), beside)
        if self._digest_at(beside) != digest_of(place):
            self._system.rm_file(beside)
            raise OutputError(f"{self.root}/{name}: what was uploaded did not arrive as it was")
        self._system.mv(beside, path)

    def _digest_at(self, path: str) -> str:
        digest = hashlib.sha256()
        with self._system.open(path, "rb") as stream:
            while piece := stream.read(_PIECE_BYTES):
                digest.update(piece)
        return digest.hexdigest()


def _state_of(about: Mapping[str, Any]) -> FileState:
    stamp = next((str(about[key]) for key in _STAMPS if about.get(key) is not None), "")
    return FileState(int(about.get("size") or 0), stamp)


def _protocols(system: Any) -> tuple[str, ...]:
    return (system.protocol,) if isinstance(system.protocol, str) else tuple(system.protocol)
