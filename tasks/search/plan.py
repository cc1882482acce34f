"""Plan which cameras to look at and when: the space-time prism (Hägerstrand 1970) of claims and
sightings.

A camera is worth looking at from the time someone could have walked there after one sighting until
the time they must have left for the next. Everything is cut to what consent and approval name and
to the infectious window; what is cut away is told as gaps.

A claim reaches its own cameras and the next cameras around them while the subject came and went, no
further: claims are coarse and often wrong, and what is really seen moves the search on. A sighting
reaches every camera within the policy's hops and horizon. Cameras of unknown way are looked at in a
straight line, within the policy's bounds; what is beyond these is told as a gap.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

import pandas as pd

from data_contracts.authorisation import AuthorisedCase
from data_contracts.camera import Site
from data_contracts.gap import GapRow, gap_row
from data_contracts.policy import Policy, SearchSettings
from data_contracts.tables.contracts import GAPS, WINDOWS
from data_contracts.time import Interval, intervals_of, merge, subtract, utc_of
from tasks.consent.authorise import require
from tasks.search.anchor import Anchor, claimed_anchors, infectious_window, sighting_anchors
from tasks.search.walking_time import Reach, walking_seconds

__all__ = [
    "Anchor",
    "Plan",
    "claimed_anchors",
    "follow_windows",
    "infectious_window",
    "new_windows",
    "plan",
    "sighting_anchors",
    "walking_seconds",
]


@dataclass(frozen=True)
class Plan:
    """`windows` (contract WINDOWS) to look at and `gaps` (contract GAPS) of what may not or cannot
    be.
    """

    windows: pd.DataFrame
    gaps: pd.DataFrame


class Wish(NamedTuple):
    """A camera and a time worth looking at, before it is cut to what is allowed."""

    camera_id: str
    interval: Interval
    reason: str
    anchor: str


def plan(
    case: AuthorisedCase,
    site: Site,
    policy: Policy,
    anchors: Iterable[Anchor],
    round_no: int,
    known: Collection[str] = (),
) -> Plan:
    """Windows that follow from the anchors, at most one for a camera at a time, in order of time
    and camera. `known` are the cameras of earlier rounds: they count first among those that the
    approval allows.

    Raises NotAuthorised unless `case` was made by `authorise`.
    """
    require(case)
    reach = Reach(site, policy.search.max_speed_mps)
    ordered = sorted(set(anchors), key=lambda a: (a.from_utc, a.anchor_id))
    around = [_Around(a, reach, policy.search) for a in ordered]
    wanted = {camera for near in around for camera in near.all}
    prisms = [_Prism(n, reach, policy, wanted) for n in around if n.anchor.kind == "sighting"]
    wishes = [wish for i in prisms for wish in _after_sighting(i, prisms, policy)]
    for near in around:
        if near.anchor.kind == "claimed":
            wishes += _after_claim(near, prisms, reach, policy)
    planned = _allowed_windows(wishes, case, site, policy, round_no, known)
    left_out = GAPS.shape(list(_left_out_gaps(around, policy.search)))
    gaps = [frame for frame in (planned.gaps, left_out) if len(frame)]
    return Plan(planned.windows, pd.concat(gaps, ignore_index=True) if gaps else planned.gaps)


def follow_windows(
    case: AuthorisedCase,
    site: Site,
    policy: Policy,
    seen: pd.DataFrame,
    pad_s: float,
    round_no: int = 0,
    known: pd.DataFrame | None = None,
    alike: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Windows (contract WINDOWS) to follow densely: `pad_s` around each stretch seen, on the camera
    itself and on every camera that can be reached within `pad_s`.

    `seen` has camera_id, start_utc, end_utc; `alike` too, of people in the subject's clothes: they
    are followed on the cameras that overlap alone, until following says whether they are the
    subject. `known` are the windows of earlier rounds: where the subject was still in view when one
    of them ended, the next is as long as the stay until then, so that a stay of hours takes few
    rounds. Call again with what the new windows showed until `new_windows` is empty.
    """
    require(case)
    reach = Reach(site, policy.search.max_speed_mps)
    looked = _by_camera(WINDOWS.empty() if known is None else known)
    stays = {
        camera: [_padded(stay, pad_s, looked.get(camera, [])) for stay in _stays(spans, pad_s)]
        for camera, spans in _by_camera(seen).items()
    }
    most_h = policy.search.unknown_way_hours
    wishes = [*_around(stays, reach, pad_s, most_h, "the subject")]
    if alike is not None:
        pad = timedelta(seconds=pad_s)
        near = {
            camera: [Interval(a - pad, b + pad) for a, b in spans]
            for camera, spans in _by_camera(alike).items()
        }
        wishes += _around(near, reach, 0.0, most_h, "somebody in the subject's clothes")
    return _allowed_windows(wishes, case, site, policy, round_no, set(looked)).windows


def _around(
    seen: Mapping[str, list[Interval]], reach: Reach, within_s: float, most_h: float, whom: str
) -> Iterator[Wish]:
    """Around each stretch in which `whom` was seen, on the cameras within so many seconds; of those
    whose way is not known the nearest, for `most_h` hours.
    """
    for own in sorted(seen):
        stretches = merge(seen[own])
        each_h = sum(_hours(stretch) for stretch in stretches)
        unknown = reach.unknown((own,), within_s * reach.max_speed_mps)
        too_many = {u.camera_id for i, u in enumerate(unknown, start=1) if i * each_h > most_h}
        for other in sorted({own, *reach.times((own,), within_s)} - too_many):
            here = f"{whom} seen on {own}".removeprefix("the subject ")
            near = f"in reach of {own}, where {whom} was seen"
            for stretch in stretches:
                yield Wish(other, stretch, here if other == own else near, f"follow-{own}")


def _hours(interval: Interval) -> float:
    return (interval.end_utc - interval.start_utc) / timedelta(hours=1)


def _by_camera(windows: pd.DataFrame) -> dict[str, list[Interval]]:
    return {str(camera): intervals_of(rows) for camera, rows in windows.groupby("camera_id")}


def _stays(seen: Sequence[Interval], within_s: float) -> list[Interval]:
    """What was seen, instants too, as stays: stretches closer than `within_s` are one."""
    out: list[Interval] = []
    for span in sorted(seen):
        if out and (span.start_utc - out[-1].end_utc).total_seconds() <= within_s:
            out[-1] = Interval(out[-1].start_utc, max(out[-1].end_utc, span.end_utc))
        else:
            out.append(span)
    return out


def _padded(stay: Interval, pad_s: float, looked: Sequence[Interval]) -> Interval:
    """A stay with what is to be looked at around it: `pad_s`, or as long as the stay at an end at
    which the subject was in view when the looking ended.
    """
    pad = timedelta(seconds=pad_s)
    around = Interval(stay.start_utc - pad, stay.end_utc + pad)
    beside = [w for w in merge(list(looked)) if w.intersect(around)]
    long = max(pad, stay.end_utc - stay.start_utc) if beside else pad
    # Whole files are read, so that somebody may be seen after a window's end.
    left_before = any(w.start_utc <= around.start_utc for w in beside)
    left_after = any(w.end_utc >= around.end_utc for w in beside)
    return Interval(
        stay.start_utc - (pad if left_before else long),
        stay.end_utc + (pad if left_after else long),
    )


def new_windows(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """The parts of `new` that `old` does not cover, as windows of their own (contract WINDOWS)."""
    known = _by_camera(old)
    rows = []
    for row in new.to_dict("records"):
        whole = Interval(utc_of(row["start_utc"]), utc_of(row["end_utc"]))
        rows += [
            _window({str(k): v for k, v in row.items()}, part)
            for part in subtract(whole, known.get(row["camera_id"], []))
        ]
    return WINDOWS.shape(rows)


class _Around:
    """The cameras around an anchor: by ways, and near it in a straight line where no way is known.

    `left_out` are those of unknown way that are not looked at.
    """

    def __init__(self, anchor: Anchor, reach: Reach, search: SearchSettings) -> None:
        self.anchor = anchor
        hops = 1 if anchor.kind == "claimed" else search.max_hops
        self.by_ways = reach.near(anchor.camera_ids, hops)
        unknown = reach.unknown(anchor.camera_ids, search.horizon_s * search.max_speed_mps)
        unknown = [u for u in unknown if u.camera_id not in self.by_ways]
        self.unknown = [u.camera_id for u in unknown if u.metres <= search.unknown_way_m]
        self.left_out = [u.camera_id for u in unknown if u.metres > search.unknown_way_m]
        self._hours_left = search.unknown_way_hours

    @property
    def all(self) -> set[str]:
        """The anchor's cameras and those around them."""
        return {*self.anchor.camera_ids, *self.by_ways, *self.unknown}

    def cameras(self, times: Mapping[str, float]) -> list[str]:
        """Those that can be reached: by ways first, then those of unknown way, nearest first."""
        return [c for c in (*sorted(self.by_ways), *self.unknown) if c in times]

    def within_bound(self, wishes: Sequence[Wish]) -> Sequence[Wish]:
        """One camera's wishes, or none where its way is not known and the hours for these are
        used up.
        """
        if not wishes or wishes[0].camera_id not in self.unknown:
            return wishes
        self._hours_left -= sum(_hours(wish.interval) for wish in wishes)
        if self._hours_left >= 0:
            return wishes
        self.left_out.append(wishes[0].camera_id)
        return []


class _Prism:
    """A sighting with the walking times from it to the cameras that are `wanted`."""

    def __init__(
        self, around: _Around, reach: Reach, policy: Policy, wanted: Collection[str]
    ) -> None:
        self.around = around
        self.anchor = around.anchor
        self.horizon_s = policy.search.horizon_s
        self.times = reach.times(self.anchor.camera_ids, self.horizon_s, wanted)
        # A doubtful sighting proposes places but rules none out: it may be someone else.
        self.rules_out = self.anchor.probability >= policy.search.high_probability

    def excluded(self, camera_id: str) -> Interval | None:
        """When nobody seen here can be there: walking time before and after, less what the times
        are uncertain by.
        """
        seconds = (
            min(self.times.get(camera_id, self.horizon_s), self.horizon_s) - self.anchor.slack_s
        )
        if seconds <= 0:
            return None
        return Interval(
            self.anchor.from_utc - timedelta(seconds=seconds),
            self.anchor.to_utc + timedelta(seconds=seconds),
        )

    def agrees(self, other: _Prism) -> bool:
        """Whether one person can be both sightings."""
        a = self.anchor
        b = other.anchor
        apart_s = max(
            (b.from_utc - a.to_utc).total_seconds(), (a.from_utc - b.to_utc).total_seconds()
        )
        walk_s = min(self.times.get(camera, self.horizon_s) for camera in b.camera_ids)
        return apart_s + a.slack_s + b.slack_s >= walk_s

    def touches(self, stretch: Interval) -> bool:
        """Whether its walking times can matter in a stretch of time."""
        reach = timedelta(seconds=self.horizon_s)
        return (
            self.anchor.from_utc - reach < stretch.end_utc
            and stretch.start_utc < self.anchor.to_utc + reach
        )


def _after_sighting(prism: _Prism, prisms: list[_Prism], policy: Policy) -> list[Wish]:
    """The prism: open ends end at the horizon, other sightings that agree with this one bound
    it.
    """
    anchor = prism.anchor
    horizon = timedelta(seconds=policy.search.horizon_s)
    whole = Interval(anchor.from_utc - horizon, anchor.to_utc + horizon)
    others = [
        p for p in prisms if p is not prism and p.rules_out and p.touches(whole) and p.agrees(prism)
    ]
    wishes = [Wish(c, anchor.interval, anchor.label, anchor.anchor_id) for c in anchor.camera_ids]
    reason = f"in reach of {', '.join(anchor.camera_ids)}, where the subject was seen"
    for camera_id in prism.around.cameras(prism.times):
        parts = subtract(whole, _excluded_times(camera_id, [prism, *others]))
        wishes += prism.around.within_bound(
            [Wish(camera_id, part, reason, anchor.anchor_id) for part in parts]
        )
    return wishes


def _after_claim(around: _Around, prisms: list[_Prism], reach: Reach, policy: Policy) -> list[Wish]:
    """The claimed cameras at the claimed time whatever was seen; the next cameras only where
    sightings allow it.
    """
    anchor = around.anchor
    own = anchor.interval
    wishes = [Wish(c, own, anchor.label, anchor.anchor_id) for c in anchor.camera_ids]
    sure = [p for p in prisms if p.rules_out and p.touches(own)]
    if sure and not any(subtract(own, _excluded_times(c, sure)) for c in anchor.camera_ids):
        return wishes
    times = reach.times(anchor.camera_ids, policy.search.horizon_s, around.all)
    reason = f"next to where the subject is {anchor.label}"
    for camera_id in around.cameras(times):
        if camera_id in anchor.camera_ids:
            continue
        stretches = _coming_and_going(anchor, timedelta(seconds=times[camera_id]))
        parts = [p for s in stretches for p in subtract(s, _excluded_times(camera_id, sure))]
        wishes += around.within_bound(
            [Wish(camera_id, part, reason, anchor.anchor_id) for part in parts]
        )
    return wishes


def _left_out_gaps(around: Sequence[_Around], search: SearchSettings) -> Iterator[GapRow]:
    """What was not looked at because nobody knows the way to it, by the cameras that it is around
    and stretches of time.
    """
    groups: dict[tuple[str, ...], list[_Around]] = {}
    for near in around:
        if near.left_out:
            groups.setdefault(near.anchor.camera_ids, []).append(near)
    for cameras, members in sorted(groups.items()):
        left_out = list(dict.fromkeys(c for near in members for c in near.left_out))
        more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
        detail = (
            f"the camera file names no way between {', '.join(cameras[:_NAMED])} and "
            f"{', '.join(left_out[:_NAMED])}{more}: of such cameras those within "
            f"{search.unknown_way_m:g} m are looked at, for {search.unknown_way_hours:g} hours of "
            "recording around one sighting or claim, and these were not"
        )
        for span in merge([near.anchor.interval for near in members]):
            yield gap_row("not_covered", "", span, detail, _NO_WAY)


def _coming_and_going(anchor: Anchor, walk: timedelta) -> list[Interval]:
    """When someone who was at the claimed place can be seen a walk away from it: all the time where
    the views overlap, else around arriving and leaving.
    """
    slack = timedelta(seconds=anchor.slack_s)
    if not walk:
        return [anchor.interval]
    coming = Interval(anchor.from_utc - slack - walk, anchor.from_utc + slack)
    going = Interval(anchor.to_utc - slack, anchor.to_utc + slack + walk)
    return merge([coming, going])


def _excluded_times(camera_id: str, prisms: list[_Prism]) -> list[Interval]:
    return [gap for p in prisms if (gap := p.excluded(camera_id)) is not None]


def _allowed_windows(
    wishes: list[Wish],
    case: AuthorisedCase,
    site: Site,
    policy: Policy,
    round_no: int,
    known: Collection[str],
) -> Plan:
    """Wishes merged per camera and cut to consent, approval and infectious window; what is cut away
    as gaps.
    """
    infectious = infectious_window(case.request, policy)
    admitted = _admitted(wishes, case, site, known)
    windows = []
    gaps = []
    for wish in _merged_wishes(wishes):
        if wish.camera_id not in site.by_id:
            gaps.append(gap_row("not_covered", wish.camera_id, wish.interval, *_NO_SUCH_CAMERA))
            continue
        if not case.allows_camera(wish.camera_id):
            gaps.append(gap_row("not_authorised", wish.camera_id, wish.interval, *_NO_CAMERA))
            continue
        if wish.camera_id not in admitted:
            text = f"the approval allows {case.limits.cameras} cameras, and this is one more"
            gaps.append(
                gap_row("not_authorised", wish.camera_id, wish.interval, text, _MORE_CAMERAS)
            )
            continue
        for part in subtract(wish.interval, [case.span]):
            gaps.append(gap_row("not_authorised", wish.camera_id, part, *_NO_TIME))
        inside = wish.interval.intersect(case.span)
        if inside is None:
            continue
        for part in subtract(inside, [infectious]):
            gaps.append(gap_row("not_infectious", wish.camera_id, part, *_NOT_INFECTIOUS))
        if (kept := inside.intersect(infectious)) is not None:
            row = {
                "camera_id": wish.camera_id,
                "reason": wish.reason,
                "anchor": wish.anchor,
                "round": round_no,
            }
            windows.append(_window(row, kept))
    windows.sort(key=lambda row: (row["start_utc"], row["camera_id"]))
    return Plan(WINDOWS.shape(windows), GAPS.shape(gaps))


def _admitted(
    wishes: list[Wish], case: AuthorisedCase, site: Site, known: Collection[str]
) -> set[str]:
    """As many cameras as the approval allows: those of earlier rounds, then in the order wished."""
    wished = [w.camera_id for w in wishes]
    order = dict.fromkeys(
        c for c in (*sorted(known), *wished) if c in site.by_id and case.allows_camera(c)
    )
    return set(list(order)[: case.limits.cameras])


# How many cameras a gap's row names.
_NAMED = 3
_NO_WAY = (
    "declare the neighbours of these cameras in the camera file, and what they cover "
    "(docs/cameras.md)"
)
_MORE_CAMERAS = "ask for a wider approval, or name fewer places in the itinerary"
_NO_SUCH_CAMERA = ("the site has no such camera", "check its id")
_NO_CAMERA = (
    "consent and approval do not both name this camera",
    "ask for a wider consent if this place matters",
)
_NO_TIME = (
    "outside the time that consent and approval both name",
    "ask for a wider consent if this time matters",
)
_NOT_INFECTIOUS = (
    "outside the infectious window of the policy",
    "nothing: contacts at this time do not count",
)


def _merged_wishes(wishes: list[Wish]) -> list[Wish]:
    """One wish for a camera at a time; reasons and anchors of those that met are joined, each
    once.
    """
    by_camera: dict[str, list[Wish]] = {}
    for wish in wishes:
        by_camera.setdefault(wish.camera_id, []).append(wish)
    out = []
    for camera_id in sorted(by_camera):
        group = sorted(by_camera[camera_id], key=lambda w: (w.interval, w.anchor, w.reason))
        at = 0
        for whole in merge([w.interval for w in group]):
            start = at
            while at < len(group) and group[at].interval.start_utc < whole.end_utc:
                at += 1
            members = group[start:at]
            reasons, anchors = (
                list(dict.fromkeys(x))
                for x in zip(*((w.reason, w.anchor) for w in members), strict=True)
            )
            out.append(Wish(camera_id, whole, "; ".join(reasons), ", ".join(anchors)))
    return out


def _window(row: dict[str, Any], part: Interval) -> dict[str, Any]:
    """A window whose id follows from its camera, time and round, so that planning again names it
    the same.
    """
    key = (
        f"{row['camera_id']}|{part.start_utc.isoformat()}|{part.end_utc.isoformat()}|{row['round']}"
    )
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return {**row, "window_id": f"W-{digest}", "start_utc": part.start_utc, "end_utc": part.end_utc}
