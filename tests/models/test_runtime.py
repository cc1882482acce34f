"""Sessions: both CPU runtimes give the same numbers, and a bad file is one clear error."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

from data_contracts.errors import ModelUnavailable
from models.convert.graph import GraphWriter
from models.runtime import Probe, Session, session


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """(n, 3, h, w) -> 2 x + 1 after a ReLU, and the mean of each channel."""
    out = GraphWriter()
    positive = out.emit("Relu", ["x"])
    doubled = out.emit("Mul", [positive, out.constant(np.float32(2))])
    out.emit("Add", [doubled, out.constant(np.float32(1))], out="y")
    out.emit("GlobalAveragePool", [positive], out="mean")
    path = tmp_path / "small.onnx"
    path.write_bytes(
        out.finish({"x": ["n", 3, "h", "w"]}, ["y", "mean"], "small").SerializeToString()
    )
    return path


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_outputs_in_order_for_any_batch_and_size(network: Path, runtime: str) -> None:
    """Batches of 1 and 3 and a second size give the sums worked out by numpy, in the file's order
    of outputs.
    """
    it = session(network, runtime)
    for shape in ((1, 3, 4, 6), (3, 3, 4, 6), (1, 3, 8, 2)):
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        y, mean = it.run(x)
        assert y == pytest.approx(2 * np.maximum(x, 0) + 1, abs=0.02)
        assert mean[..., 0, 0] == pytest.approx(np.maximum(x, 0).mean((2, 3)), abs=0.01)


def test_auto_settles_on_a_runtime_that_agrees(network: Path) -> None:
    """`auto` measures and returns a working session; a session is made once."""
    probe = Probe((1, 3, 64, 64), 127.0, 58.0, 0.1)
    it = session(network, "auto", 1, probe)
    assert it.runtime in ("onnxruntime", "openvino")
    assert session(network, "auto", 1, probe) is it


def test_auto_refuses_a_runtime_that_differs(network: Path) -> None:
    """With no tolerance at all, only the reference runtime is left unless the two agree bit by
    bit.
    """
    probe = Probe((1, 3, 64, 64), 127.0, 58.0, -1.0)
    assert session(network, "auto", 1, probe).runtime == "onnxruntime"


def test_missing_and_damaged_files_say_what_to_do(tmp_path: Path) -> None:
    """Both end in ModelUnavailable with the command to run."""
    with pytest.raises(ModelUnavailable, match="models pull"):
        session(tmp_path / "none.onnx", "onnxruntime")
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelUnavailable, match="pull it again"):
        session(tmp_path / "bad.onnx", "onnxruntime")


def test_cuda_without_cuda_is_explained(network: Path) -> None:
    """Asking for CUDA where there is none names the package that is missing."""
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has CUDA")
    with pytest.raises(ModelUnavailable, match="onnxruntime-gpu"):
        session(network, "onnxruntime-cuda")


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_nothing_of_a_call_stays_in_the_runtime(network: Path, runtime: str) -> None:
    """After a call the runtime's own tensors hold neither picture nor answer, and nothing holds on
    to ours.
    """
    it = session(network, runtime)
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 6)).astype(np.float32) + 5
    answers = it.run(x)
    alive = [
        weakref.ref(x),
        *(weakref.ref(a.base if isinstance(a.base, np.ndarray) else a) for a in answers),
    ]
    for tensor in own_tensors(it):
        assert not tensor.any(), "the runtime kept what it was given or what it answered"
    del x, answers
    gc.collect()
    assert [ref() is None for ref in alive] == [True] * 3


def own_tensors(it: Session) -> list[np.ndarray]:
    """Every tensor that a session's requests hold; ONNX Runtime has none between calls."""
    requests = [entry[0] for entry in getattr(it._engine, "_compiled", {}).values()]
    assert requests or it.runtime == "onnxruntime"
    return [
        t.data for request in requests for t in (*request.input_tensors, *request.output_tensors)
    ]


def test_openvinos_own_file_runs_there_and_nowhere_else(network: Path, tmp_path: Path) -> None:
    """`auto` does not try ONNX Runtime on a file that it cannot read, and being asked to is
    answered in one line.
    """
    import openvino as ov

    path = tmp_path / "small.xml"
    ov.save_model(ov.Core().read_model(network), path)
    it = session(path, "auto", 1, Probe((1, 3, 64, 64), 127.0, 58.0, 0.1))
    assert it.runtime == "openvino"
    assert it.run(np.ones((1, 3, 4, 6), np.float32))[0] == pytest.approx(
        np.full((1, 3, 4, 6), 3.0), abs=0.02
    )
    with pytest.raises(ModelUnavailable, match="file for OpenVINO"):
        session(path, "onnxruntime")
