"""The desk's pages of cameras over HTTP: list, calibration, two administrators at once, import,
floor plan.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import cv2
import numpy as np
import pytest
from desk_scene import Browser, RunningDesk

from data_contracts.audit import read_link
from data_contracts.camera import read_site
from data_contracts.object_key import CAMERAS, FLOOR_PLAN, SITE
from flows.cases.cameras import camera_file
from flows.cases.floor_plan import floor_plan
from flows.runtime.environment import Environment
from flows.runtime.environment import site as site_of
from tasks.ground.projection import Projection

pytestmark = pytest.mark.stack
# Floor points that lobby-a sees, m.
FLOOR = np.array([[3, 3], [6, 2], [9, 4], [9, 7], [5, 6], [7, 4.5]], float)


def clicked(env: Environment, camera_id: str = "lobby-a", shift_m: float = 0.0) -> dict[str, Any]:
    """The form's points as the camera truly sees them, on ground that is moved to the east."""
    px = Projection(site_of(env).by_id[camera_id]).pixels(FLOOR)
    return {
        "px": [f"{v:.2f}" for v in px[:, 0]],
        "py": [f"{v:.2f}" for v in px[:, 1]],
        "x_m": [f"{v:.2f}" for v in FLOOR[:, 0] + shift_m],
        "y_m": [f"{v:.2f}" for v in FLOOR[:, 1]],
        "click_px": "2",
        "measured_m": "0.05",
        "position_x_m": "",
        "position_y_m": "",
        "height_m": "",
    }


def opened(admin: Browser, camera_id: str) -> str:
    """What a camera's page says of it, as the form sends it back."""
    page = admin.get(f"/cameras/one/{camera_id}")
    assert page.status_code == 200
    found = re.search(r'name="digest" value="(\w+)"', page.text)
    assert found is not None
    return found.group(1)


def test_the_list_tells_what_is_known(desk: RunningDesk, env: Environment) -> None:
    """Every camera with its calibration, its clock and its last footage; the look is written down;
    what was asked for is found.
    """
    data = json.loads(camera_file(env).text or b"")
    data["features"][0]["properties"]["clock"] = [{"ahead_s": 1.2, "sd_s": 0.1}]
    del data["features"][1]["properties"]["homography_px_to_local"]
    env.store.put(SITE, CAMERAS, json.dumps(data).encode())
    env.store.put("footage", "lobby-a/2026-11-16/00/02.30.mp4", b"film")
    admin = desk.browser("administrator")
    page = admin.get("/cameras").text
    assert "4 of 4 cameras" in page
    assert "1.2 s ahead" in page
    assert "not calibrated" in page
    # 02:30 by a clock that is 1.2 s ahead, in Seoul.
    assert "2026-11-16 09:02" in page
    assert "1 of 4 cameras" in admin.get("/cameras?camera=corri").text
    last = [read_link(s.data).entry for s in env.audit_log.read() if s.data][-1]
    assert (last.action, last.objects, last.role) == ("view", ("cameras",), "administrator")
    env.store.remove_all_versions("footage", "lobby-a/")


def test_a_calibration_is_saved(desk: RunningDesk, env: Environment) -> None:
    """Six points give back the camera's own homography; the camera file has it with its record, and
    the audit log has the file's new digest.
    """
    admin = desk.browser("administrator")
    fields = {**clicked(env, shift_m=1.0), "digest": opened(admin, "lobby-a")}
    fit = admin.send("/cameras/one/lobby-a/fit", fields).text
    assert "data:image/jpeg;base64," in fit
    assert "left out" in fit
    before = site_of(env)
    saved = admin.send("/cameras/one/lobby-a/save", fields)
    assert saved.headers["location"] == "/cameras/one/lobby-a?saved=yes"
    after = site_of(env)
    px = Projection(before.by_id["lobby-a"]).pixels(FLOOR)
    seen = Projection(after.by_id["lobby-a"]).at_height(px, 0.0)
    assert np.abs(seen - FLOOR - np.array([1.0, 0.0])).max() < 0.02
    assert after.by_id["corridor"] == before.by_id["corridor"]
    told = camera_file(env)
    assert '"left_out_m"' in (told.text or b"").decode()
    entries = [read_link(s.data).entry for s in env.audit_log.read() if s.data]
    assert (CAMERAS, f"sha256:{told.digest}") in [e.objects for e in entries]


def test_points_that_disagree_are_told_and_not_saved(desk: RunningDesk, env: Environment) -> None:
    """Live and at saving; the points stay in the form, and the camera file stays."""
    admin = desk.browser("administrator")
    before = camera_file(env)
    fields = {**clicked(env), "digest": opened(admin, "lobby-a")}
    fields["x_m"][0], fields["x_m"][3] = "9.00", "3.00"
    assert "no camera sees these points" in admin.send("/cameras/one/lobby-a/fit", fields).text
    answer = admin.send("/cameras/one/lobby-a/save", fields)
    assert answer.status_code == 400
    assert f'value="{fields["px"][5]}"' in answer.text
    for wrong in ({"px": ["x"] * 6}, {"click_px": "0"}, {"height_m": "tall"}, {"px": ["1"]}):
        assert admin.send("/cameras/one/lobby-a/save", {**fields, **wrong}).status_code == 400
    assert camera_file(env) == before


def test_two_administrators_lose_nothing(desk: RunningDesk, env: Environment) -> None:
    """Both open, both save: of two cameras both calibrations are there; of the same camera the
    second is told, and the first one's stays.
    """
    first = desk.browser("administrator")
    second = desk.browser("administrator")
    sent = {
        name: {**clicked(env, name, shift), "digest": opened(first, name)}
        for name, shift in (("lobby-a", 1.0), ("lobby-b", 2.0))
    }
    assert first.send("/cameras/one/lobby-a/save", sent["lobby-a"]).status_code == 303
    assert second.send("/cameras/one/lobby-b/save", sent["lobby-b"]).status_code == 303
    after = camera_file(env)
    records = json.loads(after.text or b"")["features"]
    assert ["calibration" in f["properties"] for f in records] == [True, True, False, False]
    late = second.send("/cameras/one/lobby-a/save", sent["lobby-a"])
    assert late.status_code == 400
    assert "somebody else changed camera lobby-a" in late.text
    assert camera_file(env) == after


def test_who_writes_meanwhile_is_not_overwritten(
    desk: RunningDesk, env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that lands between reading and writing stays, and this one too."""
    admin = desk.browser("administrator")
    fields = {**clicked(env), "digest": opened(admin, "lobby-a")}
    replace = type(env.store).replace
    raced = []

    def after_another(self: Any, bucket: str, key: str, *args: Any) -> bool:
        if not raced:
            raced.append(key)
            data = json.loads(self.get(SITE, CAMERAS))
            data["features"][2]["properties"]["name"] = "Changed meanwhile"
            self.put(SITE, CAMERAS, json.dumps(data).encode())
        return replace(self, bucket, key, *args)

    monkeypatch.setattr(type(env.store), "replace", after_another)
    assert admin.send("/cameras/one/lobby-a/save", fields).status_code == 303
    features = json.loads(camera_file(env).text or b"")["features"]
    assert features[2]["properties"]["name"] == "Changed meanwhile"
    assert "calibration" in features[0]["properties"]


def test_an_import_is_listed_before_it_is_done(desk: RunningDesk, env: Environment) -> None:
    """What was understood, then the change; a file that changed meanwhile is listed anew; what is
    wrong changes nothing.
    """
    admin = desk.browser("administrator")
    before = camera_file(env)
    table = "camera_id,name,image_width,image_height\ngate-1,Gate,1920,1080\nlobby-a,Other,,"
    listed = admin.send("/cameras/import", {"cameras": table})
    assert "is added" in listed.text
    assert camera_file(env) == before
    mark = re.search(r'name="confirmed" value="(\w+)"', listed.text)
    assert mark is not None
    stale = admin.send("/cameras/import", {"cameras": table, "confirmed": "0" * 64})
    assert stale.status_code == 400
    assert camera_file(env) == before
    done = admin.send("/cameras/import", {"cameras": table, "confirmed": mark.group(1)})
    assert done.headers["location"] == "/cameras"
    found = read_site(camera_file(env).text or b"")
    assert found.by_id["gate-1"].image_width == 1920
    assert found.by_id["lobby-a"].name == "Other"
    wrong = admin.send("/cameras/import", {"cameras": "camera_id,time_zone\nlobby-a,Mars/North"})
    assert wrong.status_code == 400
    assert 'name="confirmed"' not in wrong.text


def test_a_floor_plan_has_its_scale(desk: RunningDesk, env: Environment) -> None:
    """Two clicked places give scale, direction and place; the picture comes back without what the
    file held beside it; what is no picture is refused.
    """
    admin = desk.browser("administrator")
    _, jpeg = cv2.imencode(".jpg", np.full((300, 400, 3), 200, np.uint8))
    hidden = jpeg.tobytes() + b"GPS of somebody"
    fields = {"picture": base64.b64encode(hidden).decode(), "u1": "100", "v1": "200", "x1": "1"}
    fields |= {"y1": "2", "u2": "300", "v2": "200", "x2": "11", "y2": "2"}
    assert admin.send("/cameras/plan", fields).headers["location"] == "/cameras/plan"
    plan = floor_plan(env)
    assert plan is not None
    assert plan.metres_a_pixel == pytest.approx(0.05)
    # 100 px further up is 5 m further north.
    assert plan.b * 100 - plan.a * 100 + plan.y0 == pytest.approx(7.0)
    picture = admin.get("/cameras/plan/picture").content
    assert picture.startswith(b"\x89PNG")
    assert b"GPS" not in picture
    assert "20.0 m wide" in admin.get("/cameras/plan").text
    for wrong in ({"picture": "%%%"}, {"picture": "aGVsbG8="}, {"u2": "101"}, {"x1": "one"}):
        assert admin.send("/cameras/plan", {**fields, **wrong}).status_code == 400
    env.store.remove_all_versions(SITE, FLOOR_PLAN)


def test_no_large_form_from_a_stranger(desk: RunningDesk) -> None:
    """Without a login an address that takes large forms reads none."""
    fields = {"cameras": "x" * 100_000}
    assert desk.browser().post("/cameras/import", fields).status_code == 401
