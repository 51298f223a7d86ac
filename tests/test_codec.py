"""Records to .san streams and back; and what becomes of a stream that was tampered with."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from make_golden import FOLDER, GOLDEN

import sancodec
from sancodec.codec import encode_stream
from sancodec.config import CodecConfig
from sancodec.errors import (
    ChecksumError,
    ConfigError,
    CorruptError,
    ModelError,
    RecordError,
    SancodecError,
    TruncatedError,
)
from sancodec.formats.arrays import ArraySource
from sancodec.formats.container import ContainerReader, ContainerWriter
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.layers import to_adc_units
from sancodec.recording import Channel, Recording
from sancodec.san.kernels import KernelBank
from sancodec.san_file import SanFile

FITTED = (FOLDER / "fitted.san").read_bytes()
MODEL = (FOLDER / "model.san").read_bytes()
PLAIN = (FOLDER / "plain.san").read_bytes()


def record(n_frames: int, n_channels: int = 2, step: int = 12) -> Recording:
    generator = np.random.default_rng(n_frames)
    walks = np.cumsum(generator.integers(-step, step + 1, (n_channels, n_frames)), axis=1)
    return Recording(
        name="walk",
        fs=250.0,
        channels=tuple(Channel(name=str(i), baseline=40) for i in range(n_channels)),
        signals=tuple(walks.astype(np.int32)),
    )


def encode(source: Any, **settings: Any) -> bytes:
    stream = io.BytesIO()
    encode_stream(source, stream, CodecConfig(**settings))
    return stream.getvalue()


def same(found: Recording, expected: Recording) -> bool:
    return found.channels == expected.channels and all(
        np.array_equal(a, b) for a, b in zip(found.signals, expected.signals, strict=True)
    )


@pytest.mark.parametrize("n_frames", [1, 249, 250, 251, 500, 501])
def test_records_around_the_size_of_a_chunk_come_back(n_frames: int) -> None:
    original = record(n_frames)
    encoded = encode(ArraySource(original), chunk_seconds=1.0, model="none")
    file = SanFile(io.BytesIO(encoded))
    assert len(file.container.chunks) == -(-n_frames // 250)
    assert same(file.read(), original)


@pytest.fixture(scope="module")
def chunked() -> tuple[Recording, bytes]:
    original = record(1037, 3)
    return original, encode(ArraySource(original), chunk_seconds=0.4, model="none")


@given(st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_span_equals_the_slice(chunked: tuple[Recording, bytes], data: st.DataObject) -> None:
    original, encoded = chunked
    start = data.draw(st.integers(0, 1037))
    stop = data.draw(st.integers(start, 1037))
    found = SanFile(io.BytesIO(encoded)).read(start, stop)
    assert found.n_frames == stop - start
    assert same(found, original.frames(start, stop))


@pytest.mark.parametrize(
    ("start", "stop", "chunks"),
    [(0, 1, [0]), (99, 101, [0, 1]), (100, 200, [1]), (250, 250, []), (1036, 1037, [10])],
)
def test_a_span_decodes_the_chunks_it_needs_and_no_other(
    chunked: tuple[Recording, bytes], start: int, stop: int, chunks: list[int]
) -> None:
    file = SanFile(io.BytesIO(chunked[1]))
    read_chunk, taken = file.container.read_chunk, list[int]()

    def counted(i: int) -> bytes:
        taken.append(i)
        return read_chunk(i)

    file.container.read_chunk = counted  # type: ignore[method-assign]
    file.read(start, stop)
    assert taken == chunks


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 4), (0, 1038), (1038, None)])
def test_a_span_outside_of_the_record_is_refused(
    chunked: tuple[Recording, bytes], start: int, stop: int | None
) -> None:
    with pytest.raises(ConfigError, match="the record has 1037"):
        SanFile(io.BytesIO(chunked[1])).read(start, stop)


def test_spans_come_chunk_by_chunk(chunked: tuple[Recording, bytes]) -> None:
    spans = SanFile(io.BytesIO(chunked[1])).spans(150, 320)
    assert [span.n_frames for span in spans] == [50, 100, 20]


def test_an_unknown_layer_is_refused(chunked: tuple[Recording, bytes]) -> None:
    with pytest.raises(ConfigError, match="'signals', expected one of signal, san"):
        list(SanFile(io.BytesIO(chunked[1])).spans(layer="signals"))


@pytest.mark.parametrize("n_frames", [0, 10])
def test_a_record_without_samples_is_refused(n_frames: int) -> None:
    empty = record(n_frames, 0 if n_frames else 2)
    with pytest.raises(RecordError, match="no samples"):
        encode(ArraySource(empty))


def test_progress_is_told_after_every_chunk() -> None:
    told: list[tuple[int, int]] = []
    config = CodecConfig(chunk_seconds=1.0, model="none")
    source = ArraySource(record(601))
    encode_stream(source, io.BytesIO(), config, progress=lambda a, b: told.append((a, b)))
    assert told == [(250, 601), (500, 601), (601, 601)]


def deviations(signal: np.ndarray) -> int:
    """Sum of absolute deviations from the rounded mean of each window of the paper."""
    windows = [signal[start : start + 1000] for start in range(0, signal.size, 1000)]
    return sum(int(np.abs(w - int(np.floor(w.mean() + 0.5))).sum()) for w in windows)


def test_the_san_layer_is_that_which_the_encoder_saw() -> None:
    file = SanFile(io.BytesIO(GOLDEN["fitted"]()))
    n_activations = n_amplitudes = error = reference = 0
    (san,) = file.plan.layers
    channels = file.plan.groups[san.group].channels
    for i in range(len(file.container.chunks)):
        span, (layer,) = file.chunk(i)
        np.testing.assert_array_equal(file.layers(i)[0].reconstruction, layer.reconstruction)
        n_activations += layer.activations.n_activations
        n_amplitudes += int(np.count_nonzero(layer.activations.amplitude))
        for lead, channel in enumerate(channels):
            signal = span.signals[channel].astype(np.int64)
            error += deviations(signal - to_adc_units(layer.reconstruction[lead]))
            reference += deviations(signal)
    summary = file.summary
    assert (summary.n_activations, summary.n_amplitudes) == (n_activations, n_amplitudes)
    assert (summary.san_error, summary.san_reference) == (error, reference)
    assert 0 < error < reference


def test_the_preview_is_the_reconstruction_on_the_baseline() -> None:
    file = SanFile(io.BytesIO(MODEL))
    (preview,) = file.spans(layer="san")
    (layer,) = file.layers(0)
    for lead, channel in enumerate(file.plan.groups[layer.plan.group].channels):
        expected = file.header.channels[channel].baseline + to_adc_units(layer.reconstruction[lead])
        np.testing.assert_array_equal(preview.signals[channel], expected)
    # It is a picture of the signal.
    signal = file.read().signals[0]
    assert np.corrcoef(signal, preview.signals[0])[0, 1] > 0.8


def test_a_preview_of_a_file_without_a_san_layer_is_refused() -> None:
    with pytest.raises(ConfigError, match="has no SAN layer"):
        list(SanFile(io.BytesIO(PLAIN)).spans(layer="san"))


def test_sixteenths_are_rounded_half_up() -> None:
    units = np.array([-24, -9, -8, -7, 0, 7, 8, 24], np.int32)
    assert to_adc_units(units).tolist() == [-1, -1, 0, 0, 0, 0, 1, 2]


class _Changing:
    """A source that gives other samples each time that it is read."""

    def __init__(self, n_frames: int) -> None:
        self._original = record(n_frames)
        self.name, self.fs = "changing", self._original.fs
        self.channels, self.n_frames = self._original.channels, n_frames
        self._n_read = 0

    def read(self, start: int, stop: int) -> Recording:
        self._n_read += 1
        span = self._original.frames(start, stop)
        return replace(span, signals=tuple(s + np.int32(self._n_read) for s in span.signals))


def test_a_source_that_changes_leaves_a_file_that_agrees_with_itself() -> None:
    encoded = encode(_Changing(900), chunk_seconds=1.0)
    assert SanFile(io.BytesIO(encoded)).read().n_frames == 900


def test_a_file_whose_model_is_not_there_says_so() -> None:
    with pytest.raises(ModelError, match=r"x\.san: .*--model"):
        SanFile(io.BytesIO(_with_digest(bytes(32))), "x.san")


def test_a_model_of_another_digest_is_refused() -> None:
    other = KernelBank(kernels=np.ones((4, 1, 90), np.int16), centre=5, fs=360.0)
    with pytest.raises(ModelError, match="was written with model"):
        SanFile(io.BytesIO(MODEL), "x.san", find_model=lambda _: other)


def _rebuilt(encoded: bytes, payloads: list[bytes], **header: Any) -> bytes:
    """The same container around other payloads, with right checksums."""
    reader = ContainerReader(io.BytesIO(encoded))
    target = io.BytesIO()
    writer = ContainerWriter(target, replace(reader.header, **header))
    for payload in payloads:
        writer.add_chunk(payload)
    writer.finish(reader.summary)
    return target.getvalue()


def _payloads(encoded: bytes) -> list[bytes]:
    reader = ContainerReader(io.BytesIO(encoded))
    return [reader.read_chunk(i) for i in range(len(reader.chunks))]


def _with_digest(digest: bytes) -> bytes:
    return _rebuilt(MODEL, _payloads(MODEL), model_digest=digest)


@pytest.fixture(scope="module")
def small() -> bytes:
    """A file of few bytes that has everything: fitted kernels, activations, two chunks."""
    reader = ContainerReader(io.BytesIO(FITTED))
    span = SanFile(io.BytesIO(FITTED)).read(0, 700)
    template = SanFile(io.BytesIO(FITTED)).plan
    from sancodec.chunk import encode_chunk
    from sancodec.runtime import open_session
    from sancodec.sample_hash import SampleHash

    (layer,) = SanFile(io.BytesIO(FITTED)).layers(0)
    samples, target = SampleHash(), io.BytesIO()
    writer = ContainerWriter(target, replace(reader.header, n_frames=700, chunk_frames=350))
    for start in (0, 350):
        part = span.frames(start, start + 350)
        position = layer.activations.position - 4 * start
        inside = (position > 0) & (position < 1400)
        activations = replace(
            layer.activations,
            position=position[inside],
            kernel=layer.activations.kernel[inside],
            amplitude=layer.activations.amplitude[inside],
        )
        writer.add_chunk(encode_chunk(part, template, [activations], open_session("cpu")).payload)
        samples.add(part)
    writer.finish(replace(reader.summary, sample_hash=samples.digest()))
    assert same(sancodec.decode(target.getvalue()), span)
    return target.getvalue()


def test_every_prefix_is_reported_as_truncated(small: bytes) -> None:
    for n_bytes in range(len(small)):
        with pytest.raises(TruncatedError):
            sancodec.decode(small[:n_bytes])


def test_every_flipped_byte_is_reported(small: bytes) -> None:
    for offset in range(len(small)):
        flipped = bytearray(small)
        flipped[offset] ^= 0xFF
        with pytest.raises(CorruptError):
            sancodec.decode(bytes(flipped))


def _mutations(payloads: list[bytes], seed: int) -> Iterator[list[bytes]]:
    """Flip, cut, lengthen, exchange and overwrite, without a checksum that tells."""
    generator = np.random.default_rng(seed)
    for which, payload in enumerate(payloads):
        for offset in range(len(payload)):
            changed = bytearray(payload)
            changed[offset] ^= 1 << int(generator.integers(8))
            yield [*payloads[:which], bytes(changed), *payloads[which + 1 :]]
        for n_bytes in range(0, len(payload), 9):
            yield [*payloads[:which], payload[:n_bytes], *payloads[which + 1 :]]
        for n_bytes in (1, 4, 4000):
            longer = payload + generator.bytes(n_bytes)
            yield [*payloads[:which], longer, *payloads[which + 1 :]]
    yield payloads[::-1]
    yield [payloads[0]] * len(payloads)


def test_wrong_payloads_with_right_checksums_are_never_taken_for_good(small: bytes) -> None:
    original = sancodec.decode(small)
    kinds = set()
    for payloads in _mutations(_payloads(small), 1):
        try:
            found = sancodec.decode(_rebuilt(small, payloads))
        except CorruptError as error:
            kinds.add(type(error))
            continue
        assert same(found, original)
    # Some are told by their structure, some decode and are told by the hash of the samples.
    assert CorruptError in kinds
    assert ChecksumError in kinds


def test_residuals_of_random_words_are_refused_in_no_time(small: bytes) -> None:
    """Well-formed around garbage: the SAN layer is right, the words of the residual are not."""
    generator = np.random.default_rng(2)
    first, second = _payloads(small)
    reader = ByteReader(first)
    layer = reader.counted("activations", len(first))
    mode = reader.u8("mode")
    for n_words in range(2, 200, 11):
        words = generator.integers(0, 1 << 32, n_words, dtype=np.uint32)
        words[0] &= np.uint32((1 << 31) - 1)
        payload = ByteWriter().counted(layer).u8(mode).counted(words.astype("<u4").tobytes())
        with pytest.raises(CorruptError):
            sancodec.decode(_rebuilt(small, [payload.getvalue(), second]))


def test_headers_with_right_checksums_and_wrong_fields_are_refused(small: bytes) -> None:
    payloads = _payloads(small)
    header = ContainerReader(io.BytesIO(small)).header
    one = header.channels[:1]
    changes: list[dict[str, Any]] = [
        {"fs": 1e300},
        {"fs": 1e-300},
        {"n_frames": 699},
        {"n_frames": 351},
        {"chunk_frames": 400},
        {"channels": one},
        {"channels": header.channels * 2},
        {"kernels": header.kernels[:-4]},
        {"kernels": b"", "model_digest": bytes(32)},
        {"parameters": header.parameters[:-1]},
        {"parameters": header.parameters[:2]},
    ]
    for change in changes:
        with pytest.raises(SancodecError):
            sancodec.decode(_rebuilt(small, payloads, **change))
    for offset in range(len(header.parameters)):
        for bit in range(8):
            parameters = bytearray(header.parameters)
            parameters[offset] ^= 1 << bit
            encoded = _rebuilt(small, payloads, parameters=bytes(parameters))
            try:
                found = sancodec.decode(encoded)
            except SancodecError:
                continue
            # Names and counts for the report do not enter the samples.
            assert same(found, sancodec.decode(small))


def test_changed_kernels_are_never_taken_for_good(small: bytes) -> None:
    payloads = _payloads(small)
    kernels = ContainerReader(io.BytesIO(small)).header.kernels
    original = sancodec.decode(small)
    for offset in range(0, len(kernels), 5):
        changed = bytearray(kernels)
        changed[offset] ^= 1 << offset % 8
        try:
            found = sancodec.decode(_rebuilt(small, payloads, kernels=bytes(changed)))
        except SancodecError:
            continue
        assert same(found, original)
