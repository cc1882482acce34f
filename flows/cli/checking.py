"""`encounter camera check` with footage: how tall the people who walk in it appear."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from data_contracts.camera import Camera
from data_contracts.time import CLOCK_HZ
from flows.cli.console import counted, read_file, say
from infra.settings import load_settings
from models.registry import detector_scores, load_person
from tasks.calibration.check import HeightCheck, check_heights, walkers
from tasks.calibration.footage_people import people_in
from tasks.footage.reading import Frame, frames
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
        people_in(_frames_of(path, EPOCH + i * _FILES_APART), camera, detector)
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


def _frames_of(path: Path, start: datetime) -> Iterator[Frame]:
    return counted(frames(read_file(path), start, _CHECK_FPS), path.name)
