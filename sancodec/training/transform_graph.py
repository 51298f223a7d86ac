"""The synthesis side of the transform layer as an ONNX graph: coefficients to samples.

It does what ``decode_transform`` of :mod:`sancodec.residual.transform.coding` does from its
quantised coefficients on, in binary64 and in the same order, for any number of leads and samples.
``models/transform.onnx`` is this graph, and ``sancodec export`` gives it away. Nothing decodes by
it: what a file promises was counted on what the decoder's own loops give.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto

from sancodec.residual.coder import FRACTION_BITS
from sancodec.residual.transform.wavelet import REACH, SYNTHESIS
from sancodec.training.export import write_onnx
from sancodec.training.onnxgraph import Builder

_INT32, _INT64, _DOUBLE = TensorProto.INT32, TensorProto.INT64, TensorProto.DOUBLE
_INPUTS: dict[str, tuple[int, list[str]]] = {
    "quantised": (_INT32, ["n_leads", "n_samples"]),
    "centroids": (_DOUBLE, ["n_bands", "n_magnitudes"]),
    "n_levels": (_INT64, []),
    "pairs": (_INT64, ["n_pairs", "two"]),
    "turns": (_DOUBLE, ["n_pairs", "two"]),
    "san": (_INT32, ["n_leads", "n_samples"]),
    "step": (_DOUBLE, ["n_leads"]),
    "offset": (_DOUBLE, ["n_leads"]),
    "lowest": (_DOUBLE, ["n_leads"]),
    "highest": (_DOUBLE, ["n_leads"]),
}


def write_transform(path: Path) -> None:
    """Write the graph.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    builder = Builder()
    n_levels = builder.add("Unsqueeze", "n_levels", builder.constant([0]))
    leads = _synthesised(builder, _turned_back(builder, _put_back(builder, n_levels)), n_levels)
    outputs = {"samples": (_scaled(builder, leads), ["n_leads", "n_samples"])}
    write_onnx(path, builder.model(_INPUTS, outputs, _INT32))


def _put_back(builder: Builder, n_levels: str) -> str:
    """Give coefficients in steps, each moved by the offset of its band and magnitude."""
    zero, one = builder.constant([0]), builder.constant([1])
    n_samples = builder.size("quantised", 1)
    # The band of coefficient k: how many levels begin at k or before. Level 0 is none, and keeps
    # the list from being empty.
    levels = _range(builder, zero, builder.add("Add", n_levels, one))
    ends = _halved(builder, n_samples, builder.add("Pow", builder.constant([2]), levels))
    each = builder.add("Unsqueeze", _range(builder, zero, n_samples), one)
    beyond = builder.add("GreaterOrEqual", each, builder.add("Unsqueeze", ends, zero))
    band = builder.add("ReduceSum", builder.add("Cast", beyond, to=_INT64), one, keepdims=0)
    n_rows = builder.size("centroids", 0)
    nothing = builder.add("Unsqueeze", builder.add("Expand", _double(builder, [0.0]), n_rows), one)
    lookup = builder.add("Concat", nothing, "centroids", axis=1)
    lookup = builder.add("Reshape", lookup, builder.constant([-1]))
    magnitude = builder.add("Cast", builder.add("Abs", "quantised"), to=_INT64)
    magnitude = builder.add("Min", magnitude, builder.constant([3]))
    row = builder.add("Mul", band, builder.constant([4]))
    offset = builder.add("Gather", lookup, builder.add("Add", row, magnitude), axis=0)
    value = builder.add("Cast", "quantised", to=_DOUBLE)
    return builder.add("Add", value, builder.add("Mul", builder.add("Sign", value), offset))


def _turned_back(builder: Builder, leads: str) -> str:
    """Undo the plane rotations, from the last pair to the first."""

    def body(inside: Builder, states: list[str]) -> tuple[str, list[str]]:
        number, rows = states
        zero, one = inside.constant([0]), inside.constant([1])
        pair = inside.add("Gather", "pairs", number, axis=0)
        both = inside.add("Reshape", pair, inside.constant([2]))
        turn = inside.add("Gather", "turns", number, axis=0)
        cosine = inside.slice(turn, zero, one, 1)
        back = inside.add("Neg", inside.slice(turn, one, inside.constant([2]), 1))
        chosen = inside.add("Gather", rows, both, axis=0)
        a, b = (
            inside.slice(chosen, zero, one, 0),
            inside.slice(chosen, one, inside.constant([2]), 0),
        )
        first = inside.add("Add", inside.add("Mul", cosine, a), inside.add("Mul", back, b))
        second = inside.add("Sub", inside.add("Mul", cosine, b), inside.add("Mul", back, a))
        turned = inside.add("Concat", first, second, axis=0)
        places = inside.add("Unsqueeze", both, one)
        rows = inside.add("ScatterND", rows, places, turned)
        number = inside.add("Sub", number, one)
        return _any_left(inside, number, inside.constant([0])), [number, rows]

    last = builder.add("Sub", builder.size("pairs", 0), builder.constant([1]))
    condition = _any_left(builder, last, builder.constant([0]))
    return builder.loop(condition, [last, leads], [_INT64, _DOUBLE], body)[1]


def _synthesised(builder: Builder, leads: str, n_levels: str) -> str:
    """Put the bands together, the slowest first; ``width`` is how far apart they are then."""
    n_samples = builder.size(leads, 1)

    def body(inside: Builder, states: list[str]) -> tuple[str, list[str]]:
        width, rows = states
        n = _halved(inside, n_samples, width)
        rest = inside.slice(rows, n, n_samples, 1)
        rows = inside.add("Concat", _one_level(inside, rows, n), rest, axis=1)
        width = inside.add("Div", width, inside.constant([2]))
        return _any_left(inside, width, inside.constant([1])), [width, rows]

    two = builder.constant([2])
    width = builder.add("Div", builder.add("Pow", two, n_levels), two)
    condition = _any_left(builder, width, builder.constant([1]))
    return builder.loop(condition, [width, leads], [_INT64, _DOUBLE], body)[1]


def _one_level(builder: Builder, rows: str, n: str) -> str:
    """Give the n samples of which the first n values are the low band and the high one."""
    zero, two, reach = builder.constant([0]), builder.constant([2]), builder.constant([REACH])
    last = builder.add("Sub", n, builder.constant([1]))
    there_and_back = builder.add("Mul", two, last)
    stop = builder.add("Add", n, reach)
    at = builder.add("Abs", _range(builder, builder.add("Neg", reach), stop))
    at = builder.add("Mod", at, there_and_back)
    at = builder.add("Min", at, builder.add("Sub", there_and_back, at))
    # Even samples are of the low band, which comes first, odd ones of the high band behind it.
    n_low = builder.add("Sub", n, builder.add("Div", n, two))
    behind = builder.add("Mul", builder.add("Mod", at, two), n_low)
    source = builder.add("Add", builder.add("Div", at, two), behind)
    wide = builder.add("Gather", rows, source, axis=1)
    parity = builder.add("Mod", _range(builder, zero, n), two)

    def shifted(by: int) -> str:
        start = builder.constant([REACH + by])
        return builder.slice(wide, start, builder.add("Add", start, n), 1)

    def taps(distance: int) -> str:
        return builder.add("Gather", _double(builder, SYNTHESIS[:, distance]), parity, axis=0)

    total = builder.add("Mul", taps(0), shifted(0))
    for j in range(1, REACH + 1):
        both = builder.add("Add", shifted(-j), shifted(j))
        total = builder.add("Add", total, builder.add("Mul", taps(j), both))
    return total


def _scaled(builder: Builder, leads: str) -> str:
    """Bring leads in steps to ADC units, add what they are around, round, and clip."""

    def column(name: str) -> str:
        return builder.add("Unsqueeze", name, builder.constant([1]))

    unit = _double(builder, float(1 << FRACTION_BITS))
    san = builder.add("Div", builder.add("Cast", "san", to=_DOUBLE), unit)
    total = builder.add("Add", builder.add("Mul", leads, column("step")), san)
    total = builder.add("Add", total, column("offset"))
    total = builder.add("Floor", builder.add("Add", total, _double(builder, 0.5)))
    total = builder.add("Min", builder.add("Max", total, column("lowest")), column("highest"))
    return builder.add("Cast", total, to=_INT32)


def _halved(builder: Builder, n_samples: str, width: str) -> str:
    """Give n_samples / width, rounded up: what is left of a lead that was halved so often."""
    last = builder.add("Sub", width, builder.constant([1]))
    return builder.add("Div", builder.add("Add", n_samples, last), width)


def _any_left(builder: Builder, number: str, least: str) -> str:
    """Tell whether a number of shape (1,) is at least another, as bool of shape ()."""
    return builder.add("Squeeze", builder.add("GreaterOrEqual", number, least))


def _range(builder: Builder, start: str, stop: str) -> str:
    """Give the integers from start to stop, both of shape (1,)."""
    first, last = builder.add("Squeeze", start), builder.add("Squeeze", stop)
    return builder.add("Range", first, last, builder.constant(1))


def _double(builder: Builder, value: object) -> str:
    return builder.constant(np.asarray(value, np.float64), np.float64)
