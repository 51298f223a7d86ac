"""The codecs that sancodec is compared with, each in real bytes and decoded again."""

from __future__ import annotations

import importlib.util
import io
import lzma
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int32]

_FLAC_CHANNELS = 8
_XZ = lzma.PRESET_EXTREME | 9


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What every codec is given: one record.

    Attributes
    ----------
    name : str
    fs : float
        In Hz.
    samples : (n_samples, n_channels) int32
        In ADC units.
    baselines : (n_channels,) int32
        The ADC value of physical zero.
    raw : bytes
        The signal files, one after the other.
    """

    name: str
    fs: float
    samples: Samples
    baselines: Samples
    raw: bytes


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A codec to compare with.

    Attributes
    ----------
    name : str
    needs : str
        What to install when it is missing; empty when it is there.
    encode : callable
        Record to bytes.
    decode : callable
        Those bytes, and the shape of the samples, to the samples; or to the signal files.
    """

    name: str
    needs: str
    encode: Callable[[Workload], bytes]
    decode: Callable[[bytes, tuple[int, int]], Samples | bytes]


def all_peers() -> list[Peer]:
    """Give every peer, those that are missing here included."""
    flac, pcodec, zstd = map(_missing_module, ("soundfile", "pcodec", "zstandard"))
    blosc2, numcodecs = map(_missing_module, ("blosc2", "numcodecs"))
    wavpack = "" if shutil.which("wavpack") and shutil.which("wvunpack") else "wavpack, wvunpack"
    return [
        Peer(name="flac -8", needs=flac, encode=_encode_flac, decode=_decode_flac),
        Peer(name="flac in WFDB", needs="", encode=_encode_wfdb, decode=_decode_wfdb),
        Peer(name="wavpack -hh", needs=wavpack, encode=_encode_wavpack, decode=_decode_wavpack),
        Peer(name="pcodec 12", needs=pcodec, encode=_encode_pcodec, decode=_decode_pcodec),
        Peer(name="blosc2", needs=blosc2, encode=_encode_blosc2, decode=_decode_blosc2),
        Peer(name="numcodecs", needs=numcodecs, encode=_encode_numcodecs, decode=_decode_numcodecs),
        Peer(name="xz -9e of deltas", needs="", encode=_encode_xz, decode=_decode_xz),
        Peer(name="xz -9e of .dat", needs="", encode=_encode_xz_raw, decode=_decode_xz_raw),
        Peer(name="zstd -19 of deltas", needs=zstd, encode=_encode_zstd, decode=_decode_zstd),
        Peer(name="zstd -19 of .dat", needs=zstd, encode=_encode_zstd_raw, decode=_decode_zstd_raw),
    ]


def _missing_module(name: str) -> str:
    return "" if importlib.util.find_spec(name) else f"pip install {name}"


def _pack(parts: list[bytes]) -> bytes:
    return b"".join(len(part).to_bytes(4, "little") + part for part in parts)


def _unpack(packed: bytes) -> list[bytes]:
    parts, offset = [], 0
    while offset < len(packed):
        stop = offset + 4 + int.from_bytes(packed[offset : offset + 4], "little")
        parts.append(packed[offset + 4 : stop])
        offset = stop
    return parts


def _encode_flac(record: Workload) -> bytes:
    import soundfile

    # The offset of an ADC costs a predictor bits; no user of FLAC would leave it in.
    centred = record.samples - record.baselines
    wide = bool(np.abs(centred).max(initial=0) >= 1 << 15)
    if np.abs(centred).max(initial=0) >= 1 << 23:
        raise OverflowError(f"{record.name}: samples of more than 24 bits")
    parts = [record.baselines.tobytes()]
    for first in range(0, centred.shape[1], _FLAC_CHANNELS):
        group = centred[:, first : first + _FLAC_CHANNELS]
        stream = io.BytesIO()
        soundfile.write(
            stream,
            np.ascontiguousarray(group << 8 if wide else group.astype(np.int16)),
            # The frequency is only a label in the stream; FLAC wants a whole number of it.
            min(max(round(record.fs), 1), 48_000),
            format="FLAC",
            subtype="PCM_24" if wide else "PCM_16",
            compression_level=1.0,
        )
        parts.append(bytes([wide]) + stream.getvalue())
    return _pack(parts)


def _decode_flac(stored: bytes, shape: tuple[int, int]) -> Samples:
    import soundfile

    head, *parts = _unpack(stored)
    groups = []
    for part in parts:
        group, _ = soundfile.read(io.BytesIO(part[1:]), dtype="int32", always_2d=True)
        groups.append(group >> (8 if part[0] else 16))
    return np.concatenate(groups, axis=1) + np.frombuffer(head, np.int32)


def _encode_wfdb(record: Workload) -> bytes:
    """Write WFDB's FLAC formats, at most 8 channels to a record; give all files of the records."""
    import wfdb

    largest = np.abs(record.samples).max(initial=0)
    if largest >= 1 << 23:
        raise OverflowError(f"{record.name}: samples of more than 24 bits")
    fmt = "508" if largest < 1 << 7 else "516" if largest < 1 << 15 else "524"
    with tempfile.TemporaryDirectory() as folder:
        for first in range(0, record.samples.shape[1], _FLAC_CHANNELS):
            part = record.samples[:, first : first + _FLAC_CHANNELS].astype(np.int64)
            baselines = record.baselines[first : first + _FLAC_CHANNELS]
            n_channels = part.shape[1]
            wfdb.wrsamp(
                f"r{first:03}",
                fs=record.fs,
                units=["mV"] * n_channels,
                sig_name=[str(channel) for channel in range(n_channels)],
                d_signal=part,
                fmt=[fmt] * n_channels,
                adc_gain=[200.0] * n_channels,
                baseline=[int(baseline) for baseline in baselines],
                write_dir=folder,
            )
        files = sorted(Path(folder).iterdir())
        return _pack([part for file in files for part in (file.name.encode(), file.read_bytes())])


def _decode_wfdb(stored: bytes, shape: tuple[int, int]) -> Samples:
    import wfdb

    parts = _unpack(stored)
    with tempfile.TemporaryDirectory() as folder:
        for name, content in zip(parts[::2], parts[1::2], strict=True):
            Path(folder, name.decode()).write_bytes(content)
        names = sorted(path.stem for path in Path(folder).glob("*.hea"))
        records = [wfdb.rdrecord(str(Path(folder, name)), physical=False) for name in names]
    columns = np.concatenate([record.d_signal for record in records], axis=1)
    return columns.astype(np.int32)


def _encode_wavpack(record: Workload) -> bytes:
    samples = record.samples
    n_bytes = 2 if np.abs(samples).max(initial=0) < 1 << 15 else 4
    raw = samples.astype(f"<i{n_bytes}").tobytes()
    layout = (
        f"--raw-pcm={min(max(round(record.fs), 1), 48_000)},{8 * n_bytes}s,{samples.shape[1]},le"
    )
    with tempfile.TemporaryDirectory() as folder:
        source, packed = Path(folder, "samples.raw"), Path(folder, "samples.wv")
        source.write_bytes(raw)
        command = ["wavpack", "-q", "-hh", layout, str(source), "-o", str(packed)]
        subprocess.run(command, capture_output=True, check=True)
        return bytes([n_bytes]) + packed.read_bytes()


def _decode_wavpack(stored: bytes, shape: tuple[int, int]) -> Samples:
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder, "samples.wv")
        packed.write_bytes(stored[1:])
        command = ["wvunpack", "-q", "--raw", str(packed), "-o", "-"]
        raw = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(raw, f"<i{stored[0]}").reshape(shape).astype(np.int32)


def _encode_pcodec(record: Workload) -> bytes:
    from pcodec import ChunkConfig, DeltaSpec

    # All of its delta codings are tried on each channel, and the smallest is kept.
    deltas = [
        DeltaSpec.auto(),
        *(DeltaSpec.try_consecutive(order) for order in (1, 2, 3)),
        *(DeltaSpec.try_conv1(order) for order in (8, 16, 32)),
    ]
    configs = [ChunkConfig(compression_level=12, delta_spec=delta) for delta in deltas]
    samples = record.samples
    narrow = np.abs(samples).max(initial=0) < 1 << 15
    parts = []
    for channel in samples.T.astype(np.int16 if narrow else np.int32):
        column = np.ascontiguousarray(channel)
        tried = (_compress_pcodec(column, config) for config in configs)
        parts.append(min(filter(None, tried), key=len))
    return _pack(parts)


def _compress_pcodec(column: NDArray[np.signedinteger], config: Any) -> bytes | None:
    """Give the bytes of a channel; None where pcodec panics (conv1 on pages below its order)."""
    from pcodec import standalone

    try:
        return standalone.simple_compress(column, config)
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return None


def _decode_pcodec(stored: bytes, shape: tuple[int, int]) -> Samples:
    from pcodec import standalone

    columns = [standalone.simple_decompress(part) for part in _unpack(stored)]
    return np.stack(columns, axis=1).astype(np.int32)


def _encode_blosc2(record: Workload) -> bytes:
    """Delta, shuffle and Zstandard, channel by channel, as for an array in Zarr."""
    import blosc2

    parts = [
        blosc2.compress2(
            column,
            codec=blosc2.Codec.ZSTD,
            clevel=9,
            nthreads=1,
            typesize=column.itemsize,
            filters=[blosc2.Filter.DELTA, blosc2.Filter.SHUFFLE],
            filters_meta=[0, 0],
        )
        for column in _columns(record.samples)
    ]
    return _pack([bytes([_columns(record.samples)[0].itemsize]), *map(bytes, parts)])


def _decode_blosc2(stored: bytes, shape: tuple[int, int]) -> Samples:
    import blosc2

    size, *parts = _unpack(stored)
    columns = [np.frombuffer(blosc2.decompress2(part), f"<i{size[0]}") for part in parts]
    return np.stack(columns, axis=1).astype(np.int32)


def _encode_numcodecs(record: Workload) -> bytes:
    """Delta, Shuffle and Zstd, channel by channel, as for an array in Zarr."""
    columns = _columns(record.samples)
    size = columns[0].itemsize
    delta, shuffle, zstd = _numcodecs(size)
    parts = [zstd.encode(shuffle.encode(delta.encode(column))) for column in columns]
    return _pack([bytes([size]), *map(bytes, parts)])


def _decode_numcodecs(stored: bytes, shape: tuple[int, int]) -> Samples:
    size, *parts = _unpack(stored)
    delta, shuffle, zstd = _numcodecs(size[0])
    decoded = [delta.decode(shuffle.decode(zstd.decode(part))) for part in parts]
    columns = [np.frombuffer(column, f"<i{size[0]}") for column in decoded]
    return np.stack(columns, axis=1).astype(np.int32)


def _numcodecs(size: int) -> tuple[Any, Any, Any]:
    from numcodecs import Delta, Shuffle, Zstd

    return Delta(dtype=f"<i{size}"), Shuffle(elementsize=size), Zstd(level=19)


def _columns(samples: Samples) -> list[NDArray[np.signedinteger]]:
    """Give each channel on its own, in 16 bits where its samples and differences fit."""
    narrow = np.abs(samples).max(initial=0) < 1 << 14
    kind = "<i2" if narrow else "<i4"
    return [np.ascontiguousarray(column.astype(kind)) for column in samples.T]


def _deltas(samples: Samples) -> bytes:
    """Differences along each channel, one channel after the other, in 16 bits where they fit."""
    deltas = np.diff(samples.astype(np.int64), axis=0, prepend=0).T
    narrow = bool(np.abs(deltas).max(initial=0) < 1 << 15)
    return bytes([narrow]) + deltas.astype("<i2" if narrow else "<i4").tobytes()


def _undo_deltas(raw: bytes, shape: tuple[int, int]) -> Samples:
    deltas = np.frombuffer(raw, "<i2" if raw[0] else "<i4", offset=1)
    return np.cumsum(deltas.reshape(shape[::-1]), axis=1, dtype=np.int64).T.astype(np.int32)


def _encode_xz(record: Workload) -> bytes:
    return lzma.compress(_deltas(record.samples), preset=_XZ)


def _decode_xz(stored: bytes, shape: tuple[int, int]) -> Samples:
    return _undo_deltas(lzma.decompress(stored), shape)


def _encode_zstd(record: Workload) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=19).compress(_deltas(record.samples))


def _decode_zstd(stored: bytes, shape: tuple[int, int]) -> Samples:
    import zstandard

    return _undo_deltas(zstandard.ZstdDecompressor().decompress(stored), shape)


def _encode_xz_raw(record: Workload) -> bytes:
    return lzma.compress(record.raw, preset=_XZ)


def _decode_xz_raw(stored: bytes, shape: tuple[int, int]) -> bytes:
    return lzma.decompress(stored)


def _encode_zstd_raw(record: Workload) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=19).compress(record.raw)


def _decode_zstd_raw(stored: bytes, shape: tuple[int, int]) -> bytes:
    import zstandard

    return zstandard.ZstdDecompressor().decompress(stored)
