"""purge-expired: cases whose purpose ended are destroyed, key first, and a receipt is written."""

from __future__ import annotations

import time
from datetime import timedelta

from prefect import flow, get_run_logger

from data_contracts import object_key
from data_contracts.errors import KeyMissing, NotFound
from data_contracts.time import now_utc
from flows.cases.deletion_steps import local_store
from flows.cases.destroy import destroy_case, sweep
from flows.cases.old_pictures import delete_old_pictures
from flows.runtime.audit import acting, service
from flows.runtime.environment import Environment, environment
from flows.runtime.open_case import read_request
from flows.runtime.prefect_task import plain
from infra.local import store_index, weed
from tasks.ending.purge import CasePapers, Doomed, claimed_expiry, plan_purge

# The filer writes its log of changes a minute late.
_CHANGES_ARE_WRITTEN_AFTER_S = 150.0
_LATE = timedelta(hours=1)


def papers_of(env: Environment, case_id: str) -> CasePapers:
    """What decides whether a case's purpose has ended.

    Of a case that cannot be read (its filing broke off, or this process has another master key)
    only its age counts.
    """
    try:
        made = env.store.stat(object_key.CASES, object_key.wrapped_key(case_id)).last_modified
    except NotFound:
        return CasePapers(case_id=case_id, has_key=False)
    try:
        vault = env.cases.open(case_id)
        filed = read_request(vault).filed_utc
        tokens = [
            vault.get(path).decode()
            for path in (object_key.consent(case_id), object_key.approval(case_id))
        ]
        withdrawn = vault.exists(object_key.withdrawal(case_id))
    except (KeyMissing, NotFound):
        return CasePapers(case_id=case_id, has_key=True, filed_utc=made)
    expires = min(claimed_expiry(token) for token in tokens)
    return CasePapers(
        case_id=case_id, has_key=True, filed_utc=filed, expires_utc=expires, withdrawn=withdrawn
    )


def _plan() -> list[Doomed]:
    """Which cases end now, and why."""
    env = environment()
    return plan_purge(
        [papers_of(env, case_id) for case_id in _case_ids(env)],
        now_utc(),
        env.settings.retention.case_days,
    )


def _case_ids(env: Environment) -> list[str]:
    """Cases that have objects. Empty folders, which some stores still list, are removed."""
    found = []
    for case_id in env.cases.case_ids():
        if env.store.list_versions(object_key.CASES, f"{case_id}/"):
            found.append(case_id)
        else:
            env.store.remove_folders(object_key.CASES, f"{case_id}/")
    return found


def _destroy(doomed: Doomed) -> str:
    """Destroy one case; returns the receipt's key."""
    return destroy_case(doomed.case_id, doomed.reason).key


def _delete_old_pictures() -> int:
    """Pictures of runs that are kept shorter than their case; returns how many went."""
    env = environment()
    return sum(delete_old_pictures(env, case_id, now_utc()) for case_id in _case_ids(env))


def _sweep() -> int:
    """What arrived late of the cases that were destroyed in the last hour."""
    return sweep(environment(), now_utc() - _LATE)


def _tidy_store() -> None:
    """What the local store keeps of deleted objects: their names in its log of changes and its
    index, their bytes.
    """
    env = environment()
    record = local_store(env)
    due = env.settings.paths.tidy_due_file
    if record is None or not due.exists():
        return
    late = time.time() - due.stat().st_mtime > _CHANGES_ARE_WRITTEN_AFTER_S
    weed.forget_names(env.settings, record)
    weed.compact(record)
    store_index.rewrite(record)
    if late:
        due.unlink()


plan = plain("plan the purge", _plan)
destroy = plain("destroy", _destroy)
delete_pictures = plain("delete old pictures", _delete_old_pictures)
sweep_late = plain("sweep what came late", _sweep)
tidy_store = plain("tidy the local store", _tidy_store)


@flow(name="purge-expired", persist_result=False)
def purge_expired() -> int:
    """Destroy every case whose consent expired or was withdrawn, or that was kept as long as it may
    be.
    """
    with acting(service("purge-expired")):
        receipts = [destroy(doomed) for doomed in plan()]
        pictures = delete_pictures()
        sweep_late()
    tidy_store()
    # Counts only: a log that named the cases would outlive them.
    get_run_logger().info("%d cases destroyed, %d old pictures deleted", len(receipts), pictures)
    return len(receipts)
