"""Damaged .san files to new records of what is left of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from sancodec.errors import ConfigError, CorruptError
from sancodec.files import new_record, open_file, write_new_record
from sancodec.formats.bundle import BundleReader, find_members, is_bundle
from sancodec.formats.exports import EXPORTS, WFDB, export
from sancodec.formats.remote import name_of
from sancodec.inspection import open_san
from sancodec.progress import Progress
from sancodec.records import counted
from sancodec.salvage import LostSpan, Salvage, SegmentedSalvage
from sancodec.san_file import SanFile
from sancodec.segmented_file import SegmentedFile


@dataclass(frozen=True)
class Salvaged:
    """What was written of a damaged file, and what is lost of it.

    Attributes
    ----------
    paths : list of Path
    n_frames : int
        Frames that were asked for.
    lost : list of LostSpan
    problem : str
        What is wrong with the index; empty where it is whole.
    """

    paths: list[Path]
    n_frames: int
    lost: list[LostSpan]
    problem: str


def salvage_file(
    source: Path | BinaryIO,
    directory: Path,
    *,
    provider: str = "auto",
    force: bool = False,
    start: int = 0,
    stop: int | None = None,
    fmt: str = WFDB,
    model: str | None = None,
    progress: Progress | None = None,
) -> Salvaged:
    """Write what is left of a damaged .san file as a new record, NAME_salvaged.

    Lost samples have WFDB's value for samples that are not there: the least of the format, which
    no sample that came back then has. In an array they are -2**31. Where the table of a record of
    several segments is lost, each segment that is found becomes a record of its own.

    Parameters are those of ``decode_file``.

    Raises
    ------
    CorruptError
        The header is damaged, or nothing is left.
    ConfigError
        A part was asked for, and the table that says where it is, is lost.
    OutputError
        A file exists or cannot be written.
    """
    opened = partial(open_file, provider=provider, model=model, damaged=True)
    write = partial(_write, directory=directory, fmt=fmt, force=force, progress=progress)
    with _stream_of(source) as stream:
        problem = _table_problem(stream)
        if not problem:
            with opened(stream) as file:
                return write(file, start, file.n_frames if stop is None else stop)
        if start or stop is not None:
            raise ConfigError(f"{problem}; without it only the whole file can be salvaged")
        found = []
        for member in find_members(stream):
            with suppress(CorruptError), opened(cast(BinaryIO, member)) as file:
                found.append(write(file, 0, file.n_frames))
    return _together(found, problem)


@contextmanager
def _stream_of(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    if not isinstance(source, Path):
        yield source
        return
    with open_san(source) as stream:
        yield stream


def _table_problem(stream: BinaryIO) -> str:
    """Say what is wrong with the table of a record of several segments; else give nothing."""
    if is_bundle(stream):
        try:
            BundleReader(stream, name_of(stream))
        except CorruptError as error:
            return str(error)
    return ""


def _write(
    file: SanFile | SegmentedFile,
    start: int,
    stop: int,
    *,
    directory: Path,
    fmt: str,
    force: bool,
    progress: Progress | None,
) -> Salvaged:
    salvage = SegmentedSalvage(file) if isinstance(file, SegmentedFile) else Salvage(file)
    spans = counted(salvage.spans(start, stop), stop - start, progress)
    made = new_record(file, f"{file.header.name}_salvaged", stop - start, spans)
    if fmt in EXPORTS:
        paths = export(fmt, directory, made, force=force)
    else:
        paths = write_new_record(directory, made, force=force, with_lost=True)
    return Salvaged(paths, stop - start, salvage.lost, salvage.problem)


def _together(found: Sequence[Salvaged], problem: str) -> Salvaged:
    """Give what came of all segments that were found, one behind the other.

    Raises
    ------
    CorruptError
        None was found.
    """
    if not found:
        raise CorruptError(f"{problem}; no segment is left")
    lost, n_frames = [], 0
    for own in found:
        lost += [
            replace(span, start=n_frames + span.start, stop=n_frames + span.stop)
            for span in own.lost
        ]
        n_frames += own.n_frames
    names = f"{len(found)} segments were found, each is a record of its own now"
    problems = [own.problem for own in found if own.problem]
    return Salvaged(
        [path for own in found for path in own.paths],
        n_frames,
        lost,
        "; ".join([problem, names, *problems]),
    )
