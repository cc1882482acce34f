"""The index of a camera file answers as the cameras do, and reads only those asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.city import city
from data_contracts.camera import Camera, Neighbour, Origin, Site, read_site
from data_contracts.site_map import Box
from infra.camera_index import CamerasById, index_file, open_index, write_index

_COORDINATE = st.floats(-90_000, 90_000, allow_nan=False, width=32)


def stored(site: Site, path: Path) -> Site:
    """The site, written and opened."""
    write_index(path, site)
    found = open_index(path)
    assert found is not None
    return found


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """A few cameras: some placed by position, some by coverage, some nowhere; some with ways."""
    names = [f"c{i}" for i in range(draw(st.integers(1, 7)))]
    cameras = []
    for name in names:
        x, y = draw(_COORDINATE), draw(_COORDINATE)
        others = draw(st.sets(st.sampled_from(names), max_size=2)) - {name}
        square = ((x, y), (x + 9, y), (x + 9, y + 9), (x, y + 9))
        camera = Camera(
            camera_id=name,
            name=draw(st.sampled_from(["Hall", "Street east", "로비", ""])),
            image_width=640,
            image_height=480,
            position_local_m=draw(st.sampled_from([None, (x, y, 3.0)])),
            coverage_local_m=draw(st.sampled_from([(), square])),
            neighbours=tuple(Neighbour(camera_id=o, walking_seconds=len(o)) for o in others),
        )
        cameras.append(camera)
    return Site(cameras, Origin(lon=127, lat=37))


@settings(deadline=None, max_examples=40)
@given(site=sites(), x=_COORDINATE, metres=st.floats(0, 200_000))
def test_an_index_answers_as_the_cameras_do(
    site: Site, x: float, metres: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Cameras, ways, parts, places and names of any site are those of the site in memory."""
    found = stored(site, tmp_path_factory.mktemp("index") / "a.sqlite")
    assert found == site
    assert list(found.by_id) == list(site.by_id)
    assert "ghost" not in found.by_id
    for a in site.by_id:
        assert found.map.ways(a) == site.map.ways(a)
        for b in site.by_id:
            assert (found.map.part(a) == found.map.part(b)) == (
                site.map.part(a) == site.map.part(b)
            )
    box = Box(x, x, x + 50, x + 50)
    for lonely in (False, True):
        assert list(found.map.unplaced(lonely=lonely)) == list(site.map.unplaced(lonely=lonely))
        # The index keeps borders to some centimetres (R*Tree, 32 bits).
        near = {c: d for d, c in found.map.around(box, metres + 1, lonely=lonely)}
        for distance, camera_id in site.map.around(box, metres, lonely=lonely):
            assert near[camera_id] == pytest.approx(distance, abs=0.1)
    assert set(site.map.standing(box)) <= set(found.map.standing(box))
    for begin in ("st", "hall", "로", "c1", "zz"):
        assert {w: list(ids) for w, ids in found.map.words(begin)} == {
            w: list(ids) for w, ids in site.map.words(begin)
        }


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    """One camera of four hundred is looked up: one is read, once."""
    site = stored(read_site(city(400)), tmp_path / "a.sqlite")
    assert isinstance(site.by_id, CamerasById)
    assert len(site.by_id) == 400
    assert site.by_id["lobby-a"] is site.by_id["lobby-a"]
    assert list(site.by_id.read) == ["lobby-a"]


def test_a_damaged_or_missing_index_is_none(tmp_path: Path) -> None:
    """Then the camera file is read again."""
    path = index_file(tmp_path, "a")
    assert open_index(path) is None
    path.write_bytes(b"no database" * 100)
    assert open_index(path) is None


def test_old_indexes_go(tmp_path: Path) -> None:
    """A few are kept, for runs that still read them."""
    site = Site((), Origin(lon=0, lat=0))
    for name in "abcdef":
        write_index(index_file(tmp_path, name), site)
    assert len(list(tmp_path.glob("*.sqlite"))) == 3
    assert index_file(tmp_path, "f").exists()
    assert not list(tmp_path.glob("*.part"))
