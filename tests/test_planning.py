"""The encoder's choice: a SAN layer where it pays, and nothing spent where it does not."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from make_golden import FOLDER

import sancodec
from sancodec import Channel, CodecConfig, Recording, planning
from sancodec.errors import ConfigError, ModelError
from sancodec.formats.arrays import ArraySource
from sancodec.formats.container import ContainerReader
from sancodec.planning import (
    DEFAULT_CHUNK_SECONDS,
    MAX_CHUNK_SAMPLES,
    MIN_CHUNK_FRAMES,
    EncodingPlan,
    chunk_frames_of,
    plan_record,
)
from sancodec.runtime import SynthesisSession, open_session


@pytest.fixture(scope="module")
def session() -> SynthesisSession:
    return open_session("cpu")


@pytest.fixture(scope="module")
def beating() -> Recording:
    """Beats that look like the shipped model's."""
    return sancodec.decode(FOLDER / "model.san")


def plan(record: Recording, session: SynthesisSession, **settings: Any) -> EncodingPlan:
    config = CodecConfig(**settings)
    source = ArraySource(record)
    return plan_record(source, config, session, chunk_frames_of(source, config))


def source(fs: float, n_channels: int, spf: int = 1) -> ArraySource:
    channels = (Channel(samples_per_frame=spf),) * n_channels
    nothing = (np.zeros(0, np.int32),) * n_channels
    return ArraySource(Recording(name="x", fs=fs, channels=channels, signals=nothing))


def noise_like(record: Recording) -> Recording:
    generator = np.random.default_rng(5)
    signals = tuple(generator.integers(-50, 51, s.size).astype(np.int32) for s in record.signals)
    return replace(record, signals=signals)


@pytest.mark.parametrize("kernels", ["auto", "model"])
def test_the_model_is_used_where_it_pays(
    beating: Recording, session: SynthesisSession, kernels: str
) -> None:
    found = plan(beating, session, kernels=kernels)
    assert found.chunks.san is not None
    assert found.model_name == "ecg"
    with_layer = sancodec.encode(beating, config=CodecConfig(kernels=kernels))
    assert len(with_layer) < 0.97 * len(sancodec.encode(beating, config=CodecConfig(model="none")))


@pytest.mark.parametrize("kernels", ["auto", "fit"])
def test_noise_gets_no_san_layer(
    beating: Recording, session: SynthesisSession, kernels: str
) -> None:
    assert plan(noise_like(beating), session, kernels=kernels).chunks.san is None


def test_what_is_asked_for_by_name_is_not_put_to_the_test(
    beating: Recording, session: SynthesisSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preview is worth its bits to who asks for it, here where it would lose every trial."""
    genuine = planning.predictive_bits

    def biased(samples: Any, fs: float, san: Any, beats: Any, n_kernels: int) -> Any:
        return genuine(samples, fs, san, beats, n_kernels) + (1e9 if san.any() else 0.0)

    monkeypatch.setattr(planning, "predictive_bits", biased)
    assert plan(beating, session).chunks.san is None
    assert plan(beating, session, kernels="model").chunks.san is not None
    assert plan(beating, session, model="ecg").chunks.san is not None


def test_a_lead_of_noise_takes_no_part(beating: Recording, session: SynthesisSession) -> None:
    noise = noise_like(beating).signals[1]
    mixed = replace(beating, signals=(beating.signals[0], noise, beating.signals[2]))
    found = plan(mixed, session).chunks
    assert found.san is not None
    assert 1 not in [found.groups[0].channels[lead] for lead in found.san.leads]
    decoded = sancodec.decode(sancodec.encode(mixed))
    np.testing.assert_array_equal(decoded.samples, mixed.samples)


def test_a_dead_lead_takes_no_part(beating: Recording, session: SynthesisSession) -> None:
    dead = np.full_like(beating.signals[0], 1024)
    mixed = replace(beating, signals=(dead, *beating.signals[1:]))
    found = plan(mixed, session, kernels="model")
    assert found.chunks.san is not None
    group = found.chunks.groups[0]
    assert 0 not in [group.channels[lead] for lead in found.chunks.san.leads]
    decoded = sancodec.decode(sancodec.encode(mixed))
    np.testing.assert_array_equal(decoded.samples, mixed.samples)


def test_nothing_is_looked_for_when_the_layer_is_switched_off(
    beating: Recording, session: SynthesisSession
) -> None:
    assert plan(beating, session, model="none").chunks.san is None
    with pytest.raises(ConfigError, match="needs a SAN layer; model is none"):
        plan(beating, session, model="none", kernels="fit")


def test_signals_too_slow_for_beats_get_no_layer(
    beating: Recording, session: SynthesisSession
) -> None:
    assert plan(replace(beating, fs=4.0), session).chunks.san is None


def test_a_model_that_the_frequency_rules_out_is_named_only_when_asked_for(
    beating: Recording, session: SynthesisSession
) -> None:
    fast = replace(beating, fs=1e9)
    assert plan(fast, session).chunks.san is None
    with pytest.raises(ModelError, match="sampling frequency"):
        plan(fast, session, model="ecg")


def test_the_layer_goes_to_the_group_with_most_samples(
    beating: Recording, session: SynthesisSession
) -> None:
    slow = beating.signals[0][::1][: beating.n_frames // 2] // 4
    channels = (Channel(name="RESP"), Channel(name="ECG", samples_per_frame=2))
    mixed = Recording(name="mixed", fs=125.0, channels=channels, signals=(slow, beating.signals[0]))
    found = plan(mixed, session, kernels="model")
    assert found.chunks.san is not None
    assert found.chunks.groups[found.chunks.san.group].channels == (1,)
    decoded = sancodec.decode(sancodec.encode(mixed))
    for signal, original in zip(decoded.signals, mixed.signals, strict=True):
        np.testing.assert_array_equal(signal, original)


@pytest.mark.parametrize("gain", [1 << 12, 1 << 18, 1 << 22])
def test_loud_records_come_back_whatever_their_layer_sums_up_to(
    beating: Recording, gain: int
) -> None:
    limits = np.iinfo(np.int32)
    signals = tuple(
        np.clip(s.astype(np.int64) * gain, limits.min, limits.max).astype(np.int32)
        for s in beating.signals
    )
    loud = replace(beating, signals=signals)
    for kernels in ("model", "fit"):
        decoded = sancodec.decode(sancodec.encode(loud, config=CodecConfig(kernels=kernels)))
        np.testing.assert_array_equal(decoded.samples, loud.samples)


def test_full_scale_beats_come_back() -> None:
    t = np.arange(6000)
    beats = np.full(6000, -(2.0**31))
    for at in range(300, 5900, 211):
        beats += (2.0**32 - 2) * np.exp(-(((t - at) / 6.0) ** 2))
    up = np.clip(np.rint(beats), -(1 << 31), (1 << 31) - 1).astype(np.int64)
    samples = np.stack([up, -up - 1], axis=1)
    for kernels in ("fit", "model", "auto"):
        encoded = sancodec.encode(samples, fs=250.0, config=CodecConfig(kernels=kernels))
        np.testing.assert_array_equal(sancodec.decode(encoded).samples, samples)


def test_a_chunk_too_loud_for_its_layer_goes_without(
    beating: Recording, session: SynthesisSession
) -> None:
    quiet = plan(beating, session, kernels="model")
    loud = replace(
        beating, signals=tuple(np.clip(s, -400, 400) * np.int32(5_000_000) for s in beating.signals)
    )
    assert quiet.chunks.san is not None
    exponents = (24,) * len(quiet.chunks.san.leads)
    limited = replace(
        quiet, chunks=replace(quiet.chunks, san=replace(quiet.chunks.san, exponents=exponents))
    )
    found = limited.activations(loud, 0, loud.n_frames)
    assert found is not None
    assert found.n_activations == 0


def test_activations_at_the_seams_are_in_the_chunks_that_they_reach(
    beating: Recording, session: SynthesisSession
) -> None:
    found = plan(beating, session, kernels="model")
    whole = found.activations(beating, 0, beating.n_frames)
    part = found.activations(beating, 1000, 1000)
    assert whole is not None
    assert part is not None
    inside = (whole.position >= 4000) & (whole.position < 8000)
    # Every activation within the chunk is there, counted from its first sample.
    assert set((whole.position[inside] - 4000).tolist()) <= set(part.position.tolist())
    assert found.chunks.san is not None
    bank = found.chunks.san.bank
    assert part.position.min() > -4 * (bank.n_taps - bank.centre)
    assert part.position.max() < 4 * (1000 + bank.centre)


@pytest.mark.parametrize(
    ("fs", "seconds", "n_channels", "frames"),
    [
        (360.0, None, 2, round(360 * DEFAULT_CHUNK_SECONDS)),
        (4.0, None, 2, MIN_CHUNK_FRAMES),
        (360.0, 10.0, 2, 3600),
        (360.0, 1e-9, 2, 1),
        (360.0, 1e12, 2, MAX_CHUNK_SAMPLES // 2),
        (1e308, 1e308, 2, MAX_CHUNK_SAMPLES // 2),
        (1e5, None, 256, MAX_CHUNK_SAMPLES // 256),
    ],
)
def test_chunks_are_as_long_as_asked_and_as_memory_allows(
    fs: float, seconds: float | None, n_channels: int, frames: int
) -> None:
    config = CodecConfig(chunk_seconds=seconds)
    assert chunk_frames_of(source(fs, n_channels), config) == frames


def test_fitted_kernels_are_in_the_file_and_the_model_is_not(beating: Recording) -> None:
    fitted = ContainerReader(io.BytesIO((FOLDER / "fitted.san").read_bytes())).header
    shipped = ContainerReader(io.BytesIO((FOLDER / "model.san").read_bytes())).header
    assert fitted.kernels
    assert not fitted.model_digest
    assert len(shipped.model_digest) == 32
    assert not shipped.kernels
