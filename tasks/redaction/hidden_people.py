"""People whom another camera sees at a place that this camera looks at, and whom this camera does
not tell apart.

Two people in line with a camera are often one box to its detector, for as long as they talk; a
camera at their side sees two. So everybody's position on the ground is drawn into the picture as a
box, unless their own track is there already. Nothing but position and time is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.camera import Camera
from tasks.ground.projection import Projection
from tasks.redaction.redact import RedactSettings
from tasks.redaction.switched_tracks import without_strayed

Array = NDArray[np.float64]
# A tall adult (two deviations of `tasks.ground.position` above the mean, in shoes), and half of the
# breadth of shoulders with the arms (ANSUR: 0.51 m at the 50th percentile), in metres.
_HEIGHT_M = 1.85
_HALF_BREADTH_M = 0.26
# Two standard deviations of the position, at most this: a body's length off is not known at all.
_SIGMAS = 2.0
_MAX_OFF_M = 1.0


@dataclass(frozen=True)
class SitePeople:
    """Everybody on all cameras: TRACKS, PERSONS, MEMBERS, and camera_id and track_id (as in
    SIGHTINGS) of all tracks that may be the subject's.
    """

    tracks: pd.DataFrame
    persons: pd.DataFrame
    members: pd.DataFrame
    subject: pd.DataFrame


def with_unseen(people: SitePeople, camera: Camera, settings: RedactSettings) -> pd.DataFrame:
    """TRACKS of one camera with more rows: people of PERSONS who are in its view but have no track
    in it then.

    Their track ids are negative and their score 0. Whoever owns one of the subject's tracks, on any
    camera, is left out; stretches of them that strayed to somebody else are tracks of their own
    (`tasks.redaction.switched_tracks`). A camera without homography gets its tracks back.
    """
    members = people.members
    everybody = without_strayed(people.tracks, people.subject)
    own = everybody[everybody["camera_id"] == camera.camera_id]
    if camera.homography is None or people.persons.empty:
        return own
    subject = members.merge(
        people.subject[["camera_id", "track_id"]], on=["camera_id", "track_id"]
    )["person_id"]
    seen = people.persons[people.persons["seen"]]
    rows = seen[~seen["person_id"].isin(set(subject))]
    parts = [own]
    for number, (person, path) in enumerate(rows.groupby("person_id", sort=True), start=1):
        mine = members[
            (members["person_id"] == person) & (members["camera_id"] == camera.camera_id)
        ]
        known = own.loc[own["track_id"].isin(mine["track_id"]), "t_utc"]
        away = path[~_near(path["t_utc"], known, settings.neighbours_s)]
        parts.append(_drawn(away, camera, -number))
    return pd.concat([part for part in parts if len(part)] or [own], ignore_index=True)


def _near(times: pd.Series, known: pd.Series, within_s: float) -> NDArray[np.bool_]:
    """(n,) whether each time is within `within_s` of one of the known ones."""
    if known.empty:
        return np.zeros(len(times), bool)
    at = np.array([t.timestamp() for t in known.sort_values()])
    t = np.array([t.timestamp() for t in times])
    after = np.clip(np.searchsorted(at, t), 1, len(at)) if len(at) > 1 else np.ones(len(t), int)
    gap = np.minimum(np.abs(t - at[after - 1]), np.abs(t - at[np.minimum(after, len(at) - 1)]))
    return np.asarray(gap <= within_s)


def _drawn(path: pd.DataFrame, camera: Camera, number: int) -> pd.DataFrame:
    """Rows of TRACKS for the positions of PERSONS that fall into the picture.

    Also beyond the coverage: a camera often sees through a door to where it places no one.
    """
    boxes = boxes_at(
        Projection(camera),
        path[["x_m", "y_m"]].to_numpy(float),
        path[["cov_xx", "cov_yy"]].to_numpy(float),
    )
    inside = np.isfinite(boxes).all(axis=1)
    inside &= (boxes[:, 2] > 0) & (boxes[:, 3] > 0)
    inside &= (boxes[:, 0] < camera.image_width) & (boxes[:, 1] < camera.image_height)
    box = dict(zip(("x0", "y0", "x1", "y1"), boxes.T, strict=True))
    rows = path.assign(
        camera_id=camera.camera_id, track_id=number, score=0.0, foot_hidden=True, **box
    )[inside]
    return rows.assign(face_px=np.nan, subject_p=np.nan, masked_llr=np.nan)


def boxes_at(projection: Projection, xy_m: Array, variance_m2: Array) -> Array:
    """(n, 4) px: a standing adult at (n, 2) metres, wherever within the (n, 2) variances; NaN
    behind the camera.
    """
    off = np.minimum(_SIGMAS * np.sqrt(variance_m2), _MAX_OFF_M) + _HALF_BREADTH_M
    ends = []
    for x, y in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        at = xy_m + off * [x, y]
        # Without a vertical the height in the picture is unknown; then only what stands on the
        # floor is covered.
        ends += [projection.distort(projection.pixels(at, h)) for h in (0.0, _HEIGHT_M)]
    points = np.stack(ends)
    return np.concatenate([points.min(axis=0), points.max(axis=0)], axis=1)
