"""Time zones by name (IANA), as a person reads local times."""

from __future__ import annotations

import difflib
from datetime import UTC, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones


@lru_cache(maxsize=64)
def find_zone(name: str) -> tzinfo | None:
    """The zone of that name; None where there is none here. A folder of zones, such as Asia, is
    not a zone.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=64)
def zone_fault(name: str) -> str:
    """Why a name is not a time zone, with the nearest ones that are; empty where it is one."""
    known = available_timezones() | {"UTC"}
    if name in known and find_zone(name) is not None:
        return ""
    folder = sorted(zone for zone in known if zone.startswith(f"{name}/"))
    by_fold = {zone.lower(): zone for zone in sorted(known)}
    near = [by_fold[n] for n in difflib.get_close_matches(name.lower(), by_fold, 3)]
    towns = {zone.rsplit("/", 1)[-1].lower(): zone for zone in sorted(known)}
    town = name.rsplit("/", 1)[-1].lower()
    near += [towns[n] for n in difflib.get_close_matches(town, towns, 3)]
    told = list(dict.fromkeys(folder[:3] if folder else near))[:4]
    hint = f"; did you mean {', '.join(told)}?" if told else ""
    return f"{name[:60]!r} is not the name of a zone, such as Asia/Seoul{hint}"
