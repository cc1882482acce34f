"""The TensorFlow.js converter against arithmetic in numpy, on a small graph with every trait of the
real ones.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from data_contracts.errors import ModelUnavailable
from models.convert import convert as convert_files
from models.convert.tfjs import convert

RNG = np.random.default_rng(1)
KERNEL = RNG.normal(size=(3, 3, 3, 4)).astype(np.float16)
DEPTH = RNG.normal(size=(1, 1, 4, 1)).astype(np.float32)
LEVELS = np.array([0, 100, 200, 255], np.uint8)  # a bias, quantised: value * 0.01 - 1


def _node(name: str, op: str, inputs: list[str], **attr: object) -> dict[str, object]:
    return {"name": name, "op": op, "input": inputs, "attr": attr}


def _text(value: str) -> dict[str, str]:
    return {"s": base64.b64encode(value.encode()).decode()}


def _ints(*values: int) -> dict[str, object]:
    return {"list": {"i": [str(v) for v in values]}}


def _write(folder: Path, nodes: list[dict[str, object]], weights: dict[str, np.ndarray]) -> Path:
    """Write model.json and model.bin: `kernel` as float16, `bias` as quantised uint8, the rest as
    they are.
    """
    entries = []
    data = b""
    for name, value in weights.items():
        entry: dict[str, object] = {
            "name": name,
            "shape": list(value.shape),
            "dtype": str(value.dtype),
        }
        if name == "kernel":
            entry |= {"dtype": "float32", "quantization": {"dtype": "float16"}}
        if name == "bias":
            entry |= {
                "dtype": "float32",
                "quantization": {"dtype": "uint8", "scale": 0.01, "min": -1.0},
            }
        entries.append(entry)
        data += value.tobytes()
    (folder / "model.bin").write_bytes(data)
    manifest = [{"paths": ["model.bin"], "weights": entries}]
    (folder / "model.json").write_text(
        json.dumps({"modelTopology": {"node": nodes}, "weightsManifest": manifest})
    )
    return folder / "model.json"


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """NCHW input -> NHWC -> pad -> fused conv, bias, relu -> depthwise -> enlarge twice -> concat
    with itself -> NCHW.
    """
    shape = {"shape": {"dim": [{"size": str(v)} for v in (1, 3, 8, 8)]}}
    consts = [
        "to_nhwc",
        "pads",
        "kernel",
        "bias",
        "depth",
        "size",
        "axis",
        "to_nchw",
        "low",
        "high",
    ]
    nodes = [
        _node("x", "Placeholder", [], shape=shape, dtype={"type": "DT_FLOAT"}),
        *[_node(c, "Const", []) for c in consts],
        _node("t", "Transpose", ["x", "to_nhwc"]),
        _node("p", "Pad", ["t", "pads"]),
        _node(
            "c",
            "_FusedConv2D",
            ["p", "kernel", "bias"],
            strides=_ints(1, 2, 2, 1),
            padding=_text("VALID"),
            fused_ops={
                "list": {"s": [base64.b64encode(o.encode()).decode() for o in ("BiasAdd", "Relu")]}
            },
        ),
        _node(
            "d",
            "DepthwiseConv2dNative",
            ["c", "depth"],
            strides=_ints(1, 1, 1, 1),
            padding=_text("SAME"),
        ),
        _node("lo", "Maximum", ["d", "low"]),
        _node("hi", "Minimum", ["lo", "high"]),
        _node("r", "ResizeBilinear", ["hi", "size"], half_pixel_centers={"b": True}),
        _node("k", "ConcatV2", ["r", "r", "axis"]),
        _node("out", "Transpose", ["k", "to_nchw"]),
    ]
    int32 = lambda *v: np.array(v, np.int32)  # noqa: E731
    weights = {
        "to_nhwc": int32(0, 2, 3, 1),
        "pads": int32([0, 0], [1, 0], [1, 0], [0, 0]),
        "kernel": KERNEL,
        "bias": LEVELS,
        "depth": DEPTH,
        "size": int32(8, 8),
        "axis": np.array(3, np.int32),
        "to_nchw": int32(0, 3, 1, 2),
        "low": np.array(-0.5, np.float32),
        "high": np.array(1.5, np.float32),
    }
    return _write(tmp_path, nodes, weights)


def _expected(x: np.ndarray) -> np.ndarray:
    """The same in numpy up to the resize (1, h, w, 4), NHWC."""
    padded = np.pad(x.transpose(0, 2, 3, 1), ((0, 0), (1, 0), (1, 0), (0, 0)))
    side_y = (padded.shape[1] - 3) // 2 + 1
    side_x = (padded.shape[2] - 3) // 2 + 1
    out = np.zeros((1, side_y, side_x, 4))
    for i in range(side_y):
        for j in range(side_x):
            patch = padded[0, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
            out[0, i, j] = np.tensordot(patch, KERNEL.astype(np.float64), 3) + LEVELS * 0.01 - 1
    return np.clip(np.maximum(out, 0) * DEPTH.reshape(4), -0.5, 1.5)


def test_agrees_with_numpy_at_any_size(graph: Path) -> None:
    """Weights of all storage kinds, layouts, padding and resizing come out right, also for a size
    not in the file.
    """
    session = onnxruntime.InferenceSession(
        convert(graph, ["out"], free_size=True).SerializeToString()
    )
    for height, width in ((8, 8), (8, 16)):
        x = RNG.normal(size=(1, 3, height, width)).astype(np.float32)
        (found,) = session.run(None, {"x": x})
        assert found.shape == (1, 8, height, width)
        assert found[:, :4] == pytest.approx(found[:, 4:])
        small = _expected(x)
        # Half-pixel bilinear doubling: output (1, 1) lies a quarter of the way from pixel (0, 0) to
        # (1, 1).
        mix = 0.75 * (0.75 * small[0, 0, 0] + 0.25 * small[0, 0, 1]) + 0.25 * (
            0.75 * small[0, 1, 0] + 0.25 * small[0, 1, 1]
        )
        assert found[0, :4, 1, 1] == pytest.approx(mix, abs=1e-5)


def test_writes_few_transpositions(graph: Path) -> None:
    """Layouts are tracked, not undone around every convolution: NCHW in and out needs none at
    all.
    """
    model = convert(graph, ["out"])
    assert [n.op_type for n in model.graph.node].count("Transpose") == 0


def test_same_bytes_every_time(graph: Path) -> None:
    """The digest of a converted file can be pinned."""
    first, second = (
        convert(graph, ["out"]).SerializeToString(deterministic=True) for _ in range(2)
    )
    assert first == second


def test_unknown_operation_is_named(tmp_path: Path) -> None:
    """A graph beyond the converter says which operation stopped it."""
    shape = {"shape": {"dim": [{"size": "1"}]}}
    nodes = [
        _node("x", "Placeholder", [], shape=shape, dtype={"type": "DT_FLOAT"}),
        _node("y", "FancyNewOp", ["x"]),
    ]
    with pytest.raises(ModelUnavailable, match="FancyNewOp"):
        convert(_write(tmp_path, nodes, {}), ["y"])


def test_damaged_files_are_one_clear_error(graph: Path, tmp_path: Path) -> None:
    """Weights cut short end in ModelUnavailable, not in a parser's traceback."""
    (graph.parent / "model.bin").write_bytes(b"short")
    with pytest.raises(ModelUnavailable):
        convert_files("nanodet", {"model.json": graph}, tmp_path / "out.onnx")
