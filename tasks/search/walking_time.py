"""How soon someone can walk from one camera's view to another's: the space part of the space-time
prism.
"""

from __future__ import annotations

import math

import numpy as np
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from data_contracts.camera import Camera, Site
from data_contracts.errors import BadInput
from data_contracts.policy import SearchSettings


class Reach:
    """Shortest walking times over a site's neighbour graph.

    A declared neighbour counts in both directions; cameras whose coverages overlap are 0 s apart. A
    time is never less than the straight distance between the two coverages at `max_speed_mps`. A
    camera without any neighbour or overlap has an unknown way to it: it is taken as reachable in a
    straight line (0 s where its place is unknown too), because leaving it out would silently never
    search it.
    """

    def __init__(self, site: Site, max_speed_mps: float) -> None:
        self.max_speed_mps = max_speed_mps
        self.index = {camera.camera_id: i for i, camera in enumerate(site.cameras)}
        self.ids = list(self.index)
        self.places = np.array([_place_of(camera) for camera in site.cameras], dtype=object)
        self.edges = _neighbour_edges(site, self.index, self.places)
        self._graph = _sparse_graph(self.edges)
        self.lonely = np.array(
            [i for i, found in enumerate(self.edges) if not found], dtype=np.int64
        )

    def times(self, sources: tuple[str, ...], limit_s: float) -> dict[str, float]:
        """Seconds from the nearest of `sources` to every camera reachable within
        `limit_s`.
        """
        start = [self.index[s] for s in sources if s in self.index]
        best = self._by_neighbours(start, limit_s)
        by_line = self._straight_times(start, self._all_or_lonely(start))
        for j, seconds in by_line.items():
            if seconds <= limit_s:
                best[j] = min(best.get(j, math.inf), seconds)
        return self._not_faster_than_straight(start, best, limit_s)

    def _by_neighbours(self, start: list[int], limit_s: float) -> dict[int, float]:
        """Seconds from the nearest of `start` over the neighbour graph, to cameras within
        `limit_s`.
        """
        if not start:
            return {}
        times = dijkstra(self._graph, indices=start, min_only=True, limit=limit_s)
        return {int(i): float(times[i]) for i in np.flatnonzero(np.isfinite(times))}

    def near(self, sources: tuple[str, ...], hops: int) -> set[str]:
        """Cameras within so many neighbours of `sources`, these included; cameras of unknown way
        always.
        """
        start = [self.index[s] for s in sources if s in self.index]
        found = set(start)
        frontier = set(start)
        for _ in range(hops):
            frontier = {j for i in frontier for j in self.edges[i]} - found
            found |= frontier
        found.update(self._all_or_lonely(start))
        return {self.ids[i] for i in found}

    def _all_or_lonely(self, start: list[int]) -> list[int]:
        """Cameras to be reached in a straight line: those of unknown way, or all where a source is
        one.
        """
        unknown = any(not self.edges[i] for i in start)
        targets = range(len(self.ids)) if unknown else self.lonely.tolist()
        return sorted(set(targets) - set(start)) if start else []

    def _straight_times(self, start: list[int], targets: list[int]) -> dict[int, float]:
        """Seconds of the straight line at the highest speed; 0 where a place is unknown."""
        if not targets or not start:
            return {}
        at = np.asarray(targets)
        nearest = np.full(len(at), math.inf)
        for i in start:
            distances = np.nan_to_num(shapely.distance(self.places[i], self.places[at]), nan=0.0)
            nearest = np.minimum(nearest, distances)
        return dict(zip(targets, (nearest / self.max_speed_mps).tolist(), strict=True))

    def _not_faster_than_straight(
        self, start: list[int], best: dict[int, float], limit_s: float
    ) -> dict[str, float]:
        others = [i for i in best if best[i] > 0]
        floor = self._straight_times(start, others)
        raised = {i: max(seconds, floor.get(i, 0.0)) for i, seconds in best.items()}
        return {self.ids[i]: seconds for i, seconds in raised.items() if seconds <= limit_s}


def walking_seconds(
    site: Site, a: str, b: str, max_speed_mps: float = SearchSettings().max_speed_mps
) -> float:
    """Least walking time between two cameras' views in seconds; inf where there is no way.

    Raises BadInput for a camera that the site does not have.
    """
    for camera_id in (a, b):
        if camera_id not in site.by_id:
            raise BadInput(f"camera {camera_id} is not on the site")
    return Reach(site, max_speed_mps).times((a,), math.inf).get(b, math.inf)


def _place_of(camera: Camera) -> BaseGeometry | None:
    if camera.polygon is not None:
        return camera.polygon.buffer(0)
    return None if camera.position_local_m is None else Point(camera.position_local_m[:2])


def _neighbour_edges(
    site: Site, index: dict[str, int], places: np.ndarray
) -> list[dict[int, float]]:
    edges: list[dict[int, float]] = [{} for _ in site.cameras]

    def join(i: int, j: int, seconds: float) -> None:
        if i != j:
            edges[i][j] = edges[j][i] = min(seconds, edges[i].get(j, math.inf))

    for i, camera in enumerate(site.cameras):
        for neighbour in camera.neighbours:
            if neighbour.camera_id in index:
                join(i, index[neighbour.camera_id], neighbour.walking_seconds)
    areas = [i for i, camera in enumerate(site.cameras) if camera.polygon is not None]
    if areas:
        # Views that only touch are not joined here: a wall may stand between them, which the
        # neighbours tell.
        tree = shapely.STRtree(places[areas])
        a, b = tree.query(places[areas], predicate="intersects")
        for p, q in zip(a.tolist(), b.tolist(), strict=True):
            if p < q and not shapely.touches(places[areas[p]], places[areas[q]]):
                join(areas[p], areas[q], 0.0)
    return edges


def _sparse_graph(edges: list[dict[int, float]]) -> csr_array:
    """The neighbour graph as scipy takes it; a stored 0 is a way of 0 s, not a missing one."""
    columns = [j for found in edges for j in found]
    seconds = [s for found in edges for s in found.values()]
    starts = np.cumsum([0, *map(len, edges)])
    return csr_array((np.array(seconds, float), columns, starts), (len(edges), len(edges)))
