"""What a header says of how leads are coded, readable without decoding anything.

There are six layouts. The first one holds a record whose groups follow from its channels, with
at most one SAN layer, at the pace of an ECG; the second one holds any other. The third one puts a
structure before one of these, which then speaks of the base leads. The fourth puts the numbers
that every chunk begins with before any other, the fifth principal kernels of SAN layers, and the
sixth names what chunks begin with that other records taught.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sancodec.errors import UnsupportedError
from sancodec.formats.header import DIGEST_SIZES
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.recording import Channel

ORDER_FILE = 0
"""The leads of a group are coded in the order of the record."""
ORDER_REVERSED = 1
"""They are coded from the last to the first."""

MIN_EXPONENT, MAX_EXPONENT = -21, 27
MAX_KERNELS = 64
MAX_KERNEL_NUMBERS = 1 << 22
MAX_DETAILS_BYTES = 1 << 15
_MAX_NAME_BYTES = 64
# No record has no group: where their number would stand, this says that another layout follows.
_ANOTHER_LAYOUT = 0
_LAYERED = 2
_STRUCTURED = 3
_STARTED = 4
_DETAILED = 5
_PRIMED = 6
_MAX_STRUCTURE_BYTES = 1 << 15
_MAX_STARTS_BYTES = 1 << 15
_MAX_PRIMER_BYTES = 1 << 10


@dataclass(frozen=True, kw_only=True)
class SanParameters:
    """What a SAN layer has in common in all chunks of a record.

    Attributes
    ----------
    group : int
        Number of the signal group that has the layer.
    leads : tuple of int
        Leads of the group that have activations, counted in the order of coding, rising.
    exponents : tuple of int
        Amplitudes of each of these leads are in ``2 ** exponent`` ADC units.
    model_name : str
        Name of the shipped model, or nothing when the kernels were fitted to the record.
    n_kernels, kernel_numbers : int
        Kernels, and values in all of them together: W of the paper.
    clock : float or None
        What stands for the sampling frequency in the residual's templates, in Hz; None for the
        sampling frequency itself, which is all that the first layout knows.
    model_digest : bytes
        First bytes of SHA-256 of the kernels of a model that has to be found, or nothing when
        they are embedded. The first layout has it in the header instead: nothing here.
    """

    group: int
    leads: tuple[int, ...]
    exponents: tuple[int, ...]
    model_name: str
    n_kernels: int
    kernel_numbers: int
    clock: float | None = None
    model_digest: bytes = b""


@dataclass(frozen=True, kw_only=True)
class CodecParameters:
    """How the chunks of a record are coded.

    Attributes
    ----------
    orders : tuple of int
        ORDER_FILE or ORDER_REVERSED for each group of leads.
    layers : tuple of SanParameters
        In the order of their groups; none where the record has no SAN layer.
    members : tuple of int or None
        Number of the group of each channel; None, and then the first layout, where channels
        with the same number of samples per frame are one group and there is at most one layer.
    structure : bytes
        What the leads of the record follow from, as ``sancodec.structure`` writes it; nothing
        where all of them are coded. The rest then speaks of the ``n_base`` leads that are.
    n_base : int
        Number of base leads; 0 without a structure.
    starts : bytes
        What chunks begin with, as ``sancodec.parameters`` writes it, or nothing.
    details : bytes
        The principal kernels of the layers, as ``sancodec.parameters`` writes them, or nothing.
    primer : bytes
        What names a primer and its entries, as ``sancodec.parameters`` writes it, or nothing.
    """

    orders: tuple[int, ...]
    layers: tuple[SanParameters, ...] = ()
    members: tuple[int, ...] | None = None
    structure: bytes = b""
    n_base: int = 0
    starts: bytes = b""
    details: bytes = b""
    primer: bytes = b""


def partition(channels: Sequence[Channel], members: Sequence[int] | None) -> list[list[int]]:
    """Give the channels of each group, as rising numbers; groups by their first channels.

    Parameters
    ----------
    channels : sequence of Channel
    members : sequence of int or None
        Number of the group of each channel; None where channels with the same number of samples
        per frame are one group.
    """
    groups: dict[int, list[int]] = {}
    for i, channel in enumerate(channels):
        key = channel.samples_per_frame if members is None else members[i]
        groups.setdefault(key, []).append(i)
    return list(groups.values())


def encode_parameters(parameters: CodecParameters) -> bytes:
    """Give the bytes of ``decode_parameters``."""
    writer = ByteWriter()
    assert not (parameters.primer and parameters.starts)
    if parameters.primer:
        writer.varint(_ANOTHER_LAYOUT).varint(_PRIMED).counted(parameters.primer)
    if parameters.starts:
        writer.varint(_ANOTHER_LAYOUT).varint(_STARTED).counted(parameters.starts)
    if parameters.details:
        writer.varint(_ANOTHER_LAYOUT).varint(_DETAILED).counted(parameters.details)
    if parameters.structure:
        writer.varint(_ANOTHER_LAYOUT).varint(_STRUCTURED)
        writer.varint(parameters.n_base).counted(parameters.structure)
    if parameters.members is not None:
        writer.varint(_ANOTHER_LAYOUT).varint(_LAYERED)
    writer.varint(len(parameters.orders))
    for number in parameters.members or ():
        writer.varint(number)
    for order in parameters.orders:
        writer.u8(order)
    if parameters.members is None:
        assert len(parameters.layers) <= 1
        for san in parameters.layers:
            assert san.clock is None
            _put_san(writer, san)
        return writer.getvalue()
    writer.varint(len(parameters.layers))
    for san in parameters.layers:
        assert san.clock is not None
        _put_san(writer, san)
        writer.f64(san.clock).counted(san.model_digest)
    return writer.getvalue()


def decode_parameters(parameters: bytes, n_channels: int, name: str) -> CodecParameters:
    """Give what the bytes say; ``n_channels`` bounds the number of groups and leads.

    Raises
    ------
    CorruptError
        A field is out of range, or bytes are left.
    UnsupportedError
        The layout is not known to this version.
    """
    reader = ByteReader(parameters, f"{name}: codec parameters")
    n_groups, layout = _take_layout(reader, n_channels)
    starts = details = primer = b""
    if layout == _PRIMED:
        primer = reader.counted("primer", _MAX_PRIMER_BYTES)
        if not primer:
            raise reader.corrupt("primer", "no bytes")
        n_groups, layout = _take_layout(reader, n_channels)
    elif layout == _STARTED:
        starts = reader.counted("starts", _MAX_STARTS_BYTES)
        if not starts:
            raise reader.corrupt("starts", "no bytes")
        n_groups, layout = _take_layout(reader, n_channels)
    if layout == _DETAILED:
        details = reader.counted("principal kernels", MAX_DETAILS_BYTES)
        n_groups, layout = _take_layout(reader, n_channels)
    if layout != _STRUCTURED:
        found = _take_rest(reader, layout, n_groups, n_channels)
    else:
        n_base = reader.varint("number of base leads", n_channels)
        if n_base == 0:
            raise reader.corrupt("number of base leads", "0, expected at least 1")
        structure = reader.counted("structure", _MAX_STRUCTURE_BYTES)
        n_groups, layout = _take_layout(reader, n_base)
        found = _take_rest(reader, layout, n_groups, n_base)
        found = replace(found, structure=structure, n_base=n_base)
    reader.expect_end("codec parameters")
    return replace(found, starts=starts, details=details, primer=primer)


def _take_layout(reader: ByteReader, n_channels: int) -> tuple[int, int]:
    """Give the number of groups and the layout; one of the two is 0 or 1."""
    n_groups = reader.varint("number of groups", n_channels)
    return n_groups, reader.varint("layout") if n_groups == _ANOTHER_LAYOUT else 1


def _take_rest(reader: ByteReader, layout: int, n_groups: int, n_channels: int) -> CodecParameters:
    if layout == _LAYERED:
        return _take_layered(reader, n_channels)
    if layout != 1:
        problem = f"layout {layout} is not known to this version here; try a newer sancodec"
        raise UnsupportedError(str(reader.corrupt("layout", problem)))
    orders = _take_orders(reader, n_groups)
    layers = (_take_san(reader, n_channels),) if reader.remaining else ()
    return CodecParameters(orders=orders, layers=layers)


def _take_layered(reader: ByteReader, n_channels: int) -> CodecParameters:
    n_groups = reader.varint("number of groups", n_channels)
    members = tuple(reader.varint("group of a channel", n_groups) for _ in range(n_channels))
    # One partition, one spelling: groups are numbered in the order of their first channels.
    if list(dict.fromkeys(members)) != list(range(n_groups)):
        raise reader.corrupt("groups", f"channels in groups {members} of {n_groups}")
    orders = _take_orders(reader, n_groups)
    layers = []
    for _ in range(reader.varint("number of SAN layers", n_channels)):
        san = _take_san(reader, n_channels)
        clock = reader.f64("clock")
        digest = reader.counted("model digest", DIGEST_SIZES[-1])
        if not (math.isfinite(clock) and clock > 0) or len(digest) not in DIGEST_SIZES:
            raise reader.corrupt("SAN layer", f"clock {clock}, digest of {len(digest)} bytes")
        layers.append(replace(san, clock=clock, model_digest=digest))
    _check_layers(reader, layers)
    return CodecParameters(orders=orders, layers=tuple(layers), members=members)


def _check_layers(reader: ByteReader, layers: Sequence[SanParameters]) -> None:
    """Refuse layers out of order, and leads that have two."""
    groups = [san.group for san in layers]
    leads = [(san.group, lead) for san in layers for lead in san.leads]
    if groups != sorted(groups) or len(set(leads)) != len(leads):
        raise reader.corrupt("SAN layers", f"of groups {groups}, leads {leads}")


def _take_orders(reader: ByteReader, n_groups: int) -> tuple[int, ...]:
    orders = tuple(reader.u8("order") for _ in range(n_groups))
    if not set(orders) <= {ORDER_FILE, ORDER_REVERSED}:
        raise reader.corrupt("order", f"{orders}, expected 0 or 1")
    return orders


def _put_san(writer: ByteWriter, san: SanParameters) -> None:
    writer.text(san.model_name).varint(san.n_kernels).varint(san.kernel_numbers)
    writer.varint(san.group).varint(len(san.leads))
    last = -1
    for lead, exponent in zip(san.leads, san.exponents, strict=True):
        writer.varint(lead - last - 1).zigzag(exponent)
        last = lead


def _take_san(reader: ByteReader, n_channels: int) -> SanParameters:
    model_name = reader.text("model", _MAX_NAME_BYTES)
    n_kernels = reader.varint("number of kernels", MAX_KERNELS)
    kernel_numbers = reader.varint("kernel values", MAX_KERNEL_NUMBERS)
    group = reader.varint("group", n_channels)
    leads: list[int] = []
    exponents: list[int] = []
    for _ in range(reader.varint("number of leads", n_channels)):
        leads.append((leads[-1] if leads else -1) + 1 + reader.varint("lead", n_channels))
        exponents.append(reader.zigzag("exponent"))
    in_range = all(MIN_EXPONENT <= e <= MAX_EXPONENT for e in exponents)
    if not leads or leads[-1] >= n_channels or not in_range or n_kernels == 0:
        raise reader.corrupt("leads", f"{leads} of {n_channels}, exponents {exponents}")
    return SanParameters(
        group=group,
        leads=tuple(leads),
        exponents=tuple(exponents),
        model_name=model_name,
        n_kernels=n_kernels,
        kernel_numbers=kernel_numbers,
    )
