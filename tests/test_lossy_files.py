"""Lossy files of WFDB records on disk: valid WFDB comes back, and the command line says so."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import wfdb

from sancodec.cli.main import main
from sancodec.config import CodecConfig
from sancodec.fidelity import MaxError, TargetPrdn, TargetSize
from sancodec.files import decode_file, encode_file, verify_file
from sancodec.formats.wfdb import WfdbRecord

DATA = os.environ.get("SANCODEC_DATA", "")
needs_data = pytest.mark.skipif(not DATA, reason="SANCODEC_DATA is not set: no real recordings")


@pytest.fixture
def record(tmp_path: Path, simulated_folder: Path) -> Path:
    """Header of a copy of the simulated record, with a comment and a window-style line end."""
    folder = tmp_path / "original"
    shutil.copytree(simulated_folder, folder)
    header = folder / "demo.hea"
    header.write_bytes(header.read_bytes() + b"# 63 M\r\n# Digoxin\n")
    return header


def _samples(header: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    source = WfdbRecord.open(header)
    return source.read(0, source.n_frames).samples.astype(np.int64)


def test_a_lossy_file_decodes_to_valid_wfdb_files_of_the_same_names_and_formats(
    record: Path, tmp_path: Path
) -> None:
    target = tmp_path / "demo.san"
    report = encode_file(record, target, CodecConfig(fidelity=TargetPrdn(5)))
    assert report.verified
    assert report.cr_original is not None
    verify_file(target)
    header, *signals = decode_file(target, tmp_path / "decoded")
    assert [path.name for path in signals] == [
        path.name for path in sorted(record.parent.glob("*.dat"))
    ]
    assert header.read_bytes().endswith(b"# 63 M\r\n# Digoxin\n")
    found = wfdb.rdrecord(str(header.with_suffix("")), physical=False)
    original = wfdb.rdrecord(str(record.with_suffix("")), physical=False)
    assert (found.fmt, found.adc_gain, found.sig_name) == (
        original.fmt,
        original.adc_gain,
        original.sig_name,
    )
    sums = (found.d_signal.astype(np.int64).sum(axis=0) + 32768) % 65536 - 32768
    np.testing.assert_array_equal(found.checksum, sums)
    np.testing.assert_array_equal(found.init_value, found.d_signal[0])
    x, y = original.d_signal.astype(float), found.d_signal.astype(float)
    deviation = np.square(x - x.mean(axis=0)).sum(axis=0)
    assert np.all(np.square(y - x).sum(axis=0) <= 0.05**2 * deviation)
    assert not np.array_equal(x, y)


def test_those_who_wait_are_told_of_every_pass(record: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    config = CodecConfig(fidelity=TargetPrdn(5), model="none", level="fast", chunk_seconds=5.0)
    encode_file(
        record,
        tmp_path / "x.san",
        config,
        progress=lambda done, total, step="": told.append((done, total, step)),
    )
    passes = list(dict.fromkeys(step for _, _, step in told if step))
    assert passes == [f"pass {number}" for number in range(1, len(passes) + 1)]
    assert len(passes) > 2
    # Twelve seconds in chunks of five.
    assert [done for done, _, step in told if step == "pass 2"] == [1_800, 3_600, 4_320]
    assert {total for _, total, step in told if step} == {4_320}
    assert [(done, total) for done, total, step in told if not step] == [
        (done, 8_640) for done in (1_800, 3_600, 4_320, 6_120, 7_920, 8_640)
    ]


def test_a_size_holds_for_the_whole_file(record: Path, tmp_path: Path) -> None:
    for ratio in (6.0, 15.0):
        target = tmp_path / f"{ratio}.san"
        report = encode_file(record, target, CodecConfig(fidelity=TargetSize(ratio=ratio)))
        assert report.cr_source_bits is not None
        # Of files this small, what the restoration will take is foretold with some to spare.
        assert ratio <= report.cr_source_bits <= 1.09 * ratio


@needs_data
@pytest.mark.parametrize(
    ("folder", "name"),
    [
        *[("wfdb-samples", name) for name in ("binformats", "flacformats", "mixedsignals")],
        *[("wfdb-samples", name) for name in ("test01_00s_frame", "310derive", "3000003_0003")],
    ],
)
def test_records_of_every_format_come_back_within_their_bound(
    folder: str, name: str, tmp_path: Path
) -> None:
    header = next(Path(DATA, folder).rglob(f"{name}.hea"))
    target = tmp_path / "x.san"
    encode_file(header, target, CodecConfig(fidelity=MaxError(("2",)), model="none"))
    paths = decode_file(target, tmp_path / "decoded")
    source = WfdbRecord.open(header)
    decoded = WfdbRecord.open(next(path for path in paths if path.suffix == ".hea"))
    spans = (own.read(0, own.n_frames) for own in (source, decoded))
    for before, after in zip(*(span.signals for span in spans), strict=True):
        assert np.abs(before.astype(np.int64) - after).max() <= 2


def test_the_command_line_bounds_what_is_lost_and_says_so(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(tmp_path / "demo.san")
    asked = [
        (["--prdn", "4"], "4 %"),
        (["--mean-prdn", "4"], "mean"),
        (["--max-error", "3"], "3 units"),
        (["--bits-per-sample", "0.9"], "0.9 bits"),
    ]
    for options, said in asked:
        assert main(["encode", str(record), "-o", target, "--force", "--json", *options]) == 0
        report = json.loads(capsys.readouterr().out)
        assert said in report["fidelity"]
        assert main(["inspect", target]) == 0
        assert "no sample off by more than" in capsys.readouterr().out.replace("\n", " ")
        assert main(["decode", target, "-o", str(tmp_path / "back"), "--force"]) == 0
        error = np.abs(_samples(tmp_path / "back" / "demo.hea") - _samples(record)).max(axis=0)
        assert error.tolist() == [signal["max_error"] for signal in report["signals"]]
        capsys.readouterr()


@pytest.mark.parametrize(
    "options",
    [["--prdn", "4", "--ratio", "9"], ["--prdn", "0"], ["--prdn", "nan"], ["--max-error", "x"]],
)
def test_wrong_settings_are_refused_before_anything_is_written(
    options: list[str], record: Path, tmp_path: Path
) -> None:
    target = tmp_path / "demo.san"
    assert main(["encode", str(record), "-o", str(target), *options]) != 0
    assert not target.exists()
