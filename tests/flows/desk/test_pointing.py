"""Pointing on the desk: a click on somebody in a clip, checked against the footage."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import numpy as np
import pandas as pd
import pytest
from demo_heads import DEMO, boxes
from desk_person import LOCALES, SIZES, Person
from desk_scene import RunningDesk
from playwright.sync_api import Browser, expect
from reviewed_run import T0, published, results, with_signing_key

from data_contracts import object_key
from data_contracts.case import Scope
from flows.cases.assignment import assign
from flows.cases.evidence import clips_of_run
from flows.runtime.environment import Environment
from flows.runtime.open_case import open_case
from flows.runtime.pointings import read_pointings
from flows.stages.publish import load_manifest
from flows.stages.published import choose_run
from infra.case_store import CaseVault
from tasks.footage.video import write_clip

pytestmark = pytest.mark.stack
SEGMENT = "entrance/2026-11-16/00/00.00.mp4"
# Seconds into the footage at which the subject is seen whole.
AT_S = 9.0


@pytest.fixture
def env(env: Environment) -> Iterator[Environment]:
    """A site with its key and one segment of the demo's footage."""
    made = with_signing_key(env)
    made.store.put(object_key.FOOTAGE, SEGMENT, (DEMO / "footage" / SEGMENT).read_bytes())
    return made


def case(env: Environment, *scopes: Scope) -> CaseVault:
    """A case with a clip, seen by a tracer."""
    grey = [np.full((180, 320, 3), 8 * k, np.uint8) for k in range(30)]
    made = published(env, results(), scopes, clips={"S-01.mp4": write_clip(grey, 5)})
    assign(env, made.case_id, ("tracer",))
    return made


def frame_at(env: Environment, vault: CaseVault, seconds: float) -> int:
    """The clip's frame of a moment of the footage."""
    found = open_case(vault.case_id, env)
    clip = clips_of_run(found, load_manifest(vault, choose_run(vault).run))["S-01"]
    assert clip.span is not None
    return round(5 * (seconds - clip.span.start_utc.second))


def pointed(env: Environment, vault: CaseVault) -> list[tuple[str, int]]:
    """Camera and second of what is stored."""
    points = read_pointings(open_case(vault.case_id, env))
    return [(p.camera_id, p.t_utc.second) for p in points]


def test_a_click_on_somebody(desk: RunningDesk, env: Environment) -> None:
    """Is stored with its camera and moment, where somebody stands there; beside them nobody is
    pointed at, and the page says who is near.
    """
    vault = case(env, "face", "appearance")
    table = boxes("entrance")
    at = T0 + pd.Timedelta(seconds=AT_S)
    (own,) = table[(table["person"] == "S") & (table["t_utc"] == at)].to_dict("records")
    browser = desk.browser("tracer")
    # Footage is decoded and people are found in it, on a loaded machine.
    browser.client.timeout = httpx.Timeout(600)
    frame = str(frame_at(env, vault, AT_S))
    beside = {"frame": frame, "x": "3", "y": "3"}
    answer = browser.send(f"/cases/{vault.case_id}/point/S-01", beside)
    assert (answer.status_code, "nobody is seen at 3, 3" in answer.text) == (400, True)
    assert pointed(env, vault) == []
    on = {
        "frame": frame,
        "x": str((own["x0"] + own["x1"]) / 2),
        "y": str((own["y0"] + own["y1"]) / 2),
    }
    assert browser.send(f"/cases/{vault.case_id}/point/S-01", on).status_code == 303
    assert pointed(env, vault) == [("entrance", 9)]
    assert "Pointed at so far" in browser.get(f"/cases/{vault.case_id}/point/S-01").text


@pytest.mark.parametrize("field", ["frame", "x", "y"])
def test_a_form_without_a_click(desk: RunningDesk, env: Environment, field: str) -> None:
    """Says what to do; nothing is stored."""
    vault = case(env, "face", "appearance")
    fields = {"frame": "1", "x": "100", "y": "100"} | {field: "here"}
    answer = desk.browser("tracer").send(f"/cases/{vault.case_id}/point/S-01", fields)
    assert (answer.status_code, "Click on the person" in answer.text) == (400, True)
    assert pointed(env, vault) == []


def test_a_consent_to_faces_alone(desk: RunningDesk, env: Environment) -> None:
    """The page says that nobody can be pointed at; by address it is refused."""
    vault = case(env, "face")
    browser = desk.browser("tracer")
    assert "does not allow" in browser.get(f"/cases/{vault.case_id}/point/S-01").text
    fields = {"frame": "1", "x": "100", "y": "100"}
    assert browser.send(f"/cases/{vault.case_id}/point/S-01", fields).status_code == 403


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("size", SIZES)
def test_clicking(
    desk: RunningDesk, env: Environment, chromium: Browser, language: str, size: str
) -> None:
    """A click in the clip fills in frame and pixel; the page can be read."""
    vault = case(env, "face", "appearance")
    person = Person(chromium, desk.base, language, size)
    person.log_in("tracer")
    person.open(f"/cases/{vault.case_id}/point/S-01")
    expect(person.page.locator(".controls")).to_be_visible()
    person.page.locator(".on").click()
    video = person.page.locator("video")
    place = video.bounding_box()
    assert place is not None
    video.click(position={"x": place["width"] / 4, "y": place["height"] / 2})
    values = [float(person.page.locator(f"[name={n}]").input_value()) for n in ("frame", "x", "y")]
    assert values == pytest.approx([1, 80, 90], abs=1)
    assert person.faults() == []
    person.context.close()
