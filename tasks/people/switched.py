"""Tracks that went over from one person to another, as far as another camera tells.

Two people who part, or of whom one passes before the other, may exchange tracks: each box goes on
smoothly. A camera from another side kept them apart. There the track is with one person first and
with another one later, and these two were seen together. Such a track is cut between the two, and
`tasks.people.join` says anew which piece is whose. Which camera is wrong is decided by whose boxes
met in the picture, for that is where tracks are exchanged: where they met on both, both are cut,
where on none, nothing is. What follows a cut has a number from `PIECE` on, so that pictures, which
must not rely on a guess, show nobody from there on without a face
(`tasks.redaction.switched_tracks`). Nothing but position, time and boxes is used.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.camera import Site
from data_contracts.record import Record
from data_contracts.tables.contracts import TRACKS
from data_contracts.time import CLOCK_S, ticks_of
from tasks.people.other_view import hidden_share, locators_of
from tasks.people.piece import PIECE, base_of
from tasks.people.track_position import placed

_BOX = ["x0", "y0", "x1", "y1"]
_PLACE = ["x_m", "y_m", "cov_xx", "cov_xy", "cov_yy"]
Key = tuple[str, int]


class SwitchSettings(Record):
    """When a track has gone over to somebody else. Chosen for the reason beside each.

    `near_m`: at one place, as in `tasks.redaction.switched_tracks`. `with_s`: being with somebody
    takes this long: a pose, longer than a wrong box lasts. `apart_s`: two are two after this long
    at a time on one camera, as in `JoinSettings`. `meet_s`: boxes that met this long before or
    after. `met`: boxes met where this share of the smaller one lies in the other.
    """

    near_m: float = 0.5
    with_s: float = 2.0
    apart_s: float = 0.5
    meet_s: float = 3.0
    met: float = 0.3


def cut_switched(
    tracks: pd.DataFrame, site: Site, settings: SwitchSettings | None = None
) -> pd.DataFrame:
    """TRACKS in which a track that went over to somebody else is two; the later one's number is
    from `PIECE` on.
    """
    settings = settings or SwitchSettings()
    seen = _seen(tracks)
    cuts: dict[Key, set[int]] = {}
    cameras = sorted(set(seen["camera_id"]))
    for camera in cameras:
        own = seen[seen["camera_id"] == camera]
        for other in cameras:
            if other != camera and site.overlapping(*sorted((camera, other))):
                theirs = seen[seen["camera_id"] == other]
                for key, tick in _switches(own, theirs, settings):
                    cuts.setdefault(key, set()).add(tick)
    return _cut(tracks, cuts, site) if cuts else tracks


def _seen(tracks: pd.DataFrame) -> pd.DataFrame:
    """Detected rows with a position, one a tick and track."""
    rows = tracks[(tracks["score"] > 0) & tracks["x_m"].notna()]
    rows = rows.assign(tick=ticks_of(rows["t_utc"]))
    return rows[["camera_id", "track_id", "tick", *_BOX, *_PLACE]].drop_duplicates(
        ["camera_id", "track_id", "tick"]
    )


def _switches(
    own: pd.DataFrame, theirs: pd.DataFrame, settings: SwitchSettings
) -> list[tuple[Key, int]]:
    """Tracks to be cut, with the tick: where `own` ones are with one of `theirs` and then with
    another.
    """
    camera = str(own["camera_id"].iloc[0])
    other = str(theirs["camera_id"].iloc[0])
    out = []
    beside = _nearest(own, theirs, settings)
    for number in sorted(set(beside["track_id"].astype(int))):
        part = beside[beside["track_id"] == number]
        for before, after, first, last in _companies(part, settings):
            if not _two_people(theirs, before, after, settings):
                continue
            tick = (first + last + 1) // 2
            span = (first - settings.meet_s / CLOCK_S, last + settings.meet_s / CLOCK_S)
            here = _met(own, {number}, span, settings)
            there = _met(theirs, {before, after}, span, settings)
            if here:
                out.append(((camera, number), tick))
            if there:
                out += [((other, before), tick), ((other, after), tick)]
    return out


def _nearest(own: pd.DataFrame, theirs: pd.DataFrame, settings: SwitchSettings) -> pd.DataFrame:
    """For each moment of `own` the track of `theirs` at the same place, the nearest of several."""
    both = own.merge(theirs, on="tick", suffixes=("", "_other"))
    away = np.hypot(both["x_m"] - both["x_m_other"], both["y_m"] - both["y_m_other"])
    both = both.assign(away=away)[away <= settings.near_m]
    return both.sort_values("away").drop_duplicates(["track_id", "tick"]).sort_values("tick")


def _companies(part: pd.DataFrame, settings: SwitchSettings) -> list[tuple[int, int, int, int]]:
    """(with whom before, with whom after, last tick before, first tick after) for each change of
    company of one track; being with somebody for less than `with_s` is nothing.
    """
    who = part["track_id_other"].to_numpy(int)
    tick = part["tick"].to_numpy(int)
    run = np.cumsum(np.r_[True, who[1:] != who[:-1]])
    runs = [np.flatnonzero(run == r) for r in np.unique(run)]
    long = [r for r in runs if len(r) * CLOCK_S >= settings.with_s]
    return [
        (int(who[a[0]]), int(who[b[0]]), int(tick[a[-1]]), int(tick[b[0]]))
        for a, b in pairwise(long)
        if who[a[0]] != who[b[0]]
    ]


def _two_people(theirs: pd.DataFrame, a: int, b: int, settings: SwitchSettings) -> bool:
    """Whether their camera saw the two at a time."""
    one, other = (theirs.loc[theirs["track_id"] == n, "tick"].to_numpy(int) for n in (a, b))
    return len(np.intersect1d(one, other)) * CLOCK_S > settings.apart_s


def _met(
    rows: pd.DataFrame, numbers: set[int], span: tuple[float, float], settings: SwitchSettings
) -> bool:
    """Whether one of these tracks' boxes met another box of the camera within the ticks `span`."""
    near = rows[rows["tick"].between(*span)]
    mine = near[near["track_id"].isin(numbers)]
    both = mine.merge(near, on="tick", suffixes=("", "_other"))
    both = both[both["track_id"] != both["track_id_other"]]
    if both.empty:
        return False
    one = both[_BOX].to_numpy(float)
    other = both[[f"{c}_other" for c in _BOX]].to_numpy(float)
    return bool((share_inside(one, other) >= settings.met).any())


def share_inside(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) share of the smaller of two boxes (n, 4) that lies in the other."""
    shared = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    smaller = np.minimum(*(np.prod(b[:, 2:] - b[:, :2], axis=1) for b in (one, other)))
    return np.asarray(np.prod(np.maximum(shared, 0.0), axis=1) / np.maximum(smaller, 1e-9))


def _cut(tracks: pd.DataFrame, cuts: dict[Key, set[int]], site: Site) -> pd.DataFrame:
    """TRACKS with each named track cut at its ticks, and its pieces placed anew: each has a body
    height and a path of its own. What follows a cut goes on as nobody before it.
    """
    number = tracks["track_id"].to_numpy(np.int64, copy=True)
    at = ticks_of(tracks["t_utc"])
    touched = np.zeros(len(tracks), bool)
    for (camera, track), ticks in sorted(cuts.items()):
        here = (tracks["camera_id"] == camera).to_numpy(bool)
        for tick in sorted(ticks):
            own = here & (tracks["track_id"] == track).to_numpy(bool)
            cut = number[own & (at >= tick)]
            if not len(cut) or not (own & (at < tick)).any():
                continue
            later = here & (base_of(number) == base_of(cut[0])) & (at >= tick)
            touched |= here & (base_of(number) == base_of(cut[0]))
            fresh = int(base_of(number[here]).max()) + 1
            number[later] = fresh + PIECE * np.maximum(number[later] // PIECE, 1)
    pieces = tracks.assign(track_id=number, hidden_share=hidden_share(tracks))
    pieces["measured"] = tracks["score"] > 0
    locators = locators_of(pieces, site)
    parts = [pieces[~touched]]
    for (camera_id, _), rows in pieces[touched].groupby(["camera_id", base_of(number[touched])]):
        parts.append(placed(rows, locators.get(str(camera_id))))
    return TRACKS.shape(pd.concat(parts).sort_index())
