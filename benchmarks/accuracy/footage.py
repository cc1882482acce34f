"""Frames of a synthetic site with their true boxes, for the accuracy benchmarks of the models.

A site folder has `footage/<camera>/<day>/<hour>/<MM.SS>.mp4` and `truth/boxes.csv`
(demo/truth/README.md describes it).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import av
import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Frame:
    """One frame, BGR, with the rows of boxes.csv that belong to it."""

    camera: str
    t_utc: pd.Timestamp
    image: NDArray[np.uint8]
    truth: pd.DataFrame


def frames(site: Path, every: int = 5) -> Iterator[Frame]:
    """Every n-th frame of every readable segment, in order of camera and time."""
    truth = pd.read_csv(site / "truth" / "boxes.csv", parse_dates=["t_utc"])
    groups = {key: rows for key, rows in truth.groupby(["camera", "t_utc"])}
    for path in sorted((site / "footage").rglob("*.mp4")):
        camera, day, hour = path.parts[-4:-1]
        start = pd.Timestamp(f"{day}T{hour}:{path.stem.replace('.', ':')}", tz="UTC")
        try:
            with av.open(str(path)) as container:
                for i, frame in enumerate(container.decode(video=0)):
                    if i % every:
                        continue
                    t = start + timedelta(seconds=round(float(frame.time), 3))
                    rows = groups.get((camera, t), truth.iloc[:0])
                    image = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
                    yield Frame(camera, t, image, rows)
        except av.error.InvalidDataError:
            continue  # some sites have a damaged segment on purpose
