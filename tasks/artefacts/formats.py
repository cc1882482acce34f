"""Tables for other systems: CSV, JSON, GeoJSON and the columns that Go.Data imports. Pure: rows in,
bytes out.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from data_contracts.camera import Site
from data_contracts.tables.contracts import CONTACTS, GAPS
from data_contracts.tables.table import TableContract

# A stay: within this radius for this long. ISO 19141 leaves both open; 2 m is the widest distance
# that exposure policies ask for, and half a minute is longer than a person hesitates on the way.
STAY_RADIUS_M = 2.0
STAY_S = 30.0
# Positions further apart in time are not joined by a line: nobody saw the way between.
_LINE_GAP_S = 10.0
# What begins a formula in spreadsheets, in full width too, and what ends a cell in some of them.
_LINE_BREAKS = "\t\r\n"
_FORMULA_STARTS = (*"=+-@\uff1d\uff0b\uff0d\uff20", *_LINE_BREAKS)
# GeoJSON: 7 decimals are 1 cm (RFC 7946 section 11.2 advises against more).
_DEGREE_DECIMALS = 7


def contacts_csv(contacts: pd.DataFrame) -> bytes:
    """CONTACTS as UTF-8 CSV with a header, times ISO 8601 UTC, numbers to the centimetre and tenth
    of a second.
    """
    return _table_csv(contacts, CONTACTS)


def contacts_json(contacts: pd.DataFrame) -> bytes:
    """CONTACTS as JSON: the contract's name and version, units by column, and rows."""
    return _table_json(contacts, CONTACTS)


def gaps_csv(gaps: pd.DataFrame) -> bytes:
    """GAPS as UTF-8 CSV with a header."""
    return _table_csv(gaps, GAPS)


def gaps_json(gaps: pd.DataFrame) -> bytes:
    """GAPS as JSON, like `contacts_json`."""
    return _table_json(gaps, GAPS)


def godata_csv(contacts: pd.DataFrame, case_id: str, site: Site) -> bytes:
    """Contacts and their relationship to the case in the columns of WHO Go.Data's exports
    (docs/artefacts.md).

    The day is the site's. Nobody is named: a contact is the case's anonymous number until a person
    finds out who it is.
    """
    rows = [
        {
            "uuid": f"{case_id}/{row['contact_id']}",
            "contact_status": "UNDER_FOLLOW_UP",
            "date_of_last_contact": row["end_utc"].astimezone(site.zone).date().isoformat(),
            "risk_level": "HIGH" if row["band"] == "high" else "UNKNOWN",
            "risk_reason": row["rule"] + (f"; in doubt: {row['doubt']}" if row["doubt"] else ""),
            "source_uuid": case_id,
            "target_uuid": f"{case_id}/{row['contact_id']}",
            "exposure_type": "DIRECT_PHYSICAL_PROXIMITY",
            "context_of_exposure": f"cameras {row['cameras']}",
            "exposure_duration": f"{row['exposure_s'] / 60:.1f} min",
            "certainty_level": f"{row['probability']:.2f}",
        }
        for row in contacts[contacts["review"] != "rejected"].to_dict("records")
    ]
    names = list(rows[0]) if rows else [*_GODATA_COLUMNS]
    return _csv_bytes(pd.DataFrame(rows, columns=names))


_GODATA_COLUMNS = (
    "uuid",
    "contact_status",
    "date_of_last_contact",
    "risk_level",
    "risk_reason",
    "source_uuid",
    "target_uuid",
    "exposure_type",
    "context_of_exposure",
    "exposure_duration",
    "certainty_level",
)


def trajectory_geojson(trajectory: pd.DataFrame, site: Site) -> bytes:
    """TRAJECTORY as an RFC 7946 FeatureCollection, WGS 84, longitude first.

    One LineString per stretch without a hole (a Point where it is a single position), with `times`
    (ISO 8601 UTC) and `deviation_m` parallel to its coordinates, and one Point per stay with
    `start_utc`, `end_utc` and `seconds`.
    """
    rows = trajectory.sort_values("t_utc")
    features = [_line_feature(part, site) for part in stretches(rows)] + [
        _stay_feature(stay, site) for stay in stays(rows)
    ]
    return _json_bytes({"type": "FeatureCollection", "features": features})


def stretches(trajectory: pd.DataFrame) -> list[pd.DataFrame]:
    """The trajectory cut where it has no position for longer than 10 s; in time order."""
    rows = trajectory.sort_values("t_utc")
    if rows.empty:
        return []
    number = (rows["t_utc"].diff().dt.total_seconds() > _LINE_GAP_S).cumsum()
    return [part for _, part in rows.groupby(number)]


def stays(trajectory: pd.DataFrame) -> list[dict[str, Any]]:
    """Where the subject stayed: `x_m`, `y_m`, `start_utc`, `end_utc`, `seconds`.

    Greedy: a stay grows while every position is within 2 m of its mean and counts from 30 s on (a
    stay point as in Li et al. 2008, "Mining user similarity based on location history", with an
    indoor radius).
    """
    out: list[dict[str, Any]] = []
    for part in stretches(trajectory):
        t = part["t_utc"].to_list()
        xy = part[["x_m", "y_m"]].to_numpy(float)
        first = 0
        while first < len(xy):
            last = _end_of_stay(xy, first)
            seconds = (t[last] - t[first]).total_seconds()
            if seconds >= STAY_S:
                x, y = xy[first : last + 1].mean(axis=0)
                stay = {
                    "x_m": float(x),
                    "y_m": float(y),
                    "start_utc": t[first],
                    "end_utc": t[last],
                    "seconds": seconds,
                }
                out.append(stay)
                first = last + 1
            else:
                first += 1
    return out


def _end_of_stay(xy: np.ndarray, first: int) -> int:
    """Last index of the longest run from `first` on whose positions are all near the run's mean so
    far.
    """
    total = xy[first].copy()
    for i in range(first + 1, len(xy)):
        total += xy[i]
        if float(np.hypot(*(xy[i] - total / (i - first + 1)))) > STAY_RADIUS_M:
            return i - 1
    return len(xy) - 1


def _line_feature(part: pd.DataFrame, site: Site) -> dict[str, Any]:
    places = [_lonlat(site, x, y) for x, y in zip(part["x_m"], part["y_m"], strict=True)]
    deviation = np.sqrt(np.maximum(part["cov_xx"] + part["cov_yy"], 0.0) / 2)
    properties = {
        "kind": "path",
        "times": [_iso(t) for t in part["t_utc"]],
        "deviation_m": [round(float(d), 2) for d in deviation],
        "probability": [round(float(p), 3) for p in part["probability"]],
        "seen": [bool(s) for s in part["seen"]],
        "cameras": sorted(
            {c.strip() for text in part["cameras"] for c in text.split(",") if c.strip()}
        ),
    }
    geometry: dict[str, Any] = {"type": "LineString", "coordinates": places}
    if len(places) == 1:
        geometry = {"type": "Point", "coordinates": places[0]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _stay_feature(stay: dict[str, Any], site: Site) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": _lonlat(site, stay["x_m"], stay["y_m"])},
        "properties": {
            "kind": "stay",
            "start_utc": _iso(stay["start_utc"]),
            "end_utc": _iso(stay["end_utc"]),
            "seconds": round(stay["seconds"], 1),
        },
    }


def _lonlat(site: Site, x_m: float, y_m: float) -> list[float]:
    return [round(v, _DEGREE_DECIMALS) for v in site.origin.to_wgs84(float(x_m), float(y_m))]


def _iso(time: pd.Timestamp) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain_rows(frame: pd.DataFrame, contract: TableContract) -> list[dict[str, Any]]:
    """Rows with times as text, numbers rounded and nulls as None."""
    return [
        {c.name: _plain_value(row[c.name], c.kind) for c in contract.columns}
        for row in contract.shape(frame).to_dict("records")
    ]


def _plain_value(value: Any, kind: str) -> Any:
    if (
        value is None
        or value is pd.NA
        or value is pd.NaT
        or (isinstance(value, float) and np.isnan(value))
    ):
        return None
    if kind == "time":
        return _iso(value)
    return round(float(value), 3) if kind == "float" else value


def _table_csv(frame: pd.DataFrame, contract: TableContract) -> bytes:
    rows = pd.DataFrame(_plain_rows(frame, contract), columns=contract.names)
    return _csv_bytes(rows)


def _csv_bytes(rows: pd.DataFrame) -> bytes:
    """CSV that a spreadsheet shows as it is: see `_harmless_text`. Numbers stay numbers (-0.5)."""
    return rows.map(_harmless_text).to_csv(index=False, lineterminator="\n").encode()


def _harmless_text(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV
    injection), and line breaks and tabs become spaces. What is not text is left as it is.
    """
    if not isinstance(value, str):
        return value
    line = "".join(" " if c in _LINE_BREAKS else c for c in value)
    return f"'{line}" if value.startswith(_FORMULA_STARTS) else line


def _table_json(frame: pd.DataFrame, contract: TableContract) -> bytes:
    units = {c.name: c.unit for c in contract.columns if c.unit}
    return _json_bytes(
        {
            "table": contract.name,
            "version": contract.version,
            "units": units,
            "rows": _plain_rows(frame, contract),
        }
    )


def _json_bytes(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()
