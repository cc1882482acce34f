"""Rows that name a case leave the orchestrator's database, pages and all; another case's stay."""

from __future__ import annotations

import json
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
        db.execute("CREATE TABLE flow_run (id TEXT, name TEXT, parameters TEXT, tags TEXT)")
        db.execute("CREATE TABLE events (id TEXT, resource TEXT, related TEXT)")
        db.execute("CREATE TABLE event_resources (event_id TEXT, resource_id TEXT)")
        db.execute("CREATE TABLE log (message TEXT, flow_run_id TEXT, level INTEGER)")
        for case, run in (("K-1", RUN), ("K-1-2", "another")):
            _run(db, case, run)
            db.execute(
                "INSERT INTO events VALUES ('e', ?, ?)", (f"scan-{case.lower()}", f'["{run}"]')
            )
            db.execute("INSERT INTO event_resources VALUES ('e', ?)", (f"prefect.flow-run.{run}",))
            db.executemany(
                "INSERT INTO log VALUES (?, ?, 20)", [(f"Flow run '{case}' {'x' * 900}", run)] * 20
            )
        yield path, db


def _run(db: sqlite3.Connection, case: str, run: str) -> None:
    """A flow run as a start by this project leaves it."""
    started = (run, case, json.dumps({"case_id": case}), json.dumps(["encounter", f"case:{case}"]))
    db.execute("INSERT INTO flow_run VALUES (?, ?, ?, ?)", started)


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


@pytest.mark.parametrize("case", ["INFO", "UTC", "COMPLETED", "2026-11-30", "2026"])
def test_a_case_called_like_a_word_takes_no_other_row(tmp_path: Path, case: str) -> None:
    """States, levels, times and log lines with the word stay; the case's own run, tag and events
    go, and then nothing names it.
    """
    path = tmp_path / "prefect.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(
            "CREATE TABLE flow_run (id TEXT, name TEXT, parameters TEXT, tags TEXT, "
            "state_type TEXT, created TEXT)"
        )
        db.execute(
            "CREATE TABLE flow_run_state (flow_run_id TEXT, type TEXT, name TEXT, message TEXT, "
            "timestamp TEXT)"
        )
        db.execute("CREATE TABLE events (id TEXT, resource TEXT, payload TEXT, occurred TEXT)")
        db.execute("CREATE TABLE log (message TEXT, flow_run_id TEXT, level TEXT)")
        at = "2026-11-30 07:00:00 UTC"
        other = json.dumps({"case_id": "K-2"})
        words = f"INFO UTC COMPLETED 2026-11-30 {case}"
        db.execute("INSERT INTO flow_run VALUES (?,?,?,?,?,?)", ("r", case, other, "[]", case, at))
        db.execute("INSERT INTO flow_run_state VALUES ('r', ?, ?, ?, ?)", (case, case, words, at))
        resource = json.dumps({"prefect.state-type": case, "prefect.state-timestamp": at})
        db.execute("INSERT INTO events VALUES ('r', ?, ?, ?)", (resource, words, at))
        db.execute("INSERT INTO log VALUES (?, 'r', ?)", (f"{at} | {words} | went on", case))
        tables = ("flow_run", "flow_run_state", "events", "log")
        before = [db.execute(f"SELECT * FROM {t}").fetchall() for t in tables]
        db.execute(
            "INSERT INTO flow_run VALUES (?,?,?,?,?,?)",
            (RUN, "x", "{}", json.dumps([f"case:{case}"]), "COMPLETED", at),
        )
        resource = json.dumps({"prefect.resource.id": f"case.{case}"})
        db.execute("INSERT INTO events VALUES ('e', ?, '{}', ?)", (resource, at))
        db.execute("INSERT INTO log VALUES (?, ?, 20)", (f"Flow run '{case}' began", RUN))
        assert run_ids(path, case) == (RUN,)
        assert names(path, case)
        assert delete_rows(path, case, (RUN,)) == 3
        assert [db.execute(f"SELECT * FROM {t}").fetchall() for t in tables] == before
        compact(path)
        assert not names(path, case)


def test_a_pass_that_named_the_case_goes_whole(tmp_path: Path) -> None:
    """A failed run of purge-expired whose state names the case goes with that state: no run is left
    whose state is missing. Another's, and one without a state yet, stay.
    """
    path = tmp_path / "prefect.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE flow_run (id TEXT, parameters TEXT, tags TEXT, state_id TEXT)")
        db.execute("CREATE TABLE flow_run_state (id TEXT, flow_run_id TEXT, message TEXT)")
        rows = [("p", "s1", "case K-1: verify"), ("q", "s2", "case K-2: verify")]
        for run, state, message in rows:
            db.execute("INSERT INTO flow_run VALUES (?, '{}', '[]', ?)", (run, state))
            db.execute("INSERT INTO flow_run_state VALUES (?, ?, ?)", (state, run, message))
        db.execute("INSERT INTO flow_run VALUES ('new', '{}', '[]', NULL)")
        assert delete_rows(path, "K-1") == 2
        assert db.execute("SELECT id FROM flow_run").fetchall() == [("q",), ("new",)]


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


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("case INFO began", True),
        ("case:INFO", True),
        ("case.INFO", True),
        ("cases/INFO/request.json", True),
        ('{"case_id": "INFO"}', True),
        ('{\\"case_id\\": \\"INFO\\"}', True),
        ("Flow run 'INFO' began", True),
        ("INFO attempt 2", True),
        ("INFO#2", True),
        ("case-info-summary", True),
        ("12:00 INFO a line", False),
        ("case INFORMATION", False),
        ("showcase INFO", False),
        ('"INFO"', False),
    ],
)
def test_a_word_names_a_case_where_it_is_marked(text: str, found: bool) -> None:
    """A case called INFO is named where the text says that it is a case, and nowhere else."""
    assert bool(mention("INFO").search(text.encode())) is found
