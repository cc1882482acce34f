"""Somebody at the desk in Debian's Chromium."""

from __future__ import annotations

from pathlib import Path

from desk_scene import PASSWORD
from playwright.sync_api import Browser, Page, expect

# On a loaded machine.
expect.set_options(timeout=90_000)
AXE = Path(__file__).parent / "axe" / "axe.min.js"
LOCALES = {"en": "en-GB", "ko": "ko-KR"}
SIZES = {"phone": (390, 844), "desktop": (1200, 800)}
# What must not be found, by axe's own weight.
SERIOUS = ("serious", "critical")


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
