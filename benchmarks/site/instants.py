"""Instant by instant: how far reported distances are off, and whether the reported mask is the true
one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.site.match import SUBJECT, true_at
from benchmarks.site.run_tables import RunTables
from benchmarks.truth import Truth

# Feet are to be seen where next to nothing of the body is hidden or cut.
FULL_VIEW = 0.7
# A face is to be seen: turned less than this from the camera, half of the head free, and as high as
# the smallest head on which a mask can be judged (18 px of width, models/files/manifest.yaml; a
# face is about 0.44 of the head's height wide).
FACE_ANGLE_DEG = 60.0
HEAD_FREE = 0.5
HEAD_PX = 41.0


def instants(
    truth: Truth, subject: str, run: RunTables, matches: dict[str, str | None]
) -> dict[str, Any]:
    """Keys `distance` and `masks`; see docs/benchmark-site.md."""
    error, clear = distance_errors(truth, subject, run, matches)
    return {
        "distance": {"all": _errors(error), "in_full_view": _errors(error[clear])},
        "masks": _masks(truth, subject, run, _matched(run, matches)),
    }


def _matched(run: RunTables, matches: dict[str, str | None]) -> pd.DataFrame:
    """Encounter points that are somebody's, with the true person in `who`."""
    who = run.encounter_points["encounter_id"].map(matches)
    return run.encounter_points.assign(who=who)[who.notna() & (who != SUBJECT)]


def distance_errors(
    truth: Truth, subject: str, run: RunTables, matches: dict[str, str | None]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(n,) metres that a reported distance is too long, where both were seen and there; and (n,)
    whether one camera had both in full view.
    """
    points = _matched(run, matches)
    points = points[points["seen"].astype(bool)]
    off = [np.empty(0)]
    full = [np.empty(0, bool)]
    for name, rows in points.groupby("who"):
        gap = true_at(truth, str(name), rows["t_utc"]) - true_at(truth, subject, rows["t_utc"])
        off.append(
            np.hypot(rows["dx_m"], rows["dy_m"]).to_numpy(float) - np.hypot(gap[:, 0], gap[:, 1])
        )
        both = _in_full_view(truth, str(name)) & _in_full_view(truth, subject)
        full.append(_at_times(truth, rows["t_utc"], {t for _, t in both}))
    error = np.concatenate(off)
    known = ~np.isnan(error)
    return error[known], np.concatenate(full)[known]


def _errors(off: NDArray[np.float64]) -> dict[str, Any]:
    if not len(off):
        return {"n": 0, "median_abs_m": None, "p90_abs_m": None, "median_m": None}
    size = np.abs(off)
    return {
        "n": len(off),
        "median_abs_m": round(float(np.median(size)), 3),
        "p90_abs_m": round(float(np.quantile(size, 0.9)), 3),
        "median_m": round(float(np.median(off)), 3),
    }


def _in_full_view(truth: Truth, person: str) -> set[tuple[str, pd.Timestamp]]:
    boxes = truth.boxes
    rows = boxes[
        (boxes["person"] == person) & (boxes["visible"] >= FULL_VIEW) & (boxes["footage"] == "ok")
    ]
    return set(zip(rows["camera"], rows["t_utc"], strict=True))


def _at_times(truth: Truth, times: pd.Series, chosen: set[pd.Timestamp]) -> NDArray[np.bool_]:
    """(n,) whether a time is within half a step of a chosen one."""
    if not chosen:
        return np.zeros(len(times), bool)
    grid = pd.DatetimeIndex(sorted(chosen)).as_unit("us")
    tolerance = pd.Timedelta(seconds=0.51 * truth.step_s)
    at = pd.DatetimeIndex(times).as_unit("us")
    return np.asarray(grid.get_indexer(at, method="nearest", tolerance=tolerance) >= 0)


def _masks(truth: Truth, subject: str, run: RunTables, points: pd.DataFrame) -> dict[str, Any]:
    looks = [(subject, run.trajectory["t_utc"], run.trajectory["mask_p"])]
    looks += [
        (str(name), rows["t_utc"], rows["person_mask_p"]) for name, rows in points.groupby("who")
    ]
    rows = [_mask_rows(truth, name, t, p) for name, t, p in looks]
    table = pd.concat(rows, ignore_index=True)
    by_person = {
        str(name): _mask_shares(part, truth.step_s) for name, part in table.groupby("person")
    }
    return _mask_shares(table, truth.step_s) | {"by_person": by_person}


def _mask_rows(truth: Truth, person: str, times: pd.Series, mask_p: pd.Series) -> pd.DataFrame:
    path = truth.path[person]["masked"]
    tolerance = pd.Timedelta(seconds=truth.step_s)
    at = (
        pd.DatetimeIndex(path.index)
        .as_unit("us")
        .get_indexer(pd.DatetimeIndex(times).as_unit("us"), "nearest", tolerance=tolerance)
    )
    true = np.where(at >= 0, path.to_numpy(float)[at], np.nan)
    p = mask_p.to_numpy(float, na_value=np.nan)
    face = _at_times(truth, times, _face_seen(truth, person))
    right = np.where(np.isnan(p), np.nan, (p > 0.5) == (true > 0.5))
    return pd.DataFrame({"person": person, "right": right, "face": face})[~np.isnan(true)]


def _face_seen(truth: Truth, person: str) -> set[pd.Timestamp]:
    boxes = truth.boxes
    if not {"face_angle_deg", "head_visible", "head_px"} <= set(boxes.columns):
        return set()
    rows = boxes[
        (boxes["person"] == person)
        & (boxes["footage"] == "ok")
        & (boxes["head_visible"] >= HEAD_FREE)
    ]
    return set(
        rows.loc[(rows["face_angle_deg"] <= FACE_ANGLE_DEG) & (rows["head_px"] >= HEAD_PX), "t_utc"]
    )


def _mask_shares(table: pd.DataFrame, step_s: float) -> dict[str, Any]:
    known = table[table["right"].notna()]
    face = table[table["face"]]
    told = face[face["right"].notna()]
    return {
        "s": round(len(table) * step_s, 1),
        "known": _share(len(known), len(table)),
        "right": _share(int(known["right"].sum()), len(known)),
        "face_seen_s": round(len(face) * step_s, 1),
        "face_seen_known": _share(len(told), len(face)),
        "face_seen_right": _share(int(told["right"].sum()), len(told)),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
