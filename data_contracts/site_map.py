"""What is known of cameras among each other: ways, places and names, asked for one at a time, so
that a search looks at the cameras near it and not at all of the city.

`MapOfCameras` works it out of all cameras; a stored one (`infra.camera_index`) gives the same
answers.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import shapely
from shapely.geometry import Point, Polygon
from shapely.geometry.base import BaseGeometry

from data_contracts.place_name import words_of


class _Way(Protocol):
    @property
    def camera_id(self) -> str: ...
    @property
    def walking_seconds(self) -> float: ...


class Placed(Protocol):
    """What a map needs of a camera (`data_contracts.camera.Camera`)."""

    @property
    def camera_id(self) -> str:
        """Its id."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def neighbours(self) -> Sequence[_Way]:
        """The ways that it declares."""

    @property
    def polygon(self) -> Polygon | None:
        """What it covers."""

    @property
    def position_local_m(self) -> tuple[float, float, float] | None:
        """Where it stands."""


class Box(NamedTuple):
    """West, south, east and north border of a place, local metres."""

    x0_m: float
    y0_m: float
    x1_m: float
    y1_m: float

    def distance_m(self, other: Box) -> float:
        """Between two boxes; 0 where they touch."""
        dx = max(0.0, other.x0_m - self.x1_m, self.x0_m - other.x1_m)
        dy = max(0.0, other.y0_m - self.y1_m, self.y0_m - other.y1_m)
        return math.hypot(dx, dy)


class SiteMap(Protocol):
    """Cameras by their ways, places and names. `lonely`: only those without any way to another."""

    def ways(self, camera_id: str) -> Mapping[str, float]:
        """Seconds to each camera next to this one: declared by either, or 0 s where views
        overlap.
        """

    def part(self, camera_id: str) -> int:
        """A number that two cameras share where ways lead from one to the other."""

    def around(self, box: Box, metres: float, *, lonely: bool = False) -> list[tuple[float, str]]:
        """Metres (between boxes) and id of the cameras so near, nearest first."""

    def standing(self, box: Box) -> Sequence[str]:
        """Ids of the cameras that stand in a box (`stand_of`), and maybe of some beside it."""

    def unplaced(self, *, lonely: bool = False) -> Sequence[str]:
        """Ids of the cameras whose place is not known."""

    def words(self, begin: str) -> Iterator[tuple[str, Sequence[str]]]:
        """The words of cameras' names and ids that begin so, with the ids of these cameras."""


def place_of(camera: Placed) -> BaseGeometry | None:
    """What a camera covers, else where it stands, local metres; None where neither is known."""
    if camera.polygon is not None:
        return camera.polygon.buffer(0)
    return None if camera.position_local_m is None else Point(camera.position_local_m[:2])


def stand_of(camera: Placed) -> Point | None:
    """Where a camera stands, else the middle of what it sees, local metres; None where neither is
    known.
    """
    if camera.position_local_m is not None:
        return Point(camera.position_local_m[:2])
    return None if camera.polygon is None else camera.polygon.centroid


def box_of(place: BaseGeometry | None) -> Box | None:
    """The borders of a place."""
    return None if place is None else Box(*place.bounds)


class MapOfCameras:
    """A `SiteMap` of cameras in memory."""

    def __init__(self, cameras: Sequence[Placed]) -> None:
        self.ids = [camera.camera_id for camera in cameras]
        self._index = {camera_id: i for i, camera_id in enumerate(self.ids)}
        places = np.array([place_of(camera) for camera in cameras], dtype=object)
        self.edges = _edges(cameras, self._index, places)
        self.boxes = [box_of(place) for place in places]
        self.stands = [box_of(stand_of(camera)) for camera in cameras]
        self.parts = _connected(self.edges)
        self.cameras_by_word: dict[str, list[str]] = {}
        for camera in cameras:
            for word in words_of(f"{camera.name} {camera.camera_id}"):
                self.cameras_by_word.setdefault(word, []).append(camera.camera_id)
        self._words = sorted(self.cameras_by_word)

    def ways(self, camera_id: str) -> Mapping[str, float]:
        """See `SiteMap`."""
        found = self.edges[self._index[camera_id]]
        return {self.ids[j]: seconds for j, seconds in found.items()}

    def part(self, camera_id: str) -> int:
        """See `SiteMap`."""
        return int(self.parts[self._index[camera_id]])

    def around(self, box: Box, metres: float, *, lonely: bool = False) -> list[tuple[float, str]]:
        """See `SiteMap`."""
        found = [
            (box.distance_m(other), self.ids[i])
            for i, other in enumerate(self.boxes)
            if other is not None and not (lonely and self.edges[i])
        ]
        return sorted(pair for pair in found if pair[0] <= metres)

    def standing(self, box: Box) -> Sequence[str]:
        """See `SiteMap`."""
        return [
            self.ids[i]
            for i, stand in enumerate(self.stands)
            if stand is not None and box.distance_m(stand) == 0
        ]

    def unplaced(self, *, lonely: bool = False) -> Sequence[str]:
        """See `SiteMap`."""
        return [
            self.ids[i]
            for i, box in enumerate(self.boxes)
            if box is None and not (lonely and self.edges[i])
        ]

    def words(self, begin: str) -> Iterator[tuple[str, Sequence[str]]]:
        """See `SiteMap`."""
        for word in self._words[bisect_left(self._words, begin) :]:
            if not word.startswith(begin):
                return
            yield word, self.cameras_by_word[word]


def _edges(
    cameras: Sequence[Placed], index: Mapping[str, int], places: np.ndarray
) -> list[dict[int, float]]:
    edges: list[dict[int, float]] = [{} for _ in cameras]

    def join(i: int, j: int, seconds: float) -> None:
        if i != j:
            edges[i][j] = edges[j][i] = min(seconds, edges[i].get(j, math.inf))

    for i, camera in enumerate(cameras):
        for neighbour in camera.neighbours:
            if neighbour.camera_id in index:
                join(i, index[neighbour.camera_id], neighbour.walking_seconds)
    areas = [i for i, camera in enumerate(cameras) if camera.polygon is not None]
    if areas:
        # Views that only touch are not joined here: a wall may stand between them, which the
        # neighbours tell.
        tree = shapely.STRtree(places[areas])
        a, b = tree.query(places[areas], predicate="intersects")
        for p, q in zip(a.tolist(), b.tolist(), strict=True):
            if p < q and not shapely.touches(places[areas[p]], places[areas[q]]):
                join(areas[p], areas[q], 0.0)
    return edges


def _connected(edges: Sequence[Mapping[int, float]]) -> np.ndarray:
    """The number of the part of the graph that each camera belongs to, whichever way a way leads,
    shape (cameras,).
    """
    # A quarter of a second to import: not for `encounter camera check`.
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    columns = [j for found in edges for j in found]
    starts = np.cumsum([0, *map(len, edges)])
    graph = csr_array((np.ones(len(columns)), columns, starts), (len(edges), len(edges)))
    return connected_components(graph, directed=False)[1]
