"""What a camera's own footage tells of the camera: its empty scene, and how tall people appear in
it. Nobody is looked for, no face is compared, and nothing about a person is kept.

The networks and frames take some two gigabytes: a process of its own has them, and ends with them.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.camera import Camera
from data_contracts.clock import true_time
from data_contracts.errors import BadInput, NotFound, ObjectChanged, StackError, VideoUnreadable
from data_contracts.object_key import ListedObject, read_segment
from data_contracts.tables.contracts import DETECTIONS
from data_contracts.time import CLOCK_HZ
from flows.runtime.environment import Environment
from flows.stages.redact import detectors
from infra.footage import Footage
from infra.no_dumps import no_dumps
from models.registry import detector_scores, load, load_person
from models.settings import ModelSettings
from tasks.calibration.check import HeightCheck, check_heights, walkers
from tasks.calibration.empty_scene import empty_scene
from tasks.calibration.footage_people import people_in
from tasks.footage.reading import frames
from tasks.people.track import TrackSettings
from tasks.redaction.redact import RedactSettings
from tasks.redaction.render import Segment

Image = NDArray[np.uint8]
T = TypeVar("T")

# Of the newest days with footage so many recordings, spread evenly: who stands still in one has
# left in another.
DAYS = 3
RECORDINGS = 8
# Some minutes of 4K; what is larger is left out, not read into memory.
LARGEST_BYTES = 256 * 2**20
# Half a minute of walking from each of four recordings.
_WALKED = 4
_WALKED_S = 30
_STILLS_KEPT = 8
# One process at a time, whoever asks.
_ALONE = threading.Lock()


class Stills:
    """The empty scenes of cameras, made once for the same footage and calibrated size."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: OrderedDict[str, tuple[tuple[str, ...], Image | None]] = OrderedDict()

    def of(self, env: Environment, camera: Camera) -> Image | None:
        """The empty scene of a camera: see `tasks.calibration.empty_scene`. None: none can be shown
        safely.
        """
        chosen = _spread(env.footage.newest(camera.camera_id, DAYS), RECORDINGS)
        etags = tuple(item.etag for item in chosen)
        with self._lock:
            known = self._made.get(_view_of(camera))
            if known is not None and known[0] == etags:
                return known[1]
            given = env.footage, env.settings.models, camera, chosen
            still = _aside(make_still, *given) if chosen else None
            self._made[_view_of(camera)] = etags, still
            while len(self._made) > _STILLS_KEPT:
                self._made.popitem(last=False)
            return still

    def made(self, camera: Camera) -> Image | None:
        """The empty scene that was made last, without making one."""
        return self._made.get(_view_of(camera), ((), None))[1]


def _view_of(camera: Camera) -> str:
    return f"{camera.camera_id} {camera.image_width}x{camera.image_height}"


def heights_seen(env: Environment, camera: Camera) -> HeightCheck:
    """How tall the people who walk in a camera's newest footage appear by its calibration. Raises
    BadInput where it is not calibrated or too few people are seen whole.
    """
    chosen = _spread(env.footage.newest(camera.camera_id, DAYS), _WALKED)
    return _aside(check_walkers, env.footage, env.settings.models, camera, chosen)


def _aside(function: Callable[..., T], *given: object) -> T:
    """The function's result, from a process that ends afterwards. Raises what it raises, StackError
    where the process died.
    """
    context = multiprocessing.get_context("spawn")
    with _ALONE, ProcessPoolExecutor(1, context, no_dumps) as pool:
        try:
            return pool.submit(function, *given).result()
        except BrokenProcessPool:
            raise StackError("looking at the footage needs more memory than there is") from None


def make_still(
    footage: Footage, chosen_models: ModelSettings, camera: Camera, items: list[ListedObject]
) -> Image | None:
    """The empty scene from these recordings; see `Stills.of`."""
    settings = RedactSettings.of(*detector_scores(chosen_models))
    segments = [part for item in items if (part := _segment(footage, camera, item))]
    try:
        return empty_scene(camera, segments, detectors(load(chosen_models), settings), settings)
    except VideoUnreadable:  # pictures of another size than the camera's
        return None


def check_walkers(
    footage: Footage, chosen_models: ModelSettings, camera: Camera, items: list[ListedObject]
) -> HeightCheck:
    """Heights in these recordings; see `heights_seen`."""
    detector = load_person(chosen_models)
    tables: list[pd.DataFrame] = []
    for item in items:
        part = _segment(footage, camera, item)
        if part is None:
            continue
        pictures = frames(part.data, part.start_utc, CLOCK_HZ)
        try:
            tables.append(people_in(islice(pictures, int(_WALKED_S * CLOCK_HZ)), camera, detector))
        except VideoUnreadable:
            continue
    if not tables:
        raise BadInput(f"camera {camera.camera_id}: there is no footage to look at")
    seen = DETECTIONS.shape(pd.concat(tables, ignore_index=True))
    person, _ = detector_scores(chosen_models)
    return check_heights(walkers(seen, camera, TrackSettings.of(person)), camera)


def _segment(footage: Footage, camera: Camera, item: ListedObject) -> Segment | None:
    """A recording; None where it went, changed or is too large."""
    name = read_segment(item.key)
    if name is None or item.size > LARGEST_BYTES:
        return None
    try:
        data = footage.read(item.key, item.etag, LARGEST_BYTES)
    except (NotFound, ObjectChanged):
        return None
    return Segment(true_time(camera.clock, name.start_utc), data)


def _spread(items: list[ListedObject], count: int) -> list[ListedObject]:
    """At most `count` of the items, evenly spaced."""
    chosen = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[i] for i in chosen]
