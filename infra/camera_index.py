"""The cameras of a camera file as a SQLite file of this machine: a process asks for the few that it
looks at, and none reads the city's.

The file is derived from the camera file in the store, and its name from that one's ETag: a new
camera file is a new index. It holds nothing of cases.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from functools import cached_property
from itertools import groupby
from pathlib import Path

from data_contracts.camera import Camera, Origin, Site
from data_contracts.site_map import Box, MapOfCameras, SiteMap

# Another number when the tables or what fills them are changed: then files are made anew.
_FORMAT = 1
_SUFFIX = f".v{_FORMAT}.sqlite"
# The camera file in force and the one before it, which a run may still be reading.
_KEPT = 3
_TABLES = """
CREATE TABLE origin (record TEXT NOT NULL);
CREATE TABLE camera (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL,
    part INTEGER NOT NULL, lonely INTEGER NOT NULL, placed INTEGER NOT NULL);
CREATE INDEX unplaced ON camera (placed, lonely, n);
CREATE TABLE way (here TEXT NOT NULL, there TEXT NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (here, there)) WITHOUT ROWID;
CREATE TABLE word (word TEXT NOT NULL, n INTEGER NOT NULL, id TEXT NOT NULL,
    PRIMARY KEY (word, n)) WITHOUT ROWID;
CREATE VIRTUAL TABLE box USING rtree(n, x0, x1, y0, y1);
CREATE VIRTUAL TABLE lonely_box USING rtree(n, x0, x1, y0, y1);
CREATE VIRTUAL TABLE stand USING rtree(n, x0, x1, y0, y1);
"""
_AROUND = (
    "SELECT id, x0, y0, x1, y1 FROM box JOIN camera USING (n) "
    "WHERE x1 >= ? AND x0 <= ? AND y1 >= ? AND y0 <= ?"
)
_LONELY_AROUND = (
    "SELECT id, x0, y0, x1, y1 FROM lonely_box JOIN camera USING (n) "
    "WHERE x1 >= ? AND x0 <= ? AND y1 >= ? AND y0 <= ?"
)
_STANDING = (
    "SELECT id FROM stand JOIN camera USING (n) WHERE x1 >= ? AND x0 <= ? AND y1 >= ? AND y0 <= ?"
)


def index_file(folder: Path, name: str) -> Path:
    """Where the index of a camera file lies."""
    return folder / f"{name}{_SUFFIX}"


def open_index(path: Path) -> Site | None:
    """The site of an index; None where there is none that can be read."""
    if not path.is_file():
        return None
    with suppress(sqlite3.Error):
        db = sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True, check_same_thread=False)
        return IndexedSite(db)
    return None


def write_index(path: Path, site: Site) -> None:
    """Make the index of a site; whoever looks for it finds all of it or none. Older ones go.
    Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(handle)
    try:
        with closing(sqlite3.connect(name)) as db:
            _fill(db, site)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    others = sorted(
        (p for p in path.parent.glob("*.sqlite") if p != path), key=lambda p: p.stat().st_mtime
    )
    for old in others[: max(0, len(others) - _KEPT + 1)]:
        old.unlink(missing_ok=True)


def _fill(db: sqlite3.Connection, site: Site) -> None:
    db.executescript(_TABLES)
    known = MapOfCameras(site.cameras)
    numbers = {camera_id: n for n, camera_id in enumerate(known.ids)}
    db.execute("INSERT INTO origin VALUES (?)", (site.origin.model_dump_json(),))
    db.executemany(
        "INSERT INTO camera VALUES (?, ?, ?, ?, ?, ?)",
        (
            (
                n,
                camera.camera_id,
                camera.model_dump_json(),
                int(known.parts[n]),
                not known.edges[n],
                known.boxes[n] is not None,
            )
            for n, camera in enumerate(site.cameras)
        ),
    )
    db.executemany(
        "INSERT INTO way VALUES (?, ?, ?)",
        (
            (known.ids[n], known.ids[other], seconds)
            for n, found in enumerate(known.edges)
            for other, seconds in found.items()
        ),
    )
    db.executemany(
        "INSERT INTO word VALUES (?, ?, ?)",
        (
            (word, numbers[camera_id], camera_id)
            for word, ids in known.cameras_by_word.items()
            for camera_id in ids
        ),
    )
    lonely = [None if known.edges[n] else box for n, box in enumerate(known.boxes)]
    for into, boxes in (
        ("INSERT INTO box VALUES (?, ?, ?, ?, ?)", known.boxes),
        ("INSERT INTO lonely_box VALUES (?, ?, ?, ?, ?)", lonely),
        ("INSERT INTO stand VALUES (?, ?, ?, ?, ?)", known.stands),
    ):
        borders = (
            (n, box.x0_m, box.x1_m, box.y0_m, box.y1_m)
            for n, box in enumerate(boxes)
            if box is not None
        )
        db.executemany(into, borders)
    db.commit()


class IndexedSite(Site):
    """A `Site` whose cameras are read from an index when they are asked for."""

    def __init__(self, db: sqlite3.Connection) -> None:
        (record,) = db.execute("SELECT record FROM origin").fetchone()
        super().__init__((), Origin.model_validate_json(record))
        self._db = db

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """All of them: every one is read."""
        return tuple(self.by_id.values())

    @cached_property
    def by_id(self) -> CamerasById:
        """Cameras by their id, each read when it is first asked for."""
        return CamerasById(self._db)

    @cached_property
    def map(self) -> SiteMap:
        """Ways, places and names, as they are stored."""
        return _StoredMap(self._db)


class CamerasById(Mapping[str, Camera]):
    """Cameras of an index. `read`: those that were asked for."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.read: dict[str, Camera] = {}

    def __getitem__(self, camera_id: str) -> Camera:
        if camera_id not in self.read:
            found = self._db.execute("SELECT record FROM camera WHERE id = ?", (camera_id,))
            row = found.fetchone()
            if row is None:
                raise KeyError(camera_id)
            self.read[camera_id] = Camera.model_validate_json(row[0])
        return self.read[camera_id]

    def __contains__(self, camera_id: object) -> bool:
        if camera_id in self.read:
            return True
        found = self._db.execute("SELECT 1 FROM camera WHERE id = ?", (str(camera_id),))
        return found.fetchone() is not None

    def __iter__(self) -> Iterator[str]:
        return (camera_id for (camera_id,) in self._db.execute("SELECT id FROM camera ORDER BY n"))

    def __len__(self) -> int:
        (last,) = self._db.execute("SELECT max(n) FROM camera").fetchone()
        return 0 if last is None else int(last) + 1


class _StoredMap:
    """A `SiteMap` in an index."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._ways: dict[str, dict[str, float]] = {}

    def ways(self, camera_id: str) -> Mapping[str, float]:
        """See `SiteMap`."""
        if camera_id not in self._ways:
            found = self._db.execute("SELECT there, seconds FROM way WHERE here = ?", (camera_id,))
            self._ways[camera_id] = dict(found.fetchall())
        return self._ways[camera_id]

    def part(self, camera_id: str) -> int:
        """See `SiteMap`."""
        found = self._db.execute("SELECT part FROM camera WHERE id = ?", (camera_id,)).fetchone()
        return int(found[0])

    def around(self, box: Box, metres: float, *, lonely: bool = False) -> list[tuple[float, str]]:
        """See `SiteMap`."""
        found: Iterable[tuple[str, float, float, float, float]] = self._db.execute(
            _LONELY_AROUND if lonely else _AROUND,
            (box.x0_m - metres, box.x1_m + metres, box.y0_m - metres, box.y1_m + metres),
        )
        near = ((box.distance_m(Box(*borders)), camera_id) for camera_id, *borders in found)
        return sorted(pair for pair in near if pair[0] <= metres)

    def standing(self, box: Box) -> Sequence[str]:
        """See `SiteMap`."""
        borders = (box.x0_m, box.x1_m, box.y0_m, box.y1_m)
        found = self._db.execute(_STANDING, borders)
        return [camera_id for (camera_id,) in found]

    def unplaced(self, *, lonely: bool = False) -> Sequence[str]:
        """See `SiteMap`."""
        found = self._db.execute(
            "SELECT id FROM camera WHERE placed = 0 AND lonely >= ? ORDER BY n", (lonely,)
        )
        return [camera_id for (camera_id,) in found]

    def words(self, begin: str) -> Iterator[tuple[str, Sequence[str]]]:
        """See `SiteMap`."""
        found = self._db.execute(
            "SELECT word, id FROM word WHERE word >= ? AND word < ? ORDER BY word, n",
            (begin, begin + chr(0x10FFFF)),
        )
        for word, rows in groupby(found, key=lambda row: row[0]):
            yield str(word), [camera_id for _, camera_id in rows]
