"""A torchreid OSNet checkpoint to the ONNX file that models/networks/osnet.py runs.

Needs torch and the PyPI package torchreid, an extra that the running system does without. torchreid
0.2.5 cannot be imported without torchvision and tensorboard, so the one module that defines OSNet
is loaded by its file. Checkpoints are pickles: they are read with `weights_only=True`, which runs
no code of theirs.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import tempfile
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from data_contracts.errors import ModelUnavailable

INSTALL = 'pip install "torch>=2.13" torchreid==0.2.5'
# Width of the first convolution in torchreid's osnet.py -> the function that builds that network.
_BY_WIDTH = {64: "osnet_x1_0", 48: "osnet_x0_75", 32: "osnet_x0_5", 16: "osnet_x0_25"}
_HEIGHT, _WIDTH = 256, 128  # px, torchreid's input for re-identification
# Float32 sums in another order differ by 1e-7 or so; a graph traced wrongly is not this close on
# random pictures.
_LEAST_COSINE = 1 - 1e-5


def export_osnet(checkpoint: Path, out: Path | None, folder: Path) -> tuple[str, Path]:
    """Write `checkpoint` as ONNX to `out` (None: `folder`/<architecture>.onnx); returns
    architecture and path.

    Input `x` (n, 3, 256, 128), output `y` (n, 512). The file is compared with torch before it is
    put in place. Raises ModelUnavailable when the checkpoint is missing or no OSNet's, torch or
    torchreid is not installed, or they differ.
    """
    if not checkpoint.is_file():
        raise ModelUnavailable(
            f"{checkpoint} is not a file: a torchreid checkpoint (.pth, .pth.tar) expected"
        )
    torch = _torch()
    osnet = _osnet_module()
    weights = _weights(torch, checkpoint)
    name = architecture(weights, checkpoint.name)
    network = getattr(osnet, name)(num_classes=1, pretrained=False)
    try:
        missing, extra = network.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise ModelUnavailable(
            f"{checkpoint.name}: not the weights of {name}: {str(error).splitlines()[0]}"
        ) from error
    lacking = [key for key in missing if not key.startswith("classifier.")]
    if lacking or extra:
        raise ModelUnavailable(
            f"{checkpoint.name}: not the weights of {name}: {[*lacking, *extra][:3]} do not match"
        )
    target = out or folder / f"{name}.onnx"
    _write(torch, network.eval(), target)
    return name, target


def architecture(weights: dict[str, Any], label: str) -> str:
    """The network that the weights' shapes belong to. Raises ModelUnavailable where it is none of
    torchreid's osnet.py.
    """
    first = weights.get("conv1.conv.weight")
    width = int(first.shape[0]) if first is not None and len(first.shape) == 4 else 0
    if width not in _BY_WIDTH:
        raise ModelUnavailable(
            f"{label}: an OSNet checkpoint expected; its weights begin with {list(weights)[:3]}"
        )
    with_instance_norm = any(key.endswith(".IN.weight") for key in weights)
    return "osnet_ibn_x1_0" if width == 64 and with_instance_norm else _BY_WIDTH[width]


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise ModelUnavailable(
            f"exporting a checkpoint needs torch and torchreid: {INSTALL}"
        ) from error
    return torch


def _osnet_module() -> ModuleType:
    spec = importlib.util.find_spec("torchreid")
    for root in (spec.submodule_search_locations or []) if spec else []:
        path = Path(root) / "reid" / "models" / "osnet.py"
        if path.is_file():
            found = importlib.util.spec_from_file_location("encounter_torchreid_osnet", path)
            if found and found.loader:
                module = importlib.util.module_from_spec(found)
                found.loader.exec_module(module)
                return module
    raise ModelUnavailable(f"exporting a checkpoint needs torch and torchreid: {INSTALL}")


def _weights(torch: Any, checkpoint: Path) -> dict[str, Any]:
    """The checkpoint's tensors by name, without the classifier of its training set's people."""
    try:
        stored = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelUnavailable(
            f"{checkpoint.name} cannot be read as weights alone ({why}); save its state_dict in a "
            "file of its own"
        ) from error
    if isinstance(stored, dict) and isinstance(stored.get("state_dict"), dict):
        stored = stored["state_dict"]  # torchreid's training loop saves it beside the optimiser's
    if not isinstance(stored, dict):
        raise ModelUnavailable(
            f"{checkpoint.name}: a dict of weights expected, {type(stored).__name__} found"
        )
    named = {str(key).removeprefix("module."): value for key, value in stored.items()}
    return {key: value for key, value in named.items() if not key.startswith("classifier.")}


def _write(torch: Any, network: Any, target: Path) -> None:
    example = torch.from_numpy(
        np.random.default_rng(0).normal(size=(2, 3, _HEIGHT, _WIDTH)).astype(np.float32)
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".osnet-", suffix=".onnx")
    os.close(handle)
    made = Path(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # the tracer warns of a branch that inference never takes
            free = {"x": {0: "n"}, "y": {0: "n"}}
            options = {
                "input_names": ["x"],
                "output_names": ["y"],
                "dynamic_axes": free,
                "opset_version": 13,
            }
            torch.onnx.export(
                network, (example,), str(made), dynamo=False, **options
            )  # dynamo would need onnxscript
        with torch.no_grad():
            _compare(made, example.numpy(), network(example).numpy())
        made.chmod(0o644)
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)


def _compare(path: Path, batch: Any, expected: Any) -> None:
    from models.runtime import Session

    found = Session(path, "onnxruntime", 1).run(batch)[0]
    cosine = (
        (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    )
    if not (cosine >= _LEAST_COSINE).all():
        raise ModelUnavailable(
            f"the exported network differs from torch's (cosine {cosine.min():.6f}): not written"
        )
