"""Published model files to the ONNX files that the runtimes load. Each conversion writes the same
bytes everywhere. A conversion is a function and a row of `CONVERSIONS` (CONTRIBUTING.md).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from data_contracts.errors import ModelUnavailable

if TYPE_CHECKING:
    import onnx

# The file is used as it was published.
COPY = "copy"


def _nanodet(files: dict[str, Path]) -> onnx.ModelProto:
    from models.convert import tfjs

    outputs = [
        "Identity",
        *(f"Identity_{i}" for i in range(1, 6)),
    ]  # scores then distances, strides 8, 16 and 32
    return tfjs.convert(_with_suffix(files, ".json"), outputs, free_size=True)


def _faceres(files: dict[str, Path]) -> onnx.ModelProto:
    from models.convert import tfjs

    return tfjs.convert(_with_suffix(files, ".json"), ["global_pooling/Mean"])


def _centerface(files: dict[str, Path]) -> onnx.ModelProto:
    from models.convert import centerface

    return centerface.convert(_with_suffix(files, ".onnx"))


def _dlib_resnet(files: dict[str, Path]) -> onnx.ModelProto:
    from models.convert import dlib_resnet

    return dlib_resnet.convert(_with_suffix(files, ".dat"))


CONVERSIONS: dict[str, Callable[[dict[str, Path]], onnx.ModelProto]] = {
    "nanodet": _nanodet,
    "faceres": _faceres,
    "centerface": _centerface,
    "dlib_resnet": _dlib_resnet,
}


def names() -> list[str]:
    """What a manifest may name."""
    return [COPY, *CONVERSIONS]


def convert(name: str, files: dict[str, Path], target: Path) -> None:
    """Write the conversion `name` of `files` (published name -> path) to `target`.

    Raises ModelUnavailable when the files are not what the conversion expects.
    """
    if name == COPY:
        shutil.copyfile(next(iter(files.values())), target)
        return
    try:
        model = CONVERSIONS[name](files)
    except ModelUnavailable:
        raise
    except Exception as error:
        raise ModelUnavailable(
            f"conversion {name} of {', '.join(files)} failed: {error!r}"
        ) from error
    target.write_bytes(model.SerializeToString(deterministic=True))


def _with_suffix(files: dict[str, Path], suffix: str) -> Path:
    return next(p for n, p in files.items() if n.endswith(suffix))
