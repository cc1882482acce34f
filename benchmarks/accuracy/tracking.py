"""How well people are told apart over time: HOTA, IDF1 and MOTA, computed by `trackers.eval` (a
port of TrackEval).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from supervision import box_iou_batch
from trackers.eval import compute_clear_metrics, compute_hota_metrics, compute_identity_metrics

from benchmarks.accuracy.detection import BOX, OVERLAP, frames_of


def tracking_figures(tracks: pd.DataFrame, truth: pd.DataFrame) -> dict[str, Any]:
    """Higher order tracking accuracy (Luiten et al. 2021), IDF1 (Ristani et al. 2016), MOTA and
    switches (CLEAR, 2008).

    `tracks`: camera_id, t_utc, x0..y1, who (any label). `truth`: camera_id, t_utc, x0..y1, person,
    ignore. Track boxes on an ignored person are left out, as MOTChallenge does (Dendorfer et al.
    2020, section 4.1).
    """
    codes = {name: i for i, name in enumerate(sorted(truth["person"].unique()))}
    numbers = {name: i for i, name in enumerate(sorted(tracks["who"].unique()))}
    true_ids = []
    found_ids = []
    similarity = []
    for rows, people in frames_of(tracks, truth):
        overlap = box_iou_batch(people[BOX].to_numpy(float), rows[BOX].to_numpy(float))
        ignore = people["ignore"].to_numpy(bool)
        kept = ~_on_ignored(overlap, ignore)
        true_ids.append(people["person"].map(codes).to_numpy(int)[~ignore])
        found_ids.append(rows["who"].map(numbers).to_numpy(int)[kept])
        similarity.append(overlap[~ignore][:, kept])
    # The evaluator wants ids without holes.
    true_ids, n_true = _dense(true_ids)
    found_ids, n_found = _dense(found_ids)
    hota = compute_hota_metrics(true_ids, found_ids, similarity)
    identity = compute_identity_metrics(true_ids, found_ids, similarity, OVERLAP)
    clear = compute_clear_metrics(true_ids, found_ids, similarity, OVERLAP)
    return {
        "hota": float(hota["HOTA"]),
        "deta": float(hota["DetA"]),
        "assa": float(hota["AssA"]),
        "idf1": float(identity["IDF1"]),
        "mota": float(clear["MOTA"]),
        "switches": int(clear["IDSW"]),
        "found": n_found,
        "people": n_true,
    }


def _on_ignored(overlap: NDArray[np.floating], ignore: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(m,) whether a track's box is best explained by a person that does not count."""
    out = np.zeros(overlap.shape[1], bool)
    if overlap.size:
        people, boxes = linear_sum_assignment(-np.where(overlap >= OVERLAP, overlap, 0.0))
        out[boxes] = ignore[people] & (overlap[people, boxes] >= OVERLAP)
    return out


def _dense(ids: list[NDArray[np.intp]]) -> tuple[list[NDArray[np.intp]], int]:
    names = np.unique(np.concatenate(ids)) if ids else np.zeros(0, int)
    return [np.searchsorted(names, own) for own in ids], len(names)
