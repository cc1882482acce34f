"""The family's figures over all scenes, on numbers that can be added up by hand."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.family.__main__ import main
from benchmarks.family.figures import SceneFigures, pooled, reliability


def scene(name, seen_s, recall, contacts, told, position_m):
    """A scene's figures: `contacts` (probability, right), `told` what the comparison says."""
    nothing = {"missed": [], "subject_itself": [], "true": [], **told}
    return SceneFigures(
        name,
        {
            "seen": {
                "true_s": seen_s,
                "recall": recall,
                "reported_s": seen_s * recall,
                "precision": 1.0 if recall else None,
            },
            "contacts": nothing,
            "masks": {"known": None, "right": None, "s": 0.0},
        },
        np.array(position_m),
        np.array([-0.2, 0.1]),
        pd.DataFrame({"probability": [0.95], "right": [recall], "seconds": [seen_s]}),
        pd.DataFrame(contacts, columns=["probability", "right"]),
    )


def test_scenes_count_by_their_seconds_and_contacts_by_their_number():
    """30 s found whole and 10 s not at all: recall .75. Three contacts of four, one report of four
    the subject itself: .75 both.
    """
    first = scene("a", 30.0, 1.0, [(0.95, True), (0.8, True)], {"true": ["A", "C"]}, [0.1, 0.2])
    second = scene(
        "b",
        10.0,
        0.0,
        [(0.95, True), (0.6, False)],
        {"true": ["A", "C"], "missed": ["C"], "subject_itself": ["C-02"]},
        [0.6],
    )
    found = pooled([first, second])
    assert found["sightings_recall"] == pytest.approx(0.75)
    assert found["sightings_precision"] == pytest.approx(1.0)
    assert found["contacts_recall"] == pytest.approx(0.75)
    assert found["contacts_precision"] == pytest.approx(0.75)
    assert found["subject_itself"] == 1
    assert found["position_median_m"] == pytest.approx(0.2)
    assert found["distance_median_m"] == pytest.approx(0.15)
    assert found["masks_known"] is None


def test_reliability_is_what_came_true_of_what_was_said():
    """Ten seconds said at .95 of which eight were right, and two at .6 that were not."""
    table = reliability([0.95, 0.95, 0.6], [1.0, 0.0, 0.0], [8.0, 2.0, 2.0])
    assert [(b["from"], b["right"], b["weight"]) for b in table] == [
        (0.5, 0.0, 2.0),
        (0.9, pytest.approx(0.8), 10.0),
    ]


def test_a_folder_without_scenes_is_an_error_and_says_which_are_pointed(
    tmp_path, monkeypatch, capsys
):
    """Nothing rendered: exit 1, what to do, and the scenes that are not there by name."""
    monkeypatch.setattr("sys.argv", ["benchmarks.family", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    assert stopped.value.code == 1
    assert "--render" in said.err
    assert "family-004  not traced (not rendered)" in said.out
    assert "family-000  not traced (not rendered)" in said.out
