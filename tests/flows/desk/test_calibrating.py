"""An administrator calibrates a camera by clicking, in a real browser: in the still and on the
floor plan, and gets the homography that the camera is known to have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from desk_scene import PASSWORD, RunningDesk
from playwright.sync_api import Browser, Page, expect

from data_contracts.floor_plan import placed
from data_contracts.object_key import FLOOR_PLAN, SITE
from flows.cases.camera_footage import Stills
from flows.cases.floor_plan import plan_of, publish_floor_plan
from flows.runtime.environment import Environment
from flows.runtime.environment import site as site_of
from tasks.footage.reading import frames
from tasks.ground.projection import Projection

pytestmark = pytest.mark.stack
expect.set_options(timeout=90_000)
FILM = Path(__file__).parents[3] / "demo/footage/lobby-a/2026-11-16/00/00.00.mp4"
CLICKED = np.array([[3, 3], [6, 2], [9, 7], [5, 6]], float)
BETWEEN = np.array([[4, 3.5], [6, 4], [7, 5], [5, 5]], float)
# The drawn floor plan: 50 px a metre, the site's origin 100 px from its left and lower edge.
PX_A_METRE = 50
PLAN_SIZE = (700, 900)


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """A still at once: how it is made safely is tested elsewhere, and takes a minute."""
    image = next(frames(FILM.read_bytes(), datetime(2026, 11, 16, tzinfo=UTC))).image
    monkeypatch.setattr(Stills, "of", lambda *_: image)
    monkeypatch.setattr(Stills, "made", lambda *_: image)


@pytest.fixture
def plan(env: Environment) -> Iterator[None]:
    """A floor plan with a metre grid."""
    drawn = np.full((*PLAN_SIZE, 3), 255, np.uint8)
    drawn[::PX_A_METRE] = drawn[:, ::PX_A_METRE] = 180
    _, png = cv2.imencode(".png", drawn)
    place = placed((100, 600), (0, 0), (100 + 10 * PX_A_METRE, 600), (10, 0))
    publish_floor_plan(env, plan_of(png.tobytes(), place))
    yield
    env.store.remove_all_versions(SITE, FLOOR_PLAN)


def opened(page: Page, base: str, path: str) -> list[str]:
    """A page as the administrator sees it; what the console says."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{base}/login")
    page.fill("#account", "administrator")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="administrator", exact=True)).to_be_visible()
    page.goto(f"{base}{path}")
    return said


def click(page: Page, panel: str, at_px: np.ndarray) -> None:
    """Click a pixel of a panel's picture, four times as large as it comes."""
    canvas = page.locator(f"{panel} .canvas")
    page.locator(f"{panel} [data-zoom='4']").click()
    box = canvas.bounding_box()
    assert box is not None
    width = float(page.locator(panel).get_attribute("data-width") or 0)
    scale = box["width"] / width
    canvas.click(position={"x": float(at_px[0]) * scale, "y": float(at_px[1]) * scale})


def test_four_clicks_give_the_known_homography(
    desk: RunningDesk, env: Environment, chromium: Browser, still: None, plan: None
) -> None:
    """Four points clicked in the still and on the plan: the errors show at once, the grid is in the
    still, and what is saved places people within a few centimetres of where the camera's own
    homography does.
    """
    true = Projection(site_of(env).by_id["lobby-a"])
    page = chromium.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB")
    said = opened(page, desk.base, "/cameras/one/lobby-a")
    for px, m in zip(true.pixels(CLICKED), CLICKED, strict=True):
        click(page, "#still", px)
        click(page, "#plan", np.array([100, 600]) + m * [PX_A_METRE, -PX_A_METRE])
    expect(page.get_by_text("four points cannot check each other")).to_be_visible()
    expect(page.locator("#still img")).to_have_attribute(
        "src", re.compile("^data:image/jpeg;base64,")
    )
    page.locator("#still").get_by_label("grid").uncheck()
    expect(page.locator("#still img")).to_have_attribute("src", "/cameras/one/lobby-a/still")
    page.get_by_role("button", name="Save the calibration").click()
    expect(page.get_by_text("The calibration is saved")).to_be_visible()
    saved = Projection(site_of(env).by_id["lobby-a"])
    off_m = np.linalg.norm(saved.at_height(true.pixels(BETWEEN), 0.0) - BETWEEN, axis=1)
    assert off_m.max() < 0.05
    assert said == []
    page.close()


def test_a_point_is_moved_and_removed(
    desk: RunningDesk, chromium: Browser, still: None, plan: None
) -> None:
    """A chosen point goes where the next click is; a removed one is gone, the others keep their
    order; without a still the pixels are typed.
    """
    page = chromium.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB")
    opened(page, desk.base, "/cameras/one/lobby-a")
    for at in ([100, 600], [300, 500], [500, 400]):
        click(page, "#still", np.array(at))
    pixels = page.locator("input[name=px]")
    assert [round(float(pixels.nth(i).input_value())) for i in range(3)] == [100, 300, 500]
    page.locator("[data-move]").nth(1).click()
    click(page, "#still", np.array([320, 520]))
    assert round(float(pixels.nth(1).input_value())) == 320
    page.locator("[data-remove]").first.click()
    assert [round(float(pixels.nth(i).input_value())) for i in range(2)] == [320, 500]
    assert page.locator("[data-move]").first.inner_text() == "1"
    page.close()
