"""From a recorder's local time to the instant, by the rules of its zone (IANA).

In the night in which clocks go back an hour comes twice, in the other one an hour is left out.
Which is meant a name cannot say: it is asked, not guessed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Literal

from data_contracts.errors import BadInput
from data_contracts.time_zone import find_zone, zone_fault

Repeated = Literal["", "first", "second"]
_OFFSET = re.compile(r"([+-])(\d{2}):(\d{2})\Z", re.ASCII)


def zone_of(name: str) -> tzinfo:
    """A zone by its name, such as Asia/Seoul, or by a fixed offset, such as +09:00. Raises
    BadInput.
    """
    fixed = _OFFSET.match(name)
    if fixed and int(fixed[2]) < 15 and int(fixed[3]) < 60:
        ahead = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
        return timezone(ahead if fixed[1] == "+" else -ahead)
    zone = find_zone(name)
    if zone is None:
        raise BadInput(f"{zone_fault(name)}, or an offset such as +09:00")
    return zone


def instant(local: datetime, zone: tzinfo, repeated: Repeated = "") -> datetime:
    """The instant (UTC) of a local time without a zone. Raises BadInput with what to say where it
    comes twice and `repeated` does not say which is meant, and where it does not exist.
    """
    first = local.replace(tzinfo=zone, fold=0)
    second = local.replace(tzinfo=zone, fold=1)
    try:
        if first.utcoffset() == second.utcoffset():
            return first.astimezone(UTC)
    except OverflowError:
        raise BadInput(f"{local.isoformat()}: expected a time in the years 1 to 9999") from None
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        raise BadInput(
            f"{local:%Y-%m-%d %H:%M:%S} does not exist in {zone}: its clocks go forward over it. A "
            "recorder that does not change its clock keeps a fixed offset: say it with --zone "
            f"{_offset(first)}"
        )
    if not repeated:
        raise BadInput(
            f"{local:%Y-%m-%d %H:%M:%S} comes twice in {zone}, at {_offset(first)} and at "
            f"{_offset(second)}: say which is meant with --repeated-hour first or second"
        )
    return (first if repeated == "first" else second).astimezone(UTC)


def _offset(at: datetime) -> str:
    text = f"{at:%z}"
    return f"{text[:3]}:{text[3:5]}"
