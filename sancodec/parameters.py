"""The plan of a record as the fields of a header, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec import models
from sancodec.errors import CorruptError, ModelError
from sancodec.formats.container import Header
from sancodec.formats.header import DIGEST_BYTES
from sancodec.formats.parameters import (
    ORDER_REVERSED,
    CodecParameters,
    SanParameters,
    decode_parameters,
)
from sancodec.formats.primers import Primer
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.layers import ChunkPlan, Group, SanPlan, groups_of
from sancodec.primed import encode_primers, with_primers
from sancodec.residual.loss import LeadLoss
from sancodec.residual.template import Beats, beats_of
from sancodec.residual.transform.coding import decode_transform, encode_transform
from sancodec.san.coding import decode_taps, encode_taps
from sancodec.san.details import Details
from sancodec.san.kernels import MAX_KERNELS, MAX_TAPS, KernelBank
from sancodec.san.synthesis import resample
from sancodec.structure.record import base_header, structure_in

_MAX_BANK_TAPS = 1 << 20
_MAX_BANK_BYTES = 1 << 24
_MAX_START, _MAX_STARTS = 1 << 12, 1 << 15


class ModelName(NamedTuple):
    """The model behind a layer's kernels.

    ``name`` is empty for kernels fitted to the record; ``digest`` is that of a shipped model in
    hexadecimal, or empty when the kernels are stored in the file.
    """

    name: str = ""
    digest: str = ""

    @property
    def digest_bytes(self) -> bytes:
        """What a file holds of the digest."""
        return bytes.fromhex(self.digest)[:DIGEST_BYTES]


def parameters_of(plan: ChunkPlan, names: Sequence[ModelName]) -> CodecParameters:
    """Give what the header says of a plan; ``names`` are the models of its layers."""
    starts, details = encode_starts(plan.groups), _encode_layers_details(plan.layers)
    primer = encode_primers(plan.groups)
    return replace(_parameters_of(plan, names), starts=starts, details=details, primer=primer)


def _parameters_of(plan: ChunkPlan, names: Sequence[ModelName]) -> CodecParameters:
    if plan.structure is not None:
        inner = _parameters_of(replace(plan, structure=None), names)
        structure = plan.structure
        return replace(inner, structure=structure.to_bytes(), n_base=structure.n_base)
    orders = tuple(group.order for group in plan.groups)
    layers = tuple(_san_of(san, model) for san, model in zip(plan.layers, names, strict=True))
    if is_plain(plan):
        plain = tuple(replace(san, clock=None, model_digest=b"") for san in layers)
        return CodecParameters(orders=orders, layers=plain)
    members = {channel: i for i, group in enumerate(plan.groups) for channel in group.channels}
    return CodecParameters(
        orders=orders, layers=layers, members=tuple(members[i] for i in range(len(members)))
    )


def is_plain(plan: ChunkPlan) -> bool:
    """Tell whether the first layout of parameters can hold a plan."""
    by_rate = len({group.samples_per_frame for group in plan.groups}) == len(plan.groups)
    own_clocks = [san.clock != plan.groups[san.group].fs for san in plan.layers]
    return by_rate and len(plan.layers) <= 1 and not any(own_clocks)


def header_kernels(plan: ChunkPlan, names: Sequence[ModelName]) -> tuple[bytes, bytes]:
    """Give the model digest and the embedded kernels that stand in the header for a plan."""
    embedded = [
        encode_kernels(san.bank)
        for san, model in zip(plan.layers, names, strict=True)
        if not model.digest
    ]
    if is_plain(plan):
        return b"".join(model.digest_bytes for model in names), b"".join(embedded)
    writer = ByteWriter()
    for bank in embedded:
        writer.counted(bank)
    return b"", writer.getvalue()


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


def code_details(
    counts: tuple[int, ...], taps: NDArray[np.int16], like: KernelBank, steps: NDArray[np.float64]
) -> Details:
    """Give principal kernels as a file will have them: coded like leads, with loss.

    Parameters
    ----------
    counts : tuple of int
        How many each class has.
    taps : (sum(counts), n_leads, n_taps) int16
    like : KernelBank
        The layer's own: its size, centre and frequency.
    steps : (n_leads,) float64
        Of the quantiser, in taps.
    """
    leads = taps.transpose(1, 0, 2).reshape(taps.shape[1], -1).astype(np.int32)
    loss = LeadLoss(steps, (None,) * len(leads))
    coded = encode_transform(leads, like.fs, *_nothing_known(leads.shape, like.fs), loss).payload
    return _details_of(counts, coded, like, len(leads))


def _nothing_known(shape: tuple[int, int], fs: float) -> tuple[NDArray[np.int32], list[Beats], int]:
    nothing = np.zeros(0, np.int64)
    return np.zeros(shape, np.int32), [beats_of(nothing, nothing, fs)] * shape[0], 1


def _details_of(counts: tuple[int, ...], coded: bytes, like: KernelBank, n_leads: int) -> Details:
    n_kernels, n_taps = sum(counts), like.n_taps
    shape = n_leads, n_kernels * n_taps
    leads = decode_transform(coded, shape[1], like.fs, *_nothing_known(shape, like.fs))
    if np.abs(leads.astype(np.int64)).max() > np.iinfo(np.int16).max:
        raise CorruptError("principal kernels: a tap is beyond int16")
    taps = leads.reshape(n_leads, n_kernels, n_taps).transpose(1, 0, 2).astype(np.int16)
    return Details.of(counts, replace(like, kernels=np.ascontiguousarray(taps)), coded)


def _encode_layers_details(layers: Sequence[SanPlan]) -> bytes:
    """Give the principal kernels of all layers; nothing where none has any."""
    if all(san.details is None for san in layers):
        return b""
    writer = ByteWriter()
    for san in layers:
        counts = san.details.counts if san.details is not None else (0,) * san.bank.n_kernels
        for count in counts:
            writer.varint(count)
        if san.details is not None:
            writer.counted(san.details.coded)
    return writer.getvalue()


def _with_details(layers: Sequence[SanPlan], details: bytes, name: str) -> tuple[SanPlan, ...]:
    """Give the layers with what ``_encode_layers_details`` wrote.

    Raises
    ------
    CorruptError
        There are too many, or they do not decode.
    """
    if not details:
        return tuple(layers)
    reader = ByteReader(details, f"{name}: principal kernels")
    found = []
    for san in layers:
        counts = tuple(
            reader.varint("number of principal kernels", MAX_KERNELS)
            for _ in range(san.bank.n_kernels)
        )
        n_numbers = sum(counts) * san.bank.n_taps * len(san.leads)
        if sum(counts) > MAX_KERNELS or n_numbers > _MAX_BANK_TAPS:
            raise reader.corrupt("number of principal kernels", f"{counts}, too many")
        if not any(counts):
            found.append(san)
            continue
        coded = reader.counted("principal kernels", reader.remaining)
        own = _details_of(counts, coded, san.bank, len(san.leads))
        found.append(replace(san, details=own))
    reader.expect_end("principal kernels")
    return tuple(found)


def encode_starts(groups: Sequence[Group]) -> bytes:
    """Give what the chunks of all groups begin with; nothing where none begins with anything."""
    if not any(group.starts for group in groups):
        return b""
    writer = ByteWriter()
    numbers: list[int] = []
    for group in groups:
        for start in group.starts or [()] * len(group.channels):
            writer.varint(len(start))
            numbers += start
    return writer.raw(encode_taps(np.array(numbers, np.int16)[None, None])).getvalue()


def _with_starts(groups: Sequence[Group], starts: bytes, name: str) -> tuple[Group, ...]:
    """Give the groups with what ``encode_starts`` wrote.

    Raises
    ------
    CorruptError
        It is too long, or does not decode.
    """
    if not starts:
        return tuple(groups)
    reader = ByteReader(starts, f"{name}: starts")
    sizes = [
        [reader.varint("number of coefficients", _MAX_START) for _ in group.channels]
        for group in groups
    ]
    n_numbers = sum(map(sum, sizes))
    if n_numbers > _MAX_STARTS:
        raise reader.corrupt("starts", f"{n_numbers} coefficients, expected {_MAX_STARTS} at most")
    coded = bytes(reader.take(reader.remaining, "coefficients"))
    numbers = iter(decode_taps(coded, (1, 1, n_numbers))[0, 0].tolist())
    return tuple(
        replace(group, starts=tuple(tuple(islice(numbers, size)) for size in own))
        for group, own in zip(groups, sizes, strict=True)
    )


def plan_of(
    header: Header,
    name: str,
    find_model: Callable[[str], KernelBank] = models.find,
    find_primer: Callable[[str], Primer] = models.find_primer,
) -> ChunkPlan:
    """Give the plan by which the chunks of a file are decoded.

    Parameters
    ----------
    find_model : callable
        Gives the kernels for the begin of a digest, in hexadecimal.
    find_primer : callable
        Gives the primer for the begin of a digest, in hexadecimal.

    Raises
    ------
    CorruptError
        The parameters contradict the header.
    ModelError
        The model or the primer that the file names is not there.
    """
    parameters = decode_parameters(header.parameters, len(header.channels), name)
    structure = structure_in(header, parameters, name)
    if structure is not None:
        header = base_header(header, structure)
    groups = _with_starts(_groups_of(header, parameters, name), parameters.starts, name)
    groups = with_primers(groups, parameters.primer, name, find_primer)
    layers = []
    sources = _kernel_sources(header, parameters, name)
    for san, source in zip(parameters.layers, sources, strict=True):
        if san.group >= len(groups) or san.leads[-1] >= len(groups[san.group].channels):
            raise CorruptError(f"{name}: a SAN layer of group {san.group}, leads {san.leads}")
        bank = _bank_of(*source, groups[san.group].fs, name, find_model)
        if bank.n_kernel_leads not in {1, len(san.leads)} or bank.n_kernels != san.n_kernels:
            raise CorruptError(
                f"{name}: {bank.n_kernels} kernels for {bank.n_kernel_leads} leads, expected "
                f"{san.n_kernels} for {len(san.leads)}"
            )
        layers.append(SanPlan.of(san.group, san.leads, san.exponents, bank, san.clock))
    detailed = _with_details(layers, parameters.details, name)
    return ChunkPlan(groups=groups, layers=detailed, structure=structure)


def _groups_of(header: Header, parameters: CodecParameters, name: str) -> tuple[Group, ...]:
    groups = groups_of(header.channels, header.fs, parameters.members)
    if len(parameters.orders) != len(groups):
        raise CorruptError(
            f"{name}: orders for {len(parameters.orders)} groups, expected {len(groups)}"
        )
    for group in groups:
        rates = {header.channels[i].samples_per_frame for i in group.channels}
        if len(rates) > 1:
            raise CorruptError(f"{name}: a group of {sorted(rates)} samples per frame")
    return tuple(
        group.reversed() if order == ORDER_REVERSED else group
        for group, order in zip(groups, parameters.orders, strict=True)
    )


def _kernel_sources(
    header: Header, parameters: CodecParameters, name: str
) -> list[tuple[bytes, bytes]]:
    """Give for each layer the digest of its model, or its embedded kernels."""
    if parameters.members is None:
        if header.kernels and header.model_digest:
            raise CorruptError(f"{name}: kernels both embedded and named by a digest")
        if parameters.layers:
            return [(header.model_digest, header.kernels)]
        if header.kernels or header.model_digest:
            raise CorruptError(f"{name}: kernels, but no leads that they are for")
        return []
    if header.model_digest:
        raise CorruptError(f"{name}: a model digest in the header, and SAN layers with their own")
    reader = ByteReader(header.kernels, f"{name}: kernels")
    sources = [
        (b"", reader.counted("kernels of a layer", _MAX_BANK_BYTES))
        if not san.model_digest
        else (san.model_digest, b"")
        for san in parameters.layers
    ]
    reader.expect_end("kernels")
    return sources


def _bank_of(
    model_digest: bytes,
    embedded: bytes,
    fs: float,
    name: str,
    find_model: Callable[[str], KernelBank],
) -> KernelBank:
    if embedded:
        return decode_kernels(embedded, fs, name)
    if not model_digest:
        raise CorruptError(f"{name}: a SAN layer, but neither kernels nor the digest of a model")
    model = models.find_named(find_model, model_digest.hex(), "model", name)
    try:
        return resample(model, fs)
    except ModelError as error:
        raise CorruptError(f"{name}: {error}") from error


def _san_of(san: SanPlan, model: ModelName) -> SanParameters:
    n_details = 0 if san.details is None else sum(san.details.counts)
    return SanParameters(
        group=san.group,
        leads=san.leads,
        exponents=san.exponents,
        model_name=model.name,
        n_kernels=san.bank.n_kernels,
        kernel_numbers=int(san.bank.kernels.size) + n_details * len(san.leads) * san.bank.n_taps,
        clock=san.clock,
        model_digest=model.digest_bytes,
    )
