"""WFDB signal files that are FLAC streams: formats 508, 516 and 524."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import RecordError

if TYPE_CHECKING:
    import soundfile

BITS = {508: 8, 516: 16, 524: 24}
"""Bits per sample of the formats, by their WFDB numbers."""

_STREAM_BITS = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}
# libsndfile loses samples in reads of more than 2**24 of them.
_MAX_READ_SAMPLES = 1 << 22


class FlacReader:
    """Reads spans of frames of one FLAC signal file.

    Parameters
    ----------
    source : Path or bytes
        The file, or its content.
    fmt : int
        508, 516 or 524: the stream may have fewer bits, not more.
    n_channels : int
    samples_per_frame : int
        The same for every channel of the file.
    sample_offset : int
        Sample of the stream at which the record begins.

    Raises
    ------
    RecordError
        The file is no FLAC stream, or not one of this format and number of channels.
    """

    def __init__(
        self,
        source: Path | bytes,
        fmt: int,
        n_channels: int,
        samples_per_frame: int,
        sample_offset: int,
    ) -> None:
        self._source = source
        self._path = path = source if isinstance(source, Path) else Path("FLAC stream")
        self._samples_per_frame = samples_per_frame
        self._sample_offset = sample_offset
        with self._open() as stream:
            bits = _STREAM_BITS.get(stream.subtype)
            if stream.format != "FLAC" or bits is None or bits > BITS[fmt]:
                raise RecordError(
                    f"{path}: {stream.format} stream of {stream.subtype}, the header says format "
                    f"{fmt}: FLAC of at most {BITS[fmt]} bits"
                )
            if stream.channels != n_channels:
                raise RecordError(
                    f"{path}: {stream.channels} channels, the header lists {n_channels}"
                )
            self._shift = 32 - bits
            n_stored: int = stream.frames
            self.n_frames = max(0, n_stored - sample_offset) // samples_per_frame

    def read(self, start: int, stop: int) -> list[NDArray[np.int32]]:
        """Give the frames ``start`` to ``stop`` as one array for each channel, in ADC units."""
        n_samples = (stop - start) * self._samples_per_frame
        with self._open() as stream:
            samples = np.empty((n_samples, stream.channels), np.int32)
            try:
                stream.seek(self._sample_offset + start * self._samples_per_frame)
                self._fill(stream, samples)
            except RuntimeError as error:
                raise RecordError(f"{self._path}: damaged FLAC stream ({error})") from error
        # libsndfile puts the samples into the highest bits.
        samples >>= self._shift
        return [np.ascontiguousarray(column) for column in samples.T]

    def _fill(self, stream: soundfile.SoundFile, samples: NDArray[np.int32]) -> None:
        step = _MAX_READ_SAMPLES // stream.channels
        for start in range(0, len(samples), step):
            piece = samples[start : start + step]
            if len(stream.read(out=piece, dtype="int32", always_2d=True)) != len(piece):
                raise RecordError(f"{self._path}: ends before the length that its header says")

    def _open(self) -> soundfile.SoundFile:
        # Only FLAC records need it, and it loads a native library.
        import soundfile  # noqa: PLC0415

        try:
            source = self._source
            return soundfile.SoundFile(io.BytesIO(source) if isinstance(source, bytes) else source)
        except (OSError, RuntimeError) as error:
            raise RecordError(f"{self._path}: cannot be read as FLAC ({error})") from error
