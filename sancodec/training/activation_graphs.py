"""The activation functions of the SAN paper, and a whole SAN, as ONNX graphs.

They keep exactly what those of :mod:`sancodec.san.activations` keep, of equals the lower index,
on maps of any size, any number of them at once. They need ONNX Runtime, and nothing of sancodec.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from sancodec.errors import ConfigError
from sancodec.training.export import write_onnx
from sancodec.training.extrema_graph import strongest_extrema
from sancodec.training.onnxgraph import Builder
from sancodec.training.san import ACTIVATIONS, ActivationName, Kernels, SanConfig, checked_sizes

_AXES = {1: ["n_samples"], 2: ["n_rows", "n_columns"]}


def write_activation(path: Path, name: ActivationName, n_dimensions: int) -> None:
    """Write one activation function.

    Its inputs are ``similarity``, float32 (n_maps, n_samples) or (n_maps, n_rows, n_columns), and
    ``parameter``, int64 (): the number of entries, the size of a cell or the minimum extrema
    distance, in the range of that of :mod:`sancodec.san.activations`; identity and relu have
    none. Its output is ``activation``, of the shape of the similarity.

    Raises
    ------
    ConfigError
        There is no such activation function.
    OutputError
        The file cannot be written.
    """
    if name not in ACTIVATIONS or n_dimensions not in _AXES:
        raise ConfigError(
            f"activation: {name!r} in {n_dimensions}-D, expected one of {', '.join(ACTIVATIONS)} "
            "in 1-D or 2-D"
        )
    axes = ["n_maps", *_AXES[n_dimensions]]
    builder = Builder()
    inputs: dict[str, tuple[int, list[str]]] = {"similarity": (TensorProto.FLOAT, axes)}
    parameter = ""
    if name not in ("identity", "relu"):
        inputs["parameter"] = (TensorProto.INT64, [])
        parameter = builder.add("Unsqueeze", "parameter", builder.constant([0]))
    activation = _activated(builder, name, "similarity", parameter, n_dimensions)
    write_onnx(path, builder.model(inputs, {"activation": (activation, axes)}))


def write_san(path: Path, kernels: Kernels, config: SanConfig) -> None:
    """Write a SAN with its kernels.

    Its input is ``signals``, float32 (n, n_samples) or (n, n_rows, n_columns). Its outputs are
    ``similarity`` and ``activation``, (n, q, ...), and ``reconstruction``, of the shape of the
    signals.

    Raises
    ------
    ConfigError
        The kernels are not (m,) or (m, m) each.
    OutputError
        The file cannot be written.
    """
    n_dimensions = len(np.shape(kernels[0])) if len(kernels) else 0
    checked_sizes([kernels])
    axes = _AXES[n_dimensions]
    builder = Builder()
    one = builder.constant([1])
    signals = builder.add("Unsqueeze", "signals", one)
    similarities, activations, parts = [], [], []
    for kernel in (np.asarray(kernel, np.float32) for kernel in kernels):
        similarity = _correlated(builder, signals, kernel, turned=False)
        flat = builder.add("Squeeze", similarity, one)
        size = builder.constant([len(kernel)])
        parameter = _parameter_of_size(builder, flat, size, config, n_dimensions)
        kept = _activated(builder, config.activation, flat, parameter, n_dimensions)
        activation = builder.add("Unsqueeze", kept, one)
        turned = config.synthesis == "matched"
        parts.append(
            _correlated(builder, activation, np.asarray(kernel, np.float32), turned=turned)
        )
        similarities.append(similarity)
        activations.append(activation)
    outputs = {
        "similarity": (builder.add("Concat", *similarities, axis=1), ["n", "q", *axes]),
        "activation": (builder.add("Concat", *activations, axis=1), ["n", "q", *axes]),
        "reconstruction": (builder.add("Squeeze", builder.add("Sum", *parts), one), ["n", *axes]),
    }
    inputs = {"signals": (TensorProto.FLOAT, ["n", *axes])}
    write_onnx(path, builder.model(inputs, outputs))


def _correlated(builder: Builder, maps: str, kernel: NDArray[np.float32], *, turned: bool) -> str:
    """Correlate (n, 1, ...) maps with a kernel, or convolve; zeros around."""
    before, after = (len(kernel) - 1) // 2, len(kernel) // 2
    if turned:
        kernel, before, after = np.flip(kernel), after, before
    weight = builder.constant(kernel[None, None], np.float32)
    pads = [before] * kernel.ndim + [after] * kernel.ndim
    return builder.add("Conv", maps, weight, pads=pads)


def _parameter_of_size(
    builder: Builder, maps: str, size: str, config: SanConfig, n_dimensions: int
) -> str:
    """Give what the paper takes for a kernel of this size, int64 (1,)."""
    one = builder.constant([1])
    if config.activation == "topk_absolutes":
        k = one
        for axis in range(1, 1 + n_dimensions):
            k = builder.add("Mul", k, builder.add("Div", builder.size(maps, axis), size))
        return k
    if config.activation == "extrema":
        tolerance = builder.constant([config.border_tolerance])
        return builder.add("Max", one, builder.add("Sub", size, tolerance))
    return size


def _activated(
    builder: Builder, name: ActivationName, maps: str, parameter: str, n_dimensions: int
) -> str:
    """Apply an activation function to (n_maps, ...) maps, by a parameter of shape (1,)."""
    match name:
        case "identity":
            return builder.add("Identity", maps)
        case "relu":
            return builder.add("Relu", maps)
    shape = builder.add("Shape", maps)
    # A signal is an image of one row.
    is_image = n_dimensions == 2
    images = maps if is_image else builder.add("Unsqueeze", maps, builder.constant([1]))
    match name:
        case "topk_absolutes":
            marks = _strongest(builder, images, parameter)
        case "extrema_pool_indices":
            height = parameter if is_image else builder.constant([1])
            marks = _strongest_of_cells(builder, images, height, parameter)
        case "extrema":
            marks = strongest_extrema(builder, images, parameter, n_dimensions)
    kept = builder.add("Reshape", marks, shape, allowzero=1)
    return builder.add("Where", kept, maps, builder.constant(0, np.float32))


def _strongest(builder: Builder, images: str, n_kept: str) -> str:
    flat = _flat(builder, images)
    k = builder.add("Min", n_kept, builder.size(flat, 1))
    _, index = builder.add_many("TopK", [builder.add("Abs", flat), k], 2, axis=1)
    return _marked(builder, flat, index)


def _strongest_of_cells(builder: Builder, images: str, height: str, width: str) -> str:
    zero = builder.constant([0])
    n_down = builder.add("Div", builder.size(images, 1), height)
    n_across = builder.add("Div", builder.size(images, 2), width)
    whole = builder.add("Abs", images)
    whole = builder.slice(whole, zero, builder.add("Mul", n_down, height), 1)
    whole = builder.slice(whole, zero, builder.add("Mul", n_across, width), 2)
    n_maps = builder.size(images, 0)
    split = builder.add("Concat", n_maps, n_down, height, n_across, width, axis=0)
    cells = builder.add("Reshape", whole, split, allowzero=1)
    cells = builder.add("Transpose", cells, perm=[0, 1, 3, 2, 4])
    area = builder.add("Mul", height, width)
    joined = builder.add("Concat", n_maps, n_down, n_across, area, axis=0)
    cells = builder.add("Reshape", cells, joined, allowzero=1)
    place = builder.add("ArgMax", cells, axis=3, keepdims=0)
    row = builder.add("Add", builder.add("Div", place, width), _starts(builder, n_down, height, 1))
    column = builder.add("Mod", place, width)
    column = builder.add("Add", column, _starts(builder, n_across, width, 0))
    index = builder.add("Add", builder.add("Mul", row, builder.size(images, 2)), column)
    n_cells = builder.add("Mul", n_down, n_across)
    listed = builder.add("Concat", n_maps, n_cells, axis=0)
    index = builder.add("Reshape", index, listed, allowzero=1)
    return _marked(builder, _flat(builder, images), index)


def _starts(builder: Builder, n_cells: str, size: str, n_axes_after: int) -> str:
    """Give where each cell begins along an axis, with axes of length 1 after it."""
    nought, step = builder.constant(0), builder.constant(1)
    cell = builder.add("Range", nought, builder.add("Squeeze", n_cells), step)
    starts = builder.add("Mul", cell, size)
    if not n_axes_after:
        return starts
    return builder.add("Unsqueeze", starts, builder.constant(list(range(1, 1 + n_axes_after))))


def _flat(builder: Builder, images: str) -> str:
    rows, columns = builder.size(images, 1), builder.size(images, 2)
    n = builder.add("Mul", rows, columns)
    shape = builder.add("Concat", builder.size(images, 0), n, axis=0)
    return builder.add("Reshape", images, shape, allowzero=1)


def _marked(builder: Builder, flat: str, index: str) -> str:
    """Give a bool of the shape of ``flat``, true at (n_maps, n_marked) indices."""
    false = numpy_helper.from_array(np.zeros(1, np.int32))
    true = numpy_helper.from_array(np.ones(1, np.int32))
    none = builder.add("ConstantOfShape", builder.add("Shape", flat), value=false)
    marks = builder.add("ConstantOfShape", builder.add("Shape", index), value=true)
    placed = builder.add("ScatterElements", none, index, marks, axis=1)
    return builder.add("Cast", placed, to=TensorProto.BOOL)
