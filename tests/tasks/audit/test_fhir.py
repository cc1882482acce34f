"""The exported AuditEvents have the structure that FHIR R4 asks for, and say what the entries
say.
"""

from __future__ import annotations

import json
import re
from typing import get_args

import pytest
from audit_scene import chain, entry, new_key, with_checkpoint
from jsonschema import Draft202012Validator

from data_contracts.audit import GENESIS, Action, link
from tasks.audit.fhir import bundle, event

_CODE = {"type": "string", "pattern": r"^[^\s]+(\s[^\s]+)*$"}
_URI = {"type": "string", "pattern": r"^\S+$"}
_INSTANT = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$",
}
_STRING = {"type": "string", "minLength": 1}


def _object(required: tuple[str, ...] = (), **properties: object) -> dict:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        "minProperties": 1,
    }


def _many(item: dict) -> dict:
    return {"type": "array", "items": item, "minItems": 1}


_CODING = _object(system=_URI, code=_CODE, display=_STRING)
_CONCEPT = _object(coding=_many(_CODING), text=_STRING)
_REFERENCE = _object(
    identifier=_object(system=_URI, value=_STRING), display=_STRING, reference=_STRING
)
# hl7.org/fhir/R4/auditevent.html: elements, cardinalities and required bindings, as far as we use
# them. Empty arrays, objects and strings are not allowed in FHIR's JSON.
AUDIT_EVENT = _object(
    ("resourceType", "type", "recorded", "agent", "source"),
    resourceType={"const": "AuditEvent"},
    id={"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$"},
    type=_CODING,
    subtype=_many(_CODING),
    action={"enum": ["C", "R", "U", "D", "E"]},
    recorded=_INSTANT,
    outcome={"enum": ["0", "4", "8", "12"]},
    outcomeDesc=_STRING,
    purposeOfEvent=_many(_CONCEPT),
    agent=_many(
        _object(("requestor",), role=_many(_CONCEPT), who=_REFERENCE, requestor={"type": "boolean"})
    ),
    source=_object(("observer",), observer=_REFERENCE, type=_many(_CODING)),
    entity=_many(
        _object(
            what=_REFERENCE,
            type=_CODING,
            role=_CODING,
            detail=_many(_object(("type", "valueString"), type=_STRING, valueString=_STRING)),
        )
    ),
)
BUNDLE = _object(
    ("resourceType", "type"),
    resourceType={"const": "Bundle"},
    type={"const": "collection"},
    entry=_many(
        _object(
            ("fullUrl", "resource"),
            fullUrl={
                "type": "string",
                "pattern": r"^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
            },
            resource=AUDIT_EVENT,
        )
    ),
)


@pytest.mark.parametrize("action", get_args(Action))
def test_every_action_is_a_valid_audit_event(action: Action) -> None:
    """Full and nearly empty entries of every action keep to R4's structure, and the action is the
    subtype.
    """
    bare = entry(
        1,
        action=action,
        case_id=None,
        run_id="",
        purpose="",
        legal_basis=(),
        from_utc=None,
        to_utc=None,
        scopes=(),
        cameras=(),
        models={},
        policy="",
        papers=(),
        verified_by=(),
        matched=(),
        objects=(),
        counts={},
        reason="",
    )
    for found in (entry(1, action=action), bare):
        made = json.loads(json.dumps(event(link(GENESIS, found))))
        Draft202012Validator(AUDIT_EVENT).validate(made)
        assert made["subtype"][0]["code"] == action


@pytest.mark.parametrize(("outcome", "code"), [("success", "0"), ("refused", "4"), ("failed", "8")])
def test_outcomes(outcome: str, code: str) -> None:
    """A refusal is a minor failure, a failed run a serious one."""
    assert event(link(GENESIS, entry(1, outcome=outcome)))["outcome"] == code


def test_a_bundle_says_what_the_entries_say() -> None:
    """One event an entry; who acted is the requestor, who signed is not; everything told is found
    again, hash too.
    """
    links = with_checkpoint(chain(3), new_key())
    made = json.loads(json.dumps(bundle(links)))
    Draft202012Validator(BUNDLE).validate(made)
    assert len({e["fullUrl"] for e in made["entry"]}) == 4
    first = made["entry"][0]["resource"]
    text = json.dumps(made["entry"][0])
    assert [a["requestor"] for a in first["agent"]] == [True, False, False]
    for said in (
        "K-2026-0001",
        "00aa",
        "lobby-a",
        "S-01",
        "report.html",
        "95d8",
        "GDPR 9(2)(a)",
        links[0].hash,
    ):
        assert said in text
    assert re.search(r"checkpoint.*\.", json.dumps(made["entry"][3]))
    assert bundle([]) == {"resourceType": "Bundle", "type": "collection"}
