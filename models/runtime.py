"""One ONNX file on one runtime: ONNX Runtime (CPU or CUDA) or OpenVINO (CPU).

Workers run one process a core, so the default is one thread and no spinning. Sessions are made once
a process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import ModelUnavailable
from models.runtime_choice import chosen_once
from models.settings import RuntimeName

Array = NDArray[Any]

# Suffix of OpenVINO's own files, whose weights lie beside them in a `.bin`; no other runtime reads
# them.
OPENVINO_FILE = ".xml"
# `auto` takes OpenVINO where it is at least this much faster: below it, a second runtime's memory
# buys nothing.
_WORTH_IT = 0.85
# See `Probe`. A detector may round: boxes move by less than a pixel. An embedder may not: a case's
# template and faces are described on different machines, and their similarity must not depend on
# which.
DETECTOR_TOLERANCE = 0.1
EMBEDDER_TOLERANCE = 0.02
# Pictures in one call of an embedder: 16 of 224 x 224 are 10 MB; more are not faster on a CPU.
_AT_ONCE = 16


@dataclass(frozen=True)
class Probe:
    """What `auto` measures with: a picture of smooth random colours, normalised as the model wants
    it.

    `tolerance`: greatest root-mean-square difference between runtimes, as a share of the output's
    own. OpenVINO computes in bfloat16 where the processor can: NanoDet then differs by 0.02,
    CenterFace and FaceRes by 0.06.
    """

    shape: tuple[int, ...]
    mean: float
    std: float
    tolerance: float

    def batch(self) -> NDArray[np.float32]:
        """The picture in the model's layout."""
        planes_first = self.shape[1] == 3
        height, width = self.shape[2:] if planes_first else self.shape[1:3]
        coarse = np.random.default_rng(0).uniform(
            0, 255, (max(2, height // 32), max(2, width // 32), 3)
        )
        picture = cv2.resize(
            coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
        batch = ((picture - self.mean) / self.std).astype(np.float32)
        return np.ascontiguousarray((batch.transpose(2, 0, 1) if planes_first else batch)[None])


class Session:
    """Runs a model. `run(x)` takes a float32 batch and returns the outputs in the file's order.

    OpenVINO compiles once for each input shape, with batch 1, so callers keep to few shapes; ONNX
    Runtime takes the batch as it is if the file's batch is free, else one by one. Neither picture
    nor answer stays in the runtime's buffers: what was seen of a bystander is gone when the call
    returns (ONNX Runtime keeps none; OpenVINO's are overwritten).
    """

    def __init__(self, path: Path, runtime: RuntimeName, threads: int) -> None:
        self.path = path
        self.runtime = runtime
        self._engine: _Ort | _OpenVino
        if runtime == "openvino":
            self._engine = _OpenVino(path, threads)
        else:
            self._engine = _Ort(path, threads, cuda=runtime == "onnxruntime-cuda")

    @property
    def described(self) -> str:
        """The runtime and the precision it computes in: both tell on the last digits."""
        return f"{self.runtime} {self._engine.precision}"

    def run_all(
        self, items: Sequence[Any], prepare: Callable[[Any], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """First output for at least one item, prepared and run a few at a time, so that memory
        stays small.
        """
        parts = []
        for at in range(0, len(items), _AT_ONCE):
            batch = np.stack([prepare(item) for item in items[at : at + _AT_ONCE]])
            parts.append(np.asarray(self.run(batch)[0], np.float32))
        return np.concatenate(parts)

    def run(self, batch: NDArray[np.float32]) -> list[Array]:
        """Outputs for a batch of at least one."""
        if len(batch) == 1 or self._engine.batches:
            return self._engine.run(batch)
        parts = [self._engine.run(batch[i : i + 1]) for i in range(len(batch))]
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


def ort_session(path: Path, threads: int, cuda: bool) -> Any:
    """An ONNX Runtime session without spinning. Raises ModelUnavailable where CUDA is asked for and
    not there.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(path), options, providers=ort_providers(cuda))


def ort_providers(cuda: bool) -> list[str]:
    """What ONNX Runtime may run on. Raises ModelUnavailable where CUDA is asked for and not
    there.
    """
    import onnxruntime as ort

    if not cuda:
        return ["CPUExecutionProvider"]
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        raise ModelUnavailable(
            "runtime onnxruntime-cuda needs the package onnxruntime-gpu and a CUDA device"
        )
    return ["CUDAExecutionProvider", "CPUExecutionProvider"]


class _Ort:
    precision = "f32"

    def __init__(self, path: Path, threads: int, cuda: bool) -> None:
        self._session = ort_session(path, threads, cuda)
        first = self._session.get_inputs()[0]
        self._input = first.name
        self.batches = not isinstance(first.shape[0], int)

    def run(self, batch: NDArray[np.float32]) -> list[Array]:
        return list(self._session.run(None, {self._input: batch}))


class _OpenVino:
    batches = False

    def __init__(self, path: Path, threads: int) -> None:
        os.environ.setdefault("OPENVINO_TELEMETRY_DISABLE", "1")
        import openvino as ov

        self._core = ov.Core()
        self._tensor = ov.Tensor
        self._path, self._compiled = path, {}  # type: tuple[Path, dict[tuple[int, ...], Any]]
        self._config = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
        }
        self._core.read_model(path)  # fail at load, not at the first frame
        # bfloat16 where the processor can.
        hint = self._core.get_property("CPU", "INFERENCE_PRECISION_HINT")
        self.precision = str(hint.get_type_name())

    def run(self, batch: NDArray[np.float32]) -> list[Array]:
        request = self._compiled.get(batch.shape)
        if request is None:
            model = self._core.read_model(self._path)
            model.reshape({model.inputs[0]: list(batch.shape)})
            compiled = self._core.compile_model(model, "CPU", self._config)
            blank = self._tensor(np.zeros_like(batch))
            request = self._compiled[batch.shape] = (
                compiled.create_infer_request(),
                compiled,
                blank,
            )
        infer, compiled, blank = request
        # The tensor shares this array's memory and does not keep it: it must live until the answer
        # is there.
        held = np.ascontiguousarray(batch)
        infer.set_input_tensor(self._tensor(held, shared_memory=True))
        try:
            infer.infer()
            return [np.array(tensor.data) for tensor in infer.output_tensors]
        finally:
            _forget(infer, blank)
            compiled.release_memory()


def _forget(infer: Any, blank: Any) -> None:
    """Take picture and answer out of a request, which would keep the last of each until the next
    call: see `Session`.
    """
    infer.set_input_tensor(blank)
    for tensor in infer.output_tensors:
        tensor.data[...] = 0


@lru_cache(maxsize=32)
def session(
    path: Path, runtime: RuntimeName = "auto", threads: int = 1, probe: Probe | None = None
) -> Session:
    """The process's session for a file. `auto` measures both CPU runtimes with `probe` and keeps
    the better one.

    Raises ModelUnavailable when the file is missing or no runtime can load it.
    """
    if not path.is_file():
        raise ModelUnavailable(f"{path.name} is not in {path.parent}: run `encounter models pull`")
    if path.suffix == OPENVINO_FILE:
        if runtime not in ("auto", "openvino"):
            raise ModelUnavailable(
                f"{path.name} is a file for OpenVINO: set models.runtime to auto or openvino"
            )
        runtime = "openvino"
    try:
        if runtime != "auto":
            return Session(path, runtime, threads)
        return Session(path, _chosen(path, threads, probe), threads)
    except ModelUnavailable:
        raise
    except Exception as error:
        raise ModelUnavailable(
            f"{path.name} cannot be loaded by {runtime}: {error}; pull it again"
        ) from error


def _chosen(path: Path, threads: int, probe: Probe | None) -> RuntimeName:
    """What `auto` stands for: measured once on this machine."""
    if probe is None:
        return "onnxruntime"
    name = chosen_once(path, f"{threads} {probe}", lambda: _faster(path, threads, probe))
    return "openvino" if name == "openvino" else "onnxruntime"


def _faster(path: Path, threads: int, probe: Probe) -> str:
    reference = Session(path, "onnxruntime", threads)
    other = Session(path, "openvino", threads)
    batch = probe.batch()
    if not _agree(reference.run(batch), other.run(batch), probe.tolerance):
        return "onnxruntime"
    own, others = _seconds((reference, other), batch)
    return "openvino" if others < _WORTH_IT * own else "onnxruntime"


def _seconds(candidates: Sequence[Session], probe: NDArray[np.float32]) -> list[float]:
    """CPU time of one run of each, the best of five: on a busy machine the clock on the wall would
    pick by chance.
    """
    best = [float("inf")] * len(candidates)
    for turn in range(6):
        for i, candidate in enumerate(candidates):
            start = time.process_time()
            candidate.run(probe)
            # The first run of a session also prepares it.
            best[i] = min(best[i], time.process_time() - start) if turn else best[i]
    return best


def _agree(expected: list[Array], found: list[Array], tolerance: float) -> bool:
    pairs = zip(expected, found, strict=True)
    return all(
        float(np.linalg.norm(a - b)) <= tolerance * float(np.linalg.norm(a)) for a, b in pairs
    )
