"""Pictures of a run may be kept shorter than its case: then pictures, clips and the report that
shows them go first.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from data_contracts import object_key
from data_contracts.errors import KeyMissing, NotFound
from data_contracts.run import RunManifest
from flows.runtime.audit import audit
from flows.runtime.environment import Environment
from tasks.artefacts.exports import shows_pictures


def delete_old_pictures(env: Environment, case_id: str, now: datetime) -> int:
    """Delete the pictures of the case's runs that are older than `retention.picture_days`; returns
    how many.

    The manifest is rewritten without them first: nobody is shown a list of what is gone.
    """
    try:
        vault = env.cases.open(case_id)
    except KeyMissing:
        return 0
    oldest = now - timedelta(days=env.settings.retention.picture_days)
    gone = 0
    for item in vault.list(f"{object_key.run(case_id, '')}/"):
        if not item.key.endswith("/manifest.json"):
            continue
        try:
            manifest = RunManifest.stored(vault.get(item.key), item.key)
        except NotFound:
            continue
        doomed = tuple(a for a in manifest.artefacts if shows_pictures(a.name))
        if doomed and manifest.created_utc <= oldest:
            kept = tuple(a for a in manifest.artefacts if a not in doomed)
            names = [object_key.run(case_id, manifest.run_id, artefact.name) for artefact in doomed]
            reason = f"pictures kept for {env.settings.retention.picture_days} days"
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
