"""WFDB records of one segment, read in spans so that memory does not grow with their length."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sancodec.errors import EmptyRecordError, RecordError
from sancodec.formats.dat import DatReader
from sancodec.formats.dat_formats import FORMATS, MISSING
from sancodec.formats.flac import BITS, FlacReader
from sancodec.formats.hea import HeaderText, SignalLine, parse_header
from sancodec.formats.originals import MAX_PROLOG_BYTES, bits_per_sample, make_layout
from sancodec.formats.output import find_name_problem
from sancodec.formats.remaking import Remaker
from sancodec.formats.restoration import RecordShape, Restorer, SourceFile, describe_whole
from sancodec.recording import Channel, Recording, refuse_outside

_MAX_HEADER_BYTES = 1 << 24
_KNOWN = ", ".join(str(fmt) for fmt in sorted([*FORMATS, *BITS]))


@dataclass(frozen=True, kw_only=True)
class WfdbRecord:
    """A single-segment WFDB record on disk; satisfies ``RecordSource``.

    Samples are the stored integers: nothing passes through physical units, and a skew between
    signals is left as it is.

    Attributes
    ----------
    name : str
        Name of the header file, without its suffix.
    fs : float
        Frames per second.
    channels : tuple of Channel
    n_frames : int
        From the header, or from the size of the shortest signal file where the header says none.
    header_bytes : bytes
        The header file as it is.
    source_bits_per_sample : float
        Bits that a sample takes in the storage formats, their mean over all samples.
    n_bytes : int
        Size of all signal files together.
    files : tuple of SourceFile
        The original files: the header, then the signal files in the order of their channels.
    """

    name: str
    fs: float
    channels: tuple[Channel, ...]
    n_frames: int
    header_bytes: bytes
    source_bits_per_sample: float
    n_bytes: int
    files: tuple[SourceFile, ...]
    _readers: tuple[DatReader | FlacReader, ...]

    @classmethod
    def open(cls, path: Path) -> WfdbRecord:
        """Check a record and its files, without reading samples.

        Parameters
        ----------
        path : Path
            The record's name, its header, or its signal file of the same name.

        Raises
        ------
        RecordError
            A file is missing, shorter than the header says, or the header says what cannot be.
        """
        header_path = find_header(path)
        header_bytes = read_header(header_path)
        text = parse_header(decode_text(header_bytes), header_path)
        sources = [_make_source(header_path, lines) for lines in _group(text, header_path)]
        n_frames = _count_frames(text, sources, header_path)
        channels = tuple(line.channel for line in text.signals)
        n_samples = sum(channel.samples_per_frame for channel in channels)
        n_bits = sum(bits_per_sample(s.format) * sum(s.samples_per_frame) for s in sources)
        return cls(
            name=header_path.stem,
            fs=text.fs,
            channels=channels,
            n_frames=n_frames,
            header_bytes=header_bytes,
            source_bits_per_sample=n_bits / n_samples,
            n_bytes=sum(source.path.stat().st_size for source in sources),
            files=(SourceFile(path=header_path), *sources),
            _readers=tuple(_make_reader(source) for source in sources),
        )

    @property
    def missing(self) -> tuple[int | None, ...]:
        """Of each channel the value by which its format says that there is no sample."""
        values = (
            (MISSING.get(source.format),) * len(source.samples_per_frame) for source in self.files
        )
        return tuple(itertools.chain.from_iterable(values))

    @property
    def is_flac(self) -> bool:
        """Whether all signal files are FLAC streams, of which no sample is left out."""
        return all(file.format in BITS and not file.byte_offset for file in self.files[1:])

    def read(self, start: int, stop: int) -> Recording:
        """Give the frames ``start`` to ``stop`` (exclusive), in ADC units.

        Raises
        ------
        RecordError
            The span is outside of the record, or a file cannot be read any more.
        """
        refuse_outside(self, start, stop)
        signals = itertools.chain.from_iterable(r.read(start, stop) for r in self._readers)
        return Recording(name=self.name, fs=self.fs, channels=self.channels, signals=tuple(signals))

    def restorer(self, side_files: Sequence[SourceFile] = ()) -> Restorer:
        """Give what collects the restoration of the original files while spans are encoded.

        With that of files that travel along, which no samples predict.
        """
        return Restorer([*self.files, *side_files], RecordShape.of(self))

    def remaker(self, side_files: Sequence[SourceFile] = ()) -> Remaker | Restorer | None:
        """Give what collects the files of the record after loss, from spans as they are decoded.

        Where a file is of a format that decoded samples may not fit, as differences and FLAC,
        decoding writes a new record: then it collects nothing but files that travel along, and is
        None without them.
        """
        header, *files = self.files
        shape = RecordShape.of(self)
        if any(file.format not in FORMATS or file.format == 8 for file in files):
            return Restorer(side_files, shape) if side_files else None
        return Remaker(
            header.path.name,
            self.header_bytes,
            files,
            self.read(0, 1),
            shape,
            side_files=describe_whole(side_files),
        )


def find_header(path: Path) -> Path:
    """Give the header of a record that is named by it, by its name, or by its signal file.

    Raises
    ------
    RecordError
        There is none.
    """
    if path.suffix == ".hea":
        return path
    candidates = [path.with_name(path.name + ".hea"), path.with_suffix(".hea")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    if path.is_dir():
        raise RecordError(f"{path}: a folder, not a record; name one of its records")
    raise RecordError(
        f"{candidates[-1] if path.suffix else candidates[0]}: not found; a WFDB record needs its "
        "header file beside its signal file"
    )


def read_header(path: Path) -> bytes:
    """Give the content of a header.

    Raises
    ------
    RecordError
        It cannot be read, is too large, or its name is none that can be given back everywhere.
    """
    problem = find_name_problem(path.name)
    if problem:
        raise RecordError(f"{path}: the file name {problem}; rename the record")
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_HEADER_BYTES + 1)
    except FileNotFoundError as error:
        raise RecordError(
            f"{path}: not found; a WFDB record needs its header file beside its signal file"
        ) from error
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > _MAX_HEADER_BYTES:
        raise RecordError(f"{path}: larger than {_MAX_HEADER_BYTES} bytes; not a WFDB header")
    return content


def decode_text(content: bytes) -> str:
    """Give the text of a header."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        # Old headers write the micro sign as one byte; every byte is a character in Latin-1.
        return content.decode("latin-1")


def _group(text: HeaderText, header_path: Path) -> Iterator[list[SignalLine]]:
    """Give the lines of each signal file, as lists of neighbours."""
    seen = set()
    for file_name, lines in itertools.groupby(text.signals, key=lambda line: line.file_name):
        if file_name in seen:
            raise RecordError(
                f"{header_path}: the signals of {file_name} do not stand together, as WFDB wants it"
            )
        seen.add(file_name)
        yield list(lines)


def _make_source(header_path: Path, lines: Sequence[SignalLine]) -> SourceFile:
    first = lines[0]
    problem = find_name_problem(first.file_name)
    if problem or first.file_name in {"~", "-"}:
        raise RecordError(
            f"{header_path}: signal file {first.file_name!r} {problem or 'is no file'}; "
            "signal files must stand beside the header, and a layout belongs to the record of "
            "several segments that names it"
        )
    formats = {line.format for line in lines}
    for fmt in formats:
        if fmt not in FORMATS and fmt not in BITS:
            raise RecordError(
                f"{header_path}: unknown signal format {fmt} of {first.file_name}, "
                f"expected one of {_KNOWN}"
            )
    if len(formats) > 1:
        raise RecordError(f"{header_path}: {first.file_name} has signals of formats {formats}")
    if first.byte_offset > MAX_PROLOG_BYTES:
        raise RecordError(
            f"{header_path}: byte offset {first.byte_offset} of {first.file_name}, "
            f"expected at most {MAX_PROLOG_BYTES}"
        )
    return SourceFile(
        path=header_path.with_name(first.file_name),
        format=first.format,
        samples_per_frame=tuple(line.channel.samples_per_frame for line in lines),
        initial=tuple(line.initial for line in lines),
        byte_offset=first.byte_offset,
    )


def _make_reader(source: SourceFile) -> DatReader | FlacReader:
    layout = make_layout(source.format, source.samples_per_frame, source.initial)
    if layout is not None:
        return DatReader(source.path, layout, source.byte_offset)
    if len(set(source.samples_per_frame)) > 1:
        raise RecordError(
            f"{source.path}: signals of one FLAC file with {source.samples_per_frame} samples per "
            "frame; they must be equal"
        )
    return FlacReader(
        source.path,
        source.format,
        len(source.samples_per_frame),
        source.samples_per_frame[0],
        source.byte_offset,
    )


def _count_frames(text: HeaderText, sources: Sequence[SourceFile], header_path: Path) -> int:
    """Give the number of frames, having checked that every file holds them."""
    available = [_available_frames(source, header_path) for source in sources]
    # A length of 0 is one that the header does not know, as header(5) of WFDB says.
    n_frames = text.n_frames or min(available)
    if n_frames == 0:
        empty = sources[available.index(0)]
        raise EmptyRecordError(f"{empty.path}: 0 samples; there is nothing to encode")
    for source, n_available in zip(sources, available, strict=True):
        if n_available < n_frames:
            raise RecordError(
                f"{source.path}: {n_available} samples in {source.path.stat().st_size} bytes, "
                f"{header_path.name} says {n_frames}; get the whole file or correct the header"
            )
    return n_frames


def _available_frames(source: SourceFile, header_path: Path) -> int:
    if not source.path.is_file():
        raise RecordError(
            f"{source.path}: not found; {header_path.name} names it, put it beside the header"
        )
    reader = _make_reader(source)
    if isinstance(reader, FlacReader):
        return reader.n_frames
    n_bytes = max(0, source.path.stat().st_size - source.byte_offset)
    return FORMATS[source.format].whole_samples(n_bytes) // sum(source.samples_per_frame)
