"""The clock that a camera burns into its picture, against the time that its files' names give.

Only strips along the upper and the lower edge are read, and of what is read there only what is a
time; nothing else is kept. The recogniser is RapidOCR's (PP-OCR, Apache-2.0), whose models come
with its package; no network is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import BadInput

Image = NDArray[np.uint8]


class Line(NamedTuple):
    """A text and where it stands in its picture: x0, y0, x1, y1 in px."""

    text: str
    box_px: tuple[int, int, int, int]


class Recogniser(Protocol):
    """Reads printed text in BGR pictures."""

    def lines(self, image: Image) -> Sequence[Line]:
        """The texts in a picture."""

    def line(self, image: Image) -> str:
        """The text of a picture of one line."""


# Recorders write into these shares of the height, above and below.
_MARGIN = 0.12
# Fewer pictures than this, or a smaller share of those that show a time, say nothing.
_FEWEST = 5
_AGREE = 0.6
# How exact a time is at best that is read off pictures whose stamps are rounded. Chosen.
_LEAST_SD_S = 0.02

_LIKE_DIGITS = str.maketrans(
    {"O": "0", "o": "0", "l": "1", "I": "1", "|": "1", "：": ":", "．": "."}
)
_TIME = re.compile(
    r"(?P<h>\d{1,2})[:.](?P<m>\d{2})[:.](?P<s>\d{2})(?:[.,:](?P<f>\d{1,3}))?(?!\d)\s*"
    r"(?P<half>[AaPp]\.?[Mm])?"
)
_HALF = re.compile(r"(오전|上午|午前)|(오후|下午|午後)")
_DATE = re.compile(
    r"(\d{4}|\d{1,2})\s?[-/.年년]\s?(\d{1,2})\s?[-/.月월]\s?"
    # without a space the time's hour follows at once
    r"(\d{2}(?=\d\d[:.])|\d{4}(?=\D|$|\d\d[:.])|\d{2}(?=\D|$))"
)


class Reading(NamedTuple):
    """What a picture shows: a local time without a zone, of which the next one comes `step_s`
    later.
    """

    shown: datetime
    step_s: float


class BurntInClock(NamedTuple):
    """The picture's clock is ahead of the files' by `ahead_s` (negative: behind), with deviation
    `sd_s`, by so many `pictures`; it shows the time of `zone`.
    """

    ahead_s: float
    sd_s: float
    pictures: int
    zone: str


def burnt_in_clock(
    pictures: Iterable[tuple[datetime, Image]], zone: tzinfo, recogniser: Recogniser | None = None
) -> BurntInClock:
    """Compare the clock in (UTC stamp, BGR picture) pairs with the stamps; it may show UTC or the
    time of `zone`. Pictures at different parts of the second tell fractions of it. Raises BadInput
    where no time is read, or the times do not go on as the stamps do.
    """
    seen = list(_readings(pictures, recogniser or RapidOcr()))
    if len(seen) < _FEWEST:
        raise BadInput(
            f"a time was read in {len(seen)} pictures, expected {_FEWEST} or more: a clock near "
            "the upper or lower edge, with hours, minutes and seconds"
        )
    found = [
        clock
        for name, used in ((str(zone), zone), ("UTC", UTC))
        if (clock := _compared(seen, used, name)) is not None
    ]
    if not found:
        raise BadInput(
            "the times in the pictures do not go on as the file's stamps do: the file is "
            "played at another speed, or the clock was misread"
        )
    return min(found, key=lambda clock: abs(clock.ahead_s))


def _readings(
    pictures: Iterable[tuple[datetime, Image]], recogniser: Recogniser
) -> Iterator[tuple[datetime, Reading]]:
    """What each picture shows. Text is looked for until a time is found; after that only what
    stands at the same place is read.
    """
    place: tuple[slice, slice] | None = None
    for at, image in pictures:
        if place is None:
            place = _place_of_time(image, at, recogniser)
        if place is not None:
            read = parse_time(recogniser.line(image[place]), at)
            if read is not None:
                yield at, read


def _place_of_time(
    image: Image, near_utc: datetime, recogniser: Recogniser
) -> tuple[slice, slice] | None:
    """Rows and columns of the line with a time, at the upper or the lower edge."""
    high = max(1, round(image.shape[0] * _MARGIN))
    for top in (0, image.shape[0] - high):
        for text, (x0, y0, x1, y1) in recogniser.lines(image[top : top + high]):
            if parse_time(text, near_utc) is not None:
                # a digit that is wider than the one that is there now
                more = y1 - y0
                rows = slice(max(top + y0 - more // 4, 0), top + y1 + more // 4)
                return rows, slice(max(x0 - more, 0), x1 + more)
    return None


def parse_time(text: str, near_utc: datetime) -> Reading | None:
    """A time in a line of text; the date, where there is none or more than one is meant, is the
    nearest to `near_utc`.
    """
    text = text.translate(_LIKE_DIGITS)
    clock = _TIME.search(_without_date(text))
    if clock is None:
        return None
    hour = _hour(int(clock["h"]), clock["half"] or "", text)
    minute, second = int(clock["m"]), int(clock["s"])
    if hour is None or minute > 59 or second > 59:
        return None
    digits = clock["f"] or ""
    fraction = int(digits or 0) / 10 ** len(digits)
    near = near_utc.replace(tzinfo=None)
    into = timedelta(hours=hour, minutes=minute, seconds=second + fraction)
    times = [day + into for day in _days(text, near)]
    if not times:
        return None
    return Reading(min(times, key=lambda at: abs(at - near)), 10.0 ** -len(digits))


def _without_date(text: str) -> str:
    """The text after its date, which may be written without a space before the time."""
    date = _DATE.search(text)
    return text if date is None else text[: date.start()] + " " + text[date.end() :]


def _hour(hour: int, half: str, text: str) -> int | None:
    """The hour of the day; None for one that no clock shows."""
    word = _HALF.search(text)
    if half or word:
        later = half[:1].lower() == "p" if half else bool(word and word[2])
        return hour % 12 + 12 * later if 1 <= hour <= 12 else None
    return hour if hour <= 23 else None


def _days(text: str, near: datetime) -> Iterator[datetime]:
    """The days that may be meant."""
    date = _DATE.search(text)
    today = near.replace(hour=0, minute=0, second=0, microsecond=0)
    if date is None:
        yield from (today + timedelta(days=k) for k in (-1, 0, 1))
        return
    a, b, c = (int(v) for v in date.groups())
    for year, month, day in ((a, b, c), (c, b, a), (c, a, b)):
        try:
            # a day of the picture's clock, whose zone is told apart later
            yield datetime(year if year > 99 else 2000 + year, month, day)  # noqa: DTZ001
        except ValueError:
            continue


def _compared(
    seen: Sequence[tuple[datetime, Reading]], zone: tzinfo, name: str
) -> BurntInClock | None:
    """How far the clock is ahead: each picture allows the differences from what it shows until the
    next step; None where fewer than most agree.
    """
    least = np.array([(r.shown.replace(tzinfo=zone) - at).total_seconds() for at, r in seen])
    step_s = max(r.step_s for _, r in seen)
    middle = float(np.median(least))
    agree = np.abs(least - middle) <= step_s + _LEAST_SD_S
    if agree.sum() < max(_FEWEST, _AGREE * len(seen)):
        return None
    low = float(np.quantile(least[agree], 0.95))
    high = float(np.quantile(least[agree] + step_s, 0.05))
    width = max(high - low, 0.0)
    sd_s = max(width / np.sqrt(12), _LEAST_SD_S)
    return BurntInClock((low + high) / 2, float(sd_s), int(agree.sum()), name)


class RapidOcr:
    """RapidOCR with the models of its package."""

    def __init__(self) -> None:
        from rapidocr import RapidOCR

        self._reader = RapidOCR(params={"Global.log_level": "warning"})

    def lines(self, image: Image) -> Sequence[Line]:
        """The texts in a picture."""
        found = self._reader(image, use_cls=False)
        if found.txts is None or found.boxes is None:
            return ()
        corners = [np.r_[np.min(box, 0), np.max(box, 0)].round().astype(int) for box in found.boxes]
        return [
            Line(str(text), (int(c[0]), int(c[1]), int(c[2]), int(c[3])))
            for text, c in zip(found.txts, corners, strict=True)
        ]

    def line(self, image: Image) -> str:
        """The text of a picture of one line."""
        found = self._reader(image, use_det=False, use_cls=False)
        return " ".join(found.txts or ())
