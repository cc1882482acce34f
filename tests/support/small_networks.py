"""Networks of the shapes of an InsightFace pack's, small and with answers that can be worked out by
hand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from models.convert.graph import GraphWriter


def write(model: onnx.ModelProto, path: Path) -> Path:
    """The model in a file; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def scrfd_network(side: int = 160) -> onnx.ModelProto:
    """SCRFD's nine outputs for a square canvas: a bright cell is a face, two anchors a cell.

    The score is the red channel's mean over the cell; sides are 2 strides; landmarks a fixed
    pattern.
    """
    out = GraphWriter()
    names = []
    for kind, width in (("score", 1), ("box", 4), ("marks", 10)):
        for stride in (8, 16, 32):
            cells = (side // stride) ** 2
            name = f"{kind}_{stride}"
            if kind == "score":
                pooled = out.emit(
                    "AveragePool", ["x"], kernel_shape=[stride, stride], strides=[stride, stride]
                )
                red = out.emit("Slice", [pooled, *(out.constant(np.array([v])) for v in (0, 1, 1))])
                flat = out.emit("Reshape", [red, out.constant(np.array([-1, 1]))])
                keep = np.tile(
                    np.array([[1.0, 0.0]], np.float32), (cells, 1)
                )  # only the first anchor answers
                both = out.emit("Mul", [flat, out.constant(keep)])
                out.emit("Reshape", [both, out.constant(np.array([-1, 1]))], out=name)
            else:
                row = (
                    np.full(width, 2.0)
                    if kind == "box"
                    else np.array([-1, -1, 1, -1, 0, 0, -1, 1, 1, 1])
                )
                out.emit(
                    "Identity",
                    [out.constant(np.tile(row.astype(np.float32), (cells * 2, 1)))],
                    out=name,
                )
            names.append(name)
    return out.finish({"x": [1, 3, side, side]}, names, "scrfd")


def arcface_network(side: int = 112) -> onnx.ModelProto:
    """(n, 3, side, side) -> (n, 48): means of a 4 x 4 grid, three channels."""
    out = GraphWriter()
    pooled = out.emit(
        "AveragePool", ["x"], kernel_shape=[side // 4, side // 4], strides=[side // 4, side // 4]
    )
    out.emit("Flatten", [pooled], out="y")
    model = out.finish({"x": ["n", 3, side, side]}, ["y"], "arcface")
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 48
    return model


def person_network() -> onnx.ModelProto:
    """cheetah's person detector: a picture (1, 3, 64, 64) and its scale, to boxes in the picture's
    own px.

    Two candidates: the left half and the right half of the canvas, scored by the mean red there.
    """
    out = GraphWriter()
    halves = np.array([[[0, 0, 32, 64], [32, 0, 64, 64]]], np.float32)
    flipped = out.emit(
        "Gather", ["scale_factor", out.constant(np.array([1, 0, 1, 0]))], axis=1
    )  # y, x -> x, y, x, y
    back = out.emit("Reshape", [flipped, out.constant(np.array([1, 1, 4]))])
    out.emit("Div", [out.constant(halves), back], out="nms_pre_boxes")
    pooled = out.emit("AveragePool", ["image"], kernel_shape=[64, 32], strides=[64, 32])
    red = out.emit("Slice", [pooled, *(out.constant(np.array([v])) for v in (0, 1, 1))])
    out.emit("Reshape", [red, out.constant(np.array([1, 1, 2]))], out="nms_pre_scores")
    return out.finish(
        {"image": [1, 3, 64, 64], "scale_factor": [1, 2]},
        ["nms_pre_boxes", "nms_pre_scores"],
        "person",
    )


def reid_network() -> onnx.ModelProto:
    """cheetah's body description: (1, 3, 256, 128) -> (1, 256): the red channel's means over a 16 x
    16 grid.
    """
    out = GraphWriter()
    red = out.emit("Slice", ["data", *(out.constant(np.array([v])) for v in (0, 1, 1))])
    pooled = out.emit("AveragePool", [red], kernel_shape=[16, 8], strides=[16, 8])
    out.emit("Reshape", [pooled, out.constant(np.array([1, 256]))], out="reid_embedding")
    model = out.finish({"data": [1, 3, 256, 128]}, ["reid_embedding"], "reid")
    for dim, value in zip(model.graph.output[0].type.tensor_type.shape.dim, (1, 256), strict=True):
        dim.dim_value = value
    return model


def osnet_network() -> onnx.ModelProto:
    """(n, 3, 256, 128) -> (n, 48): a 4 x 4 grid's means, as OSNet is exported."""
    out = GraphWriter()
    pooled = out.emit("AveragePool", ["x"], kernel_shape=[64, 32], strides=[64, 32])
    out.emit("Flatten", [pooled], out="y")
    return out.finish({"x": ["n", 3, 256, 128]}, ["y"], "osnet")


def halves_network() -> onnx.ModelProto:
    """(1, 3, 64, 64) -> (1, 2): how red the left and the right half of a picture are."""
    out = GraphWriter()
    pooled = out.emit("AveragePool", ["x"], kernel_shape=[64, 32], strides=[64, 32])
    red = out.emit("Slice", [pooled, *(out.constant(np.array([v])) for v in (0, 1, 1))])
    out.emit("Reshape", [red, out.constant(np.array([1, 2]))], out="scores")
    return out.finish({"x": [1, 3, 64, 64]}, ["scores"], "halves")
