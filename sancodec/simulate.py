"""Synthetic ECG from a published dynamical model, for demonstrations and tests without data.

The model is that of McSharry P. E., Clifford G. D., Tarassenko L., Smith L. A., "A dynamical
model for generating synthetic electrocardiogram signals", IEEE Transactions on Biomedical
Engineering 50(3):289-294, 2003. A point runs along a limit cycle, once for each beat; Gaussian
events at fixed phases pull a third coordinate, the ECG, away from the baseline.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import ConfigError
from sancodec.recording import Channel, Recording

PHASES = np.array([-math.pi / 3, -math.pi / 12, 0.0, math.pi / 12, math.pi / 2])
"""Phases of the events P, Q, R, S, T in radians (table I of the paper)."""

WIDTHS = np.array([0.25, 0.1, 0.1, 0.1, 0.4])
"""Widths b of the events, in radians (table I)."""

LEADS = ("II", "V2", "V5")

STRENGTHS = np.array(
    [
        [1.2, -5.0, 30.0, -7.5, 0.75],
        [0.6, -2.0, 12.0, -26.0, 1.3],
        [1.0, -4.0, 26.0, -11.0, 0.9],
    ]
)
"""Strengths a of the events for each lead; the first row is table I, the others resemble leads."""

SWING_MILLIVOLTS = 1.6
"""From the lowest to the highest value of the first lead (the paper scales to -0.4 to 1.2 mV)."""

WANDER = 0.005
"""Amplitude of the respiratory baseline z0, in the model's units: about 0.1 mV once scaled."""


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Settings of a simulated record; all of them end up in its samples.

    Attributes
    ----------
    fs : float
        Sampling frequency, in Hz; at least 100, or the fixed steps no longer follow the R peak.
    duration_seconds : float
    mean_rate, rate_deviation : float
        Mean and standard deviation of the heart rate, in beats per minute.
    mayer_frequency, respiration_frequency : float
        Centres of the low and high frequency bands of the RR process, in Hz.
    band_width : float
        Standard deviation of both bands, in Hz.
    power_ratio : float
        Power of the low frequency band over that of the high one.
    noise_millivolts : float
        Standard deviation of the sensor noise.
    """

    fs: float = 360.0
    duration_seconds: float = 60.0
    mean_rate: float = 66.0
    rate_deviation: float = 3.0
    mayer_frequency: float = 0.1
    respiration_frequency: float = 0.25
    band_width: float = 0.01
    power_ratio: float = 0.5
    noise_millivolts: float = 0.005

    def __post_init__(self) -> None:
        for name, smallest in (("fs", 100.0), ("duration_seconds", 1.0), ("mean_rate", 20.0)):
            if not smallest <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name}: {getattr(self, name)}, expected at least {smallest:g}")
        if not 0 <= 4 * self.rate_deviation < self.mean_rate:
            raise ConfigError(
                f"rate_deviation: {self.rate_deviation} beats a minute, expected from 0 to below "
                f"a quarter of mean_rate, {self.mean_rate / 4:g}"
            )


def simulate_record(simulation: Simulation, rng: np.random.Generator) -> Recording:
    """Simulate one record of three leads, 11 bits, 200 ADC units per mV, zero at 1024.

    Parameters
    ----------
    simulation : Simulation
    rng : numpy.random.Generator
        Source of the phases of the RR process and of the sensor noise.

    Returns
    -------
    Recording
        Samples limited to 0 to 2047, as by an ADC of 11 bits.

    Raises
    ------
    ConfigError
        A setting is out of range.
    """
    intervals = rr_process(simulation, rng)
    phases = _limit_cycle(simulation.fs, intervals)
    ecg = _integrate_leads(simulation, phases)
    ecg *= SWING_MILLIVOLTS / np.ptp(ecg[:, 0])
    ecg += simulation.noise_millivolts * rng.standard_normal(ecg.shape)
    digital = np.clip(np.rint(200.0 * ecg) + 1024, 0, 2047).astype(np.int32)
    channel = Channel(units="mV", adc_gain=200.0, baseline=1024, adc_res=11, adc_zero=1024)
    return Recording(
        name="demo",
        fs=simulation.fs,
        channels=tuple(replace(channel, name=lead) for lead in LEADS),
        signals=tuple(np.ascontiguousarray(lead) for lead in digital.T),
    )


def rr_process(simulation: Simulation, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the length of the cardiac cycle as it changes, with a bimodal spectrum.

    The square root of the spectrum gets random phases and is transformed back; then mean and
    standard deviation are set (section II of the paper, equation 6).

    Returns
    -------
    (2 * n_frames + 1,) float64
        Interval in seconds, every half sampling step.
    """
    rate = 4.0
    n_steps = max(8, 2 * math.ceil((simulation.duration_seconds + 1) * rate / 2))
    frequency = np.fft.rfftfreq(n_steps, 1 / rate).astype(np.float64)
    power = simulation.power_ratio * _band(frequency, simulation.mayer_frequency, simulation)
    power += _band(frequency, simulation.respiration_frequency, simulation)
    phase = rng.uniform(0, 2 * math.pi, frequency.size)
    process = np.fft.irfft(np.sqrt(power) * np.exp(1j * phase), n_steps)
    process -= process.mean()
    deviation = 60 * simulation.rate_deviation / simulation.mean_rate**2
    process *= deviation / max(process.std(), np.finfo(np.float64).tiny)
    time = np.arange(2 * _n_frames(simulation) + 1) / (2 * simulation.fs)
    intervals: NDArray[np.float64] = np.interp(
        time, np.arange(n_steps) / rate, 60 / simulation.mean_rate + process
    )
    return intervals


def _band(
    frequency: NDArray[np.float64], centre: float, simulation: Simulation
) -> NDArray[np.float64]:
    deviation = (frequency - centre) / simulation.band_width
    return np.asarray(np.exp(-0.5 * deviation**2), np.float64)


def _n_frames(simulation: Simulation) -> int:
    return round(simulation.duration_seconds * simulation.fs)


def _limit_cycle(fs: float, intervals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integrate x' = alpha x - omega y, y' = alpha y + omega x by RK4 in half sampling steps.

    Returns
    -------
    (2 * n_frames + 1,) float64
        Phase atan2(y, x) in radians, every half sampling step.
    """
    step = 0.5 / fs
    omegas = (2 * math.pi / intervals).tolist()
    # Begin between T and P, so that the record does not start inside a beat.
    point = complex(-1.0, 0.0)
    points = [point]
    for omega, following in itertools.pairwise(omegas):
        between = 0.5 * (omega + following)
        k1 = _pull(point, omega)
        k2 = _pull(point + 0.5 * step * k1, between)
        k3 = _pull(point + 0.5 * step * k2, between)
        k4 = _pull(point + step * k3, following)
        point += step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        points.append(point)
    phases: NDArray[np.float64] = np.angle(np.array(points, np.complex128))
    return phases


def _pull(point: complex, omega: float) -> complex:
    """Velocity on the plane of the limit cycle; alpha = 1 - |point| draws towards the circle."""
    return complex(1.0 - abs(point), omega) * point


def _integrate_leads(simulation: Simulation, phases: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integrate z' = -sum a dtheta exp(-dtheta^2 / 2 b^2) - (z - z0) by RK4 in sampling steps.

    Parameters
    ----------
    simulation : Simulation
    phases : (2 * n_frames + 1,) float64
        Phase in radians, every half sampling step.

    Returns
    -------
    (n_frames, n_leads) float64
        In the units of the strengths, before scaling.
    """
    step = 1 / simulation.fs
    distance = np.mod(phases[:, None] - PHASES + math.pi, 2 * math.pi) - math.pi
    events = distance * np.exp(-0.5 * (distance / WIDTHS) ** 2)
    time = np.arange(phases.size) * (step / 2)
    wander = np.sin(2 * math.pi * simulation.respiration_frequency * time)
    drive = -events @ STRENGTHS.T + WANDER * wander[:, None]
    # z enters its own derivative as -z alone, so the four stages collapse to fixed weights.
    h = step
    decay = 1 - h + h**2 / 2 - h**3 / 6 + h**4 / 24
    first = h / 6 * (1 - h + h**2 / 2 - h**3 / 4)
    middle = h / 6 * (4 - 2 * h + h**2 / 2)
    gain = first * drive[:-1:2] + middle * drive[1::2] + h / 6 * drive[2::2]
    z: NDArray[np.float64] = np.empty_like(gain)
    state = np.zeros(gain.shape[1])
    for index, gained in enumerate(gain):
        z[index] = state
        state = decay * state + gained
    return z


def write_wfdb(recording: Recording, directory: Path) -> list[Path]:
    """Write a recording of 12 bits at most as WFDB, format 212, through the wfdb package.

    Returns
    -------
    list of Path
        The header and the signal file.

    Raises
    ------
    OSError
        The files cannot be written.
    """
    # Imported here: wfdb brings pandas along, and only this writes through it.
    import wfdb  # noqa: PLC0415

    channels = recording.channels
    wfdb.wrsamp(
        recording.name,
        fs=recording.fs,
        units=[channel.units for channel in channels],
        sig_name=[channel.name for channel in channels],
        d_signal=recording.samples.astype(np.int64),
        fmt=["212"] * len(channels),
        adc_gain=[channel.adc_gain for channel in channels],
        baseline=[channel.baseline for channel in channels],
        comments=["simulated: McSharry et al., IEEE TBME 50(3):289-294, 2003"],
        write_dir=str(directory),
    )
    return [directory / f"{recording.name}{suffix}" for suffix in (".hea", ".dat")]
