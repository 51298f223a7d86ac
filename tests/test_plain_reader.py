"""SPEC.md says enough: a reader written from it alone decodes what sancodec writes."""

from __future__ import annotations

import ast
import json
import os
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import plain_reader
import pytest
from make_golden import (
    FOLDER,
    array,
    write_attached,
    write_edf,
    write_files,
    write_flac,
    write_several,
    write_short,
)
from numpy.typing import NDArray
from plain_reader import RefusedError
from plain_reader.arrays import read_array
from plain_reader.container import read_container
from plain_reader.reader import read_samples, sample_hash
from plain_reader.restoration import restore
from plain_reader.wire import Fields

import sancodec
from sancodec import CodecConfig
from sancodec.array_codec import ArrayCodec, decode_array
from sancodec.files import encode_file

HASHES = json.loads((FOLDER / "samples.json").read_text())
# The reader is slow: of these only the first chunks are read, unless all of them is asked for.
FIRST_CHUNKS = {
    "fitted": 1,
    "lagged": 1,
    "layers": 1,
    "started": 2,
    "model": 0,
    "maximal": 0,
    "transformed": 0,
    "stepped": 0,
}
SOURCES = sorted(Path(plain_reader.__file__).parent.glob("*.py"))
FOREIGN = set(sys.stdlib_module_names) - {"importlib", "runpy"} | {"numpy", "zstandard"}
DATA = os.environ.get("SANCODEC_DATA")


def golden(name: str) -> Path:
    return FOLDER / f"{name}.san"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_the_reader_shares_no_code_with_the_project(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= FOREIGN
        elif isinstance(node, ast.ImportFrom):
            # Of its own files only those beside it.
            assert node.level == 1 or (node.module or "").split(".")[0] in FOREIGN
        elif isinstance(node, ast.Name):
            assert node.id not in {"__import__", "exec", "eval"}


@pytest.mark.parametrize("name", sorted(HASHES))
def test_golden_files_are_read_to_their_samples(request: pytest.FixtureRequest, name: str) -> None:
    n_chunks = FIRST_CHUNKS.get(name)
    if request.config.getoption("--plain-reader-all"):
        n_chunks = None
    if n_chunks is None:
        record = plain_reader.read(golden(name))
        assert sample_hash(record.header, record.samples).hex() == HASHES[name]
        return
    if n_chunks == 0:
        pytest.skip("slow: read with --plain-reader-all; other tests read its mode")
    read = read_samples(read_container(golden(name).read_bytes()), n_chunks)
    for lead, signal in zip(read, sancodec.decode(golden(name)).signals, strict=True):
        assert len(lead) > 1000
        assert lead == signal[: len(lead)].tolist()


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("restored", write_files),
        ("short", write_short),
        ("attached", write_attached),
        ("several", write_several),
        ("carried", write_flac),
        ("edf", write_edf),
    ],
)
def test_golden_files_are_read_to_the_files_of_their_record(
    tmp_path: Path, name: str, write: Callable[[Path], Path]
) -> None:
    write(tmp_path)
    files = restore(plain_reader.read(golden(name)))
    assert files == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_files_of_large_corrections_are_read(tmp_path: Path) -> None:
    header = write_files(tmp_path)
    behind = np.random.default_rng(1).integers(0, 256, 1 << 17, np.uint8).tobytes()
    with (tmp_path / "restored.mat").open("ab") as file:
        file.write(behind)
    with (tmp_path / "restored.san").open("wb") as target:
        encode_file(header, target, CodecConfig(model="none"))
    files = restore(plain_reader.read(tmp_path / "restored.san"))
    assert files["restored.mat"] == (tmp_path / "restored.mat").read_bytes()


def test_the_array_of_a_store_is_read() -> None:
    content = (FOLDER / "array.bin").read_bytes()
    np.testing.assert_array_equal(read_array(content), array())
    np.testing.assert_array_equal(decode_array(content), array())


@pytest.mark.parametrize("kind", ["i1", "u2", "u4", "u8", "?"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_arrays_of_every_type_are_read(kind: str, axis: int) -> None:
    most = 2 if kind == "?" else np.iinfo(kind).max
    samples = np.random.default_rng(axis).integers(0, most, (2, 5, 3), np.uint64).astype(kind)
    codec = ArrayCodec(fs=250, level="fast", model="none", time_axis=axis)
    np.testing.assert_array_equal(read_array(codec.encode(samples)), samples)


def check(encoded: bytes, samples: NDArray[np.int64]) -> None:
    assert plain_reader.read_bytes(encoded).samples == samples.T.tolist()


@pytest.mark.parametrize("level", ["fast", "default", "max"])
@pytest.mark.parametrize("seed", range(3))
def test_random_signals_are_read(level: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    n_samples, n_leads = int(generator.integers(1, 300)), int(generator.integers(1, 6))
    size = 10 ** generator.uniform(0, 6, n_leads)
    common = generator.normal(0, 1, (n_samples, 1))
    samples = np.cumsum((common + generator.normal(0, 1, (n_samples, n_leads))) * size, axis=0)
    samples = np.clip(np.rint(samples), -(2.0**31), 2.0**31 - 1).astype(np.int64)
    samples[generator.random(samples.shape) < 0.01] = -(1 << 31)
    check(sancodec.encode(samples, fs=250, config=CodecConfig(level=level)), samples)


def pulses(n_samples: int) -> NDArray[np.int64]:
    """Two leads of a shape that comes again and again, at paces and heights of its own."""
    generator = np.random.default_rng(3)
    shape = np.convolve(generator.normal(0, 1, 40), np.hanning(5), "same") * np.hanning(40)
    leads = generator.normal(0, 4, (n_samples, 2))
    start = 5
    while start < n_samples - 40:
        height = generator.uniform(80, 120) / np.abs(shape).max()
        leads[start : start + 40] += shape[:, None] * np.array([height, -0.6 * height])
        start += int(generator.integers(45, 75))
    return np.rint(leads).astype(np.int64)


@pytest.mark.parametrize(("level", "mode"), [("fast", 2), ("default", 4), ("max", 3)])
def test_beats_are_read_in_the_mode_of_each_level(level: str, mode: int) -> None:
    samples = pulses(1500)
    encoded = sancodec.encode(samples, fs=50, config=CodecConfig(level=level))
    with sancodec.open(encoded) as file:
        assert file.layers(0)[0].activations.n_activations > 10
    chunk = Fields(read_container(encoded).chunks[0], "chunk")
    chunk.counted()
    assert chunk.u8() == mode
    check(encoded, samples)


def test_a_single_sample_is_read() -> None:
    samples = np.full((1, 2), 7, np.int64)
    check(sancodec.encode(samples, fs=100), samples)


@pytest.mark.skipif(not DATA, reason="needs SANCODEC_DATA")
@pytest.mark.parametrize(
    "record", ["mitdb/100", "extra/ptb-xl/records500/08257_hr"], ids=["mitdb", "ptb-xl"]
)
def test_real_records_are_read(record: str) -> None:
    wfdb = pytest.importorskip("wfdb")
    path = Path(str(DATA)) / record
    fs = wfdb.rdheader(str(path)).fs
    read = wfdb.rdrecord(str(path), sampto=int(5 * fs), physical=False)
    samples = read.d_signal.astype(np.int64)
    check(sancodec.encode(samples, fs=fs), samples)


@pytest.mark.parametrize("name", ["noise", "short"])
def test_no_prefix_and_no_flipped_byte_is_read(name: str) -> None:
    whole = golden(name).read_bytes()
    for offset in range(len(whole)):
        with pytest.raises(RefusedError):
            plain_reader.read_bytes(whole[:offset])
        damaged = bytearray(whole)
        damaged[offset] ^= 0x55
        with pytest.raises(RefusedError):
            plain_reader.read_bytes(bytes(damaged))


@pytest.mark.parametrize("name", ["noise", "short", "mixed"])
def test_damage_behind_a_right_checksum_is_never_taken_for_samples(name: str) -> None:
    whole = golden(name).read_bytes()
    expected = plain_reader.read_bytes(whole).samples
    generator = np.random.default_rng(sum(name.encode()))
    n_refused = 0
    for _ in range(12):
        damaged = damage_section(whole, generator)
        try:
            found = plain_reader.read_bytes(damaged).samples
        except RefusedError:
            n_refused += 1
        else:
            # What was hit says nothing of the samples, such as a name.
            assert found == expected
    assert n_refused > 6


def damage_section(whole: bytes, generator: np.random.Generator) -> bytes:
    """Change a bit of a payload of a file, and repair its checksum."""
    spans = []
    start = 9
    while whole[start] != 4:
        n_payload, n_head, shift = 0, 1, 0
        while True:
            byte = whole[start + n_head]
            n_payload |= (byte & 127) << shift
            n_head, shift = n_head + 1, shift + 7
            if byte < 128:
                break
        spans.append((start, start + n_head, start + n_head + n_payload))
        start += n_head + n_payload + 4
    begin, first, stop = spans[int(generator.integers(len(spans)))]
    damaged = bytearray(whole)
    damaged[int(generator.integers(first, stop))] ^= 1 << int(generator.integers(8))
    damaged[stop : stop + 4] = zlib.crc32(damaged[begin:stop]).to_bytes(4, "little")
    return bytes(damaged)
