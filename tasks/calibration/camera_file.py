"""Changing one camera of a camera file, and nothing else in it."""

from __future__ import annotations

import json
from typing import Any

from data_contracts.camera import Camera, Origin, Site, read_site

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
        if str(feature["properties"].get("camera_id") or feature.get("id") or "") == camera_id:
            return feature
    new = {
        "type": "Feature",
        "id": camera_id,
        "geometry": None,
        "properties": {"camera_id": camera_id},
    }
    data["features"].append(new)
    return new


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


def camera_of(site: Site | None, camera_id: str, width: int, height: int) -> Camera:
    """The site's camera of this id, or a new one with pictures of this size."""
    if site is not None and camera_id in site.by_id:
        return site.by_id[camera_id]
    return Camera(camera_id=camera_id, image_width=width, image_height=height)
