"""Somebody points at the subject in a picture: where a search by clothes and way starts.

The footage is decoded under the consent as it is now, after the audit log has it, to see that
somebody stands there. Nobody is recognised, and no picture is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from data_contracts.camera import Camera
from data_contracts.errors import BadInput
from data_contracts.pointing import Pointing
from data_contracts.tables.contracts import WINDOWS
from data_contracts.time import CLOCK_HZ, Interval
from flows.runtime.audit import audit, refusals_written, who_acts
from flows.runtime.environment import Environment, models
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.pointings import read_pointings, write_pointings
from flows.runtime.segment_job import listed, read_footage
from tasks.consent.authorise import require
from tasks.footage.reading import Frame
from tasks.footage.segment import SegmentInput, SegmentReport
from tasks.observe.follow import detect_people
from tasks.people.pointed import POINT_WITHIN_S, at_point
from tasks.search.find_segments import segments_for

# So long before and after an instant it is told who is near, where nobody is there.
_NEAR = timedelta(seconds=2)
_NEAREST = 3
_COLUMNS = ["t_utc", "x0", "y0", "x1", "y1"]


def point_at(
    env: Environment,
    case_id: str,
    camera_id: str,
    t_utc: datetime,
    at_px: tuple[float, float],
    also: bool = False,
) -> Pointing:
    """Store that the subject is who stands there; in the place of what was pointed at before,
    unless `also`.

    Raises NotAuthorised (also for a camera that consent and approval do not name), BadInput for a
    time that they do not name, where there is no such camera or pixel, no footage, or nobody is
    there: with who is nearest. StoreError when the audit log cannot be written: then nothing is
    decoded.
    """
    case = open_case(case_id, env)
    camera = _camera(case, camera_id, at_px)
    with refusals_written(env, case_id):
        require(case.authorised, "appearance", camera_id)
    _check_time(case, t_utc)
    audit(env, "point", case=case.authorised)
    _check_somebody(_people(env, case, camera, t_utc), t_utc, at_px)
    made = Pointing(
        camera_id=camera_id, t_utc=t_utc, x_px=at_px[0], y_px=at_px[1], pointed_by=who_acts(env)
    )
    write_pointings(case, (*(read_pointings(case) if also else ()), made))
    return made


def _camera(case: OpenCase, camera_id: str, at_px: tuple[float, float]) -> Camera:
    camera = case.site.by_id.get(camera_id)
    if camera is None:
        known = ", ".join(sorted(case.site.by_id))
        raise BadInput(f"no camera {camera_id}: expected one of {known}")
    if not (0 <= at_px[0] <= camera.image_width and 0 <= at_px[1] <= camera.image_height):
        raise BadInput(
            f"expected a pixel of camera {camera_id}'s picture, {camera.image_width} x "
            f"{camera.image_height}, got {at_px[0]:g}, {at_px[1]:g}"
        )
    return camera


def _check_time(case: OpenCase, t_utc: datetime) -> None:
    span = case.authorised.span
    if not span.start_utc <= t_utc < span.end_utc:
        raise BadInput(
            f"expected a time from {span.start_utc:%Y-%m-%d %H:%M:%S} to "
            f"{span.end_utc:%Y-%m-%d %H:%M:%S} UTC, which consent and approval name, got "
            f"{t_utc:%Y-%m-%d %H:%M:%S} UTC"
        )


def _people(env: Environment, case: OpenCase, camera: Camera, t_utc: datetime) -> pd.DataFrame:
    """Boxes of everybody around an instant. Raises BadInput where nothing was recorded then."""
    used = models(env)
    rows = []
    pictures = 0
    for frame in _pictures(env, case, camera, t_utc):
        pictures += 1
        found = detect_people(camera, frame.t_utc, frame.image, used.person, None)
        rows += [row for row in found if row["score"] >= used.person_scores.looked_at]
    if not pictures:
        raise BadInput(
            f"camera {camera.camera_id} has no footage at {t_utc:%Y-%m-%d %H:%M:%S} UTC: point at "
            "another time, or add the footage"
        )
    return pd.DataFrame(rows, columns=_COLUMNS)


def _pictures(env: Environment, case: OpenCase, camera: Camera, t_utc: datetime) -> Iterator[Frame]:
    """The camera's pictures around an instant, within the granted time."""
    near = Interval(t_utc - _NEAR, t_utc + _NEAR).intersect(case.authorised.span)
    assert near is not None
    window = {
        "window_id": "point",
        "camera_id": camera.camera_id,
        "start_utc": near.start_utc,
        "end_utc": near.end_utc,
        "reason": "pointed at",
        "anchor": "point",
        "round": 0,
    }
    segments, _ = segments_for(
        WINDOWS.shape([window]), listed(env), clocks={camera.camera_id: camera.clock}
    )
    for row in segments.to_dict("records"):
        key = str(row["key"])
        etag = str(row["etag"])
        start = pd.Timestamp(row["start_utc"]).to_pydatetime()
        segment = SegmentInput(camera, key, start, read_footage(env, key, etag), etag, near)
        yield from SegmentReport(segment, near, CLOCK_HZ).pictures()


def _check_somebody(people: pd.DataFrame, t_utc: datetime, at_px: tuple[float, float]) -> None:
    away_s = (people["t_utc"] - pd.Timestamp(t_utc)).abs().dt.total_seconds()
    for _, frame in people[away_s <= POINT_WITHIN_S].groupby("t_utc"):
        if at_point(frame[_COLUMNS[1:]].to_numpy(float), *at_px) is not None:
            return
    raise BadInput(
        f"nobody is seen at {at_px[0]:g}, {at_px[1]:g} at {t_utc:%H:%M:%S} UTC; nearest: "
        f"{_nearest(people, at_px)}"
    )


def _nearest(people: pd.DataFrame, at_px: tuple[float, float]) -> str:
    """Where and when people are seen nearest to the point."""
    x = (people["x0"] + people["x1"]) / 2
    y = (people["y0"] + people["y1"]) / 2
    near = people.assign(x=x, y=y, away=np.hypot(x - at_px[0], y - at_px[1])).sort_values("away")
    told: list[str] = []
    middles: list[float] = []
    for row in near.to_dict("records"):
        # The same body a frame later is not another.
        if all(abs(row["x"] - other) > row["x1"] - row["x0"] for other in middles):
            told.append(f"{row['x']:.0f}, {row['y']:.0f} at {row['t_utc']:%H:%M:%S}")
            middles.append(row["x"])
    return "; ".join(told[:_NEAREST]) or f"nobody within {_NEAR.total_seconds():g} s"
