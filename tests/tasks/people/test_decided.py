"""Whom two reviewers confirmed is the subject, whom they rejected is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from decisions import decision_on
from reviewed_run import track
from subject_case import subject_case
from walk_scene import observe, site, straight, two_cameras

from data_contracts.policy import SearchSettings
from data_contracts.tables.contracts import GAPS, LOOKS, MEMBERS, SIGHTINGS, TRACKS
from data_contracts.tables.validate import validate
from tasks.people.decided import decision_gaps, settled_tracks
from tasks.people.join import join
from tasks.people.subject import sight
from tasks.people.track import track as track_camera
from tasks.people.trajectory import subject_ids

CASE = subject_case()
SEARCH = SearchSettings()
FACES = {"face_px": 60.0, "mask_p": 0.1}


def seen(tracks, *decisions, looks=None, case=CASE, members=None):
    """{track: (band, basis, review)} of the sightings."""
    settled = settled_tracks(tracks, decisions)
    members = MEMBERS.empty() if members is None else members
    found, named = sight(case, tracks, members, SEARCH, None, looks, (), settled)
    validate(found, SIGHTINGS)
    validate(named, MEMBERS)
    rows = found.to_dict("records")
    return {(r["camera_id"], r["track_id"]): (r["band"], r["basis"], r["review"]) for r in rows}


ASKED = track(1, 100, subject_p=0.6, **FACES)
NEVER_SEEN = track(2, 500)
SURE = track(3, 800, start=30, subject_p=0.99, **FACES)


def test_confirmed_stands_as_fact() -> None:
    """A question becomes a sighting of high probability by two reviewers; somebody of whom nothing
    was known does too.
    """
    assert seen(ASKED) == {("entrance", 1): ("question", "face", "unreviewed")}
    stands = ("high", "confirmed", "confirmed")
    assert seen(ASKED, decision_on(ASKED)) == {("entrance", 1): stands}
    assert seen(NEVER_SEEN, decision_on(NEVER_SEEN)) == {("entrance", 2): stands}


def test_confirmed_speaks_against_those_elsewhere() -> None:
    """Of two at one time, the other with a face that fits, one is the subject: the confirmed."""
    rival = track(4, 1200, subject_p=0.8, **FACES)
    both = pd.concat([ASKED, rival], ignore_index=True)
    assert seen(both, decision_on(ASKED)) == {("entrance", 1): ("high", "confirmed", "confirmed")}


def test_rejected_is_gone_however_sure_the_face() -> None:
    """Neither a sighting nor the subject's person."""
    members = MEMBERS.shape([{"person_id": "P-1", "camera_id": "entrance", "track_id": 3}])
    assert seen(SURE)
    rejected = decision_on(SURE, verdict="reject")
    assert seen(SURE, rejected) == {}
    settled = settled_tracks(SURE, [rejected])
    found, named = sight(CASE, SURE, members, SEARCH, None, None, (), settled)
    assert found.empty
    assert subject_ids(named, SEARCH) == set()


def test_rejected_beats_confirmed() -> None:
    """Two questions about the same person, decided against each other."""
    assert seen(SURE, decision_on(SURE), decision_on(SURE, verdict="reject")) == {}


def test_of_two_confirmed_at_one_time_neither_stands() -> None:
    """One decision is wrong: both are what they were without it, and the gaps say so."""
    both = pd.concat([ASKED, NEVER_SEEN], ignore_index=True)
    decisions = (decision_on(ASKED), decision_on(NEVER_SEEN))
    assert seen(both, *decisions) == {("entrance", 1): ("question", "face", "unreviewed")}
    settled = settled_tracks(both, decisions)
    found, _ = sight(CASE, both, MEMBERS.empty(), SEARCH, None, None, (), settled)
    gaps = decision_gaps(CASE, found, decisions)
    validate(gaps, GAPS)
    assert len(gaps) == 2
    assert "confirmed elsewhere at the same time" in gaps["detail"].iloc[0]


def test_one_decision_is_enough_for_one_body_on_two_cameras() -> None:
    """Both tracks of the subject confirmed, at one place: they stand."""
    beside = track(1, 100, camera="lobby-a")
    both = pd.concat([ASKED, beside], ignore_index=True)
    found = seen(both, decision_on(ASKED), decision_on(beside))
    assert {r[2] for r in found.values()} == {"confirmed"}
    assert len(found) == 2


def test_what_nobody_was_asked_about_is_not_confirmed() -> None:
    """In this run the track goes on for a minute, maybe as somebody else; a gap says that the
    confirmed one was not found again.
    """
    longer = track(9, 100, seconds=60)
    decision = decision_on(ASKED)
    assert seen(longer, decision) == {}
    gaps = decision_gaps(CASE, SIGHTINGS.empty(), [decision])
    assert list(gaps["camera_id"]) == ["entrance"]
    assert decision_gaps(CASE, SIGHTINGS.empty(), []).empty
    # Rejected they are whole: nobody may be shown who was not the subject.
    sure = track(9, 100, seconds=60, subject_p=0.99, **FACES)
    assert seen(sure, decision_on(ASKED, verdict="reject")) == {}


def test_contacts_settle_nobody() -> None:
    """A contact that is confirmed is one person near the subject, not the subject."""
    assert seen(ASKED, decision_on(ASKED, kind="contact")) == seen(ASKED)
    assert seen(SURE, decision_on(SURE, verdict="reject", kind="contact")) == seen(SURE)


def walked(*decisions_on: str, faces: str = "a"):
    """Sightings of one walker whom two cameras see, with a face on camera `faces`; `decisions_on`:
    cameras whose track is rejected.
    """
    cameras = two_cameras()
    walkers = {"p": (1.7, straight((2, 2), (8, 6), 0.0))}
    detections, _ = observe(cameras, walkers, 6, np.random.default_rng(0))
    parts = [track_camera(detections, c) for c, _ in cameras]
    tracks = pd.concat(parts, ignore_index=True)
    face = (tracks["camera_id"] == faces) & (tracks.groupby("camera_id").cumcount() % 5 == 0)
    tracks.loc[face, ["face_px", "mask_p", "subject_p"]] = [60.0, 0.1, 0.99]
    tracks = TRACKS.shape(tracks)
    own = [tracks[tracks["camera_id"] == name] for name in decisions_on]
    decisions = [decision_on(rows, verdict="reject") for rows in own]
    settled = settled_tracks(tracks, decisions)
    where = site(*(c for c, _ in cameras))
    never = settled.never_together(tracks, ())
    _, members = join(tracks, where, np.random.default_rng(0), never=never)
    return seen(tracks, *decisions, members=members), members


def test_one_rejected_track_is_cut_from_the_subject() -> None:
    """Joined by place with the subject's own: who was rejected is somebody else, and the one whose
    face was seen stays.
    """
    whole, members = walked()
    assert {camera for camera, _ in whole} == {"a", "b"}
    assert members["person_id"].nunique() == 1
    left, members = walked("b")
    assert {camera for camera, _ in left} == {"a"}
    assert members["person_id"].nunique() == 2
    none, _ = walked("a")
    assert none == {}


@pytest.mark.parametrize("verdict", ["confirm", "reject"])
def test_looks_and_way_go_on_from_decisions(verdict: str) -> None:
    """A walk away in the same clothes is the subject's, where the one before was confirmed; nobody
    is where they were rejected.
    """
    case = subject_case(scopes=("appearance",))
    start = track(1, 100)
    later = track(2, 2000, start=35, camera="lobby-a")
    others = [track(5 + k, 4000 + 100 * k, start=3 * k, camera="lobby-a") for k in range(6)]
    tracks = pd.concat([start, later, *others], ignore_index=True)
    ratio = tracks["track_id"].map({1: 3.0, 2: 3.0}).fillna(-3.0)
    looks = LOOKS.shape(tracks.assign(llr=ratio))
    found = seen(tracks, decision_on(start, verdict=verdict), looks=looks, case=case)
    expected = {
        ("entrance", 1): ("high", "confirmed", "confirmed"),
        ("lobby-a", 2): ("high", "looks", "unreviewed"),
    }
    assert found == (expected if verdict == "confirm" else {})


def test_evidence_adds_up_to_the_probability() -> None:
    """Faces, looks and way are the log odds; what was not compared is not known."""
    found, _ = sight(CASE, SURE, MEMBERS.empty(), SEARCH)
    (row,) = found.to_dict("records")
    odds = np.log(row["probability"] / (1 - row["probability"]))
    assert row["faces_llr"] + row["way_llr"] == pytest.approx(odds)
    assert np.isnan(row["looks_llr"])
