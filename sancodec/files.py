"""Records on disk to .san files and back: nothing half-written, nothing overwritten unasked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypedDict

from sancodec import models
from sancodec.config import CodecConfig
from sancodec.errors import VerifyError
from sancodec.fidelity import Lossless
from sancodec.formats.arrays import write_wfdb
from sancodec.formats.edf import EdfRecord
from sancodec.formats.exports import EXPORTS, ORIGINAL, are_of, export, folder_of
from sancodec.formats.originals import Originals
from sancodec.formats.output import pending
from sancodec.formats.primers import Primer
from sancodec.formats.remote import name_of
from sancodec.formats.restoration import restore
from sancodec.formats.segmented import open_record
from sancodec.formats.side_files import find_annotations, side_sources
from sancodec.formats.sources import AnyRecord, is_samples_alone, open_source
from sancodec.inspection import inspect_file, inspect_stream, open_san
from sancodec.progress import Progress
from sancodec.recording import Recording, RecordSpans
from sancodec.records import RecordEncoder, check_file, counted, restore_file
from sancodec.removal import remove_originals
from sancodec.report import Report, SignalReport
from sancodec.runtime import open_session
from sancodec.san.kernels import KernelBank
from sancodec.san_file import SanFile
from sancodec.segmented_file import SegmentedFile, open_stream

__all__ = [
    "decode_file",
    "decode_opened",
    "delete_originals",
    "encode_file",
    "inspect_file",
    "open_file",
    "verify_file",
]


def encode_file(
    record: Path,
    target: Path | BinaryIO,
    config: CodecConfig,
    *,
    verify: bool = True,
    force: bool = False,
    provider: str = "auto",
    jobs: int | None = None,
    progress: Progress | None = None,
    with_annotations: bool = False,
    attach: Sequence[Path] = (),
    fs: float | None = None,
    keep_time: bool = False,
    approve: Callable[[BinaryIO], None] | None = None,
) -> Report:
    """Encode a record into a .san file, and decode it again before saying that it is done.

    Parameters
    ----------
    record : Path
        A WFDB record's name, its header, or its signal file; an EDF file, an array, a table.
    target : Path or BinaryIO, written only when all is well
    verify, force : bool
        Whether the file is decoded and compared, originals and all; whether a target is replaced.
    jobs, progress : int or None, callable, optional
        Threads that work on chunks, None for one a processor; verifying counts as half the way.
    with_annotations, attach : bool, sequence of Path
        Whether the annotation files of the record travel along, and further files that do.
    fs, keep_time : float or None, bool
        Of an array or a table: see ``open_source``.
    approve : callable, optional
        Called with what was written, before it takes its place: what it raises keeps nothing.

    Raises
    ------
    RecordError
        The record is missing, incomplete or contradicts itself.
    OutputError
        The target exists or cannot be written.
    VerifyError
        What was written does not decode to what was read; nothing was kept.
    ModelError, ProviderError, ConfigError
        The model, the provider or the settings cannot be had.
    """
    started = time.perf_counter()
    source = open_source(record, fs=fs, keep_time=keep_time, share=_may_share(config))
    beside = [*(find_annotations(source.files) if with_annotations else []), *attach]
    side_files = side_sources(beside, source.files)
    encoder = RecordEncoder(config=config, session=open_session(provider), jobs=jobs)
    encoding, verifying = _halves(progress) if verify else (progress, None)
    with pending(target, force) as stream:
        signals = encoder.encode(source, side_files, stream, encoding)
        if verify:
            encoder.verify(stream, source.name, verifying)
        report = _report(stream, record, source, signals)
        if approve is not None:
            approve(stream)
    return replace(report, verified=verify, encode_seconds=time.perf_counter() - started)


def _may_share(config: CodecConfig) -> bool:
    """Tell whether a segment may have the samples of another; after loss, its header is its own."""
    return isinstance(config.fidelity, Lossless)


def _report(
    stream: BinaryIO, record: Path, source: AnyRecord, signals: tuple[SignalReport, ...]
) -> Report:
    """Give the report of what was written, with what the encoder alone knows."""
    report, _ = inspect_stream(stream, str(record))
    note = source.note if isinstance(source, EdfRecord) else ""
    return replace(report, signals=signals or report.signals, note=note)


def delete_originals(
    record: Path,
    written: Path,
    *,
    with_annotations: bool = False,
    provider: str = "auto",
    jobs: int | None = None,
) -> list[Path]:
    """Delete the files of a record once its .san file, read anew, gives all of them back.

    Parameters
    ----------
    record, written : Path
        What was encoded, and to what.
    with_annotations : bool
        Whether the annotation files travel along, and are deleted, too.

    Raises
    ------
    VerifyError
        A file does not come back byte for byte; none was deleted.
    RecordError, CorruptError, OutputError
        The record or its .san file cannot be read, or a file cannot be deleted.
    """
    if is_samples_alone(record):
        raise VerifyError(f"{record}: its samples come back, not its bytes; it was not deleted")
    source = open_record(record)
    annotations = find_annotations(source.files) if with_annotations else []
    own = [*(file.path for file in source.files), *annotations]
    remove_originals(written, own, partial(decode_file, provider=provider, jobs=jobs))
    return own


def decode_file(
    source: Path | BinaryIO,
    directory: Path | BinaryIO,
    *,
    provider: str = "auto",
    force: bool = False,
    layer: str = "signal",
    start: int = 0,
    stop: int | None = None,
    fmt: str = ORIGINAL,
    model: str | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Give back the original files of a .san file, or a part or layer of it as a new record.

    Parameters
    ----------
    directory : Path or BinaryIO
        Where the files go; a stream takes what is one file.
    layer : str
        ``"signal"``, or ``"san"`` for the SAN layer's reconstruction alone.
    start, stop : int
        Frames; anything but the whole record is written as a new record.
    fmt : str
        One of ``exports.FORMATS``: the original files of the whole record, or else a new
        WFDB record; WFDB in any case; or one file.
    model : str, optional
        Name or path of the model or primer, where the file needs one that is not shipped.

    Raises
    ------
    CorruptError
        The file is damaged; nothing was written.
    OutputError
        A file exists or cannot be written.
    """
    with open_file(source, provider=provider, model=model, jobs=jobs) as file:
        return decode_opened(
            file,
            directory,
            force=force,
            layer=layer,
            start=start,
            stop=stop,
            fmt=fmt,
            progress=progress,
        )


def decode_opened(
    file: SanFile | SegmentedFile,
    directory: Path | BinaryIO,
    *,
    force: bool = False,
    layer: str = "signal",
    start: int = 0,
    stop: int | None = None,
    fmt: str = ORIGINAL,
    progress: Progress | None = None,
) -> list[Path]:
    """Do for a file that is open what ``decode_file`` does."""
    whole = start == 0 and stop in {None, file.n_frames}
    originals = Originals()
    if whole and layer == "signal" and are_of(file.originals, fmt):
        originals = file.originals
    if originals.record_files:
        return restore_file(file, directory, force=force, progress=progress)
    stop = file.n_frames if stop is None else stop
    spans = counted(file.spans(start, stop, layer=layer), stop - start, progress)
    name = file.header.name + ("_san" if layer == "san" else "")
    made = new_record(file, name, stop - start, spans)
    if fmt in EXPORTS:
        return export(fmt, directory, made, force=force)
    folder = folder_of(directory)
    beside = restore(originals, (), folder, force=force, name=file.name)
    return write_new_record(folder, made, force=force) + beside


def new_record(
    file: SanFile | SegmentedFile, name: str, n_frames: int, spans: Iterator[Recording]
) -> RecordSpans:
    """Give spans of a file as a record of another name, to be written."""
    header = file.header
    return RecordSpans(
        name=name, fs=header.fs, channels=header.channels, n_frames=n_frames, spans=spans
    )


def write_new_record(
    folder: Path, made: RecordSpans, *, force: bool, with_lost: bool = False
) -> list[Path]:
    """Write a new WFDB record; parameters and errors as of ``arrays.write_wfdb``."""
    parts = made.name, made.fs, made.channels, made.spans
    return write_wfdb(folder, *parts, force=force, with_lost=with_lost)


def verify_file(
    source: Path | BinaryIO,
    *,
    provider: str = "auto",
    model: str | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Decode a .san file, compare every checksum and hash, and rebuild its original files.

    Raises
    ------
    CorruptError
        Something differs; the message names it.
    """
    with open_file(source, provider=provider, model=model, jobs=jobs) as file:
        check_file(file, progress)


@contextmanager
def open_file(
    source: Path | BinaryIO,
    *,
    provider: str = "auto",
    model: str | None = None,
    jobs: int | None = 1,
    damaged: bool = False,
) -> Iterator[SanFile | SegmentedFile]:
    """Open a .san file for reading; errors as of ``SanFile``."""
    name = str(source) if isinstance(source, Path) else name_of(source)
    stream = open_san(source) if isinstance(source, Path) else source
    try:
        finders = _finders(model)
        yield open_stream(stream, name, provider=provider, jobs=jobs, damaged=damaged, **finders)
    finally:
        if isinstance(source, Path):
            stream.close()


class _Finders(TypedDict, total=False):
    find_model: Callable[[str], KernelBank]
    find_primer: Callable[[str], Primer]


def _finders(model: str | None) -> _Finders:
    """Give what finds a model or primer that was named: that one, whatever a file asks for."""
    if model is None:
        return {}
    if models.is_primer(Path(model)):
        primer = models.load_primer(model)
        return {"find_primer": lambda _: primer}
    bank, _ = models.load(model)
    return {"find_model": lambda _: bank}


def _halves(progress: Progress | None) -> tuple[Progress | None, Progress | None]:
    """Give a progress for encoding and one for verifying, each half of the way.

    Passes of a lossy encoder are as long as nobody knows: each is a way of its own.
    """
    if progress is None:
        return None, None

    def encoding(done: int, total: int, step: str = "") -> None:
        progress(done, total if step else 2 * total, step)

    def verifying(done: int, total: int, step: str = "") -> None:
        progress(done + total, 2 * total)

    return encoding, verifying
