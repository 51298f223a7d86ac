"""Extrema as an ONNX graph: rounds in a loop that ends when no candidate is left."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from sancodec.training.onnxgraph import Builder


def strongest_extrema(builder: Builder, images: str, distance: str, n_dimensions: int) -> str:
    """Tell which entries Extrema keeps, in the greedy order but in parallel.

    In each round those stay that are stronger than all alive before them within the distance,
    and not weaker than all alive after them; what is near them goes.

    Parameters
    ----------
    images : float32 (n_maps, n_rows, n_columns)
        Of one row each in 1-D.
    distance : int64 (1,)

    Returns
    -------
    bool (n_maps, n_rows, n_columns)
    """
    gone = builder.constant(-1, np.float32)
    candidates = _extrema(builder, images, n_dimensions)
    alive = builder.add("Where", candidates, builder.add("Abs", images), gone)
    nothing = builder.add("And", candidates, builder.add("Not", candidates))
    axes = range(2, 2 - n_dimensions, -1)

    def turn(inside: Builder, states: list[str]) -> tuple[str, list[str]]:
        alive, kept = states
        around, before, after = alive, "", ""
        for axis in axes:
            earlier, later = _neighbours(inside, around, distance, axis)
            before = inside.add("Max", before, earlier) if before else earlier
            after = inside.add("Max", after, later) if after else later
            around = inside.add("Max", around, earlier, later)
        new = inside.add("And", _some(inside, alive), inside.add("Greater", alive, before))
        new = inside.add("And", new, inside.add("GreaterOrEqual", alive, after))
        near = inside.add("Cast", new, to=TensorProto.FLOAT)
        for axis in axes:
            near = inside.add("Max", near, *_neighbours(inside, near, distance, axis))
        near = inside.add("Greater", near, inside.constant(0, np.float32))
        left = inside.add("Where", near, inside.constant(-1, np.float32), alive)
        return _any(inside, left), [left, inside.add("Or", kept, new)]

    kinds = [TensorProto.FLOAT, TensorProto.BOOL]
    return builder.loop(_any(builder, alive), [alive, nothing], kinds, turn)[1]


def _extrema(builder: Builder, images: str, n_dimensions: int) -> str:
    turned = builder.add("Neg", images)
    sides = []
    for values in (images, turned):
        is_peak = builder.add("Greater", values, builder.constant(0, np.float32))
        for axis in range(2, 2 - n_dimensions, -1):
            one = builder.constant([1])
            padded = _padded(builder, values, one, axis, 0.0)
            n = builder.size(values, axis)
            two = builder.constant([2])
            before = builder.slice(padded, builder.constant([0]), n, axis)
            after = builder.slice(padded, two, builder.add("Add", n, two), axis)
            is_peak = builder.add("And", is_peak, builder.add("Greater", values, before))
            is_peak = builder.add("And", is_peak, builder.add("GreaterOrEqual", values, after))
        sides.append(is_peak)
    return builder.add("Or", *sides)


def _neighbours(builder: Builder, values: str, distance: str, axis: int) -> tuple[str, str]:
    """Give the largest within the distance before each entry, and after it; else -1.

    From a table of the largest of 1, 2, 4, ... entries: two of these windows cover any.
    """
    n = builder.size(values, axis)
    one = builder.constant([1])
    reach = builder.add("Max", one, builder.add("Min", distance, n))
    padded = _padded(builder, values, reach, axis, -1.0)
    table, width = _widest_windows(builder, padded, reach, axis)
    rest = builder.add("Sub", reach, width)
    after_start = builder.add("Add", reach, one)
    largest = []
    for start in (builder.constant([0]), after_start):
        end_start = builder.add("Add", start, rest)
        first = builder.slice(table, start, builder.add("Add", start, n), axis)
        last = builder.slice(table, end_start, builder.add("Add", end_start, n), axis)
        window = builder.add("Max", first, last)
        # A reach of 0 holds no entry at all.
        is_none = builder.add("Less", distance, one)
        nothing = builder.constant(-1, np.float32)
        largest.append(builder.add("Where", is_none, nothing, window))
    return largest[0], largest[1]


def _widest_windows(builder: Builder, values: str, reach: str, axis: int) -> tuple[str, str]:
    """Give the largest of the ``width`` entries from each on; width a power of 2 within reach."""
    one = builder.constant([1])

    def fits(graph: Builder, width: str) -> str:
        double = graph.add("Add", width, width)
        return graph.add("Squeeze", graph.add("LessOrEqual", double, reach))

    def turn(inside: Builder, states: list[str]) -> tuple[str, list[str]]:
        table, width = states
        n = inside.size(table, axis)
        first = inside.slice(table, inside.constant([0]), inside.add("Sub", n, width), axis)
        second = inside.slice(table, width, n, axis)
        double = inside.add("Add", width, width)
        return fits(inside, double), [inside.add("Max", first, second), double]

    kinds = [TensorProto.FLOAT, TensorProto.INT64]
    table, width = builder.loop(fits(builder, one), [values, one], kinds, turn)
    return table, width


def _padded(builder: Builder, values: str, width: str, axis: int, fill: float) -> str:
    """Add ``width`` entries before and after, along one axis."""
    widths = builder.add("Concat", width, width, axis=0)
    filler = builder.constant(fill, np.float32)
    return builder.add("Pad", values, widths, filler, builder.constant([axis]))


def _some(builder: Builder, alive: str) -> str:
    return builder.add("GreaterOrEqual", alive, builder.constant(0, np.float32))


def _any(builder: Builder, alive: str) -> str:
    """Tell whether any is alive, of shape (); the sum of nothing is 0."""
    count = builder.add(
        "ReduceSum", builder.add("Cast", _some(builder, alive), to=TensorProto.INT64), keepdims=0
    )
    return builder.add("Greater", count, builder.constant(0))
