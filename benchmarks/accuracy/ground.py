"""How well people are placed on the ground: distances between them against the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from supervision import box_iou_batch

from benchmarks.accuracy.detection import BOX, OVERLAP, frames_of

# Distances of pairs are judged up to here: further apart nobody is exposed to anyone.
NEAR_M = 3.0
LIMIT_M = 2.0


def ground_figures(tracks: pd.DataFrame, truth: pd.DataFrame) -> dict[str, Any]:
    """Errors of positions and of distances between two people, and precision and recall of "nearer
    than 2 m".

    `tracks`: camera_id, t_utc, x0..y1, x_m, y_m. `truth`: the same with person and ignore. Who is
    who follows from the boxes' overlap, frame by frame. `precision` and `recall` are of pairs of
    which both were found (the published measure); `recall_all` and `precision_all` count pairs with
    somebody missed, and pairs with a track that is nobody.
    """
    true_m = []
    found_m = []
    off_m = []
    missed = invented = 0
    for rows, people in frames_of(tracks[tracks["x_m"].notna()], truth[~truth["ignore"]]):
        who, at = _matched(people, rows)
        true_xy = people[["x_m", "y_m"]].to_numpy(float)
        found_xy = rows[["x_m", "y_m"]].to_numpy(float)
        off_m.append(np.hypot(*(true_xy[who] - found_xy[at]).T))
        true_m.append(_distances(true_xy[who]))
        found_m.append(_distances(found_xy[at]))
        missed += int((_distances(true_xy) < LIMIT_M).sum() - (true_m[-1] < LIMIT_M).sum())
        invented += int((_distances(found_xy) < LIMIT_M).sum() - (found_m[-1] < LIMIT_M).sum())
    true, found, off = (np.concatenate(parts) for parts in (true_m, found_m, off_m))
    return _figures(true, found, off, missed, invented)


def reported_figures(persons: pd.DataFrame, truth: pd.DataFrame) -> dict[str, Any]:
    """Precision and recall of "two people nearer than 2 m" of what is reported in the end, instant
    by instant.

    `persons` (contract PERSONS) holds bridged positions too. Who is who follows from positions,
    nearest first and within `NEAR_M` / 3; true positions are interpolated between frames. Missed
    and invented people count against it.
    """
    both = said = met = 0
    true_at = _on_grid(truth[~truth["ignore"]], np.sort(persons["t_utc"].unique()))
    for t, rows in persons.groupby("t_utc"):
        people = true_at.get(t, np.zeros((0, 2)))
        xy = rows[["x_m", "y_m"]].to_numpy(float)
        off = np.hypot(*(people[:, None] - xy[None]).transpose(2, 0, 1))
        a, b = linear_sum_assignment(np.minimum(off, NEAR_M))
        good = off[a, b] <= NEAR_M / 3
        both += int(
            ((_distances(people[a[good]]) < LIMIT_M) & (_distances(xy[b[good]]) < LIMIT_M)).sum()
        )
        said += int((_distances(xy) < LIMIT_M).sum())
        met += int((_distances(people) < LIMIT_M).sum())
    return {
        "instants": len(true_at),
        "precision": both / max(said, 1),
        "recall": both / max(met, 1),
    }


def _on_grid(truth: pd.DataFrame, times: np.ndarray) -> dict[Any, np.ndarray]:
    """True positions (n, 2) of everyone there at each time; gaps longer than half a second stay
    gaps.
    """
    out: dict[Any, list[np.ndarray]] = {}
    stamps = pd.DatetimeIndex(times)
    asked = (stamps - truth["t_utc"].min()).total_seconds().to_numpy()
    for _, rows in truth.sort_values("t_utc").groupby("person"):
        known = (rows["t_utc"] - truth["t_utc"].min()).dt.total_seconds().to_numpy()
        xy = np.stack([np.interp(asked, known, rows[c].to_numpy(float)) for c in ("x_m", "y_m")], 1)
        after = np.clip(np.searchsorted(known, asked), 1, len(known) - 1)
        there = (
            (asked >= known[0]) & (asked <= known[-1]) & (known[after] - known[after - 1] <= 0.5)
        )
        for i in np.flatnonzero(there):
            out.setdefault(stamps[i], []).append(xy[i])
    return {t: np.array(xy) for t, xy in out.items()}


def _figures(
    true: np.ndarray, found: np.ndarray, off: np.ndarray, missed: int, invented: int
) -> dict[str, Any]:
    error = (found - true)[true < NEAR_M]
    both = int(((true < LIMIT_M) & (found < LIMIT_M)).sum())
    said = int((found < LIMIT_M).sum())
    met = int((true < LIMIT_M).sum())
    return {
        "position_median_m": _quantile(off, 0.5),
        "position_p90_m": _quantile(off, 0.9),
        "pairs": len(error),
        "distance_median_m": _quantile(np.abs(error), 0.5),
        "distance_p90_m": _quantile(np.abs(error), 0.9),
        "distance_bias_m": _quantile(error, 0.5),
        "precision": both / max(said, 1),
        "recall": both / max(met, 1),
        "precision_all": both / max(said + invented, 1),
        "recall_all": both / max(met + missed, 1),
    }


def _quantile(values: np.ndarray, share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else float("nan")


def _matched(people: pd.DataFrame, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of the truth and of the tracks that belong together in a frame."""
    overlap = box_iou_batch(people[BOX].to_numpy(float), rows[BOX].to_numpy(float))
    a, b = linear_sum_assignment(-overlap)
    good = overlap[a, b] >= OVERLAP
    return a[good], b[good]


def _distances(xy: np.ndarray) -> np.ndarray:
    """(n (n - 1) / 2,) distances between all pairs of positions (n, 2)."""
    i, j = np.triu_indices(len(xy), 1)
    return np.hypot(*(xy[i] - xy[j]).T)
