"""Planning: hand-computed windows on a street of cameras, and what must hold for any anchors
(hypothesis).
"""

import itertools
import time
from datetime import UTC, datetime, timedelta
from functools import cache

import pandas as pd
import pytest
from grants import PICTURES, usable
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.authorisation import Limits, TrustedKeys
from data_contracts.camera import Camera, Neighbour, Origin, Site
from data_contracts.case import CaseRequest, Visit
from data_contracts.errors import BadInput, NotAuthorised
from data_contracts.policy import InfectiousWindow, Policy, SearchSettings, Tier
from data_contracts.tables.contracts import CANDIDATES, GAPS, WINDOWS
from data_contracts.time import Interval, merge, subtract
from tasks.consent.authorise import authorise
from tasks.consent.binding import bind_request
from tasks.consent.grant_token import GrantDraft, generate_key, sign_grant
from tasks.search.plan import (
    Anchor,
    claimed_anchors,
    follow_windows,
    infectious_window,
    new_windows,
    plan,
    sighting_anchors,
    walking_seconds,
)

T0 = datetime(2026, 11, 16, 10, 0, tzinfo=UTC)
DAY = 86_400
DOCTOR, DOCTOR_KEY = generate_key("Dr Kim", ("consent",))
OFFICER, OFFICER_KEY = generate_key("Officer Lee", ("approval",))
KEYS = TrustedKeys(keys=(DOCTOR_KEY, OFFICER_KEY))
SEARCH = SearchSettings(horizon_s=300, max_speed_mps=2.5, max_hops=2)
POLICY = Policy(
    name="test",
    version="1",
    title="",
    citation="",
    tiers=(Tier(name="near", max_distance_m=1, min_duration_s=60),),
    accumulate_over_s=0,
    infectious_symptomatic=InfectiousWindow(from_days=-2, to_days=10),
    infectious_asymptomatic=InfectiousWindow(from_days=-1, to_days=None),
    mask_rule="ignore",
    search=SEARCH,
)
REQUEST = CaseRequest(
    case_id="K-2026-0042",
    subject="S",
    onset_utc=T0,
    itinerary=(Visit(place="x", from_utc=T0, to_utc=T0 + timedelta(hours=1)),),
    policy="test",
    reference_images=("a.jpg",),
    filed_utc=T0 + timedelta(days=1),
)


def at(seconds):
    """Seconds after 10:00."""
    return T0 + timedelta(seconds=seconds)


def camera(name, neighbours=(), area=(), title=""):
    """A camera with (id, seconds) neighbours."""
    return Camera(
        camera_id=name,
        name=title,
        image_width=1,
        image_height=1,
        coverage_local_m=area,
        neighbours=tuple(Neighbour(camera_id=c, walking_seconds=s) for c, s in neighbours),
    )


def site(*cameras):
    """A site of cameras."""
    return Site(cameras=cameras, origin=Origin(lon=0, lat=0))


def street(n=5, step_s=60):
    """Cameras c0 ... along a street, each a walk from the next; declared in one direction only."""
    return site(*(camera(f"c{i}", [(f"c{i + 1}", step_s)] if i + 1 < n else []) for i in range(n)))


@cache
def case(
    consent=(-30 * DAY, 12 * DAY),
    approval=(-30 * DAY, 12 * DAY),
    cameras=("*",),
    approved=("*",),
    limits=200,
):
    """An authorised case with spans in seconds after 10:00."""
    now = T0 + timedelta(days=1)

    def sign(key, role, span, names):
        draft = GrantDraft(
            role=role,
            case_id="K-2026-0042",
            subject="S",
            scopes=("face",),
            cameras=names,
            from_utc=at(span[0]),
            to_utc=at(span[1]),
            legal_basis="law",
            expires_utc=at(5 * DAY),
            binding=bind_request(REQUEST, PICTURES),
            limits=Limits(cameras=limits) if role == "approval" else None,
        )
        return sign_grant(key, draft, now)

    return authorise(
        REQUEST,
        sign(DOCTOR, "consent", consent, cameras),
        sign(OFFICER, "approval", approval, approved),
        KEYS,
        now,
        standing=usable,
    )


def seen(camera_id, start, end, slack=0.0, probability=1.0):
    """A sighting in seconds after 10:00."""
    return Anchor(
        anchor_id=f"seen-{camera_id}-{start}",
        kind="sighting",
        camera_ids=(camera_id,),
        from_utc=at(start),
        to_utc=at(end),
        slack_s=slack,
        label=f"seen on {camera_id}",
        probability=probability,
    )


def claimed(cameras, start, end, slack=0.0):
    """A claim in seconds after 10:00."""
    return Anchor(
        anchor_id=f"visit-{start}",
        kind="claimed",
        camera_ids=cameras,
        from_utc=at(start),
        to_utc=at(end),
        slack_s=slack,
        label='said to be at "x"',
    )


def spans(windows, camera_id):
    """A camera's windows as (start, end) in seconds after 10:00."""
    return [
        ((w.start_utc - T0).total_seconds(), (w.end_utc - T0).total_seconds())
        for w in windows.itertuples()
        if w.camera_id == camera_id
    ]


# Walking times


def test_shortest_path_both_ways():
    """60 s a step, the short way round, in either direction; an unknown camera is an error."""
    ring = site(
        camera("a", [("b", 60), ("d", 10)]),
        camera("b", [("c", 60)]),
        camera("c"),
        camera("d", [("c", 20)]),
    )
    assert walking_seconds(ring, "a", "c") == walking_seconds(ring, "c", "a") == 30
    assert walking_seconds(ring, "a", "a") == 0
    with pytest.raises(BadInput, match="ghost"):
        walking_seconds(ring, "a", "ghost")


def test_two_parts_are_unreachable():
    """No way between two parts of a site: infinite."""
    parts = site(camera("a", [("b", 1)]), camera("b"), camera("c", [("d", 1)]), camera("d"))
    assert walking_seconds(parts, "a", "d") == float("inf")


def box(x, size=10.0):
    """A square coverage at x metres east."""
    return ((x, 0.0), (x + size, 0.0), (x + size, size), (x, size))


def test_overlap_touch_and_straight_line():
    """Overlapping views are 0 s apart even undeclared; touching ones as declared; never faster than
    2.5 m/s straight. By hand: from x = 10 m to x = 60 m are 50 m, 20 s, though 5 s are declared.
    """
    cameras = site(
        camera("a", [("far", 5)], box(0)), camera("b", [("wall", 9)], box(8)),
        camera("wall", (), box(18)),
        camera("far", (), box(60)),
    )  # fmt: skip
    assert walking_seconds(cameras, "a", "b") == 0
    assert walking_seconds(cameras, "b", "wall") == 9
    assert walking_seconds(cameras, "a", "far") == 20


def test_a_camera_of_unknown_way_is_not_left_out():
    """No neighbour declared either way: reachable in a straight line (25 m in 10 s), or at once
    where its place is unknown.
    """
    cameras = site(
        camera("a", [("b", 60)], box(0)),
        camera("b"),
        camera("alone", (), box(35)),
        camera("nowhere"),
    )
    assert walking_seconds(cameras, "a", "alone") == walking_seconds(cameras, "alone", "a") == 10
    assert walking_seconds(cameras, "a", "nowhere") == 0


# Anchors


def request(*visits):
    """The request with these visits."""
    return REQUEST.model_copy(update={"itinerary": visits})


def visit(place, cameras=()):
    """An hour at a place."""
    return Visit(place=place, from_utc=at(0), to_utc=at(3600), tolerance_s=60, cameras=cameras)


NAMED = site(
    camera("lobby-a", title="Lobby, south-west corner"),
    camera("lobby-b", title="Lobby, north-east corner"),
    camera("p1", title="Platform 1"),
    camera("p3", title="Platform 3"),
    camera("hall", title="로비"),
)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("lobby of the city service centre", ("lobby-a", "lobby-b")),
        ("In the LOBBIES, lobby-b", ("lobby-a", "lobby-b")),
        ("platform 3", ("p3",)),
        ("platform 7", ("p1", "p3")),
        ("로비에서", ("hall",)),
    ],
)
def test_place_by_words(place, expected):
    """Words of the place find cameras by name or id; numbers narrow; stop words and case say
    nothing.
    """
    (anchor,), gaps = claimed_anchors(request(visit(place)), NAMED)
    assert anchor.camera_ids == expected
    assert len(gaps) == 0


def test_an_unknown_place_is_a_gap_and_no_search():
    """A place that no camera is named like is looked for nowhere, least of all everywhere; the gap
    says which known names are nearest.
    """
    anchors, gaps = claimed_anchors(request(visit("a swimming pool"), visit("loby")), NAMED)
    assert anchors == []
    assert list(gaps["kind"]) == ["not_covered"] * 2
    assert "swimming pool" in gaps["detail"][0]
    assert "nearest: " in gaps["detail"][0]
    assert "lobby-a" in gaps["detail"][1]
    assert plan(case(), NAMED, POLICY, anchors, 0).windows.empty


def test_no_more_cameras_than_the_approval_allows():
    """The first ones are kept over the rounds; each further camera is a gap, never looked at."""
    few = case(limits=3)
    anchors = [claimed((f"c{i}",), 60 * i, 60 * i + 30) for i in range(5)]
    first = plan(few, street(), POLICY, anchors[:2], 0)
    known = set(first.windows["camera_id"])
    assert len(known) == 3
    later = plan(few, street(), POLICY, anchors, 1, known)
    assert set(later.windows["camera_id"]) == known
    beyond = later.gaps[later.gaps["detail"].str.contains("3 cameras")]
    assert set(beyond["camera_id"]) == {f"c{i}" for i in range(5)} - known
    found = pd.DataFrame(
        {"camera_id": ["c4"], "start_utc": [pd.Timestamp(at(0))], "end_utc": [pd.Timestamp(at(9))]}
    )
    assert follow_windows(few, street(), POLICY, found, 15.0, 0, first.windows).empty


def test_words_on_every_camera_say_nothing():
    """The site's own name on all cameras does not make every place all cameras."""
    cameras = site(camera("a", title="Town hall door"), camera("b", title="Town hall desk"))
    (anchor,), _ = claimed_anchors(request(visit("desk in the town hall")), cameras)
    assert anchor.camera_ids == ("b",)


def test_named_cameras_come_first():
    """Cameras in the itinerary beat words; one that the site lacks is a gap, and words take over
    when none is left.
    """
    anchors, gaps = claimed_anchors(
        request(visit("lobby", ("p1", "ghost")), visit("lobby", ("ghost",))), NAMED
    )
    assert [a.camera_ids for a in anchors] == [("p1",), ("lobby-a", "lobby-b")]
    assert len(gaps) == 2
    assert all("ghost" in d for d in gaps["detail"])


def test_sighting_anchors_merge_per_camera():
    """Candidates of one camera within 10 s are one sighting; other cameras, later ones and weak
    ones are not in it.
    """
    rows = [("a", 0, 0.6), ("a", 9, 0.95), ("b", 5, 0.7), ("a", 30, 0.8), ("a", 12, 0.3)]
    table = CANDIDATES.shape(
        [
            {
                "camera_id": c,
                "t_utc": at(t),
                "x0": 0,
                "y0": 0,
                "x1": 1,
                "y1": 1,
                "face_px": 40,
                "subject_p": p,
            }
            for c, t, p in rows
        ]
    )
    found = [
        (a.camera_ids[0], a.from_utc, a.to_utc, a.probability) for a in sighting_anchors(table)
    ]
    assert found == [
        ("a", at(0), at(9), 0.95),
        ("b", at(5), at(5), 0.7),
        ("a", at(30), at(30), 0.8),
    ]
    assert sighting_anchors(CANDIDATES.empty()) == []


def test_sighting_anchors_from_stretches():
    """Stretches join where they overlap or follow within 10 s, even behind a longer one; without a
    probability they are just proposed; none at all gives none.
    """
    spans_s = [("a", 0, 60), ("a", 5, 8), ("a", 65, 70), ("a", 81, 82)]
    table = pd.concat([stretch(*row) for row in spans_s], ignore_index=True)
    found = [(a.from_utc, a.to_utc, a.probability) for a in sighting_anchors(table)]
    assert found == [(at(0), at(70), 0.5), (at(81), at(82), 0.5)]
    sure = [
        a.probability for a in sighting_anchors(table.assign(probability=[0.4, 0.95, 0.6, 0.2]))
    ]
    assert sure == [0.95, 0.6]
    assert sighting_anchors(pd.DataFrame({"camera_id": [], "start_utc": [], "end_utc": []})) == []
    assert len(follow_windows(case(), street(), POLICY, table.iloc[:0], 10)) == 0


def test_infectious_window():
    """Onset: 2 days before to 10 after. No symptoms: from a day before the sample, without end."""
    assert infectious_window(REQUEST, POLICY) == Interval(at(-2 * DAY), at(10 * DAY))
    quiet = REQUEST.model_copy(update={"onset_utc": None, "sample_utc": at(0)})
    window = infectious_window(quiet, POLICY)
    assert window.start_utc == at(-DAY)
    assert window.end_utc > at(3650 * DAY)


# The prism


def test_one_sighting():
    """Street of 60 s steps, seen on c0 for 10 s, horizon 300 s, 2 hops: own camera all the time, c1
    from 60 s before and after on, c2 from 120 s, c3 not.
    """
    windows = plan(case(), street(), POLICY, [seen("c0", 0, 10)], 1).windows
    assert spans(windows, "c0") == [(-300, 310)]
    assert spans(windows, "c1") == [(-300, -60), (70, 310)]
    assert spans(windows, "c2") == [(-300, -120), (130, 310)]
    assert spans(windows, "c3") == []
    assert set(windows["round"]) == {1}


def test_a_camera_without_neighbours_is_planned():
    """A camera whose way is unknown is looked at from the straight walk on (25 m in 10 s), around
    claims as well.
    """
    cameras = site(camera("a", [("b", 60)], box(0)), camera("b"), camera("alone", (), box(35)))
    windows = plan(case(), cameras, POLICY, [seen("a", 0, 10)], 1).windows
    assert spans(windows, "alone") == [(-300, -10), (20, 310)]
    assert spans(plan(case(), cameras, POLICY, [claimed(("a",), 0, 100)], 0).windows, "alone") == [
        (-10, 0),
        (100, 110),
    ]


def lonely_street(n, step_m=15.0):
    """Cameras in a row of which nobody declared ways."""
    return site(*(camera(f"c{i:02d}", (), box(step_m * i)) for i in range(n)))


def test_cameras_of_unknown_way_are_looked_at_within_a_radius():
    """12 cameras 15 m apart (10 m wide, so 5 m between them), radius 30 m: c01 to c03 beside c00
    (5, 20 and 35 m: not c03); the others within the horizon are one gap that says what to do.
    """
    search = SEARCH.model_copy(update={"unknown_way_m": 30.0})
    policy = POLICY.model_copy(update={"search": search})
    planned = plan(case(), lonely_street(12), policy, [seen("c00", 0, 10)], 1)
    assert set(planned.windows["camera_id"]) == {"c00", "c01", "c02"}
    (gap,) = planned.gaps.to_dict("records")
    assert gap["kind"] == "not_covered"
    assert "c03, c04, c05 and 6 more" in gap["detail"]
    assert "neighbours" in gap["advice"]
    assert (gap["start_utc"], gap["end_utc"]) == (at(0), at(10))


def test_hours_of_cameras_of_unknown_way_are_bounded():
    """Each camera beside a sighting of 10 s is looked at for about ten minutes: in half an hour
    there is room for the nearest two, and the rest is told. In following, of 40 s, all but those of
    unknown place are near enough; a bound of 100 s leaves the nearest two.
    """
    search = SEARCH.model_copy(update={"unknown_way_hours": 0.5})
    policy = POLICY.model_copy(update={"search": search})
    nowhere = site(*(camera(f"c{i:02d}") for i in range(12)))
    planned = plan(case(), nowhere, policy, [seen("c05", 0, 10)], 1)
    assert len(set(planned.windows["camera_id"])) == 3
    assert "and 6 more" in planned.gaps["detail"][0]
    search = SEARCH.model_copy(update={"unknown_way_hours": 100 / 3600})
    policy = POLICY.model_copy(update={"search": search})
    followed = follow_windows(case(), nowhere, policy, stretch("c05", 0, 10), 15.0)
    assert len(set(followed["camera_id"])) == 3


def test_a_place_that_too_many_cameras_are_named_like_is_a_gap():
    """A word of 60 cameras is no place; beside a word of one camera it says nothing."""
    streets = [camera(f"s{i}", title="Market street") for i in range(60)]
    city = site(*streets, camera("door", title="Library street door"))
    anchors, gaps = claimed_anchors(request(visit("street"), visit("library street")), city)
    assert [a.camera_ids for a in anchors] == [("door",)]
    assert "61 cameras are named like" in gaps["detail"][0]


def test_two_sightings_bound_each_other():
    """Seen on c0 until 0 s and on c2 from 200 s: between them c1 can only be passed from 60 s to
    140 s.
    """
    windows = plan(case(), street(3), POLICY, [seen("c0", -10, 0), seen("c2", 200, 210)], 1).windows
    between = [s for s in spans(windows, "c1") if 0 <= s[0] < 200]
    assert between == [(60, 140)]
    # c0 itself may be seen again until 80 s: 120 s of walking to c2 remain.
    assert [s for s in spans(windows, "c0") if s[0] < 200] == [(-310, 80)]


def test_slack_loosens_the_walk():
    """5 s of slack make the walk 5 s shorter on either side."""
    windows = plan(case(), street(2), POLICY, [seen("c0", 0, 10, slack=5)], 1).windows
    assert spans(windows, "c1") == [(-300, -55), (65, 310)]


def test_a_doubtful_sighting_rules_nothing_out():
    """A sighting below the policy's high probability proposes windows but does not bound those of
    others.
    """
    sure = seen("c0", -10, 0)
    doubtful = seen("c2", 200, 210, probability=0.6)
    alone = plan(case(), street(3), POLICY, [sure], 1).windows
    both = plan(case(), street(3), POLICY, [sure, doubtful], 1).windows
    assert len(new_windows(both, alone)) == 0


def test_contradicting_sightings_keep_both_prisms():
    """Two sure sightings that one person cannot be both (c0 and c4 within 10 s): neither erases the
    other's windows.
    """
    a = seen("c0", 0, 10)
    b = seen("c4", 20, 30)
    both = plan(case(), street(), POLICY, [a, b], 1).windows
    for one in (a, b):
        assert len(new_windows(both, plan(case(), street(), POLICY, [one], 1).windows)) == 0


def test_claim_reaches_the_next_cameras_when_coming_and_going():
    """Claimed c2 from 0 to 1000 s, 100 s tolerance, 60 s to the next camera: it is looked at around
    both ends.
    """
    windows = plan(case(), street(), POLICY, [claimed(("c2",), 0, 1000, 100)], 0).windows
    assert spans(windows, "c2") == [(-100, 1100)]
    assert spans(windows, "c1") == spans(windows, "c3") == [(-160, 100), (900, 1160)]
    assert spans(windows, "c0") == []


def test_overlapping_view_is_looked_at_all_the_time():
    """A view that overlaps the claimed camera's sees the same floor."""
    cameras = site(camera("a", (), box(0)), camera("b", (), box(5)))
    assert spans(
        plan(case(), cameras, POLICY, [claimed(("a",), 0, 1000, 100)], 0).windows, "b"
    ) == [(-100, 1100)]


def test_a_claim_that_sightings_rule_out_keeps_its_own_windows():
    """Claimed c4 at a time when a sure sighting is on c0: c4 is still looked at, but nothing around
    it.
    """
    windows = plan(
        case(), street(), POLICY, [claimed(("c4",), 0, 10), seen("c0", 0, 10)], 1
    ).windows
    assert spans(windows, "c4") == [(0, 10)]
    assert spans(windows, "c3") == []


def test_overlapping_windows_are_one_with_each_reason_once():
    """Two claims of one camera merge; reasons and anchors are joined without repeats."""
    windows = plan(
        case(), site(camera("a")), POLICY, [claimed(("a",), 0, 100), claimed(("a",), 50, 200)], 0
    ).windows
    assert spans(windows, "a") == [(0, 200)]
    assert windows["reason"][0] == 'said to be at "x"'
    assert windows["anchor"][0] == "visit-0, visit-50"


# What is allowed


def test_clipped_to_consent_and_approval():
    """Consent until 150 s, approval from 50 s: what is cut off is told with its time."""
    allowed = case(consent=(-DAY, 150), approval=(50, DAY))
    result = plan(allowed, site(camera("a")), POLICY, [claimed(("a",), 0, 200)], 0)
    assert spans(result.windows, "a") == [(50, 150)]
    assert list(result.gaps["kind"]) == ["not_authorised", "not_authorised"]
    assert spans(result.gaps, "a") == [(0, 50), (150, 200)]


def test_clipped_to_the_infectious_window():
    """Two days before onset the window opens; what lies before is told as not infectious."""
    result = plan(
        case(), site(camera("a")), POLICY, [claimed(("a",), -2 * DAY - 100, -2 * DAY + 100)], 0
    )
    assert spans(result.windows, "a") == [(-2 * DAY, -2 * DAY + 100)]
    assert list(result.gaps["kind"]) == ["not_infectious"]
    assert spans(result.gaps, "a") == [(-2 * DAY - 100, -2 * DAY)]


def test_cameras_that_are_not_named():
    """A camera that only one of both names is a gap, not a window; one that the site lacks is not
    covered.
    """
    allowed = case(cameras=("c0", "c1"), approved=("c0", "c2"))
    result = plan(allowed, street(3), POLICY, [claimed(("c0", "c1", "ghost"), 0, 100)], 0)
    assert set(result.windows["camera_id"]) == {"c0"}
    kinds = dict(zip(result.gaps["camera_id"], result.gaps["kind"], strict=True))
    assert kinds == {"c1": "not_authorised", "c2": "not_authorised", "ghost": "not_covered"}


def test_only_an_authorised_case():
    """Planning and following take nothing but what authorise made."""
    with pytest.raises(NotAuthorised):
        plan(REQUEST, street(), POLICY, [], 0)
    with pytest.raises(NotAuthorised):
        follow_windows(REQUEST, street(), POLICY, WINDOWS.empty(), 10)


def test_nothing_from_nothing():
    """No anchors: empty tables of the contracts."""
    result = plan(case(), street(), POLICY, [], 0)
    assert list(result.windows.columns) == WINDOWS.names
    assert list(result.gaps.columns) == GAPS.names
    assert len(result.windows) == len(result.gaps) == 0


# Following


def stretch(camera_id, start, end):
    """One row of what was seen."""
    return pd.DataFrame({"camera_id": [camera_id], "start_utc": [at(start)], "end_utc": [at(end)]})


def test_follow():
    """30 s around what was seen, on the camera and on one 20 s away, not on one 40 s away."""
    cameras = site(camera("a", [("b", 20)]), camera("b", [("c", 20)]), camera("c"))
    windows = follow_windows(case(), cameras, POLICY, stretch("a", 0, 10), 30)
    assert spans(windows, "a") == spans(windows, "b") == [(-30, 40)]
    assert spans(windows, "c") == []


def test_follow_who_wears_the_clothes():
    """Whoever wears the subject's clothes is followed where they are and where views overlap, not a
    walk away; the windows say so, and where the subject was seen they say that too.
    """
    cameras = site(camera("a", [("b", 0), ("c", 20)]), camera("b"), camera("c"))
    nobody = stretch("a", 0, 10).iloc[:0]
    windows = follow_windows(
        case(), cameras, POLICY, nobody, 30, alike=stretch("a", 100, 110)
    ).set_index("camera_id")
    assert windows["reason"].to_dict() == {
        "a": "somebody in the subject's clothes seen on a",
        "b": "in reach of a, where somebody in the subject's clothes was seen",
    }
    both = follow_windows(
        case(), cameras, POLICY, stretch("a", 90, 95), 30, alike=stretch("a", 100, 110)
    ).set_index("camera_id")
    assert both.loc["a", "reason"] == "seen on a; somebody in the subject's clothes seen on a"
    assert both.loc["c", "reason"] == "in reach of a, where the subject was seen"


def test_follow_is_clipped():
    """Following ends where the consent does."""
    windows = follow_windows(
        case(consent=(-DAY, 20)), site(camera("a")), POLICY, stretch("a", 0, 10), 30
    )
    assert spans(windows, "a") == [(-30, 20)]


def test_follow_until_nothing_new():
    """Seen wherever and whenever looked, in a consent of 1000 s: the loop ends with every camera's
    whole time known.
    """
    allowed = case(consent=(0, 1000))
    cameras = street(4, step_s=10)
    known = WINDOWS.empty()
    new = follow_windows(allowed, cameras, POLICY, stretch("c0", 0, 10), 30)
    rounds = 0
    while len(new):
        known = pd.concat([known, new], ignore_index=True)
        new = new_windows(known, follow_windows(allowed, cameras, POLICY, known, 30))
        rounds += 1
        assert rounds < 50
    for name in cameras.by_id:
        covered = [Interval(at(s), at(e)) for s, e in spans(known, name)]
        assert subtract(Interval(at(0), at(1000)), covered) == []
    assert known["window_id"].is_unique


@pytest.mark.parametrize("files_s", [1, 10, 30])
def test_a_stay_of_hours_takes_few_rounds(files_s):
    """Somebody in view for ten hours, of whom a round shows what its windows cover in whole files:
    followed from end to end in fewer than 20 rounds, and looked at for no more than three times as
    long.
    """
    allowed = case(consent=(0, DAY))
    only = site(camera("a"))
    stay = Interval(at(3000), at(39_000))
    known = WINDOWS.empty()
    seen = stretch("a", 20_000, 20_000)
    for rounds in range(20):
        fresh = new_windows(known, follow_windows(allowed, only, POLICY, seen, 15.0, rounds, known))
        if fresh.empty:
            break
        known = pd.concat([known, fresh], ignore_index=True)
        files = [
            Interval(at(s // files_s * files_s), at(-(-e // files_s) * files_s))
            for s, e in spans(known, "a")
        ]
        shown = [part for file in files if (part := file.intersect(stay))]
        seen = pd.DataFrame(shown).assign(camera_id="a")
    assert rounds < 15
    followed = merge([Interval(at(s), at(e)) for s, e in spans(known, "a")])
    assert subtract(stay, followed) == []
    assert sum(part.seconds for part in followed) < 3 * stay.seconds


def test_new_windows():
    """What is known is cut out; ids of the parts are their own."""
    old = plan(case(), site(camera("a")), POLICY, [claimed(("a",), 40, 60)], 0).windows
    new = plan(case(), site(camera("a")), POLICY, [claimed(("a",), 0, 100)], 1).windows
    parts = new_windows(old, new)
    assert spans(parts, "a") == [(0, 40), (60, 100)]
    assert parts["window_id"].is_unique
    assert len(new_windows(new, old)) == 0


# Whatever the anchors

SQUARE = site(
    *(
        camera(f"{x}{y}", [(f"{x + 1}{y}", 70), (f"{x}{y + 1}", 50)])
        for x in range(4)
        for y in range(4)
    )
)
NAMES = sorted(SQUARE.by_id)
LIMITED = case(
    consent=(-1000, 2000),
    approval=(-2000, 1500),
    cameras=tuple(NAMES[:12]),
    approved=tuple(NAMES[2:]),
)
ONSET_LATE = POLICY.model_copy(
    update={"infectious_symptomatic": InfectiousWindow(from_days=-500 / DAY, to_days=1200 / DAY)}
)
ANCHORS = st.lists(
    st.builds(
        lambda kind, name, start, length, slack, p: (
            seen(name, start, start + length, slack, p)
            if kind
            else claimed((name,), start, start + length, slack)
        ),
        st.booleans(),
        st.sampled_from(NAMES),
        st.integers(-3000, 3000),
        st.integers(1, 400),
        st.sampled_from([0.0, 5.0, 60.0]),
        st.sampled_from([0.6, 0.95]),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(anchors=ANCHORS)
def test_never_outside_what_is_allowed(anchors):
    """No window outside consent, approval, the infectious window or the named cameras; none on one
    camera twice at a time; and what is cut away plus what is kept is what an unlimited case gets.
    """
    result = plan(LIMITED, SQUARE, ONSET_LATE, anchors, 1)
    for window in result.windows.itertuples():
        assert window.camera_id in NAMES[2:12]
        assert at(-500) <= window.start_utc < window.end_utc <= at(1200)
    for name in NAMES:
        mine = sorted(spans(result.windows, name))
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(mine))
    free = plan(case(), SQUARE, POLICY, anchors, 1).windows
    total = lambda t: (t["end_utc"] - t["start_utc"]).sum()  # noqa: E731 used twice, here only
    assert total(result.windows) + total(result.gaps) == total(free)


@settings(max_examples=60, deadline=None)
@given(anchors=ANCHORS, added=ANCHORS.filter(lambda a: len(a) > 0))
def test_an_anchor_adds_only_what_is_reachable_from_it(anchors, added):
    """Every second that a further anchor adds lies within its walking time and the horizon."""
    extra = added[0]
    before = plan(case(), SQUARE, POLICY, anchors, 1).windows
    after = plan(case(), SQUARE, POLICY, [*anchors, extra], 1).windows
    slack = timedelta(seconds=extra.slack_s)
    horizon = timedelta(seconds=SEARCH.horizon_s)
    for window in new_windows(before, after).itertuples():
        walk_s = walking_seconds(SQUARE, extra.camera_ids[0], window.camera_id)
        assert walk_s <= SEARCH.horizon_s
        walk = timedelta(seconds=walk_s)
        wide = slack + walk if extra.kind == "claimed" else max(slack, horizon)
        assert extra.from_utc - wide <= window.start_utc
        assert window.end_utc <= extra.to_utc + wide
        if extra.kind == "sighting" and walk > slack:
            sooner = extra.from_utc - walk + slack
            later = extra.to_utc + walk - slack
            assert window.end_utc <= sooner or window.start_utc >= later


@settings(max_examples=30, deadline=None)
@given(anchors=ANCHORS)
def test_planning_is_idempotent(anchors):
    """The same anchors, in any order and twice, give the same windows by the same names, and
    nothing new.
    """
    once = plan(case(), SQUARE, POLICY, anchors, 1)
    again = plan(case(), SQUARE, POLICY, [*reversed(anchors), *anchors], 1)
    pd.testing.assert_frame_equal(once.windows, again.windows)
    assert len(new_windows(once.windows, again.windows)) == 0
    assert once.windows["window_id"].is_unique


@settings(max_examples=20, deadline=None)
@given(start=ANCHORS)
def test_rounds_end(start):
    """Even if the subject is seen in the middle of every new window, planning comes to an end
    within its consent.
    """
    allowed = case(consent=(0, 600))
    anchors = list(start)
    known = WINDOWS.empty()
    for round_no in range(60):
        new = new_windows(known, plan(allowed, SQUARE, POLICY, anchors, round_no).windows)
        if not len(new):
            return
        known = pd.concat([known, new], ignore_index=True)
        for w in new.itertuples():
            middle = ((w.start_utc + (w.end_utc - w.start_utc) / 2) - T0).total_seconds()
            anchors.append(seen(w.camera_id, middle, middle + 1))
    pytest.fail("planning did not come to an end")


def test_a_city_is_planned_quickly():
    """10 000 cameras in a grid, ten sightings and five claims: a few hundred windows in well under
    two seconds (0.4 s measured on one core of a 2-core machine).
    """
    n = 100

    def corner(x, y):
        area = tuple((60.0 * x + a, 60.0 * y + b) for a, b in box(0))
        return camera(f"{x}-{y}", [(f"{x + 1}-{y}", 45), (f"{x}-{y + 1}", 45)], area)

    city = site(*(corner(x, y) for x in range(n) for y in range(n)))
    anchors = [seen(f"{10 + i}-50", 60 * i, 60 * i + 20) for i in range(10)]
    anchors += [claimed((f"{20 * i}-{20 * i}",), 3600 * i, 3600 * i + 600, 300) for i in range(5)]
    started = time.process_time()
    windows = plan(
        case(), city, POLICY.model_copy(update={"search": SearchSettings()}), anchors, 1
    ).windows
    assert time.process_time() - started < 2
    assert 50 < windows["camera_id"].nunique() < 200
