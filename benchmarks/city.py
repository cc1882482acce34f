"""`python -m benchmarks.city [N ...]`: what a case costs where N cameras are registered and its way
is the same, in CPU seconds; N is 100 and 10820 unless given.

The cameras of demo/ get streets around them: cameras on a grid, nearest first, each a neighbour of
the next, one of them of the demo's entrance. A case of the demo's subject is authorised, planned
from its itinerary and from sightings on all four cameras, and followed; a unit asks for its camera
and is authorised five times again, as in ten seconds of work. The store is a folder in memory: what
is measured is what the city costs, not the network. `index` is paid once a machine and camera file,
by whoever publishes it; `start` by each process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from data_contracts.authorisation import AuthorisedCase, TrustedKeys
from data_contracts.camera import Origin, Site, read_site
from data_contracts.case import CaseRequest
from data_contracts.policies import load_policy
from infra.camera_index import CamerasById, open_index, write_index
from tasks.consent.authorise import authorise
from tasks.consent.binding import bind_request
from tasks.consent.grant_token import GrantDraft, generate_key, sign_grant
from tasks.search.anchor import claimed_anchors, sighting_anchors
from tasks.search.itinerary import read_itinerary
from tasks.search.plan import follow_windows, plan

DEMO = Path(__file__).parents[1] / "demo"
_AT = datetime(2026, 11, 16, 0, 1, tzinfo=UTC)
_FILED = datetime(2026, 11, 17, tzinfo=UTC)
_STEP_M = 60.0
_CHECKS = 5
_TIMES = 15


def city(n: int) -> bytes:
    """A camera file of `n` cameras: the demo's, and streets around them."""
    document = json.loads((DEMO / "cameras.geojson").read_bytes())
    demo = document["features"]
    given = demo[0]["properties"]["local_origin"]
    origin = Origin(lon=given["lon"], lat=given["lat"])
    half = int(n**0.5) // 2 + 2
    cells = [(i, j) for i in range(-half, half) for j in range(-half, half) if (i, j) != (0, 0)]
    cells.sort(key=lambda cell: (cell[0] ** 2 + cell[1] ** 2, cell))
    taken = cells[: n - len(demo)]
    there = set(taken)
    features = [_camera(demo[0], origin, cell, there) for cell in taken]
    entrance = next(f for f in demo if f["properties"]["camera_id"] == "entrance")
    if features:
        first = features[0]["properties"]["camera_id"]
        entrance["properties"]["neighbours"].append({"camera_id": first, "walking_seconds": 40})
    return json.dumps({**document, "features": [*demo, *features]}).encode()


def _camera(
    like: dict[str, Any], origin: Origin, cell: tuple[int, int], there: set[tuple[int, int]]
) -> dict[str, Any]:
    """A camera of a street, seen as `like` sees; its neighbours are east and north of it."""
    east, north = (index * _STEP_M for index in cell)

    def moved(lon: float, lat: float) -> tuple[float, float]:
        x, y = origin.to_local(lon, lat)
        return origin.to_wgs84(x + east, y + north)

    properties = dict(like["properties"])
    x, y, height = properties["position_local_m"]
    ring = properties["coverage"]["coordinates"][0]
    neighbours = [c for c in ((cell[0] + 1, cell[1]), (cell[0], cell[1] + 1)) if c in there]
    properties |= {
        "camera_id": _name(cell),
        "name": f"Street {cell[0]:+d} {cell[1]:+d}",
        "position_local_m": [x + east, y + north, height],
        "coverage": {"type": "Polygon", "coordinates": [[moved(*at) for at in ring]]},
        "neighbours": [{"camera_id": _name(c), "walking_seconds": 30} for c in neighbours],
    }
    return {**like, "id": properties["camera_id"], "properties": properties}


def _name(cell: tuple[int, int]) -> str:
    return f"street{cell[0]:+05d}{cell[1]:+05d}"


class Papers(NamedTuple):
    """A case of the demo's subject with what makes it lawful, for an area around the demo."""

    request: CaseRequest
    consent: str
    approval: str
    keys: TrustedKeys


def papers() -> Papers:
    """A case whose papers name everything within some 150 m."""
    request = CaseRequest(
        case_id="K-2026-0042",
        subject="S",
        onset_utc=_AT,
        itinerary=read_itinerary((DEMO / "itinerary.csv").read_text()),
        policy="who",
        reference_images=("a.jpg",),
        filed_utc=_FILED,
    )
    doctor, doctor_key = generate_key("Dr Kim", ("consent",))
    officer, officer_key = generate_key("Officer Lee", ("approval",))
    area = [(126.7645, 37.5023), (126.7678, 37.5023), (126.7678, 37.5049), (126.7645, 37.5049)]
    common: dict[str, Any] = {
        "case_id": request.case_id,
        "subject": "S",
        "scopes": ("face",),
        "cameras": (),
        "area": tuple(area),
        "from_utc": _AT - timedelta(days=2),
        "to_utc": _FILED,
        "legal_basis": "law",
        "expires_utc": _FILED + timedelta(days=5),
        "binding": bind_request(request, {"a.jpg": b"a"}),
    }
    return Papers(
        request,
        sign_grant(doctor, GrantDraft(role="consent", **common), _FILED),
        sign_grant(officer, GrantDraft(role="approval", **common), _FILED),
        TrustedKeys(keys=(doctor_key, officer_key)),
    )


def authorised(given: Papers, site: Site) -> AuthorisedCase:
    """The case, authorised now."""
    return authorise(
        given.request,
        given.consent,
        given.approval,
        given.keys,
        _FILED,
        standing=lambda _grant: "usable",
        site=site,
    )


def planned(case: AuthorisedCase, site: Site) -> tuple[int, int]:
    """Plan the case: from its itinerary, then from a sighting on each camera of the demo, then what
    is followed. Returns how many windows there are to scan and to follow.
    """
    policy = load_policy(case.request.policy)
    anchors, _ = claimed_anchors(case.request, site)
    plan(case, site, policy, anchors, 0)
    rows = [
        (name, _AT + timedelta(seconds=30 * i), _AT + timedelta(seconds=30 * i + 20), 0.95)
        for i, name in enumerate(("entrance", "lobby-a", "lobby-b", "corridor"))
    ]
    seen = pd.DataFrame(rows, columns=["camera_id", "start_utc", "end_utc", "probability"])
    both = [*anchors, *sighting_anchors(seen)]
    windows = plan(case, site, policy, both, 1).windows
    return len(windows), len(follow_windows(case, site, policy, seen, 15.0))


def unit(given: Papers, site: Site, camera_id: str = "lobby-a") -> None:
    """What a unit of work asks of the site: its camera, and the authorisation every two seconds."""
    for _ in range(_CHECKS):
        authorised(given, site)
    site.by_id[camera_id].model_dump(mode="json")


def cpu_s(work: Callable[[], object], times: int = _TIMES) -> float:
    """Median CPU time of a call."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def opened(path: Path) -> Site:
    """The site of an index, as a process finds it."""
    found = open_index(path)
    assert found is not None
    return found


def cameras_read(site: Site) -> int:
    """How many cameras were parsed so far."""
    return len(site.by_id.read) if isinstance(site.by_id, CamerasById) else len(site.by_id)


def main() -> None:
    """Print a line a number of cameras."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=int, nargs="*", default=[100, 10_820])
    given = papers()
    columns = ("cameras", "index", "start", "plan+authorise", "unit", "read", "windows")
    print(" ".join(f"{name:>14}" for name in columns))
    with tempfile.TemporaryDirectory() as folder:
        for n in parser.parse_args().n:
            path = Path(folder) / f"{n}.sqlite"
            data = city(n)
            made = cpu_s(lambda d=data, p=path: write_index(p, read_site(d)), 1)
            start = cpu_s(lambda p=path: opened(p))
            first = opened(path)
            windows, _ = planned(authorised(given, first), first)
            case = cpu_s(lambda p=path: _case(given, opened(p)))
            work = cpu_s(lambda p=path: unit(given, opened(p)))
            numbers = (f"{made:.3f}", f"{start:.5f}", f"{case:.4f}", f"{work:.4f}")
            print(" ".join(f"{x!s:>14}" for x in (n, *numbers, cameras_read(first), windows)))


def _case(given: Papers, site: Site) -> None:
    planned(authorised(given, site), site)


if __name__ == "__main__":
    main()
