"""The local Prefect server's SQLite database: rows of a case that its API has no call to delete,
and freed pages.

Prefect keeps events (with names and tags of runs) for days and offers no way to delete one, and
SQLite leaves deleted rows in free pages. So this home's own database, and no other, is opened
beside the server: SQLite's locks keep the two apart. A server of someone else's is left to its own
retention; the receipt says so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from infra.local.sqlite_file import compact, names, opened
from infra.settings import Settings
from infra.stack_record import read_record

# Whatever may name a run; children before what they belong to.
_TABLES = (
    "event_resources",
    "events",
    "automation_event_follower",
    "automation_bucket",
    "composite_trigger_child_firing",
    "log",
    "artifact_collection",
    "artifact",
    "task_run_state_cache",
    "task_run_state",
    "task_run",
    "flow_run_input",
    "flow_run_notification_queue",
    "flow_run_state",
    "flow_run",
)

__all__ = ["compact", "delete_rows", "local_database", "names", "run_ids"]


def local_database(settings: Settings) -> Path | None:
    """This home's own database; None where runs are kept by another server, or by none."""
    record = read_record(settings.paths)
    path = settings.paths.prefect / "prefect.db"
    own = record is not None and settings.prefect.api_url in (None, record.prefect_api_url)
    return path if own and path.exists() else None


def run_ids(database: Path, case_id: str) -> tuple[str, ...]:
    """Ids of the flow runs whose name, tags, parameters or start key name the case."""
    with opened(database, case_id) as db:
        query = f"SELECT id FROM flow_run WHERE {_named(db, 'flow_run')}"  # noqa: S608
        return tuple(str(row[0]) for row in db.execute(query))


def delete_rows(database: Path, case_id: str, runs: Sequence[str] = ()) -> int:
    """Delete every row that names the case or one of its runs; returns how many. Raises StackError
    when it is locked.
    """
    with opened(database, case_id, runs) as db, db:
        present = {
            name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        return sum(
            db.execute(f"DELETE FROM {table} WHERE {_named(db, table)}").rowcount  # noqa: S608
            for table in _TABLES
            if table in present
        )


def _named(db: sqlite3.Connection, table: str) -> str:
    """SQL that is true for rows that name the case in one of their columns."""
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    return " OR ".join(f'names("{column}")' for column in columns)
