"""A case that is being filed on the desk, for tests: what is typed, who signs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import httpx
from desk_scene import DEMO, Browser

from data_contracts.audit import AuditEntry, read_link
from flows.cases.key_changes import (
    PrivateKey,
    ensure_demo_root,
    listed_keys,
    proposal,
    publish_list,
    with_added,
)
from flows.runtime.environment import Environment
from tasks.consent.grant_token import generate_key

FRONTAL = DEMO / "reference" / "frontal.jpg"
PERSON = {
    "case_id": "k-2026-0042",
    "subject": "S",
    "onset": "2026-11-16",
    "sample": "",
    "policy": "who",
}
LOBBY = {
    "place": "lobby of the city service centre",
    "start": "2026-11-16T09:00:09",
    "end": "2026-11-16T09:02:32",
    "tolerance_min": "5",
    "repeated": "",
}


def begun(browser: Browser) -> str:
    """The address of a new draft."""
    answer = browser.send("/filing/new")
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].rpartition("/")[0]


def with_files(
    browser: Browser, path: str, fields: dict, files: list[tuple[str, tuple[str, bytes]]]
) -> httpx.Response:
    """Send a form with files."""
    given = {"csrf": browser.token(), **fields}
    return browser.client.post(path, data=given, files=files, headers={"origin": browser.base})


def send_picture(browser: Browser, at: str, *paths: Path) -> httpx.Response:
    """Add pictures."""
    files = [("picture", (path.name, path.read_bytes())) for path in paths]
    return with_files(browser, f"{at}/pictures", {}, files)


def filled(browser: Browser, case_id: str = "k-2026-0042") -> str:
    """A draft that nothing is wrong with."""
    at = begun(browser)
    typed = {**PERSON, "case_id": case_id}
    assert browser.send(f"{at}/person", typed).headers["location"] == f"{at}/itinerary"
    rows = browser.send(f"{at}/itinerary", {**LOBBY, "do": "save"})
    assert rows.headers["location"] == f"{at}/pictures"
    assert send_picture(browser, at, FRONTAL).status_code == 200
    return at


@cache
def _people() -> dict[str, tuple[PrivateKey, object]]:
    return {
        "consent": generate_key("Dr Kim", ("consent",)),
        "approval": generate_key("Officer Lee", ("approval",)),
        "both": generate_key("Dr Both", ("consent", "approval")),
    }


def signers(env: Environment) -> dict[str, PrivateKey]:
    """Private keys of people whom the site trusts: one for each role, and one for both."""
    root = ensure_demo_root(env.settings)
    listed = listed_keys(env)
    keys = with_added(listed, [public for _, public in _people().values()])  # type: ignore[misc]
    if len(keys) > len(listed):
        publish_list(env, proposal(env, keys, [root]))
    return {name: private for name, (private, _) in _people().items()}


def entries(env: Environment) -> list[AuditEntry]:
    """The audit log's entries."""
    return [read_link(s.data).entry for s in env.audit_log.read() if s.data]
