"""Sight: evidence adds up over looks and people, for and against, and at most one at a time is the
subject.
"""

import numpy as np
import pandas as pd
import pytest
from subject_case import subject_case

from data_contracts.errors import NotAuthorised
from data_contracts.policy import SearchSettings
from data_contracts.tables.contracts import LOOKS, MEMBERS, SIGHTINGS, TRACKS
from data_contracts.tables.validate import validate
from tasks.people.decided import Settled
from tasks.people.mask_over_time import mask_over_time
from tasks.people.subject import sight

T0 = pd.Timestamp("2026-11-16T00:00:00Z")
SEARCH = SearchSettings()
CASE = subject_case()


def part(track_id, seconds, looks=(), camera="a", x=0.0, start=0):
    """Rows of one track that stands at (x, 0); `looks` are (second, face_px, subject_p or None,
    mask_p).
    """
    seen = {s: rest for s, *rest in looks}
    rows = []
    for s in range(start, start + seconds):
        px, p, mask = seen.get(s, (None, None, None))
        rows.append(
            {
                "camera_id": camera,
                "track_id": track_id,
                "t_utc": T0 + pd.Timedelta(seconds=s),
                **dict(zip(("x0", "y0", "x1", "y1"), (0, 0, 10, 30), strict=True)),
                "score": 0.9,
                "x_m": x,
                "y_m": 0.0,
                "cov_xx": 0.01,
                "cov_xy": 0.0,
                "cov_yy": 0.01,
                "foot_hidden": False,
                "face_px": px,
                "mask_p": mask,
                "subject_p": p,
            }
        )
    return TRACKS.shape(pd.DataFrame(rows))


def found(tracks, persons):
    """Sightings and {person: probability}; `persons` maps (camera, track) to a person."""
    members = MEMBERS.shape(
        [{"person_id": p, "camera_id": c, "track_id": t} for (c, t), p in persons.items()]
    )
    sightings, members = sight(CASE, tracks, members, SEARCH)
    validate(sightings, SIGHTINGS)
    validate(members, MEMBERS)
    return sightings, members.groupby("person_id")["subject_p"].first().to_dict()


STRONG = [(s, 70, 0.95, 0.1) for s in range(5)]
AGAINST = [(s, 70, None, 0.1) for s in range(5)]


def test_face_sighting_carries_over_to_joined_tracks():
    """A person seen by face in one camera is a sighting in every camera: by face there, by position
    elsewhere.
    """
    tracks = pd.concat([part(1, 10, STRONG), part(4, 20, camera="b")])
    sightings, probability = found(tracks, {("a", 1): "P-1", ("b", 4): "P-1"})
    assert sightings.set_index("camera_id")["basis"].to_dict() == {"a": "face", "b": "position"}
    assert set(sightings["band"]) == {"high"}
    assert probability["P-1"] > 0.95
    assert sightings["sighting_id"].tolist() == ["S-01", "S-02"]
    assert sightings["n_faces"].tolist() == [5, 0]


def test_one_lucky_look_does_not_beat_many_misses():
    """A face that was well seen five times and proposed once, doubtfully, is not the subject."""
    sightings, probability = found(part(1, 10, [*AGAINST, (6, 70, 0.6, 0.1)]), {("a", 1): "P-1"})
    assert sightings.empty
    assert probability["P-1"] < 0.2


def test_small_and_masked_misses_say_little():
    """Misses of small or masked faces hardly weaken what large bare ones said."""
    weak = [(s, 33, None, 0.1) for s in range(5, 8)] + [(s, 80, None, 0.99) for s in range(8, 12)]
    alone = found(part(1, 15, STRONG), {("a", 1): "P-1"})[1]["P-1"]
    both = found(part(1, 15, [*STRONG, *weak]), {("a", 1): "P-1"})[1]["P-1"]
    assert both > 0.9
    assert both <= alone


def test_no_proposal_no_number():
    """People who were never proposed get no probability at all, however often they were
    compared.
    """
    assert np.isnan(found(part(1, 10, AGAINST), {("a", 1): "P-1"})[1]["P-1"])


def test_two_people_at_one_time_are_not_both_the_subject():
    """Of two who are proposed at one time at different places, the weaker one yields; alone it
    would be a sighting.
    """
    weaker = [(s, 70, 0.8, 0.1) for s in range(5)]
    tracks = pd.concat([part(1, 10, STRONG), part(2, 10, weaker, x=5.0)])
    sightings, probability = found(tracks, {("a", 1): "P-1", ("a", 2): "P-2"})
    assert sightings["track_id"].tolist() == [1]
    assert probability["P-2"] < 0.5
    assert found(part(2, 10, weaker), {("a", 2): "P-2"})[1]["P-2"] > 0.8


def test_a_question_by_faces_names_its_rival():
    """Of two faces at one time at different places the likelier is a question, and the other its
    rival; whoever was seen later may be the same person, and is nobody's rival.
    """
    other = [(s, 70, 0.9, 0.1) for s in range(5)]
    later = part(3, 10, [(s + 60, *rest) for s, *rest in other], camera="b", start=60)
    tracks = pd.concat([part(1, 10, STRONG), part(2, 10, other, x=5.0), later])
    persons = {("a", 1): "P-1", ("a", 2): "P-2", ("b", 3): "P-3"}
    sightings, probability = found(tracks, persons)
    assert 0.5 <= probability["P-1"] < 0.9
    named = sightings.set_index("track_id")["rival"].to_dict()
    assert named[1] == "P-2"
    assert pd.isna(named[3])


def test_uncalibrated_tracks_are_sightings_too():
    """A track that was joined to no one, for want of positions, is a sighting by its own faces."""
    tracks = part(1, 10, STRONG).assign(x_m=np.nan, y_m=np.nan)
    sightings, _ = found(TRACKS.shape(tracks), {})
    assert sightings["basis"].tolist() == ["face"]
    assert sightings["x_m"].isna().all()


def test_needs_the_face_scope():
    """Without the face scope no face is fused; people without faces are only people."""
    case = subject_case(scopes=("appearance",))
    for looks in (STRONG, AGAINST):
        with pytest.raises(NotAuthorised, match="face"):
            sight(case, part(1, 5, looks), MEMBERS.empty(), SEARCH)
    assert sight(case, part(1, 5), MEMBERS.empty(), SEARCH)[0].empty


BOTH = subject_case(scopes=("face", "appearance"))


def clothes(tracks, **llr):
    """LOOKS of tracks, by camera: the ratio that each of their boxes got."""
    return LOOKS.shape(tracks.assign(llr=tracks["camera_id"].map(llr)).dropna(subset=["llr"]))


def seen(tracks, looks, persons):
    """Sightings by camera, where tracks' clothes were compared."""
    members = MEMBERS.shape(
        [{"person_id": p, "camera_id": c, "track_id": t} for (c, t), p in persons.items()]
    )
    sightings, _ = sight(BOTH, tracks, members, SEARCH, looks=looks)
    validate(sightings, SIGHTINGS)
    return sightings.set_index("camera_id")[["band", "basis"]].agg(" ".join, axis=1).to_dict()


def test_clothes_go_on_where_the_face_was_seen():
    """After a face on one camera, the same clothes a walk away are the subject; other clothes are
    not, and without any face clothes alone state nothing.
    """
    face = part(1, 10, STRONG)
    others = [part(5, 30, camera=c, x=40.0 + i, start=3 * i) for i, c in enumerate("defghi")]
    tracks = pd.concat([face, part(2, 40, camera="b", x=10.0, start=18), *others])
    persons = {("a", 1): "P-1", ("b", 2): "P-2"} | {(c, 5): f"P-{c}" for c in "defghi"}
    alike = clothes(tracks, a=3.0, b=3.0, **dict.fromkeys("defghi", -3.0))
    assert seen(tracks, alike, persons) == {"a": "high face", "b": "high looks"}
    unlike = clothes(tracks, a=3.0, b=-3.0, **dict.fromkeys("defghi", -3.0))
    assert seen(tracks, unlike, persons) == {"a": "high face"}
    nobody = tracks[tracks["camera_id"] != "a"]
    assert "high" not in str(seen(nobody, alike, persons).values())


def test_the_same_clothes_elsewhere_at_that_time_are_somebody_else():
    """While the subject stands before one camera, like clothes before another are not theirs."""
    tracks = pd.concat([part(1, 60, STRONG), part(2, 40, camera="b", x=10.0, start=18)])
    persons = {("a", 1): "P-1", ("b", 2): "P-2"}
    assert seen(tracks, clothes(tracks, a=3.0, b=3.0), persons) == {"a": "high face"}


def test_clothes_without_a_place_state_nothing():
    """A camera without calibration, or one that sees no feet: many tracks in like clothes, at the
    time when the subject stands elsewhere, neither are sightings nor outweigh the face.
    """
    blind = [part(i, 6, camera="b", start=8 * i).assign(x_m=np.nan, y_m=np.nan) for i in range(6)]
    tracks = TRACKS.shape(pd.concat([part(1, 60, STRONG), *blind]))
    found_there = seen(tracks, clothes(tracks, a=3.0, b=3.0), {("a", 1): "P-1"})
    assert found_there == {"a": "high face"}


def test_a_face_that_is_somebody_elses_outweighs_the_clothes():
    """The clothes fit, the face was well seen and does not."""
    tracks = pd.concat(
        [
            part(1, 10, STRONG),
            part(2, 40, [(s, 70, None, 0.1) for s in range(20, 40)], "b", 10.0, 18),
        ]
    )
    persons = {("a", 1): "P-1", ("b", 2): "P-2"}
    assert "b" not in seen(tracks, clothes(tracks, a=3.0, b=2.0), persons)


def test_looks_need_the_appearance_scope():
    """Looks that came from somewhere are refused where only the face may be searched."""
    tracks = part(1, 10, STRONG)
    with pytest.raises(NotAuthorised, match="appearance"):
        sight(CASE, tracks, MEMBERS.empty(), SEARCH, looks=clothes(tracks, a=3.0))


def test_no_looks_is_as_by_face_alone():
    """A case that may compare clothes, and found nobody's, is as one that may not."""
    tracks = pd.concat([part(1, 10, STRONG), part(2, 10, [(0, 70, 0.8, 0.1)], x=5.0)])
    by_face = sight(CASE, tracks, MEMBERS.empty(), SEARCH)
    by_both = sight(BOTH, tracks, MEMBERS.empty(), SEARCH, looks=LOOKS.empty())
    for one, other in zip(by_face, by_both, strict=True):
        pd.testing.assert_frame_equal(one, other)


def looks_at(*given):
    """Rows (second, mask_p) for mask_over_time."""
    return pd.DataFrame(
        {"t_utc": [T0 + pd.Timedelta(seconds=s) for s, _ in given], "mask_p": [p for _, p in given]}
    )


def test_mask_between_agreeing_looks_is_known():
    """Bare before and after means bare between; single contrary looks among many do not count."""
    p = mask_over_time(
        looks_at((0, 0.05), (1, 0.1), (2, 0.6), (3, 0.05), (100, 0.1)),
        T0,
        np.array([2.0, 50.0, 100.0]),
    )
    assert (p < 0.3).all()


def test_mask_between_contrary_looks_is_unknown():
    """Bare at first and masked much later: known near the looks, unknown between, and unknown long
    after.
    """
    looks = looks_at(*((s, 0.05) for s in range(5)), *((s, 0.97) for s in range(150, 155)))
    p = mask_over_time(looks, T0, np.array([2.0, 75.0, 152.0, 400.0]))
    assert p[0] < 0.2
    assert p[2] > 0.8
    assert np.isnan(p[[1, 3]]).all()


def test_a_doubtful_state_is_not_carried_on():
    """Bare at first; a minute later looks that say little, less than 4 to 1: between them, and at
    those looks, the mask is unknown. Two looks in half a second are one, on whichever side of a
    full second they lie.
    """
    first = [(s, 0.02) for s in range(5)]
    doubtful = [(s, 0.6) for s in range(65, 70)]
    at = np.array([2.0, 40.0, 67.0])
    p = mask_over_time(looks_at(*first, *doubtful), T0, at)
    assert p[0] < 0.05
    assert np.isnan(p[1:]).all()
    one = looks_at((9.8, 0.05), (10.2, 0.05))
    assert np.isnan(mask_over_time(one, T0, np.array([10.0]))).all()


def test_one_look_decides_no_mask():
    """A single look, however sure, leaves the state unknown; a second one a moment later settles
    it.
    """
    at = np.array([4.0, 10.0])
    assert np.isnan(mask_over_time(looks_at((4, 0.9)), T0, at)).all()
    assert (mask_over_time(looks_at((4, 0.9), (6, 0.9)), T0, at) > 0.7).all()


def test_mask_without_looks_is_unknown():
    """No face, no statement."""
    assert np.isnan(mask_over_time(looks_at(), T0, np.array([1.0]))).all()


def behind_mask(track_id, llr, **where):
    """Rows of one track whose masked faces all say `llr`, once a second."""
    own = part(track_id, 6, [(s, 45, None, 0.99) for s in range(6)], **where)
    return TRACKS.shape(own.assign(masked_llr=llr))


def test_where_nobody_is_found_masked_faces_are_asked_about():
    """A question says how unlikely it is, and its track is in no trajectory. Where the subject was
    found, or reviewers have said that it is somebody else, nobody is asked.
    """
    names = {("a", 1): "P-1", ("b", 2): "P-2"}
    unsure = behind_mask(1, 2.5)
    sightings, probability = found(unsure, names)
    assert sightings[["track_id", "band", "basis", "n_faces"]].to_numpy().tolist() == [
        [1, "question", "face", 6]
    ]
    assert SEARCH.propose_probability > sightings["probability"].iloc[0] == probability["P-1"]
    assert sightings["faces_llr"].iloc[0] > 0
    known = pd.concat([unsure, part(2, 10, STRONG, camera="b", x=30.0)])
    assert found(known, names)[0]["track_id"].tolist() == [2]
    members = MEMBERS.shape([{"person_id": "P-1", "camera_id": "a", "track_id": 1}])
    said = Settled(rejected=frozenset({("a", 1)}))
    assert sight(CASE, unsure, members, SEARCH, settled=said)[0].empty
