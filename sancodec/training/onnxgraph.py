"""Building of ONNX graphs node by node, with loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

from sancodec.training.export import IR_VERSION, OPSET


class Builder:
    """A graph that grows. Values go by their names, which are unique in all of its loops."""

    def __init__(self, numbers: count[int] | None = None) -> None:
        self._numbers = numbers or count()
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output, and give that."""
        return self.add_many(operator, inputs, 1, **attributes)[0]

    def add_many(
        self, operator: str, inputs: Sequence[str], n_outputs: int, **attributes: Any
    ) -> list[str]:
        """Add a node, and give its outputs."""
        outputs = [self._name() for _ in range(n_outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), outputs, **attributes))
        return outputs

    def constant(self, value: ArrayLike, kind: type[np.generic] = np.int64) -> str:
        """Add a constant."""
        name = self._name()
        self._constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def size(self, value: str, axis: int) -> str:
        """Give the length of an axis, as int64 of shape (1,)."""
        stop = {} if axis == -1 else {"end": axis + 1}
        return self.add("Shape", value, start=axis, **stop)

    def slice(self, value: str, start: str, stop: str, axis: int) -> str:
        """Give a slice along one axis; start and stop are int64 of shape (1,)."""
        return self.add("Slice", value, start, stop, self.constant([axis]))

    def loop(
        self,
        condition: str,
        states: Sequence[str],
        kinds: Sequence[int],
        body: Callable[[Builder, list[str]], tuple[str, list[str]]],
    ) -> list[str]:
        """Repeat ``body`` as long as the condition holds; give the last states.

        Parameters
        ----------
        condition : str
            Bool of shape ().
        states : sequence of str
            Before the first turn.
        kinds : sequence of int
            Their ONNX types; their shapes may change from turn to turn.
        body : callable
            Given a graph and the states, adds to it, and gives condition and states anew.
        """
        inside = Builder(self._numbers)
        turn, before, *given = (self._name() for _ in range(2 + len(states)))
        after, found = body(inside, given)
        inputs = [_value(turn, TensorProto.INT64, []), _value(before, TensorProto.BOOL, [])]
        inputs += [_value(name, kind, None) for name, kind in zip(given, kinds, strict=True)]
        outputs = [_value(after, TensorProto.BOOL, [])]
        outputs += [_value(name, kind, None) for name, kind in zip(found, kinds, strict=True)]
        graph = inside.graph("body", inputs, outputs)
        return self.add_many("Loop", ["", condition, *states], len(states), body=graph)

    def graph(
        self,
        name: str,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
    ) -> onnx.GraphProto:
        """Give the graph as it is now."""
        return helper.make_graph(self._nodes, name, inputs, outputs, self._constants)

    def model(
        self,
        inputs: Mapping[str, tuple[int, list[str]]],
        outputs: Mapping[str, tuple[str, list[str]]],
        output_kind: int = TensorProto.FLOAT,
    ) -> onnx.ModelProto:
        """Give a checked model.

        Parameters
        ----------
        inputs : mapping
            Name to ONNX type and the names of the axes.
        outputs : mapping
            Name to the value it is, and the names of the axes.
        output_kind : int
            ONNX type of all outputs.
        """
        for name, (value, _) in outputs.items():
            self._nodes.append(helper.make_node("Identity", [value], [name]))
        graph = self.graph(
            "sancodec",
            [_value(name, kind, shape) for name, (kind, shape) in inputs.items()],
            [_value(name, output_kind, shape) for name, (_, shape) in outputs.items()],
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="sancodec",
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    def _name(self) -> str:
        return f"v{next(self._numbers)}"


def _value(name: str, kind: int, shape: list[str] | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)
