"""Write the golden files: only when asked, and only when the format changed on purpose.

``python tests/make_golden.py [NAME...]`` makes the files named, or all of ``tests/golden/``, anew,
and ``samples.json`` with the SHA-256 of their samples; ``many`` is the golden pack. What a released
version wrote has to be decoded for ever: then new files get new names, and old ones stay.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from edf_files import Signal, annotations, edf_bytes  # noqa: E402
from vector_cases.parts import Draft, counted  # noqa: E402

import sancodec  # noqa: E402
from sancodec import (  # noqa: E402
    Channel,
    CodecConfig,
    Recording,
    models,
)
from sancodec.array_codec import ArrayCodec  # noqa: E402
from sancodec.fidelity import MaxError, MeanPrdn, SanOnly, TargetPrdn  # noqa: E402
from sancodec.files import encode_file  # noqa: E402
from sancodec.formats.dat import DatLayout, DatPacker  # noqa: E402
from sancodec.formats.originals import make_mat_prolog  # noqa: E402
from sancodec.formats.pack_writing import PackWriter  # noqa: E402
from sancodec.sample_hash import SampleHash  # noqa: E402
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


def lagged() -> bytes:
    """The default level since its predictor is wide: few and many leads before, two chunks."""
    record = replace(_simulated(40.0, 3), name="lagged")
    first, second, third = (signal.astype(np.int64) for signal in record.signals)
    noise = np.random.default_rng(41).integers(-2, 3, (3, first.size))
    # Like leads that follow from others, but for some noise: the predictor has to find it.
    more = np.stack([first - second, (second + third) // 2, third * 2]) + noise
    return sancodec.encode(
        replace(
            record,
            channels=record.channels + record.channels,
            signals=record.signals + tuple(signal.astype(np.int32) for signal in more),
        ),
        config=CodecConfig(kernels="fit", chunk_seconds=24),
    )


def started() -> bytes:
    """Chunks that begin with coefficients of the record, at the default level."""
    record = replace(_simulated(60.0, 2), name="started")
    return sancodec.encode(record, config=CodecConfig(kernels="fit", chunk_seconds=8))


def dwelling() -> bytes:
    """Leads that hold their values and then jump, told change by change."""
    generator = np.random.default_rng(51)
    jumps = np.where(generator.random((2, 4000)) < 0.1, generator.integers(-3, 4, (2, 4000)), 0)
    record = _recording("dwelling", list(np.cumsum(jumps, axis=1)), 4000)
    return sancodec.encode(record, config=CodecConfig(model="none", chunk_seconds=8))


def twelve(n_samples: int, seed: int) -> Recording:
    """Twelve leads at 100 Hz, as an archive of short records has them, and named like them."""
    generator = np.random.default_rng(seed)
    simulation = Simulation(fs=100.0, duration_seconds=n_samples / 100.0)
    record = simulate_record(simulation, generator)

    def hum() -> NDArray[np.float64]:
        noise = np.convolve(generator.normal(0, 10.0, n_samples + 8), np.hanning(8)[1:-1], "same")
        return noise[:n_samples]

    first, second = (0.3 * signal + hum() for signal in record.signals[:2])
    limb = [first, second, second - first, -(first + second) / 2, first - second / 2]
    chest = [(i * first + (5 - i) * second) / 4 + hum() for i in range(6)]
    leads = np.rint([*limb, second - first / 2, *chest]).astype(np.int32)
    names = ("I", "II", "III", "aVR", "aVL", "aVF", *(f"V{i}" for i in range(1, 7)))
    channels = tuple(Channel(name=name, units="mV", adc_gain=1000.0) for name in names)
    return Recording(name="twelve", fs=100.0, channels=channels, signals=tuple(leads))


def primed() -> bytes:
    """Twelve leads that begin with the entry of a shipped primer, named by its digest."""
    encoded = sancodec.encode(twelve(300, 61))
    with sancodec.open(encoded) as file:
        assert file.plan.groups[0].primer is not None
    return encoded


def primed_lossy() -> bytes:
    """The same with loss: contexts begin with what the primer has."""
    encoded = sancodec.encode(twelve(300, 61), config=CodecConfig(fidelity=MeanPrdn(5.0)))
    with sancodec.open(encoded) as file:
        assert file.plan.groups[0].primer is not None
    return encoded


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


def principal() -> bytes:
    """Beats with peaks that rise and fall, more than their feet: principal kernels, with loss."""
    record = replace(_simulated(90.0, 2), name="principal")
    generator = np.random.default_rng(26)
    rising = np.repeat(generator.normal(0, 1.0, record.n_frames // 100 + 1), 100)[: record.n_frames]
    first = record.signals[0] - float(np.median(record.signals[0]))
    risen = np.rint(first * (1.0 + rising * np.abs(first) / np.abs(first).max())).astype(np.int32)
    config = CodecConfig(kernels="fit", fidelity=TargetPrdn(4.0), chunk_seconds=60)
    encoded = sancodec.encode(replace(record, signals=(risen, record.signals[1])), config=config)
    with sancodec.open(encoded) as file:
        assert file.plan.layers[0].details is not None
    return encoded


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


def near() -> bytes:
    """Errors of at most one unit, without kernels: steps, and missing samples."""
    record = _simulated(20.0, 2)
    signals = [signal.copy() for signal in record.signals]
    signals[0][300:800] = -(1 << 31)
    record = replace(record, name="near", signals=tuple(signals))
    return sancodec.encode(record, config=CodecConfig(model="none", fidelity=MaxError(("1",))))


def follows() -> bytes:
    """A mean PRDN over leads that follow from two on a grid, which are what is coded."""
    values = Grid(multiplier=5, mode=TRUNC).values(_limb_leads(2500))
    config = CodecConfig(fidelity=MeanPrdn(3.0), model="none", chunk_seconds=6)
    return sancodec.encode(_recording("follows", list(values), 2500), config=config)


def san_only() -> bytes:
    """The SAN layer alone."""
    record = replace(_simulated(70.0, 2), name="san_only")
    return sancodec.encode(record, config=CodecConfig(kernels="fit", fidelity=SanOnly()))


def scaled() -> bytes:
    """Few decimals scaled to the full range of 32 bits, and few levels to that of 16."""
    generator = np.random.default_rng(32)
    walk = np.cumsum(generator.normal(0, 1, 1500))
    leads, channels = [], []
    for physical, n_bits in ((np.round(walk, 2), 32), (np.round(walk / 9), 16)):
        gain = (2.0**n_bits - 2) / (physical.max() - physical.min())
        baseline = round(1 - 2.0 ** (n_bits - 1) - physical.min() * gain)
        leads.append(np.round(physical * gain + baseline).astype(np.int32))
        channels.append(Channel(units="NU", adc_gain=gain, baseline=baseline))
    recording = Recording(name="scaled", fs=250.0, channels=tuple(channels), signals=tuple(leads))
    return sancodec.encode(recording, config=CodecConfig(model="none"))


def write_files(folder: Path) -> Path:
    """Write a record in two signal files, with bytes that no sample gives; give its header."""
    leads = list(_limb_leads(1000).astype(np.int32)[:3])
    _write_signals(folder / "restored.dat", 212, leads[:2], b"", b"behind")
    _write_signals(folder / "restored.mat", 16, leads[2:], bytes(range(24)), b"")
    gains = ("200 11 1024", "200 11 1024", "204.8(0)/uV 16 0")
    names = ("restored.dat 212", "restored.dat 212", "restored.mat 16x1+24")
    lines = [f"restored 3 {FS:g} 1000 10:00:00"]
    for lead, gain, name in zip(leads, gains, names, strict=True):
        total = (int(lead.sum()) + (1 << 15)) % (1 << 16) - (1 << 15)
        lines.append(f"{name} {gain} {lead[0]} {total} 0 lead {len(lines)}")
    lines += ["# Age: 50", "# a comment"]
    header = folder / "restored.hea"
    header.write_text("\n".join(lines) + "\n", newline="\n")
    return header


def _write_signals(
    path: Path, fmt: int, leads: list[NDArray[np.int32]], before: bytes, behind: bytes
) -> None:
    ones = (1,) * len(leads)
    packer = DatPacker(DatLayout(format=fmt, samples_per_frame=ones, initial=()))
    packed = packer.feed(leads).tobytes() + packer.finish().tobytes()
    path.write_bytes(before + packed + behind)


def restored() -> bytes:
    """A record of three files, with all that gives them back."""
    with tempfile.TemporaryDirectory() as folder:
        encoded = io.BytesIO()
        encode_file(write_files(Path(folder)), encoded, CodecConfig(model="none"))
    return encoded.getvalue()


def placed() -> bytes:
    """Chunks whose checksums say which they are."""
    config = CodecConfig(model="none", level="fast", chunk_seconds=2.0)
    return sancodec.encode(_simulated(9.0, 2), config=config)


def write_short(folder: Path) -> Path:
    """Write twelve leads as PhysioNet's challenges have them; give their header."""
    n_samples = 1000
    limb = _limb_leads(n_samples)[:3]
    first, second = limb[:2]
    augmented = np.stack([-(first + second) // 2, (2 * first - second) // 2, second - first // 2])
    chest = np.stack([limb[i % 3] * (i + 2) // 3 + i for i in range(6)])
    leads = list(np.concatenate([limb, augmented, chest]).astype(np.int32))
    prolog = make_mat_prolog(len(leads), n_samples)
    _write_signals(folder / "short.mat", 16, leads, prolog, b"")
    names = ("I", "II", "III", "aVR", "aVL", "aVF", *(f"V{i}" for i in range(1, 7)))
    lines = [f"short 12 {FS:g} {n_samples}"]
    for lead, name in zip(leads, names, strict=True):
        total = (int(lead.sum()) + (1 << 15)) % (1 << 16) - (1 << 15)
        lines.append(f"short.mat 16x1+24 1000.0(0)/mV 16 0 {lead[0]} {total} 0 {name}")
    lines += ["# Age: 61", "# Sex: Female", "# Dx: 426783006", "# Rx: Unknown", "# Hx: Unknown"]
    header = folder / "short.hea"
    header.write_text("\n".join(lines) + "\n", newline="\n")
    return header


def short() -> bytes:
    """Twelve leads of a few seconds, and their files."""
    with tempfile.TemporaryDirectory() as folder:
        encoded = io.BytesIO()
        encode_file(write_short(Path(folder)), encoded, CodecConfig(model="none"))
    return encoded.getvalue()


def attached() -> bytes:
    """The files of such a record, and files that travel along: text, numbers, nothing."""
    with tempfile.TemporaryDirectory() as folder:
        header = write_attached(Path(folder))
        encoded = io.BytesIO()
        config = CodecConfig(model="none", level="fast")
        attach = [header.with_name("notes.txt"), header.with_name("empty")]
        encode_file(header, encoded, config, with_annotations=True, attach=attach)
    return encoded.getvalue()


def write_attached(folder: Path) -> Path:
    """Write twelve leads, their annotations, and two other files; give the header."""
    words = np.array([(1 << 10) | 90, (5 << 10) | 211, 0], "<u2")
    (folder / "short.atr").write_bytes(words.tobytes())
    (folder / "notes.txt").write_text("of a patient who does not exist\n", newline="\n")
    (folder / "empty").touch()
    return write_short(folder)


def write_several(folder: Path) -> Path:
    """Write segments of a variable layout, with gaps; two of them have the same samples."""
    leads = [signal[:700] for signal in _simulated(4.0, 2).signals]
    pressure = (leads[0] // 8 - 20).astype(np.int32)
    leads[0][300:310] = -(1 << 11)
    _write_signals(folder / "sev_1.dat", 212, leads, b"", b"")
    _write_signals(folder / "sev_2.dat", 80, [pressure[:333], leads[1][:333] // 16], b"", b"x")
    ecg = "212 200(10)/mV 12 0 0 0 0"
    order = "sev_layout 0\n~ 200\nsev_1 700\nsev_2 333\n~ 67\nsev_3 700\n"
    first = f"sev_1.dat {ecg} II\nsev_1.dat {ecg} V\n"
    texts = {
        "several": f"several/6 3 {FS:g} 2000\n{order}",
        "sev_layout": f"sev_layout 3 {FS:g} 0\n~ 0 400/mV 12 0 0 0 0 II\n"
        "~ 0 200(10)/mV 12 0 0 0 0 V\n~ 0 2(-90)/mmHg 8 0 0 0 0 ABP\n",
        "sev_1": f"sev_1 2 {FS:g} 700\n{first}",
        "sev_2": f"sev_2 2 {FS:g} 333\nsev_2.dat 80 2(-90)/mmHg 8 0 0 0 0 ABP\n"
        "sev_2.dat 80 12.5/mV 8 0 0 0 0 V\n",
        "sev_3": f"sev_3 2 {FS:g} 700\n{first}# once more\n",
    }
    for name, text in texts.items():
        (folder / f"{name}.hea").write_text(text, newline="\n")
    return folder / "several.hea"


def several() -> bytes:
    """A record of several segments: a layout, gaps, other gains, and the same samples twice."""
    with tempfile.TemporaryDirectory() as folder:
        encoded = io.BytesIO()
        encode_file(write_several(Path(folder)), encoded, CodecConfig(model="none"))
    return encoded.getvalue()


def write_flac(folder: Path) -> Path:
    """Write two leads of several samples per frame in FLAC, and one beside them."""
    first, second, third = (signal[:600] for signal in _simulated(4.0, 3).signals)
    pair = np.stack([first, second], axis=1).astype(np.int16)
    soundfile.write(folder / "flac.e", pair, 360, format="FLAC", subtype="PCM_16")
    soundfile.write(folder / "flac.p", third.astype(np.int16), 360, format="FLAC")
    lead = "flac.e 516x2 200/mV 16 0 0 0 0"
    text = f"flac 3 125 300\n{lead} II\n{lead} V\nflac.p 516x2 200/mV 16 0 0 0 0 V5\n"
    header = folder / "flac.hea"
    header.write_text(text, newline="\n")
    return header


def carried() -> bytes:
    """Signal files in FLAC, which hold the samples."""
    with tempfile.TemporaryDirectory() as folder:
        encoded = io.BytesIO()
        encode_file(write_flac(Path(folder)), encoded, CodecConfig())
    return encoded.getvalue()


def write_edf(folder: Path) -> Path:
    """Write an EDF+ file of three frequencies, with annotations ahead, between and behind."""
    generator = np.random.default_rng(51)
    walks = [
        np.cumsum(generator.integers(-9, 10, (12, n)), None).reshape(12, n) for n in (40, 8, 20)
    ]
    notes = annotations([b"+%g\x14\x14Sleep stage W\x14\0" % (30 * i) for i in range(12)], 30)
    signals = [notes, Signal(walks[0]), Signal(walks[1], "Temp rectal"), notes, Signal(walks[2])]
    path = folder / "night.edf"
    path.write_bytes(edf_bytes([*signals, notes], reserved="EDF+D", duration="0.5") + b"more")
    return path


def edf() -> bytes:
    """A file in blocks, EDF+: three frequencies, and bytes between that are no samples."""
    with tempfile.TemporaryDirectory() as folder:
        encoded = io.BytesIO()
        encode_file(write_edf(Path(folder)), encoded, CodecConfig(model="none"))
    return encoded.getvalue()


GOLDEN: dict[str, Callable[[], bytes]] = {
    "maximal": maximal,
    "fast": fast,
    "fitted": fitted,
    "lagged": lagged,
    "started": started,
    "dwelling": dwelling,
    "model": model,
    "layers": layers,
    "plain": plain,
    "resampled": resampled,
    "gridded": gridded,
    "noise": noise,
    "mixed": mixed,
    "wide": wide,
    "restored": restored,
    # Those above are of container version 1, these of version 2, but for `placed`, of 3.
    "scaled": scaled,
    "named": model,
    "short": short,
    "attached": attached,
    "several": several,
    "carried": carried,
    "placed": placed,
    "transformed": transformed,
    "principal": principal,
    "bounded": bounded,
    "stepped": stepped,
    "near": near,
    "follows": follows,
    "san_only": san_only,
    "edf": edf,
    "primed": primed,
    "primed_lossy": primed_lossy,
}


def packed_files() -> dict[str, bytes]:
    """Give the files of the golden pack by their names: golden ones, and some with kernels."""
    names = ("edf", "near", "placed", "several", "short", "named")
    files = {f"older/{name}": (FOLDER / f"{name}.san").read_bytes() for name in names}
    kernels = [Draft(kernels=bytes(range(100)), record=counted(b"%d" % i)) for i in range(3)]
    return files | {f"vectors/{i}": own.build() for i, own in enumerate(kernels)}


def golden_pack() -> bytes:
    """Pack files of all versions and kinds, with kernels that some of them share."""
    target = io.BytesIO()
    writer = PackWriter(target)
    for name, content in packed_files().items():
        writer.add(name, io.BytesIO(content))
    writer.finish()
    return target.getvalue()


def array() -> NDArray[np.int64]:
    """Three records of two leads, of integers that need 64 bits, the time axis in the middle."""
    generator = np.random.default_rng(30)
    samples = generator.integers(-(1 << 40), 1 << 40, (3, 50, 2)) // (1 << 30)
    samples[1, 7] = (1 << 63) - 1, -(1 << 63)
    return samples


def sample_hash(recording: Recording) -> str:
    """Give the SHA-256 of the samples, as the container defines it, in hexadecimal."""
    samples = SampleHash()
    samples.add(recording)
    return samples.digest().hex()


def main(names: list[str]) -> None:
    """Write the golden files named, or all, and the hashes of their samples."""
    FOLDER.mkdir(exist_ok=True)
    hashes = json.loads((FOLDER / "samples.json").read_text()) if names else {}
    if "many" in names or not names:
        (FOLDER / "many.sanpack").write_bytes(golden_pack())
    for name in [own for own in names or GOLDEN if own != "many"]:
        encoded = GOLDEN[name]()
        (FOLDER / f"{name}.san").write_bytes(encoded)
        hashes[name] = sample_hash(sancodec.decode(encoded))
        print(f"{name}.san: {len(encoded)} bytes")
    if not names:
        codec = ArrayCodec(fs=250, level="fast", model="none", time_axis=1)
        (FOLDER / "array.bin").write_bytes(codec.encode(array()))
    (FOLDER / "samples.json").write_text(json.dumps(hashes, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
