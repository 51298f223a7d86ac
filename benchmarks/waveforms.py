"""Stores of waveforms compared as CHoRUS compares them: a class with a write and a read method.

https://github.com/chorus-ai/chorus_waveform defines the two methods: ``write_waveforms(path,
waveforms)``, and ``read_waveforms(path, start_time, end_time, signal_names)``, which opens the
store anew each time. Patterns are its own: everything; 5 parts of 500 s, 50 of 50 s, 500 of 5 s, at
random; of all signals, and of one. ``San`` may be given to its benchmark as it is.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import wfdb
import zarr
from numpy.typing import NDArray

import sancodec
from sancodec import Channel, CodecConfig

Waveforms = dict[str, dict[str, Any]]
Samples = NDArray[np.float64]

_PATTERNS = ((1, None), (5, 500.0), (50, 50.0), (500, 5.0))
_REPEATS = 3
_MISSING_16, _MISSING_32 = -(1 << 15), -(1 << 31)


class Format(Protocol):
    """What the benchmark asks of a format."""

    def write_waveforms(self, path: str, waveforms: Waveforms) -> None:
        """Write waveforms to a file or folder."""

    def read_waveforms(
        self, path: str, start_time: float, end_time: float, signal_names: list[str]
    ) -> dict[str, Samples]:
        """Give a part of some signals in physical units, NaN where there is no sample."""


class San:
    """One .san file for the signals of each sampling frequency."""

    def __init__(self, level: str = "default", chunk_seconds: float | None = None) -> None:
        self._config = CodecConfig(level=level, chunk_seconds=chunk_seconds)

    def write_waveforms(self, path: str, waveforms: Waveforms) -> None:
        """Write waveforms into a folder."""
        folder = Path(path)
        folder.mkdir(parents=True)
        for fs in sorted({own["samples_per_second"] for own in waveforms.values()}):
            names = [name for name in waveforms if waveforms[name]["samples_per_second"] == fs]
            gains = [_gain(waveforms[name]) for name in names]
            signals = [
                _digital(waveforms[name], gain, _MISSING_32)
                for name, gain in zip(names, gains, strict=True)
            ]
            samples = np.full((max(map(len, signals)), len(names)), _MISSING_32, np.int32)
            for column, signal in zip(samples.T, signals, strict=True):
                column[: len(signal)] = signal
            channels = [
                Channel(name=name, units=waveforms[name]["units"], adc_gain=gain)
                for name, gain in zip(names, gains, strict=True)
            ]
            encoded = sancodec.encode(samples, fs=fs, channels=channels, config=self._config)
            (folder / f"{fs}.san").write_bytes(encoded)

    def read_waveforms(
        self, path: str, start_time: float, end_time: float, signal_names: list[str]
    ) -> dict[str, Samples]:
        """Give a part of some signals in physical units."""
        found = {}
        for part in sorted(Path(path).glob("*.san")):
            with sancodec.open(part) as file:
                fs, channels = file.header.fs, {own.name: own for own in file.channels}
                names = [name for name in signal_names if name in channels]
                start, stop = round(start_time * fs), min(round(end_time * fs), len(file))
                samples = file[start:stop, names] if names else np.zeros((0, 0), np.int32)
            for name, column in zip(names, samples.T, strict=True):
                found[name] = _physical(column, channels[name].adc_gain, _MISSING_32)
        return found


class WfdbFlac:
    """A WFDB record in FLAC, format 516, written and read by wfdb."""

    def write_waveforms(self, path: str, waveforms: Waveforms) -> None:
        """Write waveforms of one sampling frequency."""
        folder, gains = Path(path), [_gain(own) for own in waveforms.values()]
        folder.mkdir(parents=True)
        signals = [
            _digital(own, gain, _MISSING_16)
            for own, gain in zip(waveforms.values(), gains, strict=True)
        ]
        first = next(iter(waveforms.values()))
        wfdb.wrsamp(
            "record",
            fs=first["samples_per_second"],
            units=[own["units"] for own in waveforms.values()],
            sig_name=list(waveforms),
            d_signal=np.stack(signals, axis=1),
            fmt=["516"] * len(waveforms),
            adc_gain=gains,
            baseline=[0] * len(waveforms),
            write_dir=str(folder),
        )

    def read_waveforms(
        self, path: str, start_time: float, end_time: float, signal_names: list[str]
    ) -> dict[str, Samples]:
        """Give a part of some signals in physical units."""
        record = f"{path}/record"
        fs, length = (header := wfdb.rdheader(record)).fs, header.sig_len
        start, stop = round(start_time * fs), min(round(end_time * fs), length)
        found = wfdb.rdrecord(record, sampfrom=start, sampto=stop, channel_names=signal_names)
        return dict(zip(found.sig_name, found.p_signal.T, strict=True))


class ZarrBlosc:
    """A Zarr group with an int16 array for each signal, chunks of a minute, Zarr's own default."""

    compressors: Any = zarr.codecs.BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle")
    serializer: Any = "auto"

    def write_waveforms(self, path: str, waveforms: Waveforms) -> None:
        """Write waveforms into a folder."""
        group = zarr.open_group(path, mode="w")
        for name, own in waveforms.items():
            gain, fs = _gain(own), own["samples_per_second"]
            array = group.create_array(
                name,
                data=_digital(own, gain, _MISSING_16).astype(np.int16),
                chunks=(round(60 * fs),),
                compressors=self.compressors,
                serializer=self.serializer,
            )
            array.attrs.update(gain=gain, fs=fs, units=own["units"])

    def read_waveforms(
        self, path: str, start_time: float, end_time: float, signal_names: list[str]
    ) -> dict[str, Samples]:
        """Give a part of some signals in physical units."""
        group, found = zarr.open_group(path, mode="r"), {}
        for name in signal_names:
            array = group[name]
            fs, gain = array.attrs["fs"], array.attrs["gain"]
            part = array[round(start_time * fs) : round(end_time * fs)]
            found[name] = _physical(part, gain, _MISSING_16)
        return found


class ZarrSan(ZarrBlosc):
    """The same group, its chunks coded by sancodec at the level fast."""

    compressors = None

    def __init__(self, fs: float) -> None:
        from sancodec.zarr_codec import SanZarrCodec

        self.serializer = SanZarrCodec(fs=fs, level="fast")


class Npy:
    """A .npy file of float32 for each signal."""

    def write_waveforms(self, path: str, waveforms: Waveforms) -> None:
        """Write waveforms into a folder."""
        Path(path).mkdir(parents=True)
        for name, own in waveforms.items():
            gain = _gain(own)
            physical = _physical(_digital(own, gain, _MISSING_32), gain, _MISSING_32)
            np.save(f"{path}/{name}.npy", physical.astype(np.float32))
            np.save(f"{path}/{name}.fs.npy", own["samples_per_second"])

    def read_waveforms(
        self, path: str, start_time: float, end_time: float, signal_names: list[str]
    ) -> dict[str, Samples]:
        """Give a part of some signals in physical units."""
        found = {}
        for name in signal_names:
            fs = float(np.load(f"{path}/{name}.fs.npy"))
            stored = np.load(f"{path}/{name}.npy", mmap_mode="r")
            found[name] = np.array(stored[round(start_time * fs) : round(end_time * fs)])
        return found


def _gain(waveform: dict[str, Any]) -> float:
    return float(max(chunk["gain"] for chunk in waveform["chunks"]))


def _digital(waveform: dict[str, Any], gain: float, missing: int) -> NDArray[np.int32]:
    """Give one signal in ADC units, without its gaps of time."""
    chunks = waveform["chunks"]
    samples = np.full(chunks[-1]["end_sample"], missing, np.int32)
    for chunk in chunks:
        scaled = np.rint(np.asarray(chunk["samples"], np.float64) * gain)
        found = np.where(np.isnan(scaled), missing, scaled).astype(np.int32)
        samples[chunk["start_sample"] : chunk["end_sample"]] = found
    return samples


def _physical(samples: NDArray[Any], gain: float, missing: int) -> Samples:
    physical = samples / gain
    physical[samples == missing] = np.nan
    return physical


def waveforms_of(header: Path) -> Waveforms:
    """Give a WFDB record of one sampling frequency as the benchmark has its waveforms."""
    record = wfdb.rdrecord(str(header.with_suffix("")))
    length, fs = record.sig_len, record.fs
    return {
        name: {
            "units": units,
            "samples_per_second": fs,
            "chunks": [
                {
                    "start_time": 0.0,
                    "end_time": length / fs,
                    "start_sample": 0,
                    "end_sample": length,
                    "gain": gain,
                    "samples": column.astype(np.float32),
                }
            ],
        }
        for name, units, gain, column in zip(
            record.sig_name, record.units, record.adc_gain, record.p_signal.T, strict=True
        )
    }


def _patterns(seconds: float) -> list[tuple[str, list[tuple[float, float]]]]:
    generator = np.random.default_rng(1)
    found = []
    for count, length in _PATTERNS:
        if length is None:
            found.append(("all", [(0.0, seconds)]))
            continue
        starts = generator.uniform(0, seconds - length, count)
        found.append((f"{count} x {length:g} s", [(s, s + length) for s in starts.tolist()]))
    return found


def _seconds(work: Callable[[], object], repeats: int) -> float:
    """Give the processor time of the best of some runs."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def _check(own: Format, path: str, waveforms: Waveforms) -> None:
    """Refuse a format that does not give back what it was given."""
    names = list(waveforms)
    first = waveforms[names[0]]
    found = own.read_waveforms(path, 3.0, 33.0, names)
    for name in names:
        fs, gain = first["samples_per_second"], _gain(waveforms[name])
        expected = waveforms[name]["chunks"][0]["samples"][round(3 * fs) : round(33 * fs)]
        np.testing.assert_allclose(found[name], expected, atol=0.01 / gain)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("header", type=Path, help="of a WFDB record of one sampling frequency")
    parser.add_argument("--repeats", type=int, default=_REPEATS)
    arguments = parser.parse_args()
    waveforms = waveforms_of(arguments.header)
    first = next(iter(waveforms.values()))
    formats: dict[str, Format] = {
        "sancodec": San(),
        "sancodec, fast, chunks of 20 s": San("fast", 20.0),
        "Zarr, sancodec fast": ZarrSan(first["samples_per_second"]),
        "FLAC in WFDB": WfdbFlac(),
        "Zarr, Blosc (zstd)": ZarrBlosc(),
        ".npy": Npy(),
    }
    names = list(waveforms)
    patterns = _patterns(first["chunks"][-1]["end_time"])
    columns = [f"{what}, {which}" for which in ("all signals", "one") for what, _ in patterns]
    print("| format | bytes | write |", " | ".join(columns), "|")
    print("|---|---:|---:|" + "---:|" * len(columns))
    with tempfile.TemporaryDirectory() as folder:
        for number, (title, own) in enumerate(formats.items()):
            path = f"{folder}/{number}"
            written = _seconds(lambda own=own, path=path: own.write_waveforms(path, waveforms), 1)
            _check(own, path, waveforms)
            size = sum(file.stat().st_size for file in Path(path).rglob("*") if file.is_file())
            cells = [
                _seconds(
                    lambda own=own, path=path, spans=spans, leads=leads: [
                        own.read_waveforms(path, start, stop, leads) for start, stop in spans
                    ],
                    arguments.repeats,
                )
                for leads in (names, names[:1])
                for _, spans in patterns
            ]
            print(f"| {title} | {size:,} | {written:.2f} |", end=" ")
            print(" | ".join(f"{cell:.3f}" for cell in cells), "|", flush=True)


if __name__ == "__main__":
    main()
