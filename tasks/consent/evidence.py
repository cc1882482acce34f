"""The subject's own evidence in a consent: a digest of the form that they signed, or a signature by
a key of their own over what the consent is bound to.

A key of the subject's own does not prove a name: it shows that whoever has it agreed to this case,
these pictures, this itinerary and this onset, and that the signer of the consent vouches for the
key.
"""

from __future__ import annotations

import json

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from data_contracts.authorisation import Binding, Evidence, Grant
from data_contracts.errors import BadInput, NotAuthorised
from data_contracts.signature import ALGORITHM, PublicKey
from tasks.consent.binding import keyed
from tasks.consent.jws import PUBLIC_MEMBERS, ed25519_key, verify_signed

SUBJECT_TYPE = "encounter-subject+jws"


def form_evidence(binding: Binding, form: bytes) -> Evidence:
    """Evidence of a signed form: a digest of its scan, under the token's salt."""
    return Evidence(form=_form(binding, form))


def sign_as_subject(private_jwk: dict[str, str], case_id: str, binding: Binding) -> Evidence:
    """Evidence by a key of the subject's own. Raises BadInput where it is not a private Ed25519
    key.
    """
    try:
        if private_jwk["crv"] != "Ed25519":
            raise ValueError("another curve")
        key = OKPKey.import_key({k: private_jwk[k] for k in (*PUBLIC_MEMBERS, "d")})
    except (KeyError, ValueError, TypeError, JoseError):
        raise BadInput("expected the subject's private Ed25519 key as a JWK") from None
    header = {"alg": ALGORITHM, "typ": SUBJECT_TYPE, "kid": key.thumbprint()}
    text = json.dumps(_agreed(case_id, binding), sort_keys=True).encode()
    signature = jws.serialize_compact(header, text, key, algorithms=[ALGORITHM])
    public = {k: private_jwk[k] for k in PUBLIC_MEMBERS}
    return Evidence(public_jwk=public, signature=signature)


def is_form(grant: Grant, form: bytes) -> bool:
    """Whether a consent names this form."""
    found = grant.evidence.form if grant.evidence else None
    return found is not None and found == _form(grant.binding, form)


def check_evidence(consent: Grant) -> None:
    """Raise NotAuthorised where a consent brings a signature of the subject that does not fit
    it.
    """
    evidence = consent.evidence
    if evidence is None or evidence.public_jwk is None or evidence.signature is None:
        return
    try:
        key = ed25519_key(evidence.public_jwk)
        public = PublicKey(key_id=key.thumbprint(), public_jwk=evidence.public_jwk)
        agreed = verify_signed(evidence.signature, SUBJECT_TYPE, (public,))
    except (NotAuthorised, ValueError, KeyError, TypeError, JoseError):
        raise NotAuthorised("consent refused: the subject's own signature does not hold") from None
    if agreed != _agreed(consent.case_id, consent.binding):
        raise NotAuthorised("consent refused: the subject signed something else")


def _agreed(case_id: str, binding: Binding) -> dict[str, object]:
    return {"case": case_id, "binding": binding.model_dump(mode="json")}


def _form(binding: Binding, form: bytes) -> str:
    return keyed(binding.salt, "form", form)
