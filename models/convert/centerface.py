"""CenterFace's published ONNX file, freed of its fixed batch and size and of weights listed as
inputs.
"""

from __future__ import annotations

from pathlib import Path

import onnx


def convert(path: Path) -> onnx.ModelProto:
    """The model of `path` with a free batch n, height h and width w (multiples of 32); values are
    unchanged.

    The original was exported for a batch of 10 at a fixed size and lists every weight as an input
    as well, which keeps runtimes from folding constants.
    """
    model = onnx.load(path)
    graph = model.graph
    weights = {i.name for i in graph.initializer}
    inputs = [i for i in graph.input if i.name not in weights]
    del graph.input[:]
    graph.input.extend(inputs)
    _free(graph.input[0], ("n", None, "h", "w"))
    for output in graph.output:
        _free(output, ("n", None, "", ""))
    del graph.value_info[:]
    used = {i for node in graph.node for i in node.input}
    kept = [i for i in graph.initializer if i.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    return model


def _free(value: onnx.ValueInfoProto, names: tuple[str | None, ...]) -> None:
    """Name the free dimensions; "" frees one without a name, None keeps it."""
    for dim, name in zip(value.type.tensor_type.shape.dim, names, strict=True):
        if name:
            dim.dim_param = name
        elif name == "":
            dim.ClearField("dim_value")
