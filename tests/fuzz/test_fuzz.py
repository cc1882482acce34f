"""A short fuzzing of everything that comes from outside; `python -m tests.fuzz.campaign` does more
of the same.

The inputs are drawn from a fixed number, so a failure here is a failure everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from subject_case import subject_case

from data_contracts.camera import read_site_file
from data_contracts.policy import SearchSettings
from models.interface import Boxes
from models.registry import Models, load
from tasks.footage.segment import SegmentInput
from tasks.observe.follow import follow_segment
from tasks.observe.match import SubjectSearch
from tests.fuzz.tally import TRIED, try_inputs, try_videos
from tests.fuzz.targets import TARGETS, Target
from tests.fuzz.video import DEMO, START, Sandbox, boxes, clip, hostile
from tests.tasks.observe.test_template import made_of

EXAMPLES = 200
VIDEOS = 150
# Slow ones, so that the whole takes less than 40 s.
FEWER = {"segment names": 60}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One process that decodes."""
    box = Sandbox()
    yield box
    box.close()


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_no_input_crashes_hangs_or_is_lost(target: Target) -> None:
    """Every input ends as a right answer or as one clear line; what else a check found is told with
    the input.
    """
    try_inputs(target, FEWER.get(target.name, EXAMPLES), start=1)


def test_mutated_videos(sandbox: Sandbox) -> None:
    """Headers with wrong numbers, changed media, parts missing: all pictures, or a fault; no crash
    of the native code.
    """
    try_videos(sandbox, VIDEOS, start=1)


# Lies that a decoder may overlook without losing a picture; every other file's fault must be told.
HARMLESS = {
    "an hour claimed": 12,
    "a century claimed": 12,
    "65535 x 65535 in the sample entry": 12,
    "65535 x 65535 in the track": 12,
    "cut by a byte": 150,
    "twice": 12,
}


def test_hostile_videos(sandbox: Sandbox) -> None:
    """Each lie is found out, or changes nothing: then every picture is there."""
    ended = TRIED.setdefault("hostile video files", Counter())
    for name, data in hostile().items():
        verdict = sandbox.judge(data)
        ended[verdict.ended] += 1
        assert (
            verdict == ("right", HARMLESS[name]) if name in HARMLESS else verdict.ended == "refused"
        ), (name, verdict)
    assert sandbox.judge(clip()) == ("right", 12)


def test_blanked_media_is_told(sandbox: Sandbox) -> None:
    """Whatever stretch of the pictures' bytes is blanked, pictures that are missing are told of."""
    ended = TRIED.setdefault("blanked video files", Counter())
    (media,) = [(body, end) for kind, body, end in boxes(clip()) if kind == b"mdat"]
    length = (media[1] - media[0]) // 8
    for at in range(media[0], media[1] - length, length // 2):
        verdict = sandbox.judge(clip()[:at] + bytes(length) + clip()[at + length :])
        ended[verdict.ended] += 1
        assert verdict.pictures == 12 or verdict.ended == "refused", (at, verdict)


class NoOne:
    """A person detector that sees no one: what is tested is what becomes of the file."""

    def detect(self, images):
        """No boxes."""
        return [Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32)) for _ in images]


def test_a_hostile_segment_becomes_a_row_of_the_report() -> None:
    """The stage that reads segments raises nothing: the report's fault says what was wrong, or all
    frames were seen.
    """
    real = load()
    template = made_of(np.eye(1024)[0])
    models = Models(NoOne(), real.face, real.embedder, real.mask, real.calibration)
    camera = read_site_file(DEMO.parent / "cameras.geojson").by_id["entrance"]
    small = camera.model_copy(update={"image_width": 214, "image_height": 120})
    ended = TRIED.setdefault("segments followed", Counter())
    for name, data in hostile().items():
        if len(data) > 200_000:
            continue  # the demo's segment, of the full size; decoded above
        search = SubjectSearch(subject_case(), template, models, SearchSettings())
        _, report = follow_segment(SegmentInput(small, "k", START, data), search)
        fault = str(report["fault"].iloc[0])
        seen = int(report["n_frames"].iloc[0])
        ended["refused" if fault else "right"] += 1
        assert fault or seen == HARMLESS[name], name
