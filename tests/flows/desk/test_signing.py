"""Consent and approval on the desk: offered, signed, refused, filed; over HTTP, with a signature as
the browser makes it. The browser itself: test_filing_browser.py.
"""

from __future__ import annotations

import base64
import itertools
import re
from typing import Any

import httpx
import pytest
from desk_scene import DEMO, Browser, RunningDesk
from filing_scene import LOBBY, PERSON, entries, filled, signers, with_files
from joserfc.jwk import OKPKey

from data_contracts.errors import ModelUnavailable
from data_contracts.time import now_utc
from flows.cases import draft_signing, drafts
from flows.cases.assignment import assigned
from flows.cases.drafts import read
from flows.runtime.environment import Environment
from flows.runtime.open_case import open_case
from tasks.consent.grant_token import verify

pytestmark = pytest.mark.stack
_numbers = itertools.count(1)
ALLOWS = {
    "scope": ["face"],
    "camera": ["*"],
    "from": "2026-11-14",
    "to": "2026-11-17",
    "days": "14",
    "basis": "written consent, file 42",
    "max_cameras": "200",
    "max_runs": "10",
}


@pytest.fixture(autouse=True)
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Filing without the networks: the run compares the pictures first. Drawn here so that a
    filing takes a second.
    """

    def missing(*_: object) -> Any:
        raise ModelUnavailable("left out in this test")

    monkeypatch.setattr(draft_signing, "models", missing)


def handed_over(desk: RunningDesk, case_id: str = "") -> str:
    """A draft that waits for the consent; its address."""
    browser = desk.browser("tracer")
    at = filled(browser, case_id or f"K-SIGN-{next(_numbers):04d}")
    given = {"officer": "consent-officer", "approver": "approver"}
    answer = browser.send(f"{at}/hand-over", given)
    assert answer.status_code == 303, answer.text
    return at


def sign(private: dict[str, str], page: str) -> tuple[str, str]:
    """What the browser sends for a page: which offer it showed, and the signature over the very
    text that stands on it.
    """
    texts = re.findall(r'<pre id="(?:header|claims)" class="exact">(.*?)</pre>', page)
    assert len(texts) == 2
    plain = [t.replace("&#34;", '"').replace("&#39;", "'").replace("&amp;", "&") for t in texts]
    parts = [base64.urlsafe_b64encode(t.encode()).rstrip(b"=") for t in plain]
    key = OKPKey.import_key({k: private[k] for k in ("kty", "crv", "x", "d")})
    signature = base64.urlsafe_b64encode(key.private_key.sign(b".".join(parts)))
    mark = re.search(r'name="mark" value="([0-9a-f]{64})"', page)
    assert mark is not None
    return mark.group(1), signature.rstrip(b"=").decode()


def offered(browser: Browser, at: str, role: str, private: dict[str, str], **other: object) -> str:
    """The page on which somebody signs."""
    answer = browser.send(f"{at}/{role}/offer", {**ALLOWS, "key": private["kid"], **other})
    assert answer.status_code == 303, answer.text
    return browser.get(f"{at}/{role}").text


def signed(
    browser: Browser, at: str, role: str, private: dict[str, str], **other: object
) -> httpx.Response:
    """Offer, look, sign."""
    mark, signature = sign(private, offered(browser, at, role, private, **other))
    return browser.send(f"{at}/{role}/sign", {"mark": mark, "signature": signature})


def test_two_people_sign_and_the_case_is_filed(desk: RunningDesk, env: Environment) -> None:
    """The officer sees in words what the consent allows and what not, and signs; the approver sees
    that consent, and signs; the case is filed under both tokens, the three see it, and the draft is
    gone. Each act is in the log under its account.
    """
    keys = signers(env)
    at = handed_over(desk, "K-SIGN-FILED")
    officer = desk.browser("consent-officer")
    assert "waits for the consent officer" in officer.get("/filing").text
    page = offered(officer, at, "consent", keys["consent"])
    for said in ("by the face", "on every camera", "2026-11-14 00:00 +09:00", "clothes, build"):
        assert said in page
    assert signed(officer, at, "consent", keys["consent"]).headers["location"] == "/filing"
    approver = desk.browser("approver")
    assert "written consent, file 42" in approver.get(f"{at}/approval").text
    done = signed(approver, at, "approval", keys["approval"])
    assert done.headers.get("location") == "/cases/K-SIGN-FILED", done.text
    case = open_case("K-SIGN-FILED", env)
    assert case.authorised.scopes == {"face"}
    assert case.references == {"picture-1.jpg": (DEMO / "reference" / "frontal.jpg").read_bytes()}
    assert assigned(case.vault) == ("approver", "consent-officer", "tracer")
    for name in ("tracer", "consent-officer", "approver"):
        assert desk.browser(name).get("/cases/K-SIGN-FILED").status_code == 200
    assert not env.cases.has_key(at.rpartition("/")[2])
    about = [e for e in entries(env) if e.case_id == at.rpartition("/")[2]]
    signs = [(e.reason, e.role, e.verified_by) for e in about if e.action == "sign"]
    assert signs == [
        ("consent", "consent-officer", (f"key:{keys['consent']['kid']}",)),
        ("approval", "approver", (f"key:{keys['approval']['kid']}",)),
    ]


def test_the_browser_signs_the_very_bytes_of_the_command_line(
    desk: RunningDesk, env: Environment
) -> None:
    """The token that a page's signature makes is checked as every other, and says what was set."""
    keys = signers(env)
    at = handed_over(desk)
    officer = desk.browser("consent-officer")
    signed(officer, at, "consent", keys["consent"])
    token = read(env, at.rpartition("/")[2]).consent
    grant = verify(token, "consent", draft_signing.trusted_keys(env), now_utc())
    assert grant.scopes == ("face",)
    assert grant.cameras == ("*",)
    assert (grant.to_utc - grant.from_utc).days == 4


def test_what_was_signed_is_what_was_shown(desk: RunningDesk, env: Environment) -> None:
    """A draft that was changed between showing and signing, an offer that was made anew, a text
    that was changed on the page, another's key: refused, and nothing is signed.
    """
    keys = signers(env)
    at = handed_over(desk)
    draft_id = at.rpartition("/")[2]
    officer = desk.browser("consent-officer")
    tracer = desk.browser("tracer")
    page = offered(officer, at, "consent", keys["consent"])
    mark, signature = sign(keys["consent"], page)

    wider = sign(keys["consent"], page.replace("face", "appearance"))[1]
    for wrong in (wider, sign(keys["approval"], page)[1], "", "x" * 86, signature[:-4] + "AAAA"):
        answer = officer.send(f"{at}/consent/sign", {"mark": mark, "signature": wrong})
        assert answer.status_code == 422
    offered(officer, at, "consent", keys["consent"], scope=["face", "appearance"])
    answer = officer.send(f"{at}/consent/sign", {"mark": mark, "signature": signature})
    assert answer.status_code == 422
    assert "look again" in answer.text

    page = offered(officer, at, "consent", keys["consent"])
    mark, signature = sign(keys["consent"], page)
    assert tracer.send(f"{at}/take-back").status_code == 303
    other = {**LOBBY, "end": "2026-11-16T10:00:00", "do": "save"}
    assert tracer.send(f"{at}/itinerary", other).status_code == 303
    sent = {"mark": mark, "signature": signature}
    assert officer.send(f"{at}/consent/sign", sent).status_code == 404
    given = {"officer": "consent-officer", "approver": "approver"}
    assert tracer.send(f"{at}/hand-over", given).status_code == 303
    answer = officer.send(f"{at}/consent/sign", sent)
    assert answer.status_code == 422
    assert "changed meanwhile" in answer.text
    assert read(env, draft_id).consent == ""
    assert read(env, draft_id).stage == "consent"


def test_one_person_cannot_sign_both(desk: RunningDesk, env: Environment) -> None:
    """Not the account to which both were handed, and not one person's key for both roles."""
    keys = signers(env)
    browser = desk.browser("tracer")
    desk.desk.accounts.set_roles("other", ("consent-officer", "approver"))
    at = filled(browser, f"K-SIGN-{next(_numbers):04d}")
    both = browser.send(f"{at}/hand-over", {"officer": "other", "approver": "other"})
    assert both.status_code == 422
    at = handed_over(desk)
    assert signed(desk.browser("consent-officer"), at, "consent", keys["both"]).status_code == 303
    approver = desk.browser("approver")
    answer = signed(approver, at, "approval", keys["both"])
    assert answer.status_code == 422
    assert "two people must sign" in answer.text
    assert read(env, at.rpartition("/")[2]).stage == "approval"


def test_only_whose_turn_it_is(desk: RunningDesk, env: Environment) -> None:
    """The approver before the consent, the officer after it, another officer, the author: not for
    them.
    """
    keys = signers(env)
    at = handed_over(desk)
    assert desk.browser("approver").get(f"{at}/approval").status_code == 404
    assert desk.browser("tracer").get(f"{at}/consent").status_code == 403
    desk.desk.accounts.set_roles("other", ("consent-officer", "approver", "tracer"))
    assert desk.browser("other").get(f"{at}/consent").status_code == 404
    officer = desk.browser("consent-officer")
    assert signed(officer, at, "consent", keys["consent"]).status_code == 303
    answer = officer.get(f"{at}/consent")
    assert (answer.status_code, "another step" in answer.text) == (400, True)
    assert desk.browser("approver").get(f"{at}/picture/picture-1.jpg").status_code == 200


def test_a_token_of_the_command_line(desk: RunningDesk, env: Environment) -> None:
    """Signed elsewhere for these papers it is taken, pasted or as a file; for other papers, for
    the other role, or garbage it is refused.
    """
    keys = signers(env)
    at = handed_over(desk)
    draft_id = at.rpartition("/")[2]
    officer = desk.browser("consent-officer")
    other = handed_over(desk)
    signed(officer, other, "consent", keys["consent"])
    foreign = read(env, other.rpartition("/")[2]).consent
    page = offered(officer, at, "consent", keys["consent"])
    signature = sign(keys["consent"], page)[1]
    made = read(env, draft_id).offer
    assert made is not None
    token = f"{made.unsigned}.{signature}"
    for wrong in (foreign, "", "garbage", token[:-8], made.unsigned):
        answer = officer.send(f"{at}/consent/token", {"token": wrong})
        assert answer.status_code == 422, wrong[:20]
    files = [("file", ("consent.jws", token.encode()))]
    assert with_files(officer, f"{at}/consent/token", {}, files).status_code == 303
    assert read(env, draft_id).stage == "approval"
    rows = officer.get(f"{at}/itinerary.csv")
    assert rows.text.startswith("place,from,to,tolerance_min")


def test_what_cannot_be_signed_is_said_at_once(desk: RunningDesk, env: Environment) -> None:
    """More days than the limits, no kind of search, no key: said beside what was typed, which
    stays.
    """
    keys = signers(env)
    at = handed_over(desk)
    officer = desk.browser("consent-officer")
    for other, said in (
        ({"from": "2026-01-01"}, "days of recordings"),
        ({"days": "90"}, "at most 43 days"),
        ({"scope": []}, "at least one kind of search"),
        ({"key": "nobody"}, "whose key"),
        ({"to": "soon"}, "the first and the last day"),
    ):
        sent = {**ALLOWS, "key": keys["consent"]["kid"], **other}
        answer = officer.send(f"{at}/consent/offer", sent)
        assert answer.status_code == 422, other
        assert said in answer.text, other
        assert "written consent, file 42" in answer.text


def test_sent_back_with_a_word(desk: RunningDesk, env: Environment) -> None:
    """The author sees why and goes on; what was signed does not count any more."""
    keys = signers(env)
    at = handed_over(desk)
    signed(desk.browser("consent-officer"), at, "consent", keys["consent"])
    approver = desk.browser("approver")
    assert approver.send(f"{at}/approval/send-back", {"note": "which lobby?"}).status_code == 303
    assert approver.get(f"{at}/approval").status_code == 404
    assert "which lobby?" in desk.browser("tracer").get(f"{at}/hand-over").text
    draft = read(env, at.rpartition("/")[2])
    assert (draft.stage, draft.consent) == ("open", "")
    drafts.destroy(env, draft.draft_id, "end of the test")


def test_no_case_is_filed_twice(desk: RunningDesk, env: Environment) -> None:
    """A number that a case has by now is refused when it is signed, not only when it is typed."""
    keys = signers(env)
    first = handed_over(desk, "K-SIGN-TWICE")
    second = handed_over(desk, "K-SIGN-TWICE")
    officer = desk.browser("consent-officer")
    approver = desk.browser("approver")
    signed(officer, first, "consent", keys["consent"])
    assert signed(approver, first, "approval", keys["approval"]).status_code == 303
    answer = officer.get(f"{second}/consent")
    assert answer.status_code == 400
    assert "send it back" in answer.text
    assert desk.browser("tracer").send(f"{second}/person", PERSON).status_code in (303, 400)
