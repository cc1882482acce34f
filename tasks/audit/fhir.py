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

_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
_SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
_ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ENTITY_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
# Ours, named by the project, not resolvable.
_OWN = "urn:encounter:audit"

# Type (system, code, display) and FHIR action code of each of our actions.
_TYPES: dict[Action, tuple[str, str, str, str]] = {
    "authorise": (_LIFECYCLE, "verify", "Verify Record Lifecycle Event", "E"),
    "refuse": (_DICOM, "110113", "Security Alert", "E"),
    "run-started": (_DICOM, "110100", "Application Activity", "E"),
    "run-finished": (_DICOM, "110100", "Application Activity", "E"),
    "reassess": (_DICOM, "110100", "Application Activity", "E"),
    "view": (_LIFECYCLE, "access", "Access/View Record Lifecycle Event", "R"),
    "look": (_LIFECYCLE, "access", "Access/View Record Lifecycle Event", "R"),
    "export": (_DICOM, "110106", "Export", "R"),
    "decision": (_LIFECYCLE, "attest", "Attest Record Lifecycle Event", "U"),
    "withdraw": (_DICOM, "110110", "Patient Record", "U"),
    "delete-started": (_LIFECYCLE, "destroy", "Destroy/Delete Record Lifecycle Event", "D"),
    "delete": (_LIFECYCLE, "destroy", "Destroy/Delete Record Lifecycle Event", "D"),
    "configure": (_DICOM, "110100", "Application Activity", "U"),
    "checkpoint": (_DICOM, "110101", "Audit Log Used", "C"),
}
_OUTCOMES: dict[Outcome, str] = {"success": "0", "refused": "4", "failed": "8"}


def bundle(links: Iterable[Link]) -> dict[str, Any]:
    """A Bundle of type `collection` with one AuditEvent an entry."""
    events = [event(found) for found in links]
    entries = [{"fullUrl": f"urn:uuid:{_uuid(e['id'])}", "resource": e} for e in events]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        **({"entry": entries} if entries else {}),
    }


def event(found: Link) -> dict[str, Any]:
    """One entry as an AuditEvent."""
    entry = found.entry
    system, code, display, action = _TYPES[entry.action]
    span = (
        {"start": _time(entry.from_utc), "end": _time(entry.to_utc)}
        if entry.from_utc and entry.to_utc
        else {}
    )
    out: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": entry.entry_id,
        "type": {"system": system, "code": code, "display": display},
        "subtype": [{"system": f"{_OWN}:action", "code": entry.action}],
        "action": action,
        "recorded": _time(entry.recorded_utc),
        "outcome": _OUTCOMES[entry.outcome],
        "outcomeDesc": entry.reason,
        "purposeOfEvent": [{"text": text} for text in (entry.purpose, *entry.legal_basis) if text],
        "agent": _agents(entry),
        "source": {
            "observer": {"identifier": {"system": _OWN, "value": "encounter"}},
            "type": [{"system": _SOURCE_TYPE, "code": "4", "display": "Application Server"}],
        },
        "entity": [*_case(entry, span), _log(found)],
    }
    return {name: value for name, value in out.items() if value}


def _agents(entry: AuditEntry) -> list[dict[str, Any]]:
    """Who acted, then who signed or decided."""
    acted = {
        "role": [{"coding": [{"system": f"{_OWN}:role", "code": entry.role}]}],
        "who": _identified(entry.actor),
        "requestor": True,
    }
    return [acted, *({"who": _identified(who), "requestor": False} for who in entry.verified_by)]


def _identified(actor: str) -> dict[str, Any]:
    kind, _, value = actor.partition(":")
    return {"identifier": {"system": f"{_OWN}:{kind}", "value": value}}


def _case(entry: AuditEntry, span: dict[str, str]) -> list[dict[str, Any]]:
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
        {"what": {"identifier": {"system": f"{_OWN}:case", "value": entry.case_id}}}
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


def _log(found: Link) -> dict[str, Any]:
    """The entry's place in the log."""
    entry = found.entry
    detail = [
        {"type": "sequence", "valueString": str(entry.sequence)},
        {"type": "previous", "valueString": found.previous},
        {"type": "hash", "valueString": found.hash},
        *([{"type": "checkpoint", "valueString": entry.checkpoint}] if entry.checkpoint else []),
    ]
    return {
        "what": {"identifier": {"system": f"{_OWN}:entry", "value": str(entry.sequence)}},
        "type": {"system": _ENTITY_TYPE, "code": "2", "display": "System Object"},
        "role": {"system": _ENTITY_ROLE, "code": "13", "display": "Security Resource"},
        "detail": detail,
    }


def _time(value: Any) -> str:
    """A FHIR instant."""
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _uuid(value: str) -> str:
    return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"
