"""Policies compared person by person, and who came near without being counted."""

from __future__ import annotations

from typing import Any

import pandas as pd
from reviewed_run import T0, contact

from data_contracts.tables.contracts import CONTACTS, ENCOUNTERS
from tasks.exposure.compared import changes, near_misses


def encounter(number: int, person: str, min_m: float, **more: Any) -> dict[str, Any]:
    """A row of ENCOUNTERS of twenty seconds within 2 m."""
    row = {"encounter_id": f"E-{number:03d}", "person_id": person, "min_m": min_m, "cameras": "a"}
    row |= {"start_utc": T0, "end_utc": T0 + pd.Timedelta(seconds=30), "duration_s": 30.0}
    row |= {"median_m": 2.0, "confidence": 0.9, "doubt": "", "review": "unreviewed"}
    row |= {"subject_mask": "bare", "person_mask": "bare"}
    for within, seconds in (("1m", 0.0), ("1_5m", 10.0), ("2m", 20.0)):
        row |= {f"seconds_{within}{end}": seconds for end in ("", "_lo", "_hi")}
    return row | more


def test_changes() -> None:
    """By person, not by number: numbers are drawn anew for each policy."""
    before = CONTACTS.shape(
        [contact(1, "P-a"), contact(2, "P-b", start=5), contact(3, "P-c", start=9)]
    )
    after = CONTACTS.shape(
        [
            contact(2, "P-a"),
            contact(1, "P-c", start=9, tier="far"),
            contact(3, "P-d", start=20),
            contact(4, "P-e", review="rejected"),
        ]
    )
    told = [(c.kind, (c.before or c.after or {})["person_id"]) for c in changes(before, after)]
    assert told == [("same", "P-a"), ("gone", "P-b"), ("other rule", "P-c"), ("new", "P-d")]


def test_near_misses() -> None:
    """Who is no contact, once a person with all their time, the nearest first, and who would count
    them; those whom reviewers rejected are left out.
    """
    met = [
        encounter(1, "P-a", 0.5),
        encounter(2, "P-b", 1.9),
        encounter(3, "P-b", 1.2),
        encounter(4, "P-c", 1.0),
        encounter(5, "P-d", 0.4, review="rejected"),
    ]
    others = {"who": CONTACTS.shape([contact(1, "P-b")]), "hku": CONTACTS.empty()}
    found = near_misses(ENCOUNTERS.shape(met), CONTACTS.shape([contact(1, "P-a")]), others)
    told = [(m.encounter["encounter_id"], m.seconds_2m, m.counted_by) for m in found]
    assert told == [("E-004", 20.0, ()), ("E-003", 40.0, ("who",))]
