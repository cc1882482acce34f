"""Changing one camera of a camera file, and nothing else in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from data_contracts.camera import Camera, Origin, Site, read_site
from data_contracts.clock import ClockSpan
from data_contracts.errors import BadInput

# What a calibration may have fitted itself: the next one must not take it as known.
FITTED = ("intrinsics", "distortion")


def without_fitted(camera: Camera, text: str | bytes) -> Camera:
    """The camera without what an earlier calibration fitted (its `calibration.fitted` in the file
    `text`).
    """
    fitted = _fitted(_feature(json.loads(text), camera.camera_id)["properties"])
    empty: dict[str, Any] = {"intrinsics": None, "distortion": ()}
    return Camera(**{**camera.model_dump(), **{name: empty[name] for name in fitted}})


def _fitted(properties: dict[str, Any]) -> list[str]:
    return [
        name for name in (properties.get("calibration") or {}).get("fitted", []) if name in FITTED
    ]


def _feature(data: dict[str, Any], camera_id: str) -> dict[str, Any]:
    """The camera's feature, a new one where the file has none."""
    for feature in data["features"]:
        if _id_of(feature) == camera_id:
            return feature
    new = {
        "type": "Feature",
        "id": camera_id,
        "geometry": None,
        "properties": {"camera_id": camera_id},
    }
    data["features"].append(new)
    return new


def calibration_of(text: str | bytes) -> dict[str, dict[str, Any]]:
    """What a camera file says of each camera's calibration, by camera; empty where it says
    nothing.
    """
    found = {}
    for feature in json.loads(text)["features"]:
        told = feature["properties"].get("calibration")
        found[_id_of(feature)] = told if isinstance(told, dict) else {}
    return found


def camera_digest(text: str | bytes, camera_id: str) -> str:
    """A digest of all that a camera file says of one camera: whether somebody changed it."""
    for feature in json.loads(text)["features"]:
        if _id_of(feature) == camera_id:
            return hashlib.sha256(json.dumps(feature, sort_keys=True).encode()).hexdigest()
    return ""


def _id_of(feature: dict[str, Any]) -> str:
    return str(feature["properties"].get("camera_id") or feature.get("id") or "")


def with_camera(
    text: str | bytes | None, origin: Origin, camera: Camera, calibration: dict[str, Any]
) -> bytes:
    """The file `text` (None: a new one) with this camera's calibration; other cameras and unknown
    fields stay as they are.

    Written are the homography, what is known of lens and position, the coverage where the file has
    none, and the record of the `calibration`. Raises BadInput where the result would be no camera
    file.
    """
    data = {"type": "FeatureCollection", "features": []} if text is None else json.loads(text)
    properties = _feature(data, camera.camera_id)["properties"]
    for name in _fitted(properties):
        del properties[name]
    properties.setdefault("local_origin", {"lon": origin.lon, "lat": origin.lat})
    properties |= {"image_width": camera.image_width, "image_height": camera.image_height}
    properties["homography_px_to_local"] = [
        list(row) for row in camera.homography_px_to_local or ()
    ]
    if camera.position_local_m is not None:
        properties["position_local_m"] = list(camera.position_local_m)
    if "intrinsics" in calibration.get("fitted", ()):
        properties["intrinsics"], properties["distortion"] = (
            camera.intrinsics,
            list(camera.distortion),
        )
    if camera.coverage_local_m and not properties.get("coverage"):
        ring = [[round(v, 8) for v in origin.to_wgs84(x, y)] for x, y in camera.coverage_local_m]
        properties["coverage"] = {"type": "Polygon", "coordinates": [ring]}
    properties["calibration"] = calibration
    written = (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()
    read_site(written)
    return written


def with_clock(text: str | bytes, camera_id: str, spans: Sequence[ClockSpan]) -> bytes:
    """The file `text` with what is known of a camera's clock in the place of what it said of it;
    all else stays. Raises BadInput where the file has no such camera.
    """
    if camera_id not in read_site(text).by_id:
        raise BadInput(f"the camera file has no camera {camera_id}: expected one of its ids")
    data = json.loads(text)
    properties = _feature(data, camera_id)["properties"]
    properties.pop("clock", None)
    if spans:
        properties["clock"] = [span.model_dump(mode="json", exclude_none=True) for span in spans]
    written = (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()
    read_site(written)
    return written


def with_span(spans: Sequence[ClockSpan], new: ClockSpan) -> list[ClockSpan]:
    """Spans with a new one, which goes before those that hold for ever. One of the same time is
    replaced. Raises BadInput where it overlaps another of its kind.
    """
    kept = [s for s in spans if (s.from_utc, s.until_utc) != (new.from_utc, new.until_utc)]
    if new.from_utc is None and new.until_utc is None:
        return [*kept, new]
    for other in kept:
        bounded = other.from_utc is not None or other.until_utc is not None
        if bounded and _overlap(other, new):
            raise BadInput(
                "the span overlaps one that is there, from "
                f"{other.from_utc or 'ever'} until {other.until_utc or 'ever'}: expected spans "
                "that do not; --clear removes them all"
            )
    return [new, *kept]


def _overlap(a: ClockSpan, b: ClockSpan) -> bool:
    before = a.until_utc is not None and b.from_utc is not None and a.until_utc <= b.from_utc
    after = b.until_utc is not None and a.from_utc is not None and b.until_utc <= a.from_utc
    return not before and not after


def camera_of(site: Site | None, camera_id: str, width: int, height: int) -> Camera:
    """The site's camera of this id, or a new one with pictures of this size."""
    if site is not None and camera_id in site.by_id:
        return site.by_id[camera_id]
    return Camera(camera_id=camera_id, image_width=width, image_height=height)
