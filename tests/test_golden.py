"""Golden files: what was written once is decoded for ever, to the last bit."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from make_golden import (
    FOLDER,
    GOLDEN,
    golden_pack,
    packed_files,
    sample_hash,
    write_attached,
    write_edf,
    write_files,
    write_several,
    write_short,
)
from plain_reader.packs import read_pack

import sancodec
from sancodec.base import FORM_BASE
from sancodec.chunk import (
    MODE_BOUNDED,
    MODE_DISCRETE,
    MODE_PREDICTIVE,
    MODE_RAW,
    MODE_STEPPED,
    MODE_WIDE,
)
from sancodec.errors import CorruptError, TruncatedError
from sancodec.files import decode_file
from sancodec.formats.container import ContainerReader
from sancodec.formats.pack_parts import SHARED_KERNELS
from sancodec.formats.restoration import RecordShape, describe
from sancodec.formats.wire import ByteReader
from sancodec.inspection import inspect_file
from sancodec.san_file import SanFile
from sancodec.structure.grids import Grids

HASHES = json.loads((FOLDER / "samples.json").read_text())
NAMES = sorted({*GOLDEN, *(path.stem for path in FOLDER.glob("*.san"))})


def golden(name: str) -> Path:
    return FOLDER / f"{name}.san"


@pytest.mark.parametrize("name", NAMES)
def test_every_golden_file_decodes_to_its_samples(name: str) -> None:
    assert golden(name).is_file(), f"{name}.san is missing: tests/make_golden.py writes it"
    assert sample_hash(sancodec.decode(golden(name))) == HASHES[name]


@pytest.mark.parametrize(
    ("name", "write", "version"),
    [
        ("restored", write_files, 1),
        ("short", write_short, 2),
        ("attached", write_attached, 2),
        ("several", write_several, 0x81),
        ("edf", write_edf, 3),
    ],
)
def test_golden_files_give_back_the_files_of_their_record(
    tmp_path: Path, name: str, write: Callable[[Path], Path], version: int
) -> None:
    assert golden(name).read_bytes()[8] == version
    originals, restored = tmp_path / "in", tmp_path / "out"
    originals.mkdir()
    write(originals)
    paths = decode_file(golden(name), restored)
    assert sorted(path.name for path in paths) == sorted(os.listdir(originals))
    for path in paths:
        assert path.read_bytes() == (originals / path.name).read_bytes()


def test_all_versions_of_the_container_are_among_the_golden_files() -> None:
    versions = {name: golden(name).read_bytes()[8] for name in NAMES}
    assert versions["fitted"] == versions["model"] == versions["layers"] == 1
    assert versions["named"] == versions["short"] == 2
    assert versions["placed"] == 3
    named, _ = inspect_file(golden("named"))
    assert "model ecg" in named.model


@pytest.mark.parametrize("name", ["restored", "short", "attached", "placed", "carried"])
def test_damage_is_noticed_in_files_of_every_version(name: str) -> None:
    whole = golden(name).read_bytes()

    def read(encoded: bytes) -> None:
        reader = ContainerReader(io.BytesIO(encoded))
        for i in range(len(reader.chunks)):
            reader.read_chunk(i)
        if reader.summary.restoration:
            describe(reader.summary.restoration, RecordShape.of(reader.header))

    read(whole)
    for offset in range(len(whole)):
        with pytest.raises(TruncatedError):
            read(whole[:offset])
        # 1, 2 and 3 turn each version into the others.
        for mask in (0x55, 1, 2, 3):
            damaged = bytearray(whole)
            damaged[offset] ^= mask
            with pytest.raises(CorruptError):
                read(bytes(damaged))


def test_the_golden_pack_gives_back_what_was_packed() -> None:
    encoded = (FOLDER / "many.sanpack").read_bytes()
    with sancodec.open_pack(encoded) as pack:
        found = {own.name: pack.reader.open(own).read() for own in pack.reader.members()}
        assert {entry.kind for entry in pack.reader.shared.values()} == {SHARED_KERNELS}
    assert found == packed_files() == read_pack(encoded)
    assert golden_pack() == golden_pack()


def test_no_hash_is_without_its_file() -> None:
    assert sorted(HASHES) == NAMES


def test_golden_files_hold_what_they_stand_for() -> None:
    fitted, model = inspect_file(golden("fitted"))[0], inspect_file(golden("model"))[0]
    assert "fitted to the record" in fitted.model
    assert "model ecg" in model.model
    fast, _ = inspect_file(golden("fast"))
    assert fitted.n_activations > 50
    assert fast.n_activations > 50
    assert model.n_activations > 12
    for name in ("plain", "noise", "mixed", "wide"):
        report, _ = inspect_file(golden(name))
        assert report.n_activations == 0 or name == "wide"
    with sancodec.open(golden("noise")) as file:
        assert file.container.read_chunk(0)[0] == MODE_RAW
    with sancodec.open(golden("lagged")) as file:
        assert file.layers(0)[0].activations.n_activations > 20
        assert len(file.header.channels) == 6
        reader = ByteReader(file.container.read_chunk(0), "lagged")
        reader.counted("activations", reader.remaining)
        assert reader.u8("mode") == MODE_WIDE
    with sancodec.open(golden("dwelling")) as file:
        assert [file.container.read_chunk(i)[0] for i in range(2)] == [MODE_DISCRETE] * 2
    with sancodec.open(golden("started")) as file:
        assert all(len(start) > 80 for start in file.plan.groups[0].starts)
        assert len(file.container.chunks) == 8
    with sancodec.open(golden("plain")) as file:
        assert [file.container.read_chunk(i)[0] for i in range(3)] == [MODE_PREDICTIVE] * 3
        assert [entry.n_frames for entry in file.container.chunks] == [750, 750, 1]
    with sancodec.open(golden("layers")) as file:
        groups = file.plan.groups
        assert [group.channels for group in groups] == [(0, 2), (1,)]
        assert [san.group for san in file.plan.layers] == [0, 0, 1]
        assert [san.clock for san in file.plan.layers] == [50.0, 2000 / 60, 250.0]
        assert len(file.container.chunks) == 2
    layered, _ = inspect_file(golden("layers"))
    assert [signal.kind for signal in layered.signals] == ["emg", "ecg", "voice"]
    assert "of model ecg" in layered.signals[1].kernels
    assert "fitted" in layered.signals[0].kernels
    with sancodec.open(golden("mixed")) as file:
        assert len(file.plan.groups) == 3
    wide = sancodec.decode(golden("wide")).samples
    assert (wide.min(), wide.max()) == (np.iinfo(np.int32).min, np.iinfo(np.int32).max)


def test_golden_files_have_the_structure_they_stand_for() -> None:
    for name, found in (("resampled", "200 Hz on"), ("gridded", "on ")):
        report, _ = inspect_file(golden(name))
        assert report.structure.startswith(found)
        assert "derived" in report.structure
        assert "constant" in report.structure
    with sancodec.open(golden("gridded")) as file:
        assert [file.container.read_chunk(i)[0] for i in range(3)] == [FORM_BASE] * 3
    with sancodec.open(golden("scaled")) as file:
        assert file.plan.structure is not None
        (stage,) = file.plan.structure.stages
        assert isinstance(stage, Grids)
        assert [each is not None for each in stage.grids] == [True, True]
        assert max(each.multiplier for each in stage.grids if each) > 1 << 30


def test_lossy_golden_files_hold_what_they_stand_for() -> None:
    transformed, _ = inspect_file(golden("transformed"))
    assert transformed.n_activations > 50
    assert all(signal.prdn is not None and signal.prdn <= 6.0 for signal in transformed.signals)
    for name, bounds, mode in (
        ("bounded", [40, 40], MODE_BOUNDED),
        ("stepped", [1, 3], MODE_BOUNDED),
        ("near", [1, 1], MODE_STEPPED),
    ):
        report, _ = inspect_file(golden(name))
        assert [signal.max_error for signal in report.signals] == bounds
        with SanFile(golden(name).open("rb")) as file:
            assert [part.mode for part in file.parts(0)] == [mode]
    follows, _ = inspect_file(golden("follows"))
    assert "derived" in follows.structure
    reached = [signal.prdn or 0.0 for signal in follows.signals[:4]]
    assert max(reached) > 3.0 >= np.mean(reached)
    for name in ("primed", "primed_lossy"):
        report, _ = inspect_file(golden(name))
        assert report.primer == "ecg-12"
    san_only, _ = inspect_file(golden("san_only"))
    assert san_only.n_activations > 50
    assert san_only.layers["residual"] < 40


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_what_is_encoded_today_decodes_to_what_is_given(name: str) -> None:
    encoded = GOLDEN[name]()
    assert encoded == GOLDEN[name]()
    # A file of today may be smaller than the golden one; it is not much larger.
    assert len(encoded) < 1.1 * golden(name).stat().st_size + 50
