"""The whole of filing in a real browser, in both languages: from logging in as a tracer to a filed
case, with what goes wrong on the way: a picture of two people, a bad row, somebody else's key.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from desk_person import LOCALES, SIZES, Person
from desk_scene import RunningDesk
from filing_scene import FRONTAL, filled, signers
from playwright.sync_api import Browser, Request, expect

from data_contracts.errors import ModelUnavailable
from flows.cases import draft_signing
from flows.desk.language import Language, translations
from flows.runtime.environment import Environment
from flows.runtime.open_case import open_case

pytestmark = pytest.mark.stack
PASTED = (
    "place\tfrom\tto\n"
    "corridor, back exit\t2026. 11. 16. 오전 10:02\t10:03\n"
    "lobby\t3/4/2026 9:00\t9:30\n"
)


@pytest.fixture(autouse=True)
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Filing without the networks: the run compares the pictures first."""

    def missing(*_: object) -> Any:
        raise ModelUnavailable("left out in this test")

    monkeypatch.setattr(draft_signing, "models", missing)


def pem_of(private: dict[str, str]) -> bytes:
    """A key as PKCS#8 in PEM."""
    secret = base64.urlsafe_b64decode(private["d"] + "=")
    key = Ed25519PrivateKey.from_private_bytes(secret)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def faults(person: Person) -> list[str]:
    """What is wrong with a page, but that Chromium's console tells of an answer that refused what
    was typed.
    """
    return [said for said in person.faults() if "status of 422" not in said]


class Sent:
    """Everything that a browser sends."""

    def __init__(self, person: Person) -> None:
        self.all: list[str] = []
        person.page.on("request", self._keep)

    def _keep(self, request: Request) -> None:
        body = (request.post_data_buffer or b"").decode("latin-1")
        self.all.append(f"{request.url} {json.dumps(request.headers)} {body}")

    def nothing_of(self, private: dict[str, str]) -> bool:
        """Whether nothing of a private key is in it, however it may be written."""
        secret = base64.urlsafe_b64decode(private["d"] + "=")
        forms = (
            private["d"],
            base64.b64encode(secret).decode().rstrip("="),
            base64.b64encode(pem_of(private)).decode()[40:80],
            secret.hex(),
            pem_of(private).decode().splitlines()[1][-30:],
        )
        return bool(self.all) and not any(f in said for f in forms for said in self.all)


@pytest.mark.parametrize(("language", "size"), [("en", "desktop"), ("ko", "phone")])
def test_a_case_is_filed_in_the_browser(
    desk: RunningDesk,
    env: Environment,
    chromium: Browser,
    tmp_path: Path,
    language: Language,
    size: str,
) -> None:
    """A tracer files, an officer signs the consent, an approver the approval, each at their own
    screen; the page of the filed case opens. The private keys leave no trace in any request.
    """
    say = translations(language).gettext
    case_id = f"K-WALK-{language.upper()}"
    keys = signers(env)
    tracer = Person(chromium, desk.base, language, size)
    page = tracer.page
    tracer.log_in("tracer")
    page.get_by_role("link", name=say("Filing"), exact=True).click()
    page.get_by_role("button", name=say("File a new case")).click()
    expect(page.locator("#case_id")).to_be_focused()
    page.keyboard.type(case_id.lower())
    page.locator("#subject").fill("S-17")
    page.locator("#onset").fill("2026-11-16")
    page.locator("#onset").blur()
    expect(page.locator("#window")).to_contain_text("2026-11-29")
    page.get_by_role("button", name=say("On to the itinerary")).click()

    page.locator("#place-1").fill("lobby of the city service centre")
    page.locator("#start-1").fill("2026-11-16T09:00:09")
    page.locator("#end-1").fill("2026-11-16T09:02:32")
    page.get_by_text(say("Paste from a spreadsheet")).click()
    page.locator("#pasted").fill(PASTED)
    page.get_by_role("button", name=say("Take the rows over")).click()
    wrong = say("Day and month can be taken for one another: write 2026-11-16 09:00.")
    expect(page.locator("#start-3-wrong")).to_have_text(wrong)
    tracer.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert faults(tracer) == []
    page.locator("button[value='remove-3']").click()
    expect(page.locator("#place-3")).to_have_count(0)
    page.get_by_role("button", name=say("On to the pictures")).last.click()

    face = cv2.imread(str(FRONTAL))
    two = tmp_path / "two.png"
    cv2.imwrite(str(two), np.hstack([face, face]))
    page.locator("#picture").set_input_files([two, FRONTAL])
    refused = say("Several people are in it: crop it so that only the person is left.")
    expect(page.get_by_role("alert")).to_contain_text(refused)
    expect(page.locator(".pictures img")).to_have_count(1)
    assert faults(tracer) == []
    page.get_by_role("link", name=say("On to the check")).click()
    assert faults(tracer) == []
    page.locator("#officer").select_option("consent-officer")
    page.locator("#approver").select_option("approver")
    page.get_by_role("button", name=say("Hand over to be signed")).click()
    expect(page.get_by_text(say("waits for the consent officer"))).to_be_visible()

    for role, name, private, basis in (
        ("consent", "consent-officer", keys["consent"], "written consent, file 42"),
        ("approval", "approver", keys["approval"], ""),
    ):
        person = Person(chromium, desk.base, language, size)
        sent = Sent(person)
        page = person.page
        person.log_in(name)
        page.get_by_role("link", name=say("Filing"), exact=True).click()
        page.get_by_role("link", name=case_id).click()
        if basis:
            page.locator("#basis").fill(basis)
        page.locator("#key").select_option(private["kid"])
        page.get_by_role("button", name=say("Show what is signed")).click()
        expect(page.get_by_text(say("It will not allow")).last).to_be_visible()
        own = tmp_path / f"{role}.pem"
        own.write_bytes(pem_of(private))
        foreign = tmp_path / f"{role}-foreign.jwk"
        foreign.write_text(json.dumps(keys["both"]))
        button = page.locator("#sign")
        page.locator("#key-file").set_input_files(foreign)
        button.click()
        expect(page.locator("#key-says")).to_contain_text(re.compile(".{10}"))
        assert faults(person) == []
        page.locator("#key-file").set_input_files(own)
        button.click()
        if role == "consent":
            expect(page).to_have_url(f"{desk.base}/filing")
        else:
            expect(page).to_have_url(f"{desk.base}/cases/{case_id}")
        assert sent.nothing_of(private)
        assert sent.nothing_of(keys["both"])
        assert person.said == []
        person.context.close()
    case = open_case(case_id, env)
    assert [v.place for v in case.request.itinerary] == [
        "lobby of the city service centre",
        "corridor, back exit",
    ]
    tracer.open(f"/cases/{case_id}")
    expect(tracer.page.get_by_text(case_id).first).to_be_visible()
    tracer.context.close()


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("size", SIZES)
def test_every_page_of_filing_can_be_read(
    desk: RunningDesk, env: Environment, chromium: Browser, language: str, size: str
) -> None:
    """No serious finding of axe, no word of the console, nothing wider than the screen."""
    signers(env)
    browser = desk.browser("tracer")
    at = filled(browser, f"K-READ-{language.upper()}-{size.upper()}")
    tracer = Person(chromium, desk.base, language, size)
    tracer.log_in("tracer")
    for path in (
        "/filing",
        *(f"{at}/{s}" for s in ("person", "itinerary", "pictures", "hand-over")),
    ):
        tracer.open(path)
        tracer.page.evaluate(
            "document.querySelectorAll('details').forEach(d => { d.open = true; })"
        )
        assert faults(tracer) == [], path
    tracer.context.close()
    browser.send(f"{at}/hand-over", {"officer": "consent-officer", "approver": "approver"})
    officer = Person(chromium, desk.base, language, size)
    officer.log_in("consent-officer")
    officer.open(f"{at}/consent")
    officer.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert faults(officer) == []
    officer.context.close()
