"""Rows that name a case leave the orchestrator's database, pages and all; another case's stay."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from data_contracts.errors import StackError
from data_contracts.mention import mention
from infra.local import sqlite_file
from infra.local.prefect_database import compact, delete_rows, names, run_ids

RUN = "178a0f6b-5442-4d87-8d30-791d3a2c0d62"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, sqlite3.Connection]]:
    """A database like Prefect's, in WAL mode, that its server keeps open: two cases, one's id
    beginning like the other's.
    """
    path = tmp_path / "prefect.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE flow_run (id TEXT, name TEXT, tags TEXT)")
        db.execute("CREATE TABLE events (id TEXT, resource TEXT, related TEXT)")
        db.execute("CREATE TABLE event_resources (event_id TEXT, resource_id TEXT)")
        db.execute("CREATE TABLE log (message TEXT, flow_run_id TEXT, level INTEGER)")
        for case, run in (("K-1", RUN), ("K-1-2", "another")):
            db.execute("INSERT INTO flow_run VALUES (?, ?, ?)", (run, case, f'["case:{case}"]'))
            db.execute(
                "INSERT INTO events VALUES ('e', ?, ?)", (f"scan-{case.lower()}", f'["{run}"]')
            )
            db.execute("INSERT INTO event_resources VALUES ('e', ?)", (f"prefect.flow-run.{run}",))
            db.executemany(
                "INSERT INTO log VALUES (?, ?, 20)", [(f"Flow run '{case}' {'x' * 900}", run)] * 20
            )
        yield path, db


def test_one_case_goes_and_the_other_stays(server: tuple[Path, sqlite3.Connection]) -> None:
    """By its id, its artifacts' names and its run's id; after compaction no byte of the files names
    it.
    """
    path, db = server
    assert run_ids(path, "K-1") == (RUN,)
    assert names(path, "K-1")
    assert delete_rows(path, "K-1", (RUN,)) == 23
    compact(path)
    assert not names(path, "K-1")
    assert RUN.encode() not in b"".join(p.read_bytes() for p in path.parent.iterdir())
    assert names(path, "K-1-2")
    assert db.execute("SELECT count(*) FROM log").fetchone() == (20,)
    assert delete_rows(path, "K-1", (RUN,)) == 0, "what is gone is a success"


def test_a_locked_database_is_said_to_be_busy(
    server: tuple[Path, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the server writes for longer than we wait, one line says so and what happens next."""
    path, db = server
    monkeypatch.setattr(sqlite_file, "_LOCK_WAIT_S", 0.1)
    db.execute("BEGIN IMMEDIATE")
    with pytest.raises(StackError, match="purge goes on"):
        delete_rows(path, "K-1")
    db.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("case:K-1", True),
        ("'K-1' began", True),
        ("K-1 attempt 2", True),
        ("K-1#2", True),
        ("/K-1/runs/R", True),
        ("case-k-1-summary", True),
        ("scan-k-1", True),
        ("K-1-2", False),
        ("K-12", False),
        ("XK-1", False),
        ("A-K-1", False),
        ("scan-k-1-2", False),
        ("k-1", False),
    ],
)
def test_what_names_a_case(text: str, found: bool) -> None:
    """The id by itself or a key of one of its artifacts; not another case's that begins or ends
    alike.
    """
    assert bool(mention("K-1").search(text.encode())) is found
