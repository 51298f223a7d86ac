"""A .san file taken apart into ONNX graphs and arrays that need nothing of this project.

``san.onnx`` and ``activations.npz`` are the SAN layer; ``transform.onnx`` and ``coefficients.npz``
what the transform layer of a lossy file adds; ``reconstruct.py`` puts them together.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sancodec.chunk import MODE_BOUNDED, MODE_TRANSFORM, ChunkPart, transform_start
from sancodec.errors import ConfigError
from sancodec.formats.output import PendingFiles
from sancodec.layers import SanLayer, SanPlan, regressors
from sancodec.pages.layer import layer_page
from sancodec.residual.coder import FRACTION_BITS
from sancodec.residual.transform.bounded import take_bounded
from sancodec.residual.transform.coding import TransformCode, take_transform
from sancodec.residual.transform.rotation import pairs_of, turns
from sancodec.san.synthesis import N_PHASES
from sancodec.san_file import SanFile
from sancodec.segmented_file import SegmentedFile
from sancodec.structure.record import base_header

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Exported:
    """The files that were written, and in words what could not be taken out; empty if all was."""

    paths: list[Path]
    left_out: str


def export_file(
    file: SanFile | SegmentedFile, directory: Path, *, force: bool = False, page: bool = False
) -> Exported:
    """Write the SAN layer of a file, and its transform layer, for ONNX Runtime.

    Parameters
    ----------
    file : SanFile or SegmentedFile
        Of one segment.
    directory : Path
        Made if it is not there.
    force : bool
        Whether files that exist are overwritten.
    page : bool
        Whether ``san.html`` is written as well, which makes the SAN layer in a browser.

    Raises
    ------
    ConfigError
        The file has neither a SAN layer nor a transform layer, or several segments; or it has no
        SAN layer for a page.
    CorruptError
        A chunk is damaged.
    OutputError
        A file exists already or cannot be written.
    """
    if isinstance(file, SegmentedFile):
        raise ConfigError(
            f"{file.name}: a record of several segments; encode the segment that you want by its "
            "own name, and export that"
        )
    parts, left_out = _parts_of(file)
    if not parts and not file.plan.layers:
        raise ConfigError(f"{file.name}: has no SAN layer, and {left_out}: nothing to export")
    if page and not file.plan.layers:
        raise ConfigError(f"{file.name}: has no SAN layer for a page to make")
    activations = _activations(file)
    written = {"activations.npz": _packed(activations)}
    if file.plan.layers:
        written["san.onnx"] = _shipped("models/placement.onnx")
    if page:
        made = layer_page(file.header.name, written["san.onnx"], activations, _made(file))
        written["san.html"] = made.encode()
    if parts:
        written["coefficients.npz"] = _packed(_coefficients(parts))
        written["transform.onnx"] = _shipped("models/transform.onnx")
    written["reconstruct.py"] = _shipped("reconstruct.py")
    directory.mkdir(parents=True, exist_ok=True)
    with PendingFiles([directory / name for name in written], force=force) as pending:
        for target, content in zip(pending.files, written.values(), strict=True):
            target.write(content)
        return Exported(pending.commit(), left_out)


def _parts_of(file: SanFile) -> tuple[list[tuple[int, ChunkPart]], str]:
    """Give the parts of all chunks, each with its number, where all are of the transform."""
    if file.plan.structure is not None:
        return [], "its leads follow from others, and are coded without a transform"
    parts = []
    for number in range(len(file.container.chunks)):
        found = file.parts(number)
        if not found:
            return [], "its samples are in its signal files, which are kept as they are"
        for part in found:
            if part.mode not in {MODE_TRANSFORM, MODE_BOUNDED}:
                return [], f"chunk {number} is coded without a transform, in mode {part.mode}"
            parts.append((number, part))
    return parts, ""


def _activations(file: SanFile) -> Arrays:
    """Give the activations of all chunks, and what turns them into a SAN layer.

    Of a file whose leads follow from others these are those of the base leads.
    """
    structure, base = file.plan.structure, file.header
    frames = [entry.n_frames for entry in file.container.chunks]
    if structure is not None:
        base = base_header(base, structure)
        frames = [structure.n_samples_base(own) for own in frames]
    spf = [channel.samples_per_frame for channel in base.channels]
    arrays: Arrays = {
        "fs": np.array(base.fs),
        "names": np.array([channel.name for channel in base.channels]),
        "baseline": np.array([channel.baseline for channel in base.channels], np.int64),
        "samples_per_frame": np.array(spf, np.int64),
        "chunk_frames": np.array(frames, np.int64),
        "fraction_bits": np.array(FRACTION_BITS),
        "n_layers": np.array(len(file.plan.layers)),
    }
    if not file.plan.layers:
        return arrays
    chunks = [file.layers(number) for number in range(len(file.container.chunks))]
    for number, plan in enumerate(file.plan.layers):
        # A chunk that could not be told by its base leads has no layers.
        own = {chunk: found[number] for chunk, found in enumerate(chunks) if found}
        group = file.plan.groups[plan.group]
        channels = [group.channels[lead] for lead in plan.leads]
        layer = _layer(plan, own) | {
            "channels": np.array(channels, np.int64),
            "samples_per_frame": np.array(group.samples_per_frame),
        }
        arrays |= _named(f"layer{number}_", layer)
    return arrays


def _made(file: SanFile) -> dict[tuple[int, int], NDArray[np.int32]]:
    """Give what the decoder makes of each layer in each chunk, by their numbers."""
    return {
        (number, chunk): layer.reconstruction
        for chunk in range(len(file.container.chunks))
        for number, layer in enumerate(file.layers(chunk))
    }


def _layer(plan: SanPlan, chunks: Mapping[int, SanLayer]) -> Arrays:
    found = [layer.activations for layer in chunks.values()]
    bank = plan.expanded
    rows = bank.rows.reshape(bank.n_kernels, bank.n_kernel_leads, N_PHASES, bank.n_taps)
    if plan.details is not None:
        # Principal kernels stand behind the others, and so do their activations.
        shape = (-1, len(plan.leads), N_PHASES, bank.n_taps)
        rows = np.broadcast_to(rows, (bank.n_kernels, *shape[1:]))
        rows = np.concatenate([rows, plan.details.expanded.rows.reshape(shape)])
        found = [plan.details.beside(own, bank.n_kernels) for own in found]
    return {
        "bank": rows,
        "centre": np.array(bank.centre),
        "shift": plan.shifts(),
        "chunk": np.repeat(list(chunks), [own.n_activations for own in found]),
        "position": np.concatenate([own.position for own in found]),
        "kernel": np.concatenate([own.kernel for own in found]),
        # (n_activations, n_leads), in units that the shift of each lead brings to ADC units.
        "amplitude": np.concatenate([own.amplitude for own in found]),
    }


def _coefficients(parts: list[tuple[int, ChunkPart]]) -> Arrays:
    arrays: Arrays = {"n_parts": np.array(len(parts))}
    for i, (chunk, part) in enumerate(parts):
        clock, _, beats, n_kernels = regressors(part.shape, part.group, part.layers)
        own: Arrays = {"chunk": np.array(chunk), "channels": np.array(part.group.channels)}
        known = part.shape, clock, beats, n_kernels, transform_start(part.group)
        if part.mode == MODE_BOUNDED:
            bounded = take_bounded(part.residual, *known)
            code = bounded.transform
            own["corrections"] = bounded.corrections
            own["bounds"] = np.array(bounded.bounds, np.int64)
        else:
            code = take_transform(part.residual, *known)
        arrays |= _named(f"part{i}_", own | _transform(code))
    return arrays


def _transform(code: TransformCode) -> Arrays:
    """Give the inputs of the graph, of all leads, and what stands beside it."""
    scales = np.array([(s.step, s.offset, s.lowest, s.highest) for s in code.scales], np.float64)
    arrays: Arrays = dict(zip(("step", "offset", "lowest", "highest"), scales.T, strict=True))
    moving = code.moving
    coefficients = code.coefficients
    if coefficients is None:
        shape = (len(moving), code.gaps.shape[1])
        arrays["quantised"], arrays["n_levels"] = np.zeros(shape, np.int32), np.array(0)
        arrays["centroids"], angles = np.zeros((1, 3)), np.zeros(0, np.uint8)
    else:
        arrays["quantised"] = coefficients.quantised
        arrays["n_levels"] = np.array(coefficients.n_levels)
        arrays["centroids"], angles = coefficients.offsets, coefficients.angles
    pairs = pairs_of(len(moving)) if angles.size else []
    arrays["pairs"] = np.array(pairs, np.int64).reshape(-1, 2)
    arrays["turns"] = turns()[angles].reshape(-1, 2)
    arrays["moving"] = np.array(moving, np.int64)
    arrays["gaps"] = _runs(code)
    return arrays


def _runs(code: TransformCode) -> NDArray[np.int64]:
    """Give lead, begin, stop and value of every run of missing samples."""
    runs = []
    for lead, gap in enumerate(code.gaps):
        edges = np.flatnonzero(np.diff(gap.astype(np.int8), prepend=0, append=0))
        for begin, stop in edges.reshape(-1, 2).tolist():
            runs.append((lead, begin, stop, int(code.filled[lead, begin])))
    return np.array(runs, np.int64).reshape(-1, 4)


def _named(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    return {prefix + name: own for name, own in arrays.items()}


def _packed(arrays: Arrays) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def _shipped(name: str) -> bytes:
    folder, _, file = name.rpartition("/")
    package = f"sancodec.{folder}" if folder else "sancodec"
    return resources.files(package).joinpath(file).read_bytes()
