"""The itinerary against what was seen: by hand-made sightings and gaps on the demo's site."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from demo_report import DEMO, at

from data_contracts.camera import Site, read_site_file
from data_contracts.case import CaseRequest, Visit
from data_contracts.tables.contracts import GAPS, SIGHTINGS
from tasks.artefacts.visits import ToldVisit, told_visits


@pytest.fixture(scope="module")
def site() -> Site:
    """The demo's cameras."""
    return read_site_file(DEMO / "cameras.geojson")


def request(*visits: Visit) -> CaseRequest:
    """A case with this itinerary."""
    return CaseRequest(
        case_id="K-2026-0042",
        subject="s",
        onset_utc=at(0),
        itinerary=visits,
        policy="demo-short",
        reference_images=("a.jpg",),
        filed_utc=at(0),
    )


def visit(cameras: tuple[str, ...] = ("entrance", "corridor"), place: str = "hall") -> Visit:
    """Said to be there from 100 s to 200 s, give or take ten."""
    return Visit(place=place, from_utc=at(100), to_utc=at(200), tolerance_s=10, cameras=cameras)


def seen(camera: str, start: float, end: float, **more: Any) -> dict[str, Any]:
    """A row of SIGHTINGS."""
    row = {"sighting_id": "S-01", "camera_id": camera, "track_id": 1, "n_faces": 3}
    row |= {"start_utc": at(start), "end_utc": at(end), "probability": 0.97, "basis": "face"}
    return row | {"band": "high", "review": "unreviewed"} | more


def gap(camera: str, start: float, end: float, kind: str = "no_footage") -> dict[str, Any]:
    """A row of GAPS."""
    row = {"kind": kind, "camera_id": camera, "start_utc": at(start), "end_utc": at(end)}
    return row | {"detail": "none", "advice": "ask"}


def told(site: Site, sightings: list, gaps: list, one: Visit | None = None) -> ToldVisit:
    """What is told of a visit."""
    tables = (SIGHTINGS.shape(sightings), GAPS.shape(gaps))
    (found,) = told_visits(request(one or visit()), site, *tables)
    return found


@pytest.mark.parametrize(
    ("row", "state"),
    [
        (seen("entrance", 150, 160), "found"),
        (seen("corridor", 205, 209), "found"),
        (seen("entrance", 211, 230), "not found"),
        (seen("entrance", 150, 160, band="question"), "asked"),
        (seen("entrance", 150, 160, band="question", review="confirmed"), "found"),
        (seen("entrance", 150, 160, review="rejected"), "not found"),
    ],
)
def test_by_sightings(site: Site, row: dict, state: str) -> None:
    """At its cameras, within its tolerance; what two reviewers decided counts."""
    assert told(site, [row], []).state == state


def test_seen_elsewhere(site: Site) -> None:
    """A sure sighting on another camera at that very time contradicts it."""
    found = told(
        site, [seen("lobby-a", 120, 180), seen("lobby-a", 205, 209, sighting_id="S-02")], []
    )
    assert (found.state, found.elsewhere) == ("not found", ("S-01",))


@pytest.mark.parametrize(
    ("gaps", "unseen", "state"),
    [
        ([gap("entrance", 0, 300)], 0.0, "not found"),
        ([gap("entrance", 0, 300), gap("corridor", 100, 140)], 0.4, "not found"),
        ([gap("entrance", 0, 170), gap("corridor", 110, 300)], 0.6, "not to be seen"),
        ([gap("", 0, 300, "not_authorised")], 1.0, "not to be seen"),
        ([gap("", 0, 300, "not_seen")], 0.0, "not found"),
    ],
)
def test_what_could_not_be_seen(site: Site, gaps: list, unseen: float, state: str) -> None:
    """Only where none of its cameras could be looked at; where that is half of it, it says so."""
    found = told(site, [], gaps)
    assert found.unseen == pytest.approx(unseen)
    assert found.state == state


def test_a_place_without_a_camera(site: Site) -> None:
    """Could not be seen, whatever was seen elsewhere."""
    found = told(site, [seen("entrance", 150, 160)], [], visit((), "the far stadium"))
    assert (found.state, found.unseen, found.cameras) == ("not to be seen", 1.0, ())


def test_nothing_is_changed(site: Site) -> None:
    """The tables are as they were."""
    sightings = SIGHTINGS.shape([seen("entrance", 150, 160)])
    before = sightings.copy()
    told_visits(request(visit()), site, sightings, GAPS.empty())
    pd.testing.assert_frame_equal(sightings, before)
