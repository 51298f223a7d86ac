"""Write the golden files: only when asked, and only when the format changed on purpose.

``python tests/make_golden.py [NAME...]`` makes the files named, or all of ``tests/golden/``, anew,
and ``samples.json`` with the SHA-256 of their samples. What a released version wrote has to be
decoded for ever: then new files get new names, and old ones stay.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import sancodec  # noqa: E402
from sancodec import (  # noqa: E402
    Channel,
    CodecConfig,
    Recording,
    models,
)
from sancodec.codec import SampleHash  # noqa: E402
from sancodec.fidelity import MaxError, SanOnly, TargetPrdn  # noqa: E402
from sancodec.san.synthesis import resample  # noqa: E402
from sancodec.simulate import Simulation, simulate_record  # noqa: E402
from sancodec.structure.grids import Grid  # noqa: E402
from sancodec.structure.resampling import Resampling  # noqa: E402
from sancodec.structure.rounding import HALF_AWAY, TRUNC  # noqa: E402

FOLDER = Path(__file__).resolve().parent / "golden"
FS = 250.0


def _simulated(seconds: float, n_leads: int) -> Recording:
    simulation = Simulation(fs=FS, duration_seconds=seconds)
    record = simulate_record(simulation, np.random.default_rng(20))
    return replace(record, channels=record.channels[:n_leads], signals=record.signals[:n_leads])


def _recording(name: str, signals: list[NDArray[np.int64]], frames: int) -> Recording:
    channels = tuple(
        Channel(name=f"{name} {i}", units="uV", samples_per_frame=signal.size // frames)
        for i, signal in enumerate(signals)
    )
    return Recording(
        name=name,
        fs=FS,
        channels=channels,
        signals=tuple(signal.astype(np.int32) for signal in signals),
    )


def fitted() -> bytes:
    """Kernels fitted to the record, stored in the file; two chunks."""
    record = replace(_simulated(70.0, 2), name="fitted")
    return sancodec.encode(record, config=CodecConfig(kernels="fit", chunk_seconds=40))


def model() -> bytes:
    """Kernels of the shipped model, found by their digest; beats that look like them."""
    bank = resample(models.load("ecg")[0], FS)
    generator = np.random.default_rng(24)
    n_samples = 6000
    signals = generator.normal(0, 2.0, (3, n_samples + bank.n_taps))
    for start in np.cumsum(generator.integers(150, 230, n_samples // 230)):
        kernel = bank.kernels[generator.integers(bank.n_kernels), 0] / 30.0
        signals[:, start : start + bank.n_taps] += np.outer([1.0, -0.7, 0.4], kernel)
    leads = list(np.rint(signals[:, :n_samples]).astype(np.int64))
    return sancodec.encode(_recording("model", leads, n_samples))


def plain() -> bytes:
    """No SAN layer; chunks of which the last holds a single frame."""
    record = replace(_simulated(8.0, 3).frames(0, 1501), name="plain")
    return sancodec.encode(record, config=CodecConfig(model="none", chunk_seconds=3))


def noise() -> bytes:
    """Noise that nothing predicts: raw samples."""
    generator = np.random.default_rng(21)
    signals = [generator.integers(0, 1 << bits, 800) for bits in (1, 12, 16)]
    return sancodec.encode(_recording("noise", signals, 800))


def mixed() -> bytes:
    """Channels of three sampling frequencies."""
    generator = np.random.default_rng(22)
    walks = [np.cumsum(generator.integers(-9, 10, 500 * n)) for n in (1, 4, 1, 2)]
    return sancodec.encode(_recording("mixed", walks, 500))


def wide() -> bytes:
    """Samples of 32 bits, from one end of their range to the other."""
    generator = np.random.default_rng(23)
    beats = _simulated(4.0, 2).samples.astype(np.int64).T * (1 << 21) - (1 << 31)
    signals = list(beats + generator.integers(0, 1 << 14, beats.shape))
    signals.append(np.where(np.arange(beats.shape[1]) // 9 % 2, (1 << 31) - 1, -(1 << 31)))
    return sancodec.encode(_recording("wide", signals, beats.shape[1]))


def fast() -> bytes:
    """The fast level, with kernels fitted to the record."""
    record = replace(_simulated(70.0, 2), name="fast")
    return sancodec.encode(record, config=CodecConfig(kernels="fit", level="fast"))


def maximal() -> bytes:
    """The max level, with kernels fitted to the record."""
    record = replace(_simulated(70.0, 2), name="maximal")
    return sancodec.encode(record, config=CodecConfig(kernels="fit", level="max"))


def _twitches(n_samples: int, width: float, seed: int) -> NDArray[np.float64]:
    """Short pulses of one shape at random places."""
    generator = np.random.default_rng(seed)
    t = np.arange(n_samples)
    signal = np.zeros(n_samples)
    for place in np.cumsum(generator.uniform(20, 40, n_samples // 20) * width):
        u = (t - place) / width
        signal += 160 * np.exp(-(u**2)) - 90 * np.exp(-((u / 1.2 - 2) ** 2))
    return signal


def layers() -> bytes:
    """Signals of several kinds: a model by its digest, and two banks of one group in the file."""
    beats = sancodec.decode(FOLDER / "model.san").signals[0][:3000]
    generator = np.random.default_rng(25)
    n_samples = 8 * beats.size
    common = generator.normal(0, 3.0, n_samples)
    fast = [_twitches(n_samples, width, seed) + common for width, seed in ((1.5, 1), (2.0, 2))]
    signals = [fast[0], beats.astype(np.float64), fast[1]]
    record = _recording("layers", [np.rint(s).astype(np.int64) for s in signals], beats.size)
    names = ("EMG", "II", "VOICE")
    channels = tuple(replace(c, name=name) for c, name in zip(record.channels, names, strict=True))
    return sancodec.encode(replace(record, channels=channels), config=CodecConfig(chunk_seconds=8))


def _limb_leads(n_samples: int) -> NDArray[np.int64]:
    generator = np.random.default_rng(31)
    leads = _simulated(n_samples / 250.0, 2).samples.astype(np.int64).T[:, :n_samples] // 4
    first, second = leads + generator.integers(-2, 3, leads.shape)
    third = second - first
    # Rounded towards zero, as the augmented leads of an archive are.
    halves = np.sign(third) * (np.abs(third) // 2)
    return np.stack([first, second, third, halves - second, np.full(n_samples, 3)])


def resampled() -> bytes:
    """Leads derived from others, on a grid, brought to a higher frequency by a spline."""
    stage = Resampling(n_leads=5, up=5, down=4, values=Grid(multiplier=1, mode=HALF_AWAY))
    leads = stage.leave(5 * _limb_leads(stage.n_samples_inside(2500)), 2500)
    return sancodec.encode(_recording("resampled", list(leads), 2500))


def gridded() -> bytes:
    """Leads derived from others, rounded to a grid that is no whole number, in three chunks."""
    values = Grid(multiplier=122, divisor=25, mode=TRUNC).values(_limb_leads(2500))
    # A few samples that the grid does not have.
    values[:, 700:703] += 1
    config = CodecConfig(model="none", chunk_seconds=4)
    return sancodec.encode(_recording("gridded", list(values), 2500), config=config)


def transformed() -> bytes:
    """A target of the PRDN: coefficients of turned leads, kernels fitted to the record."""
    record = replace(_simulated(70.0, 3), name="transformed")
    fidelity = TargetPrdn(6.0)
    return sancodec.encode(record, config=CodecConfig(kernels="fit", fidelity=fidelity))


def bounded() -> bytes:
    """A largest error above what steps are for: coefficients, and corrections of them."""
    record = replace(_simulated(30.0, 2), name="bounded")
    return sancodec.encode(record, config=CodecConfig(fidelity=MaxError(("40",)), model="none"))


def stepped() -> bytes:
    """Errors of at most one unit: steps, coded without loss, with missing samples aside."""
    record = _simulated(70.0, 2)
    signals = [signal.copy() for signal in record.signals]
    signals[0][300:800] = signals[1][-1] = -(1 << 31)
    record = replace(record, name="stepped", signals=tuple(signals))
    fidelity = MaxError(("1", "3"))
    return sancodec.encode(record, config=CodecConfig(kernels="fit", fidelity=fidelity))


def san_only() -> bytes:
    """The SAN layer alone."""
    record = replace(_simulated(70.0, 2), name="san_only")
    return sancodec.encode(record, config=CodecConfig(kernels="fit", fidelity=SanOnly()))


GOLDEN: dict[str, Callable[[], bytes]] = {
    "maximal": maximal,
    "fast": fast,
    "fitted": fitted,
    "model": model,
    "layers": layers,
    "plain": plain,
    "resampled": resampled,
    "gridded": gridded,
    "noise": noise,
    "mixed": mixed,
    "wide": wide,
    "transformed": transformed,
    "bounded": bounded,
    "stepped": stepped,
    "san_only": san_only,
}


def sample_hash(recording: Recording) -> str:
    """Give the SHA-256 of the samples, as the container defines it, in hexadecimal."""
    samples = SampleHash()
    samples.add(recording)
    return samples.digest().hex()


def main(names: list[str]) -> None:
    """Write the golden files named, or all, and the hashes of their samples."""
    FOLDER.mkdir(exist_ok=True)
    hashes = json.loads((FOLDER / "samples.json").read_text()) if names else {}
    for name in names or GOLDEN:
        encoded = GOLDEN[name]()
        (FOLDER / f"{name}.san").write_bytes(encoded)
        hashes[name] = sample_hash(sancodec.decode(encoded))
        print(f"{name}.san: {len(encoded)} bytes")
    (FOLDER / "samples.json").write_text(json.dumps(hashes, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
