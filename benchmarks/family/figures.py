"""What the scenes say together: each a row, and all of them pooled. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from supervision import box_iou_batch

from benchmarks.family.trace import Traced
from benchmarks.site.compare import position_errors
from benchmarks.site.instants import distance_errors
from benchmarks.site.match import match_encounters
from benchmarks.truth import Subject, Truth

Array = NDArray[np.float64]
# A track's box is the subject where it overlaps the subject's true box by half.
_SAME_BOX = 0.5
_BOX = ["x0", "y0", "x1", "y1"]
PROBABILITY_BINS = (0.0, 0.5, 0.7, 0.9, 0.99, 1.0)


@dataclass(frozen=True)
class SceneFigures:
    """One traced scene: `row` as `benchmarks.site` compares it, and what is pooled over scenes.

    `position_m`, `distance_m` (n,) errors. `sightings`: probability, right (share of the stretch's
    boxes that are the subject), seconds. `contacts`: probability, right, doubtful.
    """

    name: str
    row: dict[str, Any]
    position_m: Array
    distance_m: Array
    sightings: pd.DataFrame
    contacts: pd.DataFrame = field(repr=False)


def figures_of(
    name: str, folder_truth: Truth, subject: Subject, traced: Traced, row: dict[str, Any]
) -> SceneFigures:
    """Everything of one scene. `row` is what `compare` returned for it."""
    run = traced.run
    matches = match_encounters(folder_truth, subject.name, run.trajectory, run.encounter_points)
    error, _ = distance_errors(folder_truth, subject.name, run, matches)
    return SceneFigures(
        name,
        row,
        position_errors(folder_truth, subject.name, run.trajectory),
        error,
        _sightings(folder_truth, subject.name, traced),
        _contacts(row, run.contacts),
    )


def _sightings(truth: Truth, subject: str, traced: Traced) -> pd.DataFrame:
    boxes = truth.boxes[truth.boxes["person"] == subject]
    rows = []
    for seen in traced.run.sightings.to_dict("records"):
        tracks = traced.tracks
        own = tracks[
            (tracks["camera_id"] == seen["camera_id"]) & (tracks["track_id"] == seen["track_id"])
        ]
        right = same_person(own, boxes[boxes["camera"] == seen["camera_id"]])
        rows.append((float(seen["probability"]), float(right.mean()), len(own) * truth.step_s))
    return pd.DataFrame(rows, columns=["probability", "right", "seconds"])


def same_person(own: pd.DataFrame, boxes: pd.DataFrame) -> NDArray[np.bool_]:
    """(n,) whether a track's boxes are the subject's true ones at their times."""
    both = own.merge(boxes, on="t_utc", how="left", suffixes=("", "_true"))
    true = both[[f"{c}_true" for c in _BOX]].to_numpy(float)
    there = np.isfinite(true).all(1)
    overlap = box_iou_batch(np.nan_to_num(true), both[_BOX].to_numpy(float))
    return there & (np.diagonal(overlap) >= _SAME_BOX)


def _contacts(row: dict[str, Any], contacts: pd.DataFrame) -> pd.DataFrame:
    told = row["contacts"]
    wrong = {
        c
        for key in ("no_one", "subject_itself", "never_within_3m", "not_by_policy")
        for c in told[key]
    }
    # The second row of one person is a person too many.
    counted: set[str] = set()
    rows = []
    for contact in contacts.to_dict("records"):
        who = told["who"][str(contact["contact_id"])]
        right = contact["contact_id"] not in wrong and who not in counted
        counted.add(str(who))
        rows.append((float(contact["probability"]), right))
    return pd.DataFrame(rows, columns=["probability", "right"])


def pooled(scenes: Sequence[SceneFigures]) -> dict[str, Any]:
    """All scenes together: shares over seconds and over contacts, medians over instants."""
    seen = [s.row["seen"] for s in scenes]
    told = [s.row["contacts"] for s in scenes]
    contacts = pd.concat([s.contacts for s in scenes], ignore_index=True)
    sightings = pd.concat([s.sightings for s in scenes], ignore_index=True)
    true = sum(len(t["true"]) for t in told)
    missed = sum(len(t["missed"]) for t in told)
    position = np.concatenate([s.position_m for s in scenes])
    distance = np.abs(np.concatenate([s.distance_m for s in scenes]))
    masks = [s.row["masks"] for s in scenes]
    return {
        "sightings_recall": _mean(seen, "recall", "true_s"),
        "sightings_precision": _mean(seen, "precision", "reported_s"),
        "contacts_true": true,
        "contacts_reported": len(contacts),
        "contacts_recall": (true - missed) / true if true else None,
        "contacts_precision": float(contacts["right"].mean()) if len(contacts) else None,
        "subject_itself": sum(len(t["subject_itself"]) for t in told),
        "position_median_m": _quantile(position, 0.5),
        "position_p90_m": _quantile(position, 0.9),
        "distance_median_m": _quantile(distance, 0.5),
        "distance_p90_m": _quantile(distance, 0.9),
        "masks_known": _mean(masks, "known", "s"),
        "masks_right": _mean(masks, "right", "s"),
        "sightings_reliability": reliability(
            sightings["probability"], sightings["right"], sightings["seconds"]
        ),
        "contacts_reliability": reliability(
            contacts["probability"], contacts["right"], np.ones(len(contacts))
        ),
    }


def reliability(probability: Any, right: Any, weight: Any) -> list[dict[str, float]]:
    """Of what was said with a probability in each bin: mean probability, share that is right, and
    the weight of it all. Empty bins are left out.
    """
    p = np.asarray(probability, float)
    good = np.asarray(right, float)
    w = np.asarray(weight, float)
    index = np.clip(
        np.searchsorted(PROBABILITY_BINS, p, side="right"), 1, len(PROBABILITY_BINS) - 1
    )
    out = []
    for k in np.unique(index):
        own = index == k
        out.append(
            {
                "from": PROBABILITY_BINS[k - 1],
                "to": PROBABILITY_BINS[k],
                "said": float(np.average(p[own], weights=w[own])),
                "right": float(np.average(good[own], weights=w[own])),
                "weight": float(w[own].sum()),
            }
        )
    return out


def _mean(rows: Sequence[dict[str, Any]], value: str, weight: str) -> float | None:
    """Weighted mean of the rows that have a value."""
    known = [(r[value], r[weight]) for r in rows if r[value] is not None and r[weight]]
    if not known:
        return None
    return float(np.average([v for v, _ in known], weights=[w for _, w in known]))


def _quantile(values: Array, q: float) -> float | None:
    return float(np.quantile(values, q)) if len(values) else None
