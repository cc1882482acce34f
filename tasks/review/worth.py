"""What an answer is worth: how much of the result it is expected to change.

The chance that what is stated now is wrong, times what would change then: a contact on the list, or
a minute of the trajectory, counts 1. So a sure sighting of an hour comes after an unsure one that a
contact hangs on. A doubt whether somebody is the subject seen twice has no probability, and counts
as even.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from data_contracts.time import CLOCK_S

_EVEN = 0.5


def worth_of_sighting(
    row: Mapping[Any, Any], trajectory: pd.DataFrame, contacts: pd.DataFrame
) -> float:
    """Of a row of SIGHTINGS: the minutes of TRAJECTORY in its time, and the CONTACTS in it."""
    inside = trajectory["t_utc"].between(row["start_utc"], row["end_utc"])
    minutes = float(inside.sum()) * CLOCK_S / 60
    hanging = (contacts["start_utc"] <= row["end_utc"]) & (contacts["end_utc"] >= row["start_utc"])
    return _chance_of_error(float(row["probability"])) * (minutes + float(hanging.sum()))


def worth_of_contact(row: Mapping[Any, Any]) -> float:
    """Of a row of CONTACTS: itself."""
    return _EVEN if row["doubt"] else _chance_of_error(float(row["probability"]))


def _chance_of_error(probability: float) -> float:
    """That the likelier of two answers is wrong."""
    return min(probability, 1.0 - probability)
