"""What the artefacts of a run are made from, read and typed once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from data_contracts.camera import Site
from data_contracts.case import CaseRequest
from data_contracts.policy import Policy


@dataclass(frozen=True)
class RunTables:
    """Everything that an export may tell.

    Tables follow the contracts TRAJECTORY, SIGHTINGS, ENCOUNTERS, CONTACTS, GAPS and WINDOWS.
    `pictures`: JPEG bytes by file name, `S-01.jpg` for a sighting and `C-01.jpg` for a contact.
    `provenance`: the JSON of tasks.artefacts.provenance.
    """

    request: CaseRequest
    site: Site
    policy: Policy
    run_id: str
    created_utc: datetime
    trajectory: pd.DataFrame
    sightings: pd.DataFrame
    encounters: pd.DataFrame
    contacts: pd.DataFrame
    gaps: pd.DataFrame
    windows: pd.DataFrame
    pictures: dict[str, bytes] = field(default_factory=dict)
    provenance: bytes = b"{}"
