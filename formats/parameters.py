"""What a header says of how leads are coded, readable without decoding anything."""

from __future__ import annotations

from dataclasses import dataclass

from sancodec.formats.wire import ByteReader, ByteWriter

ORDER_FILE = 0
"""The leads of a group are coded in the order of the record."""
ORDER_REVERSED = 1
"""They are coded from the last to the first."""

MIN_EXPONENT, MAX_EXPONENT = -21, 27
MAX_KERNELS = 64
MAX_KERNEL_NUMBERS = 1 << 22
_MAX_NAME_BYTES = 64


@dataclass(frozen=True, kw_only=True)
class SanParameters:
    """The SAN layer that all chunks of a record share.

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
    """

    group: int
    leads: tuple[int, ...]
    exponents: tuple[int, ...]
    model_name: str
    n_kernels: int
    kernel_numbers: int


@dataclass(frozen=True, kw_only=True)
class CodecParameters:
    """How the chunks of a record are coded.

    Attributes
    ----------
    orders : tuple of int
        ORDER_FILE or ORDER_REVERSED for each group of leads.
    san : SanParameters or None
        None where the record has no SAN layer.
    """

    orders: tuple[int, ...]
    san: SanParameters | None


def encode_parameters(parameters: CodecParameters) -> bytes:
    """Give the bytes of ``decode_parameters``."""
    writer = ByteWriter().varint(len(parameters.orders))
    for order in parameters.orders:
        writer.u8(order)
    if parameters.san is not None:
        _put_san(writer, parameters.san)
    return writer.getvalue()


def decode_parameters(parameters: bytes, n_channels: int, name: str) -> CodecParameters:
    """Give what the bytes say; ``n_channels`` bounds the number of groups and leads.

    Raises
    ------
    CorruptError
        A field is out of range, or bytes are left.
    """
    reader = ByteReader(parameters, f"{name}: codec parameters")
    orders = []
    for _ in range(reader.varint("number of groups", n_channels)):
        orders.append(reader.u8("order"))
        if orders[-1] not in {ORDER_FILE, ORDER_REVERSED}:
            raise reader.corrupt("order", f"{orders[-1]}, expected 0 or 1")
    san = _take_san(reader, n_channels) if reader.remaining else None
    reader.expect_end("codec parameters")
    return CodecParameters(orders=tuple(orders), san=san)


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
