"""Cameras and the site they stand on: one ground plane in metres (`x_m` east, `y_m` north of the origin)."""

from __future__ import annotations

import json
import math
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, ValidationError, field_validator
from shapely.geometry import Point, Polygon

from data_contracts.errors import BadInput
from data_contracts.time import Record

Row3 = tuple[float, float, float]


class Origin(Record):
    """WGS 84 position of the local ground plane's (0, 0)."""

    lon: float
    lat: float

    def to_local(self, lon: float, lat: float) -> tuple[float, float]:
        """Equirectangular metres east and north; good to centimetres over a few kilometres (WGS 84 radii series)."""
        north, east = _metres_per_degree(self.lat)
        return (lon - self.lon) * east, (lat - self.lat) * north

    def to_wgs84(self, x_m: float, y_m: float) -> tuple[float, float]:
        """Longitude and latitude of a local position."""
        north, east = _metres_per_degree(self.lat)
        return self.lon + x_m / east, self.lat + y_m / north


def _metres_per_degree(lat_deg: float) -> tuple[float, float]:
    """Metres per degree of latitude and longitude at a latitude (series of the WGS 84 ellipsoid)."""
    phi = math.radians(lat_deg)
    north = 111132.92 - 559.82 * math.cos(2 * phi) + 1.175 * math.cos(4 * phi) - 0.0023 * math.cos(6 * phi)
    east = 111412.84 * math.cos(phi) - 93.5 * math.cos(3 * phi) + 0.118 * math.cos(5 * phi)
    return north, east


class Neighbour(Record):
    """A camera that a walker can reach next. 0 s means that the two views overlap."""

    camera_id: str
    walking_seconds: float = Field(ge=0)


class Camera(Record):
    """One camera with its homography from image pixels to the site's ground plane in metres."""

    camera_id: str
    name: str = ""
    image_width: int = Field(gt=0)
    image_height: int = Field(gt=0)
    homography_px_to_local: tuple[Row3, Row3, Row3] | None = None
    position_local_m: tuple[float, float, float] | None = None
    intrinsics: dict[str, float] | None = None
    distortion: tuple[float, ...] = ()
    time_zone: str = "UTC"
    coverage_local_m: tuple[tuple[float, float], ...] = ()
    neighbours: tuple[Neighbour, ...] = ()

    @field_validator("camera_id")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not value or any(c in value for c in "/\\ \t\n") or value.startswith("."):
            raise ValueError("a camera id is part of object keys: no slash, space or leading dot")
        return value

    @cached_property
    def homography(self) -> np.ndarray | None:
        """Image px to local metres, (3, 3), or None where the camera is not calibrated."""
        return None if self.homography_px_to_local is None else np.asarray(self.homography_px_to_local, float)

    @cached_property
    def polygon(self) -> Polygon | None:
        """Floor area in which a person is in the image, local metres; None where not given."""
        return Polygon(self.coverage_local_m) if len(self.coverage_local_m) >= 3 else None

    def covers(self, x_m: float, y_m: float, margin_m: float = 0.0) -> bool:
        """Whether a floor position lies in (or within `margin_m` of) the coverage; True where none is given."""
        return self.polygon is None or self.polygon.distance(Point(x_m, y_m)) <= margin_m


class Site(Record):
    """All cameras of one ground plane."""

    cameras: tuple[Camera, ...]
    origin: Origin

    @cached_property
    def by_id(self) -> dict[str, Camera]:
        """Cameras by their id."""
        return {c.camera_id: c for c in self.cameras}

    def overlapping(self, a: str, b: str) -> bool:
        """Whether two cameras' coverages share floor (or are declared neighbours at 0 s where coverage is missing)."""
        pa, pb = self.by_id[a].polygon, self.by_id[b].polygon
        if pa is not None and pb is not None:
            return bool(pa.buffer(0).intersects(pb.buffer(0)))
        return any(n.camera_id == b and n.walking_seconds == 0 for n in self.by_id[a].neighbours)


def read_site(text: str | bytes, name: str = "cameras.geojson") -> Site:
    """Read a GeoJSON FeatureCollection of cameras.

    Raises BadInput with the camera and field that is wrong. Coverage is given in longitude, latitude (RFC 7946) and
    becomes local metres through the first camera's `local_origin`.
    """
    try:
        data = json.loads(text)
        features = data["features"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{name}: expected a GeoJSON FeatureCollection of cameras ({type(error).__name__})") from error
    if not isinstance(features, list) or not features:
        raise BadInput(f"{name}: expected at least one camera feature, got none")
    try:
        first = features[0]["properties"]["local_origin"]
        origin = Origin(lon=float(first["lon"]), lat=float(first["lat"]))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BadInput(f"{name}: the first camera lacks local_origin with lon and lat") from error
    cameras = tuple(_camera(feature, origin, name, index) for index, feature in enumerate(features))
    ids = [c.camera_id for c in cameras]
    if len(set(ids)) != len(ids):
        raise BadInput(f"{name}: camera ids must be unique")
    return Site(cameras=cameras, origin=origin)


def _camera(feature: Any, origin: Origin, name: str, index: int) -> Camera:
    try:
        props = dict(feature["properties"])
        camera_id = str(props.get("camera_id") or feature.get("id") or "")
        ring = (props.get("coverage") or {}).get("coordinates", [[]])[0]
        return Camera(
            camera_id=camera_id,
            name=str(props.get("name", "")),
            image_width=props["image_width"],
            image_height=props["image_height"],
            homography_px_to_local=props.get("homography_px_to_local"),
            position_local_m=props.get("position_local_m"),
            intrinsics=props.get("intrinsics"),
            distortion=tuple(props.get("distortion") or ()),
            time_zone=props.get("time_zone", "UTC"),
            coverage_local_m=tuple(origin.to_local(float(lon), float(lat)) for lon, lat in ring),
            neighbours=tuple(Neighbour(**n) for n in props.get("neighbours", [])),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        detail = _first(error) if isinstance(error, ValidationError) else f"{type(error).__name__}: {error}"
        raise BadInput(f"{name}: camera number {index + 1} cannot be read: {detail}") from error


def _first(error: ValidationError) -> str:
    item = error.errors()[0]
    return f"{'.'.join(str(p) for p in item['loc'])}: {item['msg']}"


def read_site_file(path: Path) -> Site:
    """Read a camera file from disk. Raises BadInput when it is missing or wrong."""
    try:
        return read_site(path.read_bytes(), path.name)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
