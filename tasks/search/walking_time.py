"""How soon someone can walk from one camera's view to another's: the space part of the space-time
prism.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import shapely
from shapely.geometry.base import BaseGeometry

from data_contracts.camera import Site
from data_contracts.errors import BadInput
from data_contracts.policy import SearchSettings
from data_contracts.site_map import box_of, place_of


class Unknown(NamedTuple):
    """A camera that may be next to another for all that the site says, and how far it is at least,
    in m (between boxes; 0 where a place is unknown).
    """

    camera_id: str
    metres: float


class Reach:
    """Shortest walking times over a site's ways; only cameras near those asked about are looked at.

    A declared neighbour counts in both directions; cameras whose coverages overlap are 0 s apart. A
    time is never less than the straight distance between the two coverages at `max_speed_mps`. A
    camera without any neighbour or overlap has an unknown way to it: it is taken as reachable in a
    straight line (0 s where its place is unknown too), because leaving it out would silently never
    search it.
    """

    def __init__(self, site: Site, max_speed_mps: float) -> None:
        self.site = site
        self.max_speed_mps = max_speed_mps
        self._places: dict[str, BaseGeometry | None] = {}

    def times(
        self, sources: tuple[str, ...], limit_s: float, wanted: Collection[str] | None = None
    ) -> dict[str, float]:
        """Seconds from the nearest of `sources` to every camera reachable within `limit_s`, or to
        those of them that are `wanted`.
        """
        start = self._known(sources)
        best = {
            camera_id: seconds and max(seconds, self._straight_s(start, camera_id))
            for camera_id, seconds in self._by_ways(start, limit_s, wanted)
        }
        for camera_id in self._by_line(start, limit_s, wanted):
            straight = self._straight_s(start, camera_id)
            best[camera_id] = min(best.get(camera_id, math.inf), straight)
        return {camera_id: seconds for camera_id, seconds in best.items() if seconds <= limit_s}

    def near(self, sources: tuple[str, ...], hops: int) -> set[str]:
        """Cameras within so many neighbours of `sources`, these included."""
        found = set(self._known(sources))
        frontier = set(found)
        for _ in range(hops):
            frontier = {j for i in frontier for j in self.site.map.ways(i)} - found
            found |= frontier
        return found

    def unknown(self, sources: tuple[str, ...], within_m: float) -> list[Unknown]:
        """Cameras whose way from `sources` is not known, nearest first: those without any way, and
        all where a source is one. Those of unknown place come last.
        """
        start = self._known(sources)
        known = self.site.map
        found: dict[str, float] = {}
        for source in start:
            box = box_of(self._place(source))
            lonely = bool(known.ways(source))
            nowhere: Iterable[str] = known.unplaced(lonely=lonely)
            if box is not None:
                for metres, camera_id in known.around(box, within_m, lonely=lonely):
                    found[camera_id] = min(metres, found.get(camera_id, math.inf))
            elif not lonely:
                nowhere = self.site.by_id
            found |= {c: math.inf for c in nowhere if c not in found}
        ranked = sorted((metres, c) for c, metres in found.items() if c not in start)
        return [Unknown(c, 0.0 if math.isinf(metres) else metres) for metres, c in ranked]

    def _known(self, sources: tuple[str, ...]) -> list[str]:
        return [s for s in sources if s in self.site.by_id]

    def _by_ways(
        self, start: list[str], limit_s: float, wanted: Collection[str] | None
    ) -> Iterator[tuple[str, float]]:
        """Seconds from the nearest of `start` over ways (Dijkstra 1959); ends when what is wanted
        is found.
        """
        parts = {self.site.map.part(s) for s in start}
        missing = None
        if wanted is not None:
            missing = {c for c in wanted if c in self.site.by_id}
            missing = {c for c in missing if self.site.map.part(c) in parts}
        waiting = [(0.0, s) for s in start]
        done: set[str] = set()
        while waiting and (missing is None or missing):
            seconds, here = heapq.heappop(waiting)
            if here in done:
                continue
            done.add(here)
            if missing is None or here in missing:
                yield here, seconds
            if missing is not None:
                missing.discard(here)
            for there, more in self.site.map.ways(here).items():
                if there not in done and seconds + more <= limit_s:
                    heapq.heappush(waiting, (seconds + more, there))

    def _by_line(
        self, start: list[str], limit_s: float, wanted: Collection[str] | None
    ) -> list[str]:
        """Cameras to be reached in a straight line."""
        if not start:
            return []
        if wanted is None:
            return [u.camera_id for u in self.unknown(tuple(start), limit_s * self.max_speed_mps)]
        known = self.site.map
        everywhere = not all(known.ways(s) for s in start)
        there = [c for c in wanted if c in self.site.by_id and c not in start]
        return [c for c in there if everywhere or not known.ways(c)]

    def _straight_s(self, start: list[str], camera_id: str) -> float:
        """Seconds of the straight line at the highest speed; 0 where a place is unknown."""
        there = self._place(camera_id)
        places = [self._place(s) for s in start]
        if there is None or any(place is None for place in places):
            return 0.0
        return min(float(shapely.distance(place, there)) for place in places) / self.max_speed_mps

    def _place(self, camera_id: str) -> BaseGeometry | None:
        if camera_id not in self._places:
            self._places[camera_id] = place_of(self.site.by_id[camera_id])
        return self._places[camera_id]


def walking_seconds(
    site: Site, a: str, b: str, max_speed_mps: float = SearchSettings().max_speed_mps
) -> float:
    """Least walking time between two cameras' views in seconds; inf where there is no way.

    Raises BadInput for a camera that the site does not have.
    """
    for camera_id in (a, b):
        if camera_id not in site.by_id:
            raise BadInput(f"camera {camera_id} is not on the site")
    return Reach(site, max_speed_mps).times((a,), math.inf, (b,)).get(b, math.inf)
