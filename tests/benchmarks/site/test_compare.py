"""The comparison with a synthetic site's truth, on tables made from the truth itself."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.site.compare import compare, discover_subjects, render
from benchmarks.site.people import true_tables
from benchmarks.site.run_tables import RunTables
from benchmarks.truth import read_truth
from data_contracts.errors import BadInput
from data_contracts.policies import load_policy
from data_contracts.tables.contracts import (
    CONTACTS,
    ENCOUNTER_POINTS,
    ENCOUNTERS,
    GAPS,
    SIGHTINGS,
    TRAJECTORY,
)
from tasks.exposure.assess import assess
from tasks.exposure.meet import meet

DEMO = Path(__file__).parents[3] / "demo"


def run_from(trajectory: pd.DataFrame, persons: pd.DataFrame, subject: str = "S") -> RunTables:
    """What a run would write with these positions."""
    points, encounters = meet(trajectory, persons, {subject})
    contacts = assess(points, encounters, load_policy("demo-short"), np.random.default_rng(0))
    truth = read_truth(DEMO)
    boxes = truth.boxes[(truth.boxes["person"] == subject) & (truth.boxes["footage"] == "ok")]
    rows = []
    for number, (camera, own) in enumerate(boxes.groupby("camera")):
        stretch = (own["t_utc"].diff().dt.total_seconds() > 0.3).cumsum()
        for i, (_, part) in enumerate(own.groupby(stretch)):
            base = {
                "sighting_id": f"S-{number}{i:02d}",
                "camera_id": camera,
                "track_id": i,
                "probability": 0.99,
            }
            base |= {
                "start_utc": part["t_utc"].min(),
                "end_utc": part["t_utc"].max(),
                "n_faces": 1,
                "band": "high",
            }
            rows.append(base | {"basis": "face", "review": "unreviewed"})
    gaps = GAPS.shape(
        [
            {"kind": "no_footage", "camera_id": "lobby-b", "detail": "", "advice": ""}
            | _span(trajectory)
        ]
    )
    return RunTables(trajectory, SIGHTINGS.shape(rows), encounters, points, contacts, gaps)


def _span(trajectory: pd.DataFrame) -> dict[str, pd.Timestamp]:
    return {
        "start_utc": trajectory["t_utc"].iloc[0],
        "end_utc": trajectory["t_utc"].iloc[0] + pd.Timedelta(seconds=30),
    }


@pytest.fixture(scope="module")
def perfect() -> RunTables:
    """A run that reports the truth, wherever the subject can be seen."""
    truth = read_truth(DEMO)
    trajectory, persons = true_tables(truth, "S")
    seen = truth.boxes[(truth.boxes["person"] == "S") & (truth.boxes["footage"] == "ok")]["t_utc"]
    return run_from(trajectory[trajectory["t_utc"].isin(set(seen))].reset_index(drop=True), persons)


def test_the_truth_scores_perfectly(perfect):
    """Shows recall and precision 1, no position error, contacts exact, and nobody invented."""
    figures = compare(DEMO, "S", perfect)
    assert figures["seen"]["recall"] == 1
    assert figures["seen"]["precision"] == 1
    assert figures["position"]["p90_m"] == pytest.approx(0, abs=1e-6)
    people = {p["person"]: p for p in figures["people"]}
    assert set(people) == {"A", "B", "C", "N5"}
    for name, seconds_2m in {"A": 72.8, "B": 7.6, "C": 45.0, "N5": 0.0}.items():
        assert people[name]["true"]["seconds_2m"] == pytest.approx(seconds_2m, abs=0.3)
        assert people[name]["reported"]["seconds_2m"] == pytest.approx(seconds_2m, abs=0.5)
    assert people["C"]["true"]["person_mask"] == people["C"]["reported"]["person_mask"] == "masked"
    contacts = figures["contacts"]
    assert sorted(contacts["who"].values()) == contacts["true"] == ["A", "C"]
    empty = ("missed", "not_by_policy", "no_one", "subject_itself", "never_within_3m")
    assert [contacts[key] for key in empty] == [[]] * len(empty)
    assert figures["encounters"]["no_one"] == []
    assert figures["gaps"]["no_footage"] == {"n": 1, "seconds": 30.0}
    assert all(row["recall"] in (1, None) for row in figures["seen"]["by_camera"].values())


def test_missing_and_damaged_footage_is_told_apart():
    """Shows the planned faults of the demo are found by looking at the files, and their time is no
    miss.
    """
    truth = read_truth(DEMO)
    assert truth.footage.groupby("state").size().to_dict() == {"ok": 22, "missing": 1, "damaged": 1}
    hole = truth.boxes[
        (truth.boxes["camera"] == "lobby-b") & (truth.boxes["footage"] == "missing")
    ]["t_utc"]
    assert (hole.min().second, (hole.max() - hole.min()).total_seconds()) == (
        30,
        pytest.approx(29.8, abs=0.3),
    )


def test_a_miss_and_a_shift_are_measured(perfect):
    """Shows half of the time lost halves recall, and a shift of half a metre is the position
    error.
    """
    half = perfect.trajectory.iloc[: len(perfect.trajectory) // 2]
    figures = compare(DEMO, "S", dataclasses.replace(perfect, trajectory=half))
    assert 0.4 < figures["seen"]["recall"] < 0.6
    assert figures["seen"]["precision"] == 1
    shifted = perfect.trajectory.assign(x_m=perfect.trajectory["x_m"] + 0.5)
    figures = compare(DEMO, "S", dataclasses.replace(perfect, trajectory=shifted))
    assert figures["position"]["median_m"] == pytest.approx(0.5)


def test_time_when_the_subject_was_away_is_false(perfect):
    """Shows that a sighting of somebody else before the subject came in costs precision."""
    early = perfect.trajectory.iloc[:10].assign(
        t_utc=perfect.trajectory["t_utc"].iloc[:10] - pd.Timedelta(seconds=3.4)
    )
    both = pd.concat([early, perfect.trajectory], ignore_index=True)
    figures = compare(DEMO, "S", dataclasses.replace(perfect, trajectory=TRAJECTORY.shape(both)))
    assert figures["seen"]["false_s"] > 1
    assert figures["seen"]["precision"] < 1


def test_invented_people_and_the_subject_twice_are_found(perfect):
    """Shows a phantom beside the subject is no one, and a second track of the subject is the
    subject itself.
    """
    trajectory, persons = true_tables(read_truth(DEMO), "S")
    own = persons[persons["person_id"] == "S"]
    phantom = own.assign(person_id="X", x_m=own["x_m"] - 0.9, y_m=own["y_m"] - 1.1)
    double = own.assign(person_id="Y", x_m=own["x_m"] + 0.1)
    near = persons[persons["person_id"].isin(["S", "N5"])]
    figures = compare(
        DEMO, "S", run_from(trajectory, pd.concat([near, phantom, double], ignore_index=True))
    )
    assert len(figures["contacts"]["no_one"]) == 1
    assert len(figures["contacts"]["subject_itself"]) == 1
    assert figures["contacts"]["missed"] == ["A", "C"]


def test_fragments_of_one_person_add_up(perfect):
    """Shows two tracks that are the same true person count for that person, and double time is
    told.
    """
    trajectory, persons = true_tables(read_truth(DEMO), "S")
    own = persons[persons["person_id"] == "A"]
    late = own["t_utc"] > own["t_utc"].iloc[0] + pd.Timedelta(seconds=40)
    split = own.assign(person_id=np.where(late, "A2", "A1"))
    figures = compare(
        DEMO, "S", run_from(trajectory, pd.concat([persons[persons["person_id"] == "S"], split]))
    )
    (a,) = [p for p in figures["people"] if p["person"] == "A"]
    assert a["reported"]["person_ids"] == 2
    assert a["reported"]["seconds_2m"] == pytest.approx(72.8, abs=0.6)
    assert a["reported"]["counted_twice_s"] == 0


def test_nothing_reported_is_a_result():
    """Shows empty tables compare to recall 0 and everybody missed, through the plain text too."""
    tables = (TRAJECTORY, SIGHTINGS, ENCOUNTERS, ENCOUNTER_POINTS, CONTACTS, GAPS)
    figures = compare(DEMO, "S", RunTables(*(t.empty() for t in tables), policy="demo-short"))
    assert figures["seen"]["recall"] == 0
    assert figures["seen"]["precision"] is None
    assert figures["contacts"]["missed"] == ["A", "C"]
    assert "missed A, C" in render(figures)


def test_the_text_shows_true_beside_reported(perfect):
    """Shows the rendered table has a line a person and the shares."""
    text = render(compare(DEMO, "S", perfect))
    assert "recall 1.000" in text
    assert any(line.startswith("A ") and "yes/C-" in line for line in text.splitlines())


def test_the_demo_has_one_subject():
    """Shows the single subject gets all pictures and all visits."""
    (subject,) = discover_subjects(DEMO)
    assert (subject.name, len(subject.references), len(subject.itinerary)) == ("S", 3, 2)


@pytest.mark.parametrize("layout", ["folders", "prefixes"])
def test_several_subjects_get_their_own(tmp_path: Path, layout: str):
    """Shows subjects told apart by folder or prefix, and by a column of the itinerary."""
    for name in ("truth", "reference"):
        (tmp_path / name).mkdir()
    rows = "subject,person\nS1,A\nS2,A\n"
    (tmp_path / "truth" / "encounters.csv").write_text(rows)
    head = "subject,place,from,to,tolerance_min\n"
    visit = "{},hall,2026-11-16T09:00:00+09:00,2026-11-16T09:10:00+09:00,5\n"
    (tmp_path / "itinerary.csv").write_text(
        head + visit.format("S1") + visit.format("S2") * 2 + visit.format("S10")
    )
    for name in ("S1", "S2", "S10"):
        target = (
            tmp_path
            / "reference"
            / (f"{name}/frontal.jpg" if layout == "folders" else f"{name}_frontal.jpg")
        )
        target.parent.mkdir(exist_ok=True)
        shutil.copy(DEMO / "reference" / "frontal.jpg", target)
    subjects = discover_subjects(tmp_path)
    assert [(s.name, len(s.itinerary), len(s.references)) for s in subjects] == [
        ("S1", 1, 1),
        ("S10", 1, 1),
        ("S2", 2, 1),
    ]


def test_a_missing_truth_is_one_line(tmp_path: Path):
    """Shows a folder without truth is refused with what was expected."""
    with pytest.raises(BadInput, match=r"people\.csv"):
        read_truth(tmp_path)


def test_every_key_is_documented(perfect):
    """Shows the docs of the figures and the figures do not drift apart."""
    text = (DEMO.parent / "docs" / "benchmark-site.md").read_text(encoding="utf-8")
    for section, value in compare(DEMO, "S", perfect).items():
        assert section in text
        inner = value[0] if isinstance(value, list) else value
        if isinstance(inner, dict) and section != "gaps":
            assert [key for key in inner if key not in text] == []


def test_a_subject_who_met_no_one_is_still_traced(tmp_path: Path) -> None:
    """With no encounter at all, the subject is known from the cast."""
    shutil.copytree(DEMO, tmp_path / "site", ignore=shutil.ignore_patterns("footage"))
    path = tmp_path / "site" / "truth" / "encounters.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    assert [s.name for s in discover_subjects(tmp_path / "site")] == ["S"]


def test_distance_errors_and_masks_are_counted_instant_by_instant(perfect):
    """The truth has no distance error and every mask right; positions pulled 10 cm apart and
    swapped masks are found.
    """
    figures = compare(DEMO, "S", perfect)
    assert figures["distance"]["all"]["n"] > 100
    assert figures["distance"]["all"]["p90_abs_m"] == pytest.approx(0, abs=1e-3)
    assert figures["masks"]["right"] == 1
    assert figures["masks"]["face_seen_s"] > 10
    points = perfect.encounter_points
    apart = np.hypot(points["dx_m"], points["dy_m"])
    wrong = points.assign(
        dx_m=points["dx_m"] * (1 + 0.1 / apart),
        dy_m=points["dy_m"] * (1 + 0.1 / apart),
        person_mask_p=1 - points["person_mask_p"],
    )
    worse = compare(DEMO, "S", dataclasses.replace(perfect, encounter_points=wrong))
    assert worse["distance"]["all"]["median_m"] == pytest.approx(0.1, abs=2e-3)
    assert worse["masks"]["by_person"]["A"]["right"] == 0
    assert worse["masks"]["by_person"]["S"]["right"] == 1
