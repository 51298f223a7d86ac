"""MATLAB files that are no WFDB records: their samples come back, or they are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from sancodec.cli.main import main
from sancodec.errors import RecordError
from sancodec.formats.sources import open_source

SAMPLES = np.random.default_rng(4).integers(-900, 900, (500, 3)).astype(np.int16)


@pytest.mark.parametrize("settings", [{"format": "4"}, {}, {"do_compression": True}])
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("kind", [np.int16, np.float64])
def test_the_matrix_of_a_file_comes_back(
    tmp_path: Path, settings: dict[str, Any], across: bool, kind: Any
) -> None:
    samples = (SAMPLES.T if across else SAMPLES).astype(kind)
    path = tmp_path / "ecg.mat"
    scipy.io.savemat(path, {"val": samples, "Fs": 250.0}, **settings)
    arguments = ["--model", "none", "--level", "fast"]
    assert main(["encode", str(path), *arguments]) == 0
    assert main(["decode", str(tmp_path / "ecg.san"), "--format", "npy"]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "ecg.npy"), SAMPLES)
    assert open_source(path).fs == 250.0
    assert open_source(path, fs=500.0).fs == 500.0


def test_a_record_with_its_header_is_a_wfdb_record(simulated_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "demo.hea").write_bytes((simulated_folder / "demo.hea").read_bytes())
    (tmp_path / "demo.dat").write_bytes((simulated_folder / "demo.dat").read_bytes())
    (tmp_path / "demo.mat").write_bytes(b"")
    assert len(open_source(tmp_path / "demo.mat").files) == 2


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"val": SAMPLES}, r"no header beside it \(x.hea\).*--fs"),
        ({"a": SAMPLES, "b": SAMPLES, "fs": 1.0}, "matrices: a, b; expected one"),
        ({"fs": 1.0}, "matrices: none"),
        ({"text": "hello", "fs": 1.0}, "matrices: none"),
        ({"val": SAMPLES + 0.5, "fs": 1.0}, "not integers"),
        ({"val": SAMPLES * 1e9, "fs": 1.0}, "not integers of 32 bits"),
        ({"val": SAMPLES * np.nan, "fs": 1.0}, "not integers"),
    ],
)
def test_what_is_no_record_is_named(
    tmp_path: Path, variables: dict[str, Any], message: str
) -> None:
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, variables)
    with pytest.raises(RecordError, match=message):
        open_source(path)


@pytest.mark.parametrize(
    "content", [b"", b"MATLAB 7.3 MAT-file", b"\x00" * 300, bytes(range(256)) * 3]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"x\.mat"):
        open_source(path)


def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"val": SAMPLES[:20], "fs": 250.0})
    whole = path.read_bytes()
    for offset in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[offset] ^= 0x41
        path.write_bytes(bytes(damaged) if offset % 2 else whole[:offset])
        try:
            open_source(path)
        except RecordError:
            continue
