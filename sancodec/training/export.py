"""Write the decoder as an ONNX graph: the generic one, and with the kernels of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sancodec.formats.output import write_whole
from sancodec.san.kernels import KernelBank

# Newer ones are refused by released onnxruntime-gpu, or fall back to the CPU in silence.
OPSET = 18
IR_VERSION = 8


def write_placement(path: Path) -> None:
    """Write the graph that places any bank: the one that decoding runs.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    write_onnx(path, _model(None, {}))


def write_model(path: Path, bank: KernelBank, metadata: Mapping[str, str]) -> None:
    """Write the graph with the kernels of ``bank`` as its default bank, and its metadata.

    The digest, centre, shape and sampling frequency of the kernels are added to ``metadata``.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    of_bank = {
        "digest": bank.digest,
        "centre": str(bank.centre),
        "fs": repr(bank.fs),
        "n_kernels": str(bank.n_kernels),
        "n_kernel_leads": str(bank.n_kernel_leads),
    }
    rows = bank.kernels.reshape(-1, bank.n_taps).astype(np.int32)
    write_onnx(path, _model(rows, {**metadata, **of_bank}))


def _model(rows: NDArray[np.int32] | None, metadata: Mapping[str, str]) -> onnx.ModelProto:
    model = helper.make_model(
        _graph(rows),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="sancodec",
    )
    helper.set_model_props(model, dict(sorted(metadata.items())))
    onnx.checker.check_model(model, full_check=True)
    return model


def _graph(rows: NDArray[np.int32] | None) -> onnx.GraphProto:
    per_activation = {"row": TensorProto.INT64, "amplitude": TensorProto.INT32}
    per_activation |= {"position": TensorProto.INT64, "record": TensorProto.INT64}
    inputs = [_value("bank", TensorProto.INT32, ["n_rows", "n_taps"])]
    inputs += [_value(name, kind, ["n_activations"]) for name, kind in per_activation.items()]
    inputs += [_value(name, TensorProto.INT64, []) for name in ("n_records", "n_samples")]
    outputs = [
        _value("sums", TensorProto.INT32, ["n_records", "width"]),
        _value("kernels", TensorProto.INT32, ["n_rows", "n_taps"]),
    ]
    constants = {"zero": np.array(0), "one": np.array(1), "first": np.array([0])}
    constants |= {"last": np.array([1]), "all": np.array([-1])}
    initializers = [numpy_helper.from_array(a.astype(np.int64), n) for n, a in constants.items()]
    if rows is not None:
        initializers.append(numpy_helper.from_array(rows, "bank"))
    return helper.make_graph(_nodes(), "placement", inputs, outputs, initializers)


def _nodes() -> list[onnx.NodeProto]:
    """Write sums[record, position + tap] += bank[row, tap] * amplitude, over all activations."""
    node = helper.make_node
    nothing = numpy_helper.from_array(np.zeros(1, np.int32))
    return [
        node("Identity", ["bank"], ["kernels"]),
        node("Shape", ["bank"], ["n_taps_list"], start=1),
        node("Squeeze", ["n_taps_list", "first"], ["n_taps"]),
        node("Add", ["n_samples", "n_taps"], ["width"]),
        node("Gather", ["bank", "row"], ["taps"], axis=0),
        node("Unsqueeze", ["amplitude", "last"], ["amplitudes"]),
        node("Mul", ["taps", "amplitudes"], ["addends"]),
        node("Mul", ["record", "width"], ["record_start"]),
        node("Add", ["record_start", "position"], ["start"]),
        node("Unsqueeze", ["start", "last"], ["starts"]),
        node("Range", ["zero", "n_taps", "one"], ["tap"]),
        node("Add", ["starts", "tap"], ["index"]),
        node("Reshape", ["index", "all"], ["flat_index"]),
        node("Reshape", ["addends", "all"], ["flat_addends"]),
        node("Mul", ["n_records", "width"], ["n_sums"]),
        node("Unsqueeze", ["n_sums", "first"], ["flat_shape"]),
        node("ConstantOfShape", ["flat_shape"], ["zeros"], value=nothing),
        node(
            "ScatterElements",
            ["zeros", "flat_index", "flat_addends"],
            ["flat_sums"],
            axis=0,
            reduction="add",
        ),
        node("Unsqueeze", ["n_records", "first"], ["n_records_list"]),
        node("Unsqueeze", ["width", "first"], ["width_list"]),
        node("Concat", ["n_records_list", "width_list"], ["shape"], axis=0),
        # Without allowzero a 0 in the shape would mean "as the input", not no record.
        node("Reshape", ["flat_sums", "shape"], ["sums"], allowzero=1),
    ]


def _value(name: str, kind: int, shape: list[str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def write_onnx(path: Path, model: onnx.ModelProto) -> None:
    """Write beside the target and replace it, so that no half-written model is ever read.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    write_whole(path, model.SerializeToString(deterministic=True))
