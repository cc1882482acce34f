"""Whose clothes lead the search on: likelier than not the subject's, nobody else's."""

import pandas as pd
import pytest

from data_contracts.policy import SearchSettings
from data_contracts.tables.contracts import LOOKS
from tasks.people.alike import seen_alike

T0 = pd.Timestamp("2026-11-16T10:00Z")
BOX = {"x0": 0.0, "y0": 0.0, "x1": 40.0, "y1": 120.0}


def compared(*ratios: float) -> pd.DataFrame:
    """Bodies of one camera, 2 s apart."""
    at = [T0 + pd.Timedelta(seconds=2 * i) for i in range(len(ratios))]
    rows = [BOX | {"camera_id": "a", "t_utc": t, "llr": r} for t, r in zip(at, ratios, strict=True)]
    return LOOKS.shape(rows)


def test_only_clothes_likelier_than_not_the_subjects_lead_on() -> None:
    """One in 22 wears clothes like the subject's: a ratio of 20 to 1 makes about even chances, and
    what is less is nobody to follow. The policy's threshold decides.
    """
    found = seen_alike(compared(3.0, 2.0, -1.0), SearchSettings())
    assert found["start_utc"].tolist() == found["end_utc"].tolist() == [T0]
    assert found["probability"].tolist() == pytest.approx([0.9])
    many = seen_alike(compared(3.0, 2.0, -1.0), SearchSettings(propose_probability=0.3))
    assert len(many) == 2


def test_nobody_compared_is_nobody_alike() -> None:
    """No looks: an empty table with its columns."""
    assert seen_alike(LOOKS.empty(), SearchSettings()).columns.tolist() == [
        "camera_id",
        "start_utc",
        "end_utc",
        "probability",
    ]
