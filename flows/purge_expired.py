"""purge-expired: cases whose purpose ended are destroyed, key first, and a receipt is written."""

from __future__ import annotations

import json

from prefect import flow, get_run_logger

from data_contracts import object_key
from data_contracts.errors import KeyMissing, NotFound
from data_contracts.time import now_utc
from flows.context import Environment, environment, read_request
from flows.destroy import destroy_case
from flows.stage import plain
from tasks.purge import CasePapers, Doomed, claimed_expiry, plan_purge


def papers_of(env: Environment, case_id: str) -> CasePapers:
    """What decides whether a case's purpose has ended."""
    try:
        vault = env.cases.open(case_id)
    except KeyMissing:
        return CasePapers(case_id=case_id, has_key=False)
    try:
        filed = read_request(vault).filed_utc
        expiries = [
            claimed_expiry(vault.get(path).decode())
            for path in (object_key.consent(case_id), object_key.approval(case_id))
        ]
    except NotFound:  # being filed just now, or filing broke off
        return CasePapers(case_id=case_id, has_key=True)
    return CasePapers(
        case_id=case_id,
        has_key=True,
        filed_utc=filed,
        expires_utc=min(expiries),
        withdrawn=vault.exists(object_key.withdrawal(case_id)),
    )


def _plan() -> list[Doomed]:
    """Which cases end now, and why."""
    env = environment()
    papers = [papers_of(env, case_id) for case_id in env.cases.case_ids()]
    return plan_purge(papers, now_utc(), env.settings.retention.case_days)


def _destroy(doomed: Doomed) -> str:
    """Destroy one case; returns the receipt's key."""
    return destroy_case(doomed.case_id, doomed.reason).key


plan = plain("plan the purge", _plan)
destroy = plain("destroy", _destroy)


@flow(name="purge-expired", persist_result=False)
def purge_expired() -> int:
    """Destroy every case whose consent expired or was withdrawn, or that was kept as long as it may be."""
    receipts = [destroy(doomed) for doomed in plan()]
    get_run_logger().info("%d cases destroyed: %s", len(receipts), json.dumps(receipts))
    return len(receipts)
