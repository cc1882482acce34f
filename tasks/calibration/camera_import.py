"""Many cameras at once, from a table (CSV) or a camera file (GeoJSON): what was understood of it,
and the camera file that it would make. Cameras that it does not name stay.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Literal, NamedTuple

from data_contracts.camera import Origin, read_site
from data_contracts.errors import BadInput
from data_contracts.number import read_number

# Columns of a table. A place is x_m and y_m, or lon and lat; with height_m it is the position.
TEXTS = ("name", "time_zone")
SIZES = ("image_width", "image_height")
PLACES = ("x_m", "y_m", "height_m", "lon", "lat")
KNOWN = ("camera_id", *TEXTS, *SIZES, *PLACES)
_LOCAL = ("x_m", "y_m")
_MOST_FAULTS = 50

What = Literal["new", "changed", "same"]


class CameraChange(NamedTuple):
    """What an import does to a camera: the names of the properties that become others."""

    camera_id: str
    what: What
    properties: tuple[str, ...]


class CameraImport(NamedTuple):
    """What was understood: changes in the order of the file, faults in words, columns or properties
    that no camera has; `data` is the camera file that it would make, None where there are faults.
    """

    changes: tuple[CameraChange, ...]
    faults: tuple[str, ...]
    unknown: tuple[str, ...]
    data: bytes | None


def read_import(given: str, present: bytes | None, origin: Origin | None) -> CameraImport:
    """Understand a table or a camera file and put it into the `present` camera file (None: there is
    none yet; then `origin` is where its metres begin, unless the import says so).
    """
    text = given.lstrip("\ufeff").strip()
    try:
        if text.startswith("{"):
            return _merged(_features_of(text, present), (), (), present, None)
        return _from_table(text, present, origin)
    except BadInput as error:
        return CameraImport((), (str(error),), (), None)


def _features_of(text: str, present: bytes | None) -> list[dict[str, Any]]:
    try:
        features = json.loads(text)["features"]
        properties = [feature["properties"] for feature in features]
        origins = [dict(p["local_origin"]) for p in properties if "local_origin" in p]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise BadInput("expected a GeoJSON FeatureCollection of cameras") from None
    if present is not None:
        there = read_site(present).origin
        for origin in origins:
            if (origin.get("lon"), origin.get("lat")) != (there.lon, there.lat):
                raise BadInput(
                    f"the file's metres begin at {origin}, those of the site at {there.lon}, "
                    f"{there.lat}: expected the same local_origin"
                )
    return features


def _from_table(text: str, present: bytes | None, origin: Origin | None) -> CameraImport:
    reader = csv.DictReader(io.StringIO(text), delimiter=_delimiter(text), skipinitialspace=True)
    columns = [name.strip() for name in reader.fieldnames or []]
    if "camera_id" not in columns:
        raise BadInput(
            "expected a table whose first line names its columns, camera_id among them "
            f"({', '.join(KNOWN)}), or a GeoJSON camera file"
        )
    reader.fieldnames = columns
    faults: list[str] = []
    features: list[dict[str, Any]] = []
    if present is not None:
        origin = read_site(present).origin
    for row in reader:
        try:
            features.append(_feature(row, origin))
        except BadInput as error:
            faults.append(f"line {reader.line_num}: {error}")
    unknown = tuple(name for name in columns if name and name not in KNOWN)
    return _merged(features, tuple(faults), unknown, present, origin)


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return max(",;\t", key=head.count)


def _feature(row: dict[str, Any], origin: Origin | None) -> dict[str, Any]:
    """A row as a feature of a camera file: what stands in it, and nothing else."""
    given = {name: str(row.get(name) or "").strip() for name in KNOWN}
    properties: dict[str, Any] = {n: given[n] for n in ("camera_id", *TEXTS) if given[n]}
    if not given["camera_id"]:
        raise BadInput("no camera_id")
    for name in SIZES:
        if given[name]:
            properties[name] = _whole(name, given[name])
    at = {name: _number(name, given[name]) for name in PLACES if given[name]}
    feature: dict[str, Any] = {"type": "Feature", "properties": properties}
    if "lon" in at and "lat" in at and origin is not None and not set(_LOCAL) & set(at):
        at["x_m"], at["y_m"] = origin.to_local(at["lon"], at["lat"])
    if all(name in at for name in (*_LOCAL, "height_m")):
        properties["position_local_m"] = [round(at[n], 3) for n in (*_LOCAL, "height_m")]
    elif "height_m" in at or set(_LOCAL) & set(at):
        raise BadInput("a position needs x_m, y_m (or lon, lat) and height_m together")
    if "lon" in at and "lat" in at:
        feature["geometry"] = {"type": "Point", "coordinates": [at["lon"], at["lat"]]}
    return feature


def _number(name: str, text: str) -> float:
    try:
        return read_number(text)
    except ValueError:
        raise BadInput(f"{name}: expected a number, got {text[:40]!r}") from None


def _whole(name: str, text: str) -> int:
    value = _number(name, text)
    if value != int(value):
        raise BadInput(f"{name}: expected a whole number of px, got {text[:40]!r}")
    return int(value)


def _merged(
    features: list[dict[str, Any]],
    faults: tuple[str, ...],
    unknown: tuple[str, ...],
    present: bytes | None,
    origin: Origin | None,
) -> CameraImport:
    data: dict[str, Any] = {"type": "FeatureCollection", "features": []}
    if present is not None:
        data = json.loads(present)
    known = {_id_of(feature): feature for feature in data["features"]}
    before = set(known)
    named: set[str] = set()
    changes = []
    told = list(faults)
    for feature in features:
        camera_id = _id_of(feature)
        if camera_id in named:
            told.append(f"camera {camera_id} is there more than once")
            continue
        named.add(camera_id)
        if camera_id not in known:
            known[camera_id] = _new(camera_id)
            data["features"].append(known[camera_id])
        other = _put(known[camera_id], feature)
        what: What = "new" if camera_id not in before else "changed" if other else "same"
        changes.append(CameraChange(camera_id, what, other))
    if not features and not told:
        told.append("no camera is in it")
    if origin is not None and data["features"]:
        first = data["features"][0]["properties"]
        first.setdefault("local_origin", {"lon": origin.lon, "lat": origin.lat})
    written = (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()
    if not told:
        try:
            read_site(written, "with these cameras the site's camera file")
        except BadInput as error:
            told.append(str(error))
    ready = None if told else written
    return CameraImport(tuple(changes), tuple(told[:_MOST_FAULTS]), unknown, ready)


def _id_of(feature: dict[str, Any]) -> str:
    return str(feature["properties"].get("camera_id") or feature.get("id") or "")


def _new(camera_id: str) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": camera_id,
        "geometry": None,
        "properties": {"camera_id": camera_id},
    }


def _put(into: dict[str, Any], feature: dict[str, Any]) -> tuple[str, ...]:
    """Take over what a feature says; the names of what became another. The site's origin stays."""
    properties = into["properties"]
    kept = ("local_origin",) if "local_origin" in properties else ()
    given = {name: v for name, v in feature["properties"].items() if name not in kept}
    other = [name for name, value in given.items() if properties.get(name) != value]
    properties |= given
    place = feature.get("geometry")
    if place and place != into.get("geometry"):
        into["geometry"] = place
        other.append("geometry")
    return tuple(other)
