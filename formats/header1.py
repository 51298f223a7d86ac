"""The header of container version 1, which is only read any more: SPEC.md, "Version 1"."""

from __future__ import annotations

from sancodec.errors import UnsupportedError
from sancodec.formats.channels import (
    MAX_ADC_RES,
    MAX_CHANNELS,
    MAX_FRAME_SAMPLES,
    MAX_TEXT_BYTES,
)
from sancodec.formats.compressed import decompress
from sancodec.formats.header import (
    DIGEST_SIZES,
    FIDELITY_LOSSLESS,
    MAX_FRAMES,
    MAX_KERNEL_BYTES,
    MAX_PARAMETER_BYTES,
    MAX_TABLE_BYTES,
    Header,
    find_problem,
    known_fidelity,
    known_level,
)
from sancodec.formats.wire import ByteReader
from sancodec.recording import Channel


def decode_header_1(payload: bytes, name: str) -> Header:
    """Give the header of a file of version 1; errors as of ``decode_header``."""
    reader = ByteReader(payload, name)
    n_frames = reader.varint("number of frames", MAX_FRAMES)
    chunk_frames = reader.varint("frames in a chunk", MAX_FRAMES)
    fs = reader.f64("sampling frequency")
    fidelity = known_fidelity(reader.varint("fidelity"), name)
    if fidelity != FIDELITY_LOSSLESS:
        raise UnsupportedError(f"{name}: fidelity {fidelity} in a file of version 1, expected 0")
    level = known_level(reader.varint("level"), name)
    stored = reader.counted("name and channels", MAX_TABLE_BYTES)
    table = decompress(stored, MAX_TABLE_BYTES, f"{name}: name and channels")
    record_name, channels = _decode_channels(table, name)
    header = Header(
        name=record_name,
        fs=fs,
        channels=channels,
        n_frames=n_frames,
        chunk_frames=chunk_frames,
        fidelity=fidelity,
        level=level,
        parameters=reader.counted("codec parameters", MAX_PARAMETER_BYTES),
        model_digest=reader.counted("model digest", DIGEST_SIZES[-1]),
        kernels=reader.counted("kernels", MAX_KERNEL_BYTES),
    )
    reader.expect_end("header")
    problem = find_problem(header)
    if problem:
        raise reader.corrupt("header", problem)
    return header


def _decode_channels(table: bytes, name: str) -> tuple[str, tuple[Channel, ...]]:
    reader = ByteReader(table, name)
    record_name = reader.text("record name", MAX_TEXT_BYTES)
    n_channels = reader.varint("number of channels", MAX_CHANNELS)
    channels = tuple(_decode_channel(reader, f"channel {i}") for i in range(n_channels))
    reader.expect_end("name and channels")
    return record_name, channels


def _decode_channel(reader: ByteReader, field: str) -> Channel:
    return Channel(
        name=reader.text(f"{field}, name", MAX_TEXT_BYTES),
        units=reader.text(f"{field}, units", MAX_TEXT_BYTES),
        adc_gain=reader.f64(f"{field}, ADC gain"),
        baseline=reader.zigzag(f"{field}, baseline"),
        adc_res=reader.varint(f"{field}, ADC resolution", MAX_ADC_RES),
        adc_zero=reader.zigzag(f"{field}, ADC zero"),
        samples_per_frame=reader.varint(f"{field}, samples per frame", MAX_FRAME_SAMPLES),
    )
