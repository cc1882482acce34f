"""Trajectory: the subject's positions, stays and moves, and the gaps between them."""

from datetime import timedelta

import numpy as np
import pandas as pd

from data_contracts.case import Visit
from data_contracts.policy import SearchSettings
from data_contracts.tables.contracts import GAPS, MEMBERS, PERSONS, SIGHTINGS, TRAJECTORY
from data_contracts.tables.validate import validate
from tasks.people.trajectory import not_seen_gaps, subject_ids, trajectory

T0 = pd.Timestamp("2026-11-16T00:00:00Z")


def person(name, at, x, seen=True):
    """Rows of PERSONS at seconds `at` and east `x`."""
    return PERSONS.shape(
        pd.DataFrame(
            {
                "person_id": name,
                "t_utc": [T0 + pd.Timedelta(seconds=float(s)) for s in at],
                "x_m": np.broadcast_to(x, len(at)),
                "y_m": 0.0,
                "cov_xx": 0.01,
                "cov_xy": 0.0,
                "cov_yy": 0.01,
                "seen": np.broadcast_to(seen, len(at)),
                "cameras": "a",
            }
        )
    )


def members(**probability):
    """One track a person: track 1, 2, ... of camera a."""
    rows = [
        {"person_id": name.replace("_", "-"), "camera_id": "a", "track_id": i, "subject_p": p}
        for i, (name, p) in enumerate(probability.items(), start=1)
    ]
    return MEMBERS.shape(rows)


def sightings(*tracks):
    """Sightings of (track, probability)."""
    rows = [
        {
            "sighting_id": f"S-{i:02d}",
            "camera_id": "a",
            "track_id": t,
            "start_utc": T0,
            "end_utc": T0,
            "probability": p,
            "band": "high",
            "basis": "face",
            "n_faces": 1,
            "review": "unreviewed",
        }
        for i, (t, p) in enumerate(tracks, start=1)
    ]
    return SIGHTINGS.shape(rows)


TICKS = np.arange(0, 20, 0.2)


def test_only_the_subject_is_in_it():
    """People without a sighting leave no row; where two halves of the subject overlap, the likelier
    one counts.
    """
    people = pd.concat(
        [person("P-1", TICKS, 1.0), person("P-2", TICKS[50:], 2.0), person("P-3", TICKS, 9.0)]
    )
    found = trajectory(people, members(P_1=0.9, P_2=0.95, P_3=None), sightings((1, 0.9), (2, 0.95)))
    validate(found, TRAJECTORY)
    assert len(found) == 100
    assert found["x_m"].tolist() == [1.0] * 50 + [2.0] * 50
    assert subject_ids(members(P_1=0.9, P_2=0.4, P_3=None), SearchSettings()) == {"P-1"}


def test_long_bridges_are_left_out():
    """Five seconds without being seen are a gap and no trajectory; one second is bridged."""
    seen = ~(((TICKS > 5) & (TICKS < 10)) | ((TICKS > 14) & (TICKS < 15)))
    found = trajectory(person("P-1", TICKS, 1.0, seen), members(P_1=0.9), sightings((1, 0.9)))
    at = (found["t_utc"] - T0).dt.total_seconds()
    assert not ((at > 5.1) & (at < 9.9)).any()
    assert ((at > 14) & (at < 15)).sum() == 4
    gaps = not_seen_gaps(found, ())
    validate(gaps, GAPS)
    assert len(gaps) == 1
    assert gaps["end_utc"].iloc[0] - gaps["start_utc"].iloc[0] == timedelta(seconds=5)


def test_visits_without_a_sighting_are_gaps():
    """A claimed visit in which the subject was never seen is a gap that names the place; one that
    was seen is not.
    """
    found = trajectory(person("P-1", TICKS, 1.0), members(P_1=0.9), sightings((1, 0.9)))
    start = T0.to_pydatetime()
    lobby = Visit(place="lobby", from_utc=start, to_utc=start + timedelta(minutes=1))
    cafe = Visit(
        place="cafe", from_utc=start + timedelta(hours=1), to_utc=start + timedelta(hours=2)
    )
    gaps = not_seen_gaps(found, (lobby, cafe))
    assert gaps["detail"].str.contains("cafe").tolist() == [True]


def test_nothing_found():
    """Without sightings there is an empty trajectory."""
    found = trajectory(person("P-1", TICKS, 1.0), members(P_1=None), SIGHTINGS.empty())
    validate(found, TRAJECTORY)
    assert found.empty
    assert not_seen_gaps(found, ()).empty
