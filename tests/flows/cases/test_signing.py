"""Signing checks everything that filing would refuse."""

from datetime import UTC, datetime, timedelta

import pytest
from grants import BINDING

from data_contracts.authorisation import Limits, TrustedKeys
from data_contracts.camera import Camera, Origin, Site
from data_contracts.errors import BadInput
from flows.cases.signing import sign_draft
from tasks.consent.grant_token import GrantDraft, generate_key, verify

NOW = datetime(2026, 11, 17, tzinfo=UTC)
PRIVATE, PUBLIC = generate_key("Dr Kim", ("consent",))
TRUSTED = TrustedKeys(keys=(PUBLIC,))
SITE = Site(
    cameras=(Camera(camera_id="lobby", image_width=1, image_height=1),), origin=Origin(lon=0, lat=0)
)


def signed(private=PRIVATE, site=SITE, trusted=TRUSTED, **changes):
    """A token of a good draft, with changes."""
    given = {
        "role": "consent",
        "case_id": "K-2026-0042",
        "subject": "S",
        "scopes": ("face",),
        "cameras": ("lobby",),
        "from_utc": NOW - timedelta(days=2),
        "to_utc": NOW,
        "legal_basis": "law",
        "expires_utc": NOW + timedelta(days=14),
        "binding": BINDING,
        **changes,
    }
    return sign_draft(GrantDraft(**given), private, NOW, Limits(), site, trusted)


def test_a_good_draft_is_signed_and_verifies():
    """With and without a store to ask."""
    assert verify(signed(), "consent", TRUSTED, NOW).cameras == ("lobby",)
    assert verify(signed(site=None, trusted=None), "consent", TRUSTED, NOW)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cameras": ("lobby", "loby")}, "no camera loby"),
        ({"case_id": "k-2026-0042"}, "capital letters"),
        ({"case_id": "K/../X"}, "capital letters"),
        ({"role": "approval", "limits": Limits()}, "may sign consent only"),
        ({"private": generate_key("X", ("consent",))[0]}, "not among the trusted"),
        ({"expires_utc": NOW + timedelta(days=44)}, "at most 43 days"),
        ({"from_utc": NOW - timedelta(days=44)}, "at most 43 days"),
        ({"role": "approval", "limits": Limits(cameras=201)}, "cameras: more than"),
        (
            {"trusted": TrustedKeys(keys=(PUBLIC.model_copy(update={"revoked_utc": NOW}),))},
            "revoked",
        ),
    ],
)
def test_what_filing_refuses_is_not_signed(changes, says):
    """A camera that is not there, a case id that filing refuses, a key of another role, too many
    days: an error at once, with what is wrong.
    """
    with pytest.raises(BadInput, match=says):
        signed(**changes)
