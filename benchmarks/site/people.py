"""Figures of each person who truly came within 3 m of the subject: true, to be seen, and
reported.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.site.run_tables import RunTables
from benchmarks.truth import Truth
from data_contracts.errors import BadInput
from data_contracts.exposure import ErrorModel, MeetSettings
from data_contracts.policies import load_policy
from data_contracts.tables.contracts import PERSONS, TRAJECTORY
from tasks.exposure.assess import assess
from tasks.exposure.meet import meet

NEAR_M = 3.0
_SECONDS = {"seconds_1m": 1.0, "seconds_1_5m": 1.5, "seconds_2m": 2.0}
# Exact positions: one error history is as good as many.
_EXACT = MeetSettings(errors=ErrorModel(paths=100))


def person_figures(
    truth: Truth, subject: str, run: RunTables, matches: dict[str, str | None], policy: str | None
) -> list[dict[str, Any]]:
    """One entry a person who truly came within 3 m, nearest first."""
    contacts = true_contacts(truth, subject, policy)
    distances = {name: _distances(truth, subject, name) for name in truth.path if name != subject}
    near = {name: d for name, d in distances.items() if len(d) and d["m"].min() < NEAR_M}
    subject_seen = truth.times(subject)
    out = []
    for name, distance in sorted(near.items(), key=lambda item: item[1]["m"].min()):
        both = distance["t_utc"].isin(subject_seen & truth.times(name))
        out.append(
            {
                "person": name,
                "true": _true(distance, truth.step_s)
                | {"contact": None if contacts is None else name in contacts},
                "seeable": _times(distance[both], truth.step_s),
                "reported": _reported(run, {e for e, who in matches.items() if who == name}),
            }
        )
    return out


def true_tables(truth: Truth, subject: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The truth as a perfect tracker would report it: trajectory and persons, exact to a
    millimetre.
    """
    columns: dict[str, Any] = {
        "cov_xx": 1e-8,
        "cov_xy": 0.0,
        "cov_yy": 1e-8,
        "seen": True,
        "cameras": "",
        "probability": 1.0,
    }
    table = truth.people.rename(columns={"person": "person_id"}).assign(**columns)
    table["mask_p"] = table["masked"].astype(float)
    return TRAJECTORY.shape(
        table[table["person_id"] == subject].reset_index(drop=True)
    ), PERSONS.shape(table)


def true_contacts(truth: Truth, subject: str, policy: str | None) -> set[str] | None:
    """Who is a contact by the policy on exact positions; None where the policy is not known
    here.
    """
    try:
        rule = load_policy(policy.split("@")[0]) if policy else None
    except BadInput:
        rule = None
    if rule is None:
        return None
    points, encounters = meet(*true_tables(truth, subject), {subject}, settings=_EXACT)
    return set(assess(points, encounters, rule, np.random.default_rng(0), _EXACT)["person_id"])


def _distances(truth: Truth, subject: str, person: str) -> pd.DataFrame:
    """Time, distance and masks while both were on the site."""
    own = truth.path[subject].add_suffix("_s")
    other = truth.path[person].add_suffix("_p")
    both = own.join(other, how="inner")
    m = np.hypot(both["x_m_p"] - both["x_m_s"], both["y_m_p"] - both["y_m_s"])
    masks = {
        "subject_masked": both["masked_s"].to_numpy(float),
        "person_masked": both["masked_p"].to_numpy(float),
    }
    return pd.DataFrame({"t_utc": both.index, "m": m.to_numpy(), **masks})


def _times(distance: pd.DataFrame, step_s: float) -> dict[str, float]:
    return {
        name: round(float((distance["m"] < d).sum() * step_s), 3) for name, d in _SECONDS.items()
    }


def _true(distance: pd.DataFrame, step_s: float) -> dict[str, Any]:
    near = distance[distance["m"] < NEAR_M]
    return _times(distance, step_s) | {
        "min_m": round(float(distance["m"].min()), 3),
        "subject_mask": _mask(float(near["subject_masked"].mean())),
        "person_mask": _mask(float(near["person_masked"].mean())),
    }


def _mask(share: float) -> str:
    """In the words of the tables, with the thresholds of the settings."""
    if share >= _EXACT.pure_share:
        return "masked"
    return "bare" if share <= 1 - _EXACT.pure_share else "mixed"


def _reported(run: RunTables, encounter_ids: set[str]) -> dict[str, Any] | None:
    """What the run says of a person; None where it says nothing. Masks are those of the longest
    encounter.
    """
    rows = run.encounters[run.encounters["encounter_id"].isin(encounter_ids)]
    if rows.empty:
        return None
    longest = rows.loc[rows["duration_s"].idxmax()]
    ids = run.contacts["encounter_ids"].map(
        lambda text: bool(encounter_ids & set(str(text).split(",")))
    )
    contacts = run.contacts[ids.astype(bool)]
    points = run.encounter_points[run.encounter_points["encounter_id"].isin(encounter_ids)]
    bounds = {
        f"{name}_{end}": round(float(rows[f"{name}_{end}"].sum()), 3)
        for name in _SECONDS
        for end in ("lo", "hi")
    }
    return (
        {name: round(float(rows[name].sum()), 3) for name in _SECONDS}
        | bounds
        | {
            "min_m": round(float(rows["min_m"].min()), 3),
            "subject_mask": str(longest["subject_mask"]),
            "person_mask": str(longest["person_mask"]),
            "encounters": len(rows),
            "person_ids": int(rows["person_id"].nunique()),
            "counted_twice_s": round(
                float(points.loc[points.duplicated("t_utc"), "dt_s"].sum()), 3
            ),
            "contact": bool(len(contacts)),
            "contact_ids": list(contacts["contact_id"]),
            "probability": round(float(contacts["probability"].max()), 3)
            if len(contacts)
            else None,
        }
    )
