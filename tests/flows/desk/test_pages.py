"""The desk's pages over HTTP: login, cases, artefacts, administration."""

from __future__ import annotations

import re
import time

import pyotp
import pytest
from desk_scene import PASSWORD, REPORT, RunningDesk, filed_case, published_run

from data_contracts.audit import read_link
from flows.cases.withdraw import withdraw_case
from flows.runtime.environment import Environment

pytestmark = pytest.mark.stack


def entries(env: Environment) -> list:
    """The audit log's entries."""
    return [read_link(s.data).entry for s in env.audit_log.read() if s.data]


def test_an_account_sees_its_own_cases(desk: RunningDesk, env: Environment) -> None:
    """The list has the case that is assigned and not the other; its page shows state and results;
    both looks are in the audit log under the account.
    """
    own = filed_case(env, "tracer")
    foreign = filed_case(env, "other")
    run = published_run(own)
    browser = desk.browser("tracer")
    listed = browser.get("/cases").text
    assert own.case_id in listed
    assert foreign.case_id not in listed
    page = browser.get(f"/cases/{own.case_id}")
    assert page.status_code == 200
    assert run.run_id in page.text
    assert browser.get(f"/cases/{foreign.case_id}").status_code == 404
    last = [e for e in entries(env) if e.actor.startswith("account:")][-3:]
    assert [(e.action, e.role, e.case_id) for e in last] == [
        ("view", "tracer", None),
        ("view", "tracer", own.case_id),
        ("refuse", "tracer", None),
    ]


def test_the_report_and_its_clips(desk: RunningDesk, env: Environment) -> None:
    """The report as it was written, under a policy that lets in its one style; a clip by ranges; a
    table to save; nothing that is not an artefact; nothing may be kept.
    """
    vault = filed_case(env, "reviewer")
    base = f"/cases/{vault.case_id}/runs/{published_run(vault).run_id}"
    browser = desk.browser("reviewer")
    report = browser.get(f"{base}/report.html")
    assert report.content == REPORT
    assert report.headers["cache-control"] == "no-store"
    assert re.search(r"style-src 'sha256-[\w+/=]{44}'", report.headers["content-security-policy"])
    part = browser.get(f"{base}/pictures/S-01.mp4", range="bytes=256-511")
    assert (part.status_code, part.content) == (206, bytes(range(256)))
    assert part.headers["content-range"] == "bytes 256-511/2048"
    tail = browser.get(f"{base}/pictures/S-01.mp4", range="bytes=-10")
    assert tail.content == bytes(range(246, 256))
    assert browser.get(f"{base}/pictures/S-01.mp4", range="bytes=9999-").status_code == 416
    saved = browser.get(f"{base}/contacts.csv")
    assert saved.headers["content-disposition"].startswith("attachment")
    for other in ("manifest.json", "../../request.json", "nothing", "pictures/"):
        assert browser.get(f"{base}/{other}").status_code in (403, 404), other
    views = [e for e in entries(env) if e.case_id == vault.case_id and e.action == "view"]
    assert [e.objects for e in views][:2] == [("report.html",), ("pictures/S-01.mp4",)]


def test_a_withdrawn_case_says_so(desk: RunningDesk, env: Environment) -> None:
    """Whoever saw the case is told that it is destroyed and why; who did not sees nothing."""
    vault = filed_case(env, "tracer")
    run = published_run(vault)
    browser = desk.browser("tracer")
    assert browser.get(f"/cases/{vault.case_id}").status_code == 200
    withdraw_case(env, vault.case_id)
    page = browser.get(f"/cases/{vault.case_id}")
    assert page.status_code == 410
    assert "withdrew their consent" in page.text
    assert "destroyed" in browser.get("/cases").text
    assert browser.get(f"/cases/{vault.case_id}/runs/{run.run_id}/report.html").status_code == 404
    assert desk.browser("other").get(f"/cases/{vault.case_id}").status_code == 404


def test_a_first_password_must_be_changed(desk: RunningDesk) -> None:
    """An administrator makes an account; its password opens nothing but the page that changes it;
    the change ends the other sessions.
    """
    made = desk.browser("administrator").send(
        "/administration/add", {"name": "dr-kim", "role": ["reviewer", "tracer"]}
    )
    word = re.search(r'class="secret">([^<]+)<', made.text)
    assert word is not None
    first = desk.browser()
    assert first.log_in("dr-kim", word.group(1)).headers["location"] == "/account"
    assert first.get("/cases").headers["location"] == "/account"
    second = desk.browser()
    second.log_in("dr-kim", word.group(1))
    fields = {
        "present": word.group(1),
        "password": "quite another one",
        "again": "quite another one",
    }
    changed = first.send("/account/password", fields)
    assert changed.status_code == 303
    assert first.get("/cases").status_code == 200
    assert second.get("/cases").headers["location"].startswith("/login")
    assert desk.browser().log_in("dr-kim", word.group(1)).status_code == 401


def test_one_time_codes(desk: RunningDesk) -> None:
    """Switched on with a code; from then on a login needs one, and each counts once."""
    browser = desk.browser("tracer")
    secret = re.search(r">([A-Z2-7]{32})<", browser.get("/account").text)
    assert secret is not None
    code = pyotp.TOTP(secret.group(1))
    wrong = browser.send("/account/codes", {"code": "000000", "present": PASSWORD})
    assert wrong.status_code == 400
    now = code.now()
    assert browser.send("/account/codes", {"code": now, "present": PASSWORD}).status_code == 303
    assert desk.browser().log_in("tracer").status_code == 401
    assert desk.browser().log_in("tracer", code=now).status_code == 401, "spent"
    later = code.at(int(time.time()) + 30)
    assert desk.browser().log_in("tracer", code=later).status_code == 303


def test_administration(desk: RunningDesk, env: Environment) -> None:
    """Roles, a new first password, removal and assignment count at once, and are written down; an
    administrator cannot do them to themselves.
    """
    vault = filed_case(env)
    admin = desk.browser("administrator")
    reviewer = desk.browser("reviewer")
    fields = {"case": vault.case_id, "account": ["reviewer"]}
    assert admin.send("/administration/assign", fields).status_code == 303
    assert vault.case_id in reviewer.get("/cases").text
    admin.send("/administration/roles", {"name": "reviewer", "role": ["auditor"]})
    assert reviewer.get("/cases").headers["location"].startswith("/login")
    tracer = desk.browser("tracer")
    admin.send("/administration/remove", {"name": "tracer"})
    assert tracer.get("/cases").headers["location"].startswith("/login")
    for what in ("roles", "password", "remove"):
        sent = {"name": "administrator", "role": ["tracer"]}
        assert admin.send(f"/administration/{what}", sent).status_code == 400
    written = [e for e in entries(env) if e.action == "configure" and e.role == "administrator"]
    assert [e.reason for e in written[-3:]] == [
        "who sees the case",
        "desk: roles changed",
        "desk: account removed",
    ]
