"""The subject's own evidence in a consent."""

from datetime import UTC, datetime, timedelta

import pytest
from grants import BINDING
from subject_case import subject_case

from data_contracts.authorisation import Evidence
from data_contracts.errors import BadInput, NotAuthorised
from tasks.consent.binding import bind
from tasks.consent.evidence import check_evidence, form_evidence, is_form, sign_as_subject
from tasks.consent.grant_token import generate_key

SUBJECT, _ = generate_key("the subject", ("consent",))
OTHER, _ = generate_key("somebody", ("consent",))


def consent(evidence, binding=BINDING):
    """A checked consent, with this evidence put into it."""
    found = subject_case().consent
    return found.model_copy(update={"evidence": evidence, "binding": binding})


def test_a_signed_form_is_recognised_and_nothing_else():
    """The digest is the form's, under the token's salt: two consents of one form differ."""
    grant = consent(form_evidence(BINDING, b"scan"))
    assert is_form(grant, b"scan")
    assert not is_form(grant, b"another scan")
    assert not is_form(consent(None), b"scan")
    day = datetime(2026, 11, 16, tzinfo=UTC)
    again = bind((), day, day + timedelta(days=1), {"a": b"x"})
    assert form_evidence(again, b"scan") != form_evidence(BINDING, b"scan")


def test_the_subjects_own_signature_holds_for_what_was_signed():
    """Another case, other pictures or a foreign key under it: refused."""
    good = sign_as_subject(SUBJECT, "K-2026-0042", BINDING)
    check_evidence(consent(good))
    for bad, says in (
        (sign_as_subject(SUBJECT, "K-2026-0043", BINDING), "something else"),
        (
            good.model_copy(update={"public_jwk": {k: OTHER[k] for k in ("kty", "crv", "x")}}),
            "hold",
        ),
        (good.model_copy(update={"signature": good.signature[:-4] + "AAAA"}), "hold"),
        (good.model_copy(update={"public_jwk": {}}), "hold"),
    ):
        with pytest.raises(NotAuthorised, match=says):
            check_evidence(consent(bad))
    changed = BINDING.model_copy(update={"window": "0" * 64})
    with pytest.raises(NotAuthorised, match="something else"):
        check_evidence(consent(good, changed))


def test_a_wrong_key_or_half_an_evidence_is_an_error():
    """A public key cannot sign; a signature without its key is none."""
    with pytest.raises(BadInput):
        sign_as_subject({k: SUBJECT[k] for k in ("kty", "crv", "x")}, "K-2026-0042", BINDING)
    for half in ({}, {"signature": "x"}, {"public_jwk": {}}):
        with pytest.raises(ValueError, match="subject"):
            Evidence(**half)
