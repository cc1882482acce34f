"""Detection, tracking and distance on a synthetic site, camera by camera, through the pipeline's
own tasks.

    python -m benchmarks.accuracy.site_tracks demo --json out.json

For every camera and everyone in it, not only around the subject as `benchmarks.site` does. People
of whom less than 30 % are to be seen count neither way. The folder is laid out as demo/.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from benchmarks.accuracy import following, footage
from benchmarks.truth import SEEABLE, read_truth
from data_contracts.camera import Site, read_site_file


def main() -> None:
    """Print a table for each stage; write the figures as JSON."""
    given, site, looked = asked(__doc__)
    measured = following.measure(looked.found, site, truth_of(given.folder))
    following.report({"detecting": looked.cost, **measured}, given.json)


def asked(about: str | None) -> tuple[argparse.Namespace, Site, following.Looked]:
    """What the command line says, the site of its folder, and what `following.detections` finds
    there.
    """
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", type=Path, help="folder with cameras.geojson, footage/ and truth/"
    )
    following.add_options(parser)
    given = parser.parse_args()
    site = read_site_file(given.folder / "cameras.geojson")
    return given, site, following.detections(given, site, lambda: frames(given.folder))


def truth_of(folder: Path) -> pd.DataFrame:
    """Boxes and floor positions of everyone, where the footage is there and whole. Raises
    BadInput.
    """
    truth = read_truth(folder)
    boxes = truth.boxes[truth.boxes["footage"] == "ok"].rename(columns={"camera": "camera_id"})
    table = boxes.merge(truth.people[["t_utc", "person", "x_m", "y_m"]], on=["t_utc", "person"])
    return table.assign(ignore=table["visible"] < SEEABLE)


def frames(folder: Path) -> following.Frames:
    """Every frame of every readable segment."""
    for frame in footage.frames(folder, every=1):
        yield frame.camera, frame.t_utc, frame.image


if __name__ == "__main__":
    main()
