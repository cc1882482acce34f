"""What an appearance model's cosines mean: by the manifest for the weights that were measured, by a
file beside the network for all others, and by nothing else.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_networks import osnet_network, write

from data_contracts.errors import ModelUnavailable
from models.files.manifest import read_manifest
from models.files.pull import pull
from models.registry import Models, load, load_appearance
from models.score_calibration import BodyCalibration
from models.settings import ModelSettings

OWN = BodyCalibration(slope=4.0, offset=-5.0, bound=2.0, data="drawn")
MEASURED = "osnet_x0_25_msmt17.onnx"
OTHER = "osnet_x0_25.onnx"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A models' folder with the defaults."""
    for row in pull():
        if row.path.suffix == ".onnx":
            (tmp_path / row.path.name).symlink_to(row.path)
    return tmp_path


def loaded(folder: Path, network: str) -> Models:
    """The models of a user who brought a network under this name."""
    write(osnet_network(), folder / "packs" / network)
    return load(settings(folder))


def settings(folder: Path) -> ModelSettings:
    """Settings that name OSNet."""
    return ModelSettings(
        dir=folder, runtime="onnxruntime", appearance="osnet-x0-25", accept_noncommercial=True
    )


def test_the_measured_weights_have_the_manifests(folder: Path) -> None:
    """The file of the name that was measured; bodies are described by the network."""
    models = loaded(folder, MEASURED)
    assert models.body_calibration == read_manifest().entry("osnet-x0-25").body_calibration
    assert models.appearance is not None
    assert models.appearance.embed([np.full((90, 30, 3), 80, np.uint8)]).shape == (1, 48)


def test_other_weights_need_a_file_beside_them(folder: Path) -> None:
    """Without one they are refused with what to do; to measure one they can be loaded alone."""
    with pytest.raises(ModelUnavailable, match=r"osnet_x0_25\.calibration\.json.*benchmarks"):
        loaded(folder, OTHER)
    assert load_appearance(settings(folder)).embed([]).shape[0] == 0
    beside = folder / "packs" / "osnet_x0_25.calibration.json"
    beside.write_text(OWN.model_dump_json())
    models = loaded(folder, OTHER)
    assert models.body_calibration == OWN
    assert models.digests["osnet-x0-25 osnet_x0_25.calibration.json"]


@pytest.mark.parametrize("text", ["", "{}", '{"slope": -1, "offset": 0, "bound": 3, "data": ""}'])
def test_a_file_that_is_not_one_is_refused(folder: Path, text: str) -> None:
    """Whatever is wrong with it, it is not passed over."""
    (folder / "packs").mkdir()
    (folder / "packs" / "osnet_x0_25.calibration.json").write_text(text)
    with pytest.raises(ModelUnavailable, match=r"osnet_x0_25\.calibration\.json"):
        loaded(folder, OTHER)


def test_a_ratio_grows_and_is_bounded() -> None:
    """By hand: slope times -log(1 - cosine), plus the offset."""
    cosine = np.array([-1.0, 0.0, 0.75, 1.0])
    expected = [-2.0, -2.0, 4.0 * np.log(4.0) - 5.0, 2.0]
    assert OWN.log_ratio(cosine).tolist() == pytest.approx(expected)
