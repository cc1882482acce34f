"""What a case looks at does not grow with the city (counted, not timed)."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.city import Papers, authorised, cameras_read, city, papers, planned, unit
from data_contracts.camera import Camera, Site, read_site
from infra.camera_index import open_index, write_index


@pytest.fixture(scope="module")
def given() -> Papers:
    """One case for all."""
    return papers()


@pytest.fixture(scope="module")
def cities(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Indexes of 100 and of 1,500 cameras around the same four."""
    folder = tmp_path_factory.mktemp("cities")
    paths = [folder / f"{n}.sqlite" for n in (100, 1500)]
    for n, path in zip((100, 1500), paths, strict=True):
        write_index(path, read_site(city(n)))
    return paths


def opened(path: Path) -> Site:
    """A site of which nothing was read."""
    found = open_index(path)
    assert found is not None
    return found


def test_planning_looks_at_the_cameras_near_the_path(given: Papers, cities: list[Path]) -> None:
    """Authorising for an area and planning read the same cameras, and plan the same windows, in a
    city fifteen times as large.
    """
    small, large = map(opened, cities)
    windows = [planned(authorised(given, site), site) for site in (small, large)]
    assert windows[0] == windows[1]
    assert min(windows[0]) > 0
    assert cameras_read(small) == cameras_read(large) < 50


def test_planning_asks_for_the_same_ways(
    given: Papers, cities: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ways that are looked up are as many in the larger city."""
    asked = []
    for path in cities:
        site = opened(path)
        counted: list[str] = []
        real = type(site.map).ways
        monkeypatch.setattr(
            type(site.map), "ways", lambda m, c, r=real, n=counted: n.append(c) or r(m, c)
        )
        planned(authorised(given, site), site)
        monkeypatch.undo()
        asked.append(len(counted))
    assert asked[0] == asked[1] > 0


def test_asking_again_reads_no_camera_again(
    given: Papers, cities: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit that is authorised again while it works parses each camera of its area once."""
    read = []
    real = Camera.model_validate_json
    monkeypatch.setattr(Camera, "model_validate_json", lambda data: read.append(1) or real(data))
    site = opened(cities[1])
    authorised(given, site)
    once = len(read)
    unit(given, site)
    assert len(read) == once > 0
