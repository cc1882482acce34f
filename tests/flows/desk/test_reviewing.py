"""Two reviewers at their screens: the clips a frame at a time, answers by keys, and what both see
then.
"""

from __future__ import annotations

import numpy as np
import pytest
from desk_person import LOCALES, SIZES, Person
from desk_scene import RunningDesk
from playwright.sync_api import Browser, expect
from reviewed_run import published, results, with_signing_key

from data_contracts.audit import read_link
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
    """A case with a published run that asks, seen by two reviewers; its clips have 30 frames."""
    grey = [np.full((180, 320, 3), 8 * k, np.uint8) for k in range(30)]
    names = ("S-01", "S-02", "C-01")
    made = published(env, results(), clips={f"{n}.mp4": write_clip(grey, 5) for n in names})
    assign(env, made.case_id, ("reviewer", "other"))
    return made


def opened(person: Person, vault: CaseVault, name: str) -> None:
    """Open a question from the queue."""
    person.open(f"/cases/{vault.case_id}/questions")
    person.page.locator("th a", has_text=f"{name}:").click()
    expect(person.page.locator(".controls")).to_be_visible()


def test_two_at_once(
    desk: RunningDesk, env: Environment, chromium: Browser, vault: CaseVault
) -> None:
    """Both have the question open; the first rejects by keys, which decides nothing (never 5) and
    shows the second nothing; when the second has answered, both see that it is decided.
    """
    people = [Person(chromium, desk.base, "en", "desktop") for _ in range(2)]
    for person, name in zip(people, ("reviewer", "other"), strict=True):
        person.log_in(name)
        opened(person, vault, "S-02")
    one, other = people
    one.page.keyboard.press("r")
    expect(one.page.locator("#reason")).to_be_focused()
    one.page.keyboard.type("taller by a head")
    one.page.keyboard.press("Control+Enter")
    expect(one.page.get_by_text("open until two reviewers agree")).to_be_visible()
    assert decided(env, vault.case_id) == ()
    other.page.reload()
    expect(other.page.get_by_text("taller by a head")).to_have_count(0)
    other.page.keyboard.press("r")
    other.page.keyboard.type("another walk")
    other.page.keyboard.press("Control+Enter")
    expect(other.page.get_by_text("taller by a head")).to_be_visible()
    assert [d.state for d in decided(env, vault.case_id)] == ["rejected"]
    one.page.reload()
    expect(one.page.get_by_text("another walk")).to_be_visible()
    assert one.said == other.said == []
    for person in people:
        person.context.close()


def test_frame_by_frame(
    desk: RunningDesk, env: Environment, chromium: Browser, vault: CaseVault
) -> None:
    """Keys go a frame on and back and play; the clip follows, with the frame around who is asked
    about; the audit log has the look at the clip, once and not for each frame.
    """
    person = Person(chromium, desk.base, "en", "desktop")
    person.log_in("reviewer")
    opened(person, vault, "S-02")
    now = person.page.locator(".now")
    expect(now).to_have_text("Frame 1 of 30")
    for _ in range(3):
        person.page.keyboard.press("ArrowRight")
    person.page.keyboard.press("ArrowLeft")
    expect(now).to_have_text("Frame 3 of 30")
    time = person.page.locator("video").evaluate("one => one.currentTime")
    assert time == pytest.approx(2.5 / 5)
    assert float(person.page.locator(".mark-box").get_attribute("width") or 0) == 60
    person.page.keyboard.press(" ")
    expect(now).to_have_text("Frame 30 of 30")
    entries = [read_link(s.data).entry for s in env.audit_log.read() if s.data]
    seen = [e for e in entries if e.case_id == vault.case_id and "pictures/S-02.mp4" in e.objects]
    assert 1 <= len(seen) <= 3
    assert person.said == []
    person.context.close()


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("size", SIZES)
def test_its_pages_can_be_read(
    desk: RunningDesk, chromium: Browser, vault: CaseVault, language: str, size: str
) -> None:
    """Queue, a sighting and a contact: no serious finding of axe, no word of the console, nothing
    wider than the screen.
    """
    person = Person(chromium, desk.base, language, size)
    person.log_in("reviewer")
    person.open(f"/cases/{vault.case_id}/questions")
    assert person.faults() == []
    for name in ("S-02", "C-01"):
        opened(person, vault, name)
        assert person.faults() == [], name
    person.context.close()
