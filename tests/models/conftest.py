"""The default models from the cache (`make models` fills it), and pictures of the demo."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.files.pull import pull
from models.interface import Image
from models.registry import Models, load
from models.settings import ModelSettings

DEMO = Path(__file__).parents[2] / "demo"


@pytest.fixture(scope="session")
def models() -> Models:
    """The defaults, on ONNX Runtime so that numbers do not depend on the processor."""
    pull()
    return load(ModelSettings(runtime="onnxruntime"))


@pytest.fixture(scope="session")
def portraits() -> list[Image]:
    """Three pictures of one (synthetic) person: frontal, and the head turned 20 degrees either
    way.
    """
    names = ("frontal", "left20", "right20")
    return [np.asarray(cv2.imread(str(DEMO / "reference" / f"{n}.jpg")), np.uint8) for n in names]
