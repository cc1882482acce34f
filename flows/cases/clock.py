"""The clock of the pass that ends cases: what it is held against, and what is kept of a pass."""

from __future__ import annotations

from datetime import datetime, timedelta

from data_contracts.record import Record
from data_contracts.time import Utc
from flows.cases.attempt import attempt
from flows.runtime.environment import Environment
from infra.running_time import RunningTime, running_time
from infra.stack_record import replace_private
from tasks.ending.clock import Witnesses, clock_doubt

_LOOPBACK_STARTS = ("127.", "localhost", "[::1]")


class LastPass(Record):
    """When the clock was last believed, and by which running time; why cases wait now, if they
    do.
    """

    at_utc: Utc | None = None
    start_id: str = ""
    seconds: float = 0.0
    waits: str = ""


def doubt(env: Environment, now: datetime) -> str | None:
    """Why this machine's clock is not believed now, or None."""
    retention = env.settings.retention
    return clock_doubt(
        now,
        _time_witnesses(env),
        timedelta(seconds=retention.clock_jump_s),
        timedelta(days=retention.quiet_days),
    )


def _time_witnesses(env: Environment) -> Witnesses:
    last = last_pass(env)
    entry = attempt(env.audit_log.last, None)
    running = running_time()
    same = running is not None and running.start_id == last.start_id
    return Witnesses(
        store_utc=attempt(env.store.time, None),
        store_is_apart=not env.store.endpoint.startswith(_LOOPBACK_STARTS),
        last_entry_utc=entry.entry.recorded_utc if entry else None,
        last_pass_utc=last.at_utc,
        since_pass_s=running.seconds - last.seconds if running and same else None,
    )


def last_pass(env: Environment) -> LastPass:
    """What was kept of the last pass; nothing where there was none or it cannot be read."""
    path = env.settings.paths.purge_pass_file
    return attempt(lambda: LastPass.model_validate_json(path.read_bytes()), LastPass())


def keep_pass(env: Environment, now: datetime) -> None:
    """The clock was believed: later passes are held against this moment."""
    running = running_time() or RunningTime("", 0.0)
    _keep_pass(env, LastPass(at_utc=now, start_id=running.start_id, seconds=running.seconds))


def keep_waiting(env: Environment, why: str) -> None:
    """Cases wait for a person's word: `encounter status` says why."""
    _keep_pass(env, last_pass(env).model_copy(update={"waits": why}))


def _keep_pass(env: Environment, note: LastPass) -> None:
    path = env.settings.paths.purge_pass_file
    attempt(lambda: replace_private(path, note.model_dump_json()), None)
