"""Detection, tracking, joining and placing of people, measured stage by stage against a set's
truth.

Everything runs through the pipeline's own tasks, as `follow` does without faces: no one is
recognised. Detections can be kept in a file, so that what comes after them is measured in seconds.
"""

from __future__ import annotations

import json
import os
import platform
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.detection import BOX, detection_figures
from benchmarks.accuracy.ground import ground_figures, reported_figures
from benchmarks.accuracy.tracking import tracking_figures
from data_contracts.camera import Site
from data_contracts.tables.contracts import DETECTIONS
from models.interface import Boxes, PersonDetector
from models.registry import load_person
from models.settings import ModelSettings
from tasks.ground.position import Locator
from tasks.observe.follow import detect_people
from tasks.people.join import join
from tasks.people.piece import base_of
from tasks.people.site_tracks import track_site
from tasks.people.track import TrackSettings

# Camera, UTC time and picture (BGR) of each frame.
Frames = Iterator[tuple[str, datetime, NDArray[np.uint8]]]


def add_options(parser: ArgumentParser) -> None:
    """The options that the commands share."""
    parser.add_argument(
        "--detections",
        type=Path,
        help="read the detections from this Parquet file, or write them there",
    )
    parser.add_argument(
        "--size", help="the person detector's canvas, such as 960x544 (default: the model's)"
    )
    parser.add_argument(
        "--runtime", default="auto", help="auto, openvino, onnxruntime or onnxruntime-cuda"
    )
    parser.add_argument("--json", type=Path, help="write the figures here")


class Looked(NamedTuple):
    """`found`: DETECTIONS of all frames. `cost`: how many were looked at with how much CPU time.
    `answers`: every box that the detector gave, people with two boxes among them. Cost and answers
    are empty where the detections were read from a file.
    """

    found: pd.DataFrame
    cost: dict[str, Any]
    answers: pd.DataFrame


def detections(given: Namespace, site: Site, frames: Callable[[], Frames]) -> Looked:
    """Everyone in all frames, by the detector that is asked for or from the file."""
    if given.detections and given.detections.is_file():
        return Looked(DETECTIONS.shape(pd.read_parquet(given.detections)), {}, DETECTIONS.empty())
    size = tuple(int(v) for v in given.size.split("x")) if given.size else None
    person = _Overheard(load_person(ModelSettings(person_size=size, runtime=given.runtime)))
    cameras = {c.camera_id: (c, None if c.homography is None else Locator(c)) for c in site.cameras}
    rows = []
    answers = []
    spent = 0.0
    n = 0
    for name, t_utc, image in frames():
        began = time.process_time()
        camera, locator = cameras[name]
        rows += detect_people(camera, t_utc, image, person, locator)
        spent = spent + time.process_time() - began
        n = n + 1
        boxes = pd.DataFrame(person.last.xyxy.astype(float), columns=BOX)
        answers.append(
            boxes.assign(score=person.last.score.astype(float), camera_id=name, t_utc=t_utc)
        )
    found = DETECTIONS.shape(rows)
    if given.detections:
        found.to_parquet(given.detections)
    cost = {"frames": n, "cpu_ms_a_frame": 1e3 * spent / max(n, 1)}
    return Looked(found, cost, pd.concat(answers or [DETECTIONS.empty()], ignore_index=True))


class _Overheard:
    """A person detector whose last answer can be asked for."""

    last: Boxes

    def __init__(self, person: PersonDetector) -> None:
        self._person = person

    def detect(self, frames: Sequence[NDArray[np.uint8]]) -> list[Boxes]:
        """As the detector answers."""
        answers = self._person.detect(frames)
        self.last = answers[-1]
        return answers


def measure(found: pd.DataFrame, site: Site, truth: pd.DataFrame) -> dict[str, Any]:
    """Figures of every stage. `truth`: camera_id, t_utc, person, x0..y1, x_m, y_m, ignore.

    `joined` and `reported` are of the persons that all cameras' tracks were joined to; the other
    figures are of one camera at a time, over all of them.
    """
    began = time.process_time()
    tracks = track_site(found, site)
    tracked = time.process_time()
    persons, members = join(tracks, site, np.random.default_rng(0))
    joined = time.process_time()
    pictures = max(len(found[["camera_id", "t_utc"]].drop_duplicates()), 1)
    # A track, and so a person, is another one on each camera; what `join` makes of them is not.
    numbers = base_of(tracks["track_id"].to_numpy()).astype(str)
    each = tracks.assign(who=tracks["camera_id"] + " " + numbers)
    people = truth.assign(person=truth["camera_id"] + " " + truth["person"].astype(str))
    return {
        "machine": machine(),
        "cpu_ms_a_frame": {
            "track": 1e3 * (tracked - began) / pictures,
            "join": 1e3 * (joined - tracked) / pictures,
        },
        "detection": detection_figures(found, people, TrackSettings().high_score),
        "tracking": tracking_figures(each, people),
        "joined": tracking_figures(named(tracks, members), truth),
        "ground": ground_figures(each, people),
        "reported": reported_figures(persons, truth),
    }


def named(tracks: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Tracks with the person that they were joined to in `who`; a track of no person keeps its own
    name.
    """
    keys = ["camera_id", "track_id"]
    merged = tracks.merge(members[[*keys, "person_id"]], on=keys, how="left")
    return merged.assign(
        who=merged["person_id"].fillna(
            "track " + merged["camera_id"] + merged["track_id"].astype(str)
        )
    )


def machine() -> str:
    """Processor, cores and Python of this machine."""
    names = [line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    return (
        f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}"
    )


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.is_file() else []


def report(figures: dict[str, Any], path: Path | None) -> None:
    """Print one table a stage; write the figures as JSON where a path is given."""
    console = Console()
    console.print(figures["machine"])
    for name, part in figures.items():
        if not isinstance(part, dict):
            continue
        table = Table(title=name.replace("_", " "), title_justify="left", show_header=False)
        for key, value in part.items():
            table.add_row(
                key.replace("_", " "), f"{value:.3f}" if isinstance(value, float) else str(value)
            )
        console.print(table)
    if path:
        path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
