"""Compare what trace-case wrote with a synthetic site's truth. Pure functions; the keys are in
docs/benchmark-site.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.site.instants import instants
from benchmarks.site.match import SUBJECT, match_encounters, true_at
from benchmarks.site.people import person_figures
from benchmarks.site.render import render
from benchmarks.site.run_tables import RunTables
from benchmarks.truth import SEEABLE, Subject, Truth, discover_subjects, read_truth

__all__ = ["Subject", "compare", "discover_subjects", "render"]

# A reported position further off than this is somebody else's or nobody's: bodies do not reach so
# far.
WRONG_PLACE_M = 1.0


def compare(site: Path, subject: str, run: RunTables) -> dict[str, Any]:
    """All figures of one subject's run against the truth. Raises BadInput where the truth cannot be
    read.
    """
    truth = read_truth(site)
    points = run.encounter_points
    matches = match_encounters(truth, subject, run.trajectory, points)
    policy = run.policy or next(iter(run.contacts["policy"]), None)
    people = person_figures(truth, subject, run, matches, policy)
    return {
        "subject": subject,
        "policy": policy,
        "footage": _footage(truth),
        "seen": _seen(truth, subject, run),
        "position": _position(truth, subject, run.trajectory),
        "people": people,
        **instants(truth, subject, run, matches),
        "contacts": _contacts(run, matches, people),
        "encounters": {
            "reported": len(run.encounters),
            "no_one": sorted(e for e, who in matches.items() if who is None),
            "subject_itself": sorted(e for e, who in matches.items() if who == SUBJECT),
        },
        "gaps": _gaps(run.gaps),
    }


def _footage(truth: Truth) -> dict[str, Any]:
    table = truth.footage
    named = [f"{r.camera} {r.start_utc:%Y-%m-%dT%H:%M:%SZ}" for r in table.itertuples()]
    by_state = {
        s: [n for n, state in zip(named, table["state"], strict=True) if state == s]
        for s in ("missing", "damaged")
    }
    return {"segments": int((table["state"] != "missing").sum()), **by_state}


def _on_grid(times: pd.Series, grid: pd.DatetimeIndex, step_s: float) -> set[pd.Timestamp]:
    """The grid's times that lie within half a step of a reported time."""
    if times.empty:
        return set()
    at = pd.DatetimeIndex(times).as_unit("us").sort_values()
    index = grid.get_indexer(at, method="nearest", tolerance=pd.Timedelta(seconds=0.51 * step_s))
    return set(grid[index[index >= 0]])


def _seen(truth: Truth, subject: str, run: RunTables) -> dict[str, Any]:
    """When the subject was to be seen, and when the run says so; by time, and by camera from the
    sightings.
    """
    step_s = truth.step_s
    grid = pd.DatetimeIndex(np.sort(truth.people["t_utc"].unique())).as_unit("us")
    true = truth.times(subject)
    there = set(truth.boxes.loc[truth.boxes["person"] == subject, "t_utc"])
    faulty = (truth.times(subject, "missing") | truth.times(subject, "damaged")) - true
    seen = run.trajectory["seen"].astype(bool)
    reported = _on_grid(run.trajectory.loc[seen, "t_utc"], grid, step_s)
    bridged = _on_grid(run.trajectory.loc[~seen, "t_utc"], grid, step_s)
    return {
        "true_s": round(len(true) * step_s, 3),
        "reported_s": round(len(reported) * step_s, 3),
        "bridged_s": round(len(bridged - reported) * step_s, 3),
        "recall": _share(len(true & reported), len(true)),
        "precision": _share(len(reported & there), len(reported)),
        "false_s": round(len(reported - there) * step_s, 3),
        "without_footage_s": round(len(faulty) * step_s, 3),
        "sightings": len(run.sightings),
        "by_camera": _by_camera(truth, subject, run.sightings, grid),
    }


def _by_camera(
    truth: Truth, subject: str, sightings: pd.DataFrame, grid: pd.DatetimeIndex
) -> dict[str, Any]:
    out = {}
    for camera in sorted(set(truth.footage["camera"]) | set(sightings["camera_id"])):
        boxes = truth.boxes[(truth.boxes["camera"] == camera) & (truth.boxes["person"] == subject)]
        intact = boxes["footage"] == "ok"
        true = set(boxes.loc[intact & (boxes["visible"] >= SEEABLE), "t_utc"])
        reported: set[pd.Timestamp] = set()
        for row in sightings[sightings["camera_id"] == camera].itertuples():
            reported |= set(grid[(grid >= row.start_utc) & (grid <= row.end_utc)])
        out[camera] = {
            "true_s": round(len(true) * truth.step_s, 3),
            "reported_s": round(len(reported) * truth.step_s, 3),
            "recall": _share(len(true & reported), len(true)),
            "precision": _share(len(reported & set(boxes["t_utc"])), len(reported)),
        }
    return out


def position_errors(truth: Truth, subject: str, trajectory: pd.DataFrame) -> np.ndarray:
    """(n,) metres between reported and true position of the subject, where it was seen."""
    off = _error_m(truth, subject, trajectory[trajectory["seen"].astype(bool)])
    return off[~np.isnan(off)]


def _position(truth: Truth, subject: str, trajectory: pd.DataFrame) -> dict[str, Any]:
    off = position_errors(truth, subject, trajectory)
    return {
        "n": len(off),
        "median_m": float(np.median(off)) if len(off) else None,
        "p90_m": float(np.quantile(off, 0.9)) if len(off) else None,
        "wrong_place_s": round(float((off > WRONG_PLACE_M).sum() * truth.step_s), 3),
    }


def _error_m(truth: Truth, person: str, located: pd.DataFrame) -> np.ndarray:
    """(n,) metres between located rows (t_utc, x_m, y_m) and a person's true position; NaN where
    not there.
    """
    xy = true_at(truth, person, located["t_utc"])
    return np.hypot(
        located["x_m"].to_numpy(float) - xy[:, 0], located["y_m"].to_numpy(float) - xy[:, 1]
    )


def _contacts(
    run: RunTables, matches: dict[str, str | None], people: list[dict[str, Any]]
) -> dict[str, Any]:
    """Which reported contacts are somebody, and which true ones are missing."""
    who: dict[str, str | None] = {}
    for contact_id, encounter_ids in zip(
        run.contacts["contact_id"], run.contacts["encounter_ids"], strict=True
    ):
        names = [matches.get(e) for e in str(encounter_ids).split(",")]
        who[str(contact_id)] = next((n for n in names if n is not None), None)
    near = {p["person"] for p in people}
    expected = {p["person"] for p in people if p["true"]["contact"]}
    found = {n for n in who.values() if n in near}
    return {
        "reported": len(who),
        "who": who,
        "true": sorted(expected),
        "missed": sorted(expected - found),
        "not_by_policy": sorted(c for c, n in who.items() if n in near and n not in expected)
        if _judged(people)
        else [],
        "no_one": sorted(c for c, n in who.items() if n is None),
        "subject_itself": sorted(c for c, n in who.items() if n == SUBJECT),
        "never_within_3m": sorted(
            c for c, n in who.items() if n is not None and n != SUBJECT and n not in near
        ),
    }


def _judged(people: list[dict[str, Any]]) -> bool:
    """Whether the truth could be judged by the run's policy."""
    return any(p["true"]["contact"] is not None for p in people)


def _gaps(gaps: pd.DataFrame) -> dict[str, Any]:
    length = (gaps["end_utc"] - gaps["start_utc"]).dt.total_seconds()
    return {
        str(kind): {"n": len(rows), "seconds": float(length[rows.index].sum())}
        for kind, rows in gaps.groupby("kind")
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
