"""Stores of Zarr and of xarray: written with the codec, they open where sancodec is installed."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path

import numcodecs
import numpy as np
import pytest
import zarr
from numcodecs.registry import get_codec, register_codec
from zarr.registry import register_codec as register_zarr_codec

from sancodec.errors import SancodecError
from sancodec.numcodecs_codec import SanNumcodec
from sancodec.zarr_codec import NAME, SanZarrCodec

# In a checkout nothing is installed that could say so.
register_codec(SanNumcodec)
register_zarr_codec(NAME, SanZarrCodec)

SETTINGS = {"fs": 250, "level": "fast", "model": "none"}
SAMPLES = np.random.default_rng(1).integers(-9, 10, (1000, 2)).cumsum(axis=0).astype("i2")


def _store(path: Path, **settings: object) -> zarr.Array:
    codec = SanZarrCodec(**(SETTINGS | settings))
    return zarr.create_array(
        path, data=SAMPLES, chunks=(300, 2), serializer=codec, compressors=None
    )


def test_the_codecs_are_found_where_sancodec_is_installed() -> None:
    found = {
        group: [own.value for own in entry_points(group=group, name="sancodec")]
        for group in ("zarr.codecs", "numcodecs.codecs")
    }
    if not any(found.values()):
        pytest.skip("sancodec is not installed, nothing can say which codecs it has")
    assert found["zarr.codecs"] == ["sancodec.zarr_codec:SanZarrCodec"]
    assert found["numcodecs.codecs"] == ["sancodec.numcodecs_codec:SanNumcodec"]


@pytest.mark.parametrize("settings", [{}, {"level": "default", "model": "auto"}, {"time_axis": 0}])
def test_a_store_of_version_3_comes_back(tmp_path: Path, settings: dict[str, object]) -> None:
    _store(tmp_path / "a.zarr", **settings)
    array = zarr.open_array(tmp_path / "a.zarr", mode="r")
    np.testing.assert_array_equal(array[:], SAMPLES)
    np.testing.assert_array_equal(array[250:650, 1], SAMPLES[250:650, 1])
    stored = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())["codecs"]
    assert stored == [{"name": NAME, "configuration": SETTINGS | settings}]


def test_a_part_is_written_anew(tmp_path: Path) -> None:
    array = _store(tmp_path / "a.zarr")
    array[10:20] = 7
    expected = SAMPLES.copy()
    expected[10:20] = 7
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr", mode="r")[:], expected)


def test_loss_in_a_store_keeps_to_its_bound(tmp_path: Path) -> None:
    array = _store(tmp_path / "a.zarr", max_error=3)
    assert 0 < np.abs(array[:].astype(int) - SAMPLES).max() <= 3


def test_an_array_of_floats_is_refused_when_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(SancodecError, match="scale_factor"):
        zarr.create_array(
            tmp_path / "a.zarr",
            shape=(9,),
            chunks=(9,),
            dtype="f4",
            serializer=SanZarrCodec(**SETTINGS),
        )


def test_a_damaged_chunk_is_refused(tmp_path: Path) -> None:
    _store(tmp_path / "a.zarr")
    chunk = tmp_path / "a.zarr" / "c" / "0" / "0"
    damaged = bytearray(chunk.read_bytes())
    damaged[-20] ^= 1
    chunk.write_bytes(damaged)
    with pytest.raises(SancodecError):
        zarr.open_array(tmp_path / "a.zarr", mode="r")[:]


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_store_of_version_2_comes_back(tmp_path: Path, order: str) -> None:
    array = zarr.create_array(
        tmp_path / "a.zarr",
        shape=SAMPLES.shape,
        chunks=(300, 2),
        dtype="i2",
        order=order,
        zarr_format=2,
        compressors=SanNumcodec(**SETTINGS),
    )
    array[:] = SAMPLES
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr", mode="r")[:], SAMPLES)


def test_xarray_keeps_physical_units_by_scale_and_offset(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    physical = SAMPLES / 200.0
    physical[40:50, 1] = np.nan
    leads = xarray.DataArray(physical, dims=("time", "lead"), name="ecg")
    encoding = {
        "dtype": "int16",
        "scale_factor": 1 / 200,
        "_FillValue": -(1 << 15),
        "serializer": SanZarrCodec(**SETTINGS),
        "compressors": (),
    }
    leads.to_dataset().to_zarr(
        tmp_path / "x.zarr", encoding={"ecg": encoding}, zarr_format=3, consolidated=False
    )
    found = xarray.open_zarr(tmp_path / "x.zarr", consolidated=False)["ecg"]
    np.testing.assert_allclose(found.to_numpy(), physical, atol=1e-9)


class TestNumcodecsOwnChecks:
    """What numcodecs asks of every codec."""

    common = pytest.importorskip("numcodecs.tests.common")
    arrays = (
        np.arange(1000, dtype="i4"),
        np.random.default_rng(0).integers(0, 1 << 30, (100, 10), dtype="u4"),
        np.random.default_rng(0).integers(-(1 << 62), 1 << 62, 200, dtype="i8"),
        SAMPLES,
        np.asfortranarray(SAMPLES.reshape(100, 10, 2)),
        np.random.default_rng(0).integers(0, 2, 300).astype(bool),
    )

    @pytest.mark.parametrize("number", range(len(arrays)))
    def test_round_trips_of_arrays_and_buffers(self, number: int) -> None:
        self.common.check_encode_decode(self.arrays[number], SanNumcodec(**SETTINGS))
        self.common.check_encode_decode_array(self.arrays[number], SanNumcodec(**SETTINGS))

    @pytest.mark.parametrize("more", [{}, {"prdn": 5.0}, {"max_error": 2}, {"time_axis": 1}])
    def test_config_and_repr(self, more: dict[str, object]) -> None:
        codec = SanNumcodec(**(SETTINGS | more))
        self.common.check_config(codec)
        assert eval(repr(codec)) == codec

    def test_objects_are_refused(self) -> None:
        codec = SanNumcodec(**SETTINGS)
        self.common.check_err_encode_object_buffer(codec)
        self.common.check_err_decode_object_buffer(codec)

    def test_it_is_found_by_its_name(self) -> None:
        assert isinstance(get_codec({"id": "sancodec"} | SETTINGS), SanNumcodec)
        assert isinstance(numcodecs.get_codec({"id": "sancodec", "fs": 1}), SanNumcodec)
