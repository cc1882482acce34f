"""The local Prefect server's SQLite database: rows of a case that its API has no call to delete, and freed pages.

Prefect keeps events (with names and tags of runs) for days and offers no way to delete one, and SQLite leaves deleted
rows in free pages. So this home's own database, and no other, is opened beside the server: SQLite's locks keep the two
apart. A server of someone else's is left to its own retention; the receipt says so.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from data_contracts.errors import StackError
from data_contracts.mention import mention
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
_LOCK_WAIT_S = 30.0
_TRIES = 20


def local_database(settings: Settings) -> Path | None:
    """This home's own database; None where runs are kept by another server, or by none."""
    record = read_record(settings.paths)
    path = settings.paths.prefect / "prefect.db"
    own = record is not None and settings.prefect.api_url in (None, record.prefect_api_url)
    return path if own and path.exists() else None


def run_ids(database: Path, case_id: str) -> tuple[str, ...]:
    """Ids of the flow runs whose name, tags, parameters or start key name the case."""
    with _opened(database, case_id) as db:
        return tuple(str(row[0]) for row in db.execute(f"SELECT id FROM flow_run WHERE {_named(db, 'flow_run')}"))  # noqa: S608


def delete_rows(database: Path, case_id: str, runs: Sequence[str] = ()) -> int:
    """Delete every row that names the case or one of its runs; returns how many. Raises StackError when it is locked."""
    with _opened(database, case_id, runs) as db, db:
        present = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return sum(
            db.execute(f"DELETE FROM {table} WHERE {_named(db, table)}").rowcount  # noqa: S608
            for table in _TABLES
            if table in present
        )


def compact(database: Path) -> None:
    """Rewrite the database and empty its log, so that deleted rows are in no page of it. Raises StackError."""
    with _opened(database) as db:
        db.isolation_level = None
        db.execute("VACUUM")
        for _ in range(_TRIES):
            busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if not busy:
                return
            time.sleep(0.5)
    raise StackError(f"{database} is busy: the purge goes on at the next tick of purge-expired")


def names(database: Path, case_id: str) -> bool:
    """Whether any byte of the database's files still names the case."""
    pattern, files = mention(case_id), sorted(database.parent.glob(f"{database.name}*"))
    return any(pattern.search(path.read_bytes()) for path in files if path.is_file())


def _named(db: sqlite3.Connection, table: str) -> str:
    """SQL that is true for rows that name the case in one of their columns."""
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    return " OR ".join(f'names("{column}")' for column in columns)


def _rule(case_id: str, runs: Sequence[str]) -> Callable[[object], bool]:
    pattern, ids = mention(case_id), [run.encode() for run in runs]

    def names_it(value: object) -> bool:
        if value is None or isinstance(value, int | float):
            return False
        data = value if isinstance(value, bytes) else str(value).encode()
        return any(run in data for run in ids) or pattern.search(data) is not None

    return names_it


@contextmanager
def _opened(database: Path, case_id: str = "", runs: Sequence[str] = ()) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(database, timeout=_LOCK_WAIT_S)) as db:
            db.execute("PRAGMA secure_delete = ON")
            db.create_function("names", 1, _rule(case_id, runs), deterministic=True)
            yield db
    except sqlite3.Error as error:
        raise StackError(f"{database}: {error}; the purge goes on at the next tick of purge-expired") from None
