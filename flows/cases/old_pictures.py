"""Pictures of a run may go before their case: when they are old, and when reviewers say that they
show a stranger. Then pictures, clips and the report that shows them go.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from data_contracts import object_key
from data_contracts.errors import ContractViolation, KeyMissing, NotFound
from data_contracts.run import RunManifest
from flows.runtime.audit import audit
from flows.runtime.decisions import decisions_of
from flows.runtime.environment import Environment
from flows.runtime.results import load
from infra.case_store import CaseVault
from tasks.artefacts.exports import shows_pictures
from tasks.people.decided import rejected_marks
from tasks.people.marked import marked_tracks
from tasks.redaction.plan import surely


def delete_old_pictures(env: Environment, case_id: str, now: datetime) -> int:
    """Delete the pictures of the case's runs that are older than `retention.picture_days`; returns
    how many.
    """
    days = env.settings.retention.picture_days
    oldest = now - timedelta(days=days)
    reason = f"pictures kept for {days} days"
    return _delete(env, case_id, reason, lambda _, manifest: manifest.created_utc <= oldest)


def delete_pictures_of_rejected(env: Environment, case_id: str) -> int:
    """Delete the pictures of the case's runs in which somebody is shown as the subject of whom two
    reviewers have said since that it is somebody else; returns how many. The next run makes others.
    """
    reason = "reviewers rejected whom they show"
    return _delete(env, case_id, reason, _shows_a_rejected)


def _shows_a_rejected(vault: CaseVault, manifest: RunManifest) -> bool:
    marks = rejected_marks(decisions_of(vault))
    if not marks:
        return False
    found = manifest.result.people
    try:
        shown = surely(load(vault, found["sightings"]))
        tracks = load(vault, found["tracks"])
    except (NotFound, ContractViolation):
        return True  # of another version, or gone: nobody can say whom they show
    own = set(zip(shown["camera_id"], shown["track_id"], strict=True))
    return bool(own & marked_tracks(tracks, marks))


def _delete(
    env: Environment,
    case_id: str,
    reason: str,
    doomed_run: Callable[[CaseVault, RunManifest], bool],
) -> int:
    """Delete the pictures of some runs. The manifest is rewritten without them first: nobody is
    shown a list of what is gone.
    """
    try:
        vault = env.cases.open(case_id)
    except KeyMissing:
        return 0
    gone = 0
    for item in vault.list(f"{object_key.run(case_id, '')}/"):
        if not item.key.endswith("/manifest.json"):
            continue
        try:
            manifest = RunManifest.stored(vault.get(item.key), item.key)
        except NotFound:
            continue
        doomed = tuple(a for a in manifest.artefacts if shows_pictures(a.name))
        if doomed and doomed_run(vault, manifest):
            kept = tuple(a for a in manifest.artefacts if a not in doomed)
            names = [object_key.run(case_id, manifest.run_id, artefact.name) for artefact in doomed]
            audit(
                env,
                "delete",
                case_id=case_id,
                run_id=manifest.run_id,
                reason=reason,
                counts={"pictures": len(names)},
            )
            vault.put(
                item.key,
                manifest.model_copy(update={"artefacts": kept}).model_dump_json(indent=1).encode(),
            )
            gone += sum(vault.remove(name) for name in names)
    return gone
