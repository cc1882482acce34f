"""Ingest: each recording to its key, each other file named."""

import unicodedata
from pathlib import Path

import pytest

from data_contracts.errors import BadInput
from tasks.footage.ingest import Naming, plan_ingest
from tasks.footage.recorders import recorders

MP4 = b"\0\0\0\x18ftypisom"


def put(folder, *names, content=MP4):
    """Files below a folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_demo():
    """The demo's footage: every file is taken, under its own path."""
    folder = Path(__file__).parents[3] / "demo" / "footage"
    plan = plan_ingest(folder)
    assert plan.problems == []
    assert len(plan.files) == 23
    assert all(file.path == folder / file.key for file in plan.files)


def test_frigate_layout(tmp_path):
    """Day and hour before the camera become camera before day and hour."""
    put(tmp_path, "2026-11-16/09/door/05.10.mp4")
    (found,) = plan_ingest(tmp_path).files
    assert found[:3] == (
        tmp_path / "2026-11-16/09/door/05.10.mp4",
        "door/2026-11-16/09/05.10.mp4",
        "video/mp4",
    )


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        ".DS_Store",
        "door/2026-11-16/09/05.10.jpg",
        "door/2026-11-16/09/5.10.mp4",
        "door/2026-13-16/09/05.10.mp4",
        "door/2026-11-16/24/05.10.mp4",
        "door/2026-11-16/09/60.10.mp4",
        "site/door/2026-11-16/09/05.10.mp4",
        "front door/2026-11-16/09/05.10.mp4",
    ],
)
def test_other_names_are_reported(tmp_path, name):
    """A file that is not taken is named with the reason; the good ones beside it are taken."""
    put(tmp_path, name, "door/2026-11-16/09/00.00.mp4")
    plan = plan_ingest(tmp_path)
    assert [file.key for file in plan.files] == ["door/2026-11-16/09/00.00.mp4"]
    (problem,) = plan.problems
    assert problem.startswith(f"{name}: ")


def test_empty_double_and_broken(tmp_path):
    """An empty file, a second file of the same time and a broken link are reported."""
    put(tmp_path, "a/2026-11-16/09/00.00.mp4", "2026-11-16/09/a/00.00.mp4")
    put(tmp_path, "a/2026-11-16/09/01.00.mp4", content=b"")
    (tmp_path / "a/2026-11-16/09/02.00.mp4").symlink_to(tmp_path / "gone.mp4")
    plan = plan_ingest(tmp_path)
    assert len(plan.files) == 1
    assert sorted(p.split(": ")[1].split(" ")[0].rstrip(";") for p in plan.problems) == [
        "empty",
        "no",
        "same",
    ]


def test_the_content_says_the_ending(tmp_path):
    """A program stream that is named .mp4 gets the ending and media type of what it is; what is not
    a recording is left, whatever its name.
    """
    put(tmp_path, "door/2026-11-16/09/05.10.mp4", content=b"IMKH" + bytes(36))
    put(tmp_path, "door/2026-11-16/09/06.10.mp4", content=b"#EXTM3U\n/etc/passwd")
    plan = plan_ingest(tmp_path)
    assert [file[1:3] for file in plan.files] == [("door/2026-11-16/09/05.10.mpg", "video/mp2p")]
    assert "not a recording" in plan.problems[0]


def test_nothing_there(tmp_path):
    """No folder and an empty folder are errors, not an empty upload."""
    for folder in (tmp_path / "gone", tmp_path):
        with pytest.raises(BadInput, match="expected"):
            plan_ingest(folder)


def test_names_with_accents_apart(tmp_path):
    """A camera's folder whose letters and accents are apart (NFD) is the camera of one letter."""
    put(tmp_path, unicodedata.normalize("NFD", "약국-1/2026-11-16/09/05.10.mp4"))
    key = plan_ingest(tmp_path).files[0].key
    assert key == unicodedata.normalize("NFC", "약국-1/2026-11-16/09/05.10.mp4")


def test_a_folder_without_recordings_says_why(tmp_path):
    """One that does not exist is not an empty one."""
    with pytest.raises(BadInput, match="does not exist"):
        plan_ingest(tmp_path / "missing")
    with pytest.raises(BadInput, match="is empty"):
        plan_ingest(tmp_path)


SEOUL = {"entrance": "Asia/Seoul", "lobby": "Asia/Seoul"}


def test_local_names_by_the_cameras_zone(tmp_path):
    """A recorder's local time becomes UTC by the zone of the camera that its name stands for."""
    put(tmp_path, "NVR_ch1_main_20261116083000_20261116090000.dav", content=b"DHAV" + bytes(60))
    naming = Naming(cameras={"NVR_ch1": "entrance"}, zones=SEOUL)
    (found,) = plan_ingest(tmp_path, naming).files
    assert found.key == "entrance/2026-11-15/23/30.00.dav"
    assert found.recorder == "dahua-export"


def test_a_local_name_without_a_zone_is_asked(tmp_path):
    """No camera file and no zone: the file is left, with what to say."""
    put(tmp_path, "entrance_20261116083000.mp4")
    assert "--zone" in plan_ingest(tmp_path).problems[0]
    (found,) = plan_ingest(tmp_path, Naming(zone="+09:00")).files
    assert found.key == "entrance/2026-11-15/23/30.00.mp4"


def test_the_hour_that_comes_twice_is_asked(tmp_path):
    """The file of the repeated hour is left until it is said which hour it is; others are taken."""
    put(tmp_path, "door_20261025023000.mp4", "door_20261025043000.mp4")
    berlin = Naming(zone="Europe/Berlin")
    plan = plan_ingest(tmp_path, berlin)
    assert [file.key for file in plan.files] == ["door/2026-10-25/03/30.00.mp4"]
    assert "--repeated-hour" in plan.problems[0]
    for which, hour in (("first", "00"), ("second", "01")):
        files = plan_ingest(tmp_path, Naming(zone="Europe/Berlin", repeated=which)).files
        assert files[0].key == f"door/2026-10-25/{hour}/30.00.mp4"


def test_cameras_that_the_site_does_not_have_are_named(tmp_path):
    """With the nearest one; a name that cannot be a camera's id says how to map it."""
    put(tmp_path, "entrence/2026-11-16/09/00.00.mp4", "Camera 1_20261116083000.mp4")
    plan = plan_ingest(tmp_path, Naming(zones=SEOUL))
    assert "--camera entrence=entrance" in plan.unknown[0]
    assert "--camera 'Camera 1'=ID" in plan.problems[0]


def test_a_pattern_of_ones_own(tmp_path):
    """Names that no recorder of the table uses are read by a pattern in the same words."""
    put(tmp_path, "a/b/lobby/rec-16.11.26--08h30m05.mp4")
    known = recorders(pattern="{**}/{camera}/rec-{day}.{month}.{yy}--{hour}h{minute}m{second}")
    (found,) = plan_ingest(tmp_path, Naming(known, zones=SEOUL)).files
    assert found.key == "lobby/2026-11-15/23/30.05.mp4"
