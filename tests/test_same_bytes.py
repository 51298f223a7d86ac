"""The same input and settings give the same bytes: each time, everywhere, by any number of jobs."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace

import numpy as np
import pytest

from sancodec.codec import encode_stream
from sancodec.config import CodecConfig
from sancodec.formats.arrays import ArraySource
from sancodec.recording import Channel, Recording
from sancodec.runtime import open_session

FS = 250.0


def beats(n_samples: int) -> Recording:
    """Give two leads with a beat about every second, made of integers alone."""
    generator = np.random.default_rng(11)
    lead = (
        generator.integers(-3, 4, n_samples) + np.cumsum(generator.integers(-2, 3, n_samples)) // 4
    )
    wave = np.array([0, 3, 9, 20, -15, 90, 260, 120, -60, -25, -8, -2, 4, 9, 14, 18, 14, 8, 3])
    for start in np.cumsum(generator.integers(180, 280, n_samples // 280)):
        lead[start : start + wave.size] += wave[: max(0, n_samples - start)]
    other = lead // 2 + generator.integers(-2, 3, n_samples)
    signals = tuple(signal.astype(np.int32) for signal in (lead, other))
    channels = (Channel(name="MLII"), Channel(name="V5"))
    return Recording(name="beats", fs=FS, channels=channels, signals=signals)


RECORD = beats(20_000)


def digest(config: CodecConfig, jobs: int = 1) -> str:
    target = io.BytesIO()
    encode_stream(ArraySource(RECORD), target, config, session=open_session("cpu"), jobs=jobs)
    return hashlib.sha256(target.getvalue()).hexdigest()


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("fast", "31a72b9609f71d0c4e3efd24b516283d4cb926ec13696b3a7e4acbc948198a01"),
        ("default", "6fa08a32fad363284078821946910eef21ee5992a1e08ae834b7fc0f58fda096"),
    ],
)
def test_bytes_are_those_of_every_other_machine(level: str, expected: str) -> None:
    """Where this fails on purpose, since files became smaller, the digest here becomes another."""
    assert digest(CodecConfig(model="none", level=level, chunk_seconds=8.0)) == expected


@pytest.mark.parametrize("kernels", ["model", "fit"])
def test_bytes_do_not_depend_on_the_number_of_workers(kernels: str) -> None:
    config = CodecConfig(kernels=kernels, chunk_seconds=8.0)
    expected = digest(config)
    for jobs in (2, 5):
        assert digest(config, jobs) == expected
    assert digest(replace(config, level="fast"), 3) == digest(replace(config, level="fast"))
