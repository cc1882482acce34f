"""The local Prefect server's SQLite database: rows of a case that its API has no call to delete,
and freed pages.

Prefect keeps events (with names and tags of runs) for days and offers no way to delete one, and
SQLite leaves deleted rows in free pages. So this home's own database, and no other, is opened
beside the server: SQLite's locks keep the two apart. A server of someone else's is left to its own
retention; the receipt says so.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from infra.local.sqlite_file import compact, names, opened
from infra.settings import Settings
from infra.stack_record import read_record

# The columns that may name a case or a run; children before what they belong to. No other column is
# looked at: a case may be called INFO, UTC or COMPLETED.
_CASE_COLUMNS: dict[str, tuple[str, ...]] = {
    "event_resources": ("resource_id", "resource"),
    "events": ("resource_id", "resource", "related_resource_ids", "related", "payload"),
    "automation_event_follower": ("follower",),
    "automation_bucket": ("bucketing_key", "last_event"),
    "composite_trigger_child_firing": ("child_firing",),
    "log": ("flow_run_id", "message"),
    "artifact_collection": ("key", "flow_run_id", "data", "description", "metadata_"),
    "artifact": ("key", "flow_run_id", "data", "description", "metadata_"),
    "task_run_state_cache": ("cache_key",),
    "task_run_state": ("message", "state_details", "data"),
    "task_run": ("flow_run_id", "name", "cache_key", "task_inputs", "tags", "labels"),
    "flow_run_input": ("flow_run_id", "key", "value", "sender"),
    "flow_run_state": ("flow_run_id", "message", "state_details", "data"),
    "flow_run": ("id", "parameters", "idempotency_key", "context", "tags", "labels"),
}

__all__ = ["compact", "delete_rows", "local_database", "names", "run_ids"]


def local_database(settings: Settings) -> Path | None:
    """This home's own database; None where runs are kept by another server, or by none."""
    record = read_record(settings.paths)
    path = settings.paths.prefect / "prefect.db"
    own = record is not None and settings.prefect.api_url in (None, record.prefect_api_url)
    return path if own and path.exists() else None


def run_ids(database: Path, case_id: str) -> tuple[str, ...]:
    """Ids of the flow runs that are the case's: by the tag `case:<id>`, or by the parameter
    `case_id` where an event started it.
    """
    with opened(database) as db:
        rows = db.execute("SELECT id, parameters, tags FROM flow_run").fetchall()
    return tuple(str(row[0]) for row in rows if _is_of(case_id, *row[1:]))


def _is_of(case_id: str, parameters: str | None, tags: str | None) -> bool:
    given = _json_value(parameters)
    named = _json_value(tags)
    return (isinstance(given, dict) and given.get("case_id") == case_id) or (
        isinstance(named, list) and f"case:{case_id}" in named
    )


def _json_value(text: str | None) -> object:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def delete_rows(database: Path, case_id: str, runs: Sequence[str] = ()) -> int:
    """Delete every row that names the case or one of its runs, and runs whose state went so (a pass
    of purge-expired that named the case in its failure); returns how many. Raises StackError when
    it is locked.
    """
    with opened(database, case_id, runs) as db, db:
        conditions = [(table, _named_sql(db, table)) for table in _CASE_COLUMNS]
        conditions += [(run, _stateless_sql(db, run)) for run in ("task_run", "flow_run")]
        return sum(
            db.execute(f"DELETE FROM {table} WHERE {condition}").rowcount  # noqa: S608
            for table, condition in conditions
            if condition
        )


def _stateless_sql(db: sqlite3.Connection, table: str) -> str:
    """SQL that is true for runs whose present state is not there any more; empty where the server
    keeps no such column.
    """
    if "state_id" not in _columns_of(db, table):
        return ""
    return f"state_id IS NOT NULL AND state_id NOT IN (SELECT id FROM {table}_state)"  # noqa: S608


def _columns_of(db: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}


def _named_sql(db: sqlite3.Connection, table: str) -> str:
    """SQL that is true for rows that name the case in a column that may; empty where the server has
    no such table.
    """
    present = _columns_of(db, table)
    return " OR ".join(f'names("{column}")' for column in _CASE_COLUMNS[table] if column in present)
