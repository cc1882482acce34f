"""Numbers and times as a person reads them. Local time exists only here."""

from __future__ import annotations

from datetime import UTC, datetime

from data_contracts.camera import Site

_MASK_WORDS = {
    "masked": "wore a mask",
    "bare": "no mask",
    "mixed": "mask part of the time",
    "unknown": "mask not visible",
}


class Clock:
    """Writes times in the site's zone with UTC beside it; only UTC where the zone is not known to
    this machine.
    """

    def __init__(self, site: Site) -> None:
        self.zone = site.zone

    @property
    def is_utc(self) -> bool:
        """Whether local time and UTC are the same thing here."""
        return self.zone is UTC or str(self.zone) == "UTC"

    def time(self, at: datetime) -> str:
        """Local time of day, such as 09:00:13; with the offset in an hour that comes twice."""
        local = at.astimezone(self.zone)
        twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
        return f"{local:%H:%M:%S}" + (f" {offset(local)}" if twice else "")

    def span(self, start: datetime, end: datetime) -> tuple[str, str]:
        """Start and end as times of day, the end with its date where the day is another. Where the
        clock was changed between them both say their offset.
        """
        first = start.astimezone(self.zone)
        last = end.astimezone(self.zone)
        day = "" if first.date() == last.date() else f"{last:%Y-%m-%d} "
        if first.utcoffset() == last.utcoffset():
            return self.time(start), day + self.time(end)
        begin = f"{first:%H:%M:%S} {offset(first)}"
        return begin, f"{day}{last:%H:%M:%S} {offset(last)}"

    def span_utc(self, start: datetime, end: datetime) -> tuple[str, str]:
        """The same in UTC."""
        first = start.astimezone(UTC)
        last = end.astimezone(UTC)
        day = "" if first.date() == last.date() else f"{last:%Y-%m-%d} "
        return f"{first:%H:%M:%S}", f"{day}{last:%H:%M:%S}"

    def moment(self, at: datetime, now: datetime) -> str:
        """Local time to the minute with its offset, such as 12:53 +09:00; with the date where it
        is not today.
        """
        local = at.astimezone(self.zone)
        day = "" if local.date() == now.astimezone(self.zone).date() else f"{local:%Y-%m-%d} "
        return f"{day}{local:%H:%M} {offset(local)}"

    def minute(self, at: datetime) -> str:
        """Local time of day to the minute."""
        return f"{at.astimezone(self.zone):%H:%M}"

    def utc(self, at: datetime) -> str:
        """UTC time of day."""
        return f"{at.astimezone(UTC):%H:%M:%S}"

    def day(self, at: datetime) -> str:
        """Local date."""
        return f"{at.astimezone(self.zone):%Y-%m-%d}"

    def full(self, at: datetime) -> str:
        """Local date and time with the zone's name."""
        return f"{at.astimezone(self.zone):%Y-%m-%d %H:%M:%S %Z}"

    def full_utc(self, at: datetime) -> str:
        """UTC date and time."""
        return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def offset(local: datetime) -> str:
    """A local time's offset from UTC, such as +09:00."""
    return local.isoformat()[-6:]


def duration(seconds: float) -> str:
    """Such as 45 s, 2 min 37 s, 1 h 5 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def number_of(count: int, one: str, many: str = "") -> str:
    """Such as 1 contact, 2 contacts, no contacts."""
    many = many or f"{one}s"
    return f"no {many}" if count == 0 else f"1 {one}" if count == 1 else f"{count:,} {many}"


def percent(share: float) -> str:
    """A probability as whole per cent; never 0 or 100, because nothing is certain."""
    if share >= 0.995:
        return "more than 99 %"
    return "less than 1 %" if share < 0.005 else f"{share * 100:.0f} %"


def masks(state: str) -> str:
    """A mask state in words."""
    return _MASK_WORDS.get(state, state)


def reviewed(state: str) -> str:
    """What a column `review` says of a sighting or contact."""
    return {
        "unreviewed": "proposed; two reviewers have not agreed yet",
        "confirmed": "confirmed by two reviewers",
        "rejected": "rejected by two reviewers",
    }[state]
