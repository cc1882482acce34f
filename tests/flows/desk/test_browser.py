"""The desk in a real browser: Debian's Chromium, by keyboard, in both languages, as wide as a
phone.

Every page is held against axe (WCAG 2.2 A and AA), against what the browser's console says, which
tells what the content security policy kept out, and against the width of the screen.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk_scene import PASSWORD, RunningDesk, filed_case, published_run
from live_run import add_unit, begun, report
from playwright.sync_api import Browser, Page, expect, sync_playwright

from flows.desk.pages import live
from flows.runtime.environment import Environment

pytestmark = pytest.mark.stack
# On a loaded machine.
expect.set_options(timeout=30_000)
AXE = Path(__file__).parents[2] / "support" / "axe" / "axe.min.js"
LOCALES = {"en": "en-GB", "ko": "ko-KR"}
SIZES = {"phone": (390, 844), "desktop": (1200, 800)}
# What must not be found, by axe's own weight.
SERIOUS = ("serious", "critical")
_OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true; })"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    path = shutil.which("chromium")
    assert path is not None, "no chromium here: run  apt-get install chromium  (make chromium)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Person:
    """Somebody at a screen; whatever the console says is kept."""

    def __init__(self, chromium: Browser, base: str, language: str, size: str) -> None:
        width, height = SIZES[size]
        self.context = chromium.new_context(
            locale=LOCALES[language], viewport={"width": width, "height": height}
        )
        self.page: Page = self.context.new_page()
        self.base = base
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def open(self, path: str) -> None:
        """Open a page of the desk."""
        self.page.goto(f"{self.base}{path}")

    def log_in(self, name: str) -> None:
        """By keyboard alone: the first field has the focus, Enter sends the form."""
        self.open("/login")
        expect(self.page.locator("#account")).to_be_focused()
        for typed in (name, PASSWORD):
            self.page.keyboard.type(typed)
            self.page.keyboard.press("Tab")
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_role("link", name=name)).to_be_visible()

    def faults(self) -> list[str]:
        """What is wrong with the page that is open."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        result = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        found = [
            f"{v['id']}: {node['html'][:100]}"
            for v in result["violations"]
            if v["impact"] in SERIOUS
            for node in v["nodes"]
        ]
        wide = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return [*found, *self.said, *([f"{wide} px too wide"] if wide > 0 else [])]


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
        "administrator": ("/administration",),
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
