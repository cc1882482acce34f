"""The result's page: what it tells of a run of which each row is known, what another policy would
say, and that looking changes nothing.
"""

from __future__ import annotations

import html
import re

import numpy as np
import pytest
from desk_person import LOCALES, SIZES, Person
from desk_scene import RunningDesk
from playwright.sync_api import Browser, expect
from reviewed_run import found_in_demo, publish_again, published, with_signing_key

from data_contracts import object_key
from data_contracts.audit import read_link
from data_contracts.tables.contracts import CONTACTS
from flows.cases.assignment import assign
from flows.runtime.environment import Environment
from infra.case_store import CaseVault
from tasks.footage.video import write_clip

pytestmark = pytest.mark.stack
# An A4 sheet less its margins of 14 mm, at 96 px an inch.
SHEET_PX = 688


@pytest.fixture
def env(env: Environment) -> Environment:
    """A site with the installation's key, which makes pseudonyms."""
    return with_signing_key(env)


@pytest.fixture
def vault(env: Environment) -> CaseVault:
    """A case whose run found what there is in the demo, with a clip."""
    found, more = found_in_demo()
    grey = [np.full((180, 320, 3), 8 * k, np.uint8) for k in range(15)]
    made = published(env, found, clips={"S-01.mp4": write_clip(grey, 5)}, **more)
    assign(env, made.case_id, ("reviewer", "tracer"))
    return made


def shown(desk: RunningDesk, vault: CaseVault, query: str = "", name: str = "tracer") -> str:
    """The text of the page, without its markup."""
    browser = desk.browser(name)
    to = browser.get(f"/cases/{vault.case_id}/result").headers["location"]
    page = browser.get(to + query)
    assert page.status_code == 200, page.text
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


def test_what_it_tells(desk: RunningDesk, vault: CaseVault) -> None:
    """Onset and infectious window, each claim with what was found, contacts with their place and
    that they are proposed, gaps; the clip is linked.
    """
    said = shown(desk, vault)
    assert "Contacts: 2 proposed; confirmed: 0 of 2" in said
    assert "Onset" in said
    assert "lobby of the city service centre" in said
    assert re.search(r"corridor, back exit .*? not found", said)
    assert "Infectious, by the policy" in said
    assert "no footage" in said
    browser = desk.browser("tracer")
    page = browser.get(f"/cases/{vault.case_id}/result/R-1").text
    clip = re.search(r'src="([^"]+S-01\.mp4)"', page)
    assert clip is not None
    part = browser.get(clip.group(1), range="bytes=0-99")
    assert (part.status_code, len(part.content)) == (206, 100)


def test_another_policy(desk: RunningDesk, env: Environment, vault: CaseVault) -> None:
    """Shown at once from stored encounters: under WHO's quarter of an hour nobody counts, under a
    wider one somebody more does. Nothing is stored; an unknown policy is refused.
    """
    before = [(o.key, o.etag) for o in env.store.list(object_key.CASES, f"{vault.case_id}/")]
    assert shown(desk, vault, "?policy=who").count("would be none") == 2
    wider = shown(desk, vault, "?policy=near-2m")
    assert wider.count("would be a contact") == 1
    assert "Publish the result under this policy" in wider
    assert "Publish" not in shown(desk, vault, "?policy=near-2m", "reviewer")
    after = [(o.key, o.etag) for o in env.store.list(object_key.CASES, f"{vault.case_id}/")]
    assert after == before
    refused = desk.browser("tracer").get(f"/cases/{vault.case_id}/result/R-1?policy=../who")
    assert refused.status_code == 400


def test_near_misses(desk: RunningDesk, vault: CaseVault) -> None:
    """Who came within 3 m without being a contact, with the policies that would count them, and how
    many each policy counts.
    """
    page = desk.browser("tracer").get(f"/cases/{vault.case_id}/result/R-1/near").text
    said = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
    assert len(re.findall(r'<th scope="row">', page)) == 2
    assert "Would count under" in said
    assert "no policy" in said
    assert "(applied)" in said


def test_no_near_misses_says_so(desk: RunningDesk, env: Environment) -> None:
    """An empty list is told."""
    found, more = found_in_demo()
    kept = more["encounters"]["person_id"].isin(found.contacts["person_id"])
    more = more | {"encounters": more["encounters"][kept]}
    vault = published(env, found, **more)
    assign(env, vault.case_id, ("tracer",))
    page = desk.browser("tracer").get(f"/cases/{vault.case_id}/result/R-1/near").text
    assert "whoever came within 3 m is a contact" in html.unescape(page)


def test_confirmed_or_proposed(desk: RunningDesk, env: Environment, vault: CaseVault) -> None:
    """A list is confirmed when two reviewers confirmed each contact, and says how many otherwise;
    what they decided since is told.
    """
    found, more = found_in_demo()
    rows = found.contacts.to_dict("records")
    rows[0]["review"] = "confirmed"
    one = type(found)(**{**vars(found), "contacts": CONTACTS.shape(rows)})
    publish_again(vault, one, "R-2", **more)
    assert "proposed; confirmed: 1 of 2" in shown(desk, vault)
    rows[1]["review"] = "confirmed"
    both = type(found)(**{**vars(found), "contacts": CONTACTS.shape(rows)})
    publish_again(vault, both, "R-3", **more)
    assert "Contacts: 2 confirmed by two reviewers" in shown(desk, vault)
    assert "have decided" not in shown(desk, vault)


def test_the_print_names_the_case(desk: RunningDesk, vault: CaseVault) -> None:
    """Each sheet has the case's id and its number; the style is linked for print alone."""
    browser = desk.browser("tracer")
    page = browser.get(f"/cases/{vault.case_id}/result/R-1").text
    address = f"/cases/{vault.case_id}/print.css"
    assert f'href="{address}" media="print"' in page
    style = browser.get(address)
    assert style.headers["content-type"].startswith("text/css")
    assert vault.case_id in style.text
    assert "counter(page)" in style.text


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("size", SIZES)
def test_it_can_be_read(
    desk: RunningDesk, chromium: Browser, vault: CaseVault, language: str, size: str
) -> None:
    """No serious finding of axe, no word of the console, nothing wider than the screen or a sheet;
    another policy shows at once, without the page being opened anew.
    """
    person = Person(chromium, desk.base, language, size)
    person.log_in("tracer")
    person.open(f"/cases/{vault.case_id}/result/R-1")
    expect(person.page.locator(".counts")).to_be_visible()
    assert person.faults() == []
    person.page.evaluate("window.stays = true")
    person.page.locator("#policy").select_option("who")
    expect(person.page.locator("#contacts .badge.against")).to_have_count(2)
    assert person.page.evaluate("window.stays")
    assert person.faults() == []
    if size == "desktop":
        person.page.set_viewport_size({"width": SHEET_PX, "height": 970})
        person.page.emulate_media(media="print")
        wide = "document.documentElement.scrollWidth"
        assert person.page.evaluate(wide) <= SHEET_PX
        cells = "[...document.querySelectorAll('td')]"
        cut = f"{cells}.filter(one => one.scrollWidth > one.clientWidth + 1).length"
        assert person.page.evaluate(cut) == 0
    person.context.close()


def test_looks_are_written_down(desk: RunningDesk, env: Environment, vault: CaseVault) -> None:
    """The page, and each file that is taken from it, under the account."""
    browser = desk.browser("reviewer")
    browser.get(f"/cases/{vault.case_id}/result/R-1")
    browser.get(f"/cases/{vault.case_id}/runs/R-1/pictures/S-01.mp4")
    entries = [read_link(s.data).entry for s in env.audit_log.read() if s.data]
    own = [(e.action, e.role, e.objects) for e in entries if e.case_id == vault.case_id]
    assert ("view", "reviewer", ("result",)) in own
    assert ("view", "reviewer", ("pictures/S-01.mp4",)) in own
