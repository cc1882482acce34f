"""Recorders' names: each of the table is read, in its own words; patterns of one's own are
checked.
"""

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import BadInput
from tasks.footage.recorders import RECORDERS, compiled, read_name, recorders

AT = datetime(2026, 11, 16, 8, 30, 5)  # noqa: DTZ001 -- names have no zone
NAMES = [
    ("plain", "door/2026-11-16/08/30.05", "door"),
    ("frigate", "2026-11-16/08/door/30.05", "door"),
    ("frigate-export", "exports/door_20261116_083005-20261116_093005_k3f9ab", "door"),
    ("dahua", "door/2026-11-16/001/dav/08/08.30.05-09.00.00[R][0@0][0]", "door"),
    ("dahua", "door/2026-11-16/001/dav/08.30.05-09.00.00[M][0@0][0]", "door"),
    ("dahua", "2026-11-16/000/dav/11/1/1/589005/08.30.05-09.00.00[R][0@0][0]", "000"),
    ("dahua-export", "NVR_ch1_main_20261116083005_20261116090000", "NVR_ch1"),
    ("dahua-export", "usb/NVR_ch12_sub_20261116083005_20261116090000", "NVR_ch12"),
    ("hikvision", "ch01_20261116083005", "ch01"),
    ("hikvision", "ftp/192.168.1.64_01_20261116083005123_TIMING", "192.168.1.64_01"),
    ("hikvision", "door_20261116083005_20261116090000", "door"),
    (
        "axis",
        "axis-ACCC8EE207AE/20261116/08/20261116_083005_B4F5_ACCC8EE207AE/20261116_08/"
        "20261116_083005_CB36",
        "ACCC8EE207AE",
    ),
    ("zoneminder", "3/26/11/16/08/30/05/1234-video", "3"),
    ("genetec", "Camera - 1_2026-11-16_08h30min05s200ms", "Camera - 1"),
    ("milestone", "export/Camera 1 2026-11-16 08.30.05", "Camera 1"),
]


@pytest.mark.parametrize(("recorder", "name", "camera"), NAMES)
def test_each_recorder_is_read(recorder, name, camera):
    """The camera in the recorder's words, the time, and whether that is UTC."""
    found = read_name(name, RECORDERS)
    assert found == (recorder, camera, AT, recorder in ("plain", "frigate"))


def test_every_recorder_of_the_table_has_an_example():
    """A row that no example fits would never be tried."""
    assert {name for name, _, _ in NAMES} == {recorder.name for recorder in RECORDERS}


@pytest.mark.parametrize(
    "name",
    [
        "door/2026-13-16/08/30.05",
        "door/2026-11-16/24/30.05",
        "door/2026-02-30/08/30.05",
        "0000-01-01/08/door/30.05",
        "door_20261116",
        "clip",
        "door/٢٠٢٦-11-16/08/30.05",
    ],
)
def test_what_is_not_a_time_is_not_read(name):
    """Days and hours that do not exist, and names without a time."""
    assert read_name(name, RECORDERS) is None


@given(st.text(max_size=60))
def test_any_name_is_read_or_not(name):
    """No name raises."""
    read_name(name, RECORDERS)


@given(
    st.from_regex(r"[a-z][a-z0-9-]{0,11}", fullmatch=True),
    st.datetimes(datetime(1970, 1, 1), datetime(2099, 1, 1)),  # noqa: DTZ001
)
def test_a_name_leads_back_to_its_camera_and_time(camera, at):
    """Of every recorder's pattern, filled in."""
    at = at.replace(microsecond=0)
    for recorder in RECORDERS:
        words = {
            **{"camera": camera, "date": f"{at:%Y%m%d}", "time": f"{at:%H%M%S}"},
            **{"year": f"{at:%Y}", "yy": f"{at:%y}", "month": f"{at:%m}", "day": f"{at:%d}"},
            **{"hour": f"{at:%H}", "minute": f"{at:%M}", "second": f"{at:%S}", "*": "x"},
        }
        name = recorder.pattern.replace("{**}/", "")
        for word, text in words.items():
            name = name.replace(f"{{{word}}}", text)
        if "{yy}" in recorder.pattern and at.year < 2000:
            continue
        found = read_name(name, (recorder,))
        assert found is not None
        assert (found.camera, found.start) == (camera, at)


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("{camera}/{date}", "lacks {hour}, {minute}, {second}"),
        ("{camera}_{month}{day}_{time}", "twice|lacks {year}"),
        ("{cam}/{date}_{time}", "{cam}"),
        ("{camera}/{date}/{date}_{time}", "twice"),
    ],
)
def test_a_wrong_pattern_is_told(pattern, told):
    """What lacks, what is not known, what is there twice."""
    with pytest.raises(BadInput, match=told):
        compiled(pattern)


def test_the_documentation_has_the_table():
    """docs/footage.md lists every row as the code has it."""
    text = (Path(__file__).parents[3] / "docs" / "footage.md").read_text(encoding="utf-8")
    for recorder in RECORDERS:
        row = next(line for line in text.splitlines() if f"`{recorder.pattern}`" in line)
        assert row.startswith(f"| `{recorder.name}` |")
        assert row.endswith("| UTC |" if recorder.in_utc else "| local |")


def test_a_recorder_that_is_not_known_is_told():
    """With those that are."""
    with pytest.raises(BadInput, match="frigate"):
        recorders("acme")
