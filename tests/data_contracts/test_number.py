"""Numbers that people write, wherever they write them."""

import copy
import json
from pathlib import Path

import pytest

from data_contracts.camera import read_site
from data_contracts.errors import BadInput
from data_contracts.number import is_number, read_number
from tasks.calibration.clicks import read_clicks

DEMO = Path(__file__).parents[2] / "demo"
NO_NUMBERS = ["1_0", "１０", "١٠", "nan", "inf", "-inf", "", " ", "0x1", "1,5", "1e", "five"]


@pytest.mark.parametrize("text", ["10", " 10 ", "-0.5", "+3", ".5", "5.", "1e3", "1E-3"])
def test_numbers(text):
    """Plain digits, as spreadsheets write them."""
    assert is_number(text)
    assert read_number(text) == float(text)


@pytest.mark.parametrize("value", [*NO_NUMBERS, True, None, [1], 10**400, "1e400"])
def test_no_numbers(value):
    """What Python takes for a number, and no person: refused, also infinite by its size."""
    with pytest.raises(ValueError, match="plain digits"):
        read_number(value)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_clicks(text):
    """The line of a points file is named."""
    rows = f"px,py,x_m,y_m\n1,1,0,0\n\n{text or ' '},2,1,1\n"
    if "," in text:
        pytest.skip("another column")
    with pytest.raises(BadInput, match=r"points\.csv, line 4: expected four numbers"):
        read_clicks(rows, "points.csv", 100, 100, 2.0, 0.05)


@pytest.mark.parametrize(
    "change",
    [
        {"image_width": "1_280"},
        {"distortion": ["1_0", 0, 0, 0]},
        {"intrinsics": {"fx": "9_00"}},
        {"neighbours": [{"camera_id": "lobby-b", "walking_seconds": "1_0"}]},
    ],
)
def test_cameras(change):
    """A number in quotes in a camera file names its property, in words for a person."""
    given = json.loads((DEMO / "cameras.geojson").read_text())
    for name, value in change.items():
        copied = copy.deepcopy(given)
        copied["features"][0]["properties"][name] = value
        with pytest.raises(BadInput, match="expected numbers, without quotes") as error:
            read_site(json.dumps(copied))
        assert "ValueError" not in str(error.value)
