"""Records of one or several segments, encoded into a stream, verified, and given back as files."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sancodec.codec import encode_stream
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError, CorruptError, VerifyError
from sancodec.fidelity import Lossless
from sancodec.formats.bundle import SegmentTable, begin_bundle, finish_bundle
from sancodec.formats.edf import EdfRecord
from sancodec.formats.originals import OriginalFile
from sancodec.formats.output import staged
from sancodec.formats.restoration import RecordShape, Restorer, check, restore
from sancodec.formats.segmented import SegmentedRecord
from sancodec.formats.source_files import SourceFile
from sancodec.formats.sources import AnyRecord, ArrayRecord
from sancodec.formats.wfdb import WfdbRecord
from sancodec.primed import finder_of
from sancodec.progress import Progress, told
from sancodec.recording import Recording
from sancodec.report import SignalReport
from sancodec.runtime import SynthesisSession
from sancodec.san_file import SanFile
from sancodec.segmented_file import SegmentedFile, open_stream

_COPY_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class RecordEncoder:
    """Writes records into streams, and reads back what was written.

    Attributes
    ----------
    config : CodecConfig
    session : SynthesisSession
        Where SAN layers are computed.
    jobs : int or None
        Threads that work on chunks, None for one on each processor.
    """

    config: CodecConfig
    session: SynthesisSession
    jobs: int | None

    def encode(
        self,
        source: AnyRecord,
        side_files: Sequence[SourceFile],
        stream: BinaryIO,
        progress: Progress | None,
    ) -> tuple[SignalReport, ...]:
        """Write a record, with files that travel along; give what was made of its signals.

        Of a record of several segments that is nothing: each has its own.
        """
        signals: tuple[SignalReport, ...] = ()
        if isinstance(source, SegmentedRecord):
            self._encode_segments(source, side_files, stream, progress)
        else:
            signals = self._encode_one(source, side_files, stream, progress)
        stream.flush()
        return signals

    def verify(self, stream: BinaryIO, name: str, progress: Progress | None) -> None:
        """Read back what was written; VerifyError unless all of it comes back."""
        stream.seek(0)
        try:
            file = open_stream(
                stream,
                name,
                provider=self.session.provider,
                find_primer=finder_of(self.config.primer),
                jobs=self.jobs,
            )
            check_file(file, progress)
        except CorruptError as error:
            raise VerifyError(
                f"{name}: the encoded record does not decode to its original ({error}); "
                "nothing was kept, please report this"
            ) from error

    def _encode_one(
        self,
        source: WfdbRecord | EdfRecord | ArrayRecord,
        side_files: Sequence[SourceFile],
        stream: BinaryIO,
        progress: Progress | None,
    ) -> tuple[SignalReport, ...]:
        lossless = isinstance(self.config.fidelity, Lossless)
        return encode_stream(
            source,
            stream,
            self.config,
            session=self.session,
            restorer=source.restorer(side_files) if lossless else source.remaker(side_files),
            progress=progress,
            jobs=self.jobs,
            carried=lossless and source.is_flac,
        )

    def _encode_segments(
        self,
        source: SegmentedRecord,
        side_files: Sequence[SourceFile],
        stream: BinaryIO,
        progress: Progress | None,
    ) -> None:
        begin_bundle(stream)
        sizes = []
        parts = _parts_of(progress, [member.n_frames for member in source.members])
        for member, part in zip(source.members, parts, strict=True):
            begin = stream.tell()
            self._encode_one(member, (), stream, part)
            sizes.append(stream.tell() - begin)
        shape = RecordShape(name=source.name, samples_per_frame=(), n_frames=0)
        table = SegmentTable(
            name=source.name,
            fs=source.fs,
            channels=source.channels,
            segments=source.segments,
            member_sizes=tuple(sizes),
            restoration=Restorer([*source.headers, *side_files], shape).finish(),
        )
        finish_bundle(stream, table)


def check_file(file: SanFile | SegmentedFile, progress: Progress | None) -> None:
    """Decode everything; compare the hash of the samples, and of the files rebuilt from them.

    Raises
    ------
    CorruptError
        Something differs.
    """
    if isinstance(file, SanFile):
        _check_one(file, progress)
        return
    for i in range(len(file.header.segments)):
        file.segment(i)
    for member, part in _members_of(file, progress):
        _check_one(member, part)
    check(file.originals, (), file.name)
    files_of(file)


def restore_file(
    file: SanFile | SegmentedFile,
    directory: Path | BinaryIO,
    *,
    force: bool,
    progress: Progress | None,
) -> list[Path]:
    """Write all original files of a record and give their paths; all of them, or none.

    A stream takes the file of a record that has one.

    Raises
    ------
    OutputError
        A file exists already, or cannot be written.
    ConfigError
        There are several files for a stream.
    CorruptError
        Something is damaged.
    """
    if not isinstance(directory, Path):
        _restore_into(directory, file, progress)
        return []
    if isinstance(file, SanFile):
        spans = file.hashed(counted(file.spans(), file.n_frames, progress))
        return restore(file.originals, spans, directory, force=force, name=file.name)
    targets = [directory / name for name in files_of(file)]
    with staged(targets, force=force) as folder:
        restore(file.originals, (), folder, force=True, name=file.name)
        for member, part in _members_of(file, progress):
            # Segments may share a signal file: it is written again, and is the same.
            restore_file(member, folder, force=True, progress=part)
    return targets


def _restore_into(
    stream: BinaryIO, file: SanFile | SegmentedFile, progress: Progress | None
) -> None:
    if isinstance(file, SegmentedFile) or len(file.originals.files) > 1:
        raise ConfigError(f"{file.name}: several files; give a folder for them")
    with tempfile.TemporaryDirectory() as folder:
        (path,) = restore_file(file, Path(folder), force=False, progress=progress)
        with path.open("rb") as restored:
            shutil.copyfileobj(restored, stream, _COPY_BYTES)
    stream.flush()


def counted(
    spans: Iterable[Recording], total: int, progress: Progress | None
) -> Iterator[Recording]:
    """Pass spans on and say how many frames have been."""
    return told(spans, lambda span: span.n_frames, total, progress)


def _check_one(file: SanFile, progress: Progress | None) -> None:
    spans = file.hashed(counted(file.spans(), file.n_frames, progress))
    originals = file.originals
    if originals.record_files:
        check(originals, spans, file.name)
        return
    for _ in spans:
        pass
    check(originals, (), file.name)


def files_of(file: SanFile | SegmentedFile) -> dict[str, OriginalFile]:
    """Give all original files by their names; CorruptError where one name has two contents."""
    if isinstance(file, SanFile):
        return {own.name: own for own in file.originals.files}
    files: dict[str, OriginalFile] = {}
    spelled: dict[str, str] = {}
    members = (file.member(i).originals.files for i in range(file.n_members))
    for own in itertools.chain(file.originals.files, *members):
        # Some file systems do not tell upper from lower case.
        name = spelled.setdefault(own.name.casefold(), own.name)
        other = files.setdefault(name, own)
        if (other.name, other.n_bytes, other.sha256) != (own.name, own.n_bytes, own.sha256):
            raise CorruptError(f"{file.name}: two files of the name {own.name!r} that differ")
    return files


def _members_of(
    file: SegmentedFile, progress: Progress | None
) -> Iterator[tuple[SanFile, Progress | None]]:
    """Give the segments that are in a file, each with its part of the progress."""
    sizes = [file.member(i).n_frames for i in range(file.n_members)]
    for i, part in enumerate(_parts_of(progress, sizes)):
        yield file.member(i), part


def _parts_of(progress: Progress | None, sizes: Sequence[int]) -> Iterator[Progress | None]:
    """Give a progress for each of several records, all of which make up the whole."""
    done, total = 0, sum(sizes)
    for size in sizes:
        yield None if progress is None else _shifted(progress, done, total)
        done += size


def _shifted(progress: Progress, before: int, total: int) -> Progress:
    def shifted(done: int, own: int, step: str = "") -> None:
        # A pass of a lossy encoder is a way of its own.
        progress(*((done, own) if step else (before + done, total)), step)

    return shifted
