"""The plan of a record as the fields of a header, and back."""

from __future__ import annotations

from collections.abc import Callable

from sancodec import models
from sancodec.chunk import ChunkPlan, SanPlan, groups_of
from sancodec.errors import CorruptError, ModelError
from sancodec.formats.container import Header
from sancodec.formats.parameters import (
    ORDER_REVERSED,
    CodecParameters,
    SanParameters,
    decode_parameters,
)
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.san.coding import decode_taps, encode_taps
from sancodec.san.kernels import MAX_KERNELS, MAX_TAPS, KernelBank
from sancodec.san.synthesis import resample

_MAX_BANK_TAPS = 1 << 20


def parameters_of(plan: ChunkPlan, model_name: str) -> CodecParameters:
    """Give what the header says of a plan; ``model_name`` is empty for fitted kernels."""
    san = None
    if plan.san is not None:
        san = SanParameters(
            group=plan.san.group,
            leads=plan.san.leads,
            exponents=plan.san.exponents,
            model_name=model_name,
            n_kernels=plan.san.bank.n_kernels,
            kernel_numbers=int(plan.san.bank.kernels.size),
        )
    return CodecParameters(orders=tuple(group.order for group in plan.groups), san=san)


def encode_kernels(bank: KernelBank) -> bytes:
    """Give a bank as it is embedded in a file; its frequency is that of the group it serves."""
    writer = ByteWriter().varint(bank.n_kernels).varint(bank.n_kernel_leads)
    writer.varint(bank.n_taps).varint(bank.centre)
    return writer.raw(encode_taps(bank.kernels)).getvalue()


def decode_kernels(embedded: bytes, fs: float, name: str) -> KernelBank:
    """Give back the bank of ``encode_kernels``.

    Raises
    ------
    CorruptError
        The sizes are out of range, or the taps do not decode.
    """
    reader = ByteReader(embedded, f"{name}: kernels")
    n_kernels = reader.varint("number of kernels", MAX_KERNELS)
    n_leads = reader.varint("number of leads", 256)
    n_taps = reader.varint("number of taps", MAX_TAPS)
    centre = reader.varint("centre", MAX_TAPS)
    if not 0 < n_kernels * n_leads * n_taps <= _MAX_BANK_TAPS or centre >= n_taps:
        raise reader.corrupt("sizes", f"{n_kernels} x {n_leads} x {n_taps}, centre {centre}")
    taps = decode_taps(bytes(reader.take(reader.remaining, "taps")), (n_kernels, n_leads, n_taps))
    return KernelBank(kernels=taps, centre=centre, fs=fs)


def plan_of(
    header: Header, name: str, find_model: Callable[[str], KernelBank] = models.find
) -> ChunkPlan:
    """Give the plan by which the chunks of a file are decoded.

    Parameters
    ----------
    find_model : callable
        Gives the kernels for a digest in hexadecimal.

    Raises
    ------
    CorruptError
        The parameters contradict the header.
    ModelError
        The model that the file names is not there.
    """
    parameters = decode_parameters(header.parameters, len(header.channels), name)
    groups = groups_of(header.channels, header.fs)
    if len(parameters.orders) != len(groups):
        raise CorruptError(
            f"{name}: orders for {len(parameters.orders)} groups, expected {len(groups)}"
        )
    groups = tuple(
        group.reversed() if order == ORDER_REVERSED else group
        for group, order in zip(groups, parameters.orders, strict=True)
    )
    san = parameters.san
    if san is None:
        if header.kernels or header.model_digest:
            raise CorruptError(f"{name}: kernels, but no leads that they are for")
        return ChunkPlan(groups=groups)
    if san.group >= len(groups) or san.leads[-1] >= len(groups[san.group].channels):
        raise CorruptError(f"{name}: a SAN layer of group {san.group}, leads {san.leads}")
    bank = _bank_of(header, groups[san.group].fs, name, find_model)
    if bank.n_kernel_leads not in {1, len(san.leads)} or bank.n_kernels != san.n_kernels:
        raise CorruptError(
            f"{name}: {bank.n_kernels} kernels for {bank.n_kernel_leads} leads, expected "
            f"{san.n_kernels} for {len(san.leads)}"
        )
    return ChunkPlan(groups=groups, san=SanPlan.of(san.group, san.leads, san.exponents, bank))


def _bank_of(
    header: Header, fs: float, name: str, find_model: Callable[[str], KernelBank]
) -> KernelBank:
    if header.kernels:
        return decode_kernels(header.kernels, fs, name)
    if not header.model_digest:
        raise CorruptError(f"{name}: a SAN layer, but neither kernels nor the digest of a model")
    digest = header.model_digest.hex()
    try:
        model = find_model(digest)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
    if model.digest != digest:
        raise ModelError(
            f"{name}: was written with model {digest[:12]}, the model given is "
            f"{model.digest[:12]}; give the one with that digest"
        )
    try:
        return resample(model, fs)
    except ModelError as error:
        raise CorruptError(f"{name}: {error}") from error
