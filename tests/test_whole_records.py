"""Records with everything that WFDB allows of one segment: every file comes back byte for byte."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import sancodec
from sancodec.config import CodecConfig
from sancodec.files import decode_file, encode_file
from sancodec.formats.dat import DatLayout, DatPacker
from sancodec.formats.dat_formats import MISSING
from sancodec.formats.originals import make_mat_prolog

FAST = CodecConfig(level="fast", model="none")
N_FRAMES = 300


def _walks(per_frame: tuple[int, ...], bits: int, seed: int = 1) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    half = 1 << (bits - 1)
    steps = (generator.integers(-9, 10, N_FRAMES * n) for n in per_frame)
    return [np.clip(np.cumsum(step), -half + 1, half - 1).astype(np.int32) for step in steps]


def _pack(fmt: int, signals: list[np.ndarray]) -> bytes:
    per_frame = tuple(signal.size // N_FRAMES for signal in signals)
    packer = DatPacker(DatLayout(format=fmt, samples_per_frame=per_frame, initial=()))
    return packer.feed(signals).tobytes() + packer.finish().tobytes()


def _several_groups(folder: Path) -> str:
    """Three files of three formats, frequencies and offsets; skews; a file with a tail."""
    (folder / "a.dat").write_bytes(b"prolog!" + _pack(212, _walks((4, 1), 12)))
    (folder / "b.d1").write_bytes(_pack(311, _walks((2, 2, 1), 10)) + b"\1\2 tail" * 9)
    (folder / "c.dat").write_bytes(_pack(160, _walks((1,), 16)) + bytes(700))
    lines = ["a.dat 212x4:3+7 200/mV 12 0 1 2 0 II", "a.dat 212:120+7 1e2(-5)/mmHg 12 3 0 0 0 ABP"]
    lines += ["b.d1 311x2 200 10 0", "b.d1 311x2:1", "b.d1 311 0 10", "c.dat 160 10/% 16 0 0 0 8 x"]
    return f"rec 6 62.4725/999.56(-7) {N_FRAMES} 23:59:59.25 29/02/2024\n" + "\n".join(lines) + "\n"


def _without_length(folder: Path) -> str:
    """No length; the second file ends in the midst of a frame, and so before the first."""
    (folder / "a.dat").write_bytes(_pack(16, _walks((1, 1), 16)))
    (folder / "b.dat").write_bytes(_pack(24, _walks((2,), 24))[:-1])
    return "rec 3\r\na.dat 16\r\na.dat 16\r\nb.dat 24x2\r\n"


def _length_of_zero(folder: Path) -> str:
    return _without_length(folder).replace("rec 3", "rec 3 250 0")


def _many_signals(folder: Path) -> str:
    """As many signals as a container has room for."""
    (folder / "rec.dat").write_bytes(_pack(16, _walks((1,) * 256, 16)))
    lines = (f"rec.dat 16 200 16 0 0 0 0 electrode {i}\n" for i in range(256))
    return f"rec 256 1000 {N_FRAMES}\n" + "".join(lines)


def _of_32_bits(folder: Path) -> str:
    """Samples from one end of 32 bits to the other, and some that are missing."""
    signals = _walks((1, 3), 31)
    signals[0][::7] = (1 << 31) - 1
    signals[1][50:99] = -(1 << 31)
    (folder / "rec.dat").write_bytes(_pack(32, signals))
    return f"rec 2 360 {N_FRAMES}\nrec.dat 32 200\nrec.dat 32x3 200\n"


def _missing_samples(folder: Path) -> str:
    """The value for no sample in several formats, at the ends and in the midst."""
    lines = []
    for fmt, bits in ((80, 8), (212, 12), (310, 10), (61, 16), (24, 24)):
        signals = _walks((1, 1), bits)
        for signal in signals:
            signal[:20] = signal[140:150] = signal[-1:] = MISSING[fmt]
        (folder / f"f{fmt}.dat").write_bytes(_pack(fmt, signals))
        lines += [f"f{fmt}.dat {fmt} 200 {bits} 0 0 0 0 {fmt}\n"] * 2
    return f"rec 10 360 {N_FRAMES}\n" + "".join(lines)


def _matlab(folder: Path) -> str:
    """As PhysioNet's challenges have it, comments in Latin-1 among them."""
    prolog = make_mat_prolog(3, N_FRAMES)
    (folder / "rec.mat").write_bytes(prolog + _pack(16, _walks((1,) * 3, 16)))
    lines = "".join(f"rec.mat 16+24 1000/mV 16 0 0 0 0 {name}\n" for name in ("I", "II", "V1"))
    return f"rec 3 500 {N_FRAMES}\n{lines}# Age: 50\n#Dx: 1,2\n# µV \n\n"


@pytest.mark.parametrize(
    "write",
    [
        _several_groups,
        _without_length,
        _length_of_zero,
        _many_signals,
        _of_32_bits,
        _missing_samples,
        _matlab,
    ],
)
def test_every_file_of_the_record_comes_back(tmp_path: Path, write: Callable[[Path], str]) -> None:
    folder, san = tmp_path / "in", tmp_path / "rec.san"
    folder.mkdir()
    (folder / "rec.hea").write_bytes(write(folder).encode("latin-1"))
    report = encode_file(folder / "rec.hea", san, FAST)
    assert report.verified
    paths = decode_file(san, tmp_path / "out")
    assert sorted(path.name for path in paths) == sorted(os.listdir(folder))
    for path in paths:
        assert path.read_bytes() == (folder / path.name).read_bytes()
    assert san.stat().st_size < sum(path.stat().st_size for path in paths)
    expected = N_FRAMES - 1 if write in {_without_length, _length_of_zero} else N_FRAMES
    with sancodec.open(san) as file:
        assert file.n_frames == expected
