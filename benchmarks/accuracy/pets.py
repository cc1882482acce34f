"""Detection, tracking and distance on PETS09-S2L1 (real CCTV with truth), through the pipeline's own tasks.

    python -m benchmarks.accuracy.pets FOLDER --json out.json

All 795 frames, at the footage's 7 a second. The folder is described in `benchmarks/accuracy/pets_data.py`: the video is in
Debian's package opencv-doc and in OpenCV's samples (samples/data/vtest.avi), truth and calibration in OpenTraj
(github.com/crowdbotp/OpenTraj, datasets/PETS-2009/data). docs/accuracy.md explains the figures.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.accuracy import following, pets_data
from data_contracts.camera import Origin, Site


def main() -> None:
    """Print a table for each stage; write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with vtest.avi, data/annotations/ and data/calibration/")
    following.add_options(parser)
    given = parser.parse_args()
    site = Site(cameras=(pets_data.read_camera(given.folder),), origin=Origin(lon=0, lat=0))
    truth = pets_data.read_truth(given.folder)
    found, cost = following.detections(given, site, lambda: _frames(given.folder))
    following.report({"detecting": cost, **following.measure(found, site, truth)}, given.json)


def _frames(folder: Path) -> following.Frames:
    for t_utc, image in pets_data.frames(folder):
        yield pets_data.CAMERA, t_utc, image


if __name__ == "__main__":
    main()
