"""A case's page that lives: progress by what a run has written, gaps as they come, and the stream
that ends with consent, assignment and login. Buttons that stop, start and withdraw.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from desk_scene import RunningDesk, filed_case, published_run
from live_run import add_unit, begun, report

from data_contracts.audit import read_link
from data_contracts.errors import StoreError
from flows.cases import progress
from flows.cases.assignment import assign
from flows.cases.progress import Watch
from flows.cases.withdraw import withdraw_case
from flows.desk.pages import live
from flows.runtime.environment import Environment

pytestmark = pytest.mark.stack


@contextmanager
def stream(desk: RunningDesk, name: str, case_id: str) -> Iterator[Iterator[str]]:
    """The events of a live page, one text each; comments left out."""
    browser = desk.browser(name)

    def events(answer: httpx.Response) -> Iterator[str]:
        event = ""
        for line in answer.iter_lines():
            if line:
                event += line + "\n"
            else:
                if not event.startswith(":"):
                    yield event
                event = ""

    with browser.client.stream("GET", f"/cases/{case_id}/live") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer)


def test_progress_by_what_is_written(desk: RunningDesk, env: Environment) -> None:
    """Planned once where windows overlap; looked at as workers' reports come, only what was
    planned; gaps of the plan and of a segment, the earliest first; the rest when it was gathered.
    """
    vault = filed_case(env, "tracer")
    watch = Watch(env, vault.case_id)
    begun(vault)
    first = watch.look()
    assert [(c.camera_id, c.planned_s, c.looked_s) for c in first.cameras] == [
        ("entrance", 120, 0),
        ("lobby-a", 120, 0),
    ]
    assert [stage.stage for stage in first.stages] == ["plan search"]
    assert first.how == "unknown", "no Prefect server can be asked here"
    add_unit(
        vault, "u1", report("entrance", 0, 30), report("entrance", 30, 40, "no_pictures", "blank")
    )
    add_unit(vault, "u2", report("entrance", 100, 150))
    second = watch.look()
    assert second.cameras[0].looked_s == 50
    assert [(g.kind, g.camera_id, g.detail) for g in second.gaps] == [
        ("no_pictures", "entrance", "blank"),
        ("no_footage", "lobby-a", "no segment in the store"),
    ]
    assert second == watch.look()


def test_what_the_store_could_not_give_is_read_by_the_next_look(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that fails for a moment takes nothing away from the page."""
    vault = filed_case(env, "tracer")
    begun(vault)
    watch = Watch(env, vault.case_id)
    add_unit(vault, "u1", report("entrance", 0, 30))

    def fails(*_: object) -> None:
        raise StoreError("the object store failed")

    with monkeypatch.context() as patch:
        patch.setattr(progress, "load", fails)
        with pytest.raises(StoreError):
            watch.look()
    assert watch.look().looked_s == 30


def test_the_page_lives(
    desk: RunningDesk, env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page as it is opened, then what changes as events, each a part of a page with times in
    the site's zone; published, the stream is over and the page has the result.
    """
    monkeypatch.setattr(live, "EVERY_S", 0.05)
    vault = filed_case(env, "tracer")
    begun(vault)
    browser = desk.browser("tracer")
    opened = browser.get(f"/cases/{vault.case_id}").text
    assert f'hx-sse:connect="/cases/{vault.case_id}/live"' in opened
    assert "0 s of 4 min 0 s" in opened
    with stream(desk, "tracer", vault.case_id) as events:
        assert "0 s of 4 min 0 s" in next(events)
        add_unit(vault, "u1", report("entrance", 0, 60, "unreadable", "cut short"))
        second = next(events)
        assert "cut short" in second
        assert 'title="2026-11-16 00:00:00 UTC">2026-11-16 09:00:00 +09:00</time>' in second
        add_unit(vault, "u2", report("lobby-a", 0, 90))
        assert "1 min 30 s of 4 min 0 s" in next(events)
        published_run(vault, current=True)
        assert next(events) == "event: over\ndata: over\n"
    finished = browser.get(f"/cases/{vault.case_id}").text
    assert "hx-sse:connect" not in finished
    assert "Open the report" in finished


@pytest.mark.parametrize("how", ["withdrawn", "not assigned", "removed", "roles", "logged out"])
def test_a_stream_ends_with_what_let_it_begin(
    desk: RunningDesk, env: Environment, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Nothing more comes after the consent, the assignment, the account, its role or its session is
    gone.
    """
    monkeypatch.setattr(live, "EVERY_S", 0.05)
    vault = filed_case(env, "tracer")
    begun(vault)
    end = {
        "withdrawn": lambda: withdraw_case(env, vault.case_id),
        "not assigned": lambda: assign(env, vault.case_id, ["other"]),
        "removed": lambda: desk.desk.accounts.remove("tracer"),
        "roles": lambda: desk.desk.accounts.set_roles("tracer", ["auditor"]),
        "logged out": lambda: desk.desk.sessions._by_digest.clear(),
    }[how]
    with stream(desk, "tracer", vault.case_id) as events:
        assert "4 min" in next(events)
        end()
        assert list(events) == ["event: over\ndata: over\n"]


def test_a_live_page_keeps_nobody_logged_in(desk: RunningDesk, env: Environment) -> None:
    """What a page asks by itself is no use of a session; so many streams at once and no more."""
    vault = filed_case(env, "tracer")
    begun(vault)
    browser = desk.browser("tracer")
    (session,) = desk.desk.sessions._by_digest.values()
    with browser.client.stream("GET", f"/cases/{vault.case_id}/live") as answer:
        next(answer.iter_lines())
        session.used_s -= 5000
        assert browser.get("/cases").headers["location"].startswith("/login")
    other = desk.browser("tracer")
    session = desk.desk.sessions.find(other.client.cookies["encounter-session"])
    assert session is not None
    session.streams = live.MOST_OF_SESSION
    assert other.get(f"/cases/{vault.case_id}/live").status_code == 429


def test_withdrawing_asks_first(desk: RunningDesk, env: Environment) -> None:
    """The page says what would go; without the case's id nothing goes; with it the case is
    destroyed, the page says so, and the log has who did it.
    """
    vault = filed_case(env, "consent-officer")
    path = f"/cases/{vault.case_id}"
    browser = desk.browser("consent-officer")
    assert browser.get(path).status_code == 200
    asked = browser.get(f"{path}/withdraw").text
    assert re.search(r"versions of encrypted objects: \d+", asked)
    assert browser.send(f"{path}/withdraw", {"confirmed": "yes"}).status_code == 400
    assert env.cases.has_key(vault.case_id)
    done = browser.send(f"{path}/withdraw", {"confirmed": vault.case_id})
    assert done.status_code in (200, 303)
    assert not env.cases.has_key(vault.case_id)
    page = browser.get(path)
    assert page.status_code == 410
    written = [read_link(s.data).entry for s in env.audit_log.read() if s.data]
    (entry,) = [e for e in written if e.action == "withdraw" and e.case_id == vault.case_id]
    assert entry.actor.startswith("account:")
    assert entry.role == "consent-officer"


def test_a_server_that_is_down_is_told(desk: RunningDesk, env: Environment) -> None:
    """Starting and stopping without the orchestrator: a page that says so, no traceback."""
    vault = filed_case(env, "tracer")
    browser = desk.browser("tracer")
    for what in ("run", "stop"):
        answer = browser.send(f"/cases/{vault.case_id}/{what}")
        assert answer.status_code == 503
        assert "does not answer" in answer.text


def test_the_auditor_reads_the_log(desk: RunningDesk, env: Environment) -> None:
    """Entries of a case, the last first, by pseudonym; and no case."""
    vault = filed_case(env, "auditor")
    desk.browser("tracer").get(f"/cases/{vault.case_id}")
    auditor = desk.browser("auditor")
    page = auditor.get(f"/audit?case={vault.case_id}")
    assert page.status_code == 200
    assert "who sees the case" in page.text
    assert "<code>authorise</code>" in page.text
    assert auditor.get("/audit?case=%3Cscript%3E").status_code == 400
    assert auditor.get(f"/cases/{vault.case_id}").status_code == 403


def test_an_orchestrator_that_does_not_answer_holds_no_page_up(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs: the look is there in seconds, with what workers wrote and without its word."""
    vault = filed_case(env, "tracer")
    begun(vault)
    ended = threading.Event()
    monkeypatch.setattr(progress, "_ASK_S", 0.2)
    monkeypatch.setattr(progress, "server_listens", lambda: ended.wait(60))
    add_unit(vault, "u1", report("lobby-a", 0, 90))
    try:
        began = time.monotonic()
        found = progress.Watch(env, vault.case_id).look()
        assert time.monotonic() - began < 30
    finally:
        ended.set()
    assert found.how == "unknown"
    assert found.looked_s == 90
