"""Where people of a drawn story can stand and walk: two sites of the renderer, in their metres."""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass

Point = tuple[float, float]
Rect = tuple[float, float, float, float]

# The renderer keeps everybody's centre this far from furniture; a little more, for smoothed ways.
_CLEARANCE_M = 0.42


@dataclass(frozen=True)
class Place:
    """One site: `doors` are ways in and out as points from the outside inwards, `hubs` points to
    walk by, `spots` open floor for a talk, `hidden` spots whose feet furniture hides.
    """

    module: str
    face_camera: str
    start: str
    zone: str
    doors: dict[str, tuple[Point, ...]]
    hubs: tuple[Point, ...]
    spots: tuple[Point, ...]
    hidden: tuple[Point, ...]
    obstacles: tuple[Rect, ...]
    visits: dict[str, str]


LOBBY = Place(
    module="site_lobby",
    face_camera="entrance",
    start="2026-11-18T01:00:00+00:00",
    zone="lobby",
    doors={
        "west": ((-2.4, 7.2), (-1.8, 4.7), (0.5, 4.5)),
        "east": ((27.6, 7.2), (27.2, 4.3), (25.2, 4.3), (14.6, 4.3)),
    },
    hubs=((2.0, 4.5), (4.5, 4.5), (6.2, 4.6), (8.6, 4.6), (10.5, 5.6), (12.6, 5.4), (12.6, 3.4),
          (9.4, 3.2), (5.0, 2.6), (5.6, 6.8), (12.5, 8.4), (7.4, 8.4), (7.6, 6.6)),
    spots=((6.5, 5.8), (9.9, 5.2), (4.2, 2.2), (9.0, 1.7), (11.6, 2.4), (3.4, 6.6), (11.9, 4.4),
           (5.6, 3.6), (8.8, 3.9)),
    hidden=((9.2, 8.35), (10.4, 8.35)),
    obstacles=(
        (8.2, 7.0, 11.7, 7.8), (3.2, 8.2, 5.4, 8.8), (7.0, 2.2, 7.4, 2.6), (13.2, 0.4, 13.6, 0.8),
        (0.4, 8.2, 0.8, 8.6), (-0.05, -0.05, 0.05, 3.6), (-0.05, 5.4, 0.05, 9.0),
        (13.95, 0.0, 14.05, 3.0), (13.95, 5.6, 14.05, 9.0),
    ),
    visits={"zone": "lobby", "door": "corridor"},
)  # fmt: skip
PLAZA = Place(
    module="site_plaza",
    face_camera="alley",
    start="2026-11-19T08:00:00+00:00",
    zone="plaza",
    doors={
        "west": ((-5.5, 15.0), (-4.6, 11.2), (-1.0, 11.0)),
        "east": ((61.6, 12.0), (61.2, 7.1), (58.0, 7.1), (31.0, 7.1), (27.0, 7.6)),
    },
    hubs=((3.0, 10.5), (7.5, 10.6), (11.5, 9.6), (15.5, 10.4), (19.5, 8.6), (23.5, 7.6),
          (17.0, 6.6), (9.0, 6.0), (20.0, 5.6), (13.5, 11.2), (13.6, 13.4),
          (18.3, 13.4), (18.6, 11.6)),
    spots=((20.6, 9.3), (15.9, 11.0), (10.2, 9.6), (18.0, 7.4), (8.2, 7.2), (22.2, 6.2),
           (12.0, 11.0)),
    hidden=((10.9, 5.2), (15.9, 13.3), (13.4, 8.7)),
    obstacles=(
        (4.0, 13.2, 7.0, 15.6), (18.0, 1.6, 21.0, 3.8), (10.0, 4.0, 11.8, 4.5),
        (15.0, 12.2, 16.8, 12.7), (12.6, 6.6, 14.2, 8.0), (8.9, 1.9, 9.1, 2.1),
        (22.9, 10.4, 23.1, 10.6), (30.0, 5.4, 60.0, 5.6), (30.0, 8.6, 60.0, 8.8),
        (-3.1, -6.0, -3.0, 10.0), (-3.1, 12.0, -3.0, 22.0),
    ),
    visits={"zone": "plaza", "door": "alley"},
)  # fmt: skip


def clear(place: Place, a: Point, b: Point) -> bool:
    """Whether the straight way from a to b keeps clear of furniture and walls."""
    steps = max(2, int(math.dist(a, b) / 0.1))
    for k in range(steps + 1):
        x = a[0] + (b[0] - a[0]) * k / steps
        y = a[1] + (b[1] - a[1]) * k / steps
        for x0, y0, x1, y1 in place.obstacles:
            away = math.hypot(max(x0 - x, x - x1, 0.0), max(y0 - y, y - y1, 0.0))
            if away < _CLEARANCE_M:
                return False
    return True


def route(place: Place, a: Point, b: Point) -> list[Point]:
    """Points to walk by from a to b, without a and with b: the shortest over the hubs (Dijkstra).

    Raises ValueError where there is none.
    """
    points = [a, b, *place.hubs]
    links: dict[int, list[tuple[int, float]]] = {i: [] for i in range(len(points))}
    for i, j in itertools.combinations(range(len(points)), 2):
        if clear(place, points[i], points[j]):
            links[i].append((j, math.dist(points[i], points[j])))
            links[j].append((i, math.dist(points[i], points[j])))
    best = {0: 0.0}
    came: dict[int, int] = {}
    queue = [(0.0, 0)]
    while queue:
        cost, i = heapq.heappop(queue)
        if i == 1:
            break
        for j, step in links[i]:
            if cost + step < best.get(j, math.inf):
                best[j] = cost + step
                came[j] = i
                heapq.heappush(queue, (cost + step, j))
    if 1 not in best:
        raise ValueError(f"no way from {a} to {b}")
    way = [1]
    while way[-1] != 0:
        way.append(came[way[-1]])
    return [points[i] for i in reversed(way[:-1])]
