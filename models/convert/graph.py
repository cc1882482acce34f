"""A small writer of ONNX graphs whose bytes depend only on what is put in, so that a converted file
has one digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper


class GraphWriter:
    """Collects nodes and constants; `finish` drops what no output needs."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, npt.NDArray[Any]] = {}
        self._count = 0

    def name(self, stem: str) -> str:
        """A fresh tensor name."""
        self._count += 1
        return f"{stem}_{self._count}"

    def constant(self, value: npt.ArrayLike, stem: str = "c") -> str:
        """The name of a new constant."""
        name = self.name(stem)
        self.constants[name] = np.array(value, order="C")
        return name

    def emit(
        self, op: str, inputs: Sequence[str], out: str | None = None, **attributes: Any
    ) -> str:
        """Add a node with one output; returns the output's name."""
        result = out or self.name(op)
        self.nodes.append(helper.make_node(op, list(inputs), [result], **attributes))
        return result

    def finish(
        self,
        inputs: Mapping[str, Sequence[int | str]],
        outputs: Sequence[str],
        name: str,
        opset: int = 13,
    ) -> onnx.ModelProto:
        """The checked model; `inputs` maps names to shapes (text is a free dimension), all
        float32.
        """
        needed = set(outputs)
        kept = []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                kept.append(node)
                needed.update(i for i in node.input if i)
        kept.reverse()
        graph = helper.make_graph(
            kept,
            name,
            [
                helper.make_tensor_value_info(k, TensorProto.FLOAT, list(shape))
                for k, shape in inputs.items()
            ],
            [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs],
            [numpy_helper.from_array(v, k) for k, v in self.constants.items() if k in needed],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        model.ir_version = 8
        _free_outputs(model)
        onnx.checker.check_model(model)
        return model


def _free_outputs(model: onnx.ModelProto) -> None:
    """Give every output its rank with free dimensions: what shape inference names them differs
    between its versions.
    """
    shaped = onnx.shape_inference.infer_shapes(model)
    for output, known in zip(model.graph.output, shaped.graph.output, strict=True):
        for i, _ in enumerate(known.type.tensor_type.shape.dim):
            output.type.tensor_type.shape.dim.add().dim_param = f"{output.name}_{i}"
