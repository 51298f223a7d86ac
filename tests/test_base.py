"""Records with a structure, through the whole codec: every sample, every span, every chunk."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from structure_chains import smooth_leads

import sancodec
from sancodec.base import FORM_BASE, FORM_RAW
from sancodec.config import CodecConfig
from sancodec.errors import CorruptError
from sancodec.inspection import inspect_stream
from sancodec.recording import Channel, Recording
from sancodec.san_file import SanFile
from sancodec.structure.grids import Grid
from sancodec.structure.resampling import Resampling
from sancodec.structure.rounding import HALF_AWAY, TRUNC, divide

FS = 500.0
NAMES = ("I", "II", "III", "aVF", "V1")


def recording(leads: NDArray[np.int64]) -> Recording:
    channels = tuple(Channel(name=name, adc_gain=1000.0) for name in NAMES[: len(leads)])
    return Recording(name="made", fs=FS, channels=channels, signals=tuple(leads.astype(np.int32)))


def derived(n_samples: int) -> NDArray[np.int64]:
    first, second, chest = smooth_leads(np.random.default_rng(1), 3, n_samples)
    return np.stack([first, second, second - first, divide(2 * second - first, 2, TRUNC), chest])


def gridded(n_samples: int) -> Recording:
    return recording(Grid(multiplier=122, divisor=25, mode=HALF_AWAY).values(derived(n_samples)))


def resampled(n_samples: int) -> Recording:
    values = Grid(multiplier=1, mode=HALF_AWAY)
    stage = Resampling(n_leads=5, up=5, down=4, values=values)
    return recording(stage.leave(5 * derived(stage.n_samples_inside(n_samples)), n_samples))


MADE = {"gridded": gridded, "resampled": resampled}


def encoded(record: Recording, seconds: float | None = None, level: str = "fast") -> bytes:
    config = CodecConfig(model="none", level=level, chunk_seconds=seconds)
    return sancodec.encode(record, config=config)


def assert_same(found: Recording, record: Recording) -> None:
    np.testing.assert_array_equal(found.samples, record.samples)


@pytest.mark.parametrize("level", ["fast", "default"])
@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_a_structured_record_comes_back_from_fewer_bytes(
    make: Callable[[int], Recording], level: str
) -> None:
    record = make(3000)
    written = encoded(record, level=level)
    assert_same(sancodec.decode(written), record)
    # The same leads one by one: nothing of their structure is left.
    alone = sum(
        len(encoded(replace(record, channels=record.channels[:1], signals=(signal + noise,))))
        for signal, noise in zip(record.signals, _noise(5, 3000), strict=True)
    )
    assert len(written) < 0.5 * alone


def _noise(n_leads: int, n_samples: int) -> NDArray[np.int32]:
    generator = np.random.default_rng(4)
    return generator.integers(-1, 2, (n_leads, n_samples)).astype(np.int32)


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, 3000), (999, 1001), (2999, 3000), (5, 5)])
@pytest.mark.parametrize("seconds", [None, 2.0, 1.37])
def test_any_span_of_a_structured_record_can_be_read(
    start: int, stop: int, seconds: float | None
) -> None:
    record = gridded(3000)
    with SanFile(io.BytesIO(encoded(record, seconds))) as file:
        assert file.plan.structure is not None
        assert_same(file.read(start, stop), record.frames(start, stop))


def test_a_resampling_is_told_only_in_records_of_one_chunk() -> None:
    record = resampled(3000)
    with SanFile(io.BytesIO(encoded(record))) as file:
        assert file.plan.structure is not None
        assert file.plan.structure.resampling is not None
        assert_same(file.read(1234, 1300), record.frames(1234, 1300))
    written = encoded(record, 2.0)
    with SanFile(io.BytesIO(written)) as file:
        assert file.plan.structure is None or file.plan.structure.resampling is None
    assert_same(sancodec.decode(written), record)


def test_a_chunk_that_leaves_the_grid_is_exact_all_the_same() -> None:
    record = gridded(9000)
    signals = [signal.copy() for signal in record.signals]
    generator = np.random.default_rng(2)
    for signal in signals:
        # Not in the first, middle or last chunk, on which the structure is checked.
        signal[2000:3000] = generator.integers(-(1 << 31), (1 << 31) - 1, 1000)
    broken = replace(record, signals=tuple(signals))
    written = encoded(broken, 2.0)
    assert_same(sancodec.decode(written), broken)
    with SanFile(io.BytesIO(written)) as file:
        assert file.plan.structure is not None
        forms = [file.container.read_chunk(i)[0] for i in range(9)]
    assert forms[2] == FORM_RAW
    assert forms.count(FORM_BASE) == 8


@pytest.mark.parametrize("value", [0, -7, (1 << 31) - 1, -(1 << 31)])
def test_constant_records_come_back(value: int) -> None:
    record = recording(np.full((3, 500), value))
    assert_same(sancodec.decode(encoded(record)), record)


def test_channels_of_several_frequencies_have_no_structure() -> None:
    record = gridded(3000)
    channels = tuple(replace(channel, samples_per_frame=2) for channel in record.channels)
    mixed = Recording(name="made", fs=FS / 2, channels=channels, signals=record.signals)
    with SanFile(io.BytesIO(encoded(mixed))) as file:
        assert file.plan.structure is None
        found = file.read()
    for ours, theirs in zip(found.signals, mixed.signals, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_the_report_says_what_was_found(make: Callable[[int], Recording]) -> None:
    report, _ = inspect_stream(io.BytesIO(encoded(make(3000))), "made.san")
    assert report.structure.endswith("III, aVF derived")
    assert [signal.name for signal in report.signals] == list(NAMES)
    assert report.signals[2].decided_by == "follows from the others"


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_the_preview_of_derived_leads_follows_from_the_others(
    make: Callable[[int], Recording],
) -> None:
    record = make(6000)
    written = sancodec.encode(record, config=CodecConfig(model="ecg", kernels="model"))
    with SanFile(io.BytesIO(written)) as file:
        assert file.plan.structure is not None
        (preview,) = file.spans(layer="san")
    assert preview.n_frames == record.n_frames
    first, second, third = (signal.astype(np.int64) for signal in preview.signals[:3])
    # To within the rounding of what each of them is made of.
    assert np.abs(third - (second - first)).max() <= 8
    assert_same(sancodec.decode(written), record)


def test_a_flipped_byte_of_a_chunk_is_refused_or_harmless() -> None:
    record = gridded(600)
    written = encoded(record)
    with SanFile(io.BytesIO(written)) as file:
        payload = file.container.read_chunk(0)
        for at in [*range(12), *range(12, len(payload), 29)]:
            broken = bytearray(payload)
            broken[at] ^= 0x41
            try:
                found, _ = file._decode(0, bytes(broken))
                assert found.n_frames == 600
            except CorruptError:
                pass
        for n_bytes in range(0, len(payload), 37):
            with pytest.raises(CorruptError):
                file._decode(0, payload[:n_bytes])
