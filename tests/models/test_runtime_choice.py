"""The choice of a runtime is made once on a machine, and again when what it depends on changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.runtime_choice import chosen_once


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file."""
    path = tmp_path / "nanodet.onnx"
    path.write_bytes(b"weights")
    return path


def test_the_first_choice_holds(model: Path) -> None:
    """Another process that would choose otherwise takes what was chosen."""
    assert chosen_once(model, "1 thread", lambda: "openvino") == "openvino"
    assert chosen_once(model, "1 thread", lambda: "onnxruntime") == "openvino"


def test_other_circumstances_are_another_choice(model: Path) -> None:
    """Another number of threads, or another file of that name."""
    chosen_once(model, "1 thread", lambda: "openvino")
    assert chosen_once(model, "2 threads", lambda: "onnxruntime") == "onnxruntime"
    model.write_bytes(b"other weights")
    assert chosen_once(model, "1 thread", lambda: "onnxruntime") == "onnxruntime"


@pytest.mark.parametrize("content", [b"", b"not JSON", b"[1]", b'{"x": 1}'])
def test_a_damaged_memory_is_written_anew(model: Path, content: bytes) -> None:
    """The choice is made again; what cannot be read never stops a run."""
    memory = model.parent / ".runtimes.json"
    memory.write_bytes(content)
    assert chosen_once(model, "1 thread", lambda: "openvino") == "openvino"
    assert "openvino" in json.loads(memory.read_text()).values()


def test_two_at_once_agree(model: Path) -> None:
    """Who measured longer takes what was written meanwhile."""

    def slow() -> str:
        chosen_once(model, "1 thread", lambda: "openvino")
        return "onnxruntime"

    assert chosen_once(model, "1 thread", slow) == "openvino"
