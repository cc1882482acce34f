"""What the site benchmark compares with the truth."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class RunTables:
    """What one run of trace-case wrote (contracts of the same names)."""

    trajectory: pd.DataFrame
    sightings: pd.DataFrame
    encounters: pd.DataFrame
    encounter_points: pd.DataFrame
    contacts: pd.DataFrame
    gaps: pd.DataFrame
    policy: str | None = None
