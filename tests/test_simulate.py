"""The simulated record is the published model, seeded, digital and unlike noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sancodec.errors import ConfigError
from sancodec.formats.wfdb import WfdbRecord
from sancodec.recording import Recording
from sancodec.simulate import (
    LEADS,
    PHASES,
    STRENGTHS,
    WANDER,
    WIDTHS,
    Simulation,
    rr_process,
    simulate_record,
    write_wfdb,
)


def _simulate(seed: int = 1, **settings: float) -> Recording:
    return simulate_record(Simulation(**settings), np.random.default_rng(seed))


def test_the_same_seed_gives_the_same_samples_and_another_seed_others() -> None:
    first, second, other = _simulate(1), _simulate(1), _simulate(2)
    assert_array_equal(first.samples, second.samples)
    assert not np.array_equal(first.samples, other.samples)


def test_a_minute_has_the_leads_and_the_resolution_that_it_says() -> None:
    record = _simulate()
    assert record.n_frames == 21_600
    assert [channel.name for channel in record.channels] == list(LEADS)
    assert {channel.adc_res for channel in record.channels} == {11}
    assert record.samples.min() >= 0
    assert record.samples.max() <= 2047
    millivolts = (record.samples[:, 0] - 1024) / 200
    assert 1.5 < np.ptp(millivolts) < 1.8


@pytest.mark.parametrize("rate", [50.0, 66.0, 90.0])
def test_there_are_as_many_beats_as_the_heart_rate_says(rate: float) -> None:
    lead = _simulate(mean_rate=rate, noise_millivolts=0.0).samples[:, 0].astype(np.float64)
    above = lead > 0.5 * (lead.max() + np.median(lead))
    beats = np.count_nonzero(above[1:] & ~above[:-1])
    assert abs(beats - rate) <= 2


def test_intervals_have_the_mean_the_deviation_and_two_bands() -> None:
    simulation = Simulation(duration_seconds=600.0)
    intervals = rr_process(simulation, np.random.default_rng(3))
    assert_allclose(intervals.mean(), 60 / 66, rtol=1e-2)
    assert_allclose(intervals.std(), 60 * 3 / 66**2, rtol=0.1)
    power = np.abs(np.fft.rfft(intervals - intervals.mean())) ** 2
    frequency = np.fft.rfftfreq(intervals.size, 1 / (2 * simulation.fs))
    low = power[np.abs(frequency - 0.1) < 0.04].sum()
    high = power[np.abs(frequency - 0.25) < 0.04].sum()
    assert (low + high) / power.sum() > 0.95
    assert 0.4 < low / high < 0.6


def test_fixed_steps_agree_with_the_differential_equations_solved_by_scipy() -> None:
    integrate = pytest.importorskip("scipy.integrate")
    simulation = Simulation(
        duration_seconds=3.0, rate_deviation=0.0, mean_rate=60.0, noise_millivolts=0.0
    )
    record = simulate_record(simulation, np.random.default_rng(0))

    def velocity(time: float, state: np.ndarray) -> list[float]:
        x, y, z = state
        alpha, omega = 1 - np.hypot(x, y), 2 * np.pi
        distance = np.mod(np.arctan2(y, x) - PHASES + np.pi, 2 * np.pi) - np.pi
        events = np.sum(STRENGTHS[0] * distance * np.exp(-(distance**2) / (2 * WIDTHS**2)))
        wander = WANDER * np.sin(2 * np.pi * 0.25 * time)
        return [alpha * x - omega * y, alpha * y + omega * x, -events - (z - wander)]

    times = np.arange(record.n_frames) / simulation.fs
    solution = integrate.solve_ivp(
        velocity, (0, 3), [-1.0, 0.0, 0.0], t_eval=times, rtol=1e-9, atol=1e-12, max_step=1e-2
    )
    expected = solution.y[2] * 1.6 / np.ptp(solution.y[2])
    # Half an ADC unit of rounding, and what RK4 leaves at 360 Hz.
    assert_allclose((record.signals[0] - 1024) / 200, expected, atol=0.5 / 200 + 5e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"fs": 50.0},
        {"fs": float("nan")},
        {"duration_seconds": 0.0},
        {"mean_rate": 0.0},
        {"rate_deviation": -1.0},
        {"rate_deviation": 20.0},
    ],
)
def test_settings_outside_of_the_model_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        Simulation(**settings)


def test_the_record_written_through_wfdb_reads_back_as_it_was(tmp_path: Path) -> None:
    record = _simulate(duration_seconds=5.0)
    header, signals = write_wfdb(record, tmp_path)
    assert header.is_file()
    assert signals.stat().st_size == record.n_samples * 3 // 2
    source = WfdbRecord.open(header)
    assert source.fs == record.fs
    assert [channel.name for channel in source.channels] == list(LEADS)
    assert_array_equal(source.read(0, source.n_frames).samples, record.samples)
