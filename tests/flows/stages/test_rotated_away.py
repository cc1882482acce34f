"""A recorder deletes its oldest segments while cases run: one that is gone is a gap, not the end of
the case.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from stored_run import store_table

from data_contracts import object_key
from data_contracts.errors import BadInput
from data_contracts.run import Run
from data_contracts.tables.contracts import GAPS, MEMBERS, PERSONS, SIGHTINGS, TRACKS, WINDOWS
from flows.runtime.environment import Environment
from flows.runtime.open_case import open_case
from flows.runtime.results import load
from flows.stages import observe, redact
from infra.store import ObjectInfo, ObjectStore
from tasks.redaction.plan import PictureJob
from tasks.search.coverage_gaps import coverage_gaps

pytestmark = pytest.mark.stack
START = datetime(2026, 11, 15, 0, 0, tzinfo=UTC)
END = datetime(2026, 11, 15, 0, 1, tzinfo=UTC)
GONE = [f"entrance/2026-11-15/00/{name}.mp4" for name in ("00.00", "00.30")]


@pytest.fixture
def _rotated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store lists two segments that are gone when they are read."""
    listed = [ObjectInfo(key, "etag", 1000, None, START) for key in GONE]
    monkeypatch.setattr(ObjectStore, "list", lambda *_: listed)


@pytest.mark.usefixtures("workers", "_rotated")
@pytest.mark.parametrize("kind", ["scan", "follow"])
def test_a_segment_that_is_gone_is_a_gap(env: Environment, run: Run, kind: str) -> None:
    """Both segments were listed and are deleted: the look ends, and the whole time is one gap that
    says so.
    """
    gap = only_gap(run, kind)
    assert gap["kind"] == "no_footage"
    assert "deleted in the store after it was listed" in gap["detail"]
    assert (gap["start_utc"], gap["end_utc"]) == (START, END)


@pytest.mark.usefixtures("workers", "_rotated")
def test_a_segment_that_was_replaced_is_a_gap(env: Environment, run: Run) -> None:
    """Another file lies under the key than the one that was listed: it is not read for it, and the
    gap says to run the case again.
    """
    for key in GONE:
        env.store.put(object_key.FOOTAGE, key, b"another")
    try:
        gap = only_gap(run, "scan")
    finally:
        for key in GONE:
            env.store.remove_all_versions(object_key.FOOTAGE, key)
    assert gap["kind"] == "unreadable"
    assert "replaced by another file" in gap["detail"]
    assert "run the case again" in gap["advice"]


def only_gap(run: Run, kind: str) -> dict[str, Any]:
    """The gap of a look at the minute of both segments, at which nothing is found."""
    window = {
        "window_id": "W-1",
        "camera_id": "entrance",
        "start_utc": START,
        "end_utc": END,
        "reason": "said to be here",
        "anchor": "visit-1",
        "round": 0,
    }
    vault = open_case(run.case_id).vault
    look = observe.scan_footage if kind == "scan" else observe.follow_sightings
    looked = look(run, windows=store_table(vault, WINDOWS, [window]), template="is not read")
    assert looked.counts() | {"segments": 0, "reports": 0} == dict.fromkeys(looked.counts(), 0)
    gaps = coverage_gaps(WINDOWS.shape([window]), load(vault, looked["reports"]))
    (gap,) = gaps.to_dict("records")
    return {str(name): value for name, value in gap.items()}


def cannot(*_: object) -> None:
    """A camera whose pictures cannot be made."""
    raise BadInput("the background is not a picture")


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize(
    ("fails", "why"), [(False, "no footage of it"), (True, "BadInput")], ids=["gone", "failed"]
)
def test_pictures_that_cannot_be_made_are_gaps(
    env: Environment, run: Run, monkeypatch: pytest.MonkeyPatch, fails: bool, why: str
) -> None:
    """A picture whose segments were deleted after they were followed, and all pictures of a camera
    whose unit failed, are told; the run goes on.
    """
    if fails:
        monkeypatch.setattr(redact, "rendered", cannot)
    job = PictureJob(
        name="S-01",
        camera_id="entrance",
        start_utc=START,
        end_utc=END,
        still_utc=START,
        subject_tracks=(1,),
    )
    vault = open_case(run.case_id).vault
    names = {"tracks": TRACKS, "persons": PERSONS, "members": MEMBERS, "sightings": SIGHTINGS}
    people = {name: store_table(vault, contract) for name, contract in names.items()}
    segments = tuple(
        redact.FootagePart(key=key, etag="etag", start_utc=at, shares=())
        for key, at in zip(GONE, (START, END), strict=True)
    )
    monkeypatch.setattr(redact, "plan_pictures", lambda *_: [job])
    monkeypatch.setattr(redact, "segments_for", lambda *_: segments)
    made = redact.make_pictures(run, **people)
    assert made["pictures"].rows == 0
    (gap,) = load(vault, made["gaps"]).to_dict("records")
    assert (gap["kind"], gap["camera_id"]) == ("failed", "entrance")
    assert f"S-01 could not be made ({why})" in gap["detail"]
    assert made["gaps"].contract == GAPS.name
    assert not env.store.exists(object_key.FOOTAGE, GONE[0])
