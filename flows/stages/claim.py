"""Beginning a run: one claim a case, so that a case filed twice, or by an event as well, is traced
once.
"""

from __future__ import annotations

import secrets
from typing import Literal

from data_contracts import object_key
from data_contracts.run import Claim, Run
from data_contracts.time import now_utc
from flows.runtime.audit import audit
from flows.runtime.environment import environment, models
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.prefect_api import flow_run_is_active
from infra.case_store import CaseVault
from infra.token_list import id_of


def read_claim(vault: CaseVault) -> Claim | None:
    """The present claim, or None where the case was never run. Raises BadInput where it is
    damaged.
    """
    key = object_key.claim(vault.case_id)
    return Claim.stored(vault.get(key), key) if vault.exists(key) else None


def begin(case_id: str, flow_run_id: str, again: bool = False) -> Run | None:
    """Authorise and claim a case. None where another run has it or has finished it (unless
    `again`).

    A claim whose run died is taken over with its run id and salt: what was finished is found again.
    The start is written to the audit log with its grounds before anything is searched.
    """
    case = open_case(case_id)
    run = _claimed_run(case, flow_run_id, again)
    if run is not None:
        _record_start(case, run, "run-started")
    return run


def _record_start(case: OpenCase, run: Run, action: Literal["run-started", "reassess"]) -> None:
    env = environment()
    policy = f"{case.policy.name}@{case.policy.version}"
    audit(env, "authorise", case=case.authorised, run_id=run.run_id, policy=policy)
    used = dict(models(env).digests) if action == "run-started" else {}
    audit(env, action, case=case.authorised, run_id=run.run_id, policy=policy, models=used)


def _claimed_run(case: OpenCase, flow_run_id: str, again: bool) -> Run | None:
    case_id = case.vault.case_id
    claim = read_claim(case.vault)
    if claim is None:
        return _first_claim(case, flow_run_id)
    if claim.flow_run_id == flow_run_id:
        return _run_of(case_id, claim)
    if claim.state == "running" and flow_run_is_active(claim.flow_run_id):
        return None
    if claim.state == "published" and not again:
        return None
    if claim.state == "published":
        _count_run(case)
        resumed = _new_claim(case, flow_run_id)
    else:
        resumed = claim.model_copy(update={"flow_run_id": flow_run_id})
    _write_claim(case.vault, resumed)
    return _run_of(case_id, resumed)


def _first_claim(case: OpenCase, flow_run_id: str) -> Run | None:
    claim = _new_claim(case, flow_run_id)
    if not case.vault.put_if_absent(
        object_key.claim(case.vault.case_id), claim.model_dump_json().encode()
    ):
        return None
    _count_run(case)
    return _run_of(case.vault.case_id, claim)


def runs_left(case: OpenCase) -> int:
    """How many runs may still read footage under the case's approval."""
    had = environment().tokens.runs(id_of(case.authorised.approval))
    return max(0, case.authorised.limits.runs - had)


def _count_run(case: OpenCase) -> None:
    """One more run under this approval. A run that died and is taken up again is not another."""
    authorised = case.authorised
    environment().tokens.take_run(id_of(authorised.approval), authorised.limits.runs)


def _new_claim(case: OpenCase, flow_run_id: str) -> Claim:
    now = now_utc()
    return Claim(
        run_id=f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}",
        salt=secrets.token_hex(16),
        policy=f"{case.policy.name}",
        flow_run_id=flow_run_id,
        state="running",
        started_utc=now,
    )


def _run_of(case_id: str, claim: Claim) -> Run:
    return Run(case_id=case_id, run_id=claim.run_id, salt=claim.salt, policy=claim.policy)


def _write_claim(vault: CaseVault, claim: Claim) -> None:
    vault.put(object_key.claim(vault.case_id), claim.model_dump_json().encode())


def next_run(before: Run, policy: str) -> Run:
    """A new run of a finished case under another policy.

    Contacts get new numbers: the salt is new. Raises BadInput for a policy that is not known.
    """
    case = open_case(before.case_id, policy=policy)
    run = _run_of(before.case_id, _new_claim(case, ""))
    _record_start(case, run, "reassess")
    return run


def close_claim(vault: CaseVault, run: Run) -> None:
    """The run is published: its claim is closed. Another run's claim is left alone: an assessment
    under another policy ends while a new trace works.
    """
    claim = read_claim(vault)
    if claim is not None and claim.run_id == run.run_id:
        _write_claim(vault, claim.model_copy(update={"state": "published"}))
