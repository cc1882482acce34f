"""Tracks to anonymous persons: tracks of overlapping cameras are joined by position on the ground
and time alone.

All decisions are taken together, over the whole stretch of footage: every pair of paths gets a log
likelihood ratio (one person : two people), the surest pair is joined first, and its joint path is
compared anew with the rest. Two tracks that one camera sees at the same time are two people.
Nothing about anyone's looks is used, and no faces.
"""

from __future__ import annotations

import secrets
from collections import Counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from data_contracts.camera import Site
from data_contracts.record import Record
from data_contracts.tables.contracts import MEMBERS, PERSONS
from data_contracts.time import CLOCK_S
from tasks.people.ground_path import GroundPath, fuse, link_ratio, overlap_ratio, path_of
from tasks.people.mask_over_time import mask_over_time
from tasks.people.piece import base_of

Array = NDArray[np.float64]
# (camera, track) of two sides.
NeverTogether = tuple[frozenset[tuple[str, int]], frozenset[tuple[str, int]]]

# Log likelihood ratios that exceed the limit by this, odds of 55 to 1, are all clear: the surest
# evidence goes first among them. Chosen.
_CLEAR = 4.0


class JoinSettings(Record):
    """How tracks become persons. Chosen, together, for what the docstring says; measured together
    as joined persons in docs/accuracy.md, not varied one by one.

    `accept`: log likelihood ratio needed to join two paths (odds of 2.7 to 1). `link_s`: longest
    occlusion bridged. `density_per_m2`: how densely other people stand (one in 10 m²).
    `max_speed_mps`: fastest walk, the policies' default limit. `min_common_s`: shortest overlap
    judged, two ticks of the clock. `min_person_s`: a shorter path is left out; as long as the three
    detections that a track needs. `same_camera_overlap_s`: two tracks that one camera sees together
    for longer are two people; for less, one may be taking over from the other.
    """

    accept: float = 1.0
    link_s: float = Field(default=3.0, ge=0)
    density_per_m2: float = Field(default=0.1, gt=0)
    max_speed_mps: float = Field(default=2.5, gt=0)
    min_common_s: float = Field(default=0.4, gt=0)
    min_person_s: float = Field(default=0.6, ge=0)
    same_camera_overlap_s: float = Field(default=0.5, ge=0)


def join(
    tracks: pd.DataFrame,
    site: Site,
    rng: np.random.Generator,
    settings: JoinSettings | None = None,
    never: NeverTogether = (frozenset(), frozenset()),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Persons (contract PERSONS: fused, smoothed, on a 0.2 s grid) and members (contract MEMBERS)
    of TRACKS.

    `rng` draws the persons' names, so that they mean nothing beyond the run. No track of the first
    of `never` is joined with one of the second: people have said that these are two. Tracks without
    any ground position belong to no one. Bridged positions have `seen` False.
    """
    settings = settings or JoinSettings()
    placed = tracks[tracks["x_m"].notna()]
    if placed.empty:
        return PERSONS.empty(), MEMBERS.empty()
    origin = placed["t_utc"].min()
    paths = [
        path_of(rows, origin) for _, rows in placed.groupby(["camera_id", "track_id"], sort=True)
    ]
    groups = _Clusters(paths, site, settings, never).solve()
    names = _random_names(len(groups), rng)
    persons = []
    members = []
    for name, group in zip(names, groups, strict=True):
        if max(p.end - p.start for p in group) < settings.min_person_s / CLOCK_S:
            continue
        persons.append(_person_rows(name, group, placed, origin))
        members += [
            {"person_id": name, "camera_id": camera, "track_id": number}
            for p in group
            for camera, number in p.tracks
        ]
    table = pd.concat(persons, ignore_index=True) if persons else PERSONS.empty()
    return PERSONS.shape(table), MEMBERS.shape(members)


class _Clusters:
    """Agglomerative joining with constraints. A cluster is a list of track paths and their fused
    path.
    """

    def __init__(
        self, paths: list[GroundPath], site: Site, settings: JoinSettings, never: NeverTogether
    ) -> None:
        self._settings = settings
        self._members: dict[int, list[GroundPath]] = {i: [p] for i, p in enumerate(paths)}
        self._fused: dict[int, GroundPath] = dict(enumerate(paths))
        self._cameras = {i: {p.camera} for i, p in enumerate(paths)}
        # Bit sets over the tracks: which a cluster holds, and which it can never hold.
        self._of = {i: 1 << i for i in range(len(paths))}
        self._against = _exclusions(paths, settings, never)
        self._site = site
        self._adjacent: dict[tuple[str, str], bool] = {}
        self._score: dict[tuple[int, int], float] = {}
        self._known: dict[tuple[int, int], float] = {}
        self._beside: dict[int, set[int]] = {}
        self._merge_pieces()
        order = sorted(self._fused, key=lambda i: self._fused[i].start)
        for a, i in enumerate(order):
            for j in order[a + 1 :]:
                if self._fused[j].start > self._fused[i].end + settings.link_s / CLOCK_S:
                    break
                self._score_pair(i, j)

    def _merge_pieces(self) -> None:
        """Pieces of one track are one person."""
        first: dict[tuple[str, int], int] = {}
        for i, path in list(self._fused.items()):
            camera, number = path.tracks[0]
            key = (camera, int(base_of(np.asarray(number))))
            if key not in first:
                first[key] = i
            elif not self._seen_together(first[key], i):
                self._merge(first[key], i)

    def solve(self) -> list[list[GroundPath]]:
        """The persons' paths. The least ambiguous pair is joined first; what is ambiguous waits for
        better evidence.
        """
        while self._score:
            margins = {pair: self._margin(pair) for pair in self._score if pair not in self._known}
            self._known |= margins
            pair = max(self._known, key=lambda p: (min(self._known[p], _CLEAR), self._score[p]))
            self._merge(*pair)
        return list(self._members.values())

    def _margin(self, pair: tuple[int, int]) -> float:
        """By how much joining this pair beats the best other way to pair up its two sides and their
        rivals.

        With i-j joined, the rivals k of j and l of i may still be joined to each other; without,
        i-l and k-j may be.
        """
        i, j = pair
        of_i = [(k, s) for k, s in self._scores_of(i) if k != j and self._seen_together(k, j)]
        of_j = [(k, s) for k, s in self._scores_of(j) if k != i and self._seen_together(k, i)]
        best = max([s for _, s in of_i + of_j], default=0.0)
        for k, s in of_i:
            for other, t in of_j:
                if k != other:
                    best = max(
                        best, s + t - max(self._score.get((min(k, other), max(k, other)), 0.0), 0.0)
                    )
        return self._score[pair] - best

    def _scores_of(self, i: int) -> list[tuple[int, float]]:
        return [(k, self._score[min(i, k), max(i, k)]) for k in self._beside.get(i, ())]

    def _merge(self, i: int, j: int) -> None:
        self._members[i] += self._members.pop(j)
        self._fused[i] = fuse(self._members[i])
        self._cameras[i] |= self._cameras.pop(j)
        self._of[i] |= self._of.pop(j)
        self._against[i] |= self._against.pop(j)
        del self._fused[j]
        self._drop_cluster(i)
        self._drop_cluster(j)
        reach = self._settings.link_s / CLOCK_S
        for k, path in self._fused.items():
            if (
                k != i
                and path.start <= self._fused[i].end + reach
                and self._fused[i].start <= path.end + reach
            ):
                self._score_pair(i, k)

    def _drop_cluster(self, i: int) -> None:
        """Drop a cluster's pairs, and the margins of everything that compared itself with them."""
        near = self._beside.pop(i, set())
        for k in near:
            self._beside[k].discard(i)
            self._score.pop((min(i, k), max(i, k)), None)
            self._drop_margins(k)
        self._known = {p: m for p, m in self._known.items() if i not in p and p in self._score}

    def _drop_margins(self, i: int) -> None:
        for k in self._beside.get(i, ()):
            self._known.pop((min(i, k), max(i, k)), None)

    def _score_pair(self, i: int, j: int) -> None:
        """Keep the pair's log likelihood ratio where it could be one person at all."""
        if self._seen_together(i, j) or not self._cameras_meet(i, j):
            return
        s = self._settings
        a = self._fused[i]
        b = self._fused[j]
        total, judged = overlap_ratio(a, b, s.density_per_m2, s.min_common_s)
        link = link_ratio(a, b, s.density_per_m2, s.link_s, s.max_speed_mps)
        if link is not None and not judged:
            total += link
        elif link is not None:
            total += min(link, 0.0)
        if (judged or link is not None) and total >= s.accept:
            self._score[min(i, j), max(i, j)] = total
            self._beside.setdefault(i, set()).add(j)
            self._beside.setdefault(j, set()).add(i)
            self._drop_margins(i)
            self._drop_margins(j)

    def _seen_together(self, i: int, j: int) -> bool:
        """Whether one camera sees both at a time, or people have said it: they are two."""
        return bool(self._against[i] & self._of[j])

    def _cameras_meet(self, i: int, j: int) -> bool:
        """Whether some camera of one is the other's or overlaps with it: no identity outlasts a
        continuous view.
        """
        return any(self._meets(a, b) for a in self._cameras[i] for b in self._cameras[j])

    def _meets(self, a: str, b: str) -> bool:
        key = (min(a, b), max(a, b))
        if key not in self._adjacent:
            self._adjacent[key] = a == b or self._site.overlapping(*key)
        return self._adjacent[key]


def _exclusions(
    paths: list[GroundPath], settings: JoinSettings, never: NeverTogether
) -> dict[int, int]:
    """For each track the bit set of those that its camera saw at the same time, and of those that
    it is `never` joined with.
    """
    limit = settings.same_camera_overlap_s / CLOCK_S
    out = dict.fromkeys(range(len(paths)), 0)
    for i, p in enumerate(paths):
        for j in range(i):
            q = paths[j]
            if (
                p.camera == q.camera
                and min(p.end, q.end) - max(p.start, q.start) > limit
                and p.common(q) > limit
            ):
                out[i] |= 1 << j
                out[j] |= 1 << i
    sides = [
        [i for i, p in enumerate(paths) if any(key in side for key in p.tracks)] for side in never
    ]
    for i in sides[0]:
        for j in sides[1]:
            out[i] |= 1 << j
            out[j] |= 1 << i
    return out


def _random_names(n: int, rng: np.random.Generator) -> list[str]:
    """Distinct names in random order, without meaning."""
    numbers = (
        rng.choice(16**4, size=n, replace=False)
        if n <= 16**4
        else np.array([secrets.randbits(48) for _ in range(n)])
    )
    return [f"P-{int(number):04x}" for number in numbers]


def _person_rows(
    name: str, group: list[GroundPath], placed: pd.DataFrame, origin: pd.Timestamp
) -> pd.DataFrame:
    """The fused path as rows of PERSONS."""
    path = fuse(group, smoothed=True)
    seen_by: Counter[int] = Counter()
    cameras: dict[int, set[str]] = {}
    for p in group:
        for k in p.ticks[p.seen]:
            seen_by[int(k)] += 1
            cameras.setdefault(int(k), set()).add(p.camera)
    keys = {key for p in group for key in p.tracks}
    own = placed[[key in keys for key in zip(placed["camera_id"], placed["track_id"], strict=True)]]
    t_utc = origin + pd.to_timedelta(path.ticks * CLOCK_S, unit="s").round("ms")
    return pd.DataFrame(
        {
            "person_id": name,
            "t_utc": t_utc,
            "x_m": path.xy[:, 0],
            "y_m": path.xy[:, 1],
            "cov_xx": path.cov[:, 0, 0],
            "cov_xy": path.cov[:, 0, 1],
            "cov_yy": path.cov[:, 1, 1],
            "mask_p": mask_over_time(own, origin, (path.ticks * CLOCK_S).astype(np.float64)),
            "seen": [seen_by[int(k)] > 0 for k in path.ticks],
            "cameras": [",".join(sorted(cameras.get(int(k), set()))) for k in path.ticks],
        }
    )
