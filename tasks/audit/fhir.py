"""The audit log as FHIR R4 AuditEvent resources in a Bundle (hl7.org/fhir/R4/auditevent.html).

Types come from DICOM's and ISO 21089's code systems as AuditEvent's value set names them; our own
action is the subtype. People stay pseudonyms: `agent.who` is an identifier, never a name. The log's
hashes go along as details of an entity of their own, so that an event can be found again in the
log.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from data_contracts.audit import Action, AuditEntry, Link, Outcome

_DICOM_SYSTEM = "http://dicom.nema.org/resources/ontology/DCM"
_LIFECYCLE_SYSTEM = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
_SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
_ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ENTITY_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
# Ours, named by the project, not resolvable.
_OWN_SYSTEM = "urn:encounter:audit"

# Type (system, code, display) and FHIR action code of each of our actions.
_EVENT_TYPES: dict[Action, tuple[str, str, str, str]] = {
    "authorise": (_LIFECYCLE_SYSTEM, "verify", "Verify Record Lifecycle Event", "E"),
    "draft": (_DICOM_SYSTEM, "110110", "Patient Record", "U"),
    "sign": (_LIFECYCLE_SYSTEM, "attest", "Attest Record Lifecycle Event", "U"),
    "refuse": (_DICOM_SYSTEM, "110113", "Security Alert", "E"),
    "start": (_DICOM_SYSTEM, "110100", "Application Activity", "E"),
    "stop": (_DICOM_SYSTEM, "110100", "Application Activity", "E"),
    "run-started": (_DICOM_SYSTEM, "110100", "Application Activity", "E"),
    "run-finished": (_DICOM_SYSTEM, "110100", "Application Activity", "E"),
    "reassess": (_DICOM_SYSTEM, "110100", "Application Activity", "E"),
    "view": (_LIFECYCLE_SYSTEM, "access", "Access/View Record Lifecycle Event", "R"),
    "look": (_LIFECYCLE_SYSTEM, "access", "Access/View Record Lifecycle Event", "R"),
    "point": (_LIFECYCLE_SYSTEM, "attest", "Attest Record Lifecycle Event", "U"),
    "export": (_DICOM_SYSTEM, "110106", "Export", "R"),
    "decision": (_LIFECYCLE_SYSTEM, "attest", "Attest Record Lifecycle Event", "U"),
    "withdraw": (_DICOM_SYSTEM, "110110", "Patient Record", "U"),
    "delete-started": (_LIFECYCLE_SYSTEM, "destroy", "Destroy/Delete Record Lifecycle Event", "D"),
    "delete": (_LIFECYCLE_SYSTEM, "destroy", "Destroy/Delete Record Lifecycle Event", "D"),
    "configure": (_DICOM_SYSTEM, "110100", "Application Activity", "U"),
    "checkpoint": (_DICOM_SYSTEM, "110101", "Audit Log Used", "C"),
}
_OUTCOME_CODES: dict[Outcome, str] = {"success": "0", "refused": "4", "failed": "8"}


def bundle(links: Iterable[Link]) -> dict[str, Any]:
    """A Bundle of type `collection` with one AuditEvent an entry."""
    events = [event(found) for found in links]
    entries = [{"fullUrl": f"urn:uuid:{_as_uuid(e['id'])}", "resource": e} for e in events]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        **({"entry": entries} if entries else {}),
    }


def event(found: Link) -> dict[str, Any]:
    """One entry as an AuditEvent."""
    entry = found.entry
    system, code, display, action = _EVENT_TYPES[entry.action]
    span = (
        {"start": _fhir_instant(entry.from_utc), "end": _fhir_instant(entry.to_utc)}
        if entry.from_utc and entry.to_utc
        else {}
    )
    out: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": entry.entry_id,
        "type": {"system": system, "code": code, "display": display},
        "subtype": [{"system": f"{_OWN_SYSTEM}:action", "code": entry.action}],
        "action": action,
        "recorded": _fhir_instant(entry.recorded_utc),
        "outcome": _OUTCOME_CODES[entry.outcome],
        "outcomeDesc": entry.reason,
        "purposeOfEvent": [{"text": text} for text in (entry.purpose, *entry.legal_basis) if text],
        "agent": _agents_of(entry),
        "source": {
            "observer": {"identifier": {"system": _OWN_SYSTEM, "value": "encounter"}},
            "type": [{"system": _SOURCE_TYPE, "code": "4", "display": "Application Server"}],
        },
        "entity": [*_case_entities(entry, span), _log_entity(found)],
    }
    return {name: value for name, value in out.items() if value}


def _agents_of(entry: AuditEntry) -> list[dict[str, Any]]:
    """Who acted, then who signed or decided."""
    acted = {
        "role": [{"coding": [{"system": f"{_OWN_SYSTEM}:role", "code": entry.role}]}],
        "who": _identified_actor(entry.actor),
        "requestor": True,
    }
    return [
        acted,
        *({"who": _identified_actor(who), "requestor": False} for who in entry.verified_by),
    ]


def _identified_actor(actor: str) -> dict[str, Any]:
    kind, _, value = actor.partition(":")
    return {"identifier": {"system": f"{_OWN_SYSTEM}:{kind}", "value": value}}


def _case_entities(entry: AuditEntry, span: dict[str, str]) -> list[dict[str, Any]]:
    """What was acted on: the case, and everything that the entry says of it as details."""
    told: list[tuple[str, str]] = [
        ("run", entry.run_id),
        ("policy", entry.policy),
        *(("period-" + name, value) for name, value in span.items()),
        *(("scope", value) for value in entry.scopes),
        *(("camera", value) for value in entry.cameras),
        *(("paper", value) for value in entry.papers),
        *(("matched", value) for value in entry.matched),
        *(("object", value) for value in entry.objects),
        *((f"model {name}", value) for name, value in sorted(entry.models.items())),
        *((f"count {name}", str(value)) for name, value in sorted(entry.counts.items())),
    ]
    detail = [{"type": name, "valueString": value} for name, value in told if value]
    if not entry.case_id and not detail:
        return []
    what = (
        {"what": {"identifier": {"system": f"{_OWN_SYSTEM}:case", "value": entry.case_id}}}
        if entry.case_id
        else {}
    )
    return [
        {
            **what,
            "type": {"system": _ENTITY_TYPE, "code": "2", "display": "System Object"},
            "role": {"system": _ENTITY_ROLE, "code": "4", "display": "Domain Resource"},
            **({"detail": detail} if detail else {}),
        }
    ]


def _log_entity(found: Link) -> dict[str, Any]:
    """The entry's place in the log."""
    entry = found.entry
    detail = [
        {"type": "sequence", "valueString": str(entry.sequence)},
        {"type": "previous", "valueString": found.previous},
        {"type": "hash", "valueString": found.hash},
        *([{"type": "checkpoint", "valueString": entry.checkpoint}] if entry.checkpoint else []),
    ]
    return {
        "what": {"identifier": {"system": f"{_OWN_SYSTEM}:entry", "value": str(entry.sequence)}},
        "type": {"system": _ENTITY_TYPE, "code": "2", "display": "System Object"},
        "role": {"system": _ENTITY_ROLE, "code": "13", "display": "Security Resource"},
        "detail": detail,
    }


def _fhir_instant(value: Any) -> str:
    """A FHIR instant."""
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _as_uuid(value: str) -> str:
    return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"
