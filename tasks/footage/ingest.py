"""Plan the upload of a folder of recordings: which file goes to which key, and what is left and
why.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from data_contracts.camera import Camera
from data_contracts.errors import BadInput
from data_contracts.object_key import read_segment, segment

# Frigate keeps recordings as YYYY-MM-DD/HH/<camera>/MM.SS.mp4 in UTC.
_FRIGATE = re.compile(r"^(\d{4}-\d{2}-\d{2})/(\d{2})/([^/]+)/(\d{2}\.\d{2}\.mp4)$")


class IngestPlan(NamedTuple):
    """`files` to upload as (path, key), in order of key; `problems`: one line for each file that is
    left.
    """

    files: list[tuple[Path, str]]
    problems: list[str]


def plan_ingest(folder: Path) -> IngestPlan:
    """Find recordings laid out `<camera>/<YYYY-MM-DD>/<HH>/<MM.SS>.mp4` or
    `<YYYY-MM-DD>/<HH>/<camera>/<MM.SS>.mp4`.

    Times are UTC. Every other file is named in `problems`, as are two files of the same camera and
    time. Uploads nothing. Raises BadInput when the folder does not exist or holds no file.
    """
    if not folder.exists():
        raise BadInput(f"{folder}: expected a folder of recordings, it does not exist")
    if not folder.is_dir():
        raise BadInput(f"{folder}: expected a folder of recordings, it is a file")
    files: dict[str, Path] = {}
    problems = []
    paths = sorted(path for path in folder.rglob("*") if not path.is_dir())
    if not paths:
        raise BadInput(f"{folder}: expected recordings below it, the folder is empty")
    for path in paths:
        # Some systems (macOS) write the letters of a name apart from their accents.
        name = unicodedata.normalize("NFC", path.relative_to(folder).as_posix())
        key = _key(name)
        fault = _fault(path, key)
        if key is None or fault:
            problems.append(f"{name}: {fault}")
        elif key in files:
            other = files[key].relative_to(folder).as_posix()
            problems.append(f"{name}: same camera and time as {other}, which is taken")
        else:
            files[key] = path
    return IngestPlan([(files[key], key) for key in sorted(files)], problems)


def _key(name: str) -> str | None:
    """The footage key of a file by its path below the folder, or None where the path says no camera
    and time.
    """
    frigate = _FRIGATE.match(name)
    found = read_segment("{2}/{0}/{1}/{3}".format(*frigate.groups()) if frigate else name)
    return None if found is None else segment(found.camera_id, found.start_utc)


def _fault(path: Path, key: str | None) -> str:
    if key is None:
        return (
            "not named <camera>/<YYYY-MM-DD>/<HH>/<MM.SS>.mp4 (times in UTC); rename it to be taken"
        )
    camera_id = key.split("/", 1)[0]
    try:
        Camera(camera_id=camera_id, image_width=1, image_height=1)
    except ValidationError:
        return "its camera's name cannot be part of a key: no space, backslash or leading dot"
    if not path.is_file():
        return "no plain file (a broken link?)"
    if path.stat().st_size == 0:
        return "empty; nothing was recorded in it"
    return ""
