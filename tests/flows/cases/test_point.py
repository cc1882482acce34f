"""Pointing at the subject: checked against the footage, written down, stored under the case's key;
whatever is wrong with it is one clear line.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from demo_heads import DEMO, boxes
from subject_case import subject_case
from typer.testing import CliRunner

from data_contracts import object_key
from data_contracts.audit import read_link
from data_contracts.case import Scope
from data_contracts.errors import BadInput, NotAuthorised, StoreError
from data_contracts.run import Run
from flows.cases import point
from flows.cases.filing import store_case
from flows.cases.point import point_at
from flows.cases.throwaway import papers
from flows.cli.main import app
from flows.runtime.environment import Environment
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.pointings import read_pointings
from flows.stages import template
from infra.audit_log import AuditLog
from tasks.search.itinerary import read_itinerary

pytestmark = pytest.mark.stack
CAMERA = "entrance"
SEGMENT = f"{CAMERA}/2026-11-16/00/00.00.mp4"
START = datetime(2026, 11, 16, tzinfo=UTC)
AT = START + timedelta(seconds=9)
_numbers = itertools.count(1)


@pytest.fixture
def env(env: Environment) -> Iterator[Environment]:
    """A site with the demo's cameras and one segment of footage."""
    env.store.put(object_key.FOOTAGE, SEGMENT, (DEMO / "footage" / SEGMENT).read_bytes())
    return env


def filed(env: Environment, *scopes: Scope) -> str:
    """A filed case."""
    case_id = f"K-POINT-{next(_numbers):03d}"
    visits = read_itinerary((DEMO / "itinerary.csv").read_text())
    given = {"a.jpg": b"picture"}
    store_case(env, papers(env, case_id, visits, given, "demo-short", "test", scopes=scopes))
    return case_id


def subject_px() -> tuple[float, float]:
    """Where the subject stands at AT."""
    table = boxes(CAMERA)
    (row,) = table[(table["person"] == "S") & (table["t_utc"] == pd.Timestamp(AT))].itertuples()
    return (float(row.x0 + row.x1) / 2, float(row.y0 + row.y1) / 2)


def pointed(env: Environment, case_id: str) -> list[str]:
    """Who pointed, as the audit log says."""
    entries = [read_link(e.data).entry for e in env.audit_log.read() if e.data]
    return [e.actor for e in entries if (e.case_id, e.action) == (case_id, "point")]


def test_the_subject_is_pointed_at_and_again(env: Environment) -> None:
    """The command stores the point, sealed, after the log has it; again it replaces it, and with
    --also both stay.
    """
    case_id = filed(env, "appearance")
    x, y = subject_px()
    given = ["case", "point", case_id, "--camera", CAMERA, "--at", "2026-11-16T09:00:09+09:00"]
    given += ["--x", f"{x:.0f}", "--y", f"{y:.0f}"]
    for more, stored in (((), 1), ((), 1), (("--also",), 2)):
        ran = CliRunner().invoke(app, [*given, *more])
        assert ran.exit_code == 0, ran.output
        assert len(read_pointings(open_case(case_id, env))) == stored
    first = read_pointings(open_case(case_id, env))[0]
    assert (first.camera_id, first.t_utc, first.x_px) == (CAMERA, AT, round(x))
    assert pointed(env, case_id) == [first.pointed_by] * 3
    for item in env.store.list(object_key.CASES, f"{case_id}/"):
        assert CAMERA.encode() not in env.store.get(object_key.CASES, item.key)


def test_what_is_wrong_is_said(env: Environment) -> None:
    """Nobody there (with who is near), no such camera or pixel, a time outside the consent, no
    footage: nothing is stored.
    """
    case_id = filed(env, "face", "appearance")
    x, y = subject_px()
    day = timedelta(days=1)
    for camera, at, px, words in (
        (CAMERA, AT, (2.0, 2.0), r"nobody is seen at 2, 2 at 00:00:09 UTC; nearest: \d+, \d+ at"),
        ("gate", AT, (x, y), "no camera gate: expected one of .*entrance"),
        (CAMERA, AT, (x, 5000.0), "expected a pixel of camera entrance's picture, "),
        (CAMERA, AT - 9 * day, (x, y), "expected a time from 2026-11-1"),
        (CAMERA, AT + timedelta(hours=3), (x, y), "camera entrance has no footage at"),
    ):
        with pytest.raises(BadInput, match=words):
            point_at(env, case_id, camera, at, px)
    assert read_pointings(open_case(case_id, env)) == ()


def test_nothing_is_decoded_without_scope_camera_or_audit(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a face-only consent, on a camera that is not named, and while the log cannot be
    written.
    """

    def never(*_: object) -> None:
        raise AssertionError("footage was read")

    monkeypatch.setattr(point, "read_footage", never)
    with pytest.raises(NotAuthorised, match="appearance"):
        point_at(env, filed(env, "face"), CAMERA, AT, (5.0, 5.0))
    case_id = filed(env, "appearance")
    case = open_case(case_id, env)
    other = subject_case(scopes=("appearance",), cameras=("lobby-a",))
    limited = OpenCase(other, case.vault, case.site, case.policy)
    with monkeypatch.context() as patch:
        patch.setattr(point, "open_case", lambda *_: limited)
        with pytest.raises(NotAuthorised, match="camera entrance"):
            point_at(env, case_id, CAMERA, AT, (5.0, 5.0))

    def full(*_given: object, **_more: object) -> None:
        raise StoreError("the audit log is full")

    monkeypatch.setattr(AuditLog, "append", full)
    with pytest.raises(StoreError, match="full"):
        point_at(env, case_id, CAMERA, AT, (5.0, 5.0))


def test_without_the_face_scope_there_is_no_template(env: Environment) -> None:
    """Reference pictures of an appearance-only case are not looked at: none is even a picture."""
    case_id = filed(env, "appearance")
    run = Run(case_id=case_id, run_id="20261116T090000Z-ab12cd", salt="0" * 32, policy="demo-short")
    assert template.make_template(run).tables == {}
    assert not env.cases.open(case_id).exists(object_key.template(case_id))
