"""What a header says of the SAN layer: a decoder rebuilds the encoder's plan from it alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sancodec import models
from sancodec.chunk import ChunkPlan, SanPlan, groups_of
from sancodec.errors import CorruptError, ModelError
from sancodec.formats.container import Header
from sancodec.formats.header import FIDELITY_LOSSLESS, LEVEL_DEFAULT
from sancodec.formats.parameters import (
    MAX_EXPONENT,
    MIN_EXPONENT,
    decode_parameters,
    encode_parameters,
)
from sancodec.formats.wire import ByteWriter
from sancodec.parameters import decode_kernels, encode_kernels, parameters_of, plan_of
from sancodec.recording import Channel
from sancodec.san.kernels import KernelBank
from sancodec.san.synthesis import resample

FS = 250.0
CHANNELS = tuple(Channel(name=str(i), samples_per_frame=1 + (i == 1)) for i in range(4))


def bank_of(n_leads: int, fs: float = FS) -> KernelBank:
    kernels = np.random.default_rng(n_leads).integers(-999, 999, (3, n_leads, 40))
    return KernelBank(kernels=kernels.astype(np.int16), centre=12, fs=fs)


def plan(n_kernel_leads: int = 2, *, backwards: bool = False) -> ChunkPlan:
    groups = groups_of(CHANNELS, FS)
    if backwards:
        groups = (groups[0].reversed(), *groups[1:])
    san = SanPlan.of(0, (0, 2), (MIN_EXPONENT, MAX_EXPONENT), bank_of(n_kernel_leads))
    return ChunkPlan(groups=groups, san=san)


def header_of(chunks: ChunkPlan, name: str = "", **changes: Any) -> Header:
    embedded = b"" if chunks.san is None or name else encode_kernels(chunks.san.bank)
    header = Header(
        name="x",
        fs=FS,
        channels=CHANNELS,
        n_frames=100,
        chunk_frames=50,
        fidelity=FIDELITY_LOSSLESS,
        level=LEVEL_DEFAULT,
        parameters=encode_parameters(parameters_of(chunks, name)),
        model_digest=b"",
        kernels=embedded,
    )
    return replace(header, **changes)


@pytest.mark.parametrize("n_kernel_leads", [1, 2])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_plan_comes_back_from_its_header(n_kernel_leads: int, backwards: bool) -> None:
    written = plan(n_kernel_leads, backwards=backwards)
    found = plan_of(header_of(written), "x.san")
    assert found.groups == written.groups
    assert found.san is not None
    assert written.san is not None
    assert (found.san.group, found.san.leads) == (0, (0, 2))
    assert found.san.exponents == (MIN_EXPONENT, MAX_EXPONENT)
    assert found.san.bank.digest == written.san.bank.digest


def test_a_plan_without_a_san_layer_comes_back() -> None:
    written = plan(backwards=True).without_san()
    assert plan_of(header_of(written), "x.san") == written


def test_the_shipped_model_is_found_by_its_digest_and_resampled() -> None:
    model, _ = models.load("ecg")
    chunks = ChunkPlan(
        groups=groups_of(CHANNELS, FS), san=SanPlan.of(0, (1,), (3,), resample(model, FS))
    )
    header = header_of(chunks, "ecg", model_digest=bytes.fromhex(model.digest))
    found = plan_of(header, "x.san")
    assert found.san is not None
    np.testing.assert_array_equal(found.san.bank.kernels, resample(model, FS).kernels)


def test_a_model_that_is_not_there_is_named() -> None:
    header = header_of(plan(1), "lost", model_digest=bytes(32))
    with pytest.raises(ModelError, match=r"x\.san: model 0000.*--model"):
        plan_of(header, "x.san")


def test_a_model_of_another_digest_is_refused() -> None:
    header = header_of(plan(1), "mine", model_digest=bytes(32))
    with pytest.raises(ModelError, match=r"x\.san: was written with model 000000000000"):
        plan_of(header, "x.san", lambda _: bank_of(1))


def test_a_model_given_by_the_reader_is_used() -> None:
    model = bank_of(1, 360.0)
    chunks = ChunkPlan(
        groups=groups_of(CHANNELS, FS), san=SanPlan.of(0, (1,), (3,), resample(model, FS))
    )
    header = header_of(chunks, "mine", model_digest=bytes.fromhex(model.digest))
    found = plan_of(header, "x.san", lambda digest: model)
    assert found.san is not None
    assert found.san.bank.fs == FS


def test_a_model_that_the_frequency_rules_out_makes_the_file_corrupt() -> None:
    model = bank_of(1, 360.0)
    header = header_of(plan(1), "mine", model_digest=bytes.fromhex(model.digest), fs=0.5)
    with pytest.raises(CorruptError, match=r"x\.san: sampling frequency"):
        plan_of(header, "x.san", lambda _: model)


def test_headers_that_contradict_themselves_are_refused() -> None:
    good = header_of(plan())
    without = encode_parameters(parameters_of(plan().without_san(), ""))
    with pytest.raises(CorruptError, match="no leads that they are for"):
        plan_of(replace(good, parameters=without), "x.san")
    with pytest.raises(CorruptError, match="neither kernels nor the digest"):
        plan_of(replace(good, kernels=b""), "x.san")
    with pytest.raises(CorruptError, match="kernels for 3 leads, expected 3 for 2"):
        plan_of(replace(good, kernels=encode_kernels(bank_of(3))), "x.san")
    with pytest.raises(CorruptError, match="orders for 2 groups, expected 1"):
        plan_of(replace(good, channels=tuple(Channel() for _ in range(4))), "x.san")
    with pytest.raises(CorruptError):
        plan_of(replace(good, channels=CHANNELS[:2]), "x.san")


def test_kernels_come_back_and_nothing_cut_does() -> None:
    bank = bank_of(2)
    embedded = encode_kernels(bank)
    assert decode_kernels(embedded, FS, "x.san").digest == bank.digest
    for n_bytes in range(len(embedded)):
        with pytest.raises(CorruptError):
            decode_kernels(embedded[:n_bytes], FS, "x.san")


@pytest.mark.parametrize(
    ("n_kernels", "n_leads", "n_taps", "centre"),
    [
        (0, 1, 9, 0),
        (65, 1, 9, 0),
        (1, 257, 9, 0),
        (1, 1, 65_537, 0),
        (1, 1, 9, 9),
        (64, 64, 4096, 0),
    ],
)
def test_sizes_of_kernels_are_checked_before_memory_is_taken(
    n_kernels: int, n_leads: int, n_taps: int, centre: int
) -> None:
    writer = ByteWriter().varint(n_kernels).varint(n_leads).varint(n_taps).varint(centre)
    with pytest.raises(CorruptError, match=r"x\.san: kernels"):
        decode_kernels(writer.raw(b"\x00\x00\x00\x80" * 2).getvalue(), FS, "x.san")


def test_every_prefix_of_the_parameters_is_refused() -> None:
    encoded = encode_parameters(parameters_of(plan(), "ecg"))
    assert decode_parameters(encoded, 4, "x.san") == parameters_of(plan(), "ecg")
    # Cut behind the orders, the parameters are those of a record without a SAN layer.
    without = encode_parameters(parameters_of(plan().without_san(), ""))
    for n_bytes in set(range(len(encoded))) - {len(without)}:
        with pytest.raises(CorruptError):
            decode_parameters(encoded[:n_bytes], 4, "x.san")
    with pytest.raises(CorruptError):
        decode_parameters(encoded + b"\0", 4, "x.san")


def test_every_changed_byte_of_the_parameters_is_refused_or_reads_otherwise() -> None:
    encoded = encode_parameters(parameters_of(plan(), "ecg"))
    expected = decode_parameters(encoded, 4, "x.san")
    for offset in range(len(encoded)):
        for value in range(256):
            changed = encoded[:offset] + bytes([value]) + encoded[offset + 1 :]
            try:
                found = decode_parameters(changed, 4, "x.san")
            except CorruptError:
                continue
            assert (found == expected) == (changed == encoded)
