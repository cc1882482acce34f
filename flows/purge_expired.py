"""purge-expired: cases whose purpose ended are destroyed, key first, and a receipt is written."""

from __future__ import annotations

import time

from prefect import flow, get_run_logger
from prefect.states import Completed, State

from data_contracts.time import now_utc
from flows.cases import expiry
from flows.cases.attempt import told
from flows.cases.deletion_steps import local_store
from flows.cases.ending_environment import ending_environment
from flows.cases.expiry import Part, Planned
from flows.runtime.acting import acting, service
from flows.runtime.environment import Environment
from flows.runtime.prefect_task import plain
from infra.held_file import alone
from infra.local import store_bytes, store_index, weed
from infra.passes import note_success

# The filer writes its log of changes a minute late.
_CHANGES_ARE_WRITTEN_AFTER_S = 150.0


def _plan_pass() -> Planned:
    """Which cases end now, and why."""
    return expiry.plan_pass(ending_environment(), now_utc())


def _end_doomed(planned: Planned) -> Part:
    """Destroy them, each on its own."""
    return expiry.end_doomed(ending_environment(), planned)


def _delete_old_pictures(planned: Planned) -> Part:
    """Pictures of runs that are kept shorter than their case."""
    return expiry.end_pictures(ending_environment(), planned, now_utc())


def _sweep_late() -> Part:
    """What arrived late of the cases that were destroyed in the last hour."""
    return expiry.sweep_late(ending_environment(), now_utc())


def _tidy_store() -> Part:
    """What the local store keeps of deleted objects: their names in its log of changes and its
    index, their bytes.
    """
    try:
        return Part(done=_store_tidied(ending_environment()))
    except Exception as error:  # noqa: BLE001  the pass tells it with whatever else failed
        return Part(failed=(f"tidy the local store: {told(error)}",))


def _store_tidied(env: Environment) -> bool:
    record = local_store(env)
    due = env.settings.paths.tidy_due_file
    if record is None or not due.exists():
        return False
    late = time.time() - due.stat().st_mtime > _CHANGES_ARE_WRITTEN_AFTER_S
    weed.forget_names(env.settings, record)
    store_bytes.compact(env.settings, record)
    store_index.rewrite(record)
    if late:
        due.unlink()
    return True


plan = plain("plan the purge", _plan_pass)
destroy = plain("destroy", _end_doomed)
delete_pictures = plain("delete old pictures", _delete_old_pictures)
sweep_late = plain("sweep what came late", _sweep_late)
tidy_store = plain("tidy the local store", _tidy_store)


@flow(name="purge-expired", persist_result=False)
def purge_expired() -> int | State:
    """Destroy every case whose consent expired or was withdrawn, or that was kept as long as it may
    be. Ends as Failed, after all was tried, where something could not be done, and says what.
    """
    held = ending_environment().settings.paths.held("purge-expired")
    with alone(held) as mine, acting(service("purge-expired", repeats=True)):
        if not mine:
            return Completed(message="another pass is at work")
        planned = plan()
        ended = destroy(planned)
        pictures = delete_pictures(planned)
        swept = sweep_late()
        tidied = tidy_store()
    # Counts only: a log that named the cases would outlive them.
    get_run_logger().info("%d cases destroyed, %d pictures deleted", ended.done, pictures.done)
    done = expiry.conclude(ended.done, (planned, ended, pictures, swept, tidied))
    note_success(ending_environment().settings.paths, "purge-expired")
    return done
