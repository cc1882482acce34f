"""Masked faces of a scan: together worth following, alone not."""

import pandas as pd
import pytest

from data_contracts.policy import SearchSettings
from data_contracts.tables.contracts import CANDIDATES
from tasks.people.masked_candidates import added_up

T0 = pd.Timestamp("2026-11-16T10:00Z")
HEAD = {"x0": 0.0, "y0": 0.0, "x1": 40.0, "y1": 50.0, "face_px": 40.0}


def candidates(*faces):
    """Rows of (camera, second, subject_p or None, masked_llr or None)."""
    return CANDIDATES.shape(
        [
            HEAD
            | {
                "camera_id": camera,
                "t_utc": T0 + pd.Timedelta(seconds=second),
                "subject_p": p,
                "masked_llr": llr,
            }
            for camera, second, p, llr in faces
        ]
    )


@pytest.mark.parametrize(
    ("faces", "followed"),
    [
        ([("a", 0, None, 1.6)], []),
        ([("a", 0, None, 1.6), ("a", 2, None, 1.6)], ["a", "a"]),
        ([("a", 0, None, 1.6), ("b", 2, None, 1.6)], []),
        ([("a", 0, None, 1.6), ("a", 60, None, 1.6)], []),
        ([("a", 0, None, 0.5), ("b", 0, 0.8, None)], ["b"]),
    ],
)
def test_masked_faces_lead_on_together(faces, followed):
    """Two of one camera within seconds do; of two cameras, or a minute apart, they do not. A
    proposed face always does.
    """
    assert added_up(candidates(*faces), SearchSettings())["camera_id"].tolist() == followed


def test_they_rule_nothing_out():
    """However many there are, they lead on as somebody just proposed; who was proposed keeps what
    was said.
    """
    search = SearchSettings()
    many = [("a", 2 * k, None, 3.0) for k in range(9)]
    made = added_up(candidates(*many, ("b", 0, 0.97, None)), search)
    assert set(made.loc[made["camera_id"] == "a", "subject_p"]) == {search.propose_probability}
    assert made.loc[made["camera_id"] == "b", "subject_p"].tolist() == [0.97]


def test_nobody_masked_changes_nothing():
    """No faces, and bare ones alone, come out as they came in."""
    for table in (CANDIDATES.empty(), candidates(("a", 0, 0.8, None))):
        pd.testing.assert_frame_equal(added_up(table, SearchSettings()), table)
