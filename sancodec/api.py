"""The codec on arrays and recordings, as Python users call it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sancodec.codec import encode_stream
from sancodec.config import CodecConfig
from sancodec.errors import CorruptError, SancodecError, VerifyError
from sancodec.formats.arrays import ArraySource
from sancodec.formats.header import FIDELITY_LOSSLESS
from sancodec.formats.remote import is_url, name_of, open_url
from sancodec.inspection import open_san
from sancodec.primed import finder_of
from sancodec.recording import Channel, Recording
from sancodec.san_file import SanFile
from sancodec.segmented_file import SegmentedFile, open_stream


def encode(
    samples: NDArray[np.integer[Any]] | Recording,
    *,
    fs: float | None = None,
    channels: Sequence[Channel] | None = None,
    name: str | None = None,
    config: CodecConfig | None = None,
    verify: bool = True,
) -> bytes:
    """Give the .san file of digital samples, as bytes.

    Parameters
    ----------
    samples : (n_samples, n_channels) or (n_samples,) array of integers, or Recording
        In ADC units.
    fs : float, optional
        Sampling frequency in Hz; needed with an array.
    channels : sequence of Channel, optional
        Names, units and gains of the columns of an array.
    name : str, optional
        Name of the record.
    config : CodecConfig, optional
    verify : bool
        Whether the bytes are decoded and compared before they are given back.

    Raises
    ------
    RecordError
        The samples are not integers, do not fit into int32, or do not fit their channels.
    VerifyError
        The bytes do not decode to the samples.
    """
    source = ArraySource(samples, fs=fs, channels=channels, name=name)
    stream = io.BytesIO()
    config = config or CodecConfig()
    encode_stream(source, stream, config)
    if verify:
        _verify(stream, source, config)
    return stream.getvalue()


def _verify(stream: BinaryIO, source: ArraySource, config: CodecConfig) -> None:
    try:
        finder = finder_of(config.primer)
        file = SanFile(stream, source.name, provider="cpu", find_primer=finder)
        start, lossless = 0, file.header.fidelity == FIDELITY_LOSSLESS
        for decoded in file.hashed(file.spans()):
            stop = start + decoded.n_frames
            original = source.read(start, stop)
            if lossless and not np.array_equal(decoded.interleaved(), original.interleaved()):
                raise CorruptError(f"frames {start} to {stop} differ")
            start = stop
    except CorruptError as error:
        raise VerifyError(
            f"{source.name}: the encoded bytes do not decode to the samples ({error}); "
            "please report this"
        ) from error


def decode(encoded: bytes | str | Path) -> Recording:
    """Give the whole recording of a .san file, from its bytes or its path.

    Raises
    ------
    CorruptError
        The file is damaged, or not a .san file.
    RecordError
        The file cannot be read.
    """
    with open(encoded) as file:
        return file.read()


def open(  # noqa: A001
    encoded: bytes | str | Path | BinaryIO, *, provider: str = "auto", jobs: int | None = None
) -> SanFile | SegmentedFile:
    """Open a .san file for reading parts of it.

    ``sancodec.open("100.san")[3600:7200, "MLII"]`` reads and decodes what it takes and no more.

    Of a record of several segments, ``read`` gives what readers of WFDB assemble of them, and
    ``physical`` the same in physical units with NaN in gaps.

    Parameters
    ----------
    encoded : bytes, str, Path or BinaryIO
        The file's bytes, its path, its URL (of any kind that fsspec opens), or a stream that can
        be sought.
    provider : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    jobs : int or None
        Threads that decode chunks; None for one on each processor.

    Raises
    ------
    CorruptError
        The file is damaged, or not a .san file.
    RecordError
        The file cannot be read.
    """
    if isinstance(encoded, bytes):
        return open_stream(io.BytesIO(encoded), provider=provider, jobs=jobs)
    if not isinstance(encoded, str | Path):
        return open_stream(encoded, name_of(encoded), provider=provider, jobs=jobs)
    remote = isinstance(encoded, str) and is_url(encoded)
    stream = open_url(str(encoded)) if remote else open_san(Path(encoded))
    try:
        return open_stream(stream, str(encoded), provider=provider, jobs=jobs)
    except SancodecError:
        stream.close()
        raise
