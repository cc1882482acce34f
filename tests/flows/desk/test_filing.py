"""Filing a case on the desk, a step at a time: over HTTP, without a script."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from desk_scene import RunningDesk
from filing_scene import (
    FRONTAL,
    LOBBY,
    PERSON,
    begun,
    entries,
    filled,
    send_picture,
    with_files,
)

from data_contracts import object_key
from data_contracts.errors import KeyMissing
from data_contracts.time import now_utc
from flows.cases.drafts import drafts_of
from flows.cases.expiry import Word, end_doomed, end_pictures, plan_pass
from flows.runtime.environment import Environment

pytestmark = pytest.mark.stack


def test_a_case_is_filled_in_step_by_step(desk: RunningDesk, env: Environment) -> None:
    """From an empty form to one that two people can sign; each step keeps what was typed, and the
    page of the last one shows it all.
    """
    browser = desk.browser("tracer")
    at = begun(browser)
    asked = browser.send(f"{at}/person", {**PERSON, "onset": ""})
    assert asked.status_code == 422
    assert "Give the day of onset" in asked.text
    assert 'value="K-2026-0042"' in asked.text
    assert browser.send(f"{at}/person", PERSON).status_code == 303
    page = browser.get(f"{at}/person").text
    assert "2026-11-14 00:00 +09:00" in page
    assert "2026-11-29 00:00 +09:00" in page
    where = browser.send(f"{at}/itinerary", {**LOBBY, "do": "save"})
    assert where.status_code == 303
    shown = browser.get(f"{at}/itinerary").text
    assert "Looked for on:" in shown
    assert "Still to be put right" in browser.get(f"{at}/hand-over").text
    assert send_picture(browser, at, FRONTAL).status_code == 200
    summary = browser.get(f"{at}/hand-over").text
    assert "Still to be put right" not in summary
    assert "lobby of the city service centre" in summary
    (draft,) = [d for d in drafts_of(env, "tracer") if at.endswith(d.draft_id)]
    assert draft.visits[0].start == "2026-11-16T09:00:09"
    assert drafts_of(env, "other") == []


def test_the_window_follows_what_is_typed(desk: RunningDesk) -> None:
    """Another policy, another window; without symptoms the sample counts."""
    browser = desk.browser("tracer")
    at = begun(browser)
    for asked, until in (
        ("onset=2026-11-16&policy=who", "2026-11-29"),
        ("sample=2026-11-16&policy=who", "2026-11-26"),
        ("onset=2026-11-16&policy=ecdc-2020-04", "2026-11-"),
    ):
        assert until in browser.get(f"{at}/window?{asked}").text, asked
    assert "when there is a day" in browser.get(f"{at}/window?onset=soon&policy=who").text


def test_wrong_rows_say_what_is_wrong_beside_the_field(desk: RunningDesk) -> None:
    """Every fault of every row at once; what was typed stays."""
    browser = desk.browser("tracer")
    at = begun(browser)
    rows = {
        "place": ["lobby", "", "moon"],
        "start": ["2026-11-16T10:00", "3/4/2026 9:00", "2026-11-16T09:00"],
        "end": ["2026-11-16T09:00", "2999-01-01T10:00", "2026-11-16T09:10"],
        "tolerance_min": ["5", "many", "5"],
        "repeated": ["", "", ""],
        "do": "save",
    }
    answer = browser.send(f"{at}/itinerary", rows)
    assert answer.status_code == 422
    for field, said in (
        ("end-1", "The end must be after the start."),
        ("place-2", "Fill this in."),
        ("start-2", "Day and month can be taken for one another"),
        ("end-2", "This time has not come yet."),
        ("tolerance-2", "Give minutes, 0 to 360."),
    ):
        assert re.search(rf'id="{field}-wrong"[^>]*>{re.escape(said)}', answer.text), field
    assert 'value="3/4/2026 9:00"' in answer.text
    assert "No camera is named like this" in answer.text


@pytest.mark.parametrize("how", ["pasted", "file"])
def test_rows_from_a_spreadsheet(desk: RunningDesk, env: Environment, how: str) -> None:
    """Cells copied from Excel, or a CSV that it saved in Korea (semicolons, CP949): places, days
    and times as Excel's numbers or as people write them; a row that cannot be read says so.
    """
    browser = desk.browser("tracer")
    at = begun(browser)
    text = (
        "장소;날짜;시작;종료;오차(분)\n로비;46342;0.375;오전 9:30;5\nlobby;16.11.2026;soon;10:30;\n"
    )
    fields: dict = {**LOBBY, "do": "paste", "pasted": text.replace(";", "\t")}
    files: list = []
    if how == "file":
        fields["pasted"] = ""
        files = [("file", ("itinerary.csv", text.encode("cp949")))]
    answer = with_files(browser, f"{at}/itinerary", fields, files)
    assert answer.status_code == 422
    assert re.search(r'id="start-3-wrong"[^>]*>This cannot be read as a time', answer.text)
    (draft,) = [d for d in drafts_of(env, "tracer") if at.endswith(d.draft_id)]
    assert [(row.place, row.start, row.end) for row in draft.visits] == [
        (LOBBY["place"], LOBBY["start"], LOBBY["end"]),
        ("로비", "2026-11-16T09:00", "2026-11-16T09:30"),
        ("lobby", "soon", "2026-11-16T10:30"),
    ]
    left = browser.send(f"{at}/itinerary", {"do": "remove-1", **LOBBY})
    assert LOBBY["place"] not in left.text


def test_what_is_no_table_says_so(desk: RunningDesk) -> None:
    """A workbook, two columns, nothing: the message stands beside it, and the rows stay."""
    browser = desk.browser("tracer")
    at = begun(browser)
    for pasted, data, said in (
        ("", b"PK\x03\x04 a workbook", "This is a workbook"),
        ("lobby;9:00", b"", "Expected the columns"),
        ("", b"", "There are no rows in it."),
    ):
        files = [("file", ("x.xlsx", data))] if data else []
        fields = {**LOBBY, "do": "paste", "pasted": pasted}
        answer = with_files(browser, f"{at}/itinerary", fields, files)
        assert answer.status_code == 422
        assert said in answer.text
        assert LOBBY["place"] in answer.text


def test_pictures_are_looked_at_at_once(
    desk: RunningDesk, env: Environment, tmp_path: Path
) -> None:
    """One clear face is kept, under a name that says nothing; two people, nobody, and no picture
    are refused with the reason, and not kept.
    """
    face = cv2.imread(str(FRONTAL))
    two = tmp_path / "Kim Minsu.png"
    cv2.imwrite(str(two), np.hstack([face, face]))
    nobody = tmp_path / "wall.png"
    cv2.imwrite(str(nobody), np.full((400, 400, 3), 120, np.uint8))
    small = tmp_path / "far.png"
    cv2.imwrite(str(small), cv2.resize(face, None, fx=0.1, fy=0.1, interpolation=cv2.INTER_AREA))
    text = tmp_path / "notes.jpg"
    text.write_bytes(b"no picture")
    browser = desk.browser("tracer")
    at = begun(browser)
    answer = send_picture(browser, at, FRONTAL, two, nobody, small, text)
    assert answer.status_code == 422
    for said in (
        "Kim Minsu.png</strong>: Several people",
        "wall.png</strong>: No face",
        "far.png</strong>: ",
        "notes.jpg</strong>: This is not a JPEG",
        "One face,",
    ):
        assert said in answer.text
    (draft,) = [d for d in drafts_of(env, "tracer") if at.endswith(d.draft_id)]
    assert [p.name for p in draft.pictures] == ["picture-1.jpg"]
    shown = browser.get(f"{at}/picture/picture-1.jpg")
    assert shown.content == FRONTAL.read_bytes()
    assert browser.send(f"{at}/pictures/remove", {"name": "picture-1.jpg"}).status_code == 303
    assert browser.get(f"{at}/picture/picture-1.jpg").status_code == 404
    vault = env.cases.open(draft.draft_id)
    assert not vault.exists(object_key.reference(draft.draft_id, "picture-1.jpg"))


def test_a_draft_is_its_authors_alone(desk: RunningDesk) -> None:
    """Nobody else finds a draft, its pictures or what it says, whatever their roles; before it is
    handed over not even those who will sign.
    """
    at = filled(desk.browser("tracer"))
    for name in ("other", "consent-officer", "approver", "administrator", "auditor"):
        browser = desk.browser(name)
        for path in ("person", "itinerary", "pictures", "hand-over", "picture/picture-1.jpg"):
            assert browser.get(f"{at}/{path}").status_code in (403, 404), (name, path)
        assert "K-2026-0042" not in browser.get("/filing").text
        for path in ("person", "itinerary", "pictures", "hand-over", "delete", "take-back"):
            assert browser.send(f"{at}/{path}", PERSON).status_code in (403, 404), (name, path)
    assert desk.browser("tracer").get(f"{at}/hand-over").status_code == 200


def test_a_draft_is_destroyed_with_a_receipt(desk: RunningDesk, env: Environment) -> None:
    """Given up by its author: key and objects are gone, and the receipt and the log say so."""
    browser = desk.browser("tracer")
    at = filled(browser)
    draft_id = at.rpartition("/")[2]
    gone = browser.send(f"{at}/delete")
    assert gone.status_code == 200
    assert f"receipts/{draft_id}/" in gone.text
    assert not env.cases.has_key(draft_id)
    assert env.store.list_versions(object_key.CASES, f"{draft_id}/") == []
    assert browser.get(f"{at}/person").status_code == 404
    about = [e for e in entries(env) if e.case_id == draft_id]
    assert {"draft", "delete-started", "delete"} <= {e.action for e in about}
    assert all(e.actor.startswith("account:") for e in about)


def test_a_draft_that_is_not_filed_ends(desk: RunningDesk, env: Environment) -> None:
    """After its days the purge pass destroys it, sealed pictures and all; a day before it does
    not, and pictures of runs are looked for in it in vain.
    """
    at = filled(desk.browser("tracer"))
    draft_id = at.rpartition("/")[2]
    days = env.settings.retention.draft_days
    early = plan_pass(env, now_utc() + timedelta(days=days - 1))
    assert draft_id not in {d.case_id for d in early.doomed}
    now = now_utc()
    assert end_pictures(env, plan_pass(env, now), now).failed == ()
    late = plan_pass(env, now_utc() + timedelta(days=days, minutes=1), drafts_word())
    own = [d for d in late.doomed if d.case_id == draft_id]
    assert [d.reason for d in own] == [f"kept for {days} days"]
    end_doomed(env, late.model_copy(update={"doomed": tuple(own)}))
    with pytest.raises(KeyMissing):
        env.cases.open(draft_id)
    assert draft_id not in {d.draft_id for d in drafts_of(env, "tracer")}


def drafts_word() -> Word:
    """What a person says to a clock that was put forward."""
    return Word(despite_clock=True, despite_number=True)
