"""Drawing a story from a number: who comes, how tall, in which clothes, where they stand and whom
they meet. The same number gives the same story.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.family.places import LOBBY, PLAZA, Place, Point, route

DEVELOPMENT = tuple(range(12))
KEPT_APART = tuple(range(100, 112))
# What happens, in turn: each kind comes twice in twelve.
KINDS = ("talk", "desk", "plaza", "parting", "plaza-pointed", "lobby-pointed")
FPS = 5
SEGMENT_S = 15
_HEIGHT_M = (1.45, 1.95)
_WALK_MPS = (1.05, 1.45)
_CLOTHES = {
    "male": ("b_A", "b_C", "b_E", "b_N1", "b_N3", "a_N1", "a_N3", "a_N5", "a_B", "c_S1", "a_S"),
    "female": ("a_A", "a_C", "a_N2", "a_N4", "b_B", "b_N2", "b_N4", "c_S2", "b_S"),
}
# Characters whose clothes are the same garment, so that a tint makes them alike.
_ALIKE = {"c_S1": "c_D1", "a_S": "a_D1", "b_S": "b_D1"}


@dataclass
class Person:
    """One person of a story. `base` is a character of the pack, `tint` of their clothes."""

    id: str
    role: str
    base: str
    height_m: float
    tint: tuple[float, float, float]
    way: list[tuple[float, float, float]] = field(default_factory=list)
    face: list[tuple[float, float, Any]] = field(default_factory=list)
    talk: list[tuple[float, float]] = field(default_factory=list)
    masks: list[tuple[float, float]] = field(default_factory=list)
    calm: list[tuple[float, float]] = field(default_factory=list)

    def walk(self, place: Place, to: Point, speed: float) -> float:
        """Go on to a point; returns when they are there."""
        t, x, y = self.way[-1]
        at = (x, y)
        for point in route(place, at, to):
            t += math.dist(at, point) / speed
            self.way.append((t, *point))
            at = point
        return t

    def stay(self, until: float) -> None:
        """Stand where they are."""
        _, x, y = self.way[-1]
        self.way.append((until, x, y))

    def come_in(self, place: Place, door: str, at: float, speed: float) -> float:
        """Enter by a door, beginning outside at a time."""
        points = place.doors[door]
        self.way.append((at, *points[0]))
        return self._along(points[1:], speed)

    def go_out(self, place: Place, door: str, speed: float) -> float:
        """Leave by a door."""
        points = tuple(reversed(place.doors[door]))
        self.walk(place, points[0], speed)
        return self._along(points[1:], speed)

    def _along(self, points: tuple[Point, ...], speed: float) -> float:
        for point in points:
            t, x, y = self.way[-1]
            self.way.append((t + math.dist((x, y), point) / speed, *point))
        return self.way[-1][0]


@dataclass(frozen=True)
class Story:
    """A drawn story. `pointed`: no camera sees the subject's face well, so somebody points."""

    number: int
    kind: str
    place: Place
    without: tuple[str, ...]
    people: tuple[Person, ...]
    duration_s: int
    visits: tuple[tuple[str, float, float], ...]

    @property
    def name(self) -> str:
        """Its name, and its folder's."""
        return f"family-{self.number:03d}"

    @property
    def pointed(self) -> bool:
        """Whether the search begins with an instant at which somebody says: this is me."""
        return self.kind.endswith("pointed")


def draw(number: int) -> Story:
    """The story of a number."""
    rng = np.random.default_rng([20261130, number])
    kind = KINDS[number % len(KINDS)]
    place = PLAZA if kind.startswith("plaza") else LOBBY
    director = _Director(rng, kind, place)
    director.meet()
    director.strangers()
    end = max(p.way[-1][0] for p in director.people)
    subject = director.people[0]
    inside = [t for t, _, _ in subject.way]
    return Story(
        number,
        kind,
        place,
        _left_out(kind, place),
        tuple(director.people),
        int(math.ceil(min(end, 75.0) / SEGMENT_S) * SEGMENT_S),
        ((place.visits["zone"], inside[1], inside[-2]),),
    )


def _left_out(kind: str, place: Place) -> tuple[str, ...]:
    """Cameras of the site that this story does without: three at most are rendered."""
    if kind.endswith("pointed"):
        return (place.face_camera,)
    return ("corridor",) if place is LOBBY else ()


class _Director:
    def __init__(self, rng: np.random.Generator, kind: str, place: Place) -> None:
        self.rng = rng
        self.kind = kind
        self.place = place
        self.people: list[Person] = []
        self.taken: list[Point] = []

    def person(self, name: str, role: str, like: Person | None = None) -> Person:
        """A new person with drawn body and clothes, or in another's clothes."""
        sex = str(self.rng.choice(["male", "female"]))
        # Nobody has another's face: each character plays once.
        played = {p.base for p in self.people}
        base = str(self.rng.choice([c for c in _CLOTHES[sex] if c not in played]))
        tint = tuple(float(v) for v in self.rng.uniform(0.35, 1.25, 3))
        if name == "S":
            base = str(self.rng.choice(sorted(_ALIKE)))
        if like is not None:
            base = _ALIKE[like.base]
            tint = like.tint
        height = float(self.rng.uniform(*_HEIGHT_M))
        made = Person(name, role, base, height, tint)  # type: ignore[arg-type]
        if self.rng.random() < 0.35:
            made.masks.append((0.0, 999.0))
        self.people.append(made)
        return made

    def speed(self) -> float:
        """A walking speed, m/s."""
        return float(self.rng.uniform(*_WALK_MPS))

    def spot(self, apart_m: float = 2.6) -> Point:
        """An open spot away from those that are taken."""
        free = [s for s in self.place.spots if all(math.dist(s, t) >= apart_m for t in self.taken)]
        choice = free[int(self.rng.integers(len(free)))] if free else self.place.spots[0]
        self.taken.append(choice)
        return choice

    def beside(self, at: Point, distance_m: float) -> Point:
        """A point at a distance from a spot, on open floor that can be reached."""
        for turn in self.rng.permutation(16):
            angle = 2 * math.pi * float(turn) / 16
            point = (at[0] + distance_m * math.cos(angle), at[1] + distance_m * math.sin(angle))
            try:
                route(self.place, point, at)
            except ValueError:
                continue
            if self._inside(point):
                return point
        return (at[0] + distance_m, at[1])

    def _inside(self, point: Point) -> bool:
        xs = [x for x, _ in self.place.hubs]
        ys = [y for _, y in self.place.hubs]
        return min(xs) - 1 < point[0] < max(xs) + 1 and min(ys) - 1.5 < point[1] < max(ys) + 1

    def meet(self) -> None:
        """The subject comes in, meets A near and C at a queue's distance, and leaves."""
        door = "east" if self.place is PLAZA or self.kind == "lobby-pointed" else "west"
        subject = self.person("S", "subject of the case")
        pace = self.speed()
        first = self.spot()
        subject.come_in(self.place, door, 0.0, pace if self.place is LOBBY else 1.5)
        subject.calm.append((0.0, subject.way[-1][0]))
        arrived = subject.walk(self.place, first, pace)
        talk_s = float(self.rng.uniform(18, 26))
        subject.stay(arrived + talk_s)
        near = float(self.rng.uniform(0.7, 1.25))
        other = self.person("A", f"contact A: talks with S at {near:.1f} m")
        self._stand(other, self.beside(first, near), arrived - 4, arrived + talk_s + 1)
        for one, two in ((subject, "A"), (other, "S")):
            one.face.append((arrived, arrived + talk_s, two))
            one.talk.append((arrived + 2, arrived + talk_s - 1))
        second = self._second(first)
        came = subject.walk(self.place, second, pace)
        wait_s = float(self.rng.uniform(12, 18))
        subject.stay(came + wait_s)
        apart = float(self.rng.uniform(1.5, 1.85))
        third = self.person("C", f"contact C: {apart:.1f} m from S")
        self._stand(third, self.beside(second, apart), came - 3, came + wait_s + 2)
        if self.kind == "parting":
            self._part(subject, other, arrived + talk_s)
        subject.go_out(self.place, "west", pace)

    def _second(self, first: Point) -> Point:
        """Where the subject goes next: behind furniture where the story is about it."""
        if self.kind == "desk" or (self.place is PLAZA and self.rng.random() < 0.4):
            at = self.place.hidden[int(self.rng.integers(len(self.place.hidden)))]
            self.taken.append(at)
            return at
        return self.spot(2.8)

    def _stand(self, person: Person, at: Point, start: float, end: float) -> None:
        """Be at a point from start to end, coming in and leaving by some door where time allows."""
        door = str(self.rng.choice(["west", "east"]))
        speed = self.speed()
        trial = Person("x", "", "", 1.7, (1, 1, 1))
        trial.come_in(self.place, door, 0.0, speed)
        needed = trial.walk(self.place, at, speed)
        if start - needed > 0:
            person.come_in(self.place, door, start - needed, speed)
            person.walk(self.place, at, speed)
        else:
            person.way.append((0.0, *at))
        person.stay(end)
        person.go_out(self.place, str(self.rng.choice(["west", "east"])), self.speed())

    def _part(self, subject: Person, other: Person, at: float) -> None:
        """Somebody in the subject's clothes passes close by just when the two part."""
        double = self.person("D", "decoy in the subject's clothes, passes at the parting", subject)
        _, x, y = next(w for w in subject.way if abs(w[0] - at) < 1e-6)
        door = "west" if self.rng.random() < 0.5 else "east"
        speed = self.speed()
        goal = self.beside((x, y), 1.0)
        trial = Person("x", "", "", 1.7, (1, 1, 1))
        trial.come_in(self.place, door, 0.0, speed)
        needed = trial.walk(self.place, goal, speed)
        double.come_in(self.place, door, max(0.0, at + 1 - needed), speed)
        double.walk(self.place, goal, speed)
        double.go_out(self.place, "east" if door == "west" else "west", speed)
        other.masks = []

    def strangers(self) -> None:
        """A decoy in most stories, people who stand about, and one who walks across."""
        if self.kind != "parting" and self.rng.random() < 0.7:
            double = self.person("D", "decoy in the subject's clothes", self.people[0])
            begin = float(self.rng.uniform(18, 40))
            self._stand(double, self.spot(3.2), begin, begin + float(self.rng.uniform(8, 16)))
        for k in range(int(self.rng.integers(2, 4))):
            idle = self.person(f"N{k + 1}", "bystander")
            begin = float(self.rng.uniform(0, 30))
            self._stand(idle, self.spot(3.2), begin, begin + float(self.rng.uniform(15, 30)))
        passer = self.person("P", "walks across")
        at = float(self.rng.uniform(10, 45))
        passer.come_in(self.place, "west", at, self.speed())
        passer.go_out(self.place, "east", self.speed())
