"""Tables of the demo site made from its truth: what a perfect run would have found. Used by tests
of the report.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from data_contracts.camera import read_site_file
from data_contracts.case import CaseRequest, Visit
from data_contracts.policies import load_policy
from data_contracts.tables.contracts import GAPS, PERSONS, SIGHTINGS, TRAJECTORY, WINDOWS
from tasks.artefacts.run_tables import RunTables
from tasks.exposure.assess import assess
from tasks.exposure.meet import meet

DEMO = Path(__file__).parents[2] / "demo"
T0 = datetime(2026, 11, 16, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Seconds after the start of the footage."""
    return T0 + timedelta(seconds=seconds)


@lru_cache
def truth(name: str) -> pd.DataFrame:
    """A truth table with aware times."""
    table = pd.read_csv(DEMO / "truth" / f"{name}.csv")
    return table.assign(t_utc=pd.to_datetime(table["t_utc"], utc=True))


def persons() -> pd.DataFrame:
    """Everybody's true position, 5 Hz."""
    seen = (
        truth("boxes")
        .groupby(["t_utc", "person"])["camera"]
        .agg(",".join)
        .rename("cameras")
        .reset_index()
    )
    rows = truth("people").merge(seen, on=["t_utc", "person"])
    rows = rows.assign(person_id=rows["person"], cov_xx=0.01, cov_xy=0.0, cov_yy=0.01, seen=True)
    return PERSONS.shape(rows.assign(mask_p=rows["masked"].map({0: 0.03, 1: 0.96})))


def sightings(boxes: pd.DataFrame) -> pd.DataFrame:
    """The subject's stretches on each camera; the last and shortest is a question."""
    rows = []
    for camera, own in boxes[boxes["person"] == "S"].groupby("camera"):
        number = (own["t_utc"].diff().dt.total_seconds() > 2).cumsum()
        for _, part in own.groupby(number):
            length = (part["t_utc"].max() - part["t_utc"].min()).total_seconds()
            if length > 1:
                rows.append(
                    {"camera_id": camera, "track_id": len(rows), "start_utc": part["t_utc"].min()}
                )
                rows[-1] |= {
                    "end_utc": part["t_utc"].max(),
                    "probability": 0.97,
                    "band": "high",
                    "basis": "face",
                }
                rows[-1] |= {
                    "n_faces": 12,
                    "max_face_px": part["head_px"].max() * 0.7,
                    "review": "unreviewed",
                }
                if length < 8:
                    rows[-1] |= {"probability": 0.64, "band": "question", "basis": "position"}
    rows.sort(key=lambda r: r["start_utc"])
    return SIGHTINGS.shape([{**r, "sighting_id": f"S-{i + 1:02d}"} for i, r in enumerate(rows)])


def met(trajectory: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Points and encounters of everybody with the subject."""
    everybody = persons()
    return meet(trajectory, everybody[everybody["person_id"] != "S"], set())


def report_data(pictures: dict[str, bytes] | None = None) -> RunTables:
    """A report's data for the demo case, as a perfect run would have it."""
    everybody = persons()
    own = everybody[everybody["person_id"] == "S"]
    trajectory = TRAJECTORY.shape(own.assign(probability=0.97))
    policy = load_policy("demo-short")
    points, encounters = met(trajectory)
    contacts = assess(points, encounters, policy, np.random.default_rng(1))
    request = CaseRequest(
        case_id="K-2026-0042",
        subject="subject-7f3a",
        onset_utc=at(-86400),
        itinerary=(
            Visit(place="lobby of the city service centre", from_utc=at(9), to_utc=at(152)),
            Visit(place="corridor, back exit", from_utc=at(3757), to_utc=at(3770), tolerance_s=600),
        ),
        policy="demo-short",
        reference_images=("frontal.jpg",),
        filed_utc=at(7200),
    )
    cameras = [(c, at(-300), at(480), 0) for c in ("lobby-a", "lobby-b", "entrance", "corridor")]
    windows = [
        {
            "window_id": f"W-{i}",
            "camera_id": c,
            "start_utc": s,
            "end_utc": e,
            "reason": "claimed",
            "anchor": "visit 1",
        }
        | {"round": r}
        for i, (c, s, e, r) in enumerate(cameras)
    ]
    gap = {"kind": "no_footage", "camera_id": "lobby-b", "start_utc": at(90), "end_utc": at(120)}
    gap |= {
        "detail": "no segment in the store",
        "advice": "ask the operator of the recorder for this half minute",
    }
    other = {"kind": "unreadable", "camera_id": "corridor", "start_utc": at(30), "end_utc": at(60)}
    other |= {
        "detail": "the file is cut short",
        "advice": "upload it again, then run the case again",
    }
    return RunTables(
        request=request,
        site=read_site_file(DEMO / "cameras.geojson"),
        policy=policy,
        run_id="20261116-0300-7c1e",
        created_utc=at(10800),
        trajectory=trajectory,
        sightings=sightings(truth("boxes")),
        encounters=encounters,
        contacts=contacts,
        gaps=GAPS.shape([gap, other]),
        windows=WINDOWS.shape(windows),
        pictures=pictures or {},
        provenance=(
            b'{"models": {"nanodet": "95d85cc393e84aa6"}, "inputs": [], "software": '
            b'{"python": "3.11"}}'
        ),
    )
