"""Where tracks of one camera met, so that they may have been exchanged: boxes or places that met,
and tracks that end or begin so near to another that either may have taken the other over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from data_contracts.record import Record
from data_contracts.time import CLOCK_S, seconds_of, ticks_of
from tasks.ground.position import Locator
from tasks.people.switched import share_inside
from tasks.people.told import said_of
from tasks.people.track_position import body_height, measurements

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
_BOX = ["x0", "y0", "x1", "y1"]
# Of any height: what hides feet makes people short.
_ANY_HEIGHT_SD_M = 0.3


class ExchangeSettings(Record):
    """When tracks are taken for exchanged. Chosen for the reasons beside them, and tried on the
    development scenes of `benchmarks.family` (docs/accuracy.md).

    `met`: boxes met where this share of the smaller one lies in the other, unless they are
    `far_m` apart on the floor; or two are within `near_m` there. `window_s`: so long before and
    after a moment tells how somebody moves, and `height_window_s` how tall they are. `lost_s`: so
    long nobody need be seen in between, as in `JoinSettings.link_s`; `max_speed_mps`: the fastest
    walk, as there. `density_per_m2`: other people, as there. `vanish`: what it costs to say that
    somebody was never seen again, or comes from nowhere; `stranger`: and more, that somebody who
    was not seen before goes on in the box of another. `most_sds`: no position counts as further
    off. `height_sd_m`: the part of a height's deviation that does not average out; `height_most`:
    what heights say at most, since hidden feet make people short. `subject_share`: of those who
    meet, the share that is the subject before anything is known.

    `least`: log likelihood ratio (odds of 20 to 1) from which another matching is taken;
    `least_cut`: from which somebody is only said to be somebody else. `most_people`: in one
    meeting.
    """

    met: float = 0.3
    near_m: float = 1.0
    far_m: float = 2.0
    window_s: float = Field(default=3.0, gt=0)
    height_window_s: float = Field(default=6.0, gt=0)
    lost_s: float = Field(default=3.0, gt=0)
    max_speed_mps: float = Field(default=2.5, gt=0)
    density_per_m2: float = Field(default=0.1, gt=0)
    vanish: float = 2.0
    stranger: float = 2.0
    most_sds: float = 3.0
    height_sd_m: float = 0.04
    height_most: float = 4.0
    subject_share: float = Field(default=0.2, gt=0, lt=1)
    least: float = 3.0
    least_cut: float = 5.0
    most_people: int = Field(default=4, ge=2)


@dataclass(frozen=True, eq=False)
class CameraRows:
    """A camera's rows by time. `person` (n,) is whose each is said to be; exchanges that are found
    change it. `xy` (n, 2), `cov` (n, 2, 2) as measured, `height` (n,) that foot and head imply;
    NaN where interpolated or unknown.
    """

    tick: Ints
    person: Ints
    box: Array
    seen: NDArray[np.bool_]
    xy: Array
    cov: Array
    height: Array
    told: Array

    def between(self, begin: int, end: int) -> Ints:
        """Rows from a tick on to before another."""
        return np.arange(*np.searchsorted(self.tick, [begin, end]))

    def of(self, person: int, begin: int, end: int) -> Ints:
        """Those of a person."""
        rows = self.between(begin, end)
        return rows[self.person[rows] == person]


@dataclass(frozen=True)
class Meeting:
    """Rows of two tracks that met, and from which tick to which."""

    rows: tuple[int, int]
    begin: int
    end: int


def camera_rows(
    tracks: pd.DataFrame, hidden: Array, locator: Locator, told: pd.DataFrame | None
) -> CameraRows:
    """TRACKS of one camera, by time, with the shares (n,) that nearer people hide of them."""
    person = tracks["track_id"].to_numpy(np.int64, copy=True)
    seen = (tracks["score"] > 0).to_numpy(bool)
    boxes = tracks[_BOX].to_numpy(float)
    implied = locator.locate(boxes, height_sd_m=_ANY_HEIGHT_SD_M, hidden_share=hidden).height_m
    implied[~seen] = np.nan
    usual = locator.locate(boxes, hidden_share=hidden).height_m
    tick = ticks_of(tracks["t_utc"])
    xy = np.full((len(tracks), 2), np.nan)
    cov = np.full((len(tracks), 2, 2), np.nan)
    for number in np.unique(person):
        own = np.flatnonzero(person == number)
        height_m, sd_m = body_height(usual[own][seen[own]])
        ground = locator.locate(boxes[own], height_m, sd_m, hidden[own])
        at = seconds_of(tracks["t_utc"].iloc[own])
        xy[own], cov[own] = measurements(at, ground, seen[own])
    xy = _on_ticks(tracks["t_utc"], tick, person, xy)
    said = np.zeros((len(tracks), 2)) if told is None else said_of(tracks, told)
    return CameraRows(tick, person, boxes, seen, xy, cov, implied, said)


def _on_ticks(times: pd.Series, tick: Ints, person: Ints, xy: Array) -> Array:
    """Positions (n, 2) at the beginnings of their ticks: pictures need not be a tick apart."""
    out = xy.copy()
    at = seconds_of(times, times.iloc[0])
    late = times.dt.as_unit("ns").astype("int64").to_numpy() / 1e9 - tick * CLOCK_S
    # What all pictures are late by moves nobody.
    late = late - float(np.median(late))
    for number in np.unique(person):
        own = np.flatnonzero((person == number) & np.isfinite(xy).all(1))
        for k in (0, 1) if len(own) else ():
            out[own, k] = np.interp(at[own] - late[own], at[own], xy[own, k])
    return out


def meetings(rows: CameraRows, settings: ExchangeSettings) -> list[Meeting]:
    """Where two tracks' boxes met, or their places did, by time; long ones in parts."""
    met = [
        pair
        for at in np.split(np.flatnonzero(rows.seen), _changes(rows.tick[rows.seen]))
        for pair in _met(rows, at, settings)
    ]
    if not met:
        return []
    pairs = np.array(met)
    names = rows.person[pairs]
    order = np.lexsort((rows.tick[pairs[:, 0]], names[:, 1], names[:, 0]))
    pairs = pairs[order]
    tick = rows.tick[pairs[:, 0]]
    names = names[order]
    apart = (np.diff(tick) > settings.lost_s / CLOCK_S) | (np.diff(names, axis=0) != 0).any(1)
    whole = np.split(np.arange(len(pairs)), np.flatnonzero(apart) + 1)
    most = round(settings.window_s / CLOCK_S)
    parts = [p for w in whole for p in np.split(w, _changes((tick[w] - tick[w[0]]) // most))]
    found = [
        Meeting((int(pairs[p[0], 0]), int(pairs[p[0], 1])), int(tick[p[0]]), int(tick[p[-1]]))
        for p in parts
    ]
    return sorted([*found, *_taken_over(rows, settings)], key=lambda m: (m.begin, m.rows))


def _taken_over(rows: CameraRows, settings: ExchangeSettings) -> Iterator[Meeting]:
    """Where a track ends or begins so near to another one that either may have taken the other
    over.
    """
    lost = round(settings.lost_s / CLOCK_S)
    own = np.flatnonzero(rows.seen & np.isfinite(rows.xy).all(1))
    tracks = pd.Series(own).groupby(rows.person[own])
    for _, ends in tracks.agg(["first", "last"]).iterrows():
        for end, begin, until in (
            (int(ends["last"]), 0, lost),
            (int(ends["first"]), -lost, 0),
        ):
            tick = int(rows.tick[end])
            near = rows.between(tick + begin, tick + until + 1)
            near = near[rows.seen[near] & (rows.person[near] != rows.person[end])]
            reach = settings.near_m + settings.max_speed_mps * CLOCK_S * np.abs(
                rows.tick[near] - tick
            )
            away = np.hypot(*(rows.xy[near] - rows.xy[end]).T)
            near = near[away <= reach]
            for other in np.unique(rows.person[near]):
                met = near[rows.person[near] == other]
                pair = (end, int(met[0]))
                yield Meeting(pair, int(rows.tick[met[0]]), int(rows.tick[met[-1]]))


def _changes(values: Ints) -> Ints:
    return np.flatnonzero(np.diff(values)) + 1


def _met(rows: CameraRows, at: Ints, settings: ExchangeSettings) -> Iterator[tuple[int, int]]:
    """Pairs of one tick's rows that met."""
    one, other = (at[k] for k in np.triu_indices(len(at), 1))
    # In footage of more than five pictures a second somebody has two rows in a tick.
    two = rows.person[one] != rows.person[other]
    one, other = one[two], other[two]
    away = np.hypot(*(rows.xy[one] - rows.xy[other]).T)
    boxes = share_inside(rows.box[one], rows.box[other]) >= settings.met
    for k in np.flatnonzero((away <= settings.near_m) | (boxes & ~(away > settings.far_m))):
        a, b = int(one[k]), int(other[k])
        yield (a, b) if rows.person[a] < rows.person[b] else (b, a)
