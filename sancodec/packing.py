"""Packs written from .san files, and read again before they are kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sancodec import models
from sancodec.errors import CorruptError, RecordError, SancodecError, VerifyError
from sancodec.formats.output import pending
from sancodec.formats.pack import PackReader
from sancodec.formats.pack_parts import SHARED_MODEL, SHARED_PRIMER
from sancodec.formats.pack_writing import PackWriter
from sancodec.inspection import open_san
from sancodec.pack import SAN_SUFFIX, Failed
from sancodec.progress import Progress

_PIECE = 1 << 20


@dataclass
class Packed:
    """What ``pack_files`` wrote.

    ``n_san_bytes`` are those of the files that were packed, ``n_bytes`` those of the pack.
    """

    n_members: int = 0
    n_failed: int = 0
    n_san_bytes: int = 0
    n_bytes: int = 0


def pack_files(
    members: Iterable[tuple[str, Path]],
    target: Path | BinaryIO,
    *,
    shared: Iterable[tuple[int, bytes]] = (),
    force: bool = False,
    failed: Failed | None = None,
    progress: Progress | None = None,
) -> Packed:
    """Write .san files to a pack, and read it again before saying that it is done.

    Memory is taken for names alone. The pack is best written in the order of names: then a record
    is found by reading one part of the index.

    Parameters
    ----------
    members : iterable of (str, Path)
        Name of each record in the pack, with ``/`` between folders, and its .san file.
    target : Path or BinaryIO
        Written only when all is well.
    shared : iterable of (int, bytes)
        Kind and content of what files name by the digest of its content, to be there once:
        ``shared_model`` gives models and primers that the package does not ship.
    force : bool
        Whether an existing target is overwritten.
    failed : callable, optional
        Called for a file that cannot be read or is damaged, and is left out; without it, it is
        raised, and nothing is written.
    progress : callable, optional
        Called with the number of files packed, and of those seen so far.

    Raises
    ------
    CorruptError, RecordError, ConfigError
        A file is damaged; cannot be read; or its name is taken, or is none.
    VerifyError
        What was written does not give the files back; nothing was kept.
    OutputError
        The target exists or cannot be written.
    """
    packed = Packed()
    with pending(target, force) as stream:
        writer = PackWriter(stream)
        for kind, content in shared:
            writer.add_shared(kind, content)
        digests = list(_add_all(writer, members, packed, failed, progress))
        writer.finish()
        packed.n_bytes = stream.tell()
        _compare(stream, digests)
    return packed


def _add_all(
    writer: PackWriter,
    members: Iterable[tuple[str, Path]],
    packed: Packed,
    failed: Failed | None,
    progress: Progress | None,
) -> Iterator[bytes]:
    """Add files, count them, and give their digests."""
    for name, path in members:
        try:
            digest = _add(writer, name, path)
        except SancodecError as error:
            if failed is None:
                raise
            failed(name, error)
            packed.n_failed += 1
            continue
        packed.n_members += 1
        packed.n_san_bytes += path.stat().st_size
        if progress is not None:
            progress(packed.n_members, packed.n_members)
        yield digest


def shared_model(path: Path) -> tuple[int, bytes]:
    """Give a model or a primer as what files in a pack share; ModelError where it is neither."""
    if models.is_primer(path):
        models.load_primer(path)
        return SHARED_PRIMER, path.read_bytes()
    bank, _ = models.load(path)
    return SHARED_MODEL, bank.canonical()


def find_members(sources: Sequence[Path]) -> list[tuple[str, Path]]:
    """Give name and path of .san files, and of those in folders, in the order of their names.

    Names are the paths from the folder that all sources have in common, without their suffix: of
    one folder, those from it.

    Raises
    ------
    RecordError
        A source is neither a file nor a folder, or holds no .san file.
    """
    folders = [path if path.is_dir() else path.parent for path in sources]
    common = Path(os.path.commonpath([folder.resolve() for folder in folders]))
    found: dict[str, Path] = {}
    for source in sources:
        paths = sorted(source.rglob(f"*{SAN_SUFFIX}")) if source.is_dir() else [source]
        if not paths or not paths[0].is_file():
            raise RecordError(f"{source}: is no .san file, nor a folder of some")
        for path in paths:
            # The folder alone is resolved: a link to a file has the name that it has here.
            name = (path.parent.resolve() / path.name).relative_to(common)
            found[name.as_posix().removesuffix(SAN_SUFFIX)] = path
    return sorted(found.items())


def _add(writer: PackWriter, name: str, path: Path) -> bytes:
    """Add a file and give its digest."""
    with open_san(path) as source:
        writer.add(name, source)
        source.seek(0)
        digest = hashlib.sha256()
        while piece := source.read(_PIECE):
            digest.update(piece)
        return digest.digest()


def _compare(stream: BinaryIO, digests: list[bytes]) -> None:
    """Read a pack that was written; VerifyError where it does not give the same files."""
    try:
        reader = PackReader(stream, "pack")
        found = (hashlib.sha256(reader.open(own).read()).digest() for own in reader.members())
        same = all(a == b for a, b in zip(digests, found, strict=True))
    except (CorruptError, ValueError) as error:
        raise VerifyError(f"pack: cannot be read again ({error}); please report this") from error
    if not same:
        raise VerifyError("pack: does not give back what was packed; please report this")
