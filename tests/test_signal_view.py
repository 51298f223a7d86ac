"""An open file is sliced like an array, and reads no more than it takes."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_codec import encode, record

import sancodec
from sancodec.cli.main import main
from sancodec.errors import ConfigError, RecordError
from sancodec.formats.arrays import ArraySource
from sancodec.recording import Channel, Recording
from sancodec.simulate import Simulation, simulate_record

ORIGINAL = record(4037, n_channels=3)
SAMPLES = np.stack(ORIGINAL.signals, axis=1)
ENCODED = encode(ArraySource(ORIGINAL), chunk_seconds=0.4, model="none", level="fast")
FILE = sancodec.open(ENCODED)

_places = st.none() | st.integers(-5000, 5000)
_steps = st.none() | st.integers(-30, 30).filter(bool)
_leads = st.sampled_from(
    [slice(None), 0, -1, "1", ["2", 0], [], slice(2, 0, -1), np.array([1, 1]), slice(1, None)]
)


@given(_places, _places, _steps, _leads)
@settings(max_examples=120, deadline=None)
def test_slices_are_those_of_numpy(start: int, stop: int, step: int, leads: Any) -> None:
    numbers = {"1": 1}.get(leads, leads) if isinstance(leads, str) else leads
    numbers = [2, 0] if isinstance(leads, list) and leads else numbers
    rows = slice(start, stop, step)
    found, expected = FILE[rows, leads], SAMPLES[rows, numbers]
    assert found.dtype == np.int32
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)
    assert found.flags.c_contiguous


def test_one_sample_has_one_dimension_less() -> None:
    np.testing.assert_array_equal(FILE[-1], SAMPLES[-1])
    assert FILE[7, "2"] == SAMPLES[7, 2]
    assert FILE.signal.shape == SAMPLES.shape
    assert len(FILE) == len(FILE.signal) == len(SAMPLES)
    np.testing.assert_array_equal(np.asarray(FILE.signal), SAMPLES)


def test_it_is_gone_through_chunk_by_chunk() -> None:
    spans = list(FILE)
    assert [span.n_frames for span in spans] == [100] * 40 + [37]
    np.testing.assert_array_equal(np.concatenate([span.samples for span in spans]), SAMPLES)


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (4037, IndexError, "sample 4037 of 4037"),
        (-4038, IndexError, "sample"),
        ((0, 3), IndexError, "lead 3 of 3"),
        ((0, "V5"), ConfigError, "'V5' is not there; the leads are 0, 1, 2"),
        ("V5", TypeError, "expected a number"),
        (1.5, TypeError, "expected a number"),
        ((0, 1.0), TypeError, "expected a number"),
    ],
)
def test_what_is_not_there_is_named(key: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        FILE[key]


def test_a_name_that_two_leads_have_is_refused() -> None:
    twice = Recording(
        name="x", fs=250.0, channels=(Channel(name="ECG"),) * 2, signals=ORIGINAL.signals[:2]
    )
    with pytest.raises(ConfigError, match="more than once"):
        sancodec.open(sancodec.encode(twice))[0:3, "ECG"]


def test_what_was_read_is_the_readers_own() -> None:
    with sancodec.open(ENCODED) as file:
        file[10:20][:] = 0
        file.read(10, 20).signals[0][:] = 0
        np.testing.assert_array_equal(file[10:20], SAMPLES[10:20])


class _Counting(io.BytesIO):
    """Counts what is read of it."""

    n_bytes = n_readings = 0

    def read(self, size: int | None = -1, /) -> bytes:
        taken = super().read(size)
        self.n_bytes += len(taken)
        self.n_readings += 1
        return taken


def test_a_part_takes_its_chunks_and_both_ends() -> None:
    stream = _Counting(ENCODED)
    with sancodec.open(stream) as file:
        opened = stream.n_bytes
        # The first nine bytes, which tell what kind of file it is, and both ends.
        assert opened <= 9 + 2 * 1024
        entry = file.container.chunks[20]
        file[2010:2030, 1]
        assert stream.n_bytes == opened + entry.n_bytes
        # Beside it, nothing is read again.
        file[2040:2050]
        assert stream.n_bytes == opened + entry.n_bytes
        assert stream.n_readings == 4


def test_urls_are_opened_as_paths_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec.filesystem("memory").pipe("/archive/walk.san", ENCODED)
    with sancodec.open("memory://archive/walk.san") as file:
        np.testing.assert_array_equal(file[1000:1010], SAMPLES[1000:1010])
    monkeypatch.chdir(tmp_path)
    assert main(["verify", "memory://archive/walk.san"]) == 0
    assert main(["inspect", "memory://archive/walk.san"]) == 0
    assert main(["decode", "memory://archive/walk.san"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["walk.dat", "walk.hea"]


@pytest.mark.parametrize("url", ["memory://archive/nothing.san", "nothing://x.san"])
def test_a_url_that_cannot_be_read_is_named(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RecordError, match=url):
        sancodec.open(url)
    assert main(["inspect", url]) == 1
    assert url in capsys.readouterr().err


def test_damage_at_a_url_names_the_url(capsys: pytest.CaptureFixture[str]) -> None:
    fsspec.filesystem("memory").pipe("/archive/cut.san", ENCODED[:-1])
    assert main(["verify", "memory://archive/cut.san"]) == 3
    assert "archive/cut.san" in capsys.readouterr().err


@pytest.mark.parametrize("level", ["fast", "default", "max"])
@pytest.mark.parametrize("reversed_order", [False, True])
def test_what_is_decoded_no_further_than_needed_is_the_same(
    level: str, reversed_order: bool
) -> None:
    """Of every place, and every lead, the same samples as of a file that is decoded whole."""
    simulation = Simulation(duration_seconds=12.0, fs=250.0)
    samples = simulate_record(simulation, np.random.default_rng(1)).samples
    samples = np.ascontiguousarray(samples[:, ::-1]) if reversed_order else samples
    encoded = encode(ArraySource(samples, fs=250), chunk_seconds=5, level=level, model="ecg")
    assert sancodec.open(encoded).plan.layers
    n = len(samples)
    generator = np.random.default_rng(3)
    for _ in range(5):
        start = int(generator.integers(0, n - 1))
        stop = int(generator.integers(start + 1, n + 1))
        lead = int(generator.integers(0, samples.shape[1]))
        file = sancodec.open(encoded)
        np.testing.assert_array_equal(file[start:stop, lead], samples[start:stop, lead])
        # Then it is remembered, and more is asked for.
        np.testing.assert_array_equal(file[start:stop], samples[start:stop])
        np.testing.assert_array_equal(sancodec.open(encoded)[:stop], samples[:stop])


class _Slow(io.BytesIO):
    """A stream that lets other threads in between its seeking and its reading."""

    def read(self, n_bytes: int | None = -1) -> bytes:
        time.sleep(0.002)
        return super().read(n_bytes)


def test_threads_that_decode_do_not_read_from_each_other() -> None:
    for start in range(0, 3000, 300):
        with sancodec.open(_Slow(ENCODED), jobs=4) as file:
            np.testing.assert_array_equal(file[start : start + 350], SAMPLES[start : start + 350])
            np.testing.assert_array_equal(file[start : start + 390], SAMPLES[start : start + 390])
