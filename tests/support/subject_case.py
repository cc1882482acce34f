"""An authorised case made the regular way, for tests of what needs one."""

import hashlib
from datetime import UTC, datetime, timedelta

from grants import PICTURES, usable

from data_contracts.authorisation import TrustedKeys
from data_contracts.case import CaseRequest, Visit
from tasks.consent.authorise import authorise
from tasks.consent.binding import bind_request
from tasks.consent.grant_token import GrantDraft, generate_key, sign_grant

NOW = datetime(2026, 11, 17, 8, 0, tzinfo=UTC)
START = datetime(2026, 11, 14, tzinfo=UTC)
END = datetime(2026, 11, 18, tzinfo=UTC)
_DOCTOR, _DOCTOR_KEY = generate_key("Dr Kim", ("consent",))
_OFFICER, _OFFICER_KEY = generate_key("Officer Lee", ("approval",))
_KEYS = TrustedKeys(keys=(_DOCTOR_KEY, _OFFICER_KEY))


def subject_case(case_id="K-2026-0042", **changes):
    """A case whose consent and approval both say `changes` on top of: face, every camera, four
    days.
    """
    request = CaseRequest(
        case_id=case_id,
        subject="S",
        onset_utc=datetime(2026, 11, 16, tzinfo=UTC),
        itinerary=(Visit(place="lobby", from_utc=START, to_utc=END),),
        policy="who",
        reference_images=("frontal.jpg",),
        filed_utc=NOW,
    )
    given = {
        "case_id": case_id,
        "subject": "S",
        "scopes": ("face",),
        "cameras": ("*",),
        "from_utc": START,
        "to_utc": END,
        "legal_basis": "GDPR Art. 9(2)(a)",
        "expires_utc": NOW + timedelta(days=7),
        "binding": bind_request(request, PICTURES),
        **changes,
    }
    return authorise(
        request,
        sign_grant(_DOCTOR, GrantDraft(role="consent", **given), NOW),
        sign_grant(_OFFICER, GrantDraft(role="approval", **given), NOW),
        _KEYS,
        NOW,
        standing=usable,
    )


def derive(salt):
    """A template's secret from its salt, as a case's vault would make it."""
    return hashlib.sha256(b"the key of a test's case" + salt).digest()
