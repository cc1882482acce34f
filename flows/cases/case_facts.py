"""What the records say was collected of a case, searched and shared: for the subject's notice and
the receipt.
"""

from __future__ import annotations

from collections import Counter

from pydantic import ValidationError

from data_contracts import object_key
from data_contracts.audit import read_link
from data_contracts.deletion import CaseFacts
from data_contracts.errors import BadInput, EncounterError, NotFound
from data_contracts.run import RunManifest
from flows.runtime.environment import Environment
from flows.runtime.open_case import read_request
from flows.stages.publish import load_manifest
from flows.stages.published import last_run
from infra.case_store import CaseVault
from tasks.ending.purge import claimed_scopes

_SHARING_ACTIONS = ("view", "look", "export", "decision")


def case_facts(env: Environment, case_id: str) -> CaseFacts:
    """What its own objects say, without what was shared. What cannot be read is left at zero, and
    never keeps a case.
    """
    try:
        vault = env.cases.open(case_id)
        request = read_request(vault)
        scopes = claimed_scopes(vault.get(object_key.consent(case_id)).decode())
        runs = {i.key.split("/")[2] for i in vault.list(f"{object_key.run(case_id, '')}/")}
        manifest = _last_manifest(vault)
    except (EncounterError, ValidationError):
        return CaseFacts()
    return CaseFacts(
        reference_pictures=len(request.reference_images),
        claims=len(request.itinerary),
        scopes=scopes,
        runs=len(runs),
        results=manifest.result.counts() if manifest else {},
        artefacts=len(manifest.artefacts) if manifest else 0,
    )


def _last_manifest(vault: CaseVault) -> RunManifest | None:
    try:
        run = last_run(vault)
        return load_manifest(vault, run) if run else None
    except NotFound:
        return None


def shared(env: Environment, case_id: str) -> dict[str, int]:
    """How often results were viewed, exported, decided about, by the audit log, which is read
    whole.
    """
    seen: Counter[str] = Counter()
    for stored in env.audit_log.read():
        try:
            entry = read_link(stored.data or b"").entry
        except BadInput:
            continue
        if entry.case_id == case_id and entry.action in _SHARING_ACTIONS:
            seen[entry.action] += 1
    return dict(sorted(seen.items()))
