"""Questions on the desk: the queue, what a question's page tells and keeps back, and answers, of
which two decide.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from desk_scene import PASSWORD, Browser, RunningDesk
from reviewed_run import published, results, sighting, track, with_signing_key

from data_contracts.audit import read_link
from data_contracts.tables.contracts import SIGHTINGS, TRACKS
from flows.cases.assignment import assign
from flows.cases.review import decided
from flows.runtime.environment import Environment
from infra.case_store import CaseVault
from tasks.footage.video import write_clip

pytestmark = pytest.mark.stack


@pytest.fixture
def env(env: Environment) -> Environment:
    """A site with the installation's key, which makes pseudonyms."""
    return with_signing_key(env)


@pytest.fixture
def vault(env: Environment) -> CaseVault:
    """A case with a published run that asks, seen by two reviewers and a tracer."""
    made = published(env, results(), clips=clips("S-01", "S-02", "C-01"))
    assign(env, made.case_id, ("reviewer", "other", "third", "tracer"))
    return made


def clips(*names: str) -> dict[str, bytes]:
    """Clips of three seconds."""
    grey = [np.full((180, 320, 3), 8 * k, np.uint8) for k in range(15)]
    return {f"{name}.mp4": write_clip(grey, 5) for name in names}


def question(browser: Browser, vault: CaseVault, name: str = "S-02") -> str:
    """The address of a question, as the queue links it."""
    page = browser.get(f"/cases/{vault.case_id}/questions").text
    found = re.search(rf'href="([^"]+/questions/Q-\w+)">{name}:', page)
    assert found is not None, name
    return found.group(1)


def says(browser: Browser, vault: CaseVault, verdict: str, reason: str = "taller") -> int:
    """Answer S-02; the status."""
    fields = {"verdict": verdict, "reason": reason}
    return browser.send(question(browser, vault), fields).status_code


def looks(env: Environment, vault: CaseVault) -> list[tuple]:
    """What the audit log has of looks at faces."""
    entries = [read_link(s.data).entry for s in env.audit_log.read() if s.data]
    own = [e for e in entries if (e.case_id, e.action) == (vault.case_id, "look")]
    return [(e.role, e.objects) for e in own]


def test_two_reviewers_decide(desk: RunningDesk, env: Environment, vault: CaseVault) -> None:
    """Never 5. One answer decides nothing, and twice by one account neither; the other reviewer is
    shown that there is an answer and nothing of it; after their own both are there.
    """
    one, other = desk.browser("reviewer"), desk.browser("other")
    assert says(one, vault, "reject") == 303
    assert says(one, vault, "reject") == 400
    assert decided(env, vault.case_id) == ()
    listed = other.get(f"/cases/{vault.case_id}/questions").text
    assert "answers so far: 1" in listed
    address = question(other, vault)
    before = other.get(address).text
    assert "Write it down" in before
    assert "taller" not in listed + before
    assert "Another reviewer" not in before.replace("Another reviewer answers", "")
    assert says(other, vault, "reject", "another walk") == 303
    (made,) = decided(env, vault.case_id)
    assert made.state == "rejected"
    for browser in (one, other):
        after = browser.get(address).text
        assert "taller" in after
        assert "another walk" in after
        assert "Write it down" not in after


def test_a_third_decides(desk: RunningDesk, env: Environment, vault: CaseVault) -> None:
    """Where two disagree the question stays open and waits for somebody else, who decides."""
    accounts = desk.desk.accounts
    accounts.add("third", ("reviewer",), PASSWORD)
    one, other, third = (desk.browser(name) for name in ("reviewer", "other", "third"))
    assert [says(one, vault, "reject"), says(other, vault, "confirm", "")] == [303, 303]
    assert decided(env, vault.case_id) == ()
    assert "another reviewer" in one.get(f"/cases/{vault.case_id}/questions").text
    assert "taller" not in third.get(question(third, vault)).text
    assert says(third, vault, "confirm", "") == 303
    assert [d.state for d in decided(env, vault.case_id)] == ["confirmed"]


@pytest.mark.parametrize(
    ("verdict", "reason", "told"),
    [
        ("reject", "  ", "Give a reason"),
        ("cannot-say", "", "Give a reason"),
        ("", "seen", "Choose an answer"),
        ("maybe", "seen", "Choose an answer"),
        ("reject", "x" * 501, "too long"),
    ],
)
def test_a_form_that_is_wrong(
    desk: RunningDesk, env: Environment, vault: CaseVault, verdict: str, reason: str, told: str
) -> None:
    """The page comes again with what is wrong and what was written; nothing is stored."""
    browser = desk.browser("reviewer")
    answer = browser.send(question(browser, vault), {"verdict": verdict, "reason": reason})
    assert answer.status_code == 400
    assert told in answer.text
    assert reason.strip() in answer.text
    assert "answers so far" not in browser.get(f"/cases/{vault.case_id}/questions").text


def test_only_reviewers_of_the_case(desk: RunningDesk, env: Environment, vault: CaseVault) -> None:
    """By address: a tracer, and a reviewer to whom the case is not assigned, neither see nor answer
    nor look.
    """
    address = question(desk.browser("reviewer"), vault)
    assign(env, vault.case_id, ("reviewer", "tracer"))
    for name, status in (("tracer", 403), ("other", 404)):
        browser = desk.browser(name)
        pages = (
            address,
            f"/cases/{vault.case_id}/questions",
            f"/cases/{vault.case_id}/reference/0",
        )
        told = [browser.get(path) for path in pages]
        told += [
            browser.send(path, {"verdict": "confirm"}) for path in (address, f"{address}/look")
        ]
        assert [answer.status_code for answer in told] == [status] * 5
        assert "S-02" not in "".join(answer.text for answer in told)
    assert decided(env, vault.case_id) == ()
    assert looks(env, vault) == []


def test_a_face_is_looked_at_on_demand(
    desk: RunningDesk, env: Environment, vault: CaseVault
) -> None:
    """Opening the page decodes nothing; the button is written down before anything is decoded, and
    there is none for whom the clip shows.
    """
    browser = desk.browser("reviewer")
    address = question(browser, vault)
    assert f'action="{address}/look"' in browser.get(address).text
    assert looks(env, vault) == []
    browser.send(f"{address}/look")
    assert looks(env, vault) == [("reviewer", ("S-02",))]
    sure = question(browser, vault, "S-01")
    assert "/look" not in browser.get(sure).text
    assert browser.send(f"{sure}/look").status_code == 400


def test_reference_pictures(desk: RunningDesk, vault: CaseVault) -> None:
    """Beside a sighting, as small pictures; no other file of the case by that way."""
    browser = desk.browser("reviewer")
    assert "/reference/2" in browser.get(question(browser, vault)).text
    assert "/reference/" not in browser.get(question(browser, vault, "C-01")).text
    picture = browser.get(f"/cases/{vault.case_id}/reference/0")
    assert picture.headers["content-type"] == "image/jpeg"
    for name in ("3", "-1", "x", "²"):
        assert browser.get(f"/cases/{vault.case_id}/reference/{name}").status_code == 404


def test_cameras_run_on_one_clock(desk: RunningDesk, env: Environment) -> None:
    """Clips of another camera at that moment stand beside the question's, each with its time from
    the first; one of another time does not. Who is asked about is marked on their own.
    """
    found = results()
    more = [track(8, 300, start=28, camera="lobby-a"), track(9, 300, start=70, camera="lobby-a")]
    tracks = TRACKS.shape(pd.concat([found.tracks, *more], ignore_index=True))
    beside = [
        sighting(3, 8, start=28, camera_id="lobby-a", probability=0.98, band="high"),
        sighting(4, 9, start=70, camera_id="lobby-a", probability=0.98, band="high"),
    ]
    sightings = SIGHTINGS.shape([*found.sightings.to_dict("records"), *beside])
    changed = type(found)(tracks, found.members, sightings, found.trajectory, found.contacts)
    vault = published(env, changed, clips=clips("S-02", "S-03", "S-04"))
    assign(env, vault.case_id, ("reviewer",))
    browser = desk.browser("reviewer")
    page = browser.get(question(browser, vault)).text
    shown = re.findall(r'data-start="([\d.]+)".*?pictures/(S-\d+)\.mp4', page, re.DOTALL)
    # S-02's clip is of the six seconds to its end, where its box is largest last: 44 s to 50 s.
    starts = {name: float(start) for start, name in shown}
    assert sorted(starts) == ["S-02", "S-03"]
    assert min(starts.values()) == 0
    assert page.count("data-boxes='[]'") == 1
