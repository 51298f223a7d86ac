"""What a lossy file promises holds, by a few lines of NumPy on what it decodes to."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import sancodec
from sancodec import Channel, CodecConfig, Recording
from sancodec.chunk import MODE_BOUNDED, MODE_STEPPED
from sancodec.errors import ConfigError
from sancodec.fidelity import (
    Fidelity,
    Lossless,
    MaxError,
    MeanPrdn,
    SanOnly,
    TargetPrdn,
    TargetSize,
)
from sancodec.inspection import inspect_stream
from sancodec.simulate import Simulation, simulate_record

RECORD = simulate_record(Simulation(fs=250.0, duration_seconds=30), np.random.default_rng(3))


def prdn(original: NDArray[np.int32], decoded: NDArray[np.int32]) -> NDArray[np.float64]:
    x, y = original.astype(np.float64), decoded.astype(np.float64)
    deviation = np.square(x - x.mean(axis=0)).sum(axis=0)
    error = np.square(y - x).sum(axis=0)
    return 100 * np.sqrt(np.where(error > 0, error / np.maximum(deviation, 1e-300), 0.0))


def encode(samples: NDArray[np.int32] | Recording, percent: float, **settings: object) -> bytes:
    config = CodecConfig(fidelity=TargetPrdn(percent), **settings)  # type: ignore[arg-type]
    fs = None if isinstance(samples, Recording) else 250.0
    return sancodec.encode(samples, fs=fs, config=config)


@pytest.mark.parametrize("percent", [1.0, 3.0, 8.0])
def test_every_lead_is_just_below_the_target(percent: float) -> None:
    noise = np.cumsum(np.random.default_rng(1).normal(0, 12, RECORD.samples.shape), axis=0)
    samples = (RECORD.samples + np.rint(noise)).astype(np.int32)
    found = prdn(samples, sancodec.decode(encode(samples, percent)).samples)
    assert np.all(found <= percent)
    assert np.all(found >= 0.98 * percent)


def test_a_target_holds_where_few_coefficients_are_left() -> None:
    for percent in (9.0, 40.0, 100.0):
        found = prdn(RECORD.samples, sancodec.decode(encode(RECORD, percent)).samples)
        assert np.all(found <= percent)


def test_a_higher_target_takes_fewer_bytes_and_all_take_fewer_than_lossless() -> None:
    sizes = [len(encode(RECORD, percent)) for percent in (1.0, 3.0, 10.0)]
    assert len(sancodec.encode(RECORD)) > sizes[0] > 1.3 * sizes[1] > 1.5 * sizes[2]


def test_the_promise_holds_over_the_record_however_it_is_cut_into_chunks() -> None:
    encoded = encode(RECORD, 5.0, chunk_seconds=7)
    with sancodec.open(encoded) as file:
        assert len(file.container.chunks) == 5
        np.testing.assert_array_equal(
            file.read(2000, 4000).samples, sancodec.decode(encoded).samples[2000:4000]
        )
    assert np.all(prdn(RECORD.samples, sancodec.decode(encoded).samples) <= 5.0)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_samples=st.integers(1, 700),
    n_leads=st.integers(1, 5),
    percent=st.floats(0.05, 100.0),
    level=st.floats(0.1, 1e6),
)
def test_any_record_keeps_any_target(
    seed: int, n_samples: int, n_leads: int, percent: float, level: float
) -> None:
    generator = np.random.default_rng(seed)
    walk = np.cumsum(generator.standard_t(2, (n_samples, n_leads)), axis=0)
    samples = np.clip(np.rint(walk * level), -(2**31) + 1, 2**31 - 1).astype(np.int32)
    samples[:, 0] = samples[0, 0] if seed % 3 == 0 else samples[:, 0]
    decoded = sancodec.decode(encode(samples, percent)).samples
    assert np.all(prdn(samples, decoded) <= percent * (1 + 1e-12))


def test_flat_saturated_and_missing_samples() -> None:
    samples = RECORD.samples[:, :2].astype(np.int16)
    samples[:, 1] = np.clip(samples[:, 1], -50, 60)
    samples = np.column_stack([samples, np.full(len(samples), -3, np.int16)])
    samples[100:300, 0] = samples[-1, 1] = -32768
    decoded = sancodec.decode(encode(samples, 6.0)).samples
    np.testing.assert_array_equal(decoded == -32768, samples == -32768)
    np.testing.assert_array_equal(decoded[:, 2], samples[:, 2])
    for lead in range(2):
        there = samples[:, lead] != -32768
        assert prdn(samples[there, lead, None], decoded[there, lead, None])[0] <= 6.0


@pytest.mark.parametrize("fs", [4.0, 4000.0])
def test_slow_and_fast_signals(fs: float) -> None:
    generator = np.random.default_rng(8)
    samples = np.cumsum(generator.normal(0, 9, (3000, 1)), axis=0).astype(np.int32)
    encoded = sancodec.encode(samples, fs=fs, config=CodecConfig(fidelity=TargetPrdn(3)))
    assert prdn(samples, sancodec.decode(encoded).samples)[0] <= 3


def test_channels_of_several_frequencies() -> None:
    generator = np.random.default_rng(9)
    signals = [np.cumsum(generator.normal(0, 5, 500 * n)).astype(np.int32) for n in (1, 4, 2)]
    channels = tuple(Channel(samples_per_frame=n) for n in (1, 4, 2))
    record = Recording(name="mixed", fs=50.0, channels=channels, signals=tuple(signals))
    decoded = sancodec.decode(encode(record, 4.0))
    for original, found in zip(record.signals, decoded.signals, strict=True):
        assert prdn(original[:, None], found[:, None])[0] <= 4.0


def test_the_same_settings_give_the_same_bytes_on_any_number_of_threads() -> None:
    from sancodec.codec import encode_stream
    from sancodec.formats.arrays import ArraySource

    config = CodecConfig(fidelity=TargetPrdn(5), chunk_seconds=7)
    streams = [io.BytesIO(), io.BytesIO()]
    for jobs, stream in zip((1, 3), streams, strict=True):
        encode_stream(ArraySource(RECORD), stream, config, jobs=jobs)
    assert streams[0].getvalue() == streams[1].getvalue()


def test_inspect_says_what_was_promised_and_what_was_reached() -> None:
    encoded = encode(RECORD, 5.0)
    report, _ = inspect_stream(io.BytesIO(encoded), "record")
    found = prdn(RECORD.samples, sancodec.decode(encoded).samples)
    assert "5 %" in report.fidelity
    np.testing.assert_allclose([signal.prdn for signal in report.signals], found, rtol=1e-3)
    errors = np.abs(sancodec.decode(encoded).samples.astype(int) - RECORD.samples).max(axis=0)
    assert [signal.max_error for signal in report.signals] == errors.tolist()


def test_san_only_is_the_reconstruction_around_a_level() -> None:
    simulation = Simulation(fs=250.0, duration_seconds=70)
    record = simulate_record(simulation, np.random.default_rng(20))
    encoded = sancodec.encode(record, config=CodecConfig(fidelity=SanOnly(), kernels="fit"))
    assert len(encoded) < len(encode(record, 2.0))
    with sancodec.open(encoded) as file:
        assert file.summary.n_activations > 50
        preview = np.concatenate([span.samples for span in file.spans(layer="san")])
    decoded = sancodec.decode(encoded).samples
    level = np.unique(decoded - preview, axis=0)
    assert len(level) < 5, "more than a level and rounding stands beside the preview"
    assert np.all(prdn(record.samples, decoded) < 100)


def test_san_only_of_a_record_without_a_layer_is_refused() -> None:
    config = CodecConfig(fidelity=SanOnly(), model="none")
    with pytest.raises(ConfigError, match="SAN"):
        sancodec.encode(RECORD, config=config)


@pytest.mark.parametrize("percent", [0.0, -1.0, 101.0, float("nan"), float("inf")])
def test_a_target_that_cannot_be_is_refused(percent: float) -> None:
    for kind in (TargetPrdn, MeanPrdn):
        with pytest.raises(ConfigError):
            kind(percent)


@pytest.mark.parametrize("bound", [1, 2, 3, 12, 90])
def test_no_sample_is_off_by_more_than_the_bound(bound: int) -> None:
    config = CodecConfig(fidelity=MaxError((str(bound),)))
    encoded = sancodec.encode(RECORD, config=config)
    errors = np.abs(sancodec.decode(encoded).samples.astype(int) - RECORD.samples)
    assert max(bound - 1, 1) <= errors.max() <= bound
    assert len(encoded) < len(sancodec.encode(RECORD))


def test_large_bounds_are_smaller_by_the_transform_and_small_ones_in_steps() -> None:
    for bound, mode in (("1", MODE_STEPPED), ("60", MODE_BOUNDED)):
        config = CodecConfig(fidelity=MaxError((bound,)), model="none")
        with sancodec.open(sancodec.encode(RECORD, config=config)) as file:
            assert file.container.read_chunk(0)[0] == mode


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_samples=st.integers(1, 700),
    bounds=st.lists(st.integers(0, 1 << 20), min_size=1, max_size=4),
    level=st.floats(0.1, 1e6),
)
def test_any_record_keeps_any_bound(
    seed: int, n_samples: int, bounds: list[int], level: float
) -> None:
    generator = np.random.default_rng(seed)
    walk = np.cumsum(generator.standard_t(2, (n_samples, len(bounds))), axis=0)
    samples = np.clip(np.rint(walk * level), -(2**31), 2**31 - 1).astype(np.int32)
    config = CodecConfig(fidelity=MaxError(tuple(str(bound) for bound in bounds)))
    decoded = sancodec.decode(sancodec.encode(samples, fs=250.0, config=config)).samples
    errors = np.abs(decoded.astype(np.int64) - samples).max(axis=0)
    assert np.all(errors <= bounds)
    # The least int32 stands for a sample that is missing.
    np.testing.assert_array_equal(decoded == -(2**31), samples == -(2**31))


def test_bounds_keep_flat_saturated_and_missing_samples() -> None:
    samples = np.clip(RECORD.samples[:, :2], -300, 250).astype(np.int16)
    samples = np.column_stack([samples, np.full(len(samples), -3, np.int16)])
    samples[100:300, 0] = samples[-1, 1] = -32768
    for bound in (2, 40):
        config = CodecConfig(fidelity=MaxError((str(bound),)))
        decoded = sancodec.decode(sancodec.encode(samples, fs=250.0, config=config)).samples
        np.testing.assert_array_equal(decoded == -32768, samples == -32768)
        assert np.abs(decoded - samples.astype(int)).max() <= bound
        assert decoded[:, :2].max() <= 250


def test_a_bound_in_a_unit_is_rounded_down_to_adc_units() -> None:
    channels = [Channel(name="II", units="mV", adc_gain=200.0), Channel(units="uV", adc_gain=0.5)]
    assert MaxError(("10uV",)).in_adc_units(channels) == (2, 5)
    assert MaxError(("9.9 uV", "3")).in_adc_units(channels) == (1, 3)
    assert MaxError(("0.005mV",)).in_adc_units(channels) == (1, 2)
    with pytest.raises(ConfigError, match="mmHg"):
        MaxError(("1mmHg",)).in_adc_units(channels)
    with pytest.raises(ConfigError, match="3 bounds for 2"):
        MaxError(("1", "2", "3")).in_adc_units(channels)


@pytest.mark.parametrize("bounds", [(), ("",), ("-1",), ("1.5",), ("10 m V",), ("nan",)])
def test_bounds_that_are_none_are_refused(bounds: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        MaxError(bounds)


@pytest.mark.parametrize("ratio", [8.0, 30.0])
def test_a_size_is_used_up_and_never_passed(ratio: float) -> None:
    most = RECORD.samples.size * 16 / ratio / 8
    encoded = sancodec.encode(RECORD, config=CodecConfig(fidelity=TargetSize(ratio=ratio)))
    assert 0.95 * most <= len(encoded) <= most
    bits = 16 / ratio
    same = sancodec.encode(RECORD, config=CodecConfig(fidelity=TargetSize(bits_per_sample=bits)))
    assert same == encoded


def test_a_larger_size_is_better() -> None:
    errors = []
    for ratio in (10.0, 20.0, 40.0):
        config = CodecConfig(fidelity=TargetSize(ratio=ratio))
        errors.append(
            prdn(RECORD.samples, sancodec.decode(sancodec.encode(RECORD, config=config)).samples)
        )
    assert np.all(errors[0] < errors[1])
    assert np.all(errors[1] < errors[2])


def test_a_size_that_no_file_has_is_refused() -> None:
    config = CodecConfig(fidelity=TargetSize(bits_per_sample=0.001))
    with pytest.raises(ConfigError, match="fewer than"):
        sancodec.encode(RECORD, config=config)


@pytest.mark.parametrize(
    ("bits", "ratio"), [(None, None), (1.0, 2.0), (0.0, None), (None, float("nan"))]
)
def test_sizes_that_are_none_are_refused(bits: float | None, ratio: float | None) -> None:
    with pytest.raises(ConfigError):
        TargetSize(bits, ratio)


@pytest.mark.parametrize(
    "fidelity",
    [
        Lossless(),
        TargetPrdn(4.5),
        MeanPrdn(3.0),
        MaxError(("3", "10uV")),
        TargetSize(ratio=20.0),
        SanOnly(),
    ],
)
def test_settings_survive_json(fidelity: Fidelity) -> None:
    config = CodecConfig(fidelity=fidelity)
    assert CodecConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_a_fidelity_that_is_none_is_refused() -> None:
    for wrong in ({"kind": "best"}, {"kind": "prdn"}, {"kind": "lossless", "percent": 1}):
        with pytest.raises(ConfigError):
            CodecConfig.from_json({"fidelity": wrong})
