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
from data_contracts.object_key import SEGMENT_SUFFIXES, read_segment, segment
from tasks.footage.container import HEAD_BYTES, NAMES, recognise

# Frigate keeps recordings as YYYY-MM-DD/HH/<camera>/MM.SS.mp4 in UTC.
_FRIGATE = re.compile(r"^(\d{4}-\d{2}-\d{2})/(\d{2})/([^/]+)/(\d{2}\.\d{2}\.\w+)$")
# Endings that recordings have besides those of their keys.
_ENDINGS = {*SEGMENT_SUFFIXES, "m4v", "webm", "mts", "m2ts", "mpeg", "ps", "wmv"}


class Upload(NamedTuple):
    """A file, the key that it gets and its media type; both by its content, not its name."""

    path: Path
    key: str
    media_type: str


class IngestPlan(NamedTuple):
    """`files` to upload, in order of key; `problems`: one line for each file that is left."""

    files: list[Upload]
    problems: list[str]


def plan_ingest(folder: Path) -> IngestPlan:
    """Find recordings laid out `<camera>/<YYYY-MM-DD>/<HH>/<MM.SS>.<suffix>` or
    `<YYYY-MM-DD>/<HH>/<camera>/<MM.SS>.<suffix>`.

    Times are UTC. Every other file is named in `problems`, as are two files of the same camera and
    time. Uploads nothing. Raises BadInput when the folder does not exist or holds no file.
    """
    if not folder.exists():
        raise BadInput(f"{folder}: expected a folder of recordings, it does not exist")
    if not folder.is_dir():
        raise BadInput(f"{folder}: expected a folder of recordings, it is a file")
    files: dict[str, Upload] = {}
    problems = []
    paths = sorted(path for path in folder.rglob("*") if not path.is_dir())
    if not paths:
        raise BadInput(f"{folder}: expected recordings below it, the folder is empty")
    for path in paths:
        # Some systems (macOS) write the letters of a name apart from their accents.
        name = unicodedata.normalize("NFC", path.relative_to(folder).as_posix())
        found = _taken(path, name)
        if isinstance(found, str):
            problems.append(f"{name}: {found}")
            continue
        moment = found.key.rpartition(".")[0]
        if moment in files:
            other = files[moment].path.relative_to(folder).as_posix()
            problems.append(f"{name}: same camera and time as {other}, which is taken")
        else:
            files[moment] = found
    return IngestPlan([files[moment] for moment in sorted(files)], problems)


def _taken(path: Path, name: str) -> Upload | str:
    """A file by its path below the folder, or why it is left."""
    frigate = _FRIGATE.match(name)
    named = "{2}/{0}/{1}/{3}".format(*frigate.groups()) if frigate else name
    stem, _, suffix = named.rpartition(".")
    usual = f"{stem}.{SEGMENT_SUFFIXES[0]}" if suffix in _ENDINGS else named
    segment_name = read_segment(usual)
    if segment_name is None:
        return (
            "not named <camera>/<YYYY-MM-DD>/<HH>/<MM.SS>.mp4 (times in UTC); rename it to be taken"
        )
    try:
        Camera(camera_id=segment_name.camera_id, image_width=1, image_height=1)
    except ValidationError:
        return "its camera's name cannot be part of a key: no space, backslash or leading dot"
    if not path.is_file():
        return "no plain file (a broken link?)"
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        return "empty; nothing was recorded in it"
    container = recognise(head)
    if container is None:
        return f"not a recording: expected {NAMES}"
    key = segment(segment_name.camera_id, segment_name.start_utc, container.suffix)
    return Upload(path, key, container.media_type)
