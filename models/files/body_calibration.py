"""The file beside an appearance model's network that says what its cosines mean."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from data_contracts.errors import ModelUnavailable
from data_contracts.record import first_fault
from models.score_calibration import BodyCalibration

# osnet_x0_25.onnx: osnet_x0_25.calibration.json
CALIBRATION_SUFFIX = ".calibration.json"


def read_body_calibration(path: Path) -> BodyCalibration:
    """Raises ModelUnavailable where the file is not such a record."""
    try:
        return BodyCalibration.model_validate_json(path.read_bytes())
    except ValidationError as error:
        fault = first_fault(error, "calibration")
    raise ModelUnavailable(
        f"{path.name}: {fault}; `python -m benchmarks.accuracy.looks` writes such a file"
    )
