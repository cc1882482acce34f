"""Who was seen in clothes like the subject's, on the key frames of a scan: candidates, to be
followed. Who they are is said by clothes and way together once they were
(`tasks.people.all_evidence`).
"""

from __future__ import annotations

import pandas as pd

from data_contracts.policy import SearchSettings
from tasks.people.way import likeness

_COLUMNS = ["camera_id", "start_utc", "end_utc", "probability"]


def seen_alike(looks: pd.DataFrame, search: SearchSettings) -> pd.DataFrame:
    """Where and when (camera_id, start_utc, end_utc, probability) a body of LOOKS likelier than the
    policy's `propose_probability` wears clothes like the subject's.
    """
    wears = looks["llr"].map(likeness).astype(float)
    seen = looks.assign(start_utc=looks["t_utc"], end_utc=looks["t_utc"], probability=wears)
    return seen.loc[wears >= search.propose_probability, _COLUMNS].reset_index(drop=True)
