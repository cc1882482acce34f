"""The timeline: what the subject says, what each camera saw, what was not looked at, when contacts
took place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup

from data_contracts.case import CaseRequest
from data_contracts.text import Say, in_english, mark
from data_contracts.time import Interval, merge
from tasks.artefacts.report.svg import element
from tasks.artefacts.report.words import Clock, duration

_WIDTH = 1000.0
_LEFT = 150.0
_ROW_HEIGHT = 30.0
# A report stays readable: cameras beyond this have their rows only in the tables.
_MAX_CAMERAS = 24
# Sightings further apart than this get timelines of their own, so that seconds stay visible.
_CLUSTER_S = 600.0
_TICKS_S = (
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10800,
    21600,
    43200,
    86400,
)
_MAX_CLUSTERS = 6
# Bars that have the name of a sighting or contact.
_NAMED = ("seen", "met")
# Rows that belong to no camera, as they are called.
_ROW_NAMES = {
    "says": mark("subject says"),
    "contacts": mark("contacts"),
    "any camera": mark("any camera"),
}
# Offset and height of bars that leave room for others in their row, px.
_BAR_PLACES = {"window": (8.0, 10.0), "gap": (15.0, 9.0)}


@dataclass(frozen=True)
class Timeline:
    """A drawn timeline and its heading."""

    heading: str
    drawing: Markup


def draw_timelines(
    request: CaseRequest,
    windows: pd.DataFrame,
    sightings: pd.DataFrame,
    contacts: pd.DataFrame,
    gaps: pd.DataFrame,
    clock: Clock,
    *,
    text: Say = in_english,
) -> list[Timeline]:
    """The whole time first, then a closer look at each cluster of sightings. Bars of sightings and
    contacts lead to what has their name as its id (S-01, C-01). `text`: says the words in the
    reader's language.
    """
    seen = [
        Interval(s, e) for s, e in zip(sightings["start_utc"], sightings["end_utc"], strict=True)
    ]
    whole = _whole_span(request, windows, sightings, gaps)
    parts = [_padded(part) for part in merge(seen, _CLUSTER_S)][:_MAX_CLUSTERS]
    rows = _Rows(request, windows, sightings, contacts, gaps, clock, text)
    out = [Timeline(text("The whole time"), rows.draw(whole))]
    if len(parts) == 1 and parts[0].seconds > 0.5 * whole.seconds:
        return out
    for part in parts:
        start, end = clock.span(part.start_utc, part.end_utc)
        day = clock.day(part.start_utc)
        heading = text("While seen: %(day)s, %(start)s to %(end)s", day=day, start=start, end=end)
        out.append(Timeline(heading, rows.draw(part)))
    return out


def _whole_span(
    request: CaseRequest, windows: pd.DataFrame, sightings: pd.DataFrame, gaps: pd.DataFrame
) -> Interval:
    """From the first to the last thing that a row shows; gaps count only as far as something was
    planned or claimed.
    """
    tables = (windows, sightings)
    starts = [v.from_utc for v in request.itinerary] + [
        t["start_utc"].min() for t in tables if len(t)
    ]
    ends = [v.to_utc for v in request.itinerary] + [t["end_utc"].max() for t in tables if len(t)]
    if not starts and len(gaps):
        starts = [gaps["start_utc"].min()]
        ends = [gaps["end_utc"].max()]
    start = min(starts) if starts else request.anchor_utc
    end = max(ends) if ends else start
    return _padded(Interval(start, max(end, start + timedelta(seconds=10))))


def _padded(part: Interval) -> Interval:
    pad = timedelta(seconds=max(5.0, 0.04 * part.seconds))
    return Interval(part.start_utc - pad, part.end_utc + pad)


@dataclass(frozen=True)
class _Rows:
    request: CaseRequest
    windows: pd.DataFrame
    sightings: pd.DataFrame
    contacts: pd.DataFrame
    gaps: pd.DataFrame
    clock: Clock
    text: Say

    def draw(self, span: Interval) -> Markup:
        """One timeline of the rows that have something in the span."""
        names = self._camera_order(span)
        labels = ["says", *names, "contacts"]
        general = _within(self.gaps[self.gaps["camera_id"] == ""], span)
        if len(general):
            labels.append("any camera")
        height = _ROW_HEIGHT * len(labels) + 30
        name = self.text("Timeline")
        parts: list[Markup] = [element("title", name)]
        parts += _time_axis(span, height, self.clock)
        for i, label in enumerate(labels):
            y = i * _ROW_HEIGHT + 4
            said = self.text(_ROW_NAMES[label]) if label in _ROW_NAMES else _short(label)
            parts.append(element("text", said, x=_LEFT - 10, y=y + 16, class_="label end"))
            parts.append(element("line", x1=_LEFT, x2=_WIDTH, y1=y + 26, y2=y + 26, class_="rule"))
            bars = self._bars_on(label, span) if label in names else self._bars_of(label, span)
            parts += [_drawn_bar(bar, span, y) for bar in bars if _meets(bar, span)]
        box = f"0 0 {_WIDTH:.0f} {height:.0f}"
        return element("svg", *parts, viewBox=box, role="group", class_="timeline", aria_label=name)

    def _camera_order(self, span: Interval) -> list[str]:
        """Cameras with something to show: those that saw the subject first, then by name."""
        seen = set(_within(self.sightings, span)["camera_id"])
        other = set(_within(self.windows, span)["camera_id"]) | set(
            _within(self.gaps, span)["camera_id"]
        ) - {""}
        return [*sorted(seen), *sorted(other - seen - {""})][:_MAX_CAMERAS]

    def _bars_of(self, label: str, span: Interval) -> list[_Bar]:
        """The bars of a row that belongs to no camera."""
        if label == "says":
            return [
                _Bar(v.from_utc, v.to_utc, "claim", v.place, v.place)
                for v in self.request.itinerary
            ]
        if label == "contacts":
            rows = _within(self.contacts, span).to_dict("records")
            return [_row_bar(r, f"met {r['band']}", r["contact_id"], r["contact_id"]) for r in rows]
        rows = _within(self.gaps[self.gaps["camera_id"] == ""], span).to_dict("records")
        return [_row_bar(r, "gap", "", str(r["detail"])) for r in rows]

    def _bars_on(self, camera: str, span: Interval) -> list[_Bar]:
        """The bars of a camera's row, in the order in which they are drawn over one another."""

        def own(table: pd.DataFrame) -> list[dict[Any, Any]]:
            return _within(table[table["camera_id"] == camera], span).to_dict("records")

        planned = merge([Interval(r["start_utc"], r["end_utc"]) for r in own(self.windows)])
        looked = self.text("looked for here")
        bars = [_Bar(p.start_utc, p.end_utc, "window", "", looked) for p in planned]
        for row in own(self.sightings):
            name = str(row["sighting_id"])
            length = duration((row["end_utc"] - row["start_utc"]).total_seconds())
            bars.append(_row_bar(row, f"seen {row['band']}", name, f"{name}: {length}"))
        # On top: a sighting that spans a gap must not hide it.
        return bars + [_row_bar(row, "gap", "", str(row["detail"])) for row in own(self.gaps)]


class _Bar(NamedTuple):
    """A stretch of time in a row: its class of style, the text in it, and its tooltip."""

    start: datetime
    end: datetime
    style: str
    text: str
    title: str


def _row_bar(row: dict[Any, Any], style: str, text: str, title: str) -> _Bar:
    return _Bar(row["start_utc"], row["end_utc"], style, text, title)


def _across(time: datetime, span: Interval) -> float:
    """Where a time is drawn, px from the left; times outside the span at its ends."""
    share = (time - span.start_utc).total_seconds() / max(span.seconds, 1e-6)
    return _LEFT + min(max(share, 0.0), 1.0) * (_WIDTH - _LEFT)


def _drawn_bar(bar: _Bar, span: Interval, y: float) -> Markup:
    x0 = _across(bar.start, span)
    x1 = _across(bar.end, span)
    # A moment stays visible: two pixels.
    wide = max(x1 - x0, 2.0)
    down, high = _BAR_PLACES.get(bar.style, (2.0, 22.0))
    title = element("title", bar.title)
    drawn = element("rect", title, x=x0, y=y + down, width=wide, height=high, class_=bar.style)
    named = bar.style.startswith(_NAMED)
    if bar.text and wide >= 7.2 * len(bar.text) + 8:
        text = element("text", bar.text, x=x0 + 5, y=y + 17, class_=f"inside {bar.style}")
        drawn = element("g", drawn, text)
    return element("a", drawn, href=f"#{bar.text}", aria_label=bar.title) if named else drawn


def _time_axis(span: Interval, height: float, clock: Clock) -> list[Markup]:
    step = next((s for s in _TICKS_S if span.seconds / s <= 10), _TICKS_S[-1])
    first = math.ceil(span.start_utc.timestamp() / step) * step
    out = []
    count = int((span.end_utc.timestamp() - first) // step) + 1
    for i in range(max(0, min(count, 60))):
        time = datetime.fromtimestamp(first + i * step, tz=span.start_utc.tzinfo)
        x = _across(time, span)
        out.append(element("line", x1=x, x2=x, y1=0, y2=height - 24, class_="tick"))
        text = clock.minute(time) if step >= 60 else clock.time(time)
        out.append(
            element(
                "text",
                text,
                x=min(max(x, _LEFT + 10), _WIDTH - 28),
                y=height - 8,
                class_="label middle",
            )
        )
    return out


def _within(table: pd.DataFrame, span: Interval) -> pd.DataFrame:
    return table[(table["start_utc"] <= span.end_utc) & (table["end_utc"] >= span.start_utc)]


def _meets(bar: _Bar, span: Interval) -> bool:
    return bar.start <= span.end_utc and bar.end >= span.start_utc


def _short(label: str) -> str:
    return label if len(label) <= 20 else f"{label[:19]}…"
