"""`python -m benchmarks.accuracy.heights DETECTIONS SITE [SITE ...]`: what the body height says, of
tracks on different cameras.

SITE is laid out like demo/; DETECTIONS is a folder with SITE's name + .parquet, as
`benchmarks.family --detections` keeps them. Prints how far heights are off, how they differ between
cameras, and the log likelihood ratio that was found in each range of the one that
`tasks.people.height_evidence` gives.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from supervision import box_iou_batch

from benchmarks.truth import read_truth
from data_contracts.camera import read_site_file
from data_contracts.tables.contracts import DETECTIONS
from tasks.people.height_evidence import heights, log_ratio
from tasks.people.site_tracks import track_site

_BOX = ["x0", "y0", "x1", "y1"]
# A track is a person's where at least this share of its boxes is, and a box where it overlaps by
# half.
_SHARE = 0.9
_SAME_BOX = 0.5
_EDGES = np.array([-2.01, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2.01])


def of_tracks(site: Path, detections: Path) -> pd.DataFrame:
    """Height and deviation of each track, with `camera` and whose it is (`person`)."""
    known = read_site_file(site / "cameras.geojson")
    found = DETECTIONS.shape(pd.read_parquet(detections / f"{site.name}.parquet"))
    tracks = track_site(found, known)
    name = tracks["camera_id"].astype(str) + "/" + tracks["track_id"].astype(str)
    measured = heights(tracks.assign(person=name), known)
    truth = read_truth(site).boxes
    rows = []
    for track, row in measured.iterrows():
        own = tracks[name == track]
        camera = str(track).rsplit("/", 1)[0]
        person = _owner(own, truth[truth["camera"] == camera])
        if person is not None:
            rows.append((site.name, camera, person, row["height_m"], row["sd_m"]))
    return pd.DataFrame(rows, columns=["site", "camera", "person", "height_m", "sd_m"])


def _owner(own: pd.DataFrame, boxes: pd.DataFrame) -> str | None:
    """Whose a track is, where it is one person's."""
    both = own.merge(boxes, on="t_utc", suffixes=("", "_true"))
    if both.empty:
        return None
    overlap = np.diagonal(
        box_iou_batch(both[[f"{c}_true" for c in _BOX]].to_numpy(float), both[_BOX].to_numpy(float))
    )
    whose = both.loc[overlap >= _SAME_BOX, "person"].value_counts()
    if whose.empty or whose.iloc[0] < _SHARE * len(own):
        return None
    return str(whose.index[0])


def pairs(table: pd.DataFrame) -> pd.DataFrame:
    """Each two tracks of different cameras of one site: the ratio stated, and whether they are one
    person (`same`), each pair of people and cameras weighing alike.
    """
    two = table.merge(table, on="site", suffixes=("", "_other"))
    two = two[two["camera"] != two["camera_other"]]
    stated = [
        float(log_ratio(np.array([b]), np.array([sb]), a, sa)[0])
        for a, sa, b, sb in two[["height_m", "sd_m", "height_m_other", "sd_m_other"]].itertuples(
            index=False
        )
    ]
    two = two.assign(stated=stated, same=two["person"] == two["person_other"])
    keys = ["site", "camera", "camera_other", "person", "person_other"]
    return two.assign(weight=1 / two.groupby(keys)["stated"].transform("size"))


def reliability(found: pd.DataFrame) -> pd.DataFrame:
    """In each range of the stated ratio: shares of same and others, and the ratio found."""
    whole = found.groupby("same")["weight"].sum()
    rows = []
    for low, high in pairwise(_EDGES):
        inside = found[(found["stated"] > low) & (found["stated"] <= high)]
        share = inside.groupby("same")["weight"].sum() / whole
        same = float(share.get(True, 0.0))
        other = float(share.get(False, 0.0))
        ratio = float(np.log(same / other)) if same > 0 and other > 0 else float("nan")
        mean = float(np.average(inside["stated"], weights=inside["weight"])) if len(inside) else 0
        rows.append({"stated": mean, "found": ratio, "same": same, "others": other})
    return pd.DataFrame(rows)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("detections", type=Path)
    parser.add_argument("sites", type=Path, nargs="+")
    given = parser.parse_args()
    table = pd.concat([of_tracks(site, given.detections) for site in given.sites])
    found = pairs(table)
    same = found[found["same"]]
    off = same["height_m"] - same["height_m_other"]
    print(f"{len(table)} tracks, {len(same)} pairs of one person, {len(found) - len(same)} of two")
    print(
        f"one person on two cameras: differ by {off.abs().median():.3f} m in the median, deviation "
        f"{np.sqrt(np.average(off**2, weights=same['weight'])):.3f} m; stated "
        f"{np.sqrt(np.average(same['sd_m'] ** 2 + same['sd_m_other'] ** 2)):.3f} m"
    )
    print(reliability(found).round(2).to_string(index=False))


if __name__ == "__main__":
    main()
