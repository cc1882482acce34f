"""The subject's receipt has the mandatory fields of ISO/IEC TS 27560, and says how to withdraw."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest
from subject_case import subject_case

from tasks.consent import consent_receipt as module
from tasks.consent.consent_receipt import Controller, consent_receipt

SCHEMA = json.loads(
    Path(module.__file__).with_name("consent_receipt.schema.json").read_text(encoding="utf-8")
)
WHO = Controller(name="Health office", address="1 Street", jurisdiction="KR", contact="+82 2 120")
CASE = subject_case(scopes=("face", "appearance"), cameras=("lobby-a", "entrance"))


def test_a_receipt_fits_the_schema_and_says_what_was_agreed():
    """Searches, cameras, expiry and the way to withdraw, in the token's own values."""
    receipt = json.loads(json.dumps(consent_receipt(CASE.consent, WHO)))
    jsonschema.validate(receipt, SCHEMA)
    process = receipt["dpv:hasRecord"]["dpv:hasProcess"]
    assert process["dpv:hasLocation"] == ["lobby-a", "entrance"]
    special = [d["@id"] for d in process["dpv:hasPersonalData"] if isinstance(d, dict)]
    assert special == ["pd:PhysicalCharacteristic", "pd:FacialPrint"]
    withdraw = process["dpv:hasConsentControl"]
    assert withdraw["dpv:isExercisedAt"] == WHO.contact
    assert CASE.consent.case_id in withdraw["dct:description"]
    expiry = receipt["dpv:hasRecord"]["dpv:hasConsentStatus"]["dpv:hasExpiryTime"]["@value"]
    assert expiry == CASE.consent.expires_utc.isoformat()


def test_it_names_nobody():
    """Neither the signer's name nor what the token is bound to."""
    text = json.dumps(consent_receipt(CASE.consent, WHO))
    assert CASE.consent.signer not in text
    assert CASE.consent.binding.salt not in text


@pytest.mark.parametrize("field", ["dpv:hasConsentControl", "dpv:hasStorageCondition"])
def test_the_schema_bites(field):
    """A receipt without the way to withdraw, or without an end, does not fit."""
    receipt = copy.deepcopy(consent_receipt(CASE.consent, WHO))
    del receipt["dpv:hasRecord"]["dpv:hasProcess"][field]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(receipt, SCHEMA)
