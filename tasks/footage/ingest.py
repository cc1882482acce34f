"""Plan what becomes of a folder of recordings: which file goes to which key, and what is left and
why.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from data_contracts.camera import Camera
from data_contracts.errors import BadInput
from data_contracts.object_key import SEGMENT_SUFFIXES, segment
from tasks.footage.container import HEAD_BYTES, NAMES, recognise
from tasks.footage.local_time import Repeated, instant, zone_of
from tasks.footage.recorders import RECORDERS, NamedFile, Recorder, read_name

# Endings that recordings have besides those of their keys.
_ENDINGS = {*SEGMENT_SUFFIXES, "m4v", "webm", "mts", "m2ts", "mpeg", "ps", "wmv"}


class Recording(NamedTuple):
    """A file of a folder: its key and media type by what is in it, its camera and start by its
    name.
    """

    path: Path
    key: str
    media_type: str
    camera_id: str
    start_utc: datetime
    recorder: str


class IngestPlan(NamedTuple):
    """`files` to upload, in order of key; `problems`: one line for each file that is left;
    `unknown`: one line for each camera that the site does not have.
    """

    files: list[Recording]
    problems: list[str]
    unknown: list[str]


@dataclass(frozen=True)
class Naming:
    """How names are read. `zone`: of local times, else each camera's own (`zones`, by camera);
    `repeated`: which of the two hours is meant where clocks go back; `cameras`: from the recorder's
    name of a camera to its id.
    """

    known: tuple[Recorder, ...] = RECORDERS
    zone: str = ""
    repeated: Repeated = ""
    cameras: Mapping[str, str] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)


_ANY = Naming()


def plan_ingest(folder: Path, naming: Naming = _ANY) -> IngestPlan:
    """Find recordings that are named as a recorder of `naming` does.

    Every other file is named in `problems`, as are two files of the same camera and time. Uploads
    nothing. Raises BadInput when the folder does not exist or holds no file.
    """
    files: dict[str, Recording] = {}
    problems = []
    for path in _paths(folder):
        name = nfc(path.relative_to(folder).as_posix())
        try:
            found = _taken(path, name, naming)
        except BadInput as error:
            problems.append(f"{name}: {error}")
            continue
        moment = found.key.rpartition(".")[0]
        if moment in files:
            other = files[moment].path.relative_to(folder).as_posix()
            problems.append(f"{name}: same camera and time as {other}, which is taken")
        else:
            files[moment] = found
    taken = [files[moment] for moment in sorted(files)]
    return IngestPlan(taken, problems, list(_unknown(taken, naming.zones)))


def nfc(name: str) -> str:
    """A name with its letters and accents as one: some systems (macOS) write them apart."""
    return unicodedata.normalize("NFC", name)


def _paths(folder: Path) -> list[Path]:
    if not folder.exists():
        raise BadInput(f"{folder}: expected a folder of recordings, it does not exist")
    if not folder.is_dir():
        raise BadInput(f"{folder}: expected a folder of recordings, it is a file")
    paths = sorted(path for path in folder.rglob("*") if not path.is_dir())
    if not paths:
        raise BadInput(f"{folder}: expected recordings below it, the folder is empty")
    return paths


def _taken(path: Path, name: str, naming: Naming) -> Recording:
    """A file by its path below the folder. Raises BadInput with why it is left."""
    stem, _, ending = name.rpartition(".")
    named = read_name(stem, naming.known) if ending.lower() in _ENDINGS else None
    if named is None:
        patterns = dict.fromkeys(recorder.pattern for recorder in naming.known)
        known = patterns if len(patterns) < 4 else ("<camera>/<YYYY-MM-DD>/<HH>/<MM.SS>.mp4 (UTC)",)
        raise BadInput(
            f"not named as a recorder names files that is known here, such as {', '.join(known)}: "
            "say how with --pattern, or rename it"
        )
    camera_id = _camera_id(named.camera, naming)
    if not path.is_file():
        raise BadInput("no plain file (a broken link?)")
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise BadInput("empty; nothing was recorded in it")
    container = recognise(head)
    if container is None:
        raise BadInput(f"not a recording: expected {NAMES}")
    start = _start(named, camera_id, naming)
    key = segment(camera_id, start, container.suffix)
    return Recording(path, key, container.media_type, camera_id, start, named.recorder)


def _camera_id(name: str, naming: Naming) -> str:
    camera_id = naming.cameras.get(name, name)
    try:
        Camera(camera_id=camera_id, image_width=1, image_height=1)
    except ValidationError:
        raise BadInput(
            f"its camera's name {camera_id!r} cannot be part of a key: no space, backslash or "
            f"leading dot; say which camera it is with --camera {name!r}=ID"
        ) from None
    return camera_id


def _start(named: NamedFile, camera_id: str, naming: Naming) -> datetime:
    if named.in_utc:
        return named.start.replace(tzinfo=UTC)
    zone = naming.zone or naming.zones.get(camera_id, "")
    if not zone:
        raise BadInput(
            f"its name is in the local time of {camera_id}, whose zone is not known: publish the "
            "camera file with time_zone, or say --zone"
        )
    return instant(named.start, zone_of(zone), naming.repeated)


def _unknown(files: Collection[Recording], zones: Mapping[str, str]) -> Iterator[str]:
    """Cameras that are not on the site, with the nearest that are; none where no site is known."""
    names = sorted({file.camera_id for file in files} - set(zones)) if zones else []
    for name in names:
        count = sum(file.camera_id == name for file in files)
        near = difflib.get_close_matches(name, zones, 1)
        hint = f"; is it {near[0]}? Then: --camera {name}={near[0]}" if near else ""
        yield f"{name}: no camera of this site has that id ({count} files){hint}"
