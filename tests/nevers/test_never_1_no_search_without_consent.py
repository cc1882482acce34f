"""Never 1: no search without a consent and an approval signed by two people. Each test tries to get
around it.
"""

import copy
import inspect
import pickle
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from grants import BINDING, PICTURES, usable

from data_contracts.authorisation import AuthorisedCase, Grant, Limits, TrustedKeys
from data_contracts.camera import Camera, Origin, Site
from data_contracts.case import CaseRequest, Visit
from data_contracts.errors import NotAuthorised
from data_contracts.policy import InfectiousWindow, Policy, Tier
from data_contracts.tables.contracts import WINDOWS
from data_contracts.time import Interval
from tasks.consent.authorise import authorise, require
from tasks.consent.binding import bind_request
from tasks.consent.evidence import sign_as_subject
from tasks.consent.grant_token import GrantDraft, generate_key, sign_grant
from tasks.search import plan as planning

NOW = datetime(2026, 11, 17, tzinfo=UTC)
START = NOW - timedelta(days=3)
END = NOW
REQUEST = CaseRequest(
    case_id="K-1-A",
    subject="S",
    onset_utc=START,
    itinerary=(Visit(place="hall", from_utc=START, to_utc=END),),
    policy="p",
    reference_images=("a.jpg",),
    filed_utc=NOW,
)
SITE = Site(
    cameras=tuple(
        Camera(camera_id=c, name="hall", image_width=1, image_height=1) for c in ("a", "b")
    ),
    origin=Origin(lon=0, lat=0),
)
POLICY = Policy(
    name="p",
    version="1",
    title="",
    citation="",
    tiers=(Tier(name="t", max_distance_m=1, min_duration_s=1),),
    accumulate_over_s=0,
    infectious_symptomatic=InfectiousWindow(from_days=-9, to_days=9),
    infectious_asymptomatic=InfectiousWindow(from_days=-9, to_days=9),
    mask_rule="ignore",
)
DOCTOR, DOCTOR_KEY = generate_key("Doctor", ("consent",))
OFFICER, OFFICER_KEY = generate_key("Officer", ("approval",))
KEYS = TrustedKeys(keys=(DOCTOR_KEY, OFFICER_KEY))


def sign(key, role, **changes):
    """A good grant of everything, with changes."""
    given = {
        "scopes": ("face", "appearance"),
        "cameras": ("*",),
        "from_utc": START,
        "to_utc": END,
        "binding": bind_request(REQUEST, PICTURES),
    } | changes
    draft = GrantDraft(
        role=role,
        case_id="K-1-A",
        subject="S",
        **given,
        legal_basis="law",
        expires_utc=NOW + timedelta(days=1),
    )
    return sign_grant(key, draft, NOW)


def granted(**changes):
    """A case whose consent (not its approval) is changed."""
    return authorise(
        REQUEST,
        sign(DOCTOR, "consent", **changes),
        sign(OFFICER, "approval"),
        KEYS,
        NOW,
        standing=usable,
    )


def grant(role):
    """A grant that nobody signed, as code could make it."""
    return Grant(
        role=role,
        token_id="t",
        case_id="K-1-A",
        subject="S",
        scopes=("face",),
        cameras=("*",),
        from_utc=START,
        to_utc=END,
        legal_basis="none",
        binding=BINDING,
        limits=Limits() if role == "approval" else None,
        issued_utc=NOW,
        not_before_utc=NOW,
        expires_utc=NOW + timedelta(days=1),
        signer=role,
        key_id=role,
    )


@pytest.mark.parametrize("witness", [None, True, object(), object, authorise])
def test_a_case_cannot_be_made_by_hand(witness):
    """The constructor wants what only authorise holds."""
    with pytest.raises(NotAuthorised):
        AuthorisedCase(witness, REQUEST, grant("consent"), grant("approval"))


def test_a_case_cannot_be_copied_changed_or_sent():
    """No copy, no pickle, no attribute is changed: each process checks the tokens itself."""
    case = granted()
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(NotAuthorised):
            attempt(case)
    for name in ("request", "consent", "scopes"):
        with pytest.raises(NotAuthorised):
            setattr(case, name, grant("consent"))


def test_a_hollow_case_searches_nothing():
    """Going around the constructor yields a shell without grants: every use fails, nothing is
    planned.
    """
    hollow = AuthorisedCase.__new__(AuthorisedCase)
    with pytest.raises(AttributeError):
        require(hollow, "face")
    with pytest.raises(AttributeError):
        planning.plan(hollow, SITE, POLICY, planning.claimed_anchors(REQUEST, SITE)[0], 0)


@pytest.mark.parametrize(
    ("consent", "approval"),
    [
        (None, None),
        (None, "good"),
        ("good", None),
        ("", "good"),
        ("approval", "consent"),
        ("good", "consent"),
        ("approval", "good"),
    ],
)
def test_one_signature_is_none(consent, approval):
    """Nothing but one consent and one approval in their places is taken."""
    tokens = {
        "consent": sign(DOCTOR, "consent"),
        "approval": sign(OFFICER, "approval"),
        None: None,
        "": "",
    }
    with pytest.raises(NotAuthorised):
        authorise(
            REQUEST,
            tokens["consent"] if consent == "good" else tokens[consent],
            tokens["approval"] if approval == "good" else tokens[approval],
            KEYS,
            NOW,
            standing=usable,
        )


def test_a_subject_s_signature_for_something_else_is_none():
    """A consent that brings the subject's own signature is refused where that was given for another
    case or other pictures; without one, or with one that fits, the case is searched.
    """
    subject, _ = generate_key("S", ("consent",))
    binding = bind_request(REQUEST, PICTURES)
    granted(binding=binding, evidence=sign_as_subject(subject, "K-1-A", binding))
    for case_id, agreed in (("K-1-B", binding), ("K-1-A", BINDING)):
        with pytest.raises(NotAuthorised, match="something else"):
            granted(binding=binding, evidence=sign_as_subject(subject, case_id, agreed))


def test_no_keys_no_search():
    """An empty list of trusted keys trusts nobody."""
    with pytest.raises(NotAuthorised):
        authorise(
            REQUEST,
            sign(DOCTOR, "consent"),
            sign(OFFICER, "approval"),
            TrustedKeys(keys=()),
            NOW,
            standing=usable,
        )


def test_withdrawal_stops():
    """A withdrawn case is refused although its tokens are good."""
    with pytest.raises(NotAuthorised, match="withdrawn"):
        authorise(
            REQUEST,
            sign(DOCTOR, "consent"),
            sign(OFFICER, "approval"),
            KEYS,
            NOW,
            standing=lambda grant: "withdrawn" if grant.role == "consent" else "usable",
        )


@pytest.mark.parametrize(
    "imitation",
    [
        REQUEST,
        None,
        {"scopes": {"face"}},
        SimpleNamespace(request=REQUEST, span=Interval(START, END), scopes={"face"}),
    ],
)
def test_planning_takes_nothing_else(imitation):
    """A request, a dictionary or a look-alike plans and follows nothing."""
    with pytest.raises(NotAuthorised):
        planning.plan(imitation, SITE, POLICY, [], 0)
    with pytest.raises(NotAuthorised):
        planning.follow_windows(imitation, SITE, POLICY, WINDOWS.empty(), 1.0)


def test_planning_asks_for_the_type():
    """What makes windows declares that it takes an AuthorisedCase first."""
    for function in (planning.plan, planning.follow_windows):
        first = next(iter(inspect.signature(function).parameters.values()))
        assert first.annotation in (AuthorisedCase, "AuthorisedCase")


def test_what_consent_does_not_name_is_not_searched():
    """Consent to camera a, by face, for the first day: no window elsewhere or later, no search by
    appearance, though the approval is wider; what is left out is told.
    """
    case = granted(cameras=("a",), scopes=("face",), to_utc=START + timedelta(days=1))
    anchors, _ = planning.claimed_anchors(REQUEST, SITE)
    result = planning.plan(case, SITE, POLICY, anchors, 0)
    assert set(result.windows["camera_id"]) == {"a"}
    assert result.windows["start_utc"].min() >= START
    assert result.windows["end_utc"].max() <= START + timedelta(days=1)
    assert set(result.gaps["kind"]) == {"not_authorised"}
    assert set(result.gaps["camera_id"]) == {"a", "b"}
    with pytest.raises(NotAuthorised):
        require(case, "appearance")
    with pytest.raises(NotAuthorised):
        require(case, "face", "b")
    with pytest.raises(NotAuthorised):
        require(case, "face", "a", Interval(START, END))


def test_no_more_cameras_than_the_approval_allows():
    """One camera is approved and two have the place's name: one is looked at, the other told."""
    few = sign(OFFICER, "approval", limits=Limits(cameras=1))
    case = authorise(REQUEST, sign(DOCTOR, "consent"), few, KEYS, NOW, standing=usable)
    result = planning.plan(case, SITE, POLICY, planning.claimed_anchors(REQUEST, SITE)[0], 0)
    assert set(result.windows["camera_id"]) == {"a"}
    assert "b" in set(result.gaps["camera_id"])


def test_one_person_cannot_sign_both():
    """One key with both roles, or two keys of one person, are refused: consent and approval take
    two people.
    """
    key, trusted = generate_key("Dr Kim", ("consent", "approval"))
    other, also = generate_key("dr  kim", ("approval",))
    given = {
        "case_id": REQUEST.case_id,
        "subject": REQUEST.subject,
        "scopes": ("face",),
        "cameras": ("*",),
        "from_utc": NOW - timedelta(days=2),
        "to_utc": NOW,
        "legal_basis": "test",
        "expires_utc": NOW + timedelta(days=1),
        "binding": bind_request(REQUEST, PICTURES),
    }
    keys = TrustedKeys(keys=(trusted, also))
    for second in (key, other):
        with pytest.raises(NotAuthorised, match="two people"):
            authorise(
                REQUEST,
                sign_grant(key, GrantDraft(role="consent", **given), NOW),
                sign_grant(second, GrantDraft(role="approval", **given), NOW),
                keys,
                NOW,
                standing=usable,
            )
