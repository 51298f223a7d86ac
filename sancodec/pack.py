"""Packs: many records in one file, of which single ones are found and opened."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from sancodec import models
from sancodec.errors import ConfigError, CorruptError, SancodecError
from sancodec.formats.bundle import SegmentTable
from sancodec.formats.damaged_pack import DamagedPack
from sancodec.formats.header import Header, decode_header
from sancodec.formats.pack import PackReader
from sancodec.formats.pack_group import Member
from sancodec.formats.pack_parts import SHARED_MODEL, SHARED_PRIMER
from sancodec.formats.primers import Primer, decode_primer
from sancodec.formats.remote import is_url, name_of, open_url
from sancodec.inspection import open_san
from sancodec.san.kernels import KernelBank

if TYPE_CHECKING:
    from sancodec.san_file import SanFile
    from sancodec.segmented_file import SegmentedFile

SAN_SUFFIX = ".san"
PACK_SUFFIX = ".sanpack"
SEPARATOR = "::"
"""Between the path of a pack and the name of a record in it."""

_N_FOUND = 8

Failed = Callable[[str, SancodecError], None]
"""Called with the name of a member, and why it is not there."""


@dataclass(frozen=True, kw_only=True)
class MemberReport:
    """What a record in a pack is.

    Attributes
    ----------
    name : str
        Path in the pack.
    record : str
        Name of the record.
    n_bytes : int
        Bytes that are its own in the pack.
    n_channels, n_frames : int
    fs : float
        Frames per second.
    seconds : float
    """

    name: str
    record: str
    n_bytes: int
    n_channels: int
    n_frames: int
    fs: float
    seconds: float


class PackFile(Mapping[str, "SanFile | SegmentedFile"]):
    """A pack that is open for reading: from names to what ``sancodec.open`` gives.

    Names are paths with ``/`` between folders, without a suffix. What is looked up is opened, and
    is read when it is asked for samples; nothing else of the pack is.

    Parameters
    ----------
    source : BinaryIO
        Seekable; stays open as long as this is used, and is closed with it.
    name : str
        Name of the file, for messages.
    provider : str
        Where SAN layers are reconstructed: ``"auto"``, ``"cpu"`` or ``"cuda"``.
    jobs : int or None
        Threads that decode the chunks of a record; None for one on each processor.
    model : str, optional
        Name or path of the model or primer, where records need one that is neither shipped nor in
        the pack.
    damaged : bool
        Whether records are looked for in the whole file where its index is lost.

    Raises
    ------
    CorruptError
        The file is damaged, or not a pack.
    """

    def __init__(
        self,
        source: BinaryIO,
        name: str = "<bytes>",
        *,
        provider: str = "auto",
        jobs: int | None = 1,
        model: str | None = None,
        damaged: bool = False,
    ) -> None:
        self.name = name
        self.reader = (DamagedPack if damaged else PackReader)(source, name)
        self._source = source
        self.provider, self._jobs, self._model = provider, jobs, model
        # Thousands of records name the same one.
        self.find_model = lru_cache(_N_FOUND)(self._find_model)
        self.find_primer = lru_cache(_N_FOUND)(self._find_primer)

    def __enter__(self) -> PackFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def __len__(self) -> int:
        return self.reader.n_members

    def __iter__(self) -> Iterator[str]:
        return (member.name for member in self.reader.members())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.reader.find(name) is not None

    def __getitem__(self, name: str) -> SanFile | SegmentedFile:
        member = self.reader.find(name)
        if member is None:
            raise KeyError(name)
        return self.open(member)

    def stream(self, name: str) -> BinaryIO:
        """Give the .san file of a member as a stream; ConfigError where there is none."""
        member = self.reader.find(name)
        if member is None:
            raise ConfigError(f"{self.name}: no record {name!r}; see sancodec list")
        return self.reader.open(member)

    def describe(self, member: Member) -> MemberReport:
        """Say what a member is, from the index alone; of one that is a file as it is, from that.

        Raises
        ------
        CorruptError
            Its head is damaged.
        """
        if member.head is None:
            header: Header | SegmentTable = self.open(member).header
        else:
            header = decode_header(member.head.header, self.say(member.name))
        return MemberReport(
            name=member.name,
            record=header.name,
            n_bytes=member.n_body,
            n_channels=len(header.channels),
            n_frames=header.n_frames,
            fs=header.fs,
            seconds=header.n_frames / header.fs,
        )

    def open(self, member: Member) -> SanFile | SegmentedFile:
        """Open a member that ``reader`` gave; CorruptError where it is damaged."""
        return self.open_stream(self.reader.open(member), member.name)

    def open_stream(self, stream: BinaryIO, name: str) -> SanFile | SegmentedFile:
        """Open the stream of a member of this name, with the models that the pack has."""
        # The codec compiles its loops: listing a pack does not need it.
        from sancodec.segmented_file import open_stream  # noqa: PLC0415

        return open_stream(
            stream,
            self.say(name),
            provider=self.provider,
            find_model=self.find_model,
            find_primer=self.find_primer,
            jobs=self._jobs,
        )

    def say(self, name: str) -> str:
        """Give the name of a member as it stands in messages, and on the command line."""
        return f"{self.name}{SEPARATOR}{name}"

    def _find_model(self, digest: str) -> KernelBank:
        """Give the kernels that a file names by the begin of their digest, in hexadecimal."""
        if self._model is not None and not models.is_primer(Path(self._model)):
            return models.load(self._model)[0]
        content = self.find_shared(SHARED_MODEL, bytes.fromhex(digest))
        return models.find(digest) if content is None else KernelBank.from_canonical(content)

    def _find_primer(self, digest: str) -> Primer:
        """Give the primer that a file names likewise."""
        if self._model is not None and models.is_primer(Path(self._model)):
            return models.load_primer(self._model)
        content = self.find_shared(SHARED_PRIMER, bytes.fromhex(digest))
        if content is None:
            return models.find_primer(digest)
        return decode_primer(content, f"{self.name}: primer {digest}")

    def find_shared(self, kind: int, digest: bytes) -> bytes | None:
        """Give something that records share, by its kind and the begin of its SHA-256, or None.

        Raises
        ------
        CorruptError
            It is damaged.
        """
        for number, entry in self.reader.shared.items():
            if entry.kind == kind and digest.startswith(entry.digest[: len(digest)]):
                content = self.reader.read_shared(number, kind)
                if hashlib.sha256(content).digest().startswith(digest):
                    return content
        return None


def open_pack(
    source: bytes | str | Path | BinaryIO,
    *,
    provider: str = "auto",
    jobs: int | None = 1,
    model: str | None = None,
    damaged: bool = False,
) -> PackFile:
    """Open a pack for reading single records of it.

    ``sancodec.open_pack("many.sanpack")["records500/00001_hr"][0:500, "II"]`` reads the index, the
    part of it that is about this record and its neighbours, and the record.

    Parameters
    ----------
    source : bytes, str, Path or BinaryIO
        The pack's bytes, its path, its URL (of any kind that fsspec opens), or a stream that can
        be sought.
    provider, jobs, model, damaged
        As of ``PackFile``.

    Raises
    ------
    CorruptError
        The file is damaged, or not a pack.
    RecordError
        The file cannot be read.
    """
    stream, name = _open(source)
    try:
        return PackFile(stream, name, provider=provider, jobs=jobs, model=model, damaged=damaged)
    except SancodecError:
        if not isinstance(source, bytes) and stream is not source:
            stream.close()
        raise


def _open(source: bytes | str | Path | BinaryIO) -> tuple[BinaryIO, str]:
    if isinstance(source, bytes):
        return io.BytesIO(source), "<bytes>"
    if not isinstance(source, str | Path):
        return source, name_of(source)
    remote = isinstance(source, str) and is_url(source)
    return open_url(str(source)) if remote else open_san(Path(source)), str(source)


def select(
    pack: PackFile,
    names: Iterable[str] = (),
    patterns: Iterable[str] = (),
    failed: Failed | None = None,
) -> Iterator[Member]:
    """Give the members that are named or match a pattern; all of them where neither is given.

    Parameters
    ----------
    names : iterable of str
        Of members, or of folders of them.
    patterns : iterable of str
        As of a shell, over the whole name: ``records500/*``.
    failed : callable, optional
        Called for a part of the index that is damaged; without it, it is raised.

    Raises
    ------
    ConfigError
        There is no member and no folder of a name.
    """
    named, globs = [name.rstrip("/") for name in names], tuple(patterns)
    seen: set[str] = set()
    for wanted in ([None] if globs or not named else []) + named:
        before = len(seen)
        for member in _found(pack.reader, wanted, globs, failed):
            if member.name not in seen:
                seen.add(member.name)
                yield member
        if wanted is not None and len(seen) == before:
            raise ConfigError(f"{pack.name}: no record or folder {wanted!r}; see sancodec list")


def _found(
    reader: PackReader, wanted: str | None, globs: tuple[str, ...], failed: Failed | None
) -> Iterator[Member]:
    """Give the members of one name or folder, or those that a pattern matches."""
    if wanted is None:
        for member in _all_members(reader, "", failed):
            if not globs or any(fnmatchcase(member.name, glob) for glob in globs):
                yield member
        return
    found = reader.find(wanted)
    if found is not None:
        yield found
    else:
        yield from _all_members(reader, wanted + "/", failed)


def _all_members(reader: PackReader, begin: str, failed: Failed | None) -> Iterator[Member]:
    """Give the members whose names have this begin, reading no group that has none of them."""
    for i, group in enumerate(reader.groups):
        # No name of this begin is behind the greatest one.
        if group.last < begin or group.first > begin + chr(sys.maxunicode):
            continue
        try:
            members = reader.group(i)
        except CorruptError as error:
            if failed is None:
                raise
            failed(f"{group.first} to {group.last}", error)
            continue
        yield from (member for member in members if member.name.startswith(begin))
