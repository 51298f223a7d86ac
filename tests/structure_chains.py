"""Records that were made as archives are made: by grids, a resampling and derived leads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sancodec.recording import Channel
from sancodec.structure.grids import Grid
from sancodec.structure.resampling import CUBIC, LINEAR, Resampling
from sancodec.structure.rounding import FLOOR, HALF_AWAY, HALF_EVEN, TRUNC, divide

GRID, RESAMPLING, DERIVATION = "grid", "resampling", "derivation"
CHAINS = (
    (GRID,),
    (RESAMPLING,),
    (DERIVATION,),
    (GRID, RESAMPLING),
    (GRID, DERIVATION),
    (RESAMPLING, GRID),
    (RESAMPLING, DERIVATION),
    (DERIVATION, GRID),
    (DERIVATION, RESAMPLING),
    (GRID, DERIVATION, RESAMPLING),
    (DERIVATION, GRID, RESAMPLING),
    (GRID, RESAMPLING, DERIVATION),
)
"""From the inside outwards: in the order in which they are applied."""

STEPS = (
    (488, 100),
    (244, 100),
    (5, 1),
    (25, 1),
    (3, 2),
    (1000, 1023 // 4),
    (61, 20),
    (12207, 2500),
)
RATIOS = ((5, 4, 500.0), (2, 1, 500.0), (2, 1, 250.0), (3, 2, 300.0), (25, 18, 500.0))
MODES = (FLOOR, TRUNC, HALF_AWAY, HALF_EVEN)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A record and what it was made of."""

    samples: NDArray[np.int32]
    fs: float
    n_base: int
    resampled: bool


def smooth_leads(generator: np.random.Generator, n_leads: int, n_samples: int) -> NDArray[np.int64]:
    """Give leads that go up and down as beats and baselines do, with noise, in whole numbers."""
    t = np.arange(n_samples)
    beats = sum(np.exp(-0.5 * ((t - at) / 6.0) ** 2) for at in range(90, n_samples, 211))
    leads = []
    for _ in range(n_leads):
        wander = 40.0 * np.sin(t / generator.uniform(150, 400) + generator.uniform(0, 6))
        noise = np.cumsum(generator.normal(0, 1.0, n_samples)) + generator.normal(0, 2.0, n_samples)
        noise -= np.linspace(noise[0], noise[-1], n_samples)
        leads.append(generator.uniform(-300, 300) * beats + wander + noise)
    return np.rint(np.stack(leads)).astype(np.int64)


def make(generator: np.random.Generator, chain: tuple[str, ...], n_samples: int = 2500) -> Made:
    """Apply a chain to random leads, each link with random settings."""
    leads = smooth_leads(generator, int(generator.integers(2, 5)), n_samples)
    n_base, fs = len(leads), 500.0
    for link in chain:
        if link == GRID:
            leads = _on_grid(generator, leads)
        elif link == RESAMPLING:
            leads, fs = _resampled(generator, leads)
        else:
            leads = _with_derived(generator, leads)
    return Made(samples=leads.astype(np.int32), fs=fs, n_base=n_base, resampled=RESAMPLING in chain)


def filled(physical: NDArray[np.float64], n_bits: int) -> tuple[NDArray[np.int32], Channel]:
    """Scale a lead to all of the integers of a width, as writers of records do, and say how."""
    low, high = physical.min(), physical.max()
    gain = (2.0**n_bits - 2.0) / (high - low)
    baseline = round(1.0 - 2.0 ** (n_bits - 1) - low * gain)
    # In a header, a gain has four decimals.
    channel = Channel(adc_gain=round(gain, 4), baseline=baseline)
    return np.round(physical * gain + baseline).astype(np.int32), channel


def _on_grid(generator: np.random.Generator, leads: NDArray[np.int64]) -> NDArray[np.int64]:
    a, d = STEPS[generator.integers(len(STEPS))]
    mode = MODES[generator.integers(len(MODES))]
    return Grid(multiplier=a, divisor=d, mode=mode).values(leads)


def _resampled(
    generator: np.random.Generator, leads: NDArray[np.int64]
) -> tuple[NDArray[np.int64], float]:
    up, down, fs = RATIOS[generator.integers(len(RATIOS))]
    stage = Resampling(
        n_leads=len(leads),
        up=up,
        down=down,
        degree=(CUBIC, CUBIC, LINEAR)[generator.integers(3)],
        values=Grid(multiplier=1, mode=(HALF_AWAY, HALF_AWAY, TRUNC)[generator.integers(3)]),
    )
    n_outside = leads.shape[1]
    leads = leads[:, : stage.n_samples_inside(n_outside)]
    return stage.leave(leads, n_outside), fs


def _with_derived(generator: np.random.Generator, leads: NDArray[np.int64]) -> NDArray[np.int64]:
    first, second = leads[0], leads[1]
    mode = MODES[generator.integers(len(MODES))]
    made = (
        second - first,
        divide(-first - second, 2, mode),
        divide(2 * first - second, 2, mode),
        divide(first + second + leads[-1], 3, mode),
        first.copy(),
        np.full_like(first, 7),
    )
    chosen = generator.permutation(len(made))[: generator.integers(1, 4)]
    return np.concatenate([leads, np.stack([made[i] for i in chosen])])
