"""Coefficients that chunks begin with: they save bits, never samples, and a header holds them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import sancodec
from sancodec.config import CodecConfig
from sancodec.errors import CorruptError
from sancodec.formats.parameters import decode_parameters, encode_parameters
from sancodec.formats.wire import ByteWriter
from sancodec.layers import ChunkPlan, groups_of
from sancodec.parameters import encode_starts, parameters_of
from sancodec.recording import Channel, Recording
from sancodec.residual.mixing import decode_mixing, encode_mixing
from sancodec.residual.template import beats_of
from sancodec.residual.wide import decode_wide, encode_wide, learn_starts

FS = 250.0
NO_BEATS = beats_of(np.zeros(0, np.int64), np.zeros(0, np.int64), FS)
LIMIT = (1 << 15) - 1


def humming(n_samples: int, seed: int) -> NDArray[np.int32]:
    """Two leads of resonant noise, the second one mostly the first one."""
    generator = np.random.default_rng(seed)
    noise = generator.normal(0, 20, (2, n_samples))
    first = np.zeros(n_samples)
    for t in range(2, n_samples):
        first[t] = 1.8 * first[t - 1] - 0.97 * first[t - 2] + noise[0, t]
    return np.rint(np.stack([first, 0.6 * first + 0.2 * noise[1]])).astype(np.int32)


def known_of(samples: NDArray[np.int32]) -> tuple[Any, ...]:
    return FS, np.zeros_like(samples), [NO_BEATS] * len(samples), 1


def recording(n_samples: int) -> Recording:
    return Recording(
        name="humming",
        fs=FS,
        channels=tuple(Channel(name=name) for name in ("a", "b")),
        signals=tuple(humming(n_samples, 3)),
    )


@pytest.mark.parametrize(
    ("encode", "decode"), [(encode_wide, decode_wide), (encode_mixing, decode_mixing)]
)
def test_what_the_record_taught_saves_bits_in_a_chunk(encode: Any, decode: Any) -> None:
    spans = [humming(5000, seed) for seed in (1, 2)]
    starts = learn_starts((span, *known_of(span)) for span in spans)
    samples = humming(1000, 7)
    payload = encode(samples, *known_of(samples), starts)
    decoded = decode(payload, 1000, *known_of(samples), starts)
    np.testing.assert_array_equal(decoded, samples)
    assert len(payload) < len(encode(samples, *known_of(samples))) - 20


@pytest.mark.parametrize("n_coefficients", [0, 1, 62, 63, 64])
def test_a_start_that_says_nothing_true_or_does_not_fit_loses_nothing(n_coefficients: int) -> None:
    samples = humming(600, 5)
    generator = np.random.default_rng(n_coefficients)
    for size in (1, 128, LIMIT):
        numbers = generator.integers(-size, size + 1, (2, n_coefficients))
        starts = tuple(tuple(row) for row in numbers.tolist())
        payload = encode_wide(samples, *known_of(samples), starts)
        decoded = decode_wide(payload, 600, *known_of(samples), starts)
        np.testing.assert_array_equal(decoded, samples)


def test_long_records_begin_their_chunks_with_it_where_it_pays() -> None:
    encoded = {
        seconds: sancodec.encode(recording(20_000), config=of(seconds)) for seconds in (4, 40)
    }
    with sancodec.open(encoded[4]) as file:
        assert [len(start) > 40 for start in file.plan.groups[0].starts] == [True, True]
    with sancodec.open(encoded[40]) as file:
        assert file.plan.groups[0].starts == ()
    for payload in encoded.values():
        np.testing.assert_array_equal(sancodec.decode(payload).samples, recording(20_000).samples)


def of(chunk_seconds: float) -> CodecConfig:
    return CodecConfig(model="none", chunk_seconds=chunk_seconds)


def test_starts_come_back_from_a_header_and_nothing_cut_does() -> None:
    channels = tuple(Channel(name=str(i), samples_per_frame=1 + (i == 1)) for i in range(3))
    first, second = groups_of(channels, FS)
    first = replace(first, starts=((5, -LIMIT, 0), ()))
    plan = ChunkPlan(groups=(first, second), layers=())
    written = encode_parameters(parameters_of(plan, ()))
    assert decode_parameters(written, 3, "x").starts == encode_starts(plan.groups)
    for n_bytes in range(1, len(written)):
        with pytest.raises(CorruptError):
            decode_parameters(written[:n_bytes], 3, "x")


@pytest.mark.parametrize(
    "sizes",
    [[1 << 13, 0], [1 << 12] * 2],
    ids=["of one lead", "that are not there"],
)
def test_counts_of_coefficients_are_checked(sizes: list[int]) -> None:
    encoded = bytearray(sancodec.encode(recording(20_000), config=of(4)))
    with sancodec.open(bytes(encoded)) as file:
        header = file.header
    writer = ByteWriter()
    for size in sizes:
        writer.varint(size)
    wrong = encode_parameters(
        replace(decode_parameters(header.parameters, 2, "x"), starts=writer.getvalue())
    )
    with pytest.raises(CorruptError):
        sancodec.parameters.plan_of(replace(header, parameters=wrong), "x.san")
