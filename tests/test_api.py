"""The codec as Python users call it: arrays in, the same arrays out."""

from __future__ import annotations

import gc
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from make_golden import FOLDER, _simulated
from numpy.typing import NDArray

import sancodec
from sancodec import Channel, CodecConfig, Recording, api
from sancodec.config import LEVELS
from sancodec.errors import CorruptError, ModelError, ProviderError, RecordError, VerifyError
from sancodec.san_file import SanFile

INT32 = np.iinfo(np.int32)


def check(samples: NDArray[Any], **settings: Any) -> bytes:
    encoded = sancodec.encode(samples, fs=250.0, **settings)
    decoded = sancodec.decode(encoded)
    np.testing.assert_array_equal(decoded.samples, samples.reshape(len(samples), -1))
    return encoded


@pytest.mark.parametrize(
    "dtype",
    ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", ">i2", ">i4"],
)
def test_integers_of_every_type_come_back(dtype: str) -> None:
    limits = np.iinfo(dtype)
    low, high = max(limits.min, INT32.min), min(limits.max, INT32.max)
    samples = np.random.default_rng(0).integers(low, high, (300, 2), endpoint=True).astype(dtype)
    samples[:2, 0] = low, high
    check(samples)


@given(arrays(np.int32, st.tuples(st.integers(1, 60), st.integers(1, 4))))
@settings(max_examples=40, deadline=None)
def test_any_array_comes_back(samples: NDArray[np.int32]) -> None:
    for level in LEVELS:
        check(samples, config=CodecConfig(level=level))


@given(
    arrays(
        np.int32,
        st.tuples(st.integers(1, 300), st.integers(1, 3)),
        elements=st.sampled_from([INT32.min, INT32.max, 0, 1, -1]),
        fill=st.just(0),
    )
)
@settings(max_examples=40, deadline=None)
def test_any_array_of_extremes_comes_back(samples: NDArray[np.int32]) -> None:
    for level in LEVELS:
        check(samples, config=CodecConfig(level=level))


@pytest.mark.parametrize("level", LEVELS)
def test_full_scale_signals_of_some_length_come_back(level: str) -> None:
    generator = np.random.default_rng(6)
    for period in (2, 3, 50, 700):
        high = generator.random(4000 // period + 1).repeat(period)[:4000] < 0.5
        samples = np.where(high, INT32.max, INT32.min)
        check(
            np.stack([samples, samples[::-1], samples // 3], axis=1),
            config=CodecConfig(level=level),
        )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("n_samples", range(1, 14))
def test_the_shortest_records_come_back(n_samples: int, level: str) -> None:
    samples = np.random.default_rng(n_samples).integers(-99, 99, (n_samples, 2))
    check(samples, config=CodecConfig(level=level))


@pytest.mark.parametrize("n_channels", [1, 16, 40])
def test_many_channels_come_back(n_channels: int) -> None:
    generator = np.random.default_rng(n_channels)
    sources = np.cumsum(generator.integers(-20, 21, (400, 3)), axis=0)
    check(np.rint(sources @ generator.normal(0, 1, (3, n_channels))).astype(np.int16))


@pytest.mark.parametrize("order", ["C", "F"])
def test_views_of_any_layout_come_back(order: Any) -> None:
    wide = np.asarray(np.random.default_rng(1).integers(-9, 9, (900, 8)), order=order)
    check(wide[100:700:2, ::3])
    check(wide[::-1, 0])


@pytest.mark.parametrize("fs", [1e-300, 0.1, 1e6, 1e12, 1e308])
def test_any_sampling_frequency_comes_back(fs: float) -> None:
    samples = np.random.default_rng(1).integers(-50, 50, (200, 2))
    decoded = sancodec.decode(sancodec.encode(samples, fs=fs))
    assert decoded.fs == fs
    np.testing.assert_array_equal(decoded.samples, samples)


@pytest.mark.parametrize("spf", [(1, 1), (4, 1, 2), (1, 32)])
def test_mixed_frequencies_come_back(spf: tuple[int, ...]) -> None:
    generator = np.random.default_rng(3)
    channels = tuple(
        Channel(
            name=f"c{i}", units="mmHg", adc_gain=-2.5, baseline=-7, adc_res=12, samples_per_frame=n
        )
        for i, n in enumerate(spf)
    )
    walks = (np.cumsum(generator.integers(-9, 10, 150 * n)) for n in spf)
    original = Recording(
        name="mixed", fs=15.5, channels=channels, signals=tuple(w.astype(np.int32) for w in walks)
    )
    decoded = sancodec.decode(sancodec.encode(original, config=CodecConfig(chunk_seconds=4)))
    assert (decoded.name, decoded.fs, decoded.channels) == ("mixed", 15.5, channels)
    for found, expected in zip(decoded.signals, original.signals, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((9, 2)),
        np.zeros((9, 2), bool),
        np.zeros((9, 2), complex),
        np.zeros((2, 2, 2), int),
        np.zeros((0, 2), int),
        np.zeros((9, 0), int),
        np.array([[INT32.max + 1]]),
        np.array([[INT32.min - 1]]),
    ],
    ids=str,
)
def test_what_is_no_record_is_refused(samples: NDArray[Any]) -> None:
    with pytest.raises(RecordError):
        sancodec.encode(samples, fs=250.0)


@pytest.mark.parametrize("fs", [None, 0.0, -1.0, np.nan, np.inf])
def test_no_sampling_frequency_is_refused(fs: Any) -> None:
    with pytest.raises(RecordError, match="sampling frequency"):
        sancodec.encode(np.zeros((9, 2), int), fs=fs)


def test_a_model_that_is_not_there_is_refused() -> None:
    samples = np.random.default_rng(0).integers(-9, 9, (900, 1))
    with pytest.raises(ModelError, match="model nosuch"):
        sancodec.encode(samples, fs=250.0, config=CodecConfig(model="nosuch"))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kernels", ["auto", "fit", "model"])
def test_the_same_input_and_settings_give_the_same_bytes(kernels: str, level: str) -> None:
    record = _simulated(12.0, 2)
    config = CodecConfig(kernels=kernels, chunk_seconds=7, level=level)
    encoded = sancodec.encode(record, config=config)
    assert sancodec.encode(record, config=config) == encoded
    assert sancodec.encode(record, config=config, verify=False) == encoded
    np.testing.assert_array_equal(sancodec.decode(encoded).samples, record.samples)


def test_an_array_and_its_recording_give_the_same_bytes() -> None:
    record = _simulated(3.0, 2)
    again = sancodec.encode(
        record.samples, fs=record.fs, channels=record.channels, name=record.name
    )
    assert again == sancodec.encode(record)


def test_what_does_not_decode_to_its_samples_is_not_given_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = np.random.default_rng(0).integers(-9, 9, (300, 1))
    genuine = api.encode_stream

    def changed(source: Any, stream: io.BytesIO, config: CodecConfig) -> None:
        genuine(source, stream, config)
        stream.getbuffer()[len(stream.getvalue()) // 2] ^= 1

    def others(source: Any, stream: io.BytesIO, config: CodecConfig) -> None:
        other = api.ArraySource(samples + 1, fs=250.0, name=source.name)
        genuine(other, stream, config)

    for wrong in (changed, others):
        monkeypatch.setattr(api, "encode_stream", wrong)
        with pytest.raises(VerifyError, match="record: the encoded bytes do not decode"):
            sancodec.encode(samples, fs=250.0)
        assert sancodec.encode(samples, fs=250.0, verify=False)


def test_files_are_opened_by_path_and_by_bytes(tmp_path: Path) -> None:
    golden = FOLDER / "plain.san"
    expected = sancodec.decode(golden.read_bytes()).samples
    for source in (golden, str(golden)):
        np.testing.assert_array_equal(sancodec.decode(source).samples, expected)
    with sancodec.open(golden) as file:
        assert isinstance(file, SanFile)
        np.testing.assert_array_equal(file.read(700, 800).samples, expected[700:800])
    with pytest.raises(RecordError, match=r"nosuch\.san: cannot be read"):
        sancodec.open(tmp_path / "nosuch.san")


def test_a_file_that_cannot_be_opened_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "broken.san"
    path.write_bytes((FOLDER / "plain.san").read_bytes()[:-1])
    with pytest.raises(CorruptError, match=r"broken\.san"):
        sancodec.decode(path)
    # A file left open would warn here, and warnings are errors.
    gc.collect()


def test_an_unknown_provider_is_refused_before_samples_are_given() -> None:
    with sancodec.open(FOLDER / "model.san", provider="cuda") as file:
        try:
            found = file.read()
        except ProviderError:
            return
        np.testing.assert_array_equal(found.samples, sancodec.decode(FOLDER / "model.san").samples)


def test_public_names_are_those_promised() -> None:
    for name in sancodec.__all__:
        assert hasattr(sancodec, name)
    with pytest.raises(AttributeError, match="nosuch"):
        sancodec.nosuch  # noqa: B018
