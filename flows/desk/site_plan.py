"""A plan of the site's cameras: what each sees, by name; those of a place stand out."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from markupsafe import Markup

from data_contracts.camera import Camera, Site
from tasks.artefacts.report.svg import element, points

_WIDTH = 720.0
_TALLEST = 420.0
_RIM_PX = 16.0
_LETTER_PX = 8.0


def draw_site(site: Site, chosen: Collection[str], title: str) -> Markup:
    """SVG, north up; empty where no camera has a place."""
    floor = [p for c in site.cameras for p in _outline(c)]
    if not floor:
        return Markup("")
    low = np.min(floor, axis=0)
    size = np.maximum(np.max(floor, axis=0) - low, 1.0)
    scale = min((_WIDTH - 2 * _RIM_PX) / size[0], (_TALLEST - 2 * _RIM_PX) / size[1])
    height = size[1] * scale + 2 * _RIM_PX

    def place(x_m: float, y_m: float) -> tuple[float, float]:
        return _RIM_PX + (x_m - low[0]) * scale, height - _RIM_PX - (y_m - low[1]) * scale

    parts = [element("title", title)]
    for camera in sorted(site.cameras, key=lambda c: c.camera_id in chosen):
        kind = "area chosen" if camera.camera_id in chosen else "area"
        outline = [place(x, y) for x, y in _outline(camera)]
        if len(outline) >= 3:
            parts.append(element("polygon", points=points(outline), class_=kind))
    for camera in site.cameras:
        outline = [place(x, y) for x, y in _outline(camera)]
        if outline:
            x, y = np.mean(outline, axis=0)
            name = camera.name or camera.camera_id
            half = _LETTER_PX * len(name) / 2
            x = float(np.clip(x, half, max(half, _WIDTH - half)))
            parts.append(element("text", name, x=x, y=float(y), class_="name"))
    box = f"0 0 {_WIDTH:.0f} {height:.0f}"
    return element("svg", *parts, viewBox=box, role="img", class_="site", aria_label=title)


def _outline(camera: Camera) -> tuple[tuple[float, float], ...]:
    """What a camera sees, in metres; where that is not known, where it stands."""
    if camera.coverage_local_m:
        return camera.coverage_local_m
    at = camera.position_local_m
    return ((at[0], at[1]),) if at is not None else ()
