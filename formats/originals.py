"""The original files of a record, as a container describes them: SPEC.md, "Restoration".

Every file is its prediction XOR a correction. The prediction of a signal file is made by rule
from the samples; that of any other file is zero everywhere, so its correction is the file itself.
But a header is text in which the words that it shares with a header made by rule cost little.
Side files, such as annotations, travel along with a record and are given back with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sancodec.formats.blocks import BlockLayout, Blocks
from sancodec.formats.corrections import Correction
from sancodec.formats.dat import DatLayout
from sancodec.formats.dat_formats import FORMATS
from sancodec.formats.flac import BITS
from sancodec.formats.header import Header
from sancodec.formats.output import find_name_problem
from sancodec.formats.wire import ByteReader
from sancodec.recording import RecordSource

NOT_SIGNALS = 0
SIDE_FILE = 1
IN_BLOCKS = 2
MAX_FILES = 1024
MAX_FILE_BYTES = 1 << 48
MAX_SIDE_FILE_BYTES = 1 << 28
MAX_PROLOG_BYTES = 1 << 24
MAX_LISTING_BYTES = 1 << 24
_NONE = Correction()


@dataclass(frozen=True, kw_only=True)
class SignalPlaces:
    """Where and how the samples of a record stand in one of its files.

    Attributes
    ----------
    format : int
        Number of its WFDB format, or NOT_SIGNALS, SIDE_FILE or IN_BLOCKS.
    samples_per_frame : tuple of int
        Of the channels that the file holds; signal files hold the channels of the record in order.
    initial : tuple of int
        For format 8, the value before the first difference of each channel.
    byte_offset : int
        Where the first frame begins.
    blocks : Blocks or None
        Of a file in blocks, how it is divided; ``byte_offset`` is where the first one begins.
    """

    format: int = NOT_SIGNALS
    samples_per_frame: tuple[int, ...] = ()
    initial: tuple[int, ...] = ()
    byte_offset: int = 0
    blocks: Blocks | None = None

    @property
    def layout(self) -> DatLayout | BlockLayout | None:
        """How the samples predict the file, or None when they do not."""
        if self.blocks is not None:
            return BlockLayout(blocks=self.blocks, samples_per_frame=self.samples_per_frame)
        return make_layout(self.format, self.samples_per_frame, self.initial)


@dataclass(frozen=True, kw_only=True)
class OriginalFile(SignalPlaces):
    """One original file as the restoration describes it.

    Attributes
    ----------
    name : str
    n_bytes : int
    sha256 : bytes
        The first bytes of it, or all.
    correction : Correction
    prolog : bytes
        What is predicted before the first frame, ``byte_offset`` bytes; nothing for zeros.
    style : int or None
        For a header, how the one is written that is made by rule; None for any other file.
    text : bytes
        The header, compressed after the one that is made by rule.
    """

    name: str
    n_bytes: int
    sha256: bytes
    correction: Correction = _NONE
    prolog: bytes = b""
    style: int | None = None
    text: bytes = b""

    @property
    def bits_per_frame(self) -> float:
        """Bits that the file's format takes for one frame; 0 when it holds no signals."""
        fmt = self.format if self.blocks is None else self.blocks.format
        return bits_per_sample(fmt) * sum(self.samples_per_frame)


@dataclass(frozen=True, kw_only=True)
class Originals:
    """The original files of a record, known from its restoration alone."""

    files: tuple[OriginalFile, ...] = ()

    @property
    def original_n_bytes(self) -> int:
        """Bytes of all signal files together, headers and side files not counted."""
        return sum(file.n_bytes for file in self.files if file.samples_per_frame)

    @property
    def side_files(self) -> tuple[OriginalFile, ...]:
        """The files that are no part of the record."""
        return tuple(file for file in self.files if file.format == SIDE_FILE)

    @property
    def record_files(self) -> tuple[OriginalFile, ...]:
        """The files of the record itself; none where decoding writes a new record."""
        return tuple(file for file in self.files if file.format != SIDE_FILE)

    @property
    def source_bits_per_sample(self) -> float:
        """Bits per sample of the storage formats, their mean over all samples."""
        n_samples = sum(sum(file.samples_per_frame) for file in self.files)
        return sum(file.bits_per_frame for file in self.files) / n_samples if n_samples else 0.0


@dataclass(frozen=True, kw_only=True)
class RecordShape:
    """What the description of files is read with: their record's name and size.

    Attributes
    ----------
    name : str
    samples_per_frame : tuple of int
        Of all channels.
    n_frames : int
    """

    name: str
    samples_per_frame: tuple[int, ...]
    n_frames: int

    @classmethod
    def of(cls, record: RecordSource | Header) -> RecordShape:
        """Give the shape of a record, or of a container's."""
        return cls(
            name=record.name,
            samples_per_frame=tuple(channel.samples_per_frame for channel in record.channels),
            n_frames=record.n_frames,
        )


def bits_per_sample(fmt: int) -> float:
    """Give the bits that a sample takes in a file of this format; 0 for one without signals."""
    if fmt in FORMATS:
        return FORMATS[fmt].bits_per_sample
    return float(BITS.get(fmt, 0))


def make_layout(
    fmt: int, samples_per_frame: tuple[int, ...], initial: tuple[int, ...]
) -> DatLayout | None:
    """Give the layout of a signal file of a WFDB format, or None for any other file."""
    if fmt not in FORMATS:
        return None
    return DatLayout(format=fmt, samples_per_frame=samples_per_frame, initial=initial)


def make_mat_prolog(n_channels: int, n_frames: int) -> bytes:
    """Give the first 24 bytes of a MATLAB level 4 file with a matrix ``val`` of int16."""
    numbers = (30, n_channels, n_frames % (1 << 32), 0, 4)
    return b"".join(number.to_bytes(4, "little") for number in numbers) + b"val\0"


def check_names(files: Sequence[OriginalFile], reader: ByteReader) -> None:
    """Raise CorruptError unless every name is that of a plain file, and of one file."""
    seen = set()
    for i, file in enumerate(files):
        problem = find_name_problem(file.name)
        if problem:
            raise reader.corrupt(f"file {i}", f"the name {file.name!r} {problem}")
        # Some file systems do not tell upper from lower case.
        if file.name.casefold() in seen:
            raise reader.corrupt(f"file {i}", f"a second file of the name {file.name!r}")
        seen.add(file.name.casefold())
