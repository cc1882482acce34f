"""dlib's face recognition network (`dlib_face_recognition_resnet_model_v1.dat`) to ONNX, with numpy
and onnx alone.

The file is dlib's own serialisation. Every layer writes a tag with its name and then its
parameters, innermost layer first, which is the order in which the network runs. The topology is not
in the file: it is `anet_type` of dlib's example `dnn_face_recognition_ex.cpp`, 29 convolutions in
residual blocks, and is checked against the tags found.

Conventions of dlib that matter here: a convolution or pooling with a stride does not pad; adding
tensors of different size pads the smaller one with zeros at its end in every axis; affine layers
scale and shift channels (folded into the convolution before them).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from data_contracts.errors import ModelUnavailable
from models.convert.graph import GraphWriter

INPUT = 150  # px, square, RGB
# Mean colour that the network subtracts, R G B, before it divides by 256 (dlib,
# input_rgb_image_sized).
MEAN_RGB = (122.782, 117.001, 104.298)
# (filters, residual blocks, first one halves the size), from the image to the descriptor.
_LEVELS = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
_PARAMETRIC = (b"con_", b"affine_", b"fc_")


@dataclass(frozen=True)
class Layer:
    """A layer with parameters: its tag in the file (`con_4`, `affine_`, `fc_2`) and all its numbers
    in one row.
    """

    tag: str
    values: NDArray[np.float32]


def read_layers(data: bytes) -> list[Layer]:
    """Layers with parameters in the order in which they run. Raises ModelUnavailable when the file
    is another network.
    """
    found = sorted(_tags(data))
    layers = []
    for at, tag in found:
        cursor = _Cursor(data, at)
        if tag.startswith("fc_"):
            (
                cursor.integer(),
                cursor.integer(),
            )  # number of outputs and inputs: known, checked by their product below
        layers.append(Layer(tag, cursor.tensor()))
    return layers


def convert(path: Path) -> onnx.ModelProto:
    """ONNX model: input `chip` (n, 3, 150, 150) float32 RGB 0..255, output (n, 128) descriptors,
    not of length 1.
    """
    stack = iter(read_layers(path.read_bytes()))
    out = GraphWriter()
    mean = out.constant(np.array(MEAN_RGB, np.float32).reshape(1, 3, 1, 1))
    centred = out.emit("Sub", ["chip", mean])
    x = out.emit("Mul", [centred, out.constant(np.float32(1 / 256))])
    x = out.emit("Relu", [_convolution(out, stack, x, (32, 3, 7, 7), stride=2)])
    x = out.emit("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2])
    depth, side = 32, 35  # 150 -> 72 -> 35
    for filters, blocks, halve in _LEVELS:
        for i in range(blocks):
            down = halve and i == 0
            x, side = _residual(out, stack, x, (depth, filters), side, down)
            depth = filters
    x = out.emit("Flatten", [out.emit("GlobalAveragePool", [x])])
    weight = _take(stack, "fc_", 256 * 128).reshape(256, 128)
    x = out.emit("MatMul", [x, out.constant(weight)])
    out.emit("Identity", [x], out="descriptor")
    left = list(stack)
    if left:
        raise ModelUnavailable(
            f"dlib network: {len(left)} layers more than dlib's face recognition network has"
        )
    return out.finish({"chip": ["n", 3, INPUT, INPUT]}, ["descriptor"], "dlib_resnet")


def _residual(
    out: GraphWriter, stack: Iterator[Layer], x: str, depths: tuple[int, int], side: int, down: bool
) -> tuple[str, int]:
    """One block, `relu(f(x) + shortcut(x))`; returns the output's name and side, px."""
    depth, filters = depths
    stride = 2 if down else 1
    y = out.emit("Relu", [_convolution(out, stack, x, (filters, depth, 3, 3), stride)])
    y = _convolution(out, stack, y, (filters, filters, 3, 3), 1)
    if not down:
        return out.emit("Relu", [out.emit("Add", [y, x])]), side
    inner = (side - 3) // 2 + 1
    pooled = (side - 2) // 2 + 1
    shortcut = out.emit("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
    shortcut = _pad(out, shortcut, filters - depth, max(inner - pooled, 0))
    y = _pad(out, y, 0, max(pooled - inner, 0))
    return out.emit("Relu", [out.emit("Add", [y, shortcut])]), max(inner, pooled)


def _convolution(
    out: GraphWriter, stack: Iterator[Layer], x: str, shape: tuple[int, int, int, int], stride: int
) -> str:
    """Convolution with the affine layer after it folded in."""
    filters = shape[0]
    size = int(np.prod(shape))
    values = _take(stack, "con_", size + filters).astype(np.float64)
    scale, shift = _take(stack, "affine_", 2 * filters).astype(np.float64).reshape(2, filters)
    weight = values[:size].reshape(shape) * scale[:, None, None, None]
    bias = values[size:] * scale + shift
    pad = shape[2] // 2 if stride == 1 else 0
    inputs = [x, out.constant(weight.astype(np.float32)), out.constant(bias.astype(np.float32))]
    return out.emit(
        "Conv", inputs, kernel_shape=list(shape[2:]), strides=[stride] * 2, pads=[pad] * 4
    )


def _pad(out: GraphWriter, x: str, channels: int, side: int) -> str:
    if not channels and not side:
        return x
    return out.emit(
        "Pad", [x, out.constant(np.array([0, 0, 0, 0, 0, channels, side, side], np.int64))]
    )


def _take(stack: Iterator[Layer], tag: str, count: int) -> NDArray[np.float32]:
    layer = next(stack, None)
    if layer is None or not layer.tag.startswith(tag) or len(layer.values) != count:
        got = "the end" if layer is None else f"{layer.tag} with {len(layer.values)}"
        raise ModelUnavailable(
            f"dlib network: layer {tag}* with {count} numbers expected, got {got}"
        )
    return layer.values


def _tags(data: bytes) -> Iterator[tuple[int, str]]:
    """(position after the tag, tag) of every layer with parameters; a tag is a length-prefixed
    string.
    """
    for stem in _PARAMETRIC:
        at = data.find(stem)
        while at >= 0:
            length = data[at - 1]
            tag = data[at : at + length]
            if (
                data[at - 2] == 1
                and len(stem) <= length <= len(stem) + 1
                and tag[len(stem) :].isdigit() | (tag == stem)
            ):
                yield at + length, tag.decode()
            at = data.find(stem, at + 1)


class _Cursor:
    """Reads dlib's serialised numbers."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def integer(self) -> int:
        """A control byte (bit 7 the sign, low bits the size in bytes), then that many bytes, lowest
        first.
        """
        control = self._data[self._at]
        size = control & 0x0F
        value = int.from_bytes(self._data[self._at + 1 : self._at + 1 + size], "little")
        self._at += 1 + size
        return -value if control & 0x80 else value

    def tensor(self) -> NDArray[np.float32]:
        """Version, four sizes, then the numbers as little-endian float32."""
        version = self.integer()
        count = int(np.prod([self.integer() for _ in range(4)]))
        end = self._at + 4 * count
        if version != 2 or end > len(self._data):
            raise ModelUnavailable(
                f"dlib network: tensor of version 2 expected, got {version} with {count} numbers"
            )
        return np.frombuffer(self._data[self._at : end], "<f4").astype(np.float32)
