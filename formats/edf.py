"""EDF, EDF+ and BDF files as records: samples read in spans, all other bytes kept as they are."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from sancodec.errors import EmptyRecordError, RecordError
from sancodec.formats.blocks import (
    MAX_BLOCK_BYTES,
    MAX_HOLE_BYTES,
    BlockLayout,
    BlockReader,
    Blocks,
)
from sancodec.formats.channels import MAX_CHANNELS, MAX_FRAME_SAMPLES
from sancodec.formats.edf_header import EdfHeader, EdfSignal, is_edf, parse_edf_header
from sancodec.formats.edf_remaking import EdfRemaker
from sancodec.formats.originals import IN_BLOCKS
from sancodec.formats.output import find_name_problem
from sancodec.formats.restoration import RecordShape, Restorer, describe_whole
from sancodec.formats.source_files import SourceFile
from sancodec.recording import Channel, Recording, refuse_outside

__all__ = ["SUFFIXES", "EdfRecord", "is_edf"]

SUFFIXES = (".edf", ".bdf", ".rec")
_NOT_CALIBRATED = (1.0, 0)
_LEAST_GAIN = Fraction(1, 10**300)
_MAX_BASELINE = 1 << 62


@dataclass(frozen=True, kw_only=True)
class EdfRecord:
    """An EDF or BDF file; satisfies ``RecordSource``.

    A frame is the longest time in which every signal has a whole number of samples: where all have
    the same sampling frequency, one sample of each. Samples are the stored integers. Data records
    follow one another, whatever time the annotations of EDF+D say has passed between them.

    Attributes
    ----------
    name : str
        Name of the file, without its suffix.
    fs : float
        Frames per second.
    channels : tuple of Channel
        The signals but for annotations.
    n_frames : int
        Of the whole data records that are there, up to the number that the header says.
    source_bits_per_sample : float
        16 or 24.
    n_bytes : int
        Size of the file.
    files : tuple of SourceFile
        The file.
    discontinuous : bool
        Whether it is EDF+D or BDF+D.
    """

    name: str
    fs: float
    channels: tuple[Channel, ...]
    n_frames: int
    source_bits_per_sample: float
    n_bytes: int
    files: tuple[SourceFile, ...]
    discontinuous: bool
    _reader: BlockReader

    @classmethod
    def open(cls, path: Path) -> EdfRecord:
        """Check a file without reading samples.

        Raises
        ------
        RecordError
            It cannot be read, its header says what cannot be, or it has no signal.
        """
        problem = find_name_problem(path.name)
        if problem:
            raise RecordError(f"{path}: the file name {problem}; rename the file")
        try:
            with path.open("rb") as file:
                header = parse_edf_header(file.read, str(path))
                n_bytes = os.fstat(file.fileno()).st_size
        except OSError as error:
            raise RecordError(f"{path}: cannot be read ({error.strerror})") from error
        layout = _make_layout(header, path)
        n_records = (n_bytes - header.n_bytes) // layout.block_bytes
        if header.n_records is not None:
            n_records = min(n_records, header.n_records)
        if not n_records:
            raise EmptyRecordError(f"{path}: no whole data record; there is nothing to encode")
        source = SourceFile(
            path=path,
            format=IN_BLOCKS,
            samples_per_frame=layout.samples_per_frame,
            byte_offset=header.n_bytes,
            blocks=layout.blocks,
        )
        signals = _signals_of(header)
        return cls(
            name=path.stem,
            fs=float(layout.blocks.n_frames / header.duration),
            channels=tuple(map(_make_channel, signals, layout.samples_per_frame)),
            n_frames=n_records * layout.blocks.n_frames,
            source_bits_per_sample=8.0 * header.sample_bytes,
            n_bytes=n_bytes,
            files=(source,),
            discontinuous=header.discontinuous,
            _reader=BlockReader(path, layout, header.n_bytes),
        )

    @property
    def note(self) -> str:
        """What is to be said of the record; empty where nothing is."""
        if not self.discontinuous:
            return ""
        return "EDF+D: gaps between data records are not in the signal; the file comes back whole"

    @property
    def missing(self) -> tuple[int | None, ...]:
        """Of each channel the value that stands for no sample: EDF has none."""
        return (None,) * len(self.channels)

    @property
    def is_flac(self) -> bool:
        """Whether the file is a FLAC stream."""
        return False

    def read(self, start: int, stop: int) -> Recording:
        """Give the frames ``start`` to ``stop`` (exclusive), in ADC units.

        Raises
        ------
        RecordError
            The span is outside of the record, or the file cannot be read any more.
        """
        refuse_outside(self, start, stop)
        signals = self._reader.read(start, stop)
        return Recording(name=self.name, fs=self.fs, channels=self.channels, signals=tuple(signals))

    def restorer(self, side_files: Sequence[SourceFile] = ()) -> Restorer:
        """Give what collects the restoration of the file while spans are encoded."""
        return Restorer([*self.files, *side_files], RecordShape.of(self))

    def remaker(self, side_files: Sequence[SourceFile] = ()) -> EdfRemaker:
        """Give what collects the file after loss, from spans as they are decoded."""
        return EdfRemaker(self.files[0], RecordShape.of(self), describe_whole(side_files))


def _signals_of(header: EdfHeader) -> list[EdfSignal]:
    return [own for own in header.signals if not own.is_annotations and own.n_samples]


def _make_layout(header: EdfHeader, path: Path) -> BlockLayout:
    """Divide a data record into frames, channels and holes."""
    # How many bytes of annotations stand behind so many channels.
    holes: Counter[int] = Counter()
    numbers: list[int] = []
    for own in header.signals:
        if own.is_annotations:
            holes[len(numbers)] += own.n_samples * header.sample_bytes
        elif own.n_samples:
            numbers.append(own.n_samples)
    if not numbers:
        raise EmptyRecordError(
            f"{path}: no signals but annotations; take it into the file of its record with --attach"
        )
    if not header.duration:
        raise RecordError(f"{path}: data records of 0 seconds; there is no sampling frequency")
    n_frames = math.gcd(*numbers)
    blocks = Blocks(format=8 * header.sample_bytes, n_frames=n_frames, holes=tuple(holes.items()))
    layout = BlockLayout(blocks=blocks, samples_per_frame=tuple(n // n_frames for n in numbers))
    n_frame_samples = sum(layout.samples_per_frame)
    for what, found, most in (
        ("signals", len(numbers), MAX_CHANNELS),
        ("samples in the shortest time that has whole samples", n_frame_samples, MAX_FRAME_SAMPLES),
        ("bytes of annotations in a data record", max(holes.values(), default=0), MAX_HOLE_BYTES),
        ("bytes in a data record", layout.block_bytes, MAX_BLOCK_BYTES),
    ):
        if found > most:
            raise RecordError(f"{path}: {found} {what}, at most {most}")
    return layout


def _make_channel(signal: EdfSignal, samples_per_frame: int) -> Channel:
    """Give a channel in WFDB's words."""
    adc_res = adc_zero = 0
    if signal.digital is not None:
        low, high = signal.digital
        adc_res = int(abs(high - low)).bit_length()
        adc_zero = int((low + high + 1) // 2)
    gain, baseline = _calibrate(signal)
    return Channel(
        name=signal.label,
        units=signal.units,
        adc_gain=gain,
        baseline=baseline,
        adc_res=adc_res,
        adc_zero=adc_zero,
        samples_per_frame=samples_per_frame,
    )


def _calibrate(signal: EdfSignal) -> tuple[float, int]:
    """Give gain and baseline; 1 and 0 of a signal whose bounds say none."""
    if signal.physical is None or signal.digital is None:
        return _NOT_CALIBRATED
    (least, most), (low, high) = signal.physical, signal.digital
    if least == most or low == high:
        return _NOT_CALIBRATED
    gain = (high - low) / (most - least)
    # A baseline is an integer: physical values are off by up to half a unit of the ADC.
    baseline = round(low - least * gain)
    if not _LEAST_GAIN < abs(gain) < 1 / _LEAST_GAIN or abs(baseline) > _MAX_BASELINE:
        return _NOT_CALIBRATED
    return float(gain), baseline
