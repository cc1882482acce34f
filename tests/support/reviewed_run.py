"""A filed case with a published run of which each row is known, for the tests of review."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pandas as pd
from demo_report import met, report_data
from stored_run import empty_outcome, store_table

from data_contracts.case import Scope
from data_contracts.run import Run, RunManifest, StageResult, TableRef
from data_contracts.tables.contracts import (
    CONTACTS,
    ENCOUNTER_POINTS,
    ENCOUNTERS,
    GAPS,
    MEMBERS,
    PERSONS,
    PICTURES,
    SIGHTINGS,
    TRACKS,
    TRAJECTORY,
    WINDOWS,
)
from data_contracts.tables.table import TableContract
from data_contracts.time import now_utc
from flows.cases.filing import store_case
from flows.cases.throwaway import papers
from flows.cli.request import read_references
from flows.runtime.acting import Acting
from flows.runtime.environment import Environment, environment
from flows.stages.publish import _write_artefact, manifest_key
from flows.stages.published import put_published
from infra.case_store import CaseVault
from infra.signing import ensure_signing_key
from tasks.review.questions import Results
from tasks.search.itinerary import read_itinerary

DEMO = Path(__file__).parents[2] / "demo"
T0 = pd.Timestamp("2026-11-16T00:00:00Z")
_numbers = itertools.count(1)
_BOX = ("x0", "y0", "x1", "y1")


def as_reviewer(name: str) -> Acting:
    """A reviewer's account."""
    return Acting("account", name, "reviewer")


def track(
    number: int,
    x_px: float,
    start: float = 0,
    seconds: float = 20,
    camera: str = "entrance",
    **more,
) -> pd.DataFrame:
    """Rows of somebody who walks to the right from `x_px`, 10 px a second."""
    rows = [
        {
            "camera_id": camera,
            "track_id": number,
            "t_utc": T0 + pd.Timedelta(seconds=start + k / 5),
            **dict(zip(_BOX, (x_px + 2 * k, 100.0, x_px + 2 * k + 60, 280.0), strict=True)),
            "score": 0.9,
            "x_m": x_px / 100 + k / 50,
            "y_m": 1.0,
            "cov_xx": 0.01,
            "cov_xy": 0.0,
            "cov_yy": 0.01,
            "foot_hidden": False,
            **more,
        }
        for k in range(round(5 * seconds))
    ]
    return TRACKS.shape(rows)


def sighting(number: int, track_id: int, start: float = 0, seconds: float = 20, **more):
    """A row of SIGHTINGS."""
    return {
        "sighting_id": f"S-{number:02d}",
        "camera_id": "entrance",
        "track_id": track_id,
        "start_utc": T0 + pd.Timedelta(seconds=start),
        "end_utc": T0 + pd.Timedelta(seconds=start + seconds - 0.2),
        "probability": 0.6,
        "band": "question",
        "basis": "face",
        "n_faces": 1,
        "review": "unreviewed",
    } | more


def contact(number: int, person_id: str, start: float = 0, seconds: float = 20, **more):
    """A row of CONTACTS."""
    return {
        "contact_id": f"C-{number:02d}",
        "person_id": person_id,
        "encounter_ids": "E-001",
        "policy": "demo-short@1",
        "tier": "near",
        "rule": "within 1.5 m for at least 30 s",
        "start_utc": T0 + pd.Timedelta(seconds=start),
        "end_utc": T0 + pd.Timedelta(seconds=start + seconds - 0.2),
        "exposure_s": 40.0,
        "exposure_s_lo": 35.0,
        "exposure_s_hi": 44.0,
        "min_m": 0.8,
        "median_m": 1.0,
        "subject_mask": "bare",
        "person_mask": "masked",
        "cameras": "entrance",
        "probability": 0.95,
        "band": "high",
        "doubt": "",
        "review": "unreviewed",
    } | more


def results(renumbered: int = 0) -> Results:
    """The subject, sure (track 1); somebody asked about (track 2, 30 s to 50 s), with a contact in
    that time; a contact (track 3) and one that may be the subject again (track 4). With
    `renumbered` as another run would number them.
    """
    of = {n: n + renumbered for n in (1, 2, 3, 4)}
    tracks = pd.concat(
        [
            track(of[1], 100, face_px=60.0, subject_p=0.95, mask_p=0.1),
            track(of[2], 100, start=30, face_px=40.0, mask_p=0.1),
            track(of[3], 500, start=25, seconds=30),
            track(of[4], 800, seconds=60),
        ],
        ignore_index=True,
    )
    members = [
        {"person_id": f"P-{n}{renumbered}", "camera_id": "entrance", "track_id": of[n]}
        for n in (1, 2, 3, 4)
    ]
    way = tracks[tracks["track_id"].isin([of[1], of[2]])]
    return Results(
        tracks=TRACKS.shape(tracks),
        members=MEMBERS.shape(members),
        sightings=SIGHTINGS.shape(
            [
                sighting(1, of[1], probability=0.98, band="high", n_faces=9, max_face_px=60.0),
                sighting(2, of[2], start=30),
            ]
        ),
        trajectory=TRAJECTORY.shape(way.assign(probability=0.8, seen=True, cameras="entrance")),
        contacts=CONTACTS.shape(
            [
                contact(1, f"P-3{renumbered}", start=30, seconds=20),
                contact(
                    2, f"P-4{renumbered}", start=2, seconds=15, band="question", doubt="it may"
                ),
            ]
        ),
    )


def published(
    env: Environment,
    found: Results,
    scopes: tuple[Scope, ...] = ("face", "appearance"),
    **made: Any,
) -> CaseVault:
    """A filed case whose one published run found this, with what else it `made`: see
    `publish_again`.
    """
    case_id = f"K-REVIEW-{next(_numbers):03d}"
    visits = read_itinerary((DEMO / "itinerary.csv").read_text())
    given = read_references([DEMO / "reference"])
    filed = papers(env, case_id, visits, given, "demo-short", "test", scopes=scopes)
    store_case(env, filed)
    vault = env.cases.open(case_id)
    publish_again(vault, found, "R-1", **made)
    return vault


def publish_again(
    vault: CaseVault,
    found: Results,
    run_id: str,
    names: tuple[str, ...] = (),
    decided: tuple[str, ...] = (),
    clips: dict[str, bytes] | None = None,
    **more: pd.DataFrame,
) -> Run:
    """Publish another run of the case, with artefacts of these names, which knew of `decided`.
    `clips`: pictures by file name, a contact's of the camera `entrance`. `more`: its tables of
    points, encounters, windows and gaps, where they are not empty.
    """
    run = Run(case_id=vault.case_id, run_id=run_id, salt="0" * 32, policy="demo-short")
    stage = f"test {run_id}"
    people = {
        "tracks": store_table(vault, TRACKS, found.tracks, stage),
        "members": store_table(vault, MEMBERS, found.members, stage),
        "sightings": store_table(vault, SIGHTINGS, found.sightings, stage),
        "persons": store_table(vault, PERSONS, (), stage),
    }
    trace = {"trajectory": store_table(vault, TRAJECTORY, found.trajectory, stage)}
    contacts = {"contacts": store_table(vault, CONTACTS, found.contacts, stage)}
    shown = clips or {}
    camera_of = dict(zip(found.sightings["sighting_id"], found.sightings["camera_id"], strict=True))
    pictures = [
        {
            "name": n,
            "camera_id": camera_of.get(n.partition(".")[0], "entrance"),
            "size_bytes": len(data),
            "sha256": "0" * 64,
        }
        for n, data in shown.items()
    ]

    def others(*wanted: tuple[str, TableContract]) -> dict[str, TableRef]:
        return {n: store_table(vault, c, more.get(n, ()), stage) for n, c in wanted}

    parts = {
        "people": people,
        "trace": trace,
        "contacts": contacts,
        "meetings": others(("points", ENCOUNTER_POINTS), ("encounters", ENCOUNTERS)),
        "windows": others(("windows", WINDOWS)),
        "gaps": others(("gaps", GAPS)),
        "pictures": {"pictures": store_table(vault, PICTURES, pictures, stage)},
    }
    told = {"pictures": "redact pictures"}
    made = {n: StageResult(stage=told.get(n, n), digest="d", tables=t) for n, t in parts.items()}
    artefacts = {name: b"data" for name in names}
    artefacts |= {f"pictures/{name}": data for name, data in shown.items()}
    manifest = RunManifest(
        run_id=run.run_id,
        policy="demo-short@1",
        created_utc=now_utc(),
        artefacts=tuple(_write_artefact(vault, run, n, data) for n, data in artefacts.items()),
        result=empty_outcome(run).model_copy(update={**made, "decided": decided}),
    )
    vault.put(manifest_key(run), manifest.model_dump_json().encode())
    put_published(vault, run, manifest.policy)
    return run


def with_signing_key(env: Environment) -> Environment:
    """The site with the installation's key, which makes pseudonyms."""
    ensure_signing_key(env.settings)
    environment.cache_clear()
    return environment()


def found_in_demo() -> tuple[Results, dict[str, pd.DataFrame]]:
    """What a perfect run would have found in the demo, with its tables of points, encounters,
    windows and gaps; nobody has a track.
    """
    data = report_data()
    points, encounters = met(data.trajectory)
    found = Results(
        tracks=TRACKS.empty(),
        members=MEMBERS.empty(),
        sightings=data.sightings,
        trajectory=data.trajectory,
        contacts=data.contacts,
    )
    more = {"points": points, "encounters": encounters, "windows": data.windows}
    return found, more | {"gaps": data.gaps}
