"""Records of seconds, of which clinical archives are made: little is spent around their payload."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from sancodec.config import CodecConfig
from sancodec.files import decode_file, encode_file
from sancodec.formats.container import ContainerReader
from sancodec.formats.dat import DatLayout, DatPacker
from sancodec.formats.dat_formats import FORMATS
from sancodec.formats.restoration import RecordShape, describe
from sancodec.formats.wfdb import WfdbRecord

# Bits of a sample in a format, where they differ from those that it takes.
_BITS = {310: 10, 311: 10}
_FOLDERS = (
    "ptb-xl/records500",
    "ptb-xl/records100",
    "ptb-xl-challenge2021",
    "georgia",
    "chapman-shaoxing-ningbo",
    "cpsc2018",
    "cpsc2018-extra",
)


def _largest_allowed(record: WfdbRecord) -> int:
    return record.n_bytes + record.n_bytes // 1000 + 512


def _check_growth(header: Path, target: Path, config: CodecConfig) -> None:
    """Encode a record; its file is hardly larger than its signal files, whatever they hold."""
    report = encode_file(header, target, config, force=True)
    record = WfdbRecord.open(header)
    text = max(0, len(record.header_bytes) - 512)
    assert report.n_bytes <= _largest_allowed(record) + text, header


def _write_noise(folder: Path, fmt: int, n_channels: int, n_frames: int) -> Path:
    bits = _BITS.get(fmt, int(FORMATS[fmt].bits_per_sample))
    generator = np.random.default_rng(bits + n_channels + n_frames)
    shape = (n_channels, n_frames)
    if fmt == 8:
        # Differences of one byte: a walk that turns at every step.
        signals = np.cumsum(generator.integers(-128, 128, shape), axis=1)
    else:
        signals = generator.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape)
    leads = list(signals.astype(np.int32))
    packer = DatPacker(
        DatLayout(format=fmt, samples_per_frame=(1,) * n_channels, initial=(0,) * n_channels)
    )
    (folder / "noise.dat").write_bytes(packer.feed(leads).tobytes() + packer.finish().tobytes())
    lines = [f"noise {n_channels} 250 {n_frames}"]
    lines += [f"noise.dat {fmt} 200 {bits} 0 0 0 0 lead {i}" for i in range(n_channels)]
    header = folder / "noise.hea"
    header.write_text("\n".join(lines) + "\n")
    return header


@pytest.mark.parametrize("level", ["fast", "default"])
@pytest.mark.parametrize(
    ("n_channels", "n_frames"), [(1, 1), (1, 2), (3, 7), (12, 30), (2, 1000), (1, 20_000)]
)
@pytest.mark.parametrize("fmt", sorted(FORMATS))
def test_noise_is_hardly_larger_than_its_signal_file(
    tmp_path: Path, fmt: int, n_channels: int, n_frames: int, level: str
) -> None:
    header = _write_noise(tmp_path, fmt, n_channels, n_frames)
    _check_growth(header, tmp_path / "noise.san", CodecConfig(level=level))


def _data() -> Path | None:
    folder = os.environ.get("SANCODEC_DATA")
    return Path(folder) if folder else None


def _short_headers() -> list[Path]:
    data = _data()
    if data is None:
        return []
    return [path for name in _FOLDERS for path in sorted((data / "extra" / name).glob("*.hea"))[:3]]


def _all_headers() -> list[Path]:
    """Give one record of each folder, and all samples of WFDB's formats."""
    data = _data()
    if data is None:
        return []
    folders = {path.parent for path in data.rglob("*.hea")}
    found = [sorted(folder.glob("*.hea"))[0] for folder in sorted(folders)]
    return [path for path in found if _is_single(path)]


def _is_single(header: Path) -> bool:
    """Tell whether a header is that of one segment whose signal files are there and not long."""
    from sancodec.errors import RecordError

    try:
        return WfdbRecord.open(header).n_frames < 1_000_000
    except RecordError:
        return False


@pytest.mark.skipif(not _short_headers(), reason="SANCODEC_DATA is not set: no real records")
@pytest.mark.parametrize("header", _short_headers(), ids=lambda path: path.stem)
def test_short_records_come_back_from_little_more_than_their_payload(
    tmp_path: Path, header: Path
) -> None:
    target = tmp_path / "record.san"
    report = encode_file(header, target, CodecConfig())
    with target.open("rb") as stream:
        reader = ContainerReader(stream)
        shape = RecordShape.of(reader.header)
        texts = sum(len(file.text) for file in describe(reader.summary.restoration, shape).files)
    payload = sum(report.layers[name] for name in ("kernels", "activations", "residual"))
    assert report.n_bytes - payload - texts <= 200
    paths = decode_file(target, tmp_path / "out")
    assert {path.name for path in paths} == {
        path.name for path in header.parent.glob(f"{header.stem}.*")
    }
    for path in paths:
        assert path.read_bytes() == (header.parent / path.name).read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(not _all_headers(), reason="SANCODEC_DATA is not set: no real records")
@pytest.mark.parametrize("header", _all_headers(), ids=lambda path: path.stem)
def test_no_real_record_is_larger_than_its_signal_file(tmp_path: Path, header: Path) -> None:
    _check_growth(header, tmp_path / "record.san", CodecConfig(level="fast"))
