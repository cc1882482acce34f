"""Exports: what other systems read says the same as the tables, in the units and order their
formats ask for.
"""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from data_contracts.camera import Camera, Origin, Site
from data_contracts.tables.contracts import CONTACTS, GAPS, TRAJECTORY
from tasks.artefacts.formats import (
    contacts_csv,
    contacts_json,
    gaps_csv,
    gaps_json,
    godata_csv,
    stays,
    trajectory_geojson,
)

T0 = datetime(2026, 11, 16, tzinfo=UTC)
ORIGIN = Origin(lon=126.766, lat=37.5035)
SITE = Site(cameras=(Camera(camera_id="a", image_width=640, image_height=480),), origin=ORIGIN)


def at(seconds: float) -> datetime:
    """Seconds after the start."""
    return T0 + timedelta(seconds=seconds)


def way(*places: tuple[float, float, float], sd: float = 0.2) -> pd.DataFrame:
    """A trajectory through (seconds, x, y)."""
    fixed = {
        "cov_xx": sd**2,
        "cov_xy": 0.0,
        "cov_yy": sd**2,
        "probability": 0.97,
        "seen": True,
        "cameras": "a,b",
    }
    return TRAJECTORY.shape([{"t_utc": at(t), "x_m": x, "y_m": y, **fixed} for t, x, y in places])


def contact(**columns) -> dict:
    """One contact row."""
    row = {
        "contact_id": "C-01",
        "person_id": "P-7",
        "encounter_ids": "E-001",
        "policy": "who@2021-02",
    }
    row |= {
        "tier": "close",
        "rule": "within 1.5 m, for 30 s",
        "start_utc": at(1.25),
        "end_utc": at(72),
        "band": "high",
    }
    row |= {
        "exposure_s": 70.12345,
        "exposure_s_lo": 60.0,
        "exposure_s_hi": 75.0,
        "min_m": 0.75,
        "median_m": 0.9,
    }
    row |= {"subject_mask": "bare", "person_mask": "masked", "cameras": "a,b", "probability": 0.97}
    return row | {"doubt": "", "review": "unreviewed"} | columns


def test_contacts_csv_has_the_contract_s_columns_and_utc_times() -> None:
    """The CSV's header is the contract; a comma in a rule does not break the row; times end in
    Z.
    """
    rows = list(csv.DictReader(io.StringIO(contacts_csv(CONTACTS.shape([contact()])).decode())))
    assert list(rows[0]) == CONTACTS.names
    assert rows[0]["start_utc"] == "2026-11-16T00:00:01.250Z"
    assert rows[0]["rule"] == "within 1.5 m, for 30 s"
    assert float(rows[0]["exposure_s"]) == pytest.approx(70.123)


def test_contacts_json_names_version_and_units() -> None:
    """The JSON says which contract it follows and in which units."""
    data = json.loads(contacts_json(CONTACTS.shape([contact()])))
    assert (data["table"], data["version"]) == ("contacts", CONTACTS.version)
    assert data["units"]["min_m"] == "m"
    assert data["rows"][0]["median_m"] == 0.9


def test_empty_tables_export() -> None:
    """No contacts and no gaps still give a header and an empty list."""
    assert contacts_csv(CONTACTS.empty()).decode().strip() == ",".join(CONTACTS.names)
    assert json.loads(contacts_json(CONTACTS.empty()))["rows"] == []
    assert gaps_csv(GAPS.empty()).decode().strip() == ",".join(GAPS.names)
    assert json.loads(gaps_json(GAPS.empty()))["rows"] == []
    assert json.loads(trajectory_geojson(TRAJECTORY.empty(), SITE))["features"] == []
    assert len(godata_csv(CONTACTS.empty(), "K-1", SITE).decode().splitlines()) == 1


def test_trajectory_is_longitude_first_and_timed() -> None:
    """Coordinates are WGS 84, longitude first, one time and deviation each; 100 m north moves only
    latitude.
    """
    line = json.loads(trajectory_geojson(way((0, 0, 0), (1, 0, 100)), SITE))["features"][0]
    (lon0, lat0), (lon1, lat1) = line["geometry"]["coordinates"]
    assert (lon0, lat0) == (126.766, 37.5035)
    assert lon1 == lon0
    assert (lat1 - lat0) * 110_980 == pytest.approx(100, abs=0.1)
    assert line["properties"]["times"] == ["2026-11-16T00:00:00.000Z", "2026-11-16T00:00:01.000Z"]
    assert line["properties"]["deviation_m"] == [0.2, 0.2]
    assert line["properties"]["cameras"] == ["a", "b"]


def test_holes_are_not_drawn_through() -> None:
    """A stretch nobody saw separates two features; a single position is a Point."""
    data = json.loads(trajectory_geojson(way((0, 0, 0), (1, 1, 0), (60, 9, 9)), SITE))
    assert [f["geometry"]["type"] for f in data["features"]] == ["LineString", "Point"]


def test_a_stay_is_found_with_its_times() -> None:
    """Standing 40 s between two walks is one stay of 40 s at that place; walking and 20 s are
    none.
    """
    walk = [(t, t * 1.2, 0.0) for t in range(10)]
    stand = [(10 + t, 12.0, 0.0) for t in range(41)]
    leave = [(51 + t, 15 + t * 1.2, 0.0) for t in range(10)]
    (stay,) = stays(way(*walk, *stand, *leave))
    assert stay["seconds"] == pytest.approx(40, abs=3)
    assert stay["x_m"] == pytest.approx(12, abs=0.3)
    assert stays(way(*[(t, 0.0, 0.0) for t in range(20)])) == []
    assert stays(way(*[(t, 1.2 * t, 0.0) for t in range(120)])) == []


def test_godata_leaves_out_what_reviewers_rejected() -> None:
    """Go.Data gets one row a contact that stands, without anybody's identity."""
    table = CONTACTS.shape(
        [
            contact(),
            contact(contact_id="C-02", band="question"),
            contact(contact_id="C-03", review="rejected"),
        ]
    )
    rows = list(csv.DictReader(io.StringIO(godata_csv(table, "K-1", SITE).decode())))
    assert [r["target_uuid"] for r in rows] == ["K-1/C-01", "K-1/C-02"]
    assert [r["risk_level"] for r in rows] == ["HIGH", "UNKNOWN"]
    assert rows[0]["date_of_last_contact"] == "2026-11-16"
    assert "P-7" not in godata_csv(table, "K-1", SITE).decode()


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1"]
)
def test_no_cell_is_a_formula(text: str) -> None:
    """A text that begins like a formula is shown as text by a spreadsheet, in every CSV; JSON has
    it as it is.
    """
    row = contact(cameras=text, rule=f"{text}\r\nb")
    table = CONTACTS.shape([row])
    plain = text.translate(str.maketrans("\t\r\n", "   "))
    (cells,) = csv.DictReader(io.StringIO(contacts_csv(table).decode(), newline=""))
    assert cells["cameras"] == f"'{plain}"
    assert cells["rule"] == f"'{plain}  b"
    (cells,) = csv.DictReader(io.StringIO(godata_csv(table, "K-1", SITE).decode(), newline=""))
    assert cells["risk_reason"] == f"'{plain}  b"
    assert json.loads(contacts_json(table))["rows"][0]["cameras"] == text


def test_negative_numbers_stay_numbers() -> None:
    """A number is written as a number, whatever its sign."""
    table = CONTACTS.shape([contact(min_m=-0.5)])
    (cells,) = csv.DictReader(io.StringIO(contacts_csv(table).decode()))
    assert cells["min_m"] == "-0.5"
    assert float(cells["min_m"]) == -0.5
