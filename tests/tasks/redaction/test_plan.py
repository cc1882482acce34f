"""Planning pictures: the camera, the moment and the tracks, from tables alone."""

from datetime import timedelta

import pandas as pd
from scene import STRANGER, SUBJECT, at, track

from data_contracts.tables.contracts import CONTACTS, ENCOUNTER_POINTS, MEMBERS, SIGHTINGS
from tasks.redaction.plan import plan_pictures

TIMES = [i / 5 for i in range(100)]


def sighting(number: int = 1, **columns) -> dict:
    """A sighting of track 1 on camera a for 20 s."""
    row = {
        "sighting_id": f"S-{number:02d}",
        "camera_id": "a",
        "track_id": 1,
        "start_utc": at(0),
        "end_utc": at(19.8),
    }
    row |= {
        "probability": 0.97,
        "band": "high",
        "basis": "face",
        "n_faces": 3,
        "review": "unreviewed",
    }
    return row | columns


def contact(**columns) -> dict:
    """A contact with person P."""
    row = {
        "contact_id": "C-01",
        "person_id": "P",
        "encounter_ids": "E-001,E-002",
        "policy": "p@1",
        "tier": "t",
    }
    row |= {
        "rule": "r",
        "start_utc": at(0),
        "end_utc": at(19.8),
        "exposure_s": 19,
        "exposure_s_lo": 18,
    }
    row |= {
        "exposure_s_hi": 20,
        "min_m": 1.0,
        "median_m": 1.2,
        "subject_mask": "bare",
        "person_mask": "bare",
    }
    return (
        row | {"cameras": "a", "probability": 0.9, "band": "high", "review": "unreviewed"} | columns
    )


def points(nearest_s: float) -> pd.DataFrame:
    """Encounter points that are nearest at one time."""
    fixed = {
        "encounter_id": "E-001",
        "person_id": "P",
        "dt_s": 0.2,
        "dy_m": 0.0,
        "cov_xx": 0.0,
        "cov_xy": 0.0,
    }
    fixed |= {"cov_yy": 0.0, "subject_p": 0.97, "cameras": "a", "seen": True}
    return ENCOUNTER_POINTS.shape(
        [fixed | {"t_utc": at(t), "dx_m": 1 + abs(t - nearest_s) / 10} for t in TIMES]
    )


MEMBER = MEMBERS.shape([{"person_id": "P", "camera_id": "a", "track_id": 2}])
TRACKS_ = pd.concat([track(1, SUBJECT, TIMES), track(2, STRANGER, TIMES)], ignore_index=True)


def plan(
    sightings: list[dict],
    contacts: list[dict] | None = None,
    tracks: pd.DataFrame = TRACKS_,
    near: float = 7.0,
):
    """Jobs of these rows."""
    return plan_pictures(
        SIGHTINGS.shape(sightings), CONTACTS.shape(contacts or []), points(near), tracks, MEMBER
    )


def test_a_sighting_is_pictured_at_its_widest_face() -> None:
    """The still is where the face is widest, and the clip is at most 6 s around it inside the
    sighting.
    """
    tracks = TRACKS_.copy()
    mine = tracks["track_id"] == 1
    tracks.loc[mine, ["face_px", "subject_p"]] = [30.0, 0.9]
    tracks.loc[mine & (tracks["t_utc"] == pd.Timestamp(at(12))), "face_px"] = 55.0
    (job,) = plan([sighting()], tracks=tracks)
    assert job.still_utc == at(12)
    assert (job.start_utc, job.end_utc) == (at(9), at(15))
    assert (job.name, job.camera_id, job.subject_tracks) == ("S-01", "a", (1,))


def test_without_a_face_the_largest_box_counts() -> None:
    """A sighting by position is pictured where the subject is largest."""
    tracks = TRACKS_.copy()
    tracks.loc[(tracks["track_id"] == 1) & (tracks["t_utc"] == pd.Timestamp(at(2))), "y1"] += 30
    (job,) = plan([sighting()], tracks=tracks)
    assert job.still_utc == at(2)
    assert (job.start_utc, job.end_utc) == (at(0), at(6))


def test_a_contact_is_pictured_when_closest() -> None:
    """The still of a contact is the smallest distance while one camera sees both."""
    jobs = plan([sighting()], [contact()])
    assert [j.name for j in jobs] == ["S-01", "C-01"]
    assert abs(jobs[1].still_utc - at(7)) < timedelta(seconds=0.3)
    assert jobs[1].subject_tracks == (1,)


def test_a_contact_seen_by_no_common_camera_has_no_picture() -> None:
    """Nobody is pictured at a time at which no camera saw both."""
    jobs = plan([sighting()], [contact()], tracks=track(1, SUBJECT, TIMES))
    assert [j.name for j in jobs] == ["S-01"]


def test_rejected_rows_get_no_picture_and_questions_show_nobody() -> None:
    """A rejected sighting is nobody's picture; a question's track is shown in none, its own
    included, but to a reviewer who asks.
    """
    asked = sighting(2, track_id=2, band="question", probability=0.6)
    first, second = plan([sighting(), asked])
    assert first.subject_tracks == (1,)
    assert second.subject_tracks == ()
    rejected = sighting(2, track_id=2, review="rejected")
    assert [j.name for j in plan([sighting(), rejected])] == ["S-01"]
    assert plan([sighting(review="rejected")], [contact()]) == []


def test_a_short_passing_still_has_frames() -> None:
    """A sighting of one frame gives a clip of a second around it."""
    (job,) = plan([sighting(start_utc=at(4), end_utc=at(4))], tracks=track(1, SUBJECT, [4.0]))
    assert (job.start_utc, job.end_utc) == (at(3.5), at(4.5))
