"""Meeting: encounters from positions with known truth."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from data_contracts.clock import ClockSpan
from data_contracts.errors import BadInput
from data_contracts.exposure import MeetSettings
from data_contracts.tables.contracts import ENCOUNTER_POINTS, ENCOUNTERS, PERSONS, TRAJECTORY
from tasks.exposure.accumulate import largest
from tasks.exposure.mask_rule import mask_state
from tasks.exposure.meet import meet

T0 = datetime(2026, 11, 16, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Seconds after the start."""
    return T0 + timedelta(seconds=float(seconds))


def persons(*people: tuple[str, list[float], float], sd: float = 0.05, **columns) -> pd.DataFrame:
    """People who stand at (x, 0) at the given seconds."""
    rows = [
        {
            "person_id": name,
            "t_utc": at(t),
            "x_m": x,
            "y_m": 0.0,
            "cov_xx": sd**2,
            "cov_xy": 0.0,
            "cov_yy": sd**2,
        }
        | {"mask_p": 0.02, "seen": True, "cameras": "a"}
        | columns
        for name, times, x in people
        for t in times
    ]
    return PERSONS.shape(rows)


def subject(times, sd: float = 0.05, **columns) -> pd.DataFrame:
    """The subject, standing at the origin."""
    frame = persons(("S", list(times), 0.0), sd=sd)
    return TRAJECTORY.shape(frame.assign(probability=0.9, **columns))


GRID = np.arange(0, 60, 0.2)


def test_standing_person_gets_the_exact_time():
    """Shows 20 s at 1.2 m are 20 s within 1.5 and 2 m and none within 1 m, with the right start and
    end.
    """
    points, encounters = meet(subject(GRID), persons(("P", list(GRID[50:150]), 1.2)), {"S"})
    (row,) = encounters.to_dict("records")
    assert row["seconds_1_5m"] == pytest.approx(20.0, abs=0.05)
    assert row["seconds_2m"] == pytest.approx(20.0, abs=0.01)
    assert row["seconds_1m"] < 0.2
    assert (row["start_utc"], row["end_utc"]) == (at(10), at(29.8))
    assert row["min_m"] == pytest.approx(1.2)
    assert row["confidence"] == pytest.approx(0.9)
    assert list(encounters.columns) == ENCOUNTERS.names
    assert list(points.columns) == ENCOUNTER_POINTS.names
    assert points["dt_s"].sum() == pytest.approx(20.0)


def walkers(gap_m: float, person_camera: str, sd: float = 0.05):
    """The subject and a person beside them, both at 1.3 m/s, and the clocks of two cameras that are
    known to half a second each.
    """
    way = {"x_m": 1.3 * GRID}
    clocks = {name: (ClockSpan(ahead_s=0.0, sd_s=0.5),) for name in "ab"}
    them = persons(("P", list(GRID), 0.0), sd=sd, cameras=person_camera)
    return subject(GRID, sd=sd, **way), them.assign(**way, y_m=gap_m), clocks


def test_a_clock_in_doubt_is_in_the_distance():
    """Two cameras whose clocks are known to half a second each: at 1.3 m/s the difference along the
    way is known to 0.65 m from each, and not better across it; seen by one camera, both are
    displaced alike and nothing is added.
    """
    own, person, clocks = walkers(1.2, "b")
    points, _ = meet(own, person, {"S"}, clocks=clocks)
    added = 2 * (0.5 * 1.3) ** 2
    assert points["cov_xx"].iloc[10:-10].to_numpy() == pytest.approx(2 * 0.05**2 + added)
    assert points["cov_yy"].iloc[10:-10].to_numpy() == pytest.approx(2 * 0.05**2)
    own, person, clocks = walkers(1.2, "a")
    points, _ = meet(own, person, {"S"}, clocks=clocks)
    assert points["cov_xx"].to_numpy() == pytest.approx(2 * 0.05**2)


def test_a_clock_in_doubt_is_in_the_exposure():
    """Somebody who walks beside the subject at 1.4 m is within 1.5 m for certain where one camera
    sees both; where clocks are in doubt they may have walked behind: less is expected, and the
    interval is wider.
    """
    rows = []
    for camera in ("a", "b"):
        own, person, clocks = walkers(1.4, camera, sd=0.02)
        _, encounters = meet(own, person, {"S"}, clocks=clocks)
        rows.append(encounters.iloc[0])
    sure, doubtful = rows
    assert sure["seconds_1_5m"] > 55
    assert doubtful["seconds_1_5m"] < 0.7 * sure["seconds_1_5m"]
    width = [row["seconds_1_5m_hi"] - row["seconds_1_5m_lo"] for row in rows]
    assert width[1] > width[0] + 10


def test_the_subject_never_meets_itself():
    """Shows that the subject's own person ids are left out."""
    table = pd.concat([persons(("S1", list(GRID), 0.0)), persons(("P", list(GRID), 1.0))])
    _, encounters = meet(subject(GRID), table, {"S1"})
    assert list(encounters["person_id"]) == ["P"]


def test_doubt_about_the_distance_is_doubt_about_the_time():
    """Shows that at exactly 2 m with an uncertain position half of the time is expected and the
    interval is wide.
    """
    _, encounters = meet(subject(GRID, sd=0.15), persons(("P", list(GRID), 2.0), sd=0.15), {"S"})
    row = encounters.iloc[0]
    assert row["seconds_2m"] == pytest.approx(30, abs=3)
    assert row["seconds_2m_lo"] < 8
    assert row["seconds_2m_hi"] > 52


def test_short_gaps_are_joined_and_long_ones_split():
    """Shows that 2 s without the person stay one encounter, and 10 s make two."""
    times = [t for t in GRID if not (20 <= t < 21.6 or 40 <= t < 50)]
    _, encounters = meet(subject(GRID), persons(("P", times, 1.0)), {"S"})
    assert list(encounters["start_utc"]) == [at(0), at(50)]
    assert encounters["duration_s"].iloc[0] == pytest.approx(39.8)


def test_nothing_is_said_where_the_subject_was_not_located():
    """Shows no extrapolation: the person's instants beyond the trajectory and in its gap do not
    count.
    """
    times = [t for t in GRID if 10 <= t < 20 or 30 <= t < 40]
    points, _ = meet(subject(times), persons(("P", list(GRID), 1.0)), {"S"})
    assert points["dt_s"].sum() == pytest.approx(20, abs=0.5)
    seconds = (points["t_utc"] - T0).dt.total_seconds()
    assert not ((seconds > 20.1) & (seconds < 29.8)).any()


@pytest.mark.parametrize("shift_s", [0.0, 0.07, 0.1, 0.13])
def test_grids_that_are_off_are_interpolated(shift_s):
    """Shows that a subject who walks is placed between two samples, not at the nearest one."""
    t = np.arange(0, 20, 0.2)
    walk = subject(t).assign(x_m=1.5 * t)
    walk = TRAJECTORY.shape(walk)
    other = persons(("P", list(t + shift_s), 0.0))
    other["x_m"] = 1.5 * (t + shift_s) + 1.0
    points, _ = meet(walk, other, {"S"})
    assert points["dx_m"].iloc[1:-1].to_numpy() == pytest.approx(1.0, abs=1e-6)


def test_two_cameras_count_once():
    """Shows that a duplicate of the same person and instant is counted once, and the more certain
    one is taken.
    """
    table = pd.concat(
        [persons(("P", list(GRID), 1.0)), persons(("P", list(GRID), 1.4), sd=0.4, cameras="b")]
    )
    points, encounters = meet(subject(GRID), table, {"S"})
    assert points["dt_s"].sum() == pytest.approx(60)
    assert encounters["median_m"].iloc[0] == pytest.approx(1.0)


@pytest.mark.parametrize(("hidden_s", "counted_s"), [(4, 60), (10, 50)])
def test_bridged_stretches_count_up_to_a_stated_length(hidden_s, counted_s):
    """Shows that 4 s behind somebody count, and 10 s unseen do not."""
    table = persons(("P", list(GRID), 1.0))
    t = (table["t_utc"] - T0).dt.total_seconds()
    table["seen"] = ~((t >= 20) & (t < 20 + hidden_s))
    points, _ = meet(subject(GRID), table, {"S"})
    assert points["dt_s"].sum() == pytest.approx(counted_s, abs=0.1)


def test_far_people_leave_no_row():
    """Shows data minimisation: nobody further than about 3 m appears in what is stored."""
    points, encounters = meet(subject(GRID), persons(("P", list(GRID), 4.0)), {"S"})
    assert points.empty
    assert encounters.empty


def test_empty_tables_give_empty_contracts():
    """Shows that no trajectory or no persons is an answer, not an error."""
    for trajectory, table in [
        (TRAJECTORY.empty(), persons(("P", list(GRID), 1.0))),
        (subject(GRID), PERSONS.empty()),
    ]:
        points, encounters = meet(trajectory, table, {"S"})
        assert list(points.columns) == ENCOUNTER_POINTS.names
        assert encounters.empty


def test_other_distances_are_refused():
    """Shows that distances without a column are refused instead of dropped."""
    with pytest.raises(BadInput, match=r"1\.0, 1\.5, 2\.0"):
        meet(subject(GRID), PERSONS.empty(), {"S"}, distances_m=(1.0, 2.0))


@pytest.mark.parametrize(
    ("mask_p", "state"),
    [
        ([0.9] * 10, "masked"),
        ([0.1] * 10, "bare"),
        ([0.9] * 5 + [0.1] * 5, "mixed"),
        ([np.nan] * 10, "unknown"),
        ([0.5] * 10, "unknown"),
        ([0.9] * 2 + [np.nan] * 8, "masked"),
    ],
)
def test_mask_states(mask_p, state):
    """Shows that doubt is unknown, and mixed means that both were seen."""
    assert mask_state(np.array(mask_p), np.full(10, 0.2), MeetSettings()) == state


@pytest.mark.parametrize(
    ("window_s", "gap_s", "expected", "span"),
    [
        (0, 10, 6, (14, 19)),
        (0, 1, 6, (14, 19)),
        (0, 11, 10, (0, 19)),
        (7, 10, 6, (14, 19)),
        (100, 10, 10, (0, 19)),
    ],
)
def test_largest_exposure_by_hand(window_s, gap_s, expected, span):
    """Shows the episode and the window on 4 s, a pause of 10 s, and 6 s, counted by hand."""
    counted = np.array([[*[True] * 4, *[False] * 10, *[True] * 6]])
    t = np.arange(20.0)
    dt = np.ones(20)
    found = largest(counted, t, dt, window_s, gap_s - 0.5 if gap_s == 10 else gap_s)
    assert found.seconds[0] == expected
    assert (found.first[0], found.last[0]) == span
