"""What another policy would say of the same encounters, and who came near without being counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import pandas as pd

ChangeKind = Literal["same", "other rule", "new", "gone"]


class Change(NamedTuple):
    """One person under two policies: rows of CONTACTS, None where a policy does not count them."""

    kind: ChangeKind
    before: Mapping[Any, Any] | None
    after: Mapping[Any, Any] | None


class NearMiss(NamedTuple):
    """Somebody who came within 3 m and is no contact: their nearest encounter (row of ENCOUNTERS),
    how long they were within 1, 1.5 and 2 m in all, and the policies that would count them.
    """

    encounter: Mapping[Any, Any]
    seconds_1m: float
    seconds_1_5m: float
    seconds_2m: float
    counted_by: tuple[str, ...]


def changes(before: pd.DataFrame, after: pd.DataFrame) -> list[Change]:
    """Every person whom one of two tables of CONTACTS counts, in order of time."""
    was = _by_person(before)
    now = _by_person(after)
    found = [_change(was.get(person), now.get(person)) for person in {**was, **now}]
    return sorted(found, key=lambda one: (one.before or one.after or {})["start_utc"])


def near_misses(
    encounters: pd.DataFrame, contacts: pd.DataFrame, others: Mapping[str, pd.DataFrame]
) -> list[NearMiss]:
    """People of ENCOUNTERS whom CONTACTS does not count, the nearest first; those whom two
    reviewers rejected left out. `others`: CONTACTS under other policies by their names.
    """
    standing = encounters[encounters["review"] != "rejected"]
    left = standing[~standing["person_id"].isin(contacts["person_id"])]
    found = []
    for person, rows in left.groupby("person_id"):
        within = [float(rows[f"seconds_{name}"].sum()) for name in ("1m", "1_5m", "2m")]
        by = tuple(name for name, table in others.items() if person in set(table["person_id"]))
        nearest = rows.sort_values("min_m").iloc[0].to_dict()
        found.append(NearMiss(nearest, within[0], within[1], within[2], by))
    return sorted(found, key=lambda one: float(one.encounter["min_m"]))


def _by_person(contacts: pd.DataFrame) -> dict[str, dict[Any, Any]]:
    rows = contacts[contacts["review"] != "rejected"].to_dict("records")
    return {str(row["person_id"]): row for row in rows}


def _change(before: Mapping[Any, Any] | None, after: Mapping[Any, Any] | None) -> Change:
    if before is None or after is None:
        return Change("new" if before is None else "gone", before, after)
    kept = (before["tier"], before["band"]) == (after["tier"], after["band"])
    return Change("same" if kept else "other rule", before, after)
