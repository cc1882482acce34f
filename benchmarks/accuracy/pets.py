"""Detection, tracking and distance on PETS09-S2L1 (real CCTV with truth), through the pipeline's
own tasks.

    python -m benchmarks.accuracy.pets FOLDER --json out.json

All 795 frames, at the footage's 7 a second. "detector" is what the person detector answers, also on
every fifth frame, the sample on which models were first compared, and in the part of the floor on
which publications judge the set; "detection" is one box a person, which is what is tracked. The
folder is described in `benchmarks/accuracy/pets_data.py`: the video is in Debian's package
opencv-doc and in OpenCV's samples (samples/data/vtest.avi), truth and calibration in OpenTraj
(github.com/crowdbotp/OpenTraj, datasets/PETS-2009/data). docs/accuracy.md explains the figures.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from benchmarks.accuracy import following, pets_data
from benchmarks.accuracy.detection import detection_figures, second_boxes
from data_contracts.camera import Origin, Site
from tasks.people.track import TrackSettings
from tasks.redaction.redact import RedactSettings


def main() -> None:
    """Print a table for each stage; write the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", type=Path, help="folder with vtest.avi, data/annotations/ and data/calibration/"
    )
    following.add_options(parser)
    given = parser.parse_args()
    site = Site(cameras=(pets_data.read_camera(given.folder),), origin=Origin(lon=0, lat=0))
    truth = pets_data.read_truth(given.folder)
    looked = following.detections(given, site, lambda: _frames(given.folder))
    detector = _detector(given.folder, looked, truth) if looked.cost else {}
    measured = following.measure(looked.found, site, truth)
    following.report({"detecting": looked.cost, "detector": detector, **measured}, given.json)


def _detector(folder: Path, looked: following.Looked, truth: pd.DataFrame) -> dict[str, float]:
    """Average precision of the detector's boxes: on all frames, on every fifth, on all where the
    set is judged in publications; second boxes that are sure to redaction.
    """
    sampled = [pets_data.time_of(frame) for frame in range(0, looked.cost["frames"], 5)]
    sure = TrackSettings().high_score
    some, true = (table[table["t_utc"].isin(sampled)] for table in (looked.answers, truth))
    # Somebody who stands just outside is nobody to miss, and a box on them no false one.
    found = looked.answers[pets_data.in_tracking_area(folder, looked.answers)]
    inside = truth.assign(ignore=~pets_data.in_tracking_area(folder, truth))
    return {
        "ap": detection_figures(looked.answers, truth, sure)["ap"],
        "ap_every_fifth": detection_figures(some, true, sure)["ap"],
        "ap_in_tracking_area": detection_figures(found, inside, sure)["ap"],
        **second_boxes(looked.answers, truth, RedactSettings().sure_score),
    }


def _frames(folder: Path) -> following.Frames:
    for t_utc, image in pets_data.frames(folder):
        yield pets_data.CAMERA, t_utc, image


if __name__ == "__main__":
    main()
