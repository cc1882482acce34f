"""Cameras and the site they stand on: one ground plane in metres (`x_m` east, `y_m` north of the
origin).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, ValidationError, field_validator
from shapely.geometry import Point, Polygon
from shapely.validation import explain_validity

from data_contracts.clock import Clock, ClockSpan
from data_contracts.errors import BadInput
from data_contracts.number import read_number
from data_contracts.record import Record, first_fault
from data_contracts.site_map import Box, MapOfCameras, SiteMap, stand_of
from data_contracts.time_zone import find_zone

# Properties of a camera that hold numbers.
_NUMBERS = (
    "image_width",
    "image_height",
    "homography_px_to_local",
    "position_local_m",
    "intrinsics",
    "distortion",
)
Row3 = tuple[float, float, float]

# Ten thousand cameras take about 25 MB; more is not a camera file.
MAX_BYTES = 256 * 2**20
# H.264's largest picture side (ITU-T H.264 table A-1, level 6.2) is a little above; larger is a
# mistake or an attack.
MAX_SIDE_PX = 16_384
MAX_CORNERS = 10_000
# A site is one ground plane: coverage farther from the origin than this is a mistake, such as
# latitude first.
MAX_SITE_M = 100_000.0
# Numbers of coefficients that OpenCV's lens model takes.
_LENS_MODELS = (0, 4, 5, 8, 12, 14)
# Ratio of the smallest to the largest singular value, over the picture, below which a homography
# maps all to a line.
_SINGULAR = 1e-12


class Origin(Record):
    """WGS 84 position of the local ground plane's (0, 0)."""

    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-89, le=89)

    def to_local(self, lon: float, lat: float) -> tuple[float, float]:
        """Equirectangular metres east and north; good to centimetres over a few kilometres (WGS 84
        radii series).
        """
        north, east = _metres_per_degree(self.lat)
        return (lon - self.lon) * east, (lat - self.lat) * north

    def to_wgs84(self, x_m: float, y_m: float) -> tuple[float, float]:
        """Longitude and latitude of a local position."""
        north, east = _metres_per_degree(self.lat)
        return self.lon + x_m / east, self.lat + y_m / north


def _metres_per_degree(lat_deg: float) -> tuple[float, float]:
    """Metres per degree of latitude and longitude at a latitude (series of the WGS 84
    ellipsoid).
    """
    phi = math.radians(lat_deg)
    north = (
        111132.92
        - 559.82 * math.cos(2 * phi)
        + 1.175 * math.cos(4 * phi)
        - 0.0023 * math.cos(6 * phi)
    )
    east = 111412.84 * math.cos(phi) - 93.5 * math.cos(3 * phi) + 0.118 * math.cos(5 * phi)
    return north, east


class Neighbour(Record):
    """A camera that a walker can reach next. 0 s means that the two views overlap."""

    camera_id: str
    walking_seconds: float = Field(ge=0)


class Camera(Record):
    """One camera with its homography from image pixels to the site's ground plane in metres.

    `clock`: how far its clock is off, by spans; the first that holds counts.
    `calibration_fault` says why a given homography was not taken: such a camera is searched, but
    places no one.
    """

    camera_id: str
    name: str = ""
    image_width: int = Field(gt=0, le=MAX_SIDE_PX)
    image_height: int = Field(gt=0, le=MAX_SIDE_PX)
    homography_px_to_local: tuple[Row3, Row3, Row3] | None = None
    position_local_m: tuple[float, float, float] | None = None
    intrinsics: dict[str, float] | None = None
    distortion: tuple[float, ...] = ()
    time_zone: str = "UTC"
    coverage_local_m: tuple[tuple[float, float], ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    clock: tuple[ClockSpan, ...] = ()
    calibration_fault: str = ""

    @field_validator("camera_id")
    @classmethod
    def _plain(cls, value: str) -> str:
        if (
            not value.isprintable()
            or not 0 < len(value) <= 200
            or any(c in value for c in "/\\ ")
            or value[0] == "."
        ):
            raise ValueError(
                "a camera id is part of object keys: up to 200 characters, no slash, space or "
                "leading dot"
            )
        return value

    @field_validator("intrinsics")
    @classmethod
    def _focal(cls, value: dict[str, float] | None) -> dict[str, float] | None:
        if value and not all(math.isfinite(v) and v > 0 for v in value.values()):
            raise ValueError("fx, fy, cx and cy in px must be above 0")
        return value

    @field_validator("distortion")
    @classmethod
    def _lens(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(value) not in _LENS_MODELS or not all(map(math.isfinite, value)):
            raise ValueError(
                f"expected k1, k2, p1, p2, k3 (as in OpenCV: {_LENS_MODELS[1:]} numbers), got "
                f"{len(value)}"
            )
        return value

    @field_validator("coverage_local_m")
    @classmethod
    def _area(cls, value: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        if not value:
            return value
        if len(value) > MAX_CORNERS or not all(
            math.isfinite(v) and abs(v) < MAX_SITE_M for xy in value for v in xy
        ):
            raise ValueError(
                f"expected at most {MAX_CORNERS} corners within {MAX_SITE_M / 1000:g} km of "
                "local_origin,"
                " each longitude, then latitude (RFC 7946)"
            )
        if len(value) < 3 or not Polygon(value).is_valid:
            why = explain_validity(Polygon(value)) if len(value) > 2 else f"{len(value)} corners"
            raise ValueError(f"expected a ring that does not cross itself, local metres: {why}")
        return value

    @cached_property
    def homography(self) -> np.ndarray | None:
        """Image px to local metres, (3, 3), or None where the camera is not calibrated."""
        return (
            None
            if self.homography_px_to_local is None
            else np.asarray(self.homography_px_to_local, float)
        )

    @cached_property
    def polygon(self) -> Polygon | None:
        """Floor area in which a person is in the image, local metres; None where not given."""
        return Polygon(self.coverage_local_m) if len(self.coverage_local_m) >= 3 else None

    def covers(self, x_m: float, y_m: float, margin_m: float = 0.0) -> bool:
        """Whether a floor position lies in (or within `margin_m` of) the coverage; True where none
        is given.
        """
        return self.polygon is None or self.polygon.distance(Point(x_m, y_m)) <= margin_m


class Site:
    """The cameras of one ground plane, each looked up when it is asked for: `by_id`, `map`. To go
    through all `cameras` costs by the size of the city.
    """

    def __init__(self, cameras: Iterable[Camera], origin: Origin) -> None:
        self._given = tuple(cameras)
        self.origin = origin
        self._standing: dict[bytes, tuple[str, ...]] = {}

    def __eq__(self, other: object) -> bool:
        """Whether the same cameras stand there."""
        if not isinstance(other, Site):
            return NotImplemented
        return self.origin == other.origin and self.cameras == other.cameras

    __hash__ = None  # type: ignore[assignment]

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """All of them, in the order of the file."""
        return self._given

    @cached_property
    def by_id(self) -> Mapping[str, Camera]:
        """Cameras by their id."""
        return {c.camera_id: c for c in self.cameras}

    @cached_property
    def map(self) -> SiteMap:
        """Ways, places and names."""
        return MapOfCameras(self.cameras)

    @property
    def zone(self) -> tzinfo:
        """The zone of local times: the first camera's; UTC where it is not known to this
        machine.
        """
        first = next(iter(self.by_id.values()), None)
        return find_zone("UTC" if first is None else first.time_zone) or UTC

    @cached_property
    def clocks(self) -> Mapping[str, Clock]:
        """What is known of cameras' clocks, by camera."""
        return _Clocks(self.by_id)

    def standing_in(self, ring: Polygon) -> tuple[str, ...]:
        """Ids of the cameras that stand in an area (its border too) of local metres, in their
        order. A camera of unknown place stands nowhere.
        """
        if ring.wkb not in self._standing:
            near = self.map.standing(Box(*ring.bounds))
            inside = sorted(c for c in near if ring.covers(stand_of(self.by_id[c])))
            self._standing = {ring.wkb: tuple(inside)}
        return self._standing[ring.wkb]

    def overlapping(self, a: str, b: str) -> bool:
        """Whether two cameras' coverages share floor (or are declared neighbours at 0 s where
        coverage is missing).
        """
        pa = self.by_id[a].polygon
        pb = self.by_id[b].polygon
        if pa is not None and pb is not None:
            return bool(pa.buffer(0).intersects(pb.buffer(0)))
        return any(n.camera_id == b and n.walking_seconds == 0 for n in self.by_id[a].neighbours)


class _Clocks(Mapping[str, Clock]):
    """The clocks of cameras that have one."""

    def __init__(self, cameras: Mapping[str, Camera]) -> None:
        self._cameras = cameras

    def __getitem__(self, camera_id: str) -> Clock:
        clock = self._cameras[camera_id].clock
        if not clock:
            raise KeyError(camera_id)
        return clock

    def __iter__(self) -> Iterator[str]:
        return (name for name, camera in self._cameras.items() if camera.clock)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def read_site(text: str | bytes, name: str = "cameras.geojson") -> Site:
    """Read a GeoJSON FeatureCollection of cameras.

    Raises BadInput with the camera and field that is wrong. Coverage is given in longitude,
    latitude (RFC 7946) and becomes local metres through the first camera's `local_origin`.
    """
    features = _features(text, name)
    try:
        first = features[0]["properties"]["local_origin"]
        origin = Origin(lon=read_number(first["lon"]), lat=read_number(first["lat"]))
    except ValidationError as error:
        raise BadInput(
            f"{name}: local_origin of the first camera: {first_fault(error)} (degrees)"
        ) from error
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise BadInput(f"{name}: the first camera lacks local_origin with lon and lat") from error
    cameras = tuple(_camera(feature, origin, name, index) for index, feature in enumerate(features))
    ids = {c.camera_id for c in cameras}
    if len(ids) != len(cameras):
        double = Counter(c.camera_id for c in cameras).most_common(1)[0][0]
        raise BadInput(f"{name}: camera ids must be unique; {double} is there more than once")
    for camera in cameras:
        for neighbour in camera.neighbours:
            if neighbour.camera_id not in ids or neighbour.camera_id == camera.camera_id:
                raise BadInput(
                    f"{name}: camera {camera.camera_id} names the neighbour "
                    f"{_short(neighbour.camera_id)},"
                    " which is not another camera of the file: correct or remove it"
                )
    return Site(cameras=cameras, origin=origin)


def _features(text: str | bytes, name: str) -> list[Any]:
    """The features of a GeoJSON file. NaN and Infinity are not JSON."""
    if len(text) > MAX_BYTES:
        raise BadInput(
            f"{name}: expected a camera file of at most {MAX_BYTES >> 20} MiB, got "
            f"{len(text) >> 20} MiB"
        )
    try:
        features = json.loads(text, parse_constant=_no_number)["features"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        detail = str(error) if isinstance(error, BadInput | ValueError) else type(error).__name__
        raise BadInput(
            f"{name}: expected a GeoJSON FeatureCollection of cameras ({detail})"
        ) from error
    if not isinstance(features, list) or not features:
        raise BadInput(f"{name}: expected at least one camera feature, got none")
    return features


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is not a JSON number")


def homography_fault(homography: Any, width: int, height: int) -> str:
    """Why a (3, 3) homography places no one, empty where it does: not finite, or all of the picture
    on one line or point.
    """
    matrix = np.asarray(homography, float)
    if not np.isfinite(matrix).all():
        return "the homography has numbers that are not finite"
    sizes = np.linalg.svd(matrix @ np.diag([width, height, 1.0]), compute_uv=False)
    if sizes[2] <= _SINGULAR * sizes[0]:
        return "the homography cannot be inverted: it maps the picture to a line or a point"
    return ""


def _camera(feature: Any, origin: Origin, name: str, index: int) -> Camera:
    camera_id = ""
    try:
        props = dict(feature["properties"])
        camera_id = str(props.get("camera_id") or feature.get("id") or "")
        _no_texts(props, *_NUMBERS)
        camera = Camera(
            camera_id=camera_id,
            name=str(props.get("name", "")),
            image_width=props["image_width"],
            image_height=props["image_height"],
            homography_px_to_local=props.get("homography_px_to_local"),
            position_local_m=props.get("position_local_m"),
            intrinsics=props.get("intrinsics"),
            distortion=tuple(props.get("distortion") or ()),
            time_zone=props.get("time_zone", "UTC"),
            coverage_local_m=tuple(
                origin.to_local(read_number(p[0]), read_number(p[1]))
                for p in _ring(props.get("coverage"))
            ),
            neighbours=tuple(_neighbour(n) for n in props.get("neighbours", [])),
            clock=tuple(_clock_span(span) for span in props.get("clock") or ()),
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadInput(
            f"{name}: camera number {index + 1} {_short(camera_id)} cannot be read: {_why(error)}"
        ) from error
    given = (
        camera.homography_px_to_local
    )  # not the cached array: a record with one cannot be compared
    if given is None:
        return camera
    fault = homography_fault(given, camera.image_width, camera.image_height)
    if not fault:
        return camera
    return Camera(
        **{**camera.model_dump(), "homography_px_to_local": None, "calibration_fault": fault}
    )


def _ring(coverage: Any) -> list[Any]:
    """The outline of a GeoJSON polygon; empty where there is none."""
    if not coverage:
        return []
    if coverage.get("type") != "Polygon" or len(coverage["coordinates"]) != 1:
        raise ValueError("coverage: expected a Polygon with one ring (no holes)")
    return coverage["coordinates"][0]


def _short(text: str) -> str:
    return " ".join(text[:40].split())


def _neighbour(given: dict[str, Any]) -> Neighbour:
    _no_texts(given, "walking_seconds")
    return Neighbour(**given)


def _clock_span(given: dict[str, Any]) -> ClockSpan:
    _no_texts(given, "ahead_s", "sd_s")
    return ClockSpan(**given)


def _no_texts(given: dict[str, Any], *names: str) -> None:
    """Refuse numbers in quotes: "1_280" would be read as 1280."""
    for name in names:
        waiting = [given.get(name)]
        while waiting:
            value = waiting.pop()
            if isinstance(value, str):
                raise ValueError(f"{name}: expected numbers, without quotes")
            if isinstance(value, (list, dict)):
                waiting += value.values() if isinstance(value, dict) else value


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return first_fault(error)
    if isinstance(error, KeyError):
        return f"it lacks {_short(str(error.args[0]))}"
    if isinstance(error, ValueError):
        return str(error)[:200]
    return f"expected an object of GeoJSON with its properties ({type(error).__name__})"


def read_site_file(path: Path) -> Site:
    """Read a camera file from disk. Raises BadInput when it is missing or wrong."""
    try:
        return read_site(path.read_bytes(), path.name)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
