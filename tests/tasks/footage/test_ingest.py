"""Ingest: each recording to its key, each other file named."""

import unicodedata
from pathlib import Path

import pytest

from data_contracts.errors import BadInput
from tasks.footage.ingest import plan_ingest

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
    assert all(path == folder / key for path, key, _ in plan.files)


def test_frigate_layout(tmp_path):
    """Day and hour before the camera become camera before day and hour."""
    put(tmp_path, "2026-11-16/09/door/05.10.mp4")
    assert plan_ingest(tmp_path).files == [
        (tmp_path / "2026-11-16/09/door/05.10.mp4", "door/2026-11-16/09/05.10.mp4", "video/mp4")
    ]


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
    assert [file[1:] for file in plan.files] == [("door/2026-11-16/09/05.10.mpg", "video/mp2p")]
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
