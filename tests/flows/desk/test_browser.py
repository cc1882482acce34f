"""The desk in a real browser: Debian's Chromium, by keyboard, in both languages, as wide as a
phone.

Every page is held against axe (WCAG 2.2 A and AA), against what the browser's console says, which
tells what the content security policy kept out, and against the width of the screen.
"""

from __future__ import annotations

import pytest
from desk_person import LOCALES, SIZES, Person
from desk_scene import RunningDesk, filed_case, published_run
from live_run import add_unit, begun, report
from playwright.sync_api import Browser, expect

from flows.desk.pages import live
from flows.runtime.environment import Environment

pytestmark = pytest.mark.stack
_OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true; })"


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("size", SIZES)
def test_every_page_can_be_read(
    desk: RunningDesk, env: Environment, chromium: Browser, language: str, size: str
) -> None:
    """No serious finding of axe, no word of the console, nothing wider than the screen; the
    language is the browser's.
    """
    vault = filed_case(env, "tracer")
    begun(vault)
    add_unit(vault, "u1", report("entrance", 0, 60), report("lobby-a", 0, 9, "unreadable", "cut"))
    case = f"/cases/{vault.case_id}"
    visits = {
        "tracer": ("/cases", case, f"{case}/stop", f"{case}/withdraw", "/account"),
        "administrator": (
            "/administration",
            "/cameras",
            "/cameras/one/lobby-a",
            "/cameras/import",
            "/cameras/plan",
        ),
        "auditor": ("/audit",),
    }
    for name, paths in visits.items():
        person = Person(chromium, desk.base, language, size)
        person.open("/login")
        assert person.page.locator("html").get_attribute("lang") == language
        assert person.faults() == [], "/login"
        person.log_in(name)
        for path in paths:
            person.open(path)
            person.page.evaluate(_OPEN_ALL)
            assert person.faults() == [], path
        person.context.close()


def test_a_case_as_it_lives(
    desk: RunningDesk, env: Environment, chromium: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tracer logs in by keyboard, opens their case, sees gaps and footage come without a touch,
    and the results when the run is over; then in Korean by the switch.
    """
    monkeypatch.setattr(live, "EVERY_S", 0.2)
    vault = filed_case(env, "tracer")
    begun(vault)
    person = Person(chromium, desk.base, "en", "desktop")
    person.log_in("tracer")
    person.page.get_by_role("link", name=vault.case_id).press("Enter")
    expect(person.page.get_by_text("0 s of 4 min 0 s")).to_be_visible()
    add_unit(vault, "u1", report("entrance", 0, 60, "unreadable", "cut short"))
    add_unit(vault, "u2", report("lobby-a", 0, 90))
    expect(person.page.get_by_text("1 min 30 s of 4 min 0 s")).to_be_visible()
    expect(person.page.get_by_text("cut short")).to_be_visible()
    published_run(vault, current=True)
    expect(person.page.get_by_role("link", name="Open the report")).to_be_visible()
    person.page.get_by_role("button", name="한국어").click()
    expect(person.page.get_by_role("link", name="보고서 열기")).to_be_visible()
    assert person.said == []
    person.context.close()
