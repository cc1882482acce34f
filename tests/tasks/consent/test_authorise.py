"""Authorise: what both tokens name is allowed, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
from grants import PICTURES, usable

from data_contracts.authorisation import TrustedKeys
from data_contracts.camera import Camera, Origin, Site
from data_contracts.case import CaseRequest, Visit
from data_contracts.errors import NotAuthorised
from data_contracts.time import Interval
from tasks.consent.authorise import authorise, require
from tasks.consent.binding import bind_request
from tasks.consent.grant_token import GrantDraft, generate_key, sign_grant

NOW = datetime(2026, 11, 17, 8, 0, tzinfo=UTC)
START = datetime(2026, 11, 14, tzinfo=UTC)
END = datetime(2026, 11, 17, tzinfo=UTC)
DOCTOR, DOCTOR_KEY = generate_key("Dr Kim", ("consent",))
OFFICER, OFFICER_KEY = generate_key("Officer Lee", ("approval",))
KEYS = TrustedKeys(keys=(DOCTOR_KEY, OFFICER_KEY))
REQUEST = CaseRequest(
    case_id="K-2026-0042",
    subject="S",
    onset_utc=datetime(2026, 11, 16, tzinfo=UTC),
    itinerary=(Visit(place="lobby", from_utc=START, to_utc=END),),
    policy="who",
    reference_images=("a.jpg",),
    filed_utc=NOW,
)


def sign(private, role, now=NOW, **changes):
    """A good grant, with changes."""
    given = {
        "case_id": REQUEST.case_id,
        "subject": "S",
        "scopes": ("face", "appearance"),
        "cameras": ("*",),
        "from_utc": START,
        "to_utc": END,
        "legal_basis": "GDPR Art. 9(2)(a)",
        "expires_utc": NOW + timedelta(days=7),
        "binding": bind_request(REQUEST, PICTURES),
        **changes,
    }
    return sign_grant(private, GrantDraft(role=role, **given), now)


def made(consent=None, approval=None, keys=KEYS, now=NOW, **options):
    """Authorise with changes to either grant."""
    return authorise(
        REQUEST,
        sign(DOCTOR, "consent", **(consent or {})),
        sign(OFFICER, "approval", **(approval or {})),
        keys,
        now,
        **{"standing": usable, **options},
    )


def test_allowed():
    """Two good tokens make a case that expires with the first of them."""
    case = made(approval={"expires_utc": NOW + timedelta(days=1)})
    assert case.case_id == "K-2026-0042"
    assert case.expires_utc == NOW + timedelta(days=1)
    require(case, "face", "any-camera", Interval(START, END))


def test_effective_is_the_intersection():
    """Scopes, cameras and time are those that both name."""
    case = made(
        consent={"scopes": ("face",), "cameras": ("a", "b"), "to_utc": END - timedelta(days=1)},
        approval={"cameras": ("b", "c"), "from_utc": START + timedelta(days=1)},
    )
    assert case.scopes == {"face"}
    assert [c for c in "abc" if case.allows_camera(c)] == ["b"]
    assert case.span == Interval(START + timedelta(days=1), END - timedelta(days=1))


@pytest.mark.parametrize(
    ("scope", "camera", "interval"),
    [
        ("appearance", None, None),
        (None, "a", None),
        (None, None, Interval(START - timedelta(seconds=1), END)),
        (None, None, Interval(START, END + timedelta(seconds=1))),
    ],
)
def test_require_refuses_more(scope, camera, interval):
    """Asking for a scope, a camera or a second more than granted raises."""
    case = made(consent={"scopes": ("face",), "cameras": ("b",)})
    with pytest.raises(NotAuthorised):
        require(case, scope, camera, interval)


def test_require_refuses_an_imitation():
    """Something that only looks like an authorised case is refused."""

    class Imitation:
        scopes = frozenset({"face"})
        span = Interval(START, END)

    with pytest.raises(NotAuthorised, match="AuthorisedCase"):
        require(Imitation(), "face")


@pytest.mark.parametrize(
    ("consent", "approval", "says"),
    [
        ({"scopes": ("face",)}, {"scopes": ("appearance",)}, "search"),
        ({"cameras": ("a",)}, {"cameras": ("b",)}, "camera"),
        ({"to_utc": START + timedelta(days=1)}, {"from_utc": START + timedelta(days=1)}, "time"),
        ({"case_id": "K-2026-0043"}, {}, "another case"),
        ({}, {"case_id": "K-2026-0043"}, "another case"),
        ({"subject": "T"}, {}, "another subject"),
        ({}, {"subject": "T"}, "another subject"),
    ],
)
def test_refused(consent, approval, says):
    """Nothing in common, another case or another subject: refused with the reason."""
    with pytest.raises(NotAuthorised, match=says):
        made(consent, approval)


def test_missing():
    """One signature is not two."""
    with pytest.raises(NotAuthorised, match="consent missing"):
        authorise(
            REQUEST,
            None,
            sign(OFFICER, "approval"),
            KEYS,
            NOW,
            standing=usable,
        )
    with pytest.raises(NotAuthorised, match="approval missing"):
        authorise(
            REQUEST,
            sign(DOCTOR, "consent"),
            None,
            KEYS,
            NOW,
            standing=usable,
        )


def test_swapped():
    """A consent in the approval's place is refused even where the key may sign both."""
    with pytest.raises(NotAuthorised):
        authorise(
            REQUEST,
            sign(OFFICER, "approval"),
            sign(DOCTOR, "consent"),
            KEYS,
            NOW,
            standing=usable,
        )


def test_withdrawn():
    """A withdrawal beats valid tokens."""
    with pytest.raises(NotAuthorised, match="withdrawn"):
        made(standing=lambda grant: "withdrawn" if grant.role == "consent" else "usable")


def test_expired_approval():
    """Either token's expiry ends it."""
    with pytest.raises(NotAuthorised, match="approval refused: expired"):
        made(approval={"expires_utc": NOW + timedelta(hours=1)}, now=NOW + timedelta(hours=1))


def test_same_key():
    """One key that may sign both still cannot authorise alone."""
    private, public = generate_key("Dr Kim", ("consent", "approval"))
    with pytest.raises(NotAuthorised, match="same key"):
        authorise(
            REQUEST,
            sign(private, "consent"),
            sign(private, "approval"),
            TrustedKeys(keys=(public,)),
            NOW,
            standing=usable,
        )


@pytest.mark.parametrize(
    "name",
    [
        "Dr Kim",
        "dr  KIM ",
        "DR KIM",
        "Dr. Kim",
        "Dr\u200bKim",  # zero width space
        "Dr Kim\u3164",  # Hangul filler, a letter for which nothing is drawn
        "Dr \u041aim",  # Cyrillic Ka
        "Dr \u039a\u0456m",  # Greek Kappa, Cyrillic i
        "\uff24\uff52 Kim",  # full width
        "Dr K\u0131m",  # dotless i
        "Dr Kl\u0301m",
    ],
)
def test_same_person_with_two_keys(name):
    """Two keys of one person are one person, however the name is written."""
    private, public = generate_key(name, ("approval",))
    with pytest.raises(NotAuthorised, match="same person"):
        authorise(
            REQUEST,
            sign(DOCTOR, "consent"),
            sign(private, "approval"),
            TrustedKeys(keys=(DOCTOR_KEY, public)),
            NOW,
            standing=usable,
        )


def camera(name, at=None, coverage=()):
    """A camera by position or coverage."""
    return Camera(
        camera_id=name,
        image_width=1,
        image_height=1,
        position_local_m=at,
        coverage_local_m=coverage,
    )


def test_area_becomes_the_cameras_that_stand_in_it():
    """By position, else by the middle of what is seen; a camera of unknown place is outside. By
    hand: 100 m squares.
    """
    origin = Origin(lon=126.766, lat=37.5035)
    corners = ((0, 0), (100, 0), (100, 100), (0, 100))
    ring = tuple(origin.to_wgs84(x, y) for x, y in corners)
    square = ((40.0, 40.0), (60.0, 40.0), (60.0, 60.0), (40.0, 60.0))
    site = Site(
        origin=origin,
        cameras=(
            camera("in", (50.0, 50.0, 3.0)),
            camera("out", (150.0, 50.0, 3.0)),
            camera("sees-in", None, square),
            camera("stands-out", (101.0, 50.0, 3.0), square),
            camera("unknown"),
        ),
    )
    case = made(consent={"cameras": (), "area": ring}, site=site)
    assert [c.camera_id for c in site.cameras if case.allows_camera(c.camera_id)] == [
        "in",
        "sees-in",
    ]
    with pytest.raises(NotAuthorised, match="site"):
        made(consent={"cameras": (), "area": ring})
    far = tuple((lon + 1, lat) for lon, lat in ring)
    with pytest.raises(NotAuthorised, match="no camera stands"):
        made(consent={"cameras": (), "area": far}, site=site)
