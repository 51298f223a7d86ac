"""What a .san file says of itself, without decoding it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

from sancodec.errors import CorruptError, RecordError
from sancodec.formats.bundle import BundleReader, is_bundle
from sancodec.formats.container import ContainerReader, Span
from sancodec.formats.header import (
    FIDELITY_LOSSLESS,
    FIDELITY_MAX_ERROR,
    FIDELITY_MEAN_PRDN,
    FIDELITY_PRDN,
    FIDELITY_SAN_ONLY,
    FIDELITY_SIZE,
    LEVELS,
    Header,
)
from sancodec.formats.originals import Originals
from sancodec.formats.parameters import (
    ORDER_REVERSED,
    CodecParameters,
    decode_parameters,
    partition,
)
from sancodec.formats.promise import Promise, decode_promise
from sancodec.formats.remote import name_of
from sancodec.formats.restoration import RecordShape, describe
from sancodec.primed import name_primer
from sancodec.report import Report, SignalReport, combine, say_kernels
from sancodec.signal_types import identify
from sancodec.structure.record import base_header, structure_in, with_derived
from sancodec.structure.structure import Structure
from sancodec.structure.words import describe as say

_LEVEL_NAMES = {number: name for name, number in LEVELS.items()}


def inspect_file(source: Path | BinaryIO) -> tuple[Report, list[Span]]:
    """Give the report of a .san file, and what each of its bytes is.

    Raises
    ------
    RecordError
        The file is not there or cannot be read.
    CorruptError
        The file is damaged, or not a .san file.
    """
    if not isinstance(source, Path):
        return inspect_stream(source, name_of(source))
    with open_san(source) as stream:
        return inspect_stream(stream, str(source))


def open_san(path: Path) -> BinaryIO:
    """Open a .san file for reading; RecordError where that cannot be done."""
    try:
        return path.open("rb")
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from error


def inspect_stream(stream: BinaryIO, name: str) -> tuple[Report, list[Span]]:
    """Give the report of a seekable stream, and its spans; errors as of ``inspect_file``."""
    if is_bundle(stream):
        return inspect_bundle(BundleReader(stream, name), name)
    return _inspect_one(stream, name)


def _inspect_one(stream: BinaryIO, name: str) -> tuple[Report, list[Span]]:
    reader = ContainerReader(stream, name)
    spans = reader.account()
    return report_of(reader, sum(span.n_bytes for span in spans), name), spans


def inspect_bundle(bundle: BundleReader, name: str) -> tuple[Report, list[Span]]:
    """Give the report of a file of several segments, and its spans."""
    table = bundle.table
    first, *last = bundle.account()
    spans, reports = [first], []
    for i, offset in enumerate(bundle.offsets):
        stream = cast(BinaryIO, bundle.member(i))
        report, own = _inspect_one(stream, f"{name}: member {i}")
        reports.append(report)
        spans += [Span(offset + s.offset, s.n_bytes, f"member {i}, {s.what}") for s in own]
    spans += last
    shape = RecordShape(name=table.name, samples_per_frame=(), n_frames=0)
    originals = Originals()
    if table.restoration:
        originals = describe(table.restoration, shape, name)
    members = [segment.member for segment in table.segments if segment.member is not None]
    report = combine(
        reports,
        members,
        record=table.name,
        n_channels=len(table.channels),
        n_frames=table.n_frames,
        fs=table.fs,
        n_bytes=bundle.n_bytes,
        restoration=len(table.restoration),
    )
    return replace(
        report,
        n_gaps=len(table.segments) - len(members),
        side_files={file.name: file.n_bytes for file in originals.side_files},
    ), spans


def report_of(reader: ContainerReader, n_bytes: int, name: str) -> Report:
    """Give the report of a container of ``n_bytes``."""
    header, summary = reader.header, reader.summary
    parameters = decode_parameters(header.parameters, len(header.channels), name)
    structure = structure_in(header, parameters, name)
    layers = parameters.layers
    said = _say_layers(header, parameters)
    promise = promise_of(header, name)
    originals = Originals()
    if summary.restoration:
        originals = describe(summary.restoration, RecordShape.of(header), name)
    n_samples = header.n_frames * sum(channel.samples_per_frame for channel in header.channels)
    return Report(
        record=header.name,
        n_channels=len(header.channels),
        n_samples=n_samples,
        n_frames=header.n_frames,
        fs=header.fs,
        duration_seconds=header.n_frames / header.fs,
        n_bytes=n_bytes,
        original_n_bytes=originals.original_n_bytes,
        source_bits_per_sample=originals.source_bits_per_sample,
        side_files={file.name: file.n_bytes for file in originals.side_files},
        layers=_layers(reader, n_bytes),
        level=_LEVEL_NAMES[header.level],
        model="; ".join(said) or "none",
        signals=_distorted(_all_signals(header, structure, parameters, said, name), promise),
        fidelity=_say_promise(header.fidelity, promise),
        structure="" if structure is None else say(structure, header.channels, header.fs),
        primer=name_primer(parameters.primer),
        n_kernels=sum(san.n_kernels for san in layers),
        n_activations=summary.n_activations,
        n_amplitudes=summary.n_amplitudes,
        kernel_numbers=sum(san.kernel_numbers for san in layers),
        san_error=summary.san_error,
        san_reference=summary.san_reference,
    )


def promise_of(header: Header, name: str) -> Promise | None:
    """Give what a file promises; None where it is lossless.

    Raises
    ------
    CorruptError
        The promise is damaged.
    """
    if header.fidelity == FIDELITY_LOSSLESS:
        return None
    promise = decode_promise(header.promise, len(header.channels), name)
    n_wanted = {FIDELITY_MAX_ERROR: len(header.channels), FIDELITY_SAN_ONLY: 0}
    if len(promise.wanted) != n_wanted.get(header.fidelity, 1):
        raise CorruptError(f"{name}: promise of fidelity {header.fidelity}: {promise.wanted}")
    return promise


def _say_promise(fidelity: int, promise: Promise | None) -> str:
    if promise is None:
        return "lossless"
    if fidelity == FIDELITY_MAX_ERROR:
        bounds = sorted({int(bound) for bound in promise.wanted})
        said = "one unit" if bounds == [1] else f"{_listed(bounds)} units"
        return f"no sample off by more than {said} of the ADC"
    if fidelity == FIDELITY_SIZE:
        return f"at most {promise.wanted[0]:.4g} bits/sample"
    if fidelity == FIDELITY_PRDN:
        return f"PRDN of each channel at most {promise.wanted[0]:g} %"
    if fidelity == FIDELITY_MEAN_PRDN:
        return f"PRDN at most {promise.wanted[0]:g} % in the mean of the channels"
    return "the SAN layer alone"


def _listed(bounds: list[int]) -> str:
    return " or ".join(str(bound) for bound in bounds)


def _distorted(
    signals: tuple[SignalReport, ...], promise: Promise | None
) -> tuple[SignalReport, ...]:
    """Say of each signal how much it differs from its original."""
    if promise is None:
        return signals
    return tuple(
        replace(signal, prdn=own.prdn, max_error=own.max_error)
        for signal, own in zip(signals, promise.distortions, strict=True)
    )


def _layers(reader: ContainerReader, n_bytes: int) -> dict[str, int]:
    header, summary = reader.header, reader.summary
    layers = {
        "kernels": len(header.kernels),
        "activations": summary.san_bytes,
        "residual": summary.residual_bytes,
        "restoration": len(summary.restoration),
    }
    # Heads, checksums, index and the record's description: all that is none of these.
    return {"container": n_bytes - sum(layers.values()), **layers}


def _say_layers(header: Header, parameters: CodecParameters) -> list[str]:
    """Say of each layer where its kernels come from."""
    plain = parameters.members is None
    return [
        say_kernels(
            san.n_kernels,
            san.model_name,
            (header.model_digest if plain else san.model_digest).hex(),
        )
        for san in parameters.layers
    ]


def _all_signals(
    header: Header,
    structure: Structure | None,
    parameters: CodecParameters,
    said: list[str],
    name: str,
) -> tuple[SignalReport, ...]:
    if structure is None:
        return _signals(header, parameters, said, name)
    base = _signals(base_header(header, structure), parameters, said, name)
    return with_derived(base, header.channels, structure, header.fs)


def _signals(
    header: Header, parameters: CodecParameters, said: list[str], name: str
) -> tuple[SignalReport, ...]:
    """Say of each channel what kind of signal it is, and what kernels it has."""
    groups = partition(header.channels, parameters.members)
    kernels = [""] * len(header.channels)
    for san, words in zip(parameters.layers, said, strict=True):
        if san.group >= len(groups) or san.leads[-1] >= len(groups[san.group]):
            raise CorruptError(f"{name}: a SAN layer of group {san.group}, leads {san.leads}")
        backwards = parameters.orders[san.group] == ORDER_REVERSED
        channels = groups[san.group][::-1] if backwards else groups[san.group]
        for lead in san.leads:
            kernels[channels[lead]] = words
    found = []
    for channel, own in zip(header.channels, kernels, strict=True):
        identity = identify(channel, header.fs * channel.samples_per_frame)
        found.append(
            SignalReport(
                name=channel.name, kind=identity.kind, told_by=identity.reason, kernels=own
            )
        )
    return tuple(found)
