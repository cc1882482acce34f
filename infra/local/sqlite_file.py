"""SQLite files of other programs, opened beside them: freed pages are rewritten, and any byte that
names a case is found.

SQLite's locks keep this process and the program apart; each waits for the other.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from data_contracts.errors import StackError
from data_contracts.mention import mention

_LOCK_WAIT_S = 30.0
_MOST_TRIES = 20


def compact(database: Path) -> None:
    """Rewrite the database and empty its log, so that deleted rows are in no page of it. Raises
    StackError.
    """
    with opened(database) as db:
        db.isolation_level = None
        db.execute("VACUUM")
        for _ in range(_MOST_TRIES):
            busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if not busy:
                return
            time.sleep(0.5)
    raise StackError(f"{database} is busy: the purge goes on at the next tick of purge-expired")


def names(database: Path, case_id: str) -> bool:
    """Whether any byte of the database's files still names the case. Raises StackError."""
    pattern = mention(case_id)
    files = sorted(database.parent.glob(f"{database.name}*"))
    try:
        return any(pattern.search(path.read_bytes()) for path in files if path.is_file())
    except OSError as error:
        raise StackError(f"{database}: cannot be read ({error.strerror})") from None


@contextmanager
def opened(
    database: Path, case_id: str = "", others: Sequence[str] = ()
) -> Iterator[sqlite3.Connection]:
    """A connection whose SQL function `names(value)` is true where a value names the case or has
    one of `others` in it.

    Raises StackError where the file is locked or damaged.
    """
    try:
        with closing(sqlite3.connect(database, timeout=_LOCK_WAIT_S)) as db:
            db.execute("PRAGMA secure_delete = ON")
            db.create_function("names", 1, _mention_rule(case_id, others), deterministic=True)
            yield db
    except sqlite3.Error as error:
        raise StackError(
            f"{database}: {error}; the purge goes on at the next tick of purge-expired"
        ) from None


def _mention_rule(case_id: str, others: Sequence[str]) -> Callable[[object], bool]:
    pattern = mention(case_id)
    more = [other.encode() for other in others]

    def names_it(value: object) -> bool:
        if value is None or isinstance(value, int | float):
            return False
        data = value if isinstance(value, bytes) else str(value).encode()
        return any(other in data for other in more) or pattern.search(data) is not None

    return names_it
