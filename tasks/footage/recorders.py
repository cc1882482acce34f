"""How recorders name their files: a table, and patterns of one's own in the same words.

A pattern is the path below the folder without its ending. `{camera}` is a name, `{year}` four
digits, `{yy}`, `{month}`, `{day}`, `{hour}`, `{minute}` and `{second}` two, `{date}` is
`{year}{month}{day}` and `{time}` `{hour}{minute}{second}`; `{*}` is anything within a folder's or
file's name, `{**}/` any folders or none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from data_contracts.errors import BadInput

_TWO = r"\d{2}"
_WORDS = {
    "camera": r"(?P<camera>[^/]+?)",
    "year": r"(?P<year>\d{4})",
    "yy": rf"(?P<yy>{_TWO})",
    "month": rf"(?P<month>{_TWO})",
    "day": rf"(?P<day>{_TWO})",
    "hour": rf"(?P<hour>{_TWO})",
    "minute": rf"(?P<minute>{_TWO})",
    "second": rf"(?P<second>{_TWO})",
    "*": r"[^/]*",
}
_SHORT = {"{date}": "{year}{month}{day}", "{time}": "{hour}{minute}{second}"}
_FOLDERS = "{**}/"
_WORD = re.compile(r"\{([^{}]*)\}")
_NEEDED = ("camera", "month", "day", "hour", "minute", "second")


class Recorder(NamedTuple):
    """A way of naming files. `in_utc`: its times are UTC; else they are the camera's local time."""

    name: str
    pattern: str
    in_utc: bool = False


# From each recorder's own documents or from public code that reads its files. The first that fits
# is taken.
RECORDERS = (
    Recorder("plain", "{camera}/{year}-{month}-{day}/{hour}/{minute}.{second}", in_utc=True),
    Recorder("frigate", "{year}-{month}-{day}/{hour}/{camera}/{minute}.{second}", in_utc=True),
    Recorder("frigate-export", "{**}/{camera}_{date}_{time}-{*}"),
    Recorder("dahua", "{camera}/{year}-{month}-{day}/{**}/dav/{**}/{hour}.{minute}.{second}-{*}"),
    Recorder("dahua", "{year}-{month}-{day}/{camera}/dav/{**}/{hour}.{minute}.{second}-{*}"),
    Recorder("dahua-export", "{**}/{camera}_main_{date}{time}_{*}"),
    Recorder("dahua-export", "{**}/{camera}_sub_{date}{time}_{*}"),
    Recorder("axis", "{**}/axis-{camera}/{*}/{*}/{*}/{*}/{date}_{time}_{*}"),
    Recorder("zoneminder", "{camera}/{yy}/{month}/{day}/{hour}/{minute}/{second}/{*}"),
    Recorder("genetec", "{**}/{camera}_{year}-{month}-{day}_{hour}h{minute}min{second}s{*}"),
    Recorder("milestone", "{**}/{camera} {year}-{month}-{day} {hour}.{minute}.{second}"),
    Recorder("hikvision", "{**}/{camera}_{date}{time}{*}"),
)
NAMES = tuple(dict.fromkeys(recorder.name for recorder in RECORDERS))


class NamedFile(NamedTuple):
    """What a file's name says: the camera in the recorder's words, and when it begins (without a
    zone).
    """

    recorder: str
    camera: str
    start: datetime
    in_utc: bool


def recorders(name: str = "", pattern: str = "") -> tuple[Recorder, ...]:
    """The recorder of that name, or one of a pattern (local times), or all. Raises BadInput."""
    if pattern:
        compiled(pattern)
        return (Recorder("pattern", pattern),)
    found = tuple(recorder for recorder in RECORDERS if name in ("", recorder.name))
    if not found:
        raise BadInput(
            f"no recorder is called {name!r}: expected one of {', '.join(NAMES)}, or a pattern"
        )
    return found


def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as an expression. Raises BadInput for a word that is not known, or that lacks."""
    text = pattern
    for short, words in _SHORT.items():
        text = text.replace(short, words)
    out = ""
    used: list[str] = []
    at = 0
    while at < len(text):
        if text.startswith(_FOLDERS, at):
            out += "(?:[^/]+/)*"
            at += len(_FOLDERS)
        elif found := _WORD.match(text, at):
            out += _word(pattern, found[1], used)
            at = found.end()
        else:
            out += re.escape(text[at])
            at += 1
    lacks = [word for word in _NEEDED if word not in used]
    lacks += [] if {"year", "yy"} & set(used) else ["year"]
    if lacks:
        raise BadInput(f"the pattern {pattern!r} lacks {{{'}, {'.join(lacks)}}}")
    return re.compile(rf"{out}\Z", re.ASCII)


def _word(pattern: str, word: str, used: list[str]) -> str:
    if word not in _WORDS:
        known = ", ".join(f"{{{name}}}" for name in (*_WORDS, "date", "time", "**"))
        raise BadInput(f"the pattern {pattern!r} has {{{word}}}: expected one of {known}")
    if word in used:
        raise BadInput(f"the pattern {pattern!r} has {{{word}}} twice: write {{*}} for one of them")
    used += [word] if word != "*" else []
    return _WORDS[word]


def read_name(path: str, known: Sequence[Recorder]) -> NamedFile | None:
    """What the path of a file below its folder says, without its ending; None where no recorder
    names files so.
    """
    for recorder in known:
        found = compiled(recorder.pattern).match(path)
        if found is None:
            continue
        parts = found.groupdict()
        year = int(parts["year"]) if parts.get("year") else 2000 + int(parts["yy"])
        month, day, hour, minute, second = (int(parts[word]) for word in _NEEDED[1:])
        try:
            # its zone is another's to say
            start = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
        except ValueError:
            continue
        return NamedFile(recorder.name, parts["camera"], start, recorder.in_utc)
    return None
