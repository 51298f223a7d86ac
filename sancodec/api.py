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
from sancodec.inspection import open_san
from sancodec.recording import Channel, Recording
from sancodec.san_file import SanFile


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
    encode_stream(source, stream, config or CodecConfig())
    if verify:
        _verify(stream, source)
    return stream.getvalue()


def _verify(stream: BinaryIO, source: ArraySource) -> None:
    try:
        file = SanFile(stream, source.name, provider="cpu")
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


def open(encoded: bytes | str | Path, *, provider: str = "auto") -> SanFile:  # noqa: A001
    """Open a .san file for reading parts of it: ``sancodec.open(path).read(start, stop)``.

    Parameters
    ----------
    encoded : bytes, str or Path
        The file's bytes, or its path.
    provider : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Raises
    ------
    CorruptError
        The file is damaged, or not a .san file.
    RecordError
        The file cannot be read.
    """
    if isinstance(encoded, bytes):
        return SanFile(io.BytesIO(encoded), provider=provider)
    path = Path(encoded)
    stream = open_san(path)
    try:
        return SanFile(stream, str(path), provider=provider)
    except SancodecError:
        stream.close()
        raise
