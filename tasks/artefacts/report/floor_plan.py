"""The plan of the site: what the cameras cover, where the subject went and where contacts took
place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from data_contracts.camera import Camera, Site
from data_contracts.site_map import Box
from data_contracts.tables.contracts import TRAJECTORY
from data_contracts.text import Say, in_english, mark
from tasks.artefacts.formats import stays, stretches
from tasks.artefacts.report.svg import element, points
from tasks.artefacts.report.words import Clock, duration

_WIDTH = 1000.0
_HEIGHT = 640.0
# Floor shown around what matters: a camera that looks down a street covers hundreds of metres of
# nothing.
_AROUND_M = 6.0
# Cameras so far from the subject's way are drawn, looked for around squares of it of this side.
_NEAR_M = 40.0
_CELL_M = 20.0
_MOST_DRAWN = 50
# Dark to light to dark again is avoided: every stop has a contrast of at least 3 to 1 on white
# (WCAG 1.4.11).
_COLOUR_RAMP = ((38, 52, 140), (15, 112, 150), (24, 128, 92), (158, 106, 12), (184, 48, 32))
_STEPS_M = (1, 2, 5, 10, 20, 50, 100, 200, 500)

_DIAMOND = points([(8.0, -1.0), (16.0, 7.0), (8.0, 15.0), (0.0, 7.0)])

Place = Callable[[float, float], tuple[float, float]]


def near_way(site: Site, way: pd.DataFrame) -> list[Camera]:
    """The cameras to be drawn: those near a way (x_m, y_m); where there is none, as many as a
    picture can hold.
    """
    cells = way[["x_m", "y_m"]].dropna().floordiv(_CELL_M).drop_duplicates() * _CELL_M
    found = {
        camera_id
        for x, y in cells.itertuples(index=False)
        for _, camera_id in site.map.around(Box(x, y, x + _CELL_M, y + _CELL_M), _NEAR_M)
    }
    chosen = sorted(found) or islice(site.by_id, _MOST_DRAWN)
    return [site.by_id[camera_id] for camera_id in chosen]


def draw_plan(
    site: Site,
    trajectory: pd.DataFrame,
    contacts: pd.DataFrame,
    clock: Clock,
    *,
    asked: pd.DataFrame | None = None,
    text: Say = in_english,
) -> Markup:
    """SVG of the site in metres, north up. The subject's way is coloured by time; dashed where it
    was not seen. `asked`: the way (t_utc, x_m, y_m) of somebody who is asked about, drawn on top.
    `text`: says the words in the reader's language.
    """
    shown = trajectory if asked is None else pd.concat([trajectory, asked], ignore_index=True)
    cameras = near_way(site, shown)
    low, high = _extent(cameras, shown)
    scale = min(_WIDTH / (high[0] - low[0]), _HEIGHT / (high[1] - low[1]))
    width = (high[0] - low[0]) * scale
    height = (high[1] - low[1]) * scale

    def place(x_m: float, y_m: float) -> tuple[float, float]:
        return (x_m - low[0]) * scale, (high[1] - y_m) * scale

    parts = [
        element(
            "title",
            text("Plan of the site: cameras, the subject's way, stays and places of contacts"),
        ),
        element("rect", x=0, y=0, width=width, height=height, class_="floor"),
        *(_coverage(c, place) for c in cameras),
        *_way_lines(trajectory, place),
        *([] if asked is None else _asked_line(asked, place)),
        *_stay_circles(trajectory, place, clock, text),
        *_contact_marks(trajectory, contacts, place),
        *(_camera_sign(c, place, width) for c in cameras),
        _scale_bar(scale, height, text),
        *_legend(trajectory, clock, width, height, asked is not None, text),
    ]
    box = f"0 0 {width:.0f} {height + 44:.0f}"
    name = text("Plan of the site")
    return element("svg", *parts, viewBox=box, role="img", class_="plan", aria_label=name)


def draw_cameras(cameras: Sequence[Camera], text: Say = in_english) -> Markup:
    """SVG of cameras and what they cover, in metres, north up."""
    low, high = _extent(cameras, TRAJECTORY.empty())
    scale = min(_WIDTH / (high[0] - low[0]), _HEIGHT / (high[1] - low[1]))
    width = (high[0] - low[0]) * scale
    height = (high[1] - low[1]) * scale

    def place(x_m: float, y_m: float) -> tuple[float, float]:
        return (x_m - low[0]) * scale, (high[1] - y_m) * scale

    parts = [
        element("rect", x=0, y=0, width=width, height=height, class_="floor"),
        *(_coverage(c, place) for c in cameras),
        *(_camera_sign(c, place, width) for c in cameras),
        _scale_bar(scale, height, text),
    ]
    box = f"0 0 {width:.0f} {height:.0f}"
    name = text("Plan of the site")
    return element("svg", *parts, viewBox=box, role="img", class_="plan", aria_label=name)


def colour(share: float) -> str:
    """Colour of a moment, `share` 0 (start) to 1 (end) of the way."""
    at = min(max(share, 0.0), 1.0) * (len(_COLOUR_RAMP) - 1)
    i = min(int(at), len(_COLOUR_RAMP) - 2)
    mixed = [
        round(a + (b - a) * (at - i))
        for a, b in zip(_COLOUR_RAMP[i], _COLOUR_RAMP[i + 1], strict=True)
    ]
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def _extent(cameras: Sequence[Camera], trajectory: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Corners (x, y) in metres of what is shown: way and cameras, and the coverage near them."""
    core = [c.position_local_m[:2] for c in cameras if c.position_local_m is not None]
    core += list(zip(trajectory["x_m"], trajectory["y_m"], strict=True))
    covered = [p for c in cameras for p in c.coverage_local_m]
    if not core:
        core = covered or [(0.0, 0.0)]
    near = np.asarray(core, float)
    low = near.min(axis=0) - _AROUND_M
    high = near.max(axis=0) + _AROUND_M
    if covered:
        low = np.maximum(low, np.minimum(np.min(covered, axis=0), near.min(axis=0)) - 1.5)
        high = np.minimum(high, np.maximum(np.max(covered, axis=0), near.max(axis=0)) + 1.5)
    return low, np.maximum(high, low + 1.0)


def _coverage(camera: Camera, place: Place) -> Markup:
    if len(camera.coverage_local_m) < 3:
        return Markup("")
    return element(
        "polygon", points=points(place(x, y) for x, y in camera.coverage_local_m), class_="coverage"
    )


def _camera_sign(camera: Camera, place: Place, width: float) -> Markup:
    if camera.position_local_m is None:
        return Markup("")
    x, y = place(*camera.position_local_m[:2])
    parts = []
    if camera.polygon is not None:
        # A camera looks at what it covers: the nearer part, because far floor would pull the arrow
        # aside.
        centre = camera.polygon.centroid
        cx, cy = place(centre.x, centre.y)
        angle = math.atan2(cy - y, cx - x)
        wing = [(x + 24 * math.cos(angle + d), y + 24 * math.sin(angle + d)) for d in (-0.45, 0.45)]
        parts.append(element("polygon", points=points([(x, y), *wing]), class_="view"))
    parts.append(element("circle", cx=x, cy=y, r=6, class_="camera"))
    # At the right edge the name goes to the left of its camera; 8 px a letter.
    fits = x + 10 + 8 * len(camera.camera_id) < width
    side = (
        {"x": x + 10, "class_": "label halo"} if fits else {"x": x - 10, "class_": "label halo end"}
    )
    parts.append(element("text", camera.camera_id, y=y - 9, **side))
    return element("g", element("title", f"camera {camera.camera_id} {camera.name}"), *parts)


def _way_lines(trajectory: pd.DataFrame, place: Place) -> list[Markup]:
    if trajectory.empty:
        return []
    first, span = _time_span(trajectory)
    out = []
    for part in stretches(trajectory):
        rows = part[["t_utc", "x_m", "y_m", "seen"]].to_dict("records")
        if len(rows) == 1:
            x, y = place(rows[0]["x_m"], rows[0]["y_m"])
            out.append(
                element(
                    "circle",
                    cx=x,
                    cy=y,
                    r=3,
                    fill=colour((rows[0]["t_utc"] - first).total_seconds() / span),
                )
            )
        for group in _colour_runs(rows):
            share = (group[0]["t_utc"] - first).total_seconds() / span
            line = points(place(r["x_m"], r["y_m"]) for r in group)
            dash = None if group[0]["seen"] else "3 5"
            out.append(
                element(
                    "polyline",
                    points=line,
                    class_="way",
                    stroke=colour(share),
                    stroke_dasharray=dash,
                )
            )
    return out


def _asked_line(asked: pd.DataFrame, place: Place) -> list[Markup]:
    """The way of who is asked about, with a dot where it ends."""
    if asked.empty:
        return []
    ways = asked.sort_values("t_utc")
    line = [place(x, y) for x, y in zip(ways["x_m"], ways["y_m"], strict=True)]
    x, y = line[-1]
    return [
        element("polyline", points=points(line), class_="asked"),
        element("circle", cx=x, cy=y, r=7, class_="asked-end"),
    ]


def _colour_runs(rows: list[dict[Any, Any]]) -> list[list[dict[Any, Any]]]:
    """Pieces of a few positions that share a colour and whether they were seen; each ends where the
    next begins.
    """
    each = max(2, len(rows) // 60)
    out: list[list[dict[Any, Any]]] = []
    start = 0
    for i in range(1, len(rows)):
        if i - start >= each or rows[i]["seen"] != rows[start]["seen"] or i == len(rows) - 1:
            out.append(rows[start : i + 1])
            start = i
    return out


def _time_span(trajectory: pd.DataFrame) -> tuple[pd.Timestamp, float]:
    first = trajectory["t_utc"].min()
    return first, max(1.0, (trajectory["t_utc"].max() - first).total_seconds())


def _stay_circles(trajectory: pd.DataFrame, place: Place, clock: Clock, text: Say) -> list[Markup]:
    out = []
    for stay in stays(trajectory):
        x, y = place(stay["x_m"], stay["y_m"])
        when = text(
            "stayed %(time)s from %(start)s",
            time=duration(stay["seconds"]),
            start=clock.time(stay["start_utc"]),
        )
        out.append(element("circle", element("title", when), cx=x, cy=y, r=16, class_="stay"))
    return out


def _contact_marks(trajectory: pd.DataFrame, contacts: pd.DataFrame, place: Place) -> list[Markup]:
    out = []
    placed: list[tuple[float, float]] = []
    for row in contacts.to_dict("records"):
        during = trajectory[trajectory["t_utc"].between(row["start_utc"], row["end_utc"])]
        if during.empty:
            continue
        x, y = place(float(during["x_m"].median()), float(during["y_m"].median()))
        # Contacts of one place are set side by side, not on top of each other.
        while any(math.hypot(x - a, y - b) < 26 for a, b in placed):
            x += 27
        placed.append((x, y))
        shape = points([(x, y - 10), (x + 10, y), (x, y + 10), (x - 10, y)])
        style = "contact" if row["band"] == "high" else "contact question"
        out.append(element("polygon", points=shape, class_=style))
        out.append(
            element("text", row["contact_id"], x=x, y=y - 14, class_="label halo middle strong")
        )
    return out


def _scale_bar(scale: float, height: float, text: Say) -> Markup:
    metres = max((s for s in _STEPS_M if s * scale <= 160), default=1)
    x = 14.0
    y = height - 14
    bar = element("path", d=f"M{x:.0f} {y - 5:.0f}v5h{metres * scale:.1f}v-5", class_="scale")
    said = text("%(metres)s m, north is up", metres=metres)
    label = element("text", said, x=x, y=y - 10, class_="label halo")
    return element("g", bar, label)


def _legend(
    trajectory: pd.DataFrame, clock: Clock, width: float, height: float, asked: bool, text: Say
) -> list[Markup]:
    y = height + 14
    out = []
    if len(trajectory):
        stops = [element("stop", offset=f"{i * 25}%", stop_color=colour(i / 4)) for i in range(5)]
        out.append(element("defs", element("linearGradient", *stops, id="time")))
        start, end = clock.span(trajectory["t_utc"].min(), trajectory["t_utc"].max())
        said = text("subject %(start)s", start=start)
        out.append(element("text", said, x=0, y=y + 12, class_="label"))
        out.append(element("rect", x=124, y=y + 2, width=110, height=10, fill="url(#time)"))
        out.append(element("text", end, x=240, y=y + 12, class_="label"))
    signs = [
        (34, element("line", x1=0, x2=34, y1=7, y2=7, class_="way bridged"), mark("between views")),
        (16, element("circle", cx=8, cy=7, r=8, class_="stay"), mark("stay")),
        (16, element("polygon", points=_DIAMOND, class_="contact"), mark("contact")),
        (16, element("polygon", points=_DIAMOND, class_="contact question"), mark("question")),
        (20, element("rect", x=0, y=0, width=20, height=14, class_="coverage"), mark("covered")),
    ]
    if asked:
        line = element("line", x1=0, x2=28, y1=7, y2=7, class_="asked")
        signs.insert(0, (28, line, mark("asked about")))
    x = 330.0
    for wide, drawn, name in signs:
        said = text(name)
        out.append(element("g", drawn, transform=f"translate({x:.0f} {y:.0f})"))
        out.append(element("text", said, x=x + wide + 7, y=y + 12, class_="label"))
        x += wide + 26 + _wide(said)
    # A narrow plan shrinks its legend rather than cutting it off.
    factor = min(1.0, width / 980)
    return [
        element("g", *out, transform=f"translate(0 {y * (1 - factor):.1f}) scale({factor:.3f})")
    ]


def _wide(text: str) -> float:
    """About how wide a label is, px: Korean letters are twice as wide as Latin ones."""
    return sum(13.0 if ord(letter) > 0x1100 else 7.2 for letter in text)
