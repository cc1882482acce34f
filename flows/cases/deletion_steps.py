"""The steps of a deletion: each finds what there is of its kind, deletes it, and can be repeated;
then all is verified.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from data_contracts import object_key
from data_contracts.case import CASE_ID
from data_contracts.deletion import DeletionKind, DeletionPlan
from data_contracts.errors import EncounterError, KeyMissing, StackError
from flows.cases import forget_runs
from flows.cases.attempt import attempt
from flows.runtime.environment import Environment
from infra.local import prefect_database, store_bytes, store_index, traces
from infra.stack_record import StackRecord, read_record
from infra.store import ObjectInfo

Counts = dict[DeletionKind, int]
# The local store takes the bytes of deleted objects for deleted a second later (SeaweedFS polls
# every 1.1 s).
_DELETED_AFTER_S = 2.5


class StillThere(EncounterError):
    """Something of a case was found after its purge."""


def there_is(env: Environment, case_id: str) -> bool:
    """Whether the store has anything of a case."""
    if not CASE_ID.match(case_id):
        return False
    prefix = f"{case_id}/"
    return bool(
        env.store.list_versions(object_key.CASES, prefix)
        or env.store.uploads(object_key.CASES, prefix)
    )


def only_the_journal_is_left(env: Environment, case_id: str) -> bool:
    """Whether the store has nothing of a case but the journal of its purge."""
    return not (_case_versions(env, case_id) or env.store.uploads(object_key.CASES, f"{case_id}/"))


def count_all(env: Environment, case_id: str) -> Counts:
    """How much there is of a case, by kind. What cannot be counted counts as nothing: it keeps no
    case alive, and its step says what is wrong.
    """
    out: Counts = {}
    for count in (_count_objects, _count_uploads, _count_runs, _count_files, _count_mentions):
        out |= attempt(lambda count=count: count(env, case_id), {})  # type: ignore[misc]
    return out


def _count_objects(env: Environment, case_id: str) -> Counts:
    versions = _case_versions(env, case_id)
    markers = sum(v.is_delete_marker for v in versions)
    key = object_key.wrapped_key(case_id)
    keys = sum(v.key == key and not v.is_delete_marker for v in versions)
    return {
        "key_versions": keys,
        "object_versions": len(versions) - markers - keys,
        "delete_markers": markers,
    }


def _count_uploads(env: Environment, case_id: str) -> Counts:
    return {"uploads": len(env.store.uploads(object_key.CASES, f"{case_id}/"))}


def _count_runs(env: Environment, case_id: str) -> Counts:
    database = prefect_database.local_database(env.settings)
    runs = 0
    if forget_runs.known(env.settings):
        with suppress(StackError):  # a server that is down: what it has is counted when it goes
            runs = len(forget_runs.case_runs(case_id))
    return {"runs": max(runs, len(prefect_database.run_ids(database, case_id)) if database else 0)}


def _count_files(env: Environment, case_id: str) -> Counts:
    home = env.settings.paths
    return {
        "scratch_files": len(traces.scratch_files(home)),
        "fetched_files": len(traces.fetched_files(home, case_id)),
    }


def _count_mentions(env: Environment, case_id: str) -> Counts:
    return {"log_mentions": traces.count_mentions(env.settings.paths, case_id)}


def _destroy_key(env: Environment, plan: DeletionPlan) -> Counts:
    return {"key_versions": env.cases.destroy_key(plan.case_id)}


def _stop_runs(env: Environment, plan: DeletionPlan) -> Counts:
    if forget_runs.known(env.settings):
        with suppress(
            StackError
        ):  # without its key no run reads or writes; a server that is down stops none
            forget_runs.stop_runs(plan.case_id, f"stopped: {plan.reason}")
    return {}


def _delete_objects(env: Environment, plan: DeletionPlan) -> Counts:
    left = _case_versions(env, plan.case_id)
    env.store.remove_versions(object_key.CASES, left)
    markers = sum(v.is_delete_marker for v in left)
    return {"object_versions": len(left) - markers, "delete_markers": markers}


def _abort_uploads(env: Environment, plan: DeletionPlan) -> Counts:
    return {"uploads": env.store.abort_uploads(object_key.CASES, f"{plan.case_id}/")}


def _forget_runs(env: Environment, plan: DeletionPlan) -> Counts:
    if not forget_runs.known(env.settings):
        return {}
    gone = forget_runs.forget_case(env.settings, plan.case_id)
    return {"runs": gone.runs, "artifacts": gone.artifacts, "database_rows": gone.database_rows}


def _clear_scratch(env: Environment, plan: DeletionPlan) -> Counts:
    return {"scratch_files": traces.clear_scratch(env.settings.paths)}


def _delete_fetched(env: Environment, plan: DeletionPlan) -> Counts:
    return {"fetched_files": traces.delete_fetched(env.settings.paths, plan.case_id)}


def _overwrite_mentions(env: Environment, plan: DeletionPlan) -> Counts:
    return {"log_mentions": traces.overwrite_mentions(env.settings.paths, plan.case_id)}


def _compact_store(env: Environment, plan: DeletionPlan) -> Counts:
    record = local_store(env)
    if record is not None:
        time.sleep(_DELETED_AFTER_S)
        store_bytes.compact(env.settings, record)
        env.settings.paths.tidy_due_file.touch(mode=0o600)
    return {}


# In this order. The key first: from then on nothing of the case can be read, whatever becomes of
# the rest.
STEPS: tuple[Callable[[Environment, DeletionPlan], Counts], ...] = (
    _destroy_key,
    _stop_runs,
    _delete_objects,
    _abort_uploads,
    _forget_runs,
    _clear_scratch,
    _delete_fetched,
    _overwrite_mentions,
    _compact_store,
)


def verify(env: Environment, case_id: str) -> tuple[str, ...]:
    """Try to read the case; returns what was tried in vain. Raises StillThere when something was
    found.
    """
    try:
        env.cases.open(case_id)
    except KeyMissing:
        pass
    else:
        raise StillThere(f"case {case_id}: its key can still be read; run the purge again")
    if _case_versions(env, case_id) or env.store.uploads(object_key.CASES, f"{case_id}/"):
        raise StillThere(
            f"case {case_id}: objects or uploads are still listed; run the purge again"
        )
    for key in (
        object_key.request(case_id),
        object_key.consent(case_id),
        object_key.approval(case_id),
    ):
        if env.store.exists(object_key.CASES, key):
            raise StillThere(f"case {case_id}: an object can still be read; run the purge again")
    done = [
        "the wrapped key is not listed and the case does not open",
        "no version, delete marker or incomplete upload is listed but this purge's own plan, which "
        "goes next",
        "reading the request, the consent and the approval by their keys fails",
    ]
    if forget_runs.known(env.settings):
        left = forget_runs.still_known(env.settings, case_id)
        if left:
            raise StillThere(f"case {case_id}: {left}; run the purge again")
        done.append("the orchestrator lists no run of the case")
    if prefect_database.local_database(env.settings) is not None:
        done.append("no byte of the local orchestrator's database names the case")
    return (*done, *_verify_machine(env, case_id))


def _verify_machine(env: Environment, case_id: str) -> tuple[str, ...]:
    home = env.settings.paths
    if traces.scratch_files(home) or traces.fetched_files(home, case_id):
        raise StillThere(f"case {case_id}: files are left on this machine; run the purge again")
    if traces.count_mentions(home, case_id):
        raise StillThere(f"case {case_id}: a log still names it; run the purge again")
    return (
        "this machine's logs do not name the case, no scratch file and no fetched copy is left on "
        "it",
    )


def remains(env: Environment) -> tuple[str, ...]:
    """What a deletion leaves, as this installation is set up."""
    out = [
        "this receipt and the entries of the audit log about the case: no biometrics, no names",
        "the footage, which is the recorder's and is never deleted by this system",
        "decrypted copies on other machines, and backups of the bucket made before: not known here",
    ]
    record = local_store(env)
    if record is not None:
        out.append(
            "names of deleted objects (case id, stages, digests) in the local store's log of "
            "changes, for ten minutes at most"
            if store_index.local_index(record)
            else (
                "names of deleted objects (case id, stages, digests) in the local store's index "
                "until it rewrites itself"
            )
        )
    else:
        out.append(
            "bytes that the object store keeps of deleted objects: sealed under the destroyed key"
        )
    if forget_runs.known(env.settings) and prefect_database.local_database(env.settings) is None:
        out.append(
            "events of the case's runs at the orchestrator, with the case id, until its own "
            "retention ends"
        )
    return tuple(out)


def _case_versions(env: Environment, case_id: str) -> list[ObjectInfo]:
    """Every version and delete marker of the case but the purge's own plan."""
    journal = object_key.purge_journal(case_id)
    return [v for v in env.store.list_versions(object_key.CASES, f"{case_id}/") if v.key != journal]


def local_store(env: Environment) -> StackRecord | None:
    """The record of the stack whose store this is; None for a store of someone else's."""
    record = read_record(env.settings.paths)
    return record if record is not None and record.s3_endpoint == env.settings.s3.endpoint else None
