"""What a header says of the SAN layer: a decoder rebuilds the encoder's plan from it alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sancodec import models
from sancodec.errors import CorruptError, ModelError, UnsupportedError
from sancodec.formats.container import Header
from sancodec.formats.header import FIDELITY_LOSSLESS, LEVEL_DEFAULT
from sancodec.formats.parameters import (
    MAX_EXPONENT,
    MIN_EXPONENT,
    CodecParameters,
    decode_parameters,
    encode_parameters,
)
from sancodec.formats.wire import ByteWriter
from sancodec.layers import ChunkPlan, SanPlan, groups_of
from sancodec.parameters import (
    ModelName,
    code_details,
    decode_kernels,
    encode_kernels,
    header_kernels,
    parameters_of,
    plan_of,
)
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
    return ChunkPlan(groups=groups, layers=(san,))


def header_of(chunks: ChunkPlan, *models_of: ModelName, **changes: Any) -> Header:
    names = models_of or (ModelName(),) * len(chunks.layers)
    digest, embedded = header_kernels(chunks, names)
    header = Header(
        name="x",
        fs=FS,
        channels=CHANNELS,
        n_frames=100,
        chunk_frames=50,
        fidelity=FIDELITY_LOSSLESS,
        level=LEVEL_DEFAULT,
        parameters=encode_parameters(parameters_of(chunks, names)),
        model_digest=digest,
        kernels=embedded,
    )
    return replace(header, **changes)


@pytest.mark.parametrize("n_kernel_leads", [1, 2])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_plan_comes_back_from_its_header(n_kernel_leads: int, backwards: bool) -> None:
    written = plan(n_kernel_leads, backwards=backwards)
    found = plan_of(header_of(written), "x.san")
    assert found.groups == written.groups
    (san,) = found.layers
    assert (san.group, san.leads) == (0, (0, 2))
    assert san.exponents == (MIN_EXPONENT, MAX_EXPONENT)
    assert san.clock == FS
    assert san.bank.digest == written.layers[0].bank.digest


def layered() -> tuple[ChunkPlan, tuple[ModelName, ...]]:
    """Channels 0 and 3 together, 1 and 2 alone; three layers, two of them of one group."""
    groups = groups_of(CHANNELS, FS, (0, 1, 2, 0))
    model, _ = models.load("ecg")
    layers = (
        SanPlan.of(0, (0,), (3,), bank_of(1), 50.0),
        SanPlan.of(0, (1,), (4,), resample(model, FS), FS),
        SanPlan.of(2, (0,), (5,), bank_of(1), 1250.0),
    )
    names = (ModelName(), ModelName("ecg", model.digest), ModelName("mine"))
    return ChunkPlan(groups=(groups[0].reversed(), *groups[1:]), layers=layers), names


def test_a_plan_of_several_layers_comes_back() -> None:
    written, names = layered()
    found = plan_of(header_of(written, *names), "x.san")
    assert found.groups == written.groups
    for san, original in zip(found.layers, written.layers, strict=True):
        assert (san.group, san.leads, san.exponents) == (
            original.group,
            original.leads,
            original.exponents,
        )
        assert san.clock == original.clock
        np.testing.assert_array_equal(san.bank.kernels, original.bank.kernels)


def test_the_second_layout_is_left_to_records_that_need_it() -> None:
    """Else every ECG would be some bytes longer, and none would be as it was."""
    (san,) = plan().layers
    written = plan()
    assert encode_parameters(parameters_of(written, (ModelName(),)))[0] == 2
    for needs in (
        replace(written, layers=(replace(san, clock=50.0),)),
        replace(written, groups=groups_of(CHANNELS, FS, (0, 1, 2, 0))),
        replace(written, layers=(san, replace(san, group=1, leads=(0,), exponents=(3,)))),
    ):
        names = (ModelName(),) * len(needs.layers)
        assert encode_parameters(parameters_of(needs, names))[:2] == b"\x00\x02"


def test_another_layout_is_left_to_a_newer_version() -> None:
    with pytest.raises(UnsupportedError, match=r"x\.san: .* layout 7 .* newer"):
        decode_parameters(b"\x00\x07" + bytes(9), 4, "x.san")


def detailed(counts: tuple[int, ...] = (2, 0, 1)) -> ChunkPlan:
    """The plan with principal kernels, smooth ones, coded coarsely."""
    (san,) = plan().layers
    shape = (sum(counts), 2, san.bank.n_taps)
    phase = np.linspace(0.0, np.pi, shape[2]) * np.arange(1, 1 + shape[0] * 2).reshape(-1, 2, 1)
    taps = np.rint(3000 * np.sin(phase)).astype(np.int16)
    details = code_details(counts, taps, san.bank, np.array([40.0, 25.0]))
    return replace(plan(), layers=(replace(san, details=details),))


def test_principal_kernels_come_back_as_the_encoder_has_them() -> None:
    written = detailed()
    (found,), (san,) = plan_of(header_of(written), "x.san").layers, written.layers
    assert found.details is not None
    assert san.details is not None
    assert found.details.counts == (2, 0, 1)
    np.testing.assert_array_equal(found.details.expanded.rows, san.details.expanded.rows)
    assert found.details.expanded.centre == san.expanded.centre
    assert np.abs(found.details.expanded.rows).max() > 2900


def test_damaged_principal_kernels_are_refused_or_others() -> None:
    whole = detailed()
    parameters = parameters_of(whole, (ModelName(),))
    details = parameters.details
    n_refused = 0
    for bit in range(0, 8 * len(details), 3):
        flipped = bytearray(details)
        flipped[bit // 8] ^= 1 << bit % 8
        damaged = replace(parameters, details=bytes(flipped))
        header = header_of(whole, parameters=encode_parameters(damaged))
        try:
            plan_of(header, "x.san")
        except CorruptError:
            n_refused += 1
    assert n_refused > 0.4 * 8 * len(details) / 3
    for n_bytes in range(1, len(details), 3):
        damaged = replace(parameters, details=details[:n_bytes])
        with pytest.raises(CorruptError):
            plan_of(header_of(whole, parameters=encode_parameters(damaged)), "x.san")


def test_more_principal_kernels_than_a_layer_may_have_are_refused() -> None:
    many = replace(parameters_of(plan(), (ModelName(),)), details=bytes([60, 5, 0, 0]))
    with pytest.raises(CorruptError, match="too many"):
        plan_of(header_of(plan(), parameters=encode_parameters(many)), "x.san")


@pytest.mark.parametrize("members", [None, (0, 1)])
def test_a_structure_stands_before_either_layout(members: tuple[int, ...] | None) -> None:
    orders = (0,) if members is None else (0, 1)
    written = CodecParameters(orders=orders, members=members, structure=b"\x00", n_base=2)
    assert decode_parameters(encode_parameters(written), 12, "x.san") == written
    nested = encode_parameters(written)[:5] + encode_parameters(written)
    with pytest.raises(CorruptError):
        decode_parameters(nested, 12, "x.san")
    with pytest.raises(CorruptError):
        decode_parameters(encode_parameters(replace(written, n_base=0)), 12, "x.san")
    with pytest.raises(CorruptError):
        decode_parameters(encode_parameters(written), 1, "x.san")


@pytest.mark.parametrize(
    "changes",
    [
        {"members": (1, 0, 2, 1)},
        {"members": (0, 1, 1, 0)},
        {"members": (0, 1, 3, 0)},
        {"layers": (0, 0)},
        {"layers": (2, 0)},
        {"clock": float("nan")},
        {"clock": 0.0},
        {"clock": float("inf")},
        {"digest": b"short"},
    ],
)
def test_layers_that_contradict_themselves_are_refused(changes: dict[str, Any]) -> None:
    parameters = parameters_of(*layered())
    layers = parameters.layers
    if "layers" in changes:
        layers = tuple(layers[i] for i in changes["layers"])
    if "clock" in changes:
        layers = (replace(layers[0], clock=changes["clock"]), *layers[1:])
    if "digest" in changes:
        layers = (replace(layers[0], model_digest=changes["digest"]), *layers[1:])
    members = changes.get("members", parameters.members)
    written = replace(parameters, members=members, layers=layers)
    with pytest.raises(CorruptError):
        decode_parameters(encode_parameters(written), 4, "x.san")


def test_a_group_of_several_frequencies_is_refused() -> None:
    written, names = layered()
    parameters = replace(parameters_of(written, names), members=(0, 0, 1, 2))
    header = header_of(written, *names, parameters=encode_parameters(parameters))
    with pytest.raises(CorruptError, match=r"x\.san: a group of \[1, 2\] samples per frame"):
        plan_of(header, "x.san")


def test_kernels_of_several_layers_have_to_be_those_of_the_parameters() -> None:
    written, names = layered()
    good = header_of(written, *names)
    with pytest.raises(CorruptError, match="bytes more"):
        plan_of(replace(good, kernels=good.kernels + b"\0"), "x.san")
    with pytest.raises(CorruptError):
        plan_of(replace(good, kernels=good.kernels[:-1]), "x.san")
    with pytest.raises(CorruptError, match="a model digest in the header"):
        plan_of(replace(good, model_digest=bytes(32)), "x.san")


def test_a_plan_without_a_san_layer_comes_back() -> None:
    written = replace(plan(backwards=True), layers=())
    assert plan_of(header_of(written), "x.san") == written


def test_the_shipped_model_is_found_by_its_digest_and_resampled() -> None:
    model, _ = models.load("ecg")
    layers = (SanPlan.of(0, (1,), (3,), resample(model, FS)),)
    chunks = ChunkPlan(groups=groups_of(CHANNELS, FS), layers=layers)
    (san,) = plan_of(header_of(chunks, ModelName("ecg", model.digest)), "x.san").layers
    np.testing.assert_array_equal(san.bank.kernels, resample(model, FS).kernels)


def test_a_model_that_is_not_there_is_named() -> None:
    header = header_of(plan(1), ModelName("lost", "00" * 32))
    with pytest.raises(ModelError, match=r"x\.san: model 0000.*--model"):
        plan_of(header, "x.san")


def test_a_model_of_another_digest_is_refused() -> None:
    header = header_of(plan(1), ModelName("mine", "00" * 32))
    with pytest.raises(ModelError, match=r"x\.san: was written with model 000000000000"):
        plan_of(header, "x.san", lambda _: bank_of(1))


def test_a_model_given_by_the_reader_is_used() -> None:
    model = bank_of(1, 360.0)
    layers = (SanPlan.of(0, (1,), (3,), resample(model, FS)),)
    chunks = ChunkPlan(groups=groups_of(CHANNELS, FS), layers=layers)
    header = header_of(chunks, ModelName("mine", model.digest))
    (san,) = plan_of(header, "x.san", lambda digest: model).layers
    assert san.bank.fs == FS


def test_a_model_that_the_frequency_rules_out_makes_the_file_corrupt() -> None:
    model = bank_of(1, 360.0)
    header = header_of(plan(1), ModelName("mine", model.digest), fs=0.5)
    with pytest.raises(CorruptError, match=r"x\.san: sampling frequency"):
        plan_of(header, "x.san", lambda _: model)


def test_headers_that_contradict_themselves_are_refused() -> None:
    good = header_of(plan())
    without = encode_parameters(parameters_of(replace(plan(), layers=()), ()))
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


PARAMETERS = {
    "plain": parameters_of(plan(), (ModelName("ecg"),)),
    "layered": parameters_of(*layered()),
}


@pytest.mark.parametrize("layout", PARAMETERS)
def test_every_prefix_of_the_parameters_is_refused(layout: str) -> None:
    encoded = encode_parameters(PARAMETERS[layout])
    assert decode_parameters(encoded, 4, "x.san") == PARAMETERS[layout]
    # Cut behind the orders, the first layout is that of a record without a SAN layer.
    without = len(encode_parameters(replace(PARAMETERS["plain"], layers=())))
    for n_bytes in range(len(encoded)):
        if (layout, n_bytes) != ("plain", without):
            with pytest.raises(CorruptError):
                decode_parameters(encoded[:n_bytes], 4, "x.san")
    with pytest.raises(CorruptError):
        decode_parameters(encoded + b"\0", 4, "x.san")


@pytest.mark.parametrize("layout", PARAMETERS)
def test_every_changed_byte_of_the_parameters_is_refused_or_reads_otherwise(layout: str) -> None:
    encoded = encode_parameters(PARAMETERS[layout])
    expected = decode_parameters(encoded, 4, "x.san")
    for offset in range(len(encoded)):
        for value in range(256):
            changed = encoded[:offset] + bytes([value]) + encoded[offset + 1 :]
            try:
                found = decode_parameters(changed, 4, "x.san")
            except (CorruptError, UnsupportedError):
                continue
            assert (found == expected) == (changed == encoded)
