"""The two tables of a container: what is known before the first chunk, and after the last."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sancodec.errors import RecordError, UnsupportedError
from sancodec.formats.channels import (
    MAX_ADC_RES,
    MAX_CHANNELS,
    MAX_FRAME_SAMPLES,
    MAX_TEXT_BYTES,
    put_channels,
    take_channels,
)
from sancodec.formats.compressed import compress, decompress
from sancodec.formats.decimals import put_decimal, take_decimal
from sancodec.formats.phrases import phrases
from sancodec.formats.sections import ChunkEntry
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.recording import Channel

FIDELITY_LOSSLESS = 0
FIDELITY_PRDN = 1
FIDELITY_MAX_ERROR = 2
FIDELITY_SIZE = 3
FIDELITY_SAN_ONLY = 4
FIDELITY_MEAN_PRDN = 5
LEVEL_FAST = 0
LEVEL_DEFAULT = 1
LEVEL_MAX = 2
LEVELS = {"fast": LEVEL_FAST, "default": LEVEL_DEFAULT, "max": LEVEL_MAX}

MAX_FRAMES = 1 << 40
MAX_CHUNK_SAMPLES = 1 << 26
MAX_CHUNKS = 1 << 24
MAX_TABLE_BYTES = 1 << 20
MAX_PARAMETER_BYTES = 1 << 16
MAX_PROMISE_BYTES = 1 << 13
MAX_KERNEL_BYTES = 1 << 24
DIGEST_BYTES = 8
"""Bytes of a model's digest: the first of SHA-256."""
DIGEST_SIZES = (0, DIGEST_BYTES, 32)
"""Those that are read; files of version 1 of the container have all 32."""
HASH_BYTES = 16
"""Bytes of the hash of all samples: the first of SHA-256."""

_FIDELITIES = (
    FIDELITY_LOSSLESS,
    FIDELITY_PRDN,
    FIDELITY_MAX_ERROR,
    FIDELITY_SIZE,
    FIDELITY_SAN_ONLY,
    FIDELITY_MEAN_PRDN,
)
_LEVELS = tuple(LEVELS.values())
_MAX_SIGNED = 1 << 62


@dataclass(frozen=True, kw_only=True)
class Header:
    """Everything that is known before the first chunk.

    Attributes
    ----------
    name : str
        Name of the record.
    fs : float
        Frames per second.
    channels : tuple of Channel
    n_frames : int
        Frames of the whole record.
    chunk_frames : int
        Frames in each chunk; the last one may be shorter.
    fidelity : int
        FIDELITY_LOSSLESS, or what the loss was bounded by.
    level : int
        One of LEVELS: what the encoder aimed at; each chunk says how it is coded.
    parameters : bytes
        Parameters of the codec, opaque here.
    model_digest : bytes
        The first bytes of SHA-256 of the kernels of a model that has to be found, or nothing.
    kernels : bytes
        Embedded kernels, opaque here, or nothing.
    promise : bytes
        What a lossy file promises (formats/promise.py); nothing in a lossless one.
    """

    name: str
    fs: float
    channels: tuple[Channel, ...]
    n_frames: int
    chunk_frames: int
    fidelity: int
    level: int
    parameters: bytes
    model_digest: bytes
    kernels: bytes
    promise: bytes = b""

    @property
    def frame_samples(self) -> int:
        """Number of samples of one frame, over all channels."""
        return sum(channel.samples_per_frame for channel in self.channels)

    @property
    def n_chunks(self) -> int:
        """Number of chunks that hold ``n_frames`` frames."""
        return -(-self.n_frames // self.chunk_frames)

    def chunk_at(self, i: int, offset: int, n_bytes: int) -> ChunkEntry:
        """Give chunk ``i``, whose section of ``n_bytes`` begins at ``offset``."""
        start = i * self.chunk_frames
        n_frames = min(self.chunk_frames, self.n_frames - start)
        return ChunkEntry(start=start, n_frames=n_frames, offset=offset, n_bytes=n_bytes)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What is known only after the last chunk.

    Attributes
    ----------
    sample_hash : bytes
        SHA-256 over the interleaved samples of all chunks as little-endian int32; of it, a file
        has the first HASH_BYTES, one of version 1 of the container all.
    n_activations, n_amplitudes : int
        Positions, and non-zero amplitudes over all leads.
    san_bytes, residual_bytes : int
        Bytes of the two layers, summed over the chunks' payloads.
    san_error, san_reference : int
        Sums of |x - r| and |x|, each less its mean, for the normalized loss.
    restoration : bytes
        How to give back the original files (formats/restoration.py), or nothing.
    """

    sample_hash: bytes
    n_activations: int
    n_amplitudes: int
    san_bytes: int
    residual_bytes: int
    san_error: int
    san_reference: int
    restoration: bytes


def encode_header(header: Header) -> bytes:
    """Give the payload of the header section.

    Raises
    ------
    UnsupportedError
        The fidelity or the level has no id in this version.
    RecordError
        A field is outside of what the container can hold.
    """
    known_fidelity(header.fidelity, header.name)
    known_level(header.level, header.name)
    problem = find_problem(header)
    if problem:
        raise RecordError(f"{header.name}: {problem}")
    fields = ByteWriter().varint(header.n_frames).varint(header.chunk_frames)
    put_decimal(fields, header.fs)
    fields.varint(header.fidelity).varint(header.level).text(header.name)
    put_channels(fields, header.channels)
    if header.fidelity != FIDELITY_LOSSLESS:
        fields.counted(header.promise)
    fields.counted(header.parameters).counted(header.model_digest)
    stored = compress(fields.getvalue(), phrases())
    return ByteWriter().counted(stored).raw(header.kernels).getvalue()


def decode_header(payload: bytes | memoryview, name: str) -> Header:
    """Give the header that ``encode_header`` wrote; ``name`` is that of the file, for messages.

    Raises
    ------
    UnsupportedError
        The fidelity or the level is not known to this version.
    CorruptError
        A field is missing or outside of its limits.
    """
    reader = ByteReader(payload, name)
    stored = reader.counted("fields", MAX_TABLE_BYTES)
    kernels = _take_kernels(reader)
    fields = ByteReader(decompress(stored, MAX_TABLE_BYTES, f"{name}: fields", phrases()), name)
    n_frames = fields.varint("number of frames", MAX_FRAMES)
    chunk_frames = fields.varint("frames in a chunk", MAX_FRAMES)
    fs = take_decimal(fields, "sampling frequency")
    fidelity = known_fidelity(fields.varint("fidelity"), name)
    level = known_level(fields.varint("level"), name)
    record_name = fields.text("record name", MAX_TEXT_BYTES)
    channels = take_channels(fields)
    lossy = fidelity != FIDELITY_LOSSLESS
    header = Header(
        n_frames=n_frames,
        chunk_frames=chunk_frames,
        fs=fs,
        fidelity=fidelity,
        level=level,
        name=record_name,
        channels=channels,
        promise=fields.counted("promise", MAX_PROMISE_BYTES) if lossy else b"",
        parameters=fields.counted("codec parameters", MAX_PARAMETER_BYTES),
        model_digest=fields.counted("model digest", DIGEST_SIZES[-1]),
        kernels=kernels,
    )
    fields.expect_end("header")
    problem = find_problem(header)
    if problem:
        raise fields.corrupt("header", problem)
    return header


def _take_kernels(reader: ByteReader) -> bytes:
    """Give the embedded kernels: what is left, at most MAX_KERNEL_BYTES."""
    if reader.remaining > MAX_KERNEL_BYTES:
        raise reader.corrupt("kernels", f"{reader.remaining} bytes, at most {MAX_KERNEL_BYTES}")
    return bytes(reader.take(reader.remaining, "kernels"))


def encode_summary(summary: Summary) -> bytes:
    """Give the fields of a summary but for the restoration, which stands behind the index."""
    assert len(summary.sample_hash) >= HASH_BYTES
    writer = ByteWriter().raw(summary.sample_hash[:HASH_BYTES])
    writer.varint(summary.n_activations).varint(summary.n_amplitudes)
    writer.varint(summary.san_bytes).varint(summary.residual_bytes)
    writer.varint(summary.san_error).varint(summary.san_reference)
    return writer.getvalue()


def decode_summary(reader: ByteReader, n_hash: int = HASH_BYTES) -> Summary:
    """Take the fields that ``encode_summary`` wrote; the restoration is not among them."""
    return Summary(
        sample_hash=bytes(reader.take(n_hash, "sample hash")),
        n_activations=reader.varint("number of activations"),
        n_amplitudes=reader.varint("number of amplitudes"),
        san_bytes=reader.varint("bytes of the SAN layer"),
        residual_bytes=reader.varint("bytes of the residual layer"),
        san_error=reader.varint("sum of errors of the SAN layer"),
        san_reference=reader.varint("sum of magnitudes"),
        restoration=b"",
    )


def known_fidelity(number: int, name: str) -> int:
    """Give the number of a fidelity; UnsupportedError when it is not of this version."""
    return _known(number, _FIDELITIES, f"{name}: fidelity")


def known_level(number: int, name: str) -> int:
    """Give the number of a level; UnsupportedError when it is not of this version."""
    return _known(number, _LEVELS, f"{name}: level")


def _known(number: int, known: tuple[int, ...], field: str) -> int:
    if number not in known:
        raise UnsupportedError(
            f"{field} {number} is not known to this version (it knows {_listed(known)}); "
            "try a newer sancodec"
        )
    return number


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(str(number) for number in numbers)


def find_problem(header: Header) -> str:
    """Say what no container can hold, or nothing; encoder and decoder ask the same."""
    for field, found, low, high in (
        ("number of channels", len(header.channels), 1, MAX_CHANNELS),
        ("number of frames", header.n_frames, 0, MAX_FRAMES),
        ("frames in a chunk", header.chunk_frames, 1, MAX_FRAMES),
        ("samples of a frame", header.frame_samples, 1, MAX_FRAME_SAMPLES),
        ("number of chunks", header.n_chunks if header.chunk_frames else 0, 0, MAX_CHUNKS),
        ("samples of a chunk", _chunk_samples(header), 0, MAX_CHUNK_SAMPLES),
        ("bytes of the record name", len(header.name.encode("utf-8")), 0, MAX_TEXT_BYTES),
        ("bytes of codec parameters", len(header.parameters), 0, MAX_PARAMETER_BYTES),
        ("bytes of kernels", len(header.kernels), 0, MAX_KERNEL_BYTES),
    ):
        if not low <= found <= high:
            return f"{field} is {found}, expected {low} to {high}"
    if len(header.model_digest) not in DIGEST_SIZES:
        return f"model digest of {len(header.model_digest)} bytes, expected 0, 8 or 32"
    if not (math.isfinite(header.fs) and header.fs > 0):
        return f"sampling frequency is {header.fs} Hz, expected a number above 0"
    problems = (_find_channel_problem(i, channel) for i, channel in enumerate(header.channels))
    return next(filter(None, problems), "")


def _chunk_samples(header: Header) -> int:
    return min(header.n_frames, header.chunk_frames) * header.frame_samples


def _find_channel_problem(i: int, channel: Channel) -> str:
    for field, found, low, high in (
        ("samples per frame", channel.samples_per_frame, 1, MAX_FRAME_SAMPLES),
        ("ADC resolution", channel.adc_res, 0, MAX_ADC_RES),
        ("baseline", channel.baseline, -_MAX_SIGNED, _MAX_SIGNED),
        ("ADC zero", channel.adc_zero, -_MAX_SIGNED, _MAX_SIGNED),
        ("bytes of the name", len(channel.name.encode("utf-8")), 0, MAX_TEXT_BYTES),
        ("bytes of the units", len(channel.units.encode("utf-8")), 0, MAX_TEXT_BYTES),
    ):
        if not low <= found <= high:
            return f"channel {i}: {field} is {found}, expected {low} to {high}"
    if not math.isfinite(channel.adc_gain) or channel.adc_gain == 0:
        return f"channel {i}: ADC gain is {channel.adc_gain}, expected a number other than 0"
    return ""
