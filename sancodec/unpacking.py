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
from sancodec.runtime import SynthesisSession, open_session
from sancodec.san_file import SanFile
from sancodec.segmented_file import SegmentedFile
from sancodec.throughput import RECORDS_AT_ONCE, in_batches, place_ahead

_Item = TypeVar("_Item")
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

    def place(name: str) -> Path:
        return directory.joinpath(*name.split("/"))

    def decode(name: str, file: SanFile | SegmentedFile) -> list[Path]:
        return decode_opened(file, place(name).parent, force=force)

    def copy(name: str, stream: BinaryIO) -> list[Path]:
        compare_checksums(stream, pack.say(name))
        target = place(name)
        with PendingFiles([target.with_name(target.name + SAN_SUFFIX)], force=force) as files:
            shutil.copyfileobj(stream, files.files[0])
            return files.commit()

    if originals:
        return _decoded(pack, members, decode, jobs, failed)
    begun = (_begin(pack, member, lambda _, stream: stream, copy) for member in members)
    return _finished(begun, copy, jobs, failed)


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

    def check(name: str, file: SanFile | SegmentedFile) -> str:
        check_file(file, None)
        return name

    return _decoded(pack, members, check, jobs, failed)


def _decoded(
    pack: PackFile,
    members: Iterable[Member],
    work: Callable[[str, SanFile | SegmentedFile], _Result],
    jobs: int | None,
    failed: Failed | None,
) -> Iterator[_Result]:
    """Give what work makes of the files of members; on a device their layers are made together."""

    def open_member(name: str, stream: BinaryIO) -> SanFile | SegmentedFile:
        return pack.open_stream(stream, name)

    begun = (_begin(pack, member, open_member, work) for member in members)
    session = open_session(pack.provider)
    # On a processor one run for each record is as fast: benchmarks/gpu.md.
    ready = _placed_ahead(begun, session) if session.provider == "cuda" else begun
    return _finished(ready, work, jobs, failed)


def _placed_ahead(
    begun: Iterable[_Begun[SanFile | SegmentedFile, _Result]], session: SynthesisSession
) -> Iterator[_Begun[SanFile | SegmentedFile, _Result]]:
    for batch in in_batches(begun, RECORDS_AT_ONCE):
        place_ahead([own.item for own in batch if isinstance(own.item, SanFile)], session)
        yield from batch


@dataclass
class _Begun(Generic[_Item, _Result]):
    """A member that was read, and what came of it."""

    name: str
    item: _Item | None = None
    result: _Result | None = None
    error: SancodecError | None = None


def _begin(
    pack: PackFile,
    member: Member,
    prepare: Callable[[str, BinaryIO], _Item],
    work: Callable[[str, _Item], _Result],
) -> _Begun[_Item, _Result]:
    """Read a member, in the one thread that reads the pack."""
    begun = _Begun[_Item, _Result](member.name)
    try:
        item = prepare(member.name, pack.reader.open(member))
        if member.head is None:
            # Such a member is read from the pack while it is worked on.
            begun.result = work(member.name, item)
        else:
            begun.item = item
    except SancodecError as error:
        begun.error = error
    return begun


def _finished(
    begun: Iterable[_Begun[_Item, _Result]],
    work: Callable[[str, _Item], _Result],
    jobs: int | None,
    failed: Failed | None,
) -> Iterator[_Result]:
    """Work on what was begun, in threads."""

    def finish(own: _Begun[_Item, _Result]) -> _Begun[_Item, _Result]:
        if own.item is not None:
            try:
                own.result = work(own.name, own.item)
            except SancodecError as error:
                own.error = error
            own.item = None
        return own

    for done in map_in_order(finish, begun, jobs_of(jobs)):
        if done.result is not None:
            yield done.result
        elif done.error is not None:
            if failed is None:
                raise done.error
            failed(done.name, done.error)


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
