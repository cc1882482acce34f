"""TensorFlow.js graph models to ONNX with numpy and onnx alone.

TensorFlow works on (batch, height, width, channel), ONNX convolutions on (batch, channel, height,
width). Instead of a transposition around every convolution, each tensor is kept as it was made
together with the permutation that would give TensorFlow's view of it; a node is written only where
a layout really has to change.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from data_contracts.errors import ModelUnavailable
from models.convert.graph import GraphWriter

Array = NDArray[Any]
Node = dict[str, Any]
_NHWC_OF_NCHW = (0, 2, 3, 1)
_STORED = {"uint8": np.uint8, "uint16": np.uint16, "float16": np.float16}
_PLAIN = {"float32": np.float32, "int32": np.int32, "bool": np.bool_, "uint8": np.uint8}
_SAME = {
    "Relu": "Relu",
    "Sigmoid": "Sigmoid",
    "Tanh": "Tanh",
    "Sqrt": "Sqrt",
    "Exp": "Exp",
    "Identity": "Identity",
}
_BINARY = {
    "Add": "Add",
    "AddV2": "Add",
    "BiasAdd": "Add",
    "Sub": "Sub",
    "Mul": "Mul",
    "RealDiv": "Div",
}
_EXTREME = {"Maximum": "Max", "Minimum": "Min"}
_FOLD: dict[str, Callable[..., Array]] = {
    "Add": np.add,
    "AddV2": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "RealDiv": np.divide,
    "ConcatV2": lambda *a: np.concatenate(a[:-1], int(a[-1])),
    "Reshape": lambda a, shape: a.reshape(shape.astype(int)),
    "Transpose": lambda a, perm: a.transpose(perm.astype(int)),
    "Identity": lambda a: a,
}


@dataclass(frozen=True)
class View:
    """A TensorFlow tensor: ONNX tensor `name`, whose axis `perm[i]` is TensorFlow's axis i; None:
    axes agree.
    """

    name: str
    perm: tuple[int, ...] | None = None


def read_weights(path: Path) -> tuple[list[Node], dict[str, Array]]:
    """The nodes of a model.json and its weights, float16 and quantised ones widened to float32."""
    model = json.loads(path.read_text())
    weights: dict[str, Array] = {}
    for group in model["weightsManifest"]:
        data = b"".join((path.parent / p).read_bytes() for p in group["paths"])
        at = 0
        for entry in group["weights"]:
            stored = entry.get("quantization")
            dtype = _STORED[stored["dtype"]] if stored else _PLAIN[entry["dtype"]]
            value: Array = np.frombuffer(data, dtype, int(np.prod(entry["shape"], dtype=int)), at)
            at += value.nbytes
            if stored and stored["dtype"] != "float16":
                value = value.astype(np.float32) * np.float32(stored["scale"]) + np.float32(
                    stored["min"]
                )
            weights[entry["name"]] = value.astype(_PLAIN[entry["dtype"]]).reshape(entry["shape"])
        if at != len(data):
            raise ModelUnavailable(
                f"{path.name}: weights of {at} bytes expected, {len(data)} found; pull it again"
            )
    return model["modelTopology"]["node"], weights


def convert(path: Path, outputs: Sequence[str], free_size: bool = False) -> onnx.ModelProto:
    """ONNX model computing the named tensors of the model at `path` (model.json, weights beside
    it).

    With `free_size` the input's height and width become free (multiples of 32 for NanoDet);
    resizing keeps its ratio. Raises ModelUnavailable for an operation it does not know.
    """
    return _Converter(path, free_size).run(outputs)


class _Converter:
    def __init__(self, path: Path, free_size: bool) -> None:
        self.nodes, self.weights = read_weights(path)
        self.free_size = free_size
        self.out = GraphWriter()
        self.const: dict[str, Array] = {}
        self.view: dict[str, View] = {}
        self.inputs: dict[str, list[int | str]] = {}

    def run(self, outputs: Sequence[str]) -> onnx.ModelProto:
        for node in self.nodes:
            self._node(node, [_plain(i) for i in node.get("input", []) if not i.startswith("^")])
        for name in outputs:
            self.out.emit("Identity", [self._logical(name)], out=f"out:{name}")
        inputs = {k: self._freed(v) if self.free_size else v for k, v in self.inputs.items()}
        return self.out.finish(inputs, [f"out:{o}" for o in outputs], "tfjs")

    def _freed(self, shape: list[int | str]) -> list[int | str]:
        spatial = (2, 3) if shape[1] == 3 else (1, 2)
        return [("h", "w")[spatial.index(i)] if i in spatial else d for i, d in enumerate(shape)]

    def _node(self, node: Node, names: list[str]) -> None:
        op = node["op"]
        name = node["name"]
        if op == "Const":
            self.const[name] = self.weights[name]
        elif op == "Placeholder":
            dims = [int(d.get("size", -1)) for d in node["attr"]["shape"]["shape"].get("dim", [])]
            self.inputs[name] = [d if d > 0 else "n" for d in dims]
            self.view[name] = View(name)
        elif op == "SparseToDense":
            self.const[name] = _dense(*[self.const[i] for i in names])
        elif op in _FOLD and all(i in self.const for i in names):
            self.const[name] = np.asarray(_FOLD[op](*[self.const[i] for i in names]))
        else:
            handler = getattr(self, f"_op_{_family(op)}", None)
            if handler is None:
                raise ModelUnavailable(
                    f"TensorFlow.js operation {op!r} is not supported by the converter"
                )
            self.view[name] = handler(node, names)

    # --- layouts
    # ------------------------------------------------------------------------------------------

    def _as(self, name: str, perm: tuple[int, ...] | None) -> str:
        """The ONNX tensor that, seen through `perm`, is TensorFlow's tensor `name`."""
        if name in self.const:
            value = self.const[name]
            value = value.astype(np.int64) if value.dtype == np.int32 else value
            if perm is not None and value.ndim:
                value = value.reshape((1,) * (len(perm) - value.ndim) + value.shape).transpose(
                    np.argsort(perm)
                )
            return self.out.constant(value)
        view = self.view[name]
        if view.perm == perm:
            return view.name
        have = view.perm or tuple(range(len(perm or ())))
        want = perm or tuple(range(len(view.perm or ())))
        if have == want:
            return view.name
        return self.out.emit("Transpose", [view.name], perm=[have[i] for i in np.argsort(want)])

    def _logical(self, name: str) -> str:
        return self._as(name, None)

    def _perm(self, names: list[str]) -> tuple[int, ...] | None:
        return next((self.view[n].perm for n in names if n in self.view), None)

    def _axis(self, axis: int, perm: tuple[int, ...] | None) -> int:
        return axis if perm is None else perm[axis % len(perm)]

    # --- operations
    # --------------------------------------------------------------------------------------------

    def _op_same(self, node: Node, names: list[str]) -> View:
        view = self.view[names[0]]
        return View(self.out.emit(_SAME[node["op"]], [view.name]), view.perm)

    def _op_leaky(self, node: Node, names: list[str]) -> View:
        view = self.view[names[0]]
        alpha = float(node.get("attr", {}).get("alpha", {}).get("f", 0.2))
        return View(self.out.emit("LeakyRelu", [view.name], alpha=alpha), view.perm)

    def _op_relu6(self, node: Node, names: list[str]) -> View:
        view = self.view[names[0]]
        limits = [self.out.constant(np.float32(v)) for v in (0, 6)]
        return View(self.out.emit("Clip", [view.name, *limits]), view.perm)

    def _op_binary(self, node: Node, names: list[str]) -> View:
        perm = self._perm(names)
        return View(self.out.emit(_BINARY[node["op"]], [self._as(n, perm) for n in names]), perm)

    def _op_extreme(self, node: Node, names: list[str]) -> View:
        perm = self._perm(names)
        limit = next((n for n in names if n in self.const and self.const[n].ndim == 0), None)
        if limit is None:
            return View(
                self.out.emit(_EXTREME[node["op"]], [self._as(n, perm) for n in names]), perm
            )
        rest = self._as(next(n for n in names if n != limit), perm)
        bound = self.out.constant(
            self.const[limit]
        )  # a scalar limit is a Clip, which runtimes fuse into convolutions
        return View(
            self.out.emit("Clip", [rest, bound] if node["op"] == "Maximum" else [rest, "", bound]),
            perm,
        )

    def _op_softmax(self, node: Node, names: list[str]) -> View:
        return View(self.out.emit("Softmax", [self._logical(names[0])], axis=-1))

    def _op_transpose(self, node: Node, names: list[str]) -> View:
        order = tuple(int(v) for v in self.const[names[1]])
        view = self.view[names[0]]
        perm = order if view.perm is None else tuple(view.perm[i] for i in order)
        return View(view.name, None if perm == tuple(range(len(perm))) else perm)

    def _op_conv(self, node: Node, names: list[str]) -> View:
        attr = node["attr"]
        kernel = self.const[names[1]]
        depthwise = "Depthwise" in node["op"]
        height, width, depth, _ = kernel.shape
        weight = (
            kernel.transpose(2, 3, 0, 1).reshape(-1, 1, height, width)
            if depthwise
            else kernel.transpose(3, 2, 0, 1)
        )
        out = self.out.emit(
            "Conv",
            [self._as(names[0], _NHWC_OF_NCHW), self.out.constant(weight.astype(np.float32))],
            strides=_ints(attr["strides"])[1:3],
            dilations=(_ints(attr.get("dilations", {})) or [1] * 4)[1:3],
            kernel_shape=[height, width],
            group=depth if depthwise else 1,
            auto_pad=_padding(attr),
        )
        return self._fused(attr, View(out, _NHWC_OF_NCHW), names[2:])

    def _op_matmul(self, node: Node, names: list[str]) -> View:
        attr = node["attr"]
        a, b = (int(bool(attr.get(f"transpose_{k}", {}).get("b"))) for k in "ab")
        out = self.out.emit("Gemm", [self._logical(n) for n in names[:2]], transA=a, transB=b)
        return self._fused(attr, View(out), names[2:])

    def _fused(self, attr: Node, view: View, extra: list[str]) -> View:
        for text in attr.get("fused_ops", {}).get("list", {}).get("s", []):
            op = base64.b64decode(text).decode()
            if op in ("BiasAdd", "Prelu"):
                kind = "Add" if op == "BiasAdd" else "PRelu"
                view = View(
                    self.out.emit(kind, [view.name, self._as(extra.pop(0), view.perm)]), view.perm
                )
            elif op == "Relu6":
                limits = [self.out.constant(np.float32(v)) for v in (0, 6)]
                view = View(self.out.emit("Clip", [view.name, *limits]), view.perm)
            elif op == "LeakyRelu":
                alpha = float(attr["leakyrelu_alpha"]["f"])
                view = View(self.out.emit("LeakyRelu", [view.name], alpha=alpha), view.perm)
            else:
                view = View(self.out.emit(_SAME[op], [view.name]), view.perm)
        return view

    def _op_pad(self, node: Node, names: list[str]) -> View:
        view = self.view[names[0]]
        pads = self.const[names[1]].astype(np.int64)
        if view.perm is not None:
            pads = pads[np.argsort(view.perm)]
        value = [self._as(names[2], None)] if node["op"] == "PadV2" else []
        return View(
            self.out.emit("Pad", [view.name, self.out.constant(pads.T.reshape(-1)), *value]),
            view.perm,
        )

    def _op_pool(self, node: Node, names: list[str]) -> View:
        attr = node["attr"]
        out = self.out.emit(
            "MaxPool",
            [self._as(names[0], _NHWC_OF_NCHW)],
            kernel_shape=_ints(attr["ksize"])[1:3],
            strides=_ints(attr["strides"])[1:3],
            auto_pad=_padding(attr),
        )
        return View(out, _NHWC_OF_NCHW)

    def _op_concat(self, node: Node, names: list[str]) -> View:
        perm = self._perm(names[:-1])
        axis = int(self.const[names[-1]])
        return View(
            self.out.emit(
                "Concat", [self._as(n, perm) for n in names[:-1]], axis=self._axis(axis, perm)
            ),
            perm,
        )

    def _op_reshape(self, node: Node, names: list[str]) -> View:
        shape = self.out.constant(self.const[names[1]].astype(np.int64))
        return View(self.out.emit("Reshape", [self._logical(names[0]), shape]))

    def _op_mean(self, node: Node, names: list[str]) -> View:
        view = self.view[names[0]]
        axes = [int(a) for a in np.atleast_1d(self.const[names[1]])]
        keep = bool(node["attr"].get("keep_dims", {}).get("b"))
        mapped = sorted(self._axis(a, view.perm) for a in axes)
        out = self.out.emit("ReduceMean", [view.name], axes=mapped, keepdims=int(keep))
        if keep or view.perm is None:
            return View(out, view.perm)
        left = [p for i, p in enumerate(view.perm) if i not in axes]
        perm = tuple(sorted(left).index(p) for p in left)
        return View(out, None if perm == tuple(range(len(perm))) else perm)

    def _op_resize(self, node: Node, names: list[str]) -> View:
        attr = node["attr"]
        source = self._as(names[0], _NHWC_OF_NCHW)
        target = self.const[names[1]].astype(np.int64)
        have = _shape(self.out.finish(self.inputs, [source], "part"))
        scales = np.array([1, 1, target[0] / have[2], target[1] / have[3]], np.float32)
        corners, half = (
            bool(attr.get(k, {}).get("b")) for k in ("align_corners", "half_pixel_centers")
        )
        mode = "align_corners" if corners else "half_pixel" if half else "asymmetric"
        out = self.out.emit(
            "Resize",
            [source, "", self.out.constant(scales)],
            mode="linear",
            coordinate_transformation_mode=mode,
        )
        return View(out, _NHWC_OF_NCHW)

    def _op_split(self, node: Node, names: list[str]) -> View:
        view = self.view[names[0]]
        sizes = self.const[names[1]].astype(np.int64)
        outs = [self.out.name("Split") for _ in sizes]
        axis = self._axis(int(self.const[names[2]]), view.perm)
        self.out.nodes.append(
            onnx.helper.make_node("Split", [view.name, self.out.constant(sizes)], outs, axis=axis),
        )
        for i, out in enumerate(outs[1:], 1):
            self.view[f"{node['name']}:{i}"] = View(out, view.perm)
        return View(outs[0], view.perm)


_FAMILY = {
    **dict.fromkeys(_SAME, "same"),
    **dict.fromkeys(_BINARY, "binary"),
    **dict.fromkeys(_EXTREME, "extreme"),
    **dict.fromkeys(
        ("Conv2D", "DepthwiseConv2dNative", "_FusedConv2D", "FusedDepthwiseConv2dNative"), "conv"
    ),
    "LeakyRelu": "leaky",
    "Relu6": "relu6",
    "Softmax": "softmax",
    "Transpose": "transpose",
    "_FusedMatMul": "matmul",
    "Pad": "pad",
    "PadV2": "pad",
    "MaxPool": "pool",
    "ConcatV2": "concat",
    "Reshape": "reshape",
    "Mean": "mean",
    "ResizeBilinear": "resize",
    "SplitV": "split",
}


def _family(op: str) -> str:
    return _FAMILY.get(op, "")


def _plain(name: str) -> str:
    return name.removesuffix(":0")


def _ints(attribute: Node) -> list[int]:
    return [int(i) for i in attribute.get("list", {}).get("i", [])]


def _padding(attr: Node) -> str:
    return {"SAME": "SAME_UPPER", "VALID": "VALID"}[base64.b64decode(attr["padding"]["s"]).decode()]


def _dense(indices: Array, shape: Array, values: Array, default: Array) -> Array:
    dense = np.full(tuple(int(x) for x in shape), default, values.dtype)
    at = np.atleast_2d(indices) if indices.ndim > 1 else indices.reshape(-1, 1)
    dense[tuple(at.T)] = values
    return dense


def _shape(model: onnx.ModelProto) -> list[int]:
    shaped = onnx.shape_inference.infer_shapes(model)
    return [d.dim_value for d in shaped.graph.output[0].type.tensor_type.shape.dim]
