"""The encoder's choice: a SAN layer where it pays, and nothing spent where it does not."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from make_golden import FOLDER
from numpy.typing import NDArray

import sancodec
from sancodec import Channel, CodecConfig, Recording, layer_search
from sancodec.errors import ConfigError, ModelError
from sancodec.formats.arrays import ArraySource
from sancodec.formats.container import ContainerReader
from sancodec.layer_search import LayerSearch
from sancodec.planning import (
    DEFAULT_CHUNK_SECONDS,
    MAX_CHUNK_SAMPLES,
    MIN_CHUNK_FRAMES,
    EncodingPlan,
    chunk_frames_of,
    plan_record,
)
from sancodec.runtime import SynthesisSession, open_session
from sancodec.signal_types import clock_of, identify


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
    assert [name.name for name in found.names] == ["ecg"]
    with_layer = sancodec.encode(beating, config=CodecConfig(kernels=kernels))
    assert len(with_layer) < 0.97 * len(sancodec.encode(beating, config=CodecConfig(model="none")))


@pytest.mark.parametrize("kernels", ["auto", "fit"])
def test_noise_gets_no_san_layer(
    beating: Recording, session: SynthesisSession, kernels: str
) -> None:
    assert plan(noise_like(beating), session, kernels=kernels).chunks.layers == ()


def test_what_is_asked_for_by_name_is_not_put_to_the_test(
    beating: Recording, session: SynthesisSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preview is worth its bits to who asks for it, here where it would lose every trial."""
    genuine = layer_search.wide_bits

    def biased(samples: Any, fs: float, san: Any, beats: Any, n_kernels: int) -> Any:
        return genuine(samples, fs, san, beats, n_kernels) + (1e9 if san.any() else 0.0)

    monkeypatch.setattr(layer_search, "wide_bits", biased)
    assert plan(beating, session).chunks.layers == ()
    assert plan(beating, session, kernels="model").chunks.layers
    assert plan(beating, session, model="ecg").chunks.layers


def test_a_lead_of_noise_takes_no_part(beating: Recording, session: SynthesisSession) -> None:
    noise = noise_like(beating).signals[1]
    mixed = replace(beating, signals=(beating.signals[0], noise, beating.signals[2]))
    found = plan(mixed, session).chunks
    (san,) = found.layers
    assert 1 not in [found.groups[0].channels[lead] for lead in san.leads]
    decoded = sancodec.decode(sancodec.encode(mixed))
    np.testing.assert_array_equal(decoded.samples, mixed.samples)


def test_a_dead_lead_takes_no_part(beating: Recording, session: SynthesisSession) -> None:
    dead = np.full_like(beating.signals[0], 1024)
    mixed = replace(beating, signals=(dead, *beating.signals[1:]))
    found = plan(mixed, session, kernels="model")
    (san,) = found.chunks.layers
    assert 0 not in [found.chunks.groups[0].channels[lead] for lead in san.leads]
    decoded = sancodec.decode(sancodec.encode(mixed))
    np.testing.assert_array_equal(decoded.samples, mixed.samples)


def test_nothing_is_looked_for_when_the_layer_is_switched_off(
    beating: Recording, session: SynthesisSession
) -> None:
    assert plan(beating, session, model="none").chunks.layers == ()
    with pytest.raises(ConfigError, match="needs a SAN layer; model is none"):
        plan(beating, session, model="none", kernels="fit")


def named(record: Recording, *names: str) -> Recording:
    channels = tuple(
        replace(channel, name=name) for channel, name in zip(record.channels, names, strict=True)
    )
    return replace(record, channels=channels)


def pulses(n_samples: int, clock: float, seed: int, width: float = 1.0) -> NDArray[np.float64]:
    """Pulses at random places in some noise, as wide and as far apart as beats at this clock."""
    generator = np.random.default_rng(seed)
    t = np.arange(n_samples)
    signal = generator.normal(0.0, 2.0, n_samples)
    place = clock
    while place < n_samples - clock:
        u = (t - place) / (0.014 * width * clock)
        signal += 260 * np.exp(-(u**2)) - 70 * np.exp(-((u / 1.2 - 2) ** 2))
        place += generator.uniform(0.6, 1.0) * clock
    return signal


def test_an_ecg_too_slow_for_its_beats_gets_no_layer(
    beating: Recording, session: SynthesisSession
) -> None:
    slow = named(replace(beating, fs=4.0), "I", "II", "III")
    assert plan(slow, session).chunks.layers == ()


@pytest.mark.parametrize(
    ("name", "fs", "width"),
    [
        ("FHR", 4.0, 1.0),
        ("RESP", 25.0, 1.0),
        ("PLETH", 125.0, 1.0),
        ("EMG", 4000.0, 1.0),
        ("voice", 8000.0, 1.0),
        ("what", 4.0, 1.0),
        ("what", 10_000.0, 0.3),
    ],
)
def test_kernels_are_fitted_at_the_pace_of_the_signal(
    session: SynthesisSession, name: str, fs: float, width: float
) -> None:
    """From 4 Hz to 10 kHz: with the lengths of an ECG these would be noise, or of no sample."""
    channels = (Channel(name=name, units="NU"),)
    clock = clock_of(identify(channels[0], fs).kind, fs)
    signal = pulses(max(30_000, int(70 * clock)), clock, 3, width)
    record = Recording(
        name="paced", fs=fs, channels=channels, signals=(np.rint(signal).astype(np.int32),)
    )
    # At this level nothing is told change by change, which may be less for so few values.
    found = plan(record, session, level="fast")
    (san,) = found.chunks.layers
    assert san.clock == clock
    assert san.bank.fs == fs
    encoded = sancodec.encode(record, config=CodecConfig(level="fast"))
    np.testing.assert_array_equal(sancodec.decode(encoded).samples, record.samples)
    without = CodecConfig(model="none", level="fast")
    assert len(encoded) < len(sancodec.encode(record, config=without))


def test_what_is_told_change_by_change_has_no_layer(session: SynthesisSession) -> None:
    """Kernels and activations would be in the file, and nothing would be predicted from them."""
    signal = np.rint(pulses(30_000, 250.0, 3, 1.0) / 25) * 25
    record = of_kinds([signal], "ECG")
    assert plan(record, session, level="fast").chunks.layers
    found = plan(record, session)
    assert found.chunks.layers == ()
    assert "changes" in found.signals[0].decided_by
    assert len(sancodec.encode(record)) <= len(
        sancodec.encode(record, config=CodecConfig(model="none"))
    )


def of_kinds(signals: list[NDArray[np.float64]], *names: str) -> Recording:
    return Recording(
        name="kinds",
        fs=250.0,
        channels=tuple(Channel(name=name, units="mV") for name in names),
        signals=tuple(np.rint(signal).astype(np.int32) for signal in signals),
    )


def owners(found: EncodingPlan) -> list[list[int]]:
    groups = found.chunks.groups
    layers = found.chunks.layers
    return sorted(sorted(groups[san.group].channels[i] for i in san.leads) for san in layers)


def test_signals_of_several_kinds_each_have_their_own_kernels(session: SynthesisSession) -> None:
    """A pulse that keeps no time with the ECG: one bank would describe neither."""
    noise = np.random.default_rng(0).normal(0, 6.0, 25_000)
    ecg, pleth = pulses(25_000, 250.0, 1), pulses(25_000, 250.0, 2, width=1.5)
    resp = np.cumsum(np.random.default_rng(4).normal(0, 3.0, 25_000))
    record = of_kinds([ecg + noise, pleth + noise, resp], "II", "PLETH", "RESP")
    found = plan(record, session)
    assert owners(found) == [[0], [1]]
    # What the two share is still predicted: they stay in one group.
    assert any({0, 1} <= set(group.channels) for group in found.chunks.groups)
    assert [signal.kind for signal in found.signals] == ["ecg", "ppg", "respiration"]
    assert not found.signals[2].kernels
    encoded = sancodec.encode(record)
    np.testing.assert_array_equal(sancodec.decode(encoded).samples, record.samples)


def test_signals_that_beat_together_share_their_activations(session: SynthesisSession) -> None:
    ecg = pulses(25_000, 250.0, 1)
    pleth = 0.5 * np.roll(pulses(25_000, 250.0, 1, width=2.0), 40)
    record = of_kinds([ecg, pleth], "II", "PLETH")
    assert owners(plan(record, session)) == [[0, 1]]


def test_kinds_that_only_disturb_each_other_are_coded_apart(
    session: SynthesisSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = layer_search.wide_bits

    def disturbed(samples: Any, *regressors: Any) -> Any:
        return genuine(samples, *regressors) * (1.0 + 0.05 * len(samples))

    monkeypatch.setattr(layer_search, "wide_bits", disturbed)
    signals = [pulses(25_000, 250.0, seed) for seed in range(4)]
    record = of_kinds(signals, "GSR", "II", "RESP", "V")
    found = plan(record, session)
    # Leads of one kind stay together all the same.
    assert sorted(sorted(group.channels) for group in found.chunks.groups) == [[0], [1, 3], [2]]
    encoded = sancodec.encode(record)
    np.testing.assert_array_equal(sancodec.decode(encoded).samples, record.samples)
    with sancodec.open(encoded) as file:
        assert file.plan.groups == found.chunks.groups


@pytest.mark.parametrize(
    ("saved_each", "gains", "chosen"),
    [
        (20.0, {1.0: 10.0, 3.0: 30.0, 6.0: 25.0}, 3.0),
        (20.0, {1.0: 10.0, 3.0: 30.0, 6.0: 35.0}, 6.0),
        (20.0, {1.0: 10.0, 3.0: 5.0, 6.0: 90.0}, 1.0),
        (200.0, {1.0: 10.0, 3.0: 30.0, 6.0: 25.0}, 1.0),
    ],
)
def test_activations_that_save_little_are_kept_to_those_that_save_more(
    session: SynthesisSession,
    monkeypatch: pytest.MonkeyPatch,
    saved_each: float,
    gains: dict[float, float],
    chosen: float,
) -> None:
    """A matched filter promises more than a residual that adapts as well then saves."""
    samples = np.rint(pulses(30_000, 100.0, 9)).astype(np.int32)[None]
    channels = (Channel(name="EMG", units="mV"),)
    record = Recording(name="emg", fs=4000.0, channels=channels, signals=(samples[0],))
    found = plan(record, session)
    search = replace(found.searches[0], strictness=1.0)
    trial = layer_search.Trial(found.chunks.groups[0], samples, session, 1.0)

    def judged(own: LayerSearch, _: float) -> Any:
        return layer_search._Worth(gains[own.strictness], own, saved_each)

    monkeypatch.setattr(trial, "_worth", judged)
    gain, best = trial.worth(search, 0.0)
    assert (gain, best.strictness) == (gains[chosen], chosen)


def test_the_stricter_the_search_the_fewer_the_activations(session: SynthesisSession) -> None:
    generator = np.random.default_rng(8)
    signal, t = generator.normal(0, 6.0, 30_000), np.arange(30_000)
    for place in range(100, 29_900, 90):
        signal += generator.uniform(0, 200) * np.exp(-(((t - place) / 2.0) ** 2))
    samples = np.rint(signal).astype(np.int32)[None]
    channels = (Channel(name="EMG", units="mV"),)
    record = Recording(name="emg", fs=4000.0, channels=channels, signals=(samples[0],))
    (search,) = plan(record, session).searches
    counts = [
        replace(search, strictness=strictness).find(samples, 0, 30_000).n_activations
        for strictness in (1.0, 3.0, 6.0)
    ]
    assert counts[0] > counts[1] > counts[2] > 0


def test_activations_are_left_out_where_steps_are_as_large_as_they(
    beating: Recording, session: SynthesisSession
) -> None:
    (search,) = plan(beating, session, kernels="model").searches
    samples = np.stack(beating.signals)
    n_found = search.find(samples, 0, samples.shape[1]).n_activations
    left = []
    for step in (1.0, 50.0, 1e5):
        steps = np.full(len(search.san.leads), step)
        # Amplitudes are as fine as ever: it is their worth that decides.
        coded = replace(search, steps=steps).find(samples, 0, samples.shape[1])
        left.append(coded.n_activations)
    assert left[0] == n_found > left[2] == 0
    assert left == sorted(left, reverse=True)


def test_a_chunk_goes_without_activations_that_do_not_pay_in_it(
    session: SynthesisSession,
) -> None:
    """The trial sees a part of the record; where it was wrong, a chunk costs a few bytes."""
    signal = pulses(30_000, 100.0, 9)
    channels = (Channel(name="EMG", units="mV"),)
    record = Recording(
        name="emg", fs=4000.0, channels=channels, signals=(np.rint(signal).astype(np.int32),)
    )
    found = plan(record, session)
    (search,) = found.searches
    assert search.optional
    activations = found.activations(record, 0, record.n_frames)
    assert activations[0].n_activations > 100
    fewer = found.without_optional(activations)
    assert fewer is not None
    assert [own.n_activations for own in fewer] == [0]
    assert found.without_optional(fewer) is None
    # Kernels of beats are not put to a second test: it would take as long as all the rest.
    ecg = replace(found, searches=(replace(search, optional=False),))
    assert ecg.without_optional(activations) is None


def test_what_was_chosen_is_said_for_every_signal(
    beating: Recording, session: SynthesisSession
) -> None:
    noise = noise_like(beating).signals[1]
    mixed = named(
        replace(beating, signals=(beating.signals[0], noise, noise * 0)), *["I", "II", "X"]
    )
    first, second, third = plan(mixed, session).signals
    assert (first.kind, first.told_by) == ("ecg", "name I")
    assert "model ecg" in first.kernels
    assert "saves" in first.decided_by
    assert (second.kernels, second.decided_by) == ("", "gains nothing from the kernels of its kind")
    assert (third.kind, third.told_by, third.decided_by) == ("unknown", "", "is flat")


def test_a_model_that_the_frequency_rules_out_is_named_only_when_asked_for(
    beating: Recording, session: SynthesisSession
) -> None:
    fast = replace(beating, fs=1e9)
    assert plan(fast, session).chunks.layers == ()
    with pytest.raises(ModelError, match="sampling frequency"):
        plan(fast, session, model="ecg")


@pytest.mark.parametrize(("names", "channel"), [(("RESP", "ECG"), 1), (("ECG", "RESP"), 0)])
def test_a_model_asked_for_goes_to_the_signals_of_its_kind(
    beating: Recording, session: SynthesisSession, names: tuple[str, str], channel: int
) -> None:
    slow = beating.signals[0][::1][: beating.n_frames // 2] // 4
    channels = (Channel(name=names[0]), Channel(name=names[1], samples_per_frame=2))
    mixed = Recording(name="mixed", fs=125.0, channels=channels, signals=(slow, beating.signals[0]))
    found = plan(mixed, session, model="ecg")
    (san,) = found.chunks.layers
    assert found.chunks.groups[san.group].channels == (channel,)
    strangers = plan(named(mixed, "HR", "PLETH"), session, model="ecg").chunks
    assert strangers.groups[strangers.layers[0].group].channels == (1,)
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
    (quiet,) = plan(beating, session, kernels="model").searches
    loud = replace(
        beating, signals=tuple(np.clip(s, -400, 400) * np.int32(5_000_000) for s in beating.signals)
    )
    exponents = (24,) * len(quiet.san.leads)
    limited = replace(quiet, san=replace(quiet.san, exponents=exponents))
    assert limited.find(np.stack(loud.signals), 0, loud.n_frames).n_activations == 0


def test_activations_at_the_seams_are_in_the_chunks_that_they_reach(
    beating: Recording, session: SynthesisSession
) -> None:
    found = plan(beating, session, kernels="model")
    (whole,) = found.activations(beating, 0, beating.n_frames)
    (part,) = found.activations(beating, 1000, 1000)
    inside = (whole.position >= 4000) & (whole.position < 8000)
    # Every activation within the chunk is there, counted from its first sample.
    assert set((whole.position[inside] - 4000).tolist()) <= set(part.position.tolist())
    bank = found.chunks.layers[0].bank
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
