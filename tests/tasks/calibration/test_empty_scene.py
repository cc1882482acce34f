"""The still that cameras are calibrated in shows the empty scene and nobody, or is not shown."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from scene import CAMERA, STRANGER, T0, empty_room, head_of, with_person

from tasks.calibration.empty_scene import GREY, LEAST_SPAN_S, empty_scene
from tasks.footage.video import write_clip
from tasks.redaction.redact import Detectors, RedactSettings
from tasks.redaction.render import Segment

NOBODY = (np.zeros((0, 4)), np.zeros(0))
FOUND = (STRANGER[None], np.array([0.9]))
WALL = (slice(20, 340), slice(20, 220))


def recordings(present: list[bool]) -> list[Segment]:
    """A second of film each, spread over the least time; the stranger is in some of them."""
    step_s = LEAST_SPAN_S / (len(present) - 1)
    out = []
    for i, there in enumerate(present):
        frames = [empty_room(10 * i + k) for k in range(5)]
        film = [with_person(f, STRANGER) for f in frames] if there else frames
        out.append(Segment(T0 + timedelta(seconds=step_s * i), write_clip(film, 5)))
    return out


def off(image) -> float:
    """How far the stranger's place is from the empty room, grey levels."""
    where = head_of(STRANGER)
    return float(np.abs(image[where].astype(int) - empty_room(99)[where]).mean())


def looks(found: bool) -> Detectors:
    """A detector that finds the stranger wherever they stand, or nobody anywhere."""

    def people(images):
        return [FOUND if found and off(im) > 10 else NOBODY for im in images]

    return Detectors(people=people)


def test_the_empty_scene_is_shown() -> None:
    """Somebody who passes through one recording leaves no trace; the rest is there to click on."""
    still = empty_scene(CAMERA, recordings([i == 2 for i in range(6)]), looks(True), _settings())
    assert still is not None
    assert np.abs(still[WALL].astype(int) - empty_room(99)[WALL]).mean() < 4
    assert off(still) < 6


def test_who_never_leaves_is_grey() -> None:
    """Somebody who stands there in every recording is one flat grey, the rest is shown."""
    still = empty_scene(CAMERA, recordings([True] * 6), looks(True), _settings())
    assert still is not None
    assert (still[head_of(STRANGER)] == GREY).all()
    assert (still[WALL] != GREY).any(axis=2).mean() > 0.9


def test_who_is_found_in_the_median_alone_is_grey() -> None:
    """A detector that sees somebody only in the finished median still keeps them out of it."""
    calls = []

    def people(images):
        calls.append(len(images))
        return [FOUND if len(calls) > 1 else NOBODY for _ in images]

    still = empty_scene(CAMERA, recordings([True] * 6), Detectors(people=people), _settings())
    assert still is not None
    assert (still[head_of(STRANGER)] == GREY).all()


def test_too_short_a_time_shows_nothing() -> None:
    """Who stands still for a minute would be in the median: no still from less than the least
    time.
    """
    whole = recordings([False] * 6)
    short = [s._replace(start_utc=T0 + timedelta(seconds=9 * i)) for i, s in enumerate(whole)]
    assert empty_scene(CAMERA, short, looks(True), _settings()) is None
    assert empty_scene(CAMERA, [], looks(True), _settings()) is None


def test_a_still_that_is_mostly_grey_is_not_shown() -> None:
    """Where most of the picture is never seen free there is nothing to click on."""
    crowd = (np.array([[0.0, 0.0, 600.0, 360.0]]), np.array([0.9]))
    detectors = Detectors(people=lambda images: [crowd for _ in images])
    assert empty_scene(CAMERA, recordings([True] * 6), detectors, _settings()) is None


def _settings() -> RedactSettings:
    return RedactSettings(person_score=0.15, sure_score=0.4, face_score=0.3)
