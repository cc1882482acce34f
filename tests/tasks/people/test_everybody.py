"""People are found again after what is known of the subject has mended their tracks."""

import numpy as np
import pandas as pd
import pytest
from meeting_scene import MEETING, SITE, exchanged, seen, wrong_share
from subject_case import subject_case
from walk_scene import T0

from data_contracts.policy import SearchSettings
from data_contracts.tables.contracts import DETECTIONS, TRACKS
from tasks.people import everybody as module
from tasks.people.everybody import everybody


def with_faces(tracks, subject):
    """Faces in the first and the last two seconds: the subject's are proposed, others are not."""
    at = (tracks["t_utc"] - pd.Timestamp(T0)).dt.total_seconds()
    seen_face = (at < 2) | (at > 12)
    face = np.where(seen_face, 70.0, np.nan)
    return TRACKS.shape(
        tracks.assign(face_px=face, subject_p=np.where(seen_face & subject, 0.99, np.nan))
    )


def test_faces_before_and_after_mend_tracks_that_were_exchanged(monkeypatch):
    """The tracker exchanged two who stood together. Faces say so, and in the end one person is the
    subject at both ends, and the other is not.
    """
    truth, _ = seen(MEETING)
    wrong = with_faces(exchanged(truth, 7.0), truth["track_id"] == 1)
    assert wrong_share(wrong, truth) > 0.3
    monkeypatch.setattr(module, "track_cameras", lambda *_: [wrong])
    found = everybody(
        subject_case("K-2026-0001"),
        DETECTIONS.empty(),
        SITE,
        SearchSettings(),
        lambda: np.random.default_rng(0),
    )
    assert wrong_share(found.tracks, truth) < 0.2
    assert found.members["person_id"].nunique() == 2
    likely = found.members.groupby("person_id")["subject_p"].max()
    assert sorted(likely.fillna(0.0)) == pytest.approx([0.0, 1.0], abs=0.05)
    own = found.sightings.sort_values("start_utc")
    assert set(own["band"]) == {"high"}
    first, last = own["start_utc"].min(), own["end_utc"].max()
    assert (last - first).total_seconds() == pytest.approx(14.0, abs=0.5)
