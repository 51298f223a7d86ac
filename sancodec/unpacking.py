"""Members of packs given back: as .san files, or as the original files of their records."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar, cast

from sancodec.errors import SancodecError
from sancodec.files import decode_opened
from sancodec.formats.bundle import BundleReader, is_bundle
from sancodec.formats.container import ContainerReader
from sancodec.formats.output import PendingFiles
from sancodec.formats.pack_group import Member
from sancodec.pack import SAN_SUFFIX, Failed, PackFile
from sancodec.parallel import jobs_of, map_in_order
from sancodec.records import check_file

_Result = TypeVar("_Result")


def unpack_files(
    pack: PackFile,
    directory: Path,
    members: Iterable[Member],
    *,
    originals: bool = False,
    force: bool = False,
    jobs: int | None = None,
    failed: Failed | None = None,
) -> Iterator[list[Path]]:
    """Write members to a folder, below which they have the folders of their names.

    Parameters
    ----------
    members : iterable of Member
        As ``select`` gives them.
    originals : bool
        Whether the original files of the records are written, and not their .san files.
    force : bool
        Whether existing files are overwritten.
    jobs : int or None
        Members that are decoded at once; None for one on each processor.
    failed : callable, optional
        Called for a member that is damaged or cannot be written; without it, it is raised.

    Yields
    ------
    list of Path
        The files of one member after the other.
    """

    def give(name: str, stream: BinaryIO) -> list[Path]:
        target = directory.joinpath(*name.split("/"))
        if originals:
            file = pack.open_stream(stream, name)
            return decode_opened(file, target.parent, force=force)
        compare_checksums(stream, pack.say(name))
        with PendingFiles([target.with_name(target.name + SAN_SUFFIX)], force=force) as files:
            shutil.copyfileobj(stream, files.files[0])
            return files.commit()

    return _each(pack, members, give, jobs, failed)


def verify_members(
    pack: PackFile,
    members: Iterable[Member],
    *,
    jobs: int | None = None,
    failed: Failed | None = None,
) -> Iterator[str]:
    """Decode members, compare all checksums and hashes, and rebuild their original files.

    Parameters are those of ``unpack_files``.

    Yields
    ------
    str
        The name of one member after the other, of those that are whole.
    """

    def check(name: str, stream: BinaryIO) -> str:
        check_file(pack.open_stream(stream, name), None)
        return name

    return _each(pack, members, check, jobs, failed)


def _each(
    pack: PackFile,
    members: Iterable[Member],
    work: Callable[[str, BinaryIO], _Result],
    jobs: int | None,
    failed: Failed | None,
) -> Iterator[_Result]:
    """Work on members in threads; the pack itself is read in the caller's."""

    def begin(member: Member) -> _Begun[_Result]:
        begun = _Begun[_Result](member.name)
        try:
            stream = pack.reader.open(member)
            if member.head is None:
                # Such a member is read from the pack while it is worked on.
                begun.result = work(member.name, stream)
            else:
                begun.stream = stream
        except SancodecError as error:
            begun.error = error
        return begun

    def finish(begun: _Begun[_Result]) -> _Begun[_Result]:
        if begun.stream is not None:
            try:
                begun.result = work(begun.name, begun.stream)
            except SancodecError as error:
                begun.error = error
            begun.stream = None
        return begun

    for done in map_in_order(finish, map(begin, members), jobs_of(jobs)):
        if done.result is not None:
            yield done.result
        elif done.error is not None:
            if failed is None:
                raise done.error
            failed(done.name, done.error)


@dataclass
class _Begun(Generic[_Result]):
    """A member that was read, and what came of it."""

    name: str
    stream: BinaryIO | None = None
    result: _Result | None = None
    error: SancodecError | None = None


def compare_checksums(stream: BinaryIO, name: str) -> None:
    """Read all chunks of a .san file, decoding none, and go back to its beginning.

    Raises
    ------
    CorruptError
        One is damaged.
    """
    if is_bundle(stream):
        bundle = BundleReader(stream, name)
        for i in range(len(bundle.offsets)):
            compare_checksums(cast(BinaryIO, bundle.member(i)), f"{name}: member {i}")
    else:
        container = ContainerReader(stream, name)
        for i in range(len(container.chunks)):
            container.read_chunk(i)
    stream.seek(0)
