"""Where a track that is called the subject's has gone over to somebody else, as far as other
cameras tell.

Two people who part after a talk, or of whom one passes before the other, may exchange tracks: each
box goes on smoothly, and nothing in the picture tells. A camera from another side kept them apart.
It contradicts in two ways: it sees the subject at another place, or it sees at this place somebody
who was seen beside the subject before. Nothing but position and time is used.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.time import ticks_of
from tasks.people.piece import follows_cut

Flags = NDArray[np.bool_]
# Beyond this and two deviations the places are not one person's; within it they are. Half of the
# distance at which people talk (Hall 1966: personal distance, 0.46 to 1.2 m): what is nearer to the
# subject elsewhere than to whom they talk to.
_APART_M = 0.5
_SIGMAS = 2.0
# So many moments at another place than the subject make somebody a bystander: a second, as long as
# one wrong box may last.
_BYSTANDER_TICKS = 5
# Tracks are exchanged while boxes meet: a second before or after the cut, as long as one wrong box
# may last.
_CUT_TICKS = 5
# Strayed stretches have smaller numbers than this; people drawn from other cameras have -1, -2 and
# on (`tasks.redaction.hidden_people`).
STRAYED = -1_000_000_000


def without_strayed(tracks: pd.DataFrame, subject_tracks: pd.DataFrame) -> pd.DataFrame:
    """TRACKS of all cameras in which strayed stretches of the subject's tracks are tracks of their
    own.

    `subject_tracks`: camera_id and track_id of what is the subject's on any camera. A stretch
    reaches from the last place that agreed with the subject's elsewhere, or showed the subject's
    face, to the next one that does. Its number is new and negative, so that redaction takes it for
    a bystander. Where a contradiction is not ended by the two tracks that agreed before it, who is
    who afterwards is known by a face alone: times between such contradictions (or before the first,
    after the last) in which no face was proposed are strayed on all cameras. So are times after a
    cut, where two exchanged tracks and the cameras agree because it was guessed who is who.
    """
    if tracks.empty or subject_tracks.empty:
        return tracks
    names = pd.MultiIndex.from_frame(subject_tracks[["camera_id", "track_id"]])
    keys = pd.MultiIndex.from_frame(tracks[["camera_id", "track_id"]])
    subject = keys.isin(names)
    moments = _moments(tracks, subject)
    others = _bystanders(moments)
    strayed = np.zeros(len(tracks), bool)
    broken = np.zeros(len(tracks), bool)
    for name in names.unique():
        rows = np.flatnonzero(keys == name)
        rows = rows[np.argsort(tracks["t_utc"].to_numpy()[rows], kind="stable")]
        strayed[rows], broken[rows] = _stretches(
            tracks.iloc[rows], _compared(moments, name, others)
        )
    cut = _begun_by_a_cut(tracks, subject)
    strayed |= _near_a_cut(tracks, subject, cut) | _unvouched(tracks, subject, broken | cut)
    number = tracks["track_id"].to_numpy(np.int64, copy=True)
    number[strayed] = STRAYED - 1 - number[strayed]
    return tracks.assign(track_id=number)


def _moments(tracks: pd.DataFrame, subject: Flags) -> pd.DataFrame:
    """Detected rows with a position, by tick; one a tick and track."""
    rows = tracks.assign(subject=subject, tick=ticks_of(tracks["t_utc"]))
    rows = rows[(rows["score"] > 0) & rows["x_m"].notna()]
    columns = [
        "camera_id",
        "track_id",
        "tick",
        "x_m",
        "y_m",
        "cov_xx",
        "cov_xy",
        "cov_yy",
        "subject",
    ]
    return rows[columns].drop_duplicates(["camera_id", "track_id", "tick"]).reset_index(drop=True)


def _pairs(one: pd.DataFrame, two: pd.DataFrame) -> pd.DataFrame:
    """All pairs of moments of the same tick with `away` in metres, and whether that is `far` for
    one person, or `near`.
    """
    both = one.merge(two, on="tick", suffixes=("", "_other"))
    x, y = (both[c].to_numpy(float) - both[f"{c}_other"].to_numpy(float) for c in ("x_m", "y_m"))
    away = np.hypot(x, y)
    xx, xy, yy = (
        both[c].to_numpy(float) + both[f"{c}_other"].to_numpy(float)
        for c in ("cov_xx", "cov_xy", "cov_yy")
    )
    variance = (x**2 * xx + 2 * x * y * xy + y**2 * yy) / np.maximum(away, 1e-6) ** 2
    far = away > _APART_M + _SIGMAS * np.sqrt(np.maximum(variance, 0.0))
    return both.assign(away=away, far=far, near=away <= _APART_M)


def _bystanders(moments: pd.DataFrame) -> pd.MultiIndex:
    """(camera, track) of those who were at another place than the subject for long enough while
    both were seen.
    """
    pairs = _pairs(moments[~moments["subject"]], moments[moments["subject"]])
    counts = (
        pairs[pairs["far"]]
        .drop_duplicates(["camera_id", "track_id", "tick"])
        .value_counts(["camera_id", "track_id"])
    )
    return pd.MultiIndex.from_tuples(
        counts.index[counts >= _BYSTANDER_TICKS].tolist(), names=["camera_id", "track_id"]
    )


def _begun_by_a_cut(tracks: pd.DataFrame, subject: Flags) -> Flags:
    """(n,) the first rows of the subject's pieces that follow a cut."""
    out = np.zeros(len(tracks), bool)
    rows = np.flatnonzero(subject & follows_cut(tracks["track_id"].to_numpy()))
    pieces = tracks.iloc[rows]
    begun = pieces.groupby(["camera_id", "track_id"])["t_utc"].transform("min")
    out[rows] = (pieces["t_utc"] == begun).to_numpy(bool)
    return out


def _near_a_cut(tracks: pd.DataFrame, subject: Flags, cut: Flags) -> Flags:
    """(n,) the subject's rows on all cameras within `_CUT_TICKS` of a cut: its moment is known no
    better.
    """
    ticks = ticks_of(tracks["t_utc"])
    near = np.abs(ticks[:, None] - np.unique(ticks[cut])[None]) <= _CUT_TICKS
    return np.asarray(subject & near.any(axis=1), bool)


class _Said(NamedTuple):
    """What other cameras say of one of the subject's tracks: the ticks at which they contradict,
    and for each tick at which some agree, which tracks of the subject do.
    """

    far: frozenset[int]
    partners: dict[int, frozenset[tuple[str, int]]]


def _compared(moments: pd.DataFrame, name: tuple[str, int], bystanders: pd.MultiIndex) -> _Said:
    here = moments["camera_id"] == name[0]
    own = moments[here & (moments["track_id"] == name[1])]
    pairs = _pairs(own, moments[~here])
    theirs = pairs[pairs["subject_other"]]
    # Of two tracks of the subject on another camera the nearer one speaks; of several cameras each
    # does.
    apart = theirs.groupby(["tick", "camera_id_other"])["far"].all().groupby("tick").any()
    partners: dict[int, frozenset[tuple[str, int]]] = {}
    near = theirs[theirs["near"]]
    for tick, camera, track in zip(
        near["tick"], near["camera_id_other"], near["track_id_other"], strict=True
    ):
        partners[tick] = partners.get(tick, frozenset()) | {(camera, track)}
    taken = pairs[pairs["near"] & ~pairs["tick"].isin(list(partners))]
    taken = taken[
        pd.MultiIndex.from_frame(taken[["camera_id_other", "track_id_other"]]).isin(bystanders)
    ]
    taken = taken[~_explained(taken, moments[here & ~moments["subject"]])]
    return _Said(frozenset(apart.index[apart.to_numpy(bool)]) | frozenset(taken["tick"]), partners)


def _explained(taken: pd.DataFrame, here: pd.DataFrame) -> Flags:
    """(n,) whether the bystander of a pair is nearer to a track of their own on this camera than to
    the subject's.
    """
    theirs = taken[["tick", "x_m_other", "y_m_other", "away"]].reset_index(drop=True)
    at = theirs.reset_index().merge(here[["tick", "x_m", "y_m"]], on="tick")
    gap = np.hypot(at["x_m"] - at["x_m_other"], at["y_m"] - at["y_m_other"])
    return np.isin(np.arange(len(theirs)), at.loc[gap < at["away"], "index"])


def _stretches(rows: pd.DataFrame, said: _Said) -> tuple[Flags, Flags]:
    """(n,) rows of a track in order of time that strayed, and the contradictions which the same two
    tracks do not end.
    """
    ticks = ticks_of(rows["t_utc"])
    far = np.isin(ticks, list(said.far))
    partners = [said.partners.get(int(tick), frozenset()) for tick in ticks]
    face = rows["subject_p"].notna().to_numpy(bool)
    agrees = ~far & (face | np.array([bool(p) for p in partners], bool))
    strayed = np.zeros(len(rows), bool)
    broken = np.zeros(len(rows), bool)
    edges = np.r_[-1, np.flatnonzero(agrees), len(rows)]
    for before, after in pairwise(edges):
        inside = slice(before + 1, after)
        if not far[inside].any():
            continue
        strayed[inside] = True
        within = before >= 0 and after < len(rows)
        if not (within and (partners[before] & partners[after] or (face[before] and face[after]))):
            broken[inside] = far[inside]
    return strayed, broken


def _unvouched(tracks: pd.DataFrame, subject: Flags, broken: Flags) -> Flags:
    """(n,) the subject's rows of times between broken contradictions in which no face of the
    subject was proposed.
    """
    out = np.zeros(len(tracks), bool)
    if not broken.any():
        return out
    rows = np.flatnonzero(subject)
    rows = rows[np.argsort(tracks["t_utc"].to_numpy()[rows], kind="stable")]
    time = np.cumsum(broken[rows])
    face = tracks["subject_p"].notna().to_numpy(bool)[rows] & ~broken[rows]
    out[rows[~np.isin(time, time[face])]] = True
    return out
