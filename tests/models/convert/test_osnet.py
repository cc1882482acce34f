"""torchreid checkpoints: exported where torch is there, and a clear line where it is not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from data_contracts.errors import ModelUnavailable
from models.convert.osnet import architecture, export_osnet
from models.files.manifest import read_manifest
from models.files.pack_files import find_single
from models.networks.osnet import OsNet
from models.runtime import session

ENTRY = read_manifest().entry("osnet-x0-25")
NAMES = {64: "osnet_x1_0", 48: "osnet_x0_75", 32: "osnet_x0_5", 16: "osnet_x0_25"}


def test_without_torch_one_line_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra is not part of the default install: the message is the command to run."""
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "x.pth").write_bytes(b"")
    with pytest.raises(ModelUnavailable, match=r'pip install "torch>=2\.13" torchreid==0\.2\.5$'):
        export_osnet(tmp_path / "x.pth", None, tmp_path)


def test_a_missing_checkpoint_is_named_first(tmp_path: Path) -> None:
    """The command answers a wrong path before anything has to be installed."""
    from flows.cli.main import app

    done = CliRunner().invoke(app, ["models", "export-osnet", str(tmp_path / "none.pth")])
    assert isinstance(done.exception, ModelUnavailable)
    assert "none.pth is not a file" in str(done.exception)


def test_without_the_file_the_command_is_named(tmp_path: Path) -> None:
    """Naming the model before exporting one says which command makes it, and under which
    licence.
    """
    with pytest.raises(ModelUnavailable, match=r"export-osnet CHECKPOINT.*research only"):
        find_single(tmp_path, ENTRY.pack, ENTRY.pack_advice)


@pytest.mark.parametrize("width", sorted(NAMES))
def test_the_width_is_read_from_the_weights(width: int) -> None:
    """All of torchreid's widths are known by their first convolution, and where they are put they
    are looked for.
    """
    first = np.zeros((width, 3, 7, 7))
    assert architecture({"conv1.conv.weight": first}, "x.pth") == NAMES[width]
    assert f"{NAMES[width]}.onnx" in ENTRY.pack


def test_other_networks_are_refused() -> None:
    """A ResNet's checkpoint is named as what it is not."""
    with pytest.raises(ModelUnavailable, match=r"r50\.pth: an OSNet checkpoint expected.*layer1"):
        architecture({"layer1.0.weight": np.zeros((64, 64, 3, 3))}, "r50.pth")


class TestWithTorch:
    """Exports for real, with random weights."""

    @pytest.fixture
    def torch(self) -> Any:
        """torch with torchreid's network."""
        from importlib.util import find_spec

        if find_spec("torchreid") is None:
            pytest.skip("torchreid is not installed: an extra, see docs/models/osnet-x0-25.md")
        return pytest.importorskip(
            "torch", reason="torch is not installed: an extra, see docs/models/osnet-x0-25.md"
        )

    @pytest.fixture
    def network(self, torch: Any) -> Any:
        """A small OSNet of random weights."""
        from models.convert.osnet import _osnet_module

        torch.manual_seed(0)
        return _osnet_module().osnet_x0_25(num_classes=7, pretrained=False).eval()

    def test_the_file_answers_as_the_network(
        self, torch: Any, network: Any, tmp_path: Path
    ) -> None:
        """A training checkpoint (state_dict beside others, from DataParallel) becomes the file that
        is looked for.
        """
        stored = {
            "epoch": 3,
            "state_dict": {f"module.{k}": v for k, v in network.state_dict().items()},
        }
        torch.save(stored, tmp_path / "model.pth.tar")
        name, path = export_osnet(tmp_path / "model.pth.tar", None, tmp_path / "packs")
        assert (name, path) == ("osnet_x0_25", find_single(tmp_path / "packs", ENTRY.pack, "").path)
        crop = np.random.default_rng(0).integers(0, 255, (256, 128, 3), np.uint8)
        assert ENTRY.input is not None
        found = OsNet(session(path, "onnxruntime"), ENTRY.input).embed([crop])[0]
        batch = (crop[:, :, ::-1] - np.array(ENTRY.input.mean)) / np.array(ENTRY.input.std)
        with torch.no_grad():
            wanted = network(
                torch.from_numpy(batch.transpose(2, 0, 1)[None].astype(np.float32))
            ).numpy()[0]
        assert found @ (wanted / np.linalg.norm(wanted)) == pytest.approx(1, abs=1e-5)

    def test_code_in_a_checkpoint_is_not_run(self, torch: Any, tmp_path: Path) -> None:
        """A pickle that would write a file is refused, the file is not written, and nothing is left
        behind.
        """
        trap = tmp_path / "trap"

        class Evil:
            def __reduce__(self) -> tuple[Any, ...]:
                return (Path.touch, (trap,))

        torch.save({"state_dict": Evil()}, tmp_path / "evil.pth")
        with pytest.raises(ModelUnavailable, match="weights alone"):
            export_osnet(tmp_path / "evil.pth", tmp_path / "out.onnx", tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == ["evil.pth"]

    def test_weights_of_another_shape_are_refused(
        self, torch: Any, network: Any, tmp_path: Path
    ) -> None:
        """A checkpoint that lacks a layer is not exported with that layer's random start."""
        weights = {k: v for k, v in network.state_dict().items() if not k.startswith("fc.")}
        torch.save(weights, tmp_path / "half.pth")
        with pytest.raises(ModelUnavailable, match=r"not the weights of osnet_x0_25.*fc\."):
            export_osnet(tmp_path / "half.pth", tmp_path / "out.onnx", tmp_path)
