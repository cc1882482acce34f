"""A network reads the batch that it is given and nothing else, whatever its order in memory.

OpenVINO shares the batch's memory and keeps no hold of it: a copy that nobody held was once read
after it was freed, and what came out was the similarity of nobody's face.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from models.files.pull import model_path, pull
from models.settings import DEFAULT_CACHE

SHAPES = {
    "nanodet": (1, 3, 416, 416),
    "centerface": (1, 3, 160, 224),
    "faceres": (1, 224, 224, 3),
    "dlib-resnet": (1, 3, 150, 150),
}
PRINT_DIGESTS = """
import hashlib, sys
import numpy as np
from pathlib import Path
from models.runtime import Probe, Session
path, runtime, shape = Path(sys.argv[1]), sys.argv[2], tuple(int(n) for n in sys.argv[3:])
session, batch = Session(path, runtime, 1), Probe(shape, 110.0, 60.0, 0.0).batch()
for given in (batch, np.asfortranarray(batch), np.repeat(batch, 2, axis=0)[::2]):
    print(hashlib.sha256(b"".join(o.tobytes() for o in session.run(given))).hexdigest())
"""


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", SHAPES)
def test_only_the_batch_is_read(name: str, runtime: str) -> None:
    """Any layout gives the same outputs to the bit, also when glibc overwrites what is freed and
    what is handed out.
    """
    pull([name])
    path = str(model_path(name, DEFAULT_CACHE))
    given = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        PRINT_DIGESTS,
        path,
        runtime,
        *map(str, SHAPES[name]),
    ]
    said: list[str] = []
    for extra in ({}, {"MALLOC_PERTURB_": "128"}):
        said += subprocess.run(
            given, env=os.environ | extra, capture_output=True, text=True, check=True
        ).stdout.split()
    assert len(said) == 6
    assert len(set(said)) == 1
