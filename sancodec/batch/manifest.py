"""What is known of every file of an archive: one line of JSON for each, written as it is done."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import BinaryIO

from sancodec.batch.trees import FileState
from sancodec.errors import OutputError, RecordError

MANIFEST = "sancodec-manifest.jsonl"
RECORD, FILE = "record", "file"
DONE, FAILED, EMPTY, DROPPED = "done", "failed", "empty", "dropped"
_STATES = {RECORD: (DONE, FAILED, EMPTY), FILE: (DONE, FAILED, DROPPED)}


@dataclass(frozen=True)
class InputFile:
    """A file that was read: its name in the archive, size, stamp and SHA-256."""

    name: str
    n_bytes: int
    stamp: str
    sha256: str

    @property
    def state(self) -> FileState:
        """What tells cheaply whether it is still the same."""
        return FileState(self.n_bytes, self.stamp)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What became of one record, or of one file that is carried along.

    Attributes
    ----------
    kind : str
        ``"record"`` or ``"file"``.
    name : str
        Of a record its header or EDF file; names are relative to the archive.
    state : str
        ``"done"``, ``"failed"``; of a record also ``"empty"``: it has no samples, and its files
        are carried along; of a file also ``"dropped"``: a record gives it back by now.
    files : tuple of InputFile
        What was read.
    target : str
        What was written, if it is done.
    n_bytes, sha256 : int, str
        Size and digest of what was written.
    settings : str
        Digest of the settings that decide the bytes.
    verified, removed : bool
        Whether it was decoded and compared; whether the originals were deleted.
    n_samples, seconds : int, float
        Samples of all channels, and the time that it took.
    kinds : tuple of str
        Of the signals, each once.
    cr, flithos, prdn : float or None
        Compression ratio against the signal files; of the SAN layer; the largest of a channel.
    note, error : str
        What is to be said of it, and why it failed.
    """

    kind: str
    name: str
    state: str = DONE
    files: tuple[InputFile, ...] = ()
    target: str = ""
    n_bytes: int = 0
    sha256: str = ""
    settings: str = ""
    verified: bool = False
    removed: bool = False
    n_samples: int = 0
    seconds: float = 0.0
    kinds: tuple[str, ...] = ()
    cr: float | None = None
    flithos: float | None = None
    prdn: float | None = None
    note: str = ""
    error: str = ""

    @property
    def n_read(self) -> int:
        """Bytes of all that was read."""
        return sum(file.n_bytes for file in self.files)

    def failed(self, error: str) -> Entry:
        """Give the entry of the same that failed."""
        return Entry(kind=self.kind, name=self.name, state=FAILED, files=self.files, error=error)

    def to_line(self) -> bytes:
        """Give the line of the manifest, with its end."""
        return json.dumps(asdict(self)).encode("ascii") + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Entry:
        """Read a line of a manifest; ValueError where it is none."""
        found = json.loads(line)
        if not isinstance(found, dict):
            raise ValueError("no object")
        known = {own.name for own in fields(cls)}
        # A later version may say more of a record.
        values = {name: value for name, value in found.items() if name in known}
        try:
            files = tuple(InputFile(**own) for own in values.pop("files", ()))
            entry = cls(**values, files=files)
        except TypeError as error:
            raise ValueError(str(error)) from error
        _check(entry)
        return replace(entry, kinds=tuple(entry.kinds))


def _check(entry: Entry) -> None:
    """Refuse what would be trusted and is not what it should be; ValueError."""
    if entry.state not in _STATES.get(entry.kind, ()):
        raise ValueError(f"state {entry.state!r} of a {entry.kind!r}")
    for name in (entry.name, entry.target, *(file.name for file in entry.files)):
        if not isinstance(name, str) or name.startswith("/") or ".." in name.split("/"):
            raise ValueError(f"{name!r} leaves the archive")
    if not isinstance(entry.n_bytes, int) or not isinstance(entry.sha256, str):
        raise ValueError(f"size {entry.n_bytes!r}, digest {entry.sha256!r}")


@dataclass
class Manifest:
    """The newest entry of every record and file, and the file that further ones are written to.

    Attributes
    ----------
    path : Path
    entries : dict of (str, str) to Entry
        By kind and name.
    """

    path: Path
    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    _stream: BinaryIO | None = None

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read a manifest; one that is not there has no entries.

        A last line without an end is what a killed process left: it is as if it were not there.

        Raises
        ------
        RecordError
            It cannot be read, or a line is none of a manifest.
        """
        try:
            content = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise RecordError(f"{path}: cannot be read ({error.strerror})") from error
        manifest = cls(path)
        for number, line in enumerate(content.split(b"\n")[:-1], 1):
            try:
                entry = Entry.from_line(line)
            except ValueError as error:
                raise RecordError(
                    f"{path}, line {number}: no entry of a manifest ({error}); delete that line, "
                    "and its record is encoded anew"
                ) from error
            manifest.entries[entry.kind, entry.name] = entry
        return manifest

    def add(self, entry: Entry) -> None:
        """Write an entry to the disk, and take it for the newest.

        Raises
        ------
        OutputError
            It cannot be written; the entries before are untouched.
        """
        try:
            if self._stream is None:
                self._stream = self._open()
            _append(self._stream, entry.to_line())
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot be written ({error.strerror}); make room and run again"
            ) from error
        self.entries[entry.kind, entry.name] = entry

    def _open(self) -> BinaryIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        stream = self.path.open("ab+")
        # Behind a torn line another one would be torn as well.
        stream.seek(0)
        content = stream.read()
        if content and not content.endswith(b"\n"):
            stream.truncate(content.rfind(b"\n") + 1)
        return stream

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def records(self) -> list[Entry]:
        """Give the entries of records, by name."""
        return self._of(RECORD)

    def files(self) -> list[Entry]:
        """Give the entries of files that are carried along, by name."""
        return self._of(FILE)

    def _of(self, kind: str) -> list[Entry]:
        return [self.entries[key] for key in sorted(self.entries) if key[0] == kind]


def _append(stream: BinaryIO, line: bytes) -> None:
    """Write a line to the disk, or nothing of it."""
    descriptor = stream.fileno()
    n_bytes = os.fstat(descriptor).st_size
    try:
        left = memoryview(line)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            os.truncate(descriptor, n_bytes)
        raise
