from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sancodec.errors import RecordError
from sancodec.formats.dat import DatLayout, DatPacker, DatReader
from sancodec.formats.dat_formats import FORMATS
from sancodec.formats.originals import bits_per_sample

RANGES = {8: 32, 16: 16, 24: 24, 32: 32, 61: 16, 80: 8, 160: 16, 212: 12, 310: 10, 311: 10}


def _draw_signals(layout: DatLayout, n_frames: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    if layout.format == 8:
        steps = [rng.integers(-128, 128, n_frames * n) for n in layout.samples_per_frame]
        pairs = zip(steps, layout.initial, strict=True)
        return [(np.cumsum(step) + initial).astype(np.int32) for step, initial in pairs]
    half = 1 << (RANGES[layout.format] - 1)
    drawn = [
        rng.integers(-half, half, n_frames * n, dtype=np.int64) for n in layout.samples_per_frame
    ]
    for signal in drawn:
        signal[: signal.size // 4 : 2] = half - 1
        signal[1 : signal.size // 4 : 2] = -half
    return [signal.astype(np.int32) for signal in drawn]


def _pack(layout: DatLayout, signals: list[np.ndarray], cuts: list[int]) -> bytes:
    packer = DatPacker(layout)
    packed = b""
    for start, stop in itertools.pairwise(cuts):
        per_frame = zip(signals, layout.samples_per_frame, strict=True)
        packed += packer.feed([s[start * n : stop * n] for s, n in per_frame]).tobytes()
    return packed + packer.finish().tobytes()


def _layout(fmt: int, samples_per_frame: tuple[int, ...]) -> DatLayout:
    initial = tuple(range(-3, len(samples_per_frame) - 3))
    return DatLayout(format=fmt, samples_per_frame=samples_per_frame, initial=initial)


@pytest.mark.parametrize("fmt", FORMATS)
@settings(max_examples=40, deadline=None)
@given(
    per_frame=st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple),
    cuts=st.lists(st.integers(0, 60), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
)
def test_signals_come_back_from_their_bytes(tmp_path_factory, fmt, per_frame, cuts, seed) -> None:
    layout = _layout(fmt, per_frame)
    cuts = [0, *sorted(cuts)]
    n_frames = cuts[-1]
    signals = _draw_signals(layout, n_frames, seed)
    path = tmp_path_factory.mktemp("dat") / "a.dat"
    path.write_bytes(b"head" + _pack(layout, signals, cuts))
    reader = DatReader(path, layout, 4)
    for start, stop in [(0, n_frames), *itertools.pairwise(cuts), (0, n_frames)]:
        found = reader.read(start, stop)
        for signal, n, column in zip(signals, per_frame, found, strict=True):
            np.testing.assert_array_equal(column, signal[start * n : stop * n])
            assert column.dtype == np.int32


@pytest.mark.parametrize("fmt", FORMATS)
def test_spans_pack_to_the_same_bytes_as_the_whole(fmt: int) -> None:
    layout = _layout(fmt, (1, 2))
    signals = _draw_signals(layout, 101, seed=5)
    whole = _pack(layout, signals, [0, 101])
    assert _pack(layout, signals, [0, 0, 1, 2, 50, 51, 101]) == whole
    form = FORMATS[fmt]
    assert len(whole) == -(-303 // form.unit_samples) * form.unit_bytes


@pytest.mark.parametrize(
    ("fmt", "samples", "packed"),
    [
        (16, [-2], "fe ff"),
        (24, [-2], "fe ff ff"),
        (32, [-2], "fe ff ff ff"),
        (61, [-2], "ff fe"),
        (80, [-128, 127], "00 ff"),
        (160, [-32768, 1], "00 00 01 80"),
        (212, [0x123, -1], "23 f1 ff"),
        (212, [0x123], "23 01 00"),
        (310, [1, 2, 3], "02 18 04 00"),
        (310, [-1, 0, 0], "fe 07 00 00"),
        (311, [1, 2, 3], "01 08 30 00"),
        (311, [0, 0, -1], "00 00 f0 3f"),
    ],
)
def test_bytes_are_those_of_the_specification(fmt: int, samples: list[int], packed: str) -> None:
    signal = np.array(samples, np.int32)
    assert _pack(_layout(fmt, (1,)), [signal], [0, signal.size]) == bytes.fromhex(packed)


def test_format_8_starts_from_its_initial_value() -> None:
    layout = DatLayout(format=8, samples_per_frame=(1, 1), initial=(100, -5))
    signals = [np.array([101, 99], np.int32), np.array([-5, 122], np.int32)]
    assert _pack(layout, signals, [0, 1, 2]) == bytes([1, 0, 0xFE, 127])


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("n_samples", range(1, 8))
def test_the_bytes_that_samples_need_are_the_fewest(tmp_path: Path, fmt, n_samples) -> None:
    layout = _layout(fmt, (1,))
    signals = _draw_signals(layout, n_samples, seed=n_samples)
    required = FORMATS[fmt].required_bytes(n_samples)
    path = tmp_path / "a.dat"
    path.write_bytes(_pack(layout, signals, [0, n_samples])[:required])
    np.testing.assert_array_equal(DatReader(path, layout, 0).read(0, n_samples)[0], signals[0])
    assert FORMATS[fmt].whole_samples(required) >= n_samples
    assert FORMATS[fmt].whole_samples(required - 1) < n_samples
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RecordError, match=r"a\.dat: .* shorter than its header says"):
        DatReader(path, layout, 0).read(0, n_samples)


def test_format_8_reads_backwards_and_over_gaps(tmp_path: Path) -> None:
    layout = _layout(8, (1, 3))
    signals = _draw_signals(layout, 300_000, seed=1)
    path = tmp_path / "a.dat"
    path.write_bytes(_pack(layout, signals, [0, 300_000]))
    reader = DatReader(path, layout, 0)
    for start, stop in [(299_990, 300_000), (5, 9), (100, 100), (270_000, 270_010), (0, 1)]:
        found = reader.read(start, stop)
        np.testing.assert_array_equal(found[0], signals[0][start:stop])
        np.testing.assert_array_equal(found[1], signals[1][3 * start : 3 * stop])


def test_sums_that_leave_int32_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(bytes([127] * 10))
    layout = DatLayout(format=8, samples_per_frame=(1,), initial=((1 << 31) - 500,))
    with pytest.raises(RecordError, match="range of int32"):
        DatReader(path, layout, 0).read(0, 10)


def test_bits_per_sample_are_those_of_the_file() -> None:
    assert bits_per_sample(212) == 12
    assert bits_per_sample(310) == pytest.approx(32 / 3)
    assert bits_per_sample(524) == 24
    assert bits_per_sample(0) == 0
