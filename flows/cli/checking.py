"""`encounter camera check` with footage: how tall the people who walk in it appear."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_contracts.camera import Camera
from data_contracts.tables.contracts import DETECTIONS
from data_contracts.time import CLOCK_HZ
from flows.cli.console import counted, read_file, say
from infra.settings import load_settings
from models.interface import PersonDetector
from models.registry import detector_scores, load_person
from tasks.calibration.check import HeightCheck, check_heights, walkers
from tasks.footage.reading import frames
from tasks.footage.segment import fitted
from tasks.observe.follow import detect_people
from tasks.people.track import TrackSettings

# Decoded frames need a time; that of a file outside the store does not matter.
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
# Files apart in time, so that nobody is followed from one to the next.
_FILES_APART = timedelta(days=1)
_CHECK_FPS = CLOCK_HZ


def check_footage(footage: list[Path], camera: Camera, person_height: float | None) -> HeightCheck:
    """Heights of the people who walk in recordings of one camera; says them, returns them."""
    chosen = load_settings().models
    detector = load_person(chosen)
    tables = [
        _people_in(path, camera, detector, EPOCH + i * _FILES_APART)
        for i, path in enumerate(footage)
    ]
    settings = TrackSettings.of(detector_scores(chosen)[0])
    seen = walkers(pd.concat(tables, ignore_index=True), camera, settings)
    found = check_heights(seen, camera, person_height)
    say(
        f"people appear {found.height_m:.2f} m tall (± {found.height_sd_m:.2f} m; {found.tracks} "
        "tracks)"
    )
    for what, change, sd in (
        ("far", found.far_m, found.far_sd_m),
        ("on the right", found.right_m, found.right_sd_m),
    ):
        opposite = {"far": "near", "on the right": "on the left"}[what]
        if np.isnan(change):
            say(f"{what} and {opposite}: nobody walked there, so it cannot be compared")
        else:
            say(f"{what} {change:+.2f} m (± {sd:.2f} m) against {opposite}")
    return found


def _people_in(
    path: Path, camera: Camera, detector: PersonDetector, start: datetime
) -> pd.DataFrame:
    """DETECTIONS of a recording, without faces and positions."""
    data = read_file(path)
    rows: list[dict[str, Any]] = []
    for frame in counted(frames(data, start, _CHECK_FPS), path.name):
        image = fitted(frame.image, camera, frame.pixel_aspect)
        rows += detect_people(camera, frame.t_utc, image, detector, None)
    return DETECTIONS.shape(rows)
